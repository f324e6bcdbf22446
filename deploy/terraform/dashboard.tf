# The six questions of docs/OBSERVE.md as a dashboard. It and the alerts on metrics are there when Google Cloud has the metrics.

locals {
  sections = [for section in yamldecode(file("${path.module}/panels.yaml")) : {
    question = section.question
    charts = [for chart in section.charts : {
      title = chart.title
      unit  = chart.unit == "short" ? "1" : chart.unit
      # Google Cloud keeps the names of OpenTelemetry, which PromQL takes in quotes.
      queries = { for legend, query in chart.queries : legend => replace(replace(replace(replace(
        replace(query, "/\\b(brigade[.][a-z_.]+){/", "{\"$1\", "),
        "$poller", "job=\"${local.poller_name}\""),
        "$worker", "job=\"${local.worker_name}\""),
        "$both", "job=~\"${local.poller_name}|${local.worker_name}\""),
        "$window", "5m",
      ) }
    }]
  }]
}

resource "google_monitoring_dashboard" "questions" {
  count   = local.in_google ? 1 : 0
  project = var.project
  dashboard_json = jsonencode({
    displayName = "Bucket Brigade: ${var.name}"
    mosaicLayout = {
      columns = 48
      tiles = flatten([for row, section in local.sections : concat(
        [{ xPos = 0, yPos = row * 20, width = 48, height = 4, widget = { title = section.question, sectionHeader = { dividerBelow = true } } }],
        [for column, chart in section.charts : {
          xPos = column * 24, yPos = row * 20 + 4, width = 24, height = 16
          widget = {
            title = chart.title
            xyChart = { dataSets = [for legend, query in chart.queries : merge(
              { plotType = "LINE", timeSeriesQuery = { prometheusQuery = query, unitOverride = chart.unit } },
              startswith(legend, "{{") ? {} : { legendTemplate = legend },
            )] }
          }
        }],
      )])
    }
  })
  depends_on = [google_project_service.apis]
}

# How many files are settled within which time of their upload.

locals {
  settled_within = coalesce(var.settled_within_seconds, local.longest_pause + 540)
}

resource "google_monitoring_custom_service" "inbox" {
  count        = local.in_google ? 1 : 0
  project      = var.project
  service_id   = "${var.name}-inbox"
  display_name = "Bucket Brigade: ${var.name}"
  user_labels  = var.labels
  depends_on   = [google_project_service.apis]
}

resource "google_monitoring_slo" "settled" {
  count               = local.in_google ? 1 : 0
  project             = var.project
  service             = google_monitoring_custom_service.inbox[0].service_id
  slo_id              = "settled"
  display_name        = "${var.settled_goal * 100} % of files are settled within ${local.settled_within} s of their upload"
  goal                = var.settled_goal
  rolling_period_days = 28
  user_labels         = var.labels

  request_based_sli {
    distribution_cut {
      distribution_filter = "resource.type=\"prometheus_target\" AND resource.labels.job=\"${local.poller_name}\" AND metric.type=\"prometheus.googleapis.com/brigade.upload_to_settled.duration/histogram\""
      range {
        max = local.settled_within
      }
    }
  }
}

resource "google_monitoring_alert_policy" "objective" {
  count                 = local.in_google && var.alerts ? 1 : 0
  project               = var.project
  display_name          = "${var.name}: files are settled too late"
  combiner              = "OR"
  notification_channels = local.notification_channels
  user_labels           = var.labels

  conditions {
    display_name = "a tenth of four weeks' budget of late files went within the last hours"
    condition_threshold {
      # 28 days have 112 times 6 hours.
      filter          = "select_slo_burn_rate(\"${google_monitoring_slo.settled[0].name}\", \"21600s\")"
      comparison      = "COMPARISON_GT"
      threshold_value = 11.2
      duration        = "0s"
    }
  }

  documentation {
    content = "Questions 1, 3 and 5 of docs/OBSERVE.md find the cause."
  }
}

locals {
  apis = toset(concat(
    [
      "artifactregistry.googleapis.com",
      "cloudscheduler.googleapis.com",
      "iam.googleapis.com",
      "iamcredentials.googleapis.com",
      "logging.googleapis.com",
      "monitoring.googleapis.com",
      "run.googleapis.com",
      "storage.googleapis.com",
    ],
    var.events ? ["pubsub.googleapis.com"] : [],
    var.tasks ? ["cloudtasks.googleapis.com"] : [],
    local.in_google ? ["telemetry.googleapis.com", "cloudtrace.googleapis.com"] : [],
    length(var.worker_secrets) > 0 ? ["secretmanager.googleapis.com"] : [],
    length(var.worker_sql) > 0 ? ["sqladmin.googleapis.com"] : [],
  ))
}

resource "google_project_service" "apis" {
  for_each           = local.apis
  project            = var.project
  service            = each.key
  disable_on_destroy = false
}

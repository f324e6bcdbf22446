locals {
  apis = toset(concat(
    [
      "artifactregistry.googleapis.com",
      "cloudscheduler.googleapis.com",
      "iam.googleapis.com",
      "logging.googleapis.com",
      "monitoring.googleapis.com",
      "run.googleapis.com",
      "storage.googleapis.com",
    ],
    var.events ? ["pubsub.googleapis.com"] : [],
    var.tasks ? ["cloudtasks.googleapis.com"] : [],
  ))
}

resource "google_project_service" "apis" {
  for_each           = local.apis
  service            = each.key
  disable_on_destroy = false
}

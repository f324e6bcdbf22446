# Scheduler ─▶ poller ─▶ worker, and a bucket. A module: examples/ has roots that call it. The files:
#
#   apis.tf       the APIs that the project must have
#   accounts.tf   four service accounts, and who may call whom
#   bucket.tf     the bucket
#   storage.tf    who may do what in it
#   images.tf     the digests of the images
#   poller.tf     worker.tf       the two services
#   doctor.tf     the job that checks the poller's connections
#   scheduler.tf  events.tf       tasks.tf    what calls the poller
#   telemetry.tf  where traces and metrics go
#   dashboard.tf  panels.yaml    objective.tf    the dashboard and the objective, when Google Cloud has the metrics
#   alerts.tf     pauses.tf      what raises an alert, and how long the schedule lets the poller rest

data "google_project" "this" {
  project_id = var.project
}

# When this deployment was made, to the second. Google keeps the names of removed roles for up to 37 days and of removed queues
# for up to 3, so that each deployment needs names of its own.
resource "terraform_data" "made" {
  input = formatdate("YYMMDDhhmmss", plantimestamp())

  lifecycle {
    ignore_changes = [input]
  }
}

locals {
  poller_name = "${var.name}-poller"
  worker_name = "${var.name}-worker"
  suffix      = terraform_data.made.output

  # A service's URL is known before the service exists, so the service can have it as a setting.
  poller_url = "https://${local.poller_name}-${data.google_project.this.number}.${var.region}.run.app"
  worker_url = "https://${local.worker_name}-${data.google_project.this.number}.${var.region}.run.app"

  bucket  = var.create_bucket ? google_storage_bucket.data[0].name : var.bucket
  ingress = var.internal == null ? "INGRESS_TRAFFIC_ALL" : "INGRESS_TRAFFIC_INTERNAL_ONLY"

  # The service agents that Google acts as in this project.
  pubsub_agent = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}

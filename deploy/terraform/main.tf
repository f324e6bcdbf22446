# Scheduler ─▶ poller ─▶ worker, and a bucket. The files:
#
#   apis.tf       the APIs that the project must have
#   accounts.tf   four service accounts, and who may call whom
#   bucket.tf     the bucket
#   storage.tf    who may do what in it
#   poller.tf     worker.tf       the two services
#   scheduler.tf  events.tf       tasks.tf    what calls the poller
#   alerts.tf     what raises an alert

data "google_project" "this" {}

# The repository is made before the first image, and therefore before everything here.
data "google_artifact_registry_repository" "images" {
  location      = var.region
  repository_id = var.repository
}

locals {
  poller_name = "${var.name}-poller"
  worker_name = "${var.name}-worker"

  # A service's URL is known before the service exists, so the service can have it as a setting.
  poller_url = "https://${local.poller_name}-${data.google_project.this.number}.${var.region}.run.app"
  worker_url = "https://${local.worker_name}-${data.google_project.this.number}.${var.region}.run.app"

  bucket  = var.create_bucket ? google_storage_bucket.data[0].name : var.bucket
  ingress = var.internal == null ? "INGRESS_TRAFFIC_ALL" : "INGRESS_TRAFFIC_INTERNAL_ONLY"

  # The service agents that Google acts as in this project.
  pubsub_agent = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}

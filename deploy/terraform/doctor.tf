# `gcloud run jobs execute NAME-doctor` checks every connection as the poller's account, with the poller's settings.
resource "google_cloud_run_v2_job" "doctor" {
  name                = "${var.name}-doctor"
  project             = var.project
  location            = var.region
  labels              = var.labels
  deletion_protection = false

  template {
    template {
      service_account = google_service_account.poller.email
      max_retries     = 0
      timeout         = "300s"

      dynamic "vpc_access" {
        for_each = var.internal == null ? [] : [var.internal]
        content {
          egress = "ALL_TRAFFIC"
          network_interfaces {
            network    = vpc_access.value.network
            subnetwork = vpc_access.value.subnetwork
          }
        }
      }

      containers {
        image = local.digests[var.image]
        args  = ["doctor"]

        resources {
          limits = { cpu = "1", memory = "512Mi" }
        }

        dynamic "env" {
          for_each = local.poller_settings
          content {
            name  = env.key
            value = env.value
          }
        }
      }
    }
  }

  depends_on = [google_project_service.apis]
}

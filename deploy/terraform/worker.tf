locals {
  worker_settings = merge(
    {
      BRIGADE_OUTPUT          = "gs://${local.bucket}/${var.prefixes.outputs}"
      BRIGADE_AUDIENCE        = local.worker_url
      BRIGADE_ALLOWED_CALLERS = google_service_account.poller.email
      # The poller sends its token in two headers; the front end removes the signature from one. The worker checks the other.
      BRIGADE_AUTH            = "verify"
      BRIGADE_CONCURRENCY     = tostring(var.worker.concurrency)
      BRIGADE_PROCESS_TIMEOUT = "${var.process_timeout_seconds}s"
    },
    var.worker_settings,
  )
}

resource "google_cloud_run_v2_service" "worker" {
  name                = local.worker_name
  location            = var.region
  ingress             = local.ingress
  deletion_protection = var.deletion_protection
  custom_audiences    = [local.worker_url]

  template {
    service_account = google_service_account.worker.email
    # The worker's own limit, so that more calls start another instance instead of being refused.
    max_instance_request_concurrency = var.worker.concurrency
    timeout                          = "${var.process_timeout_seconds + 60}s"

    scaling {
      min_instance_count = var.worker.min
      max_instance_count = var.worker.max
    }

    containers {
      image = var.worker_image == "" ? var.image : var.worker_image
      args  = var.worker_args

      ports {
        name           = "h2c"
        container_port = 8080
      }

      resources {
        limits            = { cpu = var.worker.cpu, memory = var.worker.memory }
        cpu_idle          = true
        startup_cpu_boost = true
      }

      startup_probe {
        period_seconds    = 1
        timeout_seconds   = 1
        failure_threshold = 60
        grpc {
          port    = 8080
          service = "brigade.v1.WorkerService"
        }
      }

      liveness_probe {
        period_seconds    = 30
        timeout_seconds   = 5
        failure_threshold = 3
        grpc {
          port    = 8080
          service = "brigade.v1.WorkerService"
        }
      }

      dynamic "env" {
        for_each = local.worker_settings
        content {
          name  = env.key
          value = env.value
        }
      }
    }
  }

  lifecycle {
    precondition {
      condition     = !startswith(local.worker_settings.BRIGADE_OUTPUT, "${trimsuffix(local.poller_settings.BRIGADE_INBOX, "/")}/")
      error_message = "The worker's outputs (BRIGADE_OUTPUT) are below the poller's inbox (BRIGADE_INBOX); give them another prefix."
    }
  }

  depends_on = [google_project_service.apis, data.google_artifact_registry_repository.images]
}

locals {
  poller_callers = concat(
    [google_service_account.scheduler.email],
    var.events || var.tasks ? [google_service_account.pusher.email] : [],
    var.callers,
  )

  poller_settings = merge(
    {
      BRIGADE_INBOX           = "gs://${local.bucket}/${var.prefixes.inbox}"
      BRIGADE_PROCESSED       = "gs://${local.bucket}/${var.prefixes.processed}"
      BRIGADE_FAILED          = "gs://${local.bucket}/${var.prefixes.failed}"
      WORKER_URL              = local.worker_url
      BRIGADE_AUDIENCE        = local.poller_url
      BRIGADE_ALLOWED_CALLERS = join(",", local.poller_callers)
      BRIGADE_READERS         = join(",", var.readers)
      BRIGADE_OPERATORS       = join(",", var.operators)
      BRIGADE_AUTH            = var.poller_auth
      # With `platform` the poller proves at its start that a front end protects it. Tasks are sent to this URL.
      BRIGADE_PUBLIC_URL      = local.poller_url
      BRIGADE_CONCURRENCY     = tostring(var.files_in_flight)
      BRIGADE_PROCESS_TIMEOUT = "${var.process_timeout_seconds}s"
      BRIGADE_POLL_DEADLINE   = "${var.poll_deadline_seconds}s"
    },
    local.tasks_settings,
    var.events ? local.events_settings : {},
    local.telemetry_settings,
    var.settings,
  )
}

resource "google_cloud_run_v2_service" "poller" {
  name                = local.poller_name
  location            = var.region
  ingress             = local.ingress
  project             = var.project
  labels              = var.labels
  deletion_protection = var.deletion_protection

  # Tokens for this URL, whichever other URLs the service has.
  custom_audiences = [local.poller_url]

  # With `verify` the front end must pass tokens on whole, so it checks none; the poller checks all of them.
  invoker_iam_disabled = var.poller_auth == "verify"

  template {
    service_account = google_service_account.poller.email
    # As many calls as files: Cloud Run starts an instance, in place of letting events wait in a full one.
    max_instance_request_concurrency = coalesce(var.poller.concurrency, min(var.files_in_flight, 1000))
    # Longer than a poll, so that the poll ends by itself and reports its end.
    timeout = "${max(var.poll_deadline_seconds, var.process_timeout_seconds) + 60}s"

    scaling {
      min_instance_count = var.poller.min
      max_instance_count = var.poller.max
    }

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
      args  = ["poller"]

      # gRPC needs HTTP/2 up to the container.
      ports {
        name           = "h2c"
        container_port = 8080
      }

      resources {
        limits            = { cpu = var.poller.cpu, memory = var.poller.memory }
        cpu_idle          = true
        startup_cpu_boost = true
      }

      # NOT_SERVING until it can work, usually within a second. Through a VPC the first connection may take minutes.
      startup_probe {
        period_seconds    = 1
        timeout_seconds   = 1
        failure_threshold = var.internal == null ? 60 : 240
        grpc {
          port    = 8080
          service = "brigade.v1.PollerService"
        }
      }

      liveness_probe {
        period_seconds    = 30
        timeout_seconds   = 5
        failure_threshold = 3
        grpc {
          port    = 8080
          service = "brigade.v1.PollerService"
        }
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

  depends_on = [google_project_service.apis, google_cloud_tasks_queue_iam_member.poller_enqueues]
}

locals {
  # In MiB.
  worker_memory = tonumber(substr(var.worker.memory, 0, length(var.worker.memory) - 2)) * (endswith(var.worker.memory, "Gi") ? 1024 : 1)

  worker_settings = merge(
    {
      BRIGADE_OUTPUT          = "gs://${local.bucket}/${var.prefixes.outputs}"
      BRIGADE_AUDIENCE        = local.worker_url
      BRIGADE_ALLOWED_CALLERS = google_service_account.poller.email
      # The poller sends its token in two headers; the front end removes the signature from one. The worker checks the other.
      BRIGADE_AUTH            = "verify"
      BRIGADE_CONCURRENCY     = tostring(var.worker.concurrency)
      BRIGADE_PROCESS_TIMEOUT = "${var.process_timeout_seconds}s"
      # /tmp is memory on Cloud Run: half of it is for the files in process, and half for the program.
      BRIGADE_MAX_SIZE = "${max(1, floor(local.worker_memory / 2 / var.worker.concurrency))}MiB"
    },
    local.telemetry_settings,
    var.worker_settings,
  )
}

resource "google_cloud_run_v2_service" "worker" {
  name                = local.worker_name
  location            = var.region
  ingress             = local.ingress
  project             = var.project
  labels              = var.labels
  deletion_protection = var.deletion_protection
  custom_audiences    = [local.worker_url]

  template {
    service_account = local.worker_email
    # The worker's own limit, so that more calls start another instance instead of being refused.
    max_instance_request_concurrency = var.worker.concurrency
    timeout                          = "${var.process_timeout_seconds + 60}s"

    # A GPU in one zone is the one that needs no reservation. Mounted buckets and shares need the second generation.
    gpu_zonal_redundancy_disabled = var.worker.gpu == null ? null : true
    execution_environment         = length(var.worker_volumes) > 0 ? "EXECUTION_ENVIRONMENT_GEN2" : null

    scaling {
      min_instance_count = var.worker.min
      max_instance_count = var.worker.max
    }

    dynamic "node_selector" {
      for_each = var.worker.gpu[*]
      content {
        accelerator = node_selector.value
      }
    }

    dynamic "vpc_access" {
      for_each = var.worker_network[*]
      content {
        egress = vpc_access.value.egress
        network_interfaces {
          network    = vpc_access.value.network
          subnetwork = vpc_access.value.subnetwork
          tags       = vpc_access.value.tags
        }
      }
    }

    dynamic "volumes" {
      for_each = var.worker_volumes
      content {
        name = volumes.key
        dynamic "gcs" {
          for_each = volumes.value.bucket[*]
          content {
            bucket    = gcs.value
            read_only = volumes.value.read_only
          }
        }
        dynamic "nfs" {
          for_each = volumes.value.server[*]
          content {
            server    = nfs.value
            path      = volumes.value.path
            read_only = volumes.value.read_only
          }
        }
      }
    }

    dynamic "volumes" {
      for_each = length(var.worker_sql) > 0 ? [var.worker_sql] : []
      content {
        name = "cloudsql"
        cloud_sql_instance {
          instances = volumes.value
        }
      }
    }

    containers {
      image = local.digests[coalesce(var.worker_image, var.image)]
      args  = var.worker_args

      ports {
        name           = "h2c"
        container_port = 8080
      }

      resources {
        limits            = merge({ cpu = var.worker.cpu, memory = var.worker.memory }, var.worker.gpu == null ? {} : { "nvidia.com/gpu" = "1" })
        cpu_idle          = var.worker.gpu == null
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

      dynamic "env" {
        for_each = var.worker_secrets
        content {
          name = env.key
          value_source {
            secret_key_ref {
              secret  = env.value.secret
              version = env.value.version
            }
          }
        }
      }

      dynamic "volume_mounts" {
        for_each = merge({ for name, volume in var.worker_volumes : name => volume.mount_path }, length(var.worker_sql) > 0 ? { cloudsql = "/cloudsql" } : {})
        content {
          name       = volume_mounts.key
          mount_path = volume_mounts.value
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

  depends_on = [google_project_service.apis, google_secret_manager_secret_iam_member.worker_reads]
}

resource "google_secret_manager_secret_iam_member" "worker_reads" {
  for_each  = toset([for one in values(var.worker_secrets) : one.secret])
  project   = startswith(each.key, "projects/") ? null : var.project
  secret_id = each.key
  role      = "roles/secretmanager.secretAccessor"
  member    = "serviceAccount:${local.worker_email}"
}

resource "google_cloud_scheduler_job" "poll" {
  project     = var.project
  name        = "${var.name}-poll"
  region      = var.region
  description = "Scans gs://${local.bucket}/${var.prefixes.inbox}"
  schedule    = var.schedule
  time_zone   = var.time_zone
  paused      = var.paused

  # Longer than a poll: an attempt that times out is sent again while the first one still runs. The lease ends the second one
  # at once, but its answer would say nothing about the poll.
  attempt_deadline = "${var.poll_deadline_seconds + 30}s"

  retry_config {
    retry_count          = 1
    min_backoff_duration = "30s"
  }

  http_target {
    http_method = "POST"
    uri         = "${local.poller_url}/poll"
    # While a file is at work, the poll lists the inbox again: a new file does not wait for it.
    body    = base64encode(jsonencode({ relist = true }))
    headers = { "Content-Type" = "application/json" }

    oidc_token {
      service_account_email = google_service_account.scheduler.email
      audience              = local.poller_url
    }
  }

  depends_on = [google_cloud_run_v2_service_iam_member.scheduler_calls_poller]
}

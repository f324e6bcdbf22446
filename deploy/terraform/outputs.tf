output "inbox" {
  description = "Where to put files."
  value       = "gs://${local.bucket}/${var.prefixes.inbox}"
}

output "poller_url" {
  description = "The poller: its callers' tokens name it as their audience."
  value       = local.poller_url
}

output "worker_url" {
  description = "The worker."
  value       = local.worker_url
}

output "job" {
  description = "The schedule; `gcloud scheduler jobs run` polls now."
  value       = google_cloud_scheduler_job.poll.name
}

output "service_accounts" {
  description = "The service accounts."
  value = {
    scheduler = google_service_account.scheduler.email
    poller    = google_service_account.poller.email
    worker    = google_service_account.worker.email
    pusher    = google_service_account.pusher.email
  }
}

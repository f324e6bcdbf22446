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

output "doctor" {
  description = "The job that checks every connection of the poller: `gcloud run jobs execute`."
  value       = google_cloud_run_v2_job.doctor.name
}

output "service_accounts" {
  description = "The service accounts."
  value = {
    scheduler = google_service_account.scheduler.email
    poller    = google_service_account.poller.email
    worker    = local.worker_email
    pusher    = google_service_account.pusher.email
  }
}

output "late_after_seconds" {
  description = "A file is late when it waits longer. It follows the schedule, unless settled_within_seconds is set."
  value       = local.settled_within
}

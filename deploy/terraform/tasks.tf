# poller ─▶ queue ─▶ POST /process at the poller, with the pusher's token: the queue limits the rate.

locals {
  tasks_settings = var.tasks ? {
    BRIGADE_DISPATCH      = "tasks"
    BRIGADE_TASKS_QUEUE   = "projects/${var.project}/locations/${var.region}/queues/${google_cloud_tasks_queue.files[0].name}"
    BRIGADE_TASKS_ACCOUNT = google_service_account.pusher.email
  } : {}
}

resource "google_cloud_tasks_queue" "files" {
  count    = var.tasks ? 1 : 0
  project  = var.project
  name     = "${var.name}-files-${local.suffix}"
  location = var.region

  rate_limits {
    max_concurrent_dispatches = var.files_in_flight
    max_dispatches_per_second = 50
  }

  # The file of an abandoned task is still in the inbox; a scan makes another task once the name is free again, within 24 hours.
  retry_config {
    max_attempts       = 20
    min_backoff        = "10s"
    max_backoff        = "600s"
    max_doublings      = 6
    max_retry_duration = "86400s"
  }

  depends_on = [google_project_service.apis]
}

resource "google_cloud_tasks_queue_iam_member" "poller_enqueues" {
  count    = var.tasks ? 1 : 0
  project  = var.project
  name     = google_cloud_tasks_queue.files[0].name
  location = var.region
  role     = "roles/cloudtasks.enqueuer"
  member   = google_service_account.poller.member

  # The poller gets the name of a new queue once it may use it, and the old queue goes after that.
  lifecycle {
    create_before_destroy = true
  }
}

# An account that makes a task with another account's token must be allowed to act as that account.
resource "google_service_account_iam_member" "poller_acts_as_pusher" {
  count              = var.tasks ? 1 : 0
  service_account_id = google_service_account.pusher.name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.poller.member
}

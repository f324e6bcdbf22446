# Four service accounts without keys, and who may call whom.

resource "google_service_account" "scheduler" {
  project      = var.project
  account_id   = "${var.name}-scheduler"
  display_name = "Bucket Brigade: calls the poller on a schedule"
  depends_on   = [google_project_service.apis]
}

resource "google_service_account" "poller" {
  project      = var.project
  account_id   = "${var.name}-poller"
  display_name = "Bucket Brigade: moves files, and calls the worker"
  depends_on   = [google_project_service.apis]
}

resource "google_service_account" "worker" {
  count        = var.worker_account == null ? 1 : 0
  project      = var.project
  account_id   = "${var.name}-worker"
  display_name = "Bucket Brigade: reads files, and writes outputs"
  depends_on   = [google_project_service.apis]
}

locals {
  worker_email = var.worker_account == null ? google_service_account.worker[0].email : var.worker_account.email
}

resource "google_service_account" "pusher" {
  project      = var.project
  account_id   = "${var.name}-pusher"
  display_name = "Bucket Brigade: brings events and tasks to the poller"
  depends_on   = [google_project_service.apis]
}

resource "google_cloud_run_v2_service_iam_member" "scheduler_calls_poller" {
  project  = var.project
  name     = google_cloud_run_v2_service.poller.name
  location = var.region
  role     = "roles/run.invoker"
  member   = google_service_account.scheduler.member
}

resource "google_cloud_run_v2_service_iam_member" "pusher_calls_poller" {
  count    = var.events || var.tasks ? 1 : 0
  project  = var.project
  name     = google_cloud_run_v2_service.poller.name
  location = var.region
  role     = "roles/run.invoker"
  member   = google_service_account.pusher.member
}

resource "google_cloud_run_v2_service_iam_member" "caller_calls_poller" {
  for_each = toset(concat(var.callers, var.readers, var.operators))
  project  = var.project
  name     = google_cloud_run_v2_service.poller.name
  location = var.region
  role     = "roles/run.invoker"
  member   = "serviceAccount:${each.key}"
}

resource "google_cloud_run_v2_service_iam_member" "poller_calls_worker" {
  project  = var.project
  name     = google_cloud_run_v2_service.worker.name
  location = var.region
  role     = "roles/run.invoker"
  member   = google_service_account.poller.member
}

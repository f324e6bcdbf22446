# Cloud Storage ─▶ topic ─▶ push subscription ─▶ POST /events, with the pusher's token. Announcements are delivered
# at least once and in no order, and some may be lost: the schedule stays, and finds the files that they missed.

locals {
  # Polls skip files whose announcement is still to come.
  events_settings = {
    BRIGADE_POLL_MIN_AGE = "60s"
  }
}

data "google_storage_project_service_account" "storage" {
  count   = var.events ? 1 : 0
  project = var.project
}

resource "google_pubsub_topic" "files" {
  count      = var.events ? 1 : 0
  project    = var.project
  labels     = var.labels
  name       = "${var.name}-files"
  depends_on = [google_project_service.apis]
}

resource "google_pubsub_topic_iam_member" "storage_announces" {
  count   = var.events ? 1 : 0
  project = var.project
  topic   = google_pubsub_topic.files[0].name
  role    = "roles/pubsub.publisher"
  member  = data.google_storage_project_service_account.storage[0].member
}

resource "google_storage_notification" "files" {
  count              = var.events ? 1 : 0
  bucket             = local.bucket
  topic              = google_pubsub_topic.files[0].id
  payload_format     = "JSON_API_V1"
  event_types        = ["OBJECT_FINALIZE"]
  object_name_prefix = var.prefixes.inbox
  depends_on         = [google_pubsub_topic_iam_member.storage_announces]
}

resource "google_pubsub_subscription" "files" {
  count   = var.events ? 1 : 0
  project = var.project
  labels  = var.labels
  name    = "${var.name}-files"
  topic   = google_pubsub_topic.files[0].id

  # The maximum. A file that takes longer is announced again, and is then in flight or settled.
  ack_deadline_seconds       = 600
  message_retention_duration = "86400s"

  push_config {
    push_endpoint = "${local.poller_url}/events"

    oidc_token {
      service_account_email = google_service_account.pusher.email
      audience              = local.poller_url
    }
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead[0].id
    max_delivery_attempts = 20
  }

  expiration_policy {
    ttl = ""
  }
}

resource "google_pubsub_topic" "dead" {
  count      = var.events ? 1 : 0
  project    = var.project
  labels     = var.labels
  name       = "${var.name}-dead"
  depends_on = [google_project_service.apis]
}

# A topic keeps messages only for a subscription.
resource "google_pubsub_subscription" "dead" {
  count                      = var.events ? 1 : 0
  project                    = var.project
  labels                     = var.labels
  name                       = "${var.name}-dead"
  topic                      = google_pubsub_topic.dead[0].id
  message_retention_duration = "604800s"

  expiration_policy {
    ttl = ""
  }
}

resource "google_pubsub_topic_iam_member" "agent_buries" {
  count   = var.events ? 1 : 0
  project = var.project
  topic   = google_pubsub_topic.dead[0].name
  role    = "roles/pubsub.publisher"
  member  = local.pubsub_agent
}

resource "google_pubsub_subscription_iam_member" "agent_acknowledges" {
  count        = var.events ? 1 : 0
  project      = var.project
  subscription = google_pubsub_subscription.files[0].name
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_agent
}

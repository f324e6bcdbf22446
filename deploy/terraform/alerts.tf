# Four alerts on the services' logs; docs/RUNBOOK.md says what to do.

locals {
  poller_logs = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=\"${local.poller_name}\""

  notification_channels = concat(var.notification_channels, google_monitoring_notification_channel.email[*].name)
}

resource "google_monitoring_notification_channel" "email" {
  count        = var.alerts && var.alert_email != "" ? 1 : 0
  project      = var.project
  display_name = "${var.name}: ${var.alert_email}"
  type         = "email"
  labels       = { email_address = var.alert_email }
  user_labels  = var.labels
}

resource "google_logging_metric" "failed" {
  count       = var.alerts ? 1 : 0
  project     = var.project
  name        = "${var.name}/failed_files"
  description = "Files that went to ${var.prefixes.failed}"
  filter      = "${local.poller_logs} AND jsonPayload.message=\"object settled\" AND jsonPayload.settlement=\"SETTLEMENT_FAILED\""

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
  }
}

resource "google_logging_metric" "polls" {
  count       = var.alerts ? 1 : 0
  project     = var.project
  name        = "${var.name}/finished_polls"
  description = "Polls that finished, and were not turned away because another one was running"
  filter      = "${local.poller_logs} AND jsonPayload.message=\"poll finished\" AND NOT jsonPayload.reason=\"END_REASON_ALREADY_RUNNING\""

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
  }
}

# Usual while a poll of many minutes runs. Where these come and no poll finishes, the alert below says so.
resource "google_logging_metric" "turned_away" {
  count       = var.alerts ? 1 : 0
  project     = var.project
  name        = "${var.name}/polls_already_running"
  description = "Polls that did nothing because another one held the lease"
  filter      = "${local.poller_logs} AND jsonPayload.message=\"poll finished\" AND jsonPayload.reason=\"END_REASON_ALREADY_RUNNING\""

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
  }
}

resource "google_monitoring_alert_policy" "stopped" {
  count                 = var.alerts ? 1 : 0
  project               = var.project
  display_name          = "${var.name}: a poll was stopped"
  combiner              = "OR"
  notification_channels = local.notification_channels
  user_labels           = var.labels

  conditions {
    display_name = "the log line has the fix"
    condition_matched_log {
      filter = "${local.poller_logs} AND jsonPayload.message=\"poll ended with an error\""
    }
  }

  alert_strategy {
    auto_close = "3600s"
    notification_rate_limit {
      period = "900s"
    }
  }

  documentation {
    content = "The log line's `error` says what happened and the fix; no file was moved because of it. See docs/RUNBOOK.md."
  }
}

resource "google_monitoring_alert_policy" "silent" {
  count                 = var.alerts && !var.paused ? 1 : 0
  project               = var.project
  display_name          = "${var.name}: no poll has finished"
  combiner              = "OR"
  notification_channels = local.notification_channels
  user_labels           = var.labels

  conditions {
    display_name = "none in half an hour"
    condition_absent {
      filter   = "resource.type=\"cloud_run_revision\" AND metric.type=\"logging.googleapis.com/user/${google_logging_metric.polls[0].name}\""
      duration = "1800s"
      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  documentation {
    content = "No call reaches the poller, it cannot start, or another poll holds the lease all the time (metric polls_already_running). See docs/RUNBOOK.md. A schedule slower than every 20 minutes needs a longer duration here."
  }
}

resource "google_monitoring_alert_policy" "failing" {
  count                 = var.alerts ? 1 : 0
  project               = var.project
  display_name          = "${var.name}: files fail"
  combiner              = "OR"
  notification_channels = local.notification_channels
  user_labels           = var.labels

  conditions {
    display_name = "more than 10 in an hour"
    condition_threshold {
      filter          = "resource.type=\"cloud_run_revision\" AND metric.type=\"logging.googleapis.com/user/${google_logging_metric.failed[0].name}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 10
      duration        = "0s"
      aggregations {
        alignment_period     = "3600s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  documentation {
    content = "The worker refused them, each with a reason: `brigade-reason` in the file's metadata, and the log line. See docs/RUNBOOK.md."
  }
}

resource "google_monitoring_alert_policy" "dead_letters" {
  count                 = var.alerts && var.events ? 1 : 0
  project               = var.project
  display_name          = "${var.name}: undelivered announcements"
  combiner              = "OR"
  notification_channels = local.notification_channels
  user_labels           = var.labels

  conditions {
    display_name = "any"
    condition_threshold {
      filter          = "resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=\"${google_pubsub_subscription.dead[0].name}\" AND metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"
      aggregations {
        alignment_period   = "300s"
        per_series_aligner = "ALIGN_MAX"
      }
    }
  }

  documentation {
    content = "Their files are still in the inbox, and the schedule finds them. See docs/RUNBOOK.md."
  }
}

# Alerts; docs/RUNBOOK.md says what to do. Events are counted in the log, which misses none: a counter of an instance that lives for
# one poll has a single value, and nothing shows that it rose. States are on the metrics, when those are in Google Cloud.

locals {
  poller_logs = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=\"${local.poller_name}\""

  notification_channels = concat(var.notification_channels, google_monitoring_notification_channel.email[*].name)

  # How PromQL in Google Cloud spells the name of a metric of the log.
  counted = { for key in ["polls", "files"] : key => "logging_googleapis_com:user_${replace(var.name, "-", "_")}_${key == "polls" ? "finished_polls" : "failed_files"}{monitored_resource=\"cloud_run_revision\"}" }

  # A poll may run for 29 minutes, and once a year a clock is set back.
  silent_after = local.longest_pause + (local.longest_pause > 3600 ? 5400 : 1800)

  alerts = { for key, one in {
    silent = {
      # Polls that are months apart are beyond what an alert looks back on.
      made  = !var.paused && local.longest_pause <= 604800
      title = "no poll has finished"
      query = "sum(increase(${local.counted.polls}[${local.silent_after + 604800}s])) > 0 unless sum(increase(${local.counted.polls}[${local.silent_after}s])) > 0"
      says  = "No call reaches the poller, it cannot start, or another poll holds the lease all the time. The schedule lets polls be ${local.longest_pause} s apart, and none has finished for ${local.silent_after} s."
    }
    failing = {
      made  = true
      title = "files fail"
      query = "sum(increase(${local.counted.files}[1h])) > 10"
      says  = "The worker refused more than 10 within an hour, each with a reason: `brigade failed --since 2h --group` shows them."
    }
    waiting = {
      made  = local.in_google
      title = "a file waits too long"
      query = "max(last_over_time({\"brigade.inbox.oldest_age\", job=\"${local.poller_name}\"}[${local.longest_pause + 300}s])) > ${local.settled_within}"
      says  = "`brigade status` names it, and `brigade poll --dry-run --explain` says why it is left out."
    }
    held = {
      made  = local.in_google
      title = "the brake or the breaker is on"
      query = "max(last_over_time({\"brigade.brake\", job=\"${local.poller_name}\"}[${local.longest_pause + 300}s])) > 0 or max(last_over_time({\"brigade.breaker\", job=\"${local.poller_name}\"}[${local.longest_pause + 300}s])) > 0"
      says  = "The worker is given nothing, because it refused or lost too many calls in a row: section 1 or 9."
    }
  } : key => one if var.alerts && one.made }
}

resource "google_monitoring_notification_channel" "email" {
  count        = var.alerts && var.alert_email != "" ? 1 : 0
  project      = var.project
  display_name = "${var.name}: ${var.alert_email}"
  type         = "email"
  labels       = { email_address = var.alert_email }
  user_labels  = var.labels
}

resource "google_monitoring_alert_policy" "queries" {
  for_each              = local.alerts
  project               = var.project
  display_name          = "${var.name}: ${each.value.title}"
  combiner              = "OR"
  notification_channels = local.notification_channels
  user_labels           = var.labels

  conditions {
    display_name = each.value.title
    condition_prometheus_query_language {
      query               = each.value.query
      duration            = "0s"
      evaluation_interval = "60s"
      # A metric is unknown until its first point.
      disable_metric_validation = true
    }
  }

  documentation {
    content = "${each.value.says} See docs/RUNBOOK.md."
  }
  depends_on = [google_project_service.apis, google_logging_metric.counted]
}

resource "google_logging_metric" "counted" {
  for_each = var.alerts ? {
    failed_files   = "jsonPayload.message=\"object settled\" AND jsonPayload.settlement=\"SETTLEMENT_FAILED\""
    finished_polls = "jsonPayload.message=\"poll finished\" AND NOT jsonPayload.reason=\"END_REASON_ALREADY_RUNNING\" AND NOT jsonPayload.dry_run=true"
  } : {}
  project = var.project
  name    = "${var.name}/${each.key}"
  filter  = "${local.poller_logs} AND ${each.value}"

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

# What the services export, and where to.

locals {
  # The hosts to which the services send their access token.
  in_google = can(regex("^https://[^/]+\\.googleapis\\.com(:[0-9]+)?(/.*)?$", var.telemetry_endpoint))

  telemetry_settings = var.telemetry_endpoint == "" ? {} : {
    OTEL_EXPORTER_OTLP_ENDPOINT = var.telemetry_endpoint
    # A caller's decision stands. Cloud Run marks at most one request in ten seconds of each instance as sampled.
    OTEL_TRACES_SAMPLER     = "parentbased_traceidratio"
    OTEL_TRACES_SAMPLER_ARG = tostring(var.telemetry_ratio)
  }
}

resource "google_project_iam_member" "exports" {
  for_each = local.in_google ? {
    for pair in setproduct(["poller", "worker"], ["telemetry.writer", "serviceusage.serviceUsageConsumer"]) : join(":", pair) => pair
  } : {}
  project = var.project
  role    = "roles/${each.value[1]}"
  member  = "serviceAccount:${each.value[0] == "poller" ? google_service_account.poller.email : local.worker_email}"
}

resource "google_storage_bucket" "data" {
  count    = var.create_bucket ? 1 : 0
  project  = var.project
  name     = var.bucket
  location = var.region
  labels   = var.labels

  # Conditions on object names need it, and no object has its own access list.
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  # A deleted or replaced object can be restored for this long.
  soft_delete_policy {
    retention_duration_seconds = var.soft_delete_days * 86400
  }

  lifecycle {
    prevent_destroy = true
  }
}

resource "google_storage_bucket" "data" {
  count    = var.create_bucket ? 1 : 0
  name     = var.bucket
  location = var.region

  # Conditions on object names need it, and nobody should get in by an object's own list.
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  # The second net: what somebody deletes or replaces can be restored for this long.
  soft_delete_policy {
    retention_duration_seconds = var.soft_delete_days * 86400
  }

  lifecycle {
    prevent_destroy = true
  }
}

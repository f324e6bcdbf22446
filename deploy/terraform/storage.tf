# Who may do what in the bucket.
#
# A condition can name objects by their prefix for an operation on an object: get, create, update, move, delete. It cannot
# for a listing, which is an operation on the bucket, whose name does not begin with any object's. So the poller may list
# the names of the whole bucket, with a role that has no other right. To avoid that, give the inbox its own bucket.

locals {
  objects = "projects/_/buckets/${local.bucket}/objects"

  # The lease, and nothing else.
  control_prefix = ".brigade/"
}

resource "google_project_iam_custom_role" "list" {
  role_id     = replace("${var.name}_list", "-", "_")
  title       = "Bucket Brigade: list"
  description = "Lists the names of the objects in a bucket."
  permissions = ["storage.objects.list"]
}

resource "google_project_iam_custom_role" "take" {
  role_id     = replace("${var.name}_take", "-", "_")
  title       = "Bucket Brigade: take from the inbox"
  description = "Marks objects and moves them away. A move deletes nothing, and needs no permission to."
  permissions = ["storage.objects.get", "storage.objects.update", "storage.objects.move"]
}

resource "google_project_iam_custom_role" "place" {
  role_id     = replace("${var.name}_place", "-", "_")
  title       = "Bucket Brigade: place"
  description = "Creates objects under free names, and reads their metadata."
  permissions = ["storage.objects.create", "storage.objects.get"]
}

resource "google_project_iam_custom_role" "replace" {
  role_id     = replace("${var.name}_replace", "-", "_")
  title       = "Bucket Brigade: replace"
  description = "Creates and overwrites objects: to overwrite takes delete and create."
  permissions = ["storage.objects.create", "storage.objects.delete", "storage.objects.get"]
}

resource "google_project_iam_custom_role" "read" {
  role_id     = replace("${var.name}_read", "-", "_")
  title       = "Bucket Brigade: read"
  description = "Reads objects by name."
  permissions = ["storage.objects.get"]
}

resource "google_project_iam_custom_role" "put_back" {
  count       = length(var.operators) > 0 ? 1 : 0
  role_id     = replace("${var.name}_put_back", "-", "_")
  title       = "Bucket Brigade: put back"
  description = "Moves failed objects back to free names in the inbox."
  permissions = ["storage.objects.create", "storage.objects.move"]
}

resource "google_storage_bucket_iam_member" "poller_lists" {
  bucket = local.bucket
  role   = google_project_iam_custom_role.list.id
  member = google_service_account.poller.member
}

resource "google_storage_bucket_iam_member" "poller_takes" {
  bucket = local.bucket
  role   = google_project_iam_custom_role.take.id
  member = google_service_account.poller.member

  condition {
    title      = "the inbox"
    expression = "resource.name.startsWith(\"${local.objects}/${var.prefixes.inbox}\")"
  }
}

resource "google_storage_bucket_iam_member" "poller_places" {
  bucket = local.bucket
  role   = google_project_iam_custom_role.place.id
  member = google_service_account.poller.member

  condition {
    title      = "where settled files go"
    expression = "resource.name.startsWith(\"${local.objects}/${var.prefixes.processed}\") || resource.name.startsWith(\"${local.objects}/${var.prefixes.failed}\")"
  }
}

resource "google_storage_bucket_iam_member" "poller_leases" {
  bucket = local.bucket
  role   = google_project_iam_custom_role.replace.id
  member = google_service_account.poller.member

  condition {
    title      = "the lease"
    expression = "resource.name.startsWith(\"${local.objects}/${local.control_prefix}\")"
  }
}

resource "google_storage_bucket_iam_member" "poller_puts_back" {
  count  = length(var.operators) > 0 ? 1 : 0
  bucket = local.bucket
  role   = google_project_iam_custom_role.put_back[0].id
  member = google_service_account.poller.member

  condition {
    title      = "replays"
    expression = "resource.name.startsWith(\"${local.objects}/${var.prefixes.failed}\") || resource.name.startsWith(\"${local.objects}/${var.prefixes.inbox}\")"
  }
}

resource "google_storage_bucket_iam_member" "poller_shows_outputs" {
  count  = var.show_outputs ? 1 : 0
  bucket = local.bucket
  role   = google_project_iam_custom_role.read.id
  member = google_service_account.poller.member

  condition {
    title      = "outputs"
    expression = "resource.name.startsWith(\"${local.objects}/${var.prefixes.outputs}\")"
  }
}

resource "google_storage_bucket_iam_member" "worker_reads" {
  bucket = local.bucket
  role   = google_project_iam_custom_role.read.id
  member = google_service_account.worker.member

  condition {
    title      = "the inbox"
    expression = "resource.name.startsWith(\"${local.objects}/${var.prefixes.inbox}\")"
  }
}

resource "google_storage_bucket_iam_member" "worker_writes" {
  bucket = local.bucket
  role   = var.worker_replaces_outputs ? google_project_iam_custom_role.replace.id : google_project_iam_custom_role.place.id
  member = google_service_account.worker.member

  condition {
    title      = "its outputs"
    expression = "resource.name.startsWith(\"${local.objects}/${var.prefixes.outputs}\")"
  }
}

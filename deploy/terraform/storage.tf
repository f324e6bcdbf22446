# Who may do what in the bucket.
#
# A condition can name objects by their prefix for an operation on an object: get, create, update, move, delete. It cannot
# for a listing, which is an operation on the bucket, whose name does not begin with any object's. So the poller may list
# the names of the whole bucket, with a role that has no other right. To avoid that, give the inbox its own bucket.
#
# What replaces a right is made before the old one goes (`create_before_destroy`), so that no account loses it in the middle of
# its work. Terraform does the same with the roles, because the bindings depend on them.

locals {
  objects = "projects/_/buckets/${local.bucket}/objects"

  # The lease, and nothing else.
  control_prefix = ".brigade/"
}

resource "google_project_iam_custom_role" "list" {
  project     = var.project
  role_id     = replace("${var.name}_list_${local.suffix}", "-", "_")
  title       = "Bucket Brigade: list"
  description = "Lists the names of the objects in a bucket."
  permissions = ["storage.objects.list"]
}

resource "google_project_iam_custom_role" "take" {
  project     = var.project
  role_id     = replace("${var.name}_take_${local.suffix}", "-", "_")
  title       = "Bucket Brigade: take from the inbox"
  description = "Marks objects and moves them away. A move deletes nothing, and needs no permission to."
  permissions = ["storage.objects.get", "storage.objects.update", "storage.objects.move"]
}

resource "google_project_iam_custom_role" "place" {
  project     = var.project
  role_id     = replace("${var.name}_place_${local.suffix}", "-", "_")
  title       = "Bucket Brigade: place"
  description = "Creates objects under free names, and reads their metadata."
  permissions = ["storage.objects.create", "storage.objects.get"]
}

resource "google_project_iam_custom_role" "replace" {
  project     = var.project
  role_id     = replace("${var.name}_replace_${local.suffix}", "-", "_")
  title       = "Bucket Brigade: replace"
  description = "Creates and overwrites objects: to overwrite takes delete and create."
  permissions = ["storage.objects.create", "storage.objects.delete", "storage.objects.get"]
}

resource "google_project_iam_custom_role" "read" {
  project     = var.project
  role_id     = replace("${var.name}_read_${local.suffix}", "-", "_")
  title       = "Bucket Brigade: read"
  description = "Reads objects by name."
  permissions = ["storage.objects.get"]
}

resource "google_project_iam_custom_role" "put_back" {
  count       = length(var.operators) > 0 ? 1 : 0
  project     = var.project
  role_id     = replace("${var.name}_put_back_${local.suffix}", "-", "_")
  title       = "Bucket Brigade: put back"
  description = "Moves failed objects back to free names in the inbox."
  permissions = ["storage.objects.create", "storage.objects.move"]
}

resource "google_storage_bucket_iam_member" "poller_lists" {
  bucket = local.bucket
  role   = google_project_iam_custom_role.list.id
  member = google_service_account.poller.member

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_storage_bucket_iam_member" "poller_takes" {
  bucket = local.bucket
  role   = google_project_iam_custom_role.take.id
  member = google_service_account.poller.member

  condition {
    title      = "the inbox"
    expression = "resource.name.startsWith(\"${local.objects}/${var.prefixes.inbox}\")"
  }

  lifecycle {
    create_before_destroy = true
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

  lifecycle {
    create_before_destroy = true
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

  lifecycle {
    create_before_destroy = true
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

  lifecycle {
    create_before_destroy = true
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

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_storage_bucket_iam_member" "worker_reads" {
  bucket = local.bucket
  role   = google_project_iam_custom_role.read.id
  member = "serviceAccount:${local.worker_email}"

  condition {
    title      = "the inbox"
    expression = "resource.name.startsWith(\"${local.objects}/${var.prefixes.inbox}\")"
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_storage_bucket_iam_member" "worker_writes" {
  bucket = local.bucket
  role   = var.worker_replaces_outputs ? google_project_iam_custom_role.replace.id : google_project_iam_custom_role.place.id
  member = "serviceAccount:${local.worker_email}"

  condition {
    title      = "its outputs"
    expression = "resource.name.startsWith(\"${local.objects}/${var.prefixes.outputs}\")"
  }

  lifecycle {
    create_before_destroy = true
  }
}

# Cloud Storage says of a missing object that it is missing only to an account that may list; to others it says 403. The worker
# also lists to remove outputs that a killed run left.
resource "google_storage_bucket_iam_member" "worker_lists" {
  count  = var.worker_lists ? 1 : 0
  bucket = local.bucket
  role   = google_project_iam_custom_role.list.id
  member = "serviceAccount:${local.worker_email}"

  lifecycle {
    create_before_destroy = true
  }
}

# Not storage.objects.update: the poller's marks on a file are metadata, and who may update could write them.
resource "google_project_iam_custom_role" "upload" {
  count       = length(var.uploaders) > 0 ? 1 : 0
  project     = var.project
  role_id     = replace("${var.name}_upload_${local.suffix}", "-", "_")
  title       = "Bucket Brigade: upload"
  description = "Puts files into the inbox; to replace one takes delete as well."
  permissions = var.uploaders_may_replace ? ["storage.objects.create", "storage.objects.delete"] : ["storage.objects.create"]
}

resource "google_storage_bucket_iam_member" "uploader_uploads" {
  for_each = toset(var.uploaders)
  bucket   = local.bucket
  role     = google_project_iam_custom_role.upload[0].id
  member   = each.key

  condition {
    title      = "the inbox"
    expression = "resource.name.startsWith(\"${local.objects}/${var.prefixes.inbox}\")"
  }

  lifecycle {
    create_before_destroy = true
  }
}

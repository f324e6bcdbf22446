# An image is deployed by its digest: a tag that was pushed again is a change, and a revision never changes under its users.

locals {
  images = toset(compact([var.image, var.worker_image]))

  # Location, project, repository and the rest, of images in Artifact Registry without a digest. A name with a further slash is
  # deployed as it is written.
  tagged = {
    for image in local.images : image => regex("^([a-z0-9-]+)-docker[.]pkg[.]dev/([^/]+)/([^/]+)/([^/@]+)$", image)
    if can(regex("^[a-z0-9-]+-docker[.]pkg[.]dev/[^/]+/[^/]+/[^/@]+$", image))
  }

  digests = {
    for image in local.images : image => can(local.tagged[image]) ? data.google_artifact_registry_docker_image.tagged[image].self_link : image
  }
}

data "google_artifact_registry_docker_image" "tagged" {
  for_each      = local.tagged
  location      = each.value[0]
  project       = each.value[1]
  repository_id = each.value[2]
  image_name    = each.value[3]
}

# One poller and one worker for each inbox, in one bucket, whose programs differ. The rights of the two workers do not overlap.

terraform {
  required_version = ">= 1.9"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 8.7"
    }
  }
}

provider "google" {
  project = var.project
  region  = var.region
}

variable "project" {
  type = string
}

variable "region" {
  type = string
}

variable "bucket" {
  description = "It is there already, and has uniform bucket-level access."
  type        = string
}

variable "image" {
  type = string
}

variable "programs" {
  description = "What each inbox's worker runs, and with which image."
  type        = map(object({ image = string, command = string }))
}

# The workers' programs ask a database: an account of your own has the right to, besides what the module grants it.
resource "google_service_account" "scorer" {
  for_each   = var.programs
  project    = var.project
  account_id = "${each.key}-scorer"
}

module "brigade" {
  source   = "../.."
  for_each = var.programs

  name           = each.key
  project        = var.project
  region         = var.region
  bucket         = var.bucket
  create_bucket  = false
  image          = var.image
  worker_image   = each.value.image
  worker_args    = ["worker", "--exec", each.value.command]
  worker_account = google_service_account.scorer[each.key]
  prefixes = {
    inbox     = "${each.key}/incoming/"
    processed = "${each.key}/processed/"
    failed    = "${each.key}/failed/"
    outputs   = "${each.key}/features/"
  }
  labels = { inbox = each.key }
}

output "inboxes" {
  value = { for name, one in module.brigade : name => one.inbox }
}

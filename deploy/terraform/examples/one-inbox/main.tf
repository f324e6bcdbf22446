# One inbox. Copy this folder to where you keep your infrastructure, and give the module a source that names a version:
#
#   source = "git::https://github.com/OWNER/bucket-brigade.git//deploy/terraform?ref=v0.1.0"

terraform {
  required_version = ">= 1.9"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 8.7"
    }
  }

  # The state is in a bucket of its own: terraform init -backend-config="bucket=…"
  backend "gcs" {
    prefix = "bucket-brigade"
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
  type = string
}

variable "image" {
  type = string
}

variable "create_bucket" {
  type    = bool
  default = true
}

variable "deletion_protection" {
  type    = bool
  default = true
}

module "brigade" {
  source = "../.."

  project             = var.project
  region              = var.region
  bucket              = var.bucket
  create_bucket       = var.create_bucket
  image               = var.image
  deletion_protection = var.deletion_protection

  # A program of your own in the worker:
  # worker_image = "europe-west1-docker.pkg.dev/my-project/brigade/scorer:1"
  # worker_args  = ["worker", "--exec", "python3 /app/score.py {}"]
}

output "inbox" {
  value = module.brigade.inbox
}

output "poller_url" {
  value = module.brigade.poller_url
}

output "doctor" {
  value = module.brigade.doctor
}

# The worker: its size, and what its program needs.

variable "worker_args" {
  description = "The arguments of the worker's container. With your own program: [\"worker\", \"--exec\", \"python3 /app/score.py {}\"]."
  type        = list(string)
  default     = ["worker"]

  validation {
    condition     = length(var.worker_args) > 0
    error_message = "At least one, such as worker."
  }
}

variable "worker" {
  description = "The worker's size: concurrency is the number of files that one instance processes at once. A file is in memory while a program processes it: BRIGADE_MAX_SIZE is half of the memory divided by concurrency, unless worker_settings has another. gpu is a type, such as nvidia-l4."
  type = object({
    min         = optional(number, 0)
    max         = optional(number, 10)
    cpu         = optional(string, "1")
    memory      = optional(string, "1Gi")
    concurrency = optional(number, 4)
    gpu         = optional(string)
  })
  default = {}

  validation {
    condition     = var.worker.min >= 0 && var.worker.max >= max(1, var.worker.min)
    error_message = "min is 0 or more, and max is 1 or more and not below min."
  }
  validation {
    condition     = contains(["1", "2", "4", "6", "8"], var.worker.cpu) && can(regex("^[1-9][0-9]*(Mi|Gi)$", var.worker.memory))
    error_message = "cpu is 1, 2, 4, 6 or 8, and memory a whole number of Mi or Gi, such as 1Gi."
  }
  validation {
    condition     = var.worker.concurrency >= 1 && var.worker.concurrency <= 1000
    error_message = "concurrency is 1 to 1000, Cloud Run's limit."
  }
  validation {
    condition     = var.worker.gpu == null || (contains(["4", "6", "8"], var.worker.cpu) && can(regex("^(1[6-9]|2[0-9]|3[0-2])Gi$", var.worker.memory)))
    error_message = "With a gpu, cpu is at least 4 and memory 16Gi to 32Gi."
  }
}

variable "worker_settings" {
  description = "Further environment variables of the worker and its program."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.worker_settings) : can(regex("^[A-Za-z_][A-Za-z0-9_]*$", name))])
    error_message = "The names are environment variables, such as BRIGADE_MAX_SIZE."
  }
}

variable "worker_secrets" {
  description = "Environment variables from Secret Manager: { API_KEY = { secret = \"api-key\" } }. A secret of another project is named projects/PROJECT/secrets/NAME. The worker's account may then read them."
  type = map(object({
    secret  = string
    version = optional(string, "latest")
  }))
  default = {}
}

variable "worker_account" {
  description = "A service account that the worker runs as, when its program needs more rights than the worker: your root makes it, and grants them. The module makes one when null."
  type        = object({ email = string })
  default     = null

  validation {
    condition     = var.worker_account == null || can(regex("^[^@:\\s]+@[^@:\\s]+$", var.worker_account.email))
    error_message = "The email alone, without serviceAccount:."
  }
}

variable "worker_network" {
  description = "The VPC that the worker's program reaches databases and services in. egress ALL_TRAFFIC sends everything through it, which needs Cloud NAT for the internet."
  type = object({
    network    = string
    subnetwork = string
    egress     = optional(string, "PRIVATE_RANGES_ONLY")
    tags       = optional(list(string), [])
  })
  default = null

  validation {
    condition     = try(contains(["PRIVATE_RANGES_ONLY", "ALL_TRAFFIC"], var.worker_network.egress), true)
    error_message = "egress is PRIVATE_RANGES_ONLY or ALL_TRAFFIC."
  }
}

variable "worker_volumes" {
  description = "Directories of the worker by name, such as one with models: a bucket, or a share of an NFS server. Its account needs the rights to the bucket: see worker_account."
  type = map(object({
    mount_path = string
    bucket     = optional(string)
    server     = optional(string)
    path       = optional(string, "/")
    read_only  = optional(bool, true)
  }))
  default = {}

  validation {
    condition     = alltrue([for one in values(var.worker_volumes) : (one.bucket == null) != (one.server == null) && startswith(one.mount_path, "/")])
    error_message = "Each has a mount_path that begins with a slash, and either a bucket or a server."
  }
}

variable "worker_sql" {
  description = "Connection names of Cloud SQL instances, PROJECT:REGION:INSTANCE; their sockets are below /cloudsql. The account needs roles/cloudsql.client, a role of the project: see worker_account."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for one in var.worker_sql : length(split(":", one)) >= 3])
    error_message = "Each is PROJECT:REGION:INSTANCE."
  }
}

variable "project" {
  description = "The project's ID."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "The ID, such as my-project-123, and neither the number nor the display name."
  }
}

variable "region" {
  description = "The region of the services, the bucket, the schedule and the queue."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "One region, such as europe-west1: no zone (europe-west1-b) and no multi-region (eu)."
  }
}

variable "name" {
  description = "The prefix of every resource's name."
  type        = string
  default     = "brigade"

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,14}[a-z0-9])?$", var.name))
    error_message = "At most 16 lower-case letters, digits and hyphens, beginning with a letter: account names are made of it."
  }
}

# The images. deploy/Dockerfile builds the poller's, which is also the sample worker's.

variable "image" {
  description = "The poller's image, in this project or another: REGION-docker.pkg.dev/PROJECT/REPOSITORY/brigade:TAG. A tag is looked up, and its digest is deployed; a name with further slashes is deployed as it is written."
  type        = string

  validation {
    condition     = can(regex("^[^/:@\\s]+([.][^/:@\\s]+)+/[^\\s]+$", var.image))
    error_message = "A full name that begins with its registry, without https://."
  }
}

variable "worker_image" {
  description = "The worker's image: one with your program and the `brigade` binary, or your own service that implements brigade.v1 and serves grpc.health.v1, with brigade.v1.WorkerService SERVING, over h2c on port 8080. The poller's image, with its sample worker, when empty."
  type        = string
  default     = ""

  validation {
    condition     = var.worker_image == "" || can(regex("^[^/:@\\s]+([.][^/:@\\s]+)+/[^\\s]+$", var.worker_image))
    error_message = "A full name that begins with its registry, without https://."
  }
}

# The bucket.

variable "bucket" {
  description = "The bucket's name, which is unique in the world."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$", var.bucket))
    error_message = "The name alone, without gs:// and without a prefix: lower-case letters, digits, dots, hyphens and underscores."
  }
}

variable "create_bucket" {
  description = "Whether to make the bucket. An existing one, such as one that was kept when a deployment was destroyed, is used with false. It needs uniform bucket-level access, for conditions on object names."
  type        = bool
  default     = true
}

variable "prefixes" {
  description = "Where files arrive, where they go, and where the worker's outputs go. Each ends with a slash, and none contains another."
  type = object({
    inbox     = optional(string, "incoming/")
    processed = optional(string, "processed/")
    failed    = optional(string, "failed/")
    outputs   = optional(string, "features/")
  })
  default = {}

  validation {
    condition     = alltrue([for prefix in values(var.prefixes) : endswith(prefix, "/") && length(prefix) > 1 && !startswith(prefix, ".brigade/")])
    error_message = "Each prefix ends with a slash; none is the whole bucket, nor the poller's own .brigade/."
  }

  validation {
    condition     = alltrue([for a in values(var.prefixes) : length([for b in values(var.prefixes) : b if startswith(b, a)]) == 1])
    error_message = "No prefix may equal or hold another: what is settled would arrive again."
  }
}

variable "soft_delete_days" {
  description = "The days for which a deleted object can be restored; 0, or 7 to 90."
  type        = number
  default     = 7

  validation {
    condition     = var.soft_delete_days == 0 || (var.soft_delete_days >= 7 && var.soft_delete_days <= 90)
    error_message = "0, or 7 to 90 days."
  }
}

variable "uploaders" {
  description = "Who may put files into the inbox: user:…, group:… or serviceAccount:…. They may not update objects, because the poller's marks on a file are metadata."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for one in var.uploaders : can(regex("^(user|group|serviceAccount):[^@:\\s]+@[^@:\\s]+$", one))])
    error_message = "Each is user:EMAIL, group:EMAIL or serviceAccount:EMAIL."
  }
}

variable "uploaders_may_replace" {
  description = "Whether they may also upload over a file that still waits, which takes the right to delete."
  type        = bool
  default     = false
}

variable "worker_replaces_outputs" {
  description = "Whether the worker may replace its own outputs. A file that is uploaded again has another output under the same name; without this permission the worker is refused in that case, and the poll stops. It permits deletions below the outputs' prefix only."
  type        = bool
  default     = true
}

variable "worker_lists" {
  description = "Whether the worker may list the bucket's names. Without it outputs of a killed run stay, and Cloud Storage says 403 in place of 404 for a file that is gone: one that was replaced is superseded all the same, and one that was removed while it waited stops that poll; the next poll goes on."
  type        = bool
  default     = true
}

# When the poller is called.

variable "schedule" {
  description = "When the inbox is scanned, in cron's format."
  type        = string
  default     = "* * * * *"

  validation {
    condition     = length(split(" ", var.schedule)) == 5
    error_message = "Five fields with one space between them, such as */5 * * * *."
  }
}

variable "time_zone" {
  description = "The time zone of the schedule."
  type        = string
  default     = "Etc/UTC"
}

variable "paused" {
  description = "Whether the schedule is paused."
  type        = bool
  default     = false
}

variable "events" {
  description = "Whether each new file is also announced by Pub/Sub, so that it need not wait for the next scan."
  type        = bool
  default     = false
}

variable "tasks" {
  description = "Whether the poller makes one Cloud Task per file, so that the queue limits the rate, in place of calling the worker itself. Each scan makes one billed call for every file that still waits: choose a slower `schedule`."
  type        = bool
  default     = false
}

# How the services run.

variable "poller_auth" {
  description = "`platform`: Cloud Run's front end checks who may call the poller. `verify`: the front end lets every caller through, and the poller checks every signature itself."
  type        = string
  default     = "platform"

  validation {
    condition     = contains(["platform", "verify"], var.poller_auth)
    error_message = "platform or verify."
  }
}

variable "callers" {
  description = "Emails of further service accounts that may call the poller, such as one that users impersonate to poll by hand."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for one in var.callers : can(regex("^[^@:\\s,\"']+@[^@:\\s,\"']+$", one))])
    error_message = "Emails alone, without serviceAccount: or quotes."
  }
}

variable "readers" {
  description = "Emails of service accounts that may see status, failed files and events of the poller (`brigade status`, `failed`, `watch`). Users impersonate them."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for one in var.readers : can(regex("^[^@:\\s,\"']+@[^@:\\s,\"']+$", one))])
    error_message = "Emails alone, without serviceAccount: or quotes."
  }
}

variable "operators" {
  description = "Emails of service accounts that may see the same, and move failed files back (`brigade replay`). With one, the poller's account may move files from failed to the inbox."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for one in var.operators : can(regex("^[^@:\\s,\"']+@[^@:\\s,\"']+$", one))])
    error_message = "Emails alone, without serviceAccount: or quotes."
  }
}

variable "show_outputs" {
  description = "Whether the poller may look at the worker's outputs, so that `brigade failed show` has their size and date. The permission covers their content, which the poller never reads."
  type        = bool
  default     = false
}

variable "internal" {
  description = "A VPC, if neither service is to be reachable from the internet. The subnetwork needs Private Google Access, because the poller reaches the worker, and itself, through it."
  type = object({
    network    = string
    subnetwork = string
  })
  default = null
}

variable "poller" {
  description = "The poller's size. It scales to zero when min is 0. concurrency is the number of calls that one instance takes at once, files_in_flight when null. The poller runs on one thread: more cpu than 1 is only for memory over 4Gi."
  type = object({
    min         = optional(number, 0)
    max         = optional(number, 3)
    cpu         = optional(string, "1")
    memory      = optional(string, "512Mi")
    concurrency = optional(number)
  })
  default = {}

  validation {
    condition     = var.poller.min >= 0 && var.poller.max >= max(1, var.poller.min)
    error_message = "min is 0 or more, and max is 1 or more and not below min."
  }
  validation {
    condition     = contains(["1", "2", "4", "6", "8"], var.poller.cpu) && can(regex("^[1-9][0-9]*(Mi|Gi)$", var.poller.memory))
    error_message = "cpu is 1, 2, 4, 6 or 8, and memory a whole number of Mi or Gi, such as 512Mi."
  }
  validation {
    condition     = coalesce(var.poller.concurrency, 1) >= 1 && coalesce(var.poller.concurrency, 1) <= 1000
    error_message = "concurrency is 1 to 1000, Cloud Run's limit."
  }
}

variable "files_in_flight" {
  description = "Files that one instance of the poller has in flight at the worker, of polls and events together. The workers refuse more than they can take, and the poller tries those again."
  type        = number
  default     = 32

  validation {
    condition     = var.files_in_flight >= 1 && var.files_in_flight <= 10000
    error_message = "1 to 10000."
  }
}

variable "process_timeout_seconds" {
  description = "For one file, at the worker."
  type        = number
  default     = 600

  validation {
    condition     = var.process_timeout_seconds >= 1 && var.process_timeout_seconds <= 3000
    error_message = "1 to 3000: Cloud Run cuts every request after an hour, and the answer must come before."
  }
  validation {
    condition     = var.process_timeout_seconds <= var.poll_deadline_seconds
    error_message = "A call ends with its poll: at most poll_deadline_seconds."
  }
}

variable "poll_deadline_seconds" {
  description = "For one poll. Cloud Scheduler waits for it, half an hour at most."
  type        = number
  default     = 600

  validation {
    condition     = var.poll_deadline_seconds >= 15 && var.poll_deadline_seconds <= 1740
    error_message = "15 to 1740: Cloud Scheduler gives up after 1800 s, and the poll must end before."
  }
}

variable "settings" {
  description = "Further settings of the poller by their environment variables, such as { BRIGADE_MATCH = \"**/*.csv\" }."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.settings) : can(regex("^[A-Z][A-Z0-9_]*$", name))])
    error_message = "The names are environment variables, such as BRIGADE_MATCH."
  }
}

# Observability: docs/OBSERVE.md.

variable "telemetry_endpoint" {
  description = "Where the services export traces and metrics by OTLP: https://telemetry.googleapis.com, which also makes the dashboard, the objective and alerts on metrics, or a collector's URL, which must be known when Terraform plans. Nowhere when empty."
  type        = string
  default     = ""

  validation {
    condition     = var.telemetry_endpoint == "" || can(regex("^https?://[^/\\s@]+(/[^\\s]*)?$", var.telemetry_endpoint))
    error_message = "A URL with its scheme, such as https://telemetry.googleapis.com or http://localhost:4317."
  }
}

variable "telemetry_ratio" {
  description = "The share of traces that are exported when the caller has not decided."
  type        = number
  default     = 0.01

  validation {
    condition     = var.telemetry_ratio >= 0 && var.telemetry_ratio <= 1
    error_message = "0 to 1."
  }
}

variable "settled_within_seconds" {
  description = "When a file is late: this long after its upload. The longest pause of the schedule and 9 minutes more when null."
  type        = number
  default     = null

  validation {
    condition     = coalesce(var.settled_within_seconds, 60) >= 60
    error_message = "60 or more."
  }
}

variable "settled_goal" {
  description = "The share of files that are to be settled in time, over 28 days."
  type        = number
  default     = 0.99

  validation {
    condition     = var.settled_goal > 0 && var.settled_goal < 1
    error_message = "Above 0 and below 1, such as 0.99."
  }
}

# Alerts.

variable "alerts" {
  description = "Whether to make the alert policies."
  type        = bool
  default     = true
}

variable "notification_channels" {
  description = "Where the alert policies send alerts: full names of notification channels."
  type        = list(string)
  default     = []
}

variable "alert_email" {
  description = "An email address that the alert policies write to."
  type        = string
  default     = ""

  validation {
    condition     = var.alert_email == "" || can(regex("^[^@:\\s]+@[^@:\\s]+$", var.alert_email))
    error_message = "One address, without mailto:."
  }
}

variable "labels" {
  description = "Labels of everything that takes labels."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key, value in var.labels : can(regex("^[a-z][a-z0-9_-]{0,62}$", key)) && can(regex("^[a-z0-9_-]{0,63}$", value))])
    error_message = "Keys and values are lower-case letters, digits, hyphens and underscores, 63 at most; a key begins with a letter."
  }
}

variable "deletion_protection" {
  description = "Whether the services are protected from `terraform destroy`."
  type        = bool
  default     = true
}

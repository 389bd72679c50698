variable "project" {
  description = "ID of the project that the job runs in, and whose quota it uses."
  type        = string
}

variable "region" {
  description = "Region of the job, of its schedule and of the bucket."
  type        = string
  default     = "europe-west1"
}

variable "organization" {
  description = "Number of the organization to audit."
  type        = string

  validation {
    condition     = can(regex("^[0-9]+$", var.organization))
    error_message = "An organization is named by its number."
  }
}

variable "image" {
  description = "The image built from deploy/Dockerfile, best by digest: REGION-docker.pkg.dev/PROJECT/REPOSITORY/gke-auditor@sha256:..."
  type        = string
}

variable "bucket" {
  description = "Name of the bucket for reports, which is created."
  type        = string
}

variable "schedule" {
  description = "When to audit, in cron's notation."
  type        = string
  default     = "17 3 * * *"
}

variable "time_zone" {
  description = "Time zone of the schedule."
  type        = string
  default     = "Etc/UTC"
}

variable "kubernetes_evidence" {
  description = "Whether clusters are asked about ip-masq-agent; grants roles/container.viewer."
  type        = bool
  default     = false
}

variable "collect_options" {
  description = "Further options of `gke-auditor collect`."
  type        = list(string)
  default     = []
}

variable "retention_days" {
  description = "Days after which reports are deleted."
  type        = number
  default     = 400
}

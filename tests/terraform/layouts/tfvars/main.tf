variable "project_id" { type = string }
variable "region" { default = "us-central1" }
variable "name" { default = "from-default" }
variable "suffix" { default = "default" }
variable "unset" { type = string }

resource "google_container_cluster" "this" {
  project  = var.project_id
  name     = "${var.name}-${var.suffix}"
  location = var.region
}

resource "google_compute_network" "this" {
  project = var.unset
  name    = "open-project"
}

resource "google_compute_network" "nameless" {
  project = var.project_id
  name    = var.unset
}

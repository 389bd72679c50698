variable "project" {}
variable "env" {}
variable "region" { default = "europe-west1" }
variable "network" {}
variable "pools" {
  default = {}
}

locals {
  prefix = "gke-${var.env}"
  name   = "${local.prefix}-${var.region}"
}

resource "google_container_cluster" "this" {
  project  = var.project
  name     = local.name
  location = var.region
  network  = var.network
}

resource "google_container_node_pool" "this" {
  for_each = var.pools
  project  = var.project
  location = google_container_cluster.this.location
  cluster  = google_container_cluster.this.name
  name     = each.key
}

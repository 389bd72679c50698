variable "project" {}
variable "name" {}
variable "subnets" {
  type = map(object({ region = string, cidr = string }))
}

resource "google_compute_network" "this" {
  project                 = var.project
  name                    = var.name
  auto_create_subnetworks = false
}

resource "google_compute_subnetwork" "this" {
  for_each      = var.subnets
  project       = var.project
  name          = "${var.name}-${each.key}"
  region        = each.value.region
  ip_cidr_range = each.value.cidr
  network       = google_compute_network.this.self_link
}

output "network" {
  value = google_compute_network.this.self_link
}

output "subnetworks" {
  value = { for key, one in var.subnets : key => google_compute_subnetwork.this[key].id }
}

variable "clusters" {
  type = map(object({ location = string, project = string }))
  default = {
    "eu" = { location = "europe-west1", project = "acme-eu" }
    "us" = { location = "us-central1-a", project = "acme-us" }
  }
}

locals {
  teams    = ["red", "blue"]
  expanded = { for team in local.teams : team => "team-${team}" if team != "green" }
  rules = flatten([
    for team in local.teams : [
      for port in [80, 443] : { key = "${team}-${port}", team = team, port = port }
    ]
  ])
}

resource "google_container_cluster" "this" {
  for_each = var.clusters

  project  = each.value.project
  name     = "gke-${each.key}"
  location = each.value.location
}

resource "google_container_cluster" "teams" {
  for_each = local.expanded
  project  = "acme-teams"
  name     = each.value
  location = "europe-west1"
}

resource "google_container_cluster" "numbered" {
  count    = 2
  project  = "acme-teams"
  name     = format("batch-%s", count.index)
  location = "europe-west1"
}

resource "google_container_cluster" "off" {
  count    = 0
  project  = "acme-teams"
  name     = "off"
  location = "europe-west1"
}

resource "google_compute_firewall" "teams" {
  for_each = { for rule in local.rules : rule.key => rule }
  project  = "acme-teams"
  name     = "allow-${each.key}"
  network  = "shared"

  allow {
    protocol = "tcp"
    ports    = [each.value.port]
  }
}

resource "google_compute_firewall" "remote" {
  for_each = toset(data.external.names.result)
  project  = "acme-teams"
  name     = "remote-${each.key}"
  network  = "shared"
}

terraform {
  required_providers {
    google = { source = "hashicorp/google", version = "~> 6.0" }
  }
}

provider "google" {
  project = "acme-prod"
  region  = "europe-west1"
}

resource "google_compute_network" "vpc" {
  name                    = "vpc"
  auto_create_subnetworks = false
}

resource "google_compute_subnetwork" "nodes" {
  name          = "nodes"
  network       = google_compute_network.vpc.id
  ip_cidr_range = "10.0.0.0/20"

  secondary_ip_range {
    range_name    = "pods"
    ip_cidr_range = "10.8.0.0/16"
  }
}

resource "google_container_cluster" "main" {
  name       = "main"
  location   = "europe-west1"
  network    = google_compute_network.vpc.id
  subnetwork = google_compute_subnetwork.nodes.id

  remove_default_node_pool = true
  initial_node_count       = 1
}

resource "google_container_node_pool" "general" {
  name    = "general"
  cluster = google_container_cluster.main.id
}

resource "google_compute_firewall" "deny_egress" {
  name               = "deny-egress"
  network            = google_compute_network.vpc.name
  direction          = "EGRESS"
  priority           = 900
  destination_ranges = ["0.0.0.0/0"]

  deny {
    protocol = "all"
  }
}

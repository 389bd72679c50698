variable "host_project" { default = "net-host" }

provider "google" {
  project = "svc-payments"
}

provider "google" {
  alias   = "host"
  project = var.host_project
  region  = "europe-west1"
}

provider "google-beta" {
  project = "svc-beta"
}

data "google_compute_network" "shared" {
  project = var.host_project
  name    = "shared"
}

resource "google_compute_shared_vpc_service_project" "payments" {
  host_project    = var.host_project
  service_project = "svc-payments"
}

resource "google_compute_subnetwork" "payments" {
  provider      = google.host
  name          = "payments"
  network       = data.google_compute_network.shared.self_link
  ip_cidr_range = "10.20.0.0/22"
}

resource "google_compute_firewall" "pods" {
  project = google_compute_shared_vpc_service_project.payments.host_project
  name    = "allow-pods"
  network = data.google_compute_network.shared.name
  allow { protocol = "all" }
}

resource "google_container_cluster" "payments" {
  name       = "payments"
  location   = "europe-west1"
  network    = data.google_compute_network.shared.id
  subnetwork = google_compute_subnetwork.payments.id
}

resource "google_container_cluster" "beta" {
  provider = google-beta
  name     = "beta"
  zone     = "europe-west1-b"
}

variable "project" { type = string }
variable "region" { type = string }

resource "google_container_cluster" "by_workspace" {
  project  = "acme"
  name     = "gke-${terraform.workspace}"
  location = "europe-west1"
}

resource "google_container_cluster" "by_variables" {
  project  = var.project
  name     = "main"
  location = var.region
}

resource "random_id" "suffix" { byte_length = 2 }

resource "google_container_cluster" "suffixed" {
  project  = "acme"
  name     = "gke-${random_id.suffix.hex}"
  location = "europe-west1"
}

resource "google_container_cluster" "two_parts" {
  project  = "acme"
  name     = "${random_id.suffix.hex}-data-${random_id.suffix.dec}"
  location = "europe-west1"
}

resource "google_container_cluster" "all_random" {
  project  = "acme"
  name     = random_id.suffix.hex
  location = "europe-west1"
}

resource "google_container_cluster" "remote" {
  project  = data.terraform_remote_state.base.outputs.project
  name     = "remote"
  location = "europe-west1"
}

resource "google_container_node_pool" "prefixed" {
  project     = "acme"
  location    = "europe-west1"
  cluster     = google_container_cluster.suffixed.name
  name_prefix = "pool-"
}

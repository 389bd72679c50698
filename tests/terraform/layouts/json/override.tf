resource "google_compute_subnetwork" "nodes" {
  region = "europe-north1"
}

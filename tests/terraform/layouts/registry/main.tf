variable "project_id" { default = "acme-registry" }

module "vpc" {
  source       = "terraform-google-modules/network/google"
  version      = "~> 9.0"
  project_id   = var.project_id
  network_name = "registry-vpc"

  subnets = [
    {
      subnet_name   = "nodes"
      subnet_ip     = "10.0.0.0/20"
      subnet_region = "europe-west1"
    },
  ]

  ingress_rules = [
    { name = "allow-health-checks", source_ranges = ["130.211.0.0/22"] },
  ]
}

module "gke" {
  source     = "terraform-google-modules/kubernetes-engine/google//modules/beta-private-cluster"
  version    = "~> 33.0"
  project_id = module.vpc.project_id
  name       = "registry"
  region     = "europe-west1"
  network    = module.vpc.network_name
  subnetwork = "nodes"

  node_pools = [
    { name = "general", machine_type = "e2-standard-4" },
    { name = "spot", spot = true },
  ]
}

module "zonal" {
  source     = "git::https://github.com/terraform-google-modules/terraform-google-kubernetes-engine.git?ref=v33.0.0"
  project_id = var.project_id
  name       = "zonal"
  regional   = false
  zones      = ["europe-west1-b"]
  network    = module.vpc.network_name
  subnetwork = "nodes"
}

module "standard" {
  source     = "terraform-google-modules/kubernetes-engine/google//modules/gke-standard-cluster"
  project_id = var.project_id
  name       = "standard"
  location   = "europe-west1"
  network    = module.vpc.network_self_link
}

module "unknown" {
  source     = "example.com/acme/gke/google"
  project_id = var.project_id
  name       = "unknown"
  region     = "europe-west1"
}

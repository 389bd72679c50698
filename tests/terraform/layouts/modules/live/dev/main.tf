locals {
  project = "acme-dev"
}

module "network" {
  source  = "../../modules/network"
  project = local.project
  name    = "core"
  subnets = {
    nodes = { region = "europe-west1", cidr = "10.0.0.0/20" }
  }
}

module "gke" {
  source  = "../../modules/cluster"
  project = local.project
  env     = "dev"
  network = module.network.network
  pools = {
    general = {}
  }
}

"""Time of the mapping to Terraform alone: `python -m benchmarks.terraform 2000` prints seconds as JSON.

`map` is the time from reading the folder to the last of as many resources as there are blocks, `found` how
many of them were linked for certain; all must be.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

from auditor.model.names import canonical

_FILE = """\
resource "google_compute_network" "vpc_{n}" {{
  project                 = local.projects["host"]
  name                    = "${{var.prefix}}-vpc-{n}"
  auto_create_subnetworks = false
}}

resource "google_compute_subnetwork" "nodes_{n}" {{
  project       = google_compute_network.vpc_{n}.project
  region        = var.region
  name          = "${{var.prefix}}-nodes-{n}"
  network       = google_compute_network.vpc_{n}.id
  ip_cidr_range = cidrsubnet("10.0.0.0/8", 12, {n})

  secondary_ip_range {{
    range_name    = "pods"
    ip_cidr_range = "10.8.0.0/16"
  }}

  log_config {{
    aggregation_interval = "INTERVAL_5_SEC"
    metadata             = "INCLUDE_ALL_METADATA"
  }}
}}

resource "google_container_cluster" "main_{n}" {{
  project    = local.projects["svc"]
  location   = var.region
  name       = lower(join("-", [var.prefix, "GKE", {n}]))
  network    = google_compute_network.vpc_{n}.self_link
  subnetwork = google_compute_subnetwork.nodes_{n}.self_link

  ip_allocation_policy {{
    cluster_secondary_range_name = "pods"
  }}

  resource_labels = {{
    team = "team-{n}"
    cost = var.prefix
  }}
}}

resource "google_container_node_pool" "pool_{n}" {{
  name    = "pool"
  project = local.projects["svc"]
  cluster = google_container_cluster.main_{n}.id

  node_config {{
    machine_type = "e2-standard-4"
    tags         = ["nodes", "team-{n}"]
  }}
}}

resource "google_compute_firewall" "deny_{n}" {{
  project            = local.projects["host"]
  name               = "${{var.prefix}}-deny-{n}"
  network            = google_compute_network.vpc_{n}.name
  direction          = "EGRESS"
  destination_ranges = ["0.0.0.0/0"]

  deny {{
    protocol = "all"
  }}
}}
"""
_SHARED = """\
variable "prefix" { default = "acme" }
variable "region" { default = "europe-west1" }

locals {
  projects = { host = "${var.prefix}-host", svc = "${var.prefix}-svc" }
}
"""


def write(folder: Path, blocks: int) -> list[str]:
    """A configuration of so many blocks, five of one kind each in a file; the resources it declares."""
    (folder / "shared.tf").write_text(_SHARED)
    names: list[str] = []
    for n in range(blocks // 5):
        (folder / f"part-{n}.tf").write_text(_FILE.format(n=n))
        cluster = f"//container.googleapis.com/projects/acme-svc/locations/europe-west1/clusters/acme-gke-{n}"
        compute = "//compute.googleapis.com/projects/acme-host"
        names += [
            cluster,
            f"{cluster}/nodePools/pool",
            f"{compute}/global/networks/acme-vpc-{n}",
            f"{compute}/regions/europe-west1/subnetworks/acme-nodes-{n}",
            f"{compute}/global/firewalls/acme-deny-{n}",
        ]
    return names


def main() -> None:
    """Measure once."""
    with tempfile.TemporaryDirectory(prefix="gke-auditor-bench-") as name:
        names = write(Path(name), int(sys.argv[1]))
        wall, cpu = time.perf_counter(), time.process_time()
        from auditor.terraform.mapping import mapper

        found = mapper([name], {}, {}, canonical)
        certain = sum(
            [one.certainty for one in found.declarations(asset)] == ["configuration"] for asset in names
        )
        taken = min(time.perf_counter() - wall, time.process_time() - cpu)
    print(json.dumps({"map": taken, "found": certain, "blocks": len(names)}))


if __name__ == "__main__":
    main()

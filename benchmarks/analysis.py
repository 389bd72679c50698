"""The firewall analysis alone: one cluster in a network of many rules.

`python -m benchmarks.analysis RULES` prints, as JSON, the seconds that one cluster takes once the rules of
its network are compiled, and the seconds that the first cluster takes, which compiles them.
"""

from __future__ import annotations

import gc
import json
import random
import sys
import time
from typing import Any

from auditor.facts import Deriver
from auditor.firewall import Analyzer
from auditor.sources import from_assets

PROJECT = "projects/bench"
NETWORK = f"{PROJECT}/global/networks/vpc"
CLUSTERS = 200
ANCESTORS = ["projects/1", "organizations/1"]


def _asset(kind: str, name: str, data: dict[str, Any]) -> dict[str, Any]:
    service, _, rest = name.partition("/")
    return {
        "name": f"//{service}.googleapis.com/{rest}",
        "assetType": kind,
        "ancestors": ANCESTORS,
        "resource": {"data": data},
    }


def _cluster(number: int) -> dict[str, Any]:
    name, pods = f"c{number}", f"10.{number}.0.0/16"
    link = f"{PROJECT}/locations/europe-west1/clusters/{name}"
    return _asset(
        "container.googleapis.com/Cluster",
        f"container/{link}",
        {
            "name": name,
            "id": f"{number:08x}" + "0" * 56,
            "location": "europe-west1",
            "status": "RUNNING",
            "networkConfig": {"network": NETWORK, "enableIntraNodeVisibility": True},
            "clusterIpv4Cidr": pods,
            "nodePools": [
                {"name": "default-pool", "config": {"serviceAccount": "n@x", "resourceManagerTags": {}}},
                {
                    "name": "batch",
                    "config": {"serviceAccount": "n@x", "tags": ["batch"], "resourceManagerTags": {}},
                },
            ],
        },
    )


def _firewall(name: str, **data: object) -> dict[str, Any]:
    whole = {"name": name, "network": NETWORK, "direction": "INGRESS", **data}
    return _asset("compute.googleapis.com/Firewall", f"compute/{PROJECT}/global/firewalls/{name}", whole)


def _rules(count: int, seed: int) -> list[dict[str, Any]]:
    """GKE's own rule for each cluster, and what a shared network gathers over the years."""
    chosen = random.Random(seed)
    found = [
        _firewall(
            f"gke-c{number}-{number:08x}-all",
            priority=1000,
            sourceRanges=[f"10.{number}.0.0/16"],
            targetTags=[f"gke-c{number}-{number:08x}-node"],
            allowed=[{"IPProtocol": name} for name in ("tcp", "udp", "icmp", "esp", "ah", "sctp")],
        )
        for number in range(CLUSTERS)
    ]
    for number in range(count):
        side, direction = chosen.choice((("sourceRanges", "INGRESS"), ("destinationRanges", "EGRESS")))
        first = chosen.choice((10, 172, 192))
        action = chosen.choice(("allowed", "denied"))
        rule: dict[str, object] = {
            "direction": direction,
            "priority": chosen.randrange(500, 3000),
            side: [f"{first}.{chosen.randrange(256)}.{chosen.randrange(256)}.0/24"],
            action: [{"IPProtocol": "tcp", "ports": [str(chosen.randrange(1, 65000))]}],
        }
        if chosen.random() < 0.3:
            rule["targetTags"] = [f"tag-{chosen.randrange(50)}"]
        found.append(_firewall(f"r{number}", **rule))
    return found


def main() -> None:
    """Print `{"first": seconds, "next": seconds}` for the number of rules given as argument."""
    count = int(sys.argv[1])
    network = _asset("compute.googleapis.com/Network", f"compute/{NETWORK}", {"name": "vpc", "mtu": 1460})
    clusters = [_cluster(number) for number in range(CLUSTERS)]
    inventory = from_assets([network, *clusters, *_rules(count, seed=1)], complete=True)
    deriver = Deriver(inventory)
    facts = [deriver.cluster(inventory.decode(entry)) for entry in inventory.clusters]
    gc.disable()
    analyzer = Analyzer(inventory)
    times = []
    for one in facts:
        start = time.perf_counter()
        analyzer.traffic(one.pods, one.node_classes)
        times.append(time.perf_counter() - start)
    ordered = sorted(times[1:])
    print(json.dumps({"first": times[0], "next": ordered[len(ordered) // 2]}))


if __name__ == "__main__":
    main()

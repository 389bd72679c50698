"""The pipeline itself: the report does not depend on how the work is done."""

from __future__ import annotations

import gc
import os
import time
import weakref
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
import pytest

import auditor.audit as audit_module
from auditor import bundled, parallel, sources
from auditor.audit import audit
from auditor.engine.evaluate import Judge
from auditor.engine.load import find_packs, load_packs
from auditor.engine.waivers import Waivers
from benchmarks.generate import Shape, _Organisation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditor.engine.result import Report
    from auditor.sources.inventory import AssetInventory

JUDGE = Judge(load_packs(find_packs(bundled.rules())))
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def report(inventory: AssetInventory) -> Report:
    return audit(inventory, JUDGE, Waivers(), now=NOW, rules_digest="sha256:0")


def generated(shape: Shape) -> AssetInventory:
    return sources.from_assets([orjson.loads(line) for line in _Organisation(shape).lines()])


@pytest.mark.parametrize(
    "shape",
    [
        Shape(clusters=120, pools=3, networks=7, firewalls=1_200, policies=30, pools_as="assets"),
        Shape(clusters=90, pools=2, networks=2, firewalls=100, policies=0, pools_as="embedded"),
        None,
    ],
    ids=["GKE's rules", "shared networks", "demo"],
)
def test_several_processes_make_the_report_that_one_makes(
    monkeypatch: pytest.MonkeyPatch, shape: Shape | None
) -> None:
    inventory = sources.load(["demo"]) if shape is None else generated(shape)
    alone = report(inventory)
    forked: list[int] = []
    fork = os.fork

    def counted() -> int:
        forked.append(1)
        return fork()

    monkeypatch.setattr(os, "fork", counted)
    monkeypatch.setattr(parallel, "useful", lambda *_: 3)
    monkeypatch.setattr(audit_module, "_BATCH", 10)
    # A process that fails would leave its work to this one, with the same result.
    monkeypatch.setattr(parallel, "islice", lambda *_: pytest.fail("a process failed"))
    assert report(inventory) == alone
    assert len(forked) == 2
    assert any(one.rule == "shadowed-for-pods" for one in alone.results)


@pytest.mark.parametrize("after", [0, 1, 4])
def test_what_a_process_had_drawn_that_fails_is_judged_all_the_same(
    monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    inventory = generated(
        Shape(clusters=120, pools=3, networks=7, firewalls=1_200, policies=30, pools_as="assets")
    )
    alone = report(inventory)
    parent = os.getpid()
    judged = audit_module._judged

    def failing(inventory: Any, judge: Any, batches: Any, numbers: Any) -> Iterator[Any]:
        for number, item in enumerate(judged(inventory, judge, batches, numbers)):
            if os.getpid() != parent and number == after:
                os._exit(1)
            # So that each process draws.
            time.sleep(0.01)
            yield item

    monkeypatch.setattr(audit_module, "_judged", failing)
    monkeypatch.setattr(parallel, "useful", lambda *_: 2)
    monkeypatch.setattr(audit_module, "_BATCH", 10)
    told: list[int] = []
    made = audit(inventory, JUDGE, Waivers(), now=NOW, rules_digest="sha256:0", progress=told.append)
    assert made == alone
    assert told[-1] == 120


def test_a_report_has_clusters_and_results_in_the_order_of_the_inventory_and_not_by_network() -> None:
    inventory = sources.load(["demo"])
    networks = [entry.network for entry in inventory.clusters]
    assert networks != sorted(networks)
    made = report(inventory)
    assert [one.resource.name for one in made.clusters] == [entry.name for entry in inventory.clusters]
    resources = [one.resource.name for one in made.results]
    assert resources == sorted(resources)


def test_logging_is_not_known_to_be_on_where_what_decides_about_some_packets_was_not_read() -> None:
    def asset(name: str, kind: str, data: dict[str, Any], *ancestors: str) -> dict[str, Any]:
        return {
            "name": name, "assetType": kind, "resource": {"data": data},
            "ancestors": [*ancestors, "organizations/9"],
        }  # fmt: skip

    policy = {
        "name": "7",
        "associations": [{"name": "all", "attachmentTarget": "organizations/9"}],
        "rules": [
            {
                "priority": 10, "direction": "INGRESS", "action": "deny", "enableLogging": True,
                "match": {"srcIpRanges": ["10.0.0.0/8"],
                          "layer4Configs": [{"ipProtocol": "tcp", "ports": ["8080"]}]},
            }
        ],
    }  # fmt: skip
    cluster = {
        "name": "c",
        "id": "c10b95be00",
        "currentMasterVersion": "1.33.5-gke.1",
        "networkConfig": {"network": "projects/p/global/networks/n", "enableIntraNodeVisibility": True},
        "clusterIpv4Cidr": "10.8.0.0/16",
        "nodePools": [
            {
                "name": "a",
                "version": "1.33.5-gke.1",
                "config": {"serviceAccount": "x@p.iam.gserviceaccount.com", "resourceManagerTags": {}},
            }
        ],
    }
    organization = "cloudresourcemanager.googleapis.com"
    made = report(
        sources.from_assets(
            [
                asset(f"//{organization}/organizations/9", f"{organization}/Organization", {}),
                asset(
                    "//compute.googleapis.com/projects/p/global/networks/n",
                    "compute.googleapis.com/Network",
                    {"name": "n"},
                    "projects/1",
                ),
                asset(
                    "//compute.googleapis.com/locations/global/firewallPolicies/7",
                    "compute.googleapis.com/FirewallPolicy",
                    policy,
                ),
                asset(
                    "//container.googleapis.com/projects/p/locations/europe-west1/clusters/c",
                    "container.googleapis.com/Cluster",
                    cluster,
                    "projects/1",
                ),
            ]
        )
    )
    said = {one.rule: one.verdict for one in made.results}
    assert said["same-node-traffic-denied"] == "fail"
    assert said["firewall-logging-off"] == "unknown"


def test_nothing_keeps_the_inventory_once_the_report_is_made() -> None:
    inventory = generated(Shape(clusters=20, pools=2, networks=3, firewalls=100, policies=9, pools_as="both"))
    spool = weakref.ref(inventory.spool)
    was_on = gc.isenabled()
    gc.disable()
    try:
        made = report(inventory)
        del inventory
        assert spool() is None, "a cycle holds what was read in memory while reports are written"
    finally:
        if was_on:
            gc.enable()
    assert made.clusters

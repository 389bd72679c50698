"""A Terraform plan is told, before it is applied, what it does to Pod packets."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from auditor import bundled
from auditor.audit import audit
from auditor.engine.evaluate import Judge
from auditor.engine.load import find_packs, load_packs
from auditor.engine.result import Report, Verdict
from auditor.engine.waivers import Waivers
from auditor.errors import SourceError
from auditor.sources import load
from tests.sources.terraform import plans as make

if TYPE_CHECKING:
    from pathlib import Path

    from auditor.engine.result import Result
    from auditor.sources.inventory import AssetInventory

PACKS = load_packs(find_packs(bundled.rules()))
WOULD = "same-node-traffic-would-be-denied"
NOW = "same-node-traffic-denied"


@pytest.fixture
def read(tmp_path: Path) -> Any:
    """Reads documents as sources; the live organisation first, unless it is left out."""

    def of(*documents: Any, live: list[Any] | None = None, complete: bool = True) -> AssetInventory:
        paths = []
        for number, one in enumerate([make.live() if live is None else live, *documents]):
            path = tmp_path / f"{number}.json"
            path.write_text(json.dumps(one))
            if one != []:
                paths.append(str(path))
        return load(paths, complete=complete)

    return of


def audited(inventory: AssetInventory) -> Report:
    return audit(
        inventory, Judge(PACKS), Waivers(), now=datetime(2026, 11, 27, tzinfo=UTC), rules_digest="sha256:0"
    )


def result(report: Report, rule: str, resource: str = make.CLUSTER) -> Result:
    found = [one for one in report.results if one.rule == rule and one.resource.name == resource]
    assert len(found) == 1, [one.message for one in found]
    return found[0]


def test_without_a_plan_nothing_stands_in_the_way(read: Any) -> None:
    report = audited(read())
    assert result(report, WOULD).verdict is Verdict.PASS
    assert report.gaps == ()


def test_a_planned_egress_deny_is_told_to_break_traffic_within_nodes(read: Any) -> None:
    report = audited(read(make.plan(make.DENY)))
    found = result(report, WOULD)
    assert found.verdict is Verdict.FAIL
    assert "planned by google_compute_firewall.deny_egress" in found.message
    assert found.remediation is not None
    assert "--priority=899" in found.remediation.commands[0]
    assert report.clusters[0].readiness.state == "blocked"
    facts = report.clusters[0].facts
    assert facts is not None
    traffic = facts.traffic.same_node
    assert {(box.direction, box.source, box.destination) for box in traffic.analysis.denied} == {
        ("egress", make.PODS, make.PODS)
    }
    assert {box.decided_by.address for box in traffic.analysis.denied if box.decided_by} == {
        "google_compute_firewall.deny_egress"
    }
    assert 'resource "google_compute_firewall"' in traffic.repairs[0].terraform


def test_with_visibility_turned_on_by_the_same_plan_it_breaks_now(read: Any) -> None:
    on = make.change(
        "google_container_cluster.main",
        {"name": "main", "project": "svc", "location": "europe-west1", "enable_intranode_visibility": True},
        actions=("update",),
        before={"name": "main", "project": "svc", "location": "europe-west1"},
    )
    report = audited(read(make.plan(make.DENY, on)))
    assert result(report, "intranode-visibility-disabled").verdict is Verdict.PASS
    assert result(report, NOW).verdict is Verdict.FAIL
    assert report.clusters[0].readiness.state == "degraded"
    # What the plan does not touch is as it was.
    assert result(report, "gke-version-unsupported").verdict is Verdict.PASS


def test_the_same_plan_with_the_matching_allow_is_clean(read: Any) -> None:
    report = audited(read(make.plan(make.DENY, make.ALLOW)))
    assert result(report, WOULD).verdict is Verdict.PASS
    assert result(report, "pod-traffic-denied").verdict is Verdict.PASS
    assert report.gaps == ()


@pytest.mark.parametrize(
    ("attribute", "path"),
    [
        ("destination_ranges", "destination_ranges"),
        ("priority", "priority"),
        ("direction", "direction"),
        ("network", "network"),
        ("deny", "deny"),
        ("disabled", "disabled"),
        ("target_tags", "target_tags"),
    ],
)
def test_what_is_known_only_after_apply_is_unknown_and_named(read: Any, attribute: str, path: str) -> None:
    values = make.firewall(deny=[{"protocol": "all", "ports": []}])
    del values[attribute]
    unknown = make.change("google_compute_firewall.deny_egress", values, unknown={attribute: True})
    report = audited(read(make.plan(unknown)))
    found = result(report, WOULD)
    assert found.verdict is Verdict.UNKNOWN
    assert any(f"google_compute_firewall.deny_egress.{path}" in reason for reason in found.reasons)
    assert all("gcloud" not in reason for reason in found.reasons)


def test_one_unknown_range_among_known_ones_is_unknown(read: Any) -> None:
    values = make.firewall(deny=[{"protocol": "all"}], destination_ranges=["192.0.2.0/24", None])
    unknown = make.change(
        "google_compute_firewall.deny_egress", values, unknown={"destination_ranges": [False, True]}
    )
    found = result(audited(read(make.plan(unknown))), WOULD)
    assert found.verdict is Verdict.UNKNOWN
    assert any("deny_egress.destination_ranges[1]" in reason for reason in found.reasons)


def test_an_unknown_that_cannot_matter_leaves_the_verdict_alone(read: Any) -> None:
    values = make.firewall(
        name="ssh", direction="INGRESS", priority=2000, allow=[{"protocol": "tcp", "ports": ["22"]}],
        source_ranges=["0.0.0.0/0"], destination_ranges=None,
    )  # fmt: skip
    unknown = make.change("google_compute_firewall.ssh", values, unknown={"destination_ranges": True})
    report = audited(read(make.plan(unknown)))
    assert result(report, WOULD).verdict is Verdict.PASS
    assert report.gaps == ()


def _with_configuration(expressions: dict[str, Any]) -> dict[str, Any]:
    values = make.firewall(
        name="deny-in", direction=None, deny=[{"protocol": "all"}], source_ranges=["0.0.0.0/0"],
        destination_ranges=None,
    )  # fmt: skip
    one = make.change(
        "google_compute_firewall.deny_in", values, unknown={"destination_ranges": True, "direction": True}
    )
    block = {
        "address": "google_compute_firewall.deny_in",
        "mode": "managed",
        "type": "google_compute_firewall",
        "provider_config_key": "google",
        "expressions": {"name": {"constant_value": "deny-in"}, **expressions},
    }
    return make.plan(one, configuration={"root_module": {"resources": [block]}})


def test_an_argument_that_the_block_leaves_out_means_what_the_api_documents(read: Any) -> None:
    report = audited(read(_with_configuration({})))
    assert result(report, WOULD).verdict is Verdict.FAIL


def test_an_argument_that_the_block_computes_stays_unknown(read: Any) -> None:
    report = audited(read(_with_configuration({"destination_ranges": {"references": ["data.x.y.z"]}})))
    assert result(report, WOULD).verdict is Verdict.UNKNOWN


def test_a_deletion_takes_a_rule_away(read: Any) -> None:
    before = make.firewall(name=f"gke-main-{make.HASH}-all", direction="INGRESS")
    gone = make.change("google_compute_firewall.pods", None, actions=("delete",), before=before)
    report = audited(read(make.plan(gone)))
    found = result(report, WOULD)
    assert found.verdict is Verdict.FAIL
    assert "implied deny ingress" in found.message


def test_a_replacement_under_another_name_takes_the_old_rule_away(read: Any) -> None:
    values = {"direction": "INGRESS", "source_ranges": [make.PODS], "allow": [{"protocol": "all"}]}
    replaced = make.change(
        "google_compute_firewall.pods",
        make.firewall(name="pods-2", **{**values, "source_ranges": ["192.0.2.0/24"]}, destination_ranges=[]),
        actions=("delete", "create"),
        before=make.firewall(name=f"gke-main-{make.HASH}-all", **values),
    )
    assert result(audited(read(make.plan(replaced))), WOULD).verdict is Verdict.FAIL


def test_a_rule_that_terraform_forgets_stays(read: Any) -> None:
    before = make.firewall(name=f"gke-main-{make.HASH}-all", direction="INGRESS", source_ranges=[make.PODS],
                           allow=[{"protocol": "all"}], destination_ranges=[])  # fmt: skip
    forgotten = make.change("google_compute_firewall.pods", None, actions=("forget",), before=before)
    assert result(audited(read(make.plan(forgotten))), WOULD).verdict is Verdict.PASS


def test_a_plan_alone_does_not_prove_that_there_are_no_other_rules(read: Any) -> None:
    report = audited(read(make.plan(make.ALLOW), complete=False, live=make.live()[:3]))
    found = result(report, "pod-traffic-denied")
    assert found.verdict is Verdict.UNKNOWN
    assert any("VPC firewall rule" in reason for reason in found.reasons)


CREATED: dict[str, Any] = {
    "name": "new",
    "project": "svc",
    "location": "europe-west1",
    "network": make.NETWORK,
    "subnetwork": make.SUBNETWORK,
    "enable_intranode_visibility": True,
    "enable_autopilot": None,
    "remove_default_node_pool": True,
    "networking_mode": "VPC_NATIVE",
    "ip_allocation_policy": [{"cluster_secondary_range_name": "pods", "stack_type": "IPV4"}],
    "default_snat_status": [],
}
NEW = "//container.googleapis.com/projects/svc/locations/europe-west1/clusters/new"


def test_a_planned_cluster_is_judged_and_what_applying_decides_is_unknown(read: Any) -> None:
    created = make.change(
        "google_container_cluster.new",
        CREATED,
        unknown={"master_version": True, "node_pool": True, "datapath_provider": True},
    )
    report = audited(read(make.plan(created)))
    assert result(report, "intranode-visibility-disabled", NEW).verdict is Verdict.PASS
    version = result(report, "gke-version-unsupported", NEW)
    assert version.verdict is Verdict.UNKNOWN
    assert any("google_container_cluster.new.master_version" in reason for reason in version.reasons)
    windows = result(report, "windows-node-pool", NEW)
    assert windows.verdict is Verdict.UNKNOWN
    assert any("google_container_cluster.new.node_pool" in reason for reason in windows.reasons)


OLD_WINDOWS: dict[str, Any] = {
    "name": "win",
    "cluster": "new",
    "location": "europe-west1",
    "project": "svc",
    "version": "1.14.10-gke.17",
    "node_config": [{"image_type": "WINDOWS_LTSC_CONTAINERD"}],
}
LINUX = {**OLD_WINDOWS, "name": "lin", "version": "1.30.1-gke.100", "node_config": [{"image_type": "COS"}]}


def of_pools(report: Report, rule: str) -> dict[str | None, Verdict]:
    """What a rule says about the new cluster, by pool."""
    return {
        one.subject: one.verdict for one in report.results if one.rule == rule and one.resource.name == NEW
    }


@pytest.mark.parametrize("action", ["create", "no-op"])
def test_a_stated_pool_fails_whatever_other_pools_there_are(read: Any, action: str) -> None:
    values = {**CREATED, "remove_default_node_pool": None, "master_version": "1.30.1-gke.100"}
    told: dict[str, Any] = {"actions": (action,), "before": None if action == "create" else {}}
    created = make.change("google_container_cluster.new", values, unknown={"node_pool": True}, **told)
    pools = [
        make.change(f"google_container_node_pool.{one['name']}", one, **told) for one in (OLD_WINDOWS, LINUX)
    ]
    inventory = read(make.plan(created, *pools))
    report = audited(inventory)
    for rule in ("windows-node-pool", "gke-version-unsupported"):
        assert of_pools(report, rule) == {None: Verdict.UNKNOWN, "win": Verdict.FAIL}
    (more,) = (one for one in report.results if one.rule == "windows-node-pool" and one.subject is None
               and one.resource.name == NEW)  # fmt: skip
    assert any("further node pools" in reason and "new.node_pool" in reason for reason in more.reasons)
    cluster = next(one for one in report.clusters if one.resource.name == NEW)
    assert cluster.readiness.state == "unsupported"
    # What there may be besides keeps the rest open.
    without = audited(read(make.plan(created, pools[1])))
    assert of_pools(without, "windows-node-pool") == {None: Verdict.UNKNOWN}
    assert of_pools(without, "gke-version-unsupported") == {None: Verdict.UNKNOWN}
    assert result(without, NOW, NEW).verdict is Verdict.UNKNOWN
    assert next(one for one in without.clusters if one.resource.name == NEW).readiness.state == "unknown"


def test_a_pool_of_a_state_is_known_although_its_cluster_was_looked_at_before_it_was_made(read: Any) -> None:
    values = {**CREATED, "node_pool": [], "master_version": "1.30.1-gke.100"}
    held = make.state(
        ("google_container_cluster.new", values),
        ("google_container_node_pool.win", OLD_WINDOWS),
        ("google_container_node_pool.lin", LINUX),
    )
    inventory = read(held, live=[], complete=False)
    entry = next(one for one in inventory.clusters if one.short_name == "new")
    data = inventory.decode(entry).data
    assert [one["name"] for one in data["nodePools"] if isinstance(one, dict)] == ["lin", "win"]
    report = audited(inventory)
    assert of_pools(report, "windows-node-pool") == {None: Verdict.UNKNOWN, "win": Verdict.FAIL}
    reasons = [reason for one in report.results if one.rule == "windows-node-pool" for reason in one.reasons]
    assert reasons
    assert not any("known only after apply" in reason for reason in reasons)


@pytest.mark.parametrize("unknown", ["cluster", "both"])
def test_a_pool_is_of_the_cluster_that_it_refers_to_whatever_project_that_has(
    read: Any, unknown: str
) -> None:
    names = ["google_container_cluster.new"] + (
        ["google_container_node_pool.win"] if unknown == "both" else []
    )
    cluster = {**CREATED, "project": None}
    pool = {**OLD_WINDOWS, **({"project": None} if unknown == "both" else {})}
    changes = [
        make.change(address, values, unknown={"project": True} if address in names else {})
        for address, values in (
            ("google_container_cluster.new", cluster),
            ("google_container_node_pool.win", pool),
        )
    ]
    referred = {"references": ["google_container_cluster.new.name", "google_container_cluster.new"]}
    configuration = {
        "root_module": {
            "resources": [
                {"address": "google_container_cluster.new", "type": "google_container_cluster", "name": "new",
                 "expressions": {"name": {"constant_value": "new"}}},
                {"address": "google_container_node_pool.win", "type": "google_container_node_pool",
                 "name": "win", "expressions": {"cluster": referred}},
            ]
        }
    }  # fmt: skip
    inventory = read(make.plan(*changes, configuration=configuration))
    entry = next(one for one in inventory.clusters if one.short_name == "new")
    assert [one["name"] for one in inventory.decode(entry).data["nodePools"]] == ["win"]
    assert not any("and not the cluster itself" in gap.reason for gap in inventory.gaps)
    # A name that was made from that of the cluster is another one.
    elsewhere = make.change("google_container_node_pool.win", {**OLD_WINDOWS, "cluster": "new-2"})
    inventory = read(make.plan(changes[0], elsewhere, configuration=configuration))
    assert any("new-2" in gap.scope and "not the cluster itself" in gap.reason for gap in inventory.gaps)


def test_visibility_that_is_left_to_the_api_is_unknown_not_off(read: Any) -> None:
    values = {name: one for name, one in CREATED.items() if name != "enable_intranode_visibility"}
    created = make.change(
        "google_container_cluster.new", values, unknown={"enable_intranode_visibility": True}
    )
    found = result(audited(read(make.plan(created))), "intranode-visibility-disabled", NEW)
    assert found.verdict is Verdict.UNKNOWN
    assert any("google_container_cluster.new.enable_intranode_visibility" in one for one in found.reasons)


def test_rules_that_gke_makes_with_a_cluster_keep_ingress_open_to_doubt_and_egress_not(read: Any) -> None:
    created = make.change("google_container_cluster.new", CREATED)
    pool = make.change(
        "google_container_node_pool.new",
        {
            "name": "pool", "cluster": "new", "location": "europe-west1", "project": "svc",
            "version": "1.30.1-gke.100", "max_pods_per_node": 110,
            "network_config": [{"pod_range": "pods"}],
            "node_config": [{"image_type": "COS_CONTAINERD",
            "service_account": "a@svc.iam.gserviceaccount.com"}],
        },
    )  # fmt: skip
    report = audited(read(make.plan(created, pool)))
    traffic = result(report, NOW, NEW)
    assert traffic.verdict is Verdict.UNKNOWN
    assert any("GKE makes it" in reason for reason in traffic.reasons)
    assert result(report, "windows-node-pool", NEW).verdict is Verdict.PASS
    denied = audited(read(make.plan(created, pool, make.DENY)))
    found = result(denied, NOW, NEW)
    assert found.verdict is Verdict.FAIL
    assert "google_compute_firewall.deny_egress" in found.message
    # The cluster that is there is not concerned by rules that are still to be made.
    assert result(denied, WOULD).verdict is Verdict.FAIL
    assert result(report, WOULD).verdict is Verdict.PASS


def test_fields_without_an_argument_are_unknown_to_rules_of_ones_own(read: Any) -> None:
    inventory = read(make.plan(make.change("google_container_cluster.new", CREATED)))
    entry = next(one for one in inventory.clusters if one.short_name == "new")
    data = inventory.decode(entry).data
    assert data["shieldedNodes"] == [
        ["not part of the Terraform plan or state", "google_container_cluster.new"]
    ]
    assert data["masterAuth"] == data["shieldedNodes"]


def test_a_planned_pool_joins_a_cluster_and_a_deleted_one_leaves_it(read: Any) -> None:
    added = make.change(
        "google_container_node_pool.win",
        {"name": "win", "cluster": "main", "location": "europe-west1", "project": "svc",
         "node_config": [{"image_type": "WINDOWS_LTSC_CONTAINERD"}]},
    )  # fmt: skip
    report = audited(read(make.plan(added)))
    assert result_of_pool(report, "windows-node-pool").verdict is Verdict.FAIL
    gone = make.change(
        "google_container_node_pool.pool",
        None,
        actions=("delete",),
        before={"name": "pool", "cluster": "main", "location": "europe-west1", "project": "svc"},
    )
    inventory = read(make.plan(added, gone))
    data = inventory.decode(inventory.clusters[0]).data
    assert [one["name"] for one in data["nodePools"]] == ["win"]


def result_of_pool(report: Report, rule: str) -> Result:
    return next(one for one in report.results if one.rule == rule and one.subject is not None)


def test_a_deleted_cluster_takes_gkes_rules_with_it(read: Any) -> None:
    gone = make.change(
        "google_container_cluster.main",
        None,
        actions=("delete",),
        before={"name": "main", "project": "svc", "location": "europe-west1"},
    )
    inventory = read(make.plan(gone))
    assert inventory.clusters == ()
    assert not inventory.firewall_rules.get(make.NETWORK)


def _references(*names: str) -> dict[str, Any]:
    return {"references": list(names)}


def test_a_network_that_is_made_by_the_same_plan_is_found_by_reference(read: Any) -> None:
    def made(address: str, kind: str, module: str = "") -> dict[str, Any]:
        return {"address": address, "mode": "managed", "type": kind, "provider_config_key": "google"}

    network = make.change(
        "module.net.google_compute_network.vpc", {"name": "fresh", "project": "host", "mtu": 1460}
    )
    values = make.firewall(deny=[{"protocol": "all"}])
    del values["network"]
    deny = make.change("google_compute_firewall.deny", values, unknown={"network": True})
    cluster_values = {**CREATED}
    del cluster_values["network"]
    cluster = make.change("google_container_cluster.new", cluster_values, unknown={"network": True})
    configuration: dict[str, Any] = {
        "root_module": {
            "resources": [
                {
                    **made("google_compute_firewall.deny", "google_compute_firewall"),
                    "expressions": {"network": _references("module.net.network_id", "module.net")},
                },
                {
                    **made("google_container_cluster.new", "google_container_cluster"),
                    "expressions": {"network": _references("module.net.network_id", "module.net")},
                },
            ],
            "module_calls": {
                "net": {
                    "module": {
                        "outputs": {
                            "network_id": {
                                "expression": _references(
                                    "google_compute_network.vpc.id", "google_compute_network.vpc"
                                )
                            }
                        },
                        "resources": [
                            {
                                **made("google_compute_network.vpc", "google_compute_network"),
                                "expressions": {},
                            }
                        ],
                    }
                }
            },
        }
    }
    inventory = read(make.plan(network, deny, cluster, configuration=configuration))
    fresh = "projects/host/global/networks/fresh"
    assert [rule.name for rule in inventory.firewall_rules[fresh]] == ["deny-egress", "gke-new-all"]
    entry = next(one for one in inventory.clusters if one.short_name == "new")
    assert inventory.decode(entry).data["networkConfig"]["network"] == fresh
    # Two references may be a choice between them, and that is not known.
    block = configuration["root_module"]["resources"][0]
    block["expressions"]["network"] = _references("module.net.network_id", "module.net", "var.other")
    report = audited(read(make.plan(network, deny, configuration=configuration)))
    found = result(report, WOULD)
    assert found.verdict is Verdict.UNKNOWN
    assert any("google_compute_firewall.deny.network" in reason for reason in found.reasons)


POLICIES = [
    (
        "google_compute_network_firewall_policy",
        {"name": "guard", "project": "host"},
        {"firewall_policy": "guard", "project": "host"},
    ),
    (
        "google_compute_region_network_firewall_policy",
        {"name": "guard", "project": "host", "region": "europe-west1"},
        {"firewall_policy": "guard", "project": "host", "region": "europe-west1"},
    ),
    (
        "google_compute_firewall_policy",
        {"name": "4711", "short_name": "guard", "parent": "organizations/99"},
        {"firewall_policy": "locations/global/firewallPolicies/4711"},
    ),
]


def _rule(**values: Any) -> dict[str, Any]:
    return {
        "priority": 100,
        "direction": "EGRESS",
        "action": "deny",
        "match": [{"dest_ip_ranges": ["0.0.0.0/0"], "layer4_configs": [{"ip_protocol": "all"}]}],
        **values,
    }


@pytest.mark.parametrize(("kind", "policy", "part"), POLICIES, ids=[one[0] for one in POLICIES])
@pytest.mark.parametrize("provider", ["google", "google-beta"])
def test_planned_policies_decide(
    read: Any, kind: str, policy: dict[str, Any], part: dict[str, Any], provider: str
) -> None:
    target = "organizations/99" if kind == "google_compute_firewall_policy" else make.NETWORK
    made = make.change(f"{kind}.guard", policy, provider=provider)
    rule = make.change(f"{kind}_rule.deny", {**part, **_rule()}, provider=provider)
    attached = make.change(
        f"{kind}_association.here", {**part, "name": "here", "attachment_target": target}, provider=provider
    )
    found = result(audited(read(make.plan(made, rule, attached))), WOULD)
    assert found.verdict is Verdict.FAIL
    assert f"planned by {kind}_rule.deny" in found.message
    # Without an association a policy does nothing.
    assert result(audited(read(make.plan(made, rule))), WOULD).verdict is Verdict.PASS
    allowed = make.change(f"{kind}_rule.allow", {**part, **_rule(priority=50, action="allow")})
    assert result(audited(read(make.plan(made, rule, attached, allowed))), WOULD).verdict is Verdict.PASS
    # Where it is attached may be known only after apply.
    open_ended = make.change(
        f"{kind}_association.here", {**part, "name": "here"}, unknown={"attachment_target": True}
    )
    doubt = result(audited(read(make.plan(made, rule, open_ended))), WOULD)
    assert doubt.verdict is Verdict.UNKNOWN
    assert any(f"{kind}_association.here.attachment_target" in reason for reason in doubt.reasons)


def test_a_rule_of_a_policy_that_nothing_shows_may_apply_anywhere(read: Any) -> None:
    rule = make.change(
        "google_compute_network_firewall_policy_rule.deny",
        {"firewall_policy": "elsewhere", "project": "host", **_rule()},
    )
    assert result(audited(read(make.plan(rule))), WOULD).verdict is Verdict.UNKNOWN
    lost = make.change(
        "google_compute_network_firewall_policy_rule.deny", _rule(), unknown={"firewall_policy": True}
    )
    found = result(audited(read(make.plan(lost))), WOULD)
    assert found.verdict is Verdict.UNKNOWN
    assert any("policy_rule.deny.firewall_policy" in reason for reason in found.reasons)


def test_a_policy_with_its_rules_inside_decides(read: Any) -> None:
    made = make.change(
        "google_compute_network_firewall_policy_with_rules.guard",
        {
            "name": "guard", "project": "host",
            "rule": [_rule(match=[{"dest_ip_ranges": ["10.0.0.0/8"],
            "layer4_config": [{"ip_protocol": "tcp"}]}])],
        },
    )  # fmt: skip
    attached = make.change(
        "google_compute_network_firewall_policy_association.here",
        {"name": "here", "firewall_policy": "guard", "project": "host", "attachment_target": make.NETWORK},
    )
    found = result(audited(read(make.plan(made, attached))), WOULD)
    assert found.verdict is Verdict.FAIL
    assert "Egress of tcp packets" in found.message
    assert "google_compute_network_firewall_policy_with_rules.guard.rule[0]" in found.message


def test_an_address_group_that_is_planned_is_resolved(read: Any) -> None:
    group = make.change(
        "google_network_security_address_group.pods",
        {"name": "pods", "parent": "projects/host", "location": "global", "items": [make.PODS]},
    )
    kind, policy, part = POLICIES[0]
    match = [
        {
            "dest_address_groups": ["projects/host/locations/global/addressGroups/pods"],
            "layer4_configs": [{"ip_protocol": "udp"}],
        }
    ]
    changes = [
        make.change(f"{kind}.guard", policy),
        make.change(f"{kind}_rule.deny", {**part, **_rule(match=match)}),
        make.change(f"{kind}_association.here", {**part, "name": "h", "attachment_target": make.NETWORK}),
    ]
    assert result(audited(read(make.plan(*changes, group))), WOULD).verdict is Verdict.FAIL
    assert result(audited(read(make.plan(*changes))), WOULD).verdict is Verdict.UNKNOWN


def test_planned_flow_logs_count(read: Any) -> None:
    values = {
        "name": "nodes", "project": "host", "region": "europe-west1", "network": make.NETWORK,
        "ip_cidr_range": "10.0.0.0/24", "secondary_ip_range": [{"range_name": "pods",
        "ip_cidr_range": make.PODS}],
    }  # fmt: skip
    live = make.live()
    live[2]["resource"]["data"]["networkConfig"]["enableIntraNodeVisibility"] = True
    for block, verdict in (
        ([{"flow_sampling": 1, "metadata": "INCLUDE_ALL_METADATA"}], Verdict.PASS),
        ([], Verdict.FAIL),
    ):
        planned = make.change(
            "google_compute_subnetwork.nodes",
            {**values, "log_config": block},
            actions=("update",),
            before=values,
        )
        report = audited(read(make.plan(planned), live=live))
        found = [one for one in report.results if one.rule == "flow-logs-disabled"]
        assert [one.verdict for one in found] == [verdict]


def test_a_state_adds_what_nothing_else_shows_and_outranks_nothing(read: Any) -> None:
    rule = make.firewall(deny=[{"protocol": "all"}])
    held = make.state(("google_compute_firewall.deny_egress", rule))
    # The live inventory holds every firewall rule of the project, and not this one: it is gone.
    assert result(audited(read(held)), WOULD).verdict is Verdict.PASS
    without = [one for one in make.live() if one["assetType"] != "compute.googleapis.com/Firewall"]
    assert result(audited(read(held, live=without)), WOULD).verdict is Verdict.FAIL


def test_a_plan_that_ended_in_an_error_proves_nothing(read: Any) -> None:
    report = audited(read(make.plan(make.ALLOW, errored=True)))
    assert any("ended in an error" in gap.reason for gap in report.gaps)
    assert result(report, WOULD).verdict is Verdict.UNKNOWN


def test_values_without_their_changes_are_unknown_where_they_are_left_out(read: Any) -> None:
    values = {"name": "deny", "project": "host", "network": make.NETWORK, "deny": [{"protocol": "all"}],
              "direction": "EGRESS", "priority": 900}  # fmt: skip
    document = {
        "format_version": "1.2",
        "terraform_version": "1.9.5",
        "planned_values": {
            "root_module": {
                "resources": [
                    {"address": "google_compute_firewall.deny", "mode": "managed",
                     "type": "google_compute_firewall", "values": values}
                ]
            }
        },
    }  # fmt: skip
    found = result(audited(read(document)), WOULD)
    assert found.verdict is Verdict.UNKNOWN
    assert any("google_compute_firewall.deny.destination_ranges" in reason for reason in found.reasons)


def test_a_raw_state_file_is_refused_with_the_command_that_prints_it(tmp_path: Path) -> None:
    path = tmp_path / "terraform.tfstate"
    path.write_text(json.dumps({"version": 4, "lineage": "x", "resources": []}))
    with pytest.raises(SourceError) as refused:
        load([str(path)])
    assert "terraform show -json" in refused.value.hint


@pytest.mark.parametrize(
    "entry",
    [
        7,
        {"change": {}},
        {"address": "google_compute_firewall.x", "type": "google_compute_firewall",
        "change": {"actions": ["dance"]}},
        {"address": 1, "type": "google_compute_firewall", "change": {"actions": ["create"]}},
    ],
)  # fmt: skip
def test_a_change_that_is_none_is_a_gap(read: Any, entry: Any) -> None:
    report = audited(read(make.plan(entry)))
    assert any("the Terraform document is not whole" in gap.reason for gap in report.gaps)
    assert result(report, WOULD).verdict is Verdict.UNKNOWN


def test_the_order_of_sources_does_not_matter(tmp_path: Path) -> None:
    live, plan = tmp_path / "live.json", tmp_path / "plan.json"
    live.write_text(json.dumps(make.live()))
    plan.write_text(json.dumps(make.plan(make.DENY)))
    one, other = load([str(live), str(plan)], complete=True), load([str(plan), str(live)], complete=True)
    assert one.digest == other.digest
    assert one.firewall_rules == other.firewall_rules


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            make.change("google_tags_tag_binding.x", {"parent": "p", "tag_value": "tagValues/1"}),
            "which resources bear which secure tags",
        ),
        (
            make.change(
                "google_project.host",
                {"project_id": "host", "folder_id": "2"},
                actions=("update",),
                before={"project_id": "host", "folder_id": "1"},
            ),
            "which firewall policies apply",
        ),
        (
            make.change(
                "kubernetes_config_map.masq",
                {"metadata": [{"name": "ip-masq-agent", "namespace": "kube-system"}]},
            ),
            "what the masquerading agent of a cluster is told",
        ),
    ],
)
def test_changes_that_are_not_followed_are_told(read: Any, change: dict[str, Any], text: str) -> None:
    report = audited(read(make.plan(change)))
    assert any(text in gap.reason and change["address"] in gap.reason for gap in report.gaps)


def test_a_project_that_moves_to_another_folder_leaves_its_policies_open(read: Any) -> None:
    moved = make.change(
        "google_project.host",
        {"project_id": "host", "folder_id": "2"},
        actions=("update",),
        before={"project_id": "host", "folder_id": "1"},
    )
    assert result(audited(read(make.plan(moved))), WOULD).verdict is Verdict.UNKNOWN


def test_a_new_pod_range_is_not_taken_for_denied_before_gke_opens_it(read: Any) -> None:
    live = make.live()
    live[3]["resource"]["data"]["secondaryIpRanges"].append(
        {"rangeName": "more", "ipCidrRange": "10.9.0.0/16"}
    )
    policy = [{"cluster_secondary_range_name": "pods", "cluster_ipv4_cidr_block": make.PODS}]
    values = {"name": "main", "project": "svc", "location": "europe-west1"}
    planned = make.change(
        "google_container_cluster.main",
        {
            **values,
            "ip_allocation_policy": [
                {**policy[0], "additional_pod_ranges_config": [{"pod_range_names": ["more"]}]}
            ],
        },
        actions=("update",),
        before={**values, "ip_allocation_policy": policy},
    )
    for pool in live[2]["resource"]["data"]["nodePools"]:
        pool["networkConfig"] = {}
    inventory = read(make.plan(planned), live=live)
    report = audited(inventory)
    facts = report.clusters[0].facts
    assert facts is not None
    assert {one.cidr for one in facts.pods.ranges} == {make.PODS, "10.9.0.0/16"}
    assert result(report, WOULD).verdict is Verdict.UNKNOWN


def test_a_state_does_not_bring_pools_back(read: Any) -> None:
    held = make.state(
        ("google_container_node_pool.old", {"name": "old", "cluster": "main", "project": "svc",
                                            "location": "europe-west1"}),
        ("google_container_node_pool.pool", {"name": "pool", "cluster": "main", "project": "svc",
                                             "location": "europe-west1", "version": "1.2.3-gke.1"}),
    )  # fmt: skip
    inventory = read(held, complete=False)
    data = inventory.decode(inventory.clusters[0]).data
    assert [(one["name"], one["version"]) for one in data["nodePools"]] == [("pool", "1.30.1-gke.100")]


@pytest.mark.parametrize(
    ("values", "unknown", "named"),
    [
        ({"deny": [{"protocol": "tcp"}]}, {"deny": [{"ports": True}]}, "deny_egress.deny[0].ports"),
        ({"deny": [{}]}, {"deny": [{"protocol": True}]}, "deny_egress.deny[0].protocol"),
        ({}, {"deny": [True]}, "deny_egress.deny[0]"),
    ],
)
def test_an_unknown_inside_a_block_is_named(
    read: Any, values: dict[str, Any], unknown: dict[str, Any], named: str
) -> None:
    planned = make.change("google_compute_firewall.deny_egress", make.firewall(**values), unknown=unknown)
    found = result(audited(read(make.plan(planned))), WOULD)
    assert found.verdict is Verdict.UNKNOWN
    assert any(named in reason for reason in found.reasons)


def test_an_unknown_setting_of_flow_logs_is_unknown(read: Any) -> None:
    live = make.live()
    live[2]["resource"]["data"]["networkConfig"]["enableIntraNodeVisibility"] = True
    values = {"name": "nodes", "project": "host", "region": "europe-west1", "network": make.NETWORK}
    planned = make.change(
        "google_compute_subnetwork.nodes",
        {**values, "log_config": [{"flow_sampling": 1}]},
        actions=("update",),
        before=values,
        unknown={"log_config": [{"metadata": True}]},
    )
    report = audited(read(make.plan(planned), live=live))
    thinned = next(one for one in report.results if one.rule == "flow-logs-thinned")
    assert thinned.verdict is Verdict.UNKNOWN
    assert any("google_compute_subnetwork.nodes.log_config[0].metadata" in one for one in thinned.reasons)


@pytest.mark.parametrize(
    ("unknown", "named"),
    [
        ({"ip_allocation_policy": True}, "new.ip_allocation_policy"),
        (
            {"ip_allocation_policy": [{"cluster_secondary_range_name": True}]},
            "new.ip_allocation_policy[0].cluster_secondary_range_name",
        ),
        ({"network": True}, "new.network"),
        ({"location": True}, "new.location"),
        ({"enable_autopilot": True}, "new.enable_autopilot"),
    ],
)
def test_a_planned_clusters_traffic_is_unknown_where_it_must_be(
    read: Any, unknown: dict[str, Any], named: str
) -> None:
    left: dict[str, Any] = {name: value for name, value in CREATED.items() if name not in unknown}
    if "ip_allocation_policy" in unknown:
        left["ip_allocation_policy"] = [{"stack_type": "IPV4"}]
    created = make.change("google_container_cluster.new", left, unknown=unknown)
    pool = make.change(
        "google_container_node_pool.new",
        {
            "name": "pool",
            "cluster": "new",
            "project": "svc",
            "max_pods_per_node": 110,
            "network_config": [{"enable_private_nodes": True}],
            "node_config": [
                {"image_type": "COS_CONTAINERD", "service_account": "a@b.iam.gserviceaccount.com"}
            ],
        },
    )
    inventory = read(make.plan(created, pool, make.DENY))
    report = audited(inventory)
    name = next(one.name for one in inventory.clusters if "new" in one.name)
    reasons = [
        reason
        for one in report.results
        if one.resource.name == name and one.verdict is Verdict.UNKNOWN
        for reason in one.reasons
    ]
    assert any(f"google_container_cluster.{named}" in reason for reason in reasons)
    assert result(report, NOW, name).verdict is not Verdict.PASS


@pytest.mark.parametrize("deep", [False, True])
def test_values_that_no_resource_has_are_a_gap_and_no_crash(read: Any, deep: bool) -> None:
    value: Any = 10**30
    for _ in range(150 if deep else 0):
        value = [value]
    changes = [
        make.change("google_compute_firewall.x", make.firewall(priority=value, deny=[{"protocol": "all"}])),
        make.change(
            "google_container_cluster.main",
            {
                "name": "main",
                "project": "svc",
                "location": "europe-west1",
                "node_config": [{"disk_size_gb": value}],
            },
            actions=("update",),
            before={},
        ),
        make.change(
            "google_compute_network_firewall_policy_rule.x",
            {"firewall_policy": "guard", "project": "host", **_rule(priority=value)},
        ),
    ]
    report = audited(read(make.plan(*changes)))
    assert result(report, WOULD).verdict is Verdict.UNKNOWN


def test_a_rule_with_an_unknown_priority_takes_no_other_rules_place(read: Any) -> None:
    kind, policy, part = POLICIES[0]
    match = {"destIpRanges": ["0.0.0.0/0"], "layer4Configs": [{"ipProtocol": "all"}]}
    live = make.live()
    live.append(
        {
            "name": "//compute.googleapis.com/projects/host/global/firewallPolicies/guard",
            "assetType": "compute.googleapis.com/FirewallPolicy",
            "ancestors": live[1]["ancestors"],
            "resource": {
                "data": {
                    "name": "guard",
                    "associations": [{"name": "here", "attachmentTarget": make.NETWORK}],
                    "rules": [{"priority": 0, "direction": "EGRESS", "action": "deny", "match": match}],
                }
            },
        }
    )
    assert result(audited(read(live=live)), WOULD).verdict is Verdict.FAIL
    rule = {name: value for name, value in _rule(action="allow").items() if name != "priority"}
    planned = make.change(f"{kind}_rule.allow", {**part, **rule}, unknown={"priority": True})
    found = result(audited(read(make.plan(planned), live=live)), WOULD)
    assert found.verdict is not Verdict.PASS
    gone = make.change(f"{kind}_rule.deny", None, actions=("delete",), before={**part, **_rule(priority=0)})
    assert result(audited(read(make.plan(gone), live=live)), WOULD).verdict is Verdict.PASS
    detached = make.change(
        f"{kind}_association.here",
        None,
        actions=("delete",),
        before={**part, "name": "here", "attachment_target": make.NETWORK},
    )
    assert result(audited(read(make.plan(detached), live=live)), WOULD).verdict is Verdict.PASS
    removed = make.change(f"{kind}.guard", None, actions=("delete",), before=policy)
    assert result(audited(read(make.plan(removed), live=live)), WOULD).verdict is Verdict.PASS
    # What the plan takes away from a policy that is not there, nobody misses.
    assert result(audited(read(make.plan(gone))), WOULD).verdict is Verdict.PASS

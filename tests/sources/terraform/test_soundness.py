"""A plan that says less never says the opposite: an unknown may turn a verdict into unknown, and no other."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.facts import Deriver
from auditor.model.traffic import scope_json
from auditor.sources.assemble import assemble
from auditor.sources.builder import Builder
from auditor.sources.recognise import Recogniser
from tests.sources.terraform import plans as make

RANGES = ("0.0.0.0/0", "10.0.0.0/8", make.PODS, "10.8.0.0/24", "10.8.128.0/17", "192.0.2.0/24")
TAG = f"gke-main-{make.HASH}-node"


@st.composite
def firewalls(draw: st.DrawFn) -> dict[str, Any]:
    """The values of a rule in which much collides."""
    ranges = st.lists(st.sampled_from(RANGES), min_size=1, max_size=2)
    blocks = [
        {"protocol": draw(st.sampled_from(("all", "tcp", "udp", "icmp"))), "ports": []}
        for _ in range(draw(st.integers(1, 2)))
    ]
    action = draw(st.sampled_from(("allow", "deny")))
    return make.firewall(
        name=draw(st.sampled_from(("a", "b"))),
        direction=draw(st.sampled_from(("INGRESS", "EGRESS"))),
        priority=draw(st.sampled_from((900, 1000, 1100, 65535))),
        disabled=draw(st.sampled_from((None, False, True))),
        source_ranges=draw(ranges),
        destination_ranges=draw(st.none() | ranges),
        target_tags=draw(st.none() | st.just([TAG]) | st.just(["other"])),
        **{action: blocks, "deny" if action == "allow" else "allow": []},
    )


ATTRIBUTES = (
    "direction", "priority", "disabled", "source_ranges", "destination_ranges", "target_tags", "allow",
    "deny", "network", "name", "project",
)  # fmt: skip


def packets(*changes: dict[str, Any]) -> dict[str, str]:
    """The verdict of each protocol within a node."""
    builder = Builder()
    live, plan = Recogniser("live", builder), Recogniser("plan", builder)
    live.array()
    for number, asset in enumerate(make.live(), 1):
        live.element(number, asset)
    live.end_of_array()
    plan.document(1, make.plan(*changes))
    inventory = assemble(builder, ("live", "plan"), complete=True)
    cluster = inventory.decode(inventory.clusters[0])
    analysis = Deriver(inventory).cluster(cluster).traffic.same_node.analysis
    found = scope_json(analysis)["by_protocol"]
    assert isinstance(found, dict)
    return {key: str(value) for key, value in found.items()}


@given(firewalls(), st.lists(st.sampled_from(ATTRIBUTES), min_size=1, max_size=3, unique=True))
def test_what_is_not_known_is_never_decided_otherwise(values: dict[str, Any], unknown: list[str]) -> None:
    known = packets(make.change("google_compute_firewall.x", values))
    left = {name: value for name, value in values.items() if name not in unknown}
    open_ended = packets(make.change("google_compute_firewall.x", left, unknown=dict.fromkeys(unknown, True)))
    for protocol, verdict in open_ended.items():
        if verdict == "allowed":
            assert known[protocol] == "allowed", (protocol, known, open_ended)
        elif verdict == "denied":
            assert known[protocol] == "denied", (protocol, known, open_ended)
        elif verdict == "partial":
            assert known[protocol] in ("partial", "denied"), (protocol, known, open_ended)


@st.composite
def policies(draw: st.DrawFn) -> list[tuple[str, dict[str, Any]]]:
    """A network policy with two rules, and where it is attached."""
    part = {"firewall_policy": "guard", "project": "host"}
    rules = [
        {
            **part,
            "priority": draw(st.sampled_from((1, 2))) + 10 * number,
            "direction": draw(st.sampled_from(("EGRESS", "EGRESS", "EGRESS", "INGRESS"))),
            "action": draw(st.sampled_from(("deny", "allow", "goto_next"))),
            "disabled": draw(st.sampled_from((None, None, True))),
            "match": [
                {
                    "dest_ip_ranges": draw(st.sampled_from(([], [make.PODS], ["192.0.2.0/24"]))),
                    "src_ip_ranges": draw(st.sampled_from(([], ["10.8.0.0/17"]))),
                    "layer4_configs": [{"ip_protocol": draw(st.sampled_from(("all", "all", "tcp")))}],
                }
            ],
        }
        for number in range(2)
    ]
    kind = "google_compute_network_firewall_policy"
    target = draw(st.sampled_from((make.NETWORK, make.NETWORK, "projects/host/global/networks/other")))
    return [
        (f"{kind}.guard", {"name": "guard", "project": "host"}),
        *((f"{kind}_rule.r{number}", rule) for number, rule in enumerate(rules)),
        (f"{kind}_association.a", {**part, "name": "a", "attachment_target": target}),
    ]


@settings(max_examples=300)
@given(policies(), st.data())
def test_what_is_not_known_of_a_policy_is_never_decided_otherwise(
    resources: list[tuple[str, dict[str, Any]]], data: st.DataObject
) -> None:
    known = packets(*(make.change(address, values) for address, values in resources))
    changes = []
    open_ended = data.draw(st.sampled_from([address for address, _ in resources[1:]]))
    for address, values in resources:
        if address != open_ended:
            changes.append(make.change(address, values))
            continue
        unknown = data.draw(st.lists(st.sampled_from(sorted(values)), min_size=1, max_size=2, unique=True))
        left = {name: value for name, value in values.items() if name not in unknown}
        marks: dict[str, Any] = dict.fromkeys(unknown, True)
        if "match" in left and data.draw(st.booleans()):
            inner = data.draw(st.sampled_from(sorted(left["match"][0])))
            left["match"] = [{name: value for name, value in left["match"][0].items() if name != inner}]
            marks["match"] = [{inner: True}]
        changes.append(make.change(address, left, unknown=marks))
    for protocol, verdict in packets(*changes).items():
        if verdict in ("allowed", "denied"):
            assert known[protocol] == verdict, (protocol, known, changes)
        elif verdict == "partial":
            assert known[protocol] in ("partial", "denied"), (protocol, known, changes)

"""What the firewall's documentation says, sentence by sentence: one file in `cases/` for each.

A case states what matters and takes the rest from an ordinary organisation: one pool `a` (10.0.0.0/24, node
blocks of /26) of the cluster `shop` in a Shared VPC network of project `host`, region europe-west1, in
organizations/1 > folders/11 > folders/12 (the cluster's own project lies in folders/22), everything read.

    pins             the sentence that the case holds fast
    open             true: VPC rules `open` and `open-6` let in everything at priority 60000
    firewalls        VPC rules as the Compute API writes them; `network` is the cluster's by default
    policies         `at` an organization, a folder, `global` or a region, or null for nowhere; `rules` as in
                     the API (all protocols by default)
    network          fields of the Network asset, or `missing`
    ancestors        `unknown`: nothing tells where the host project lies
    unread           asset types (last part) that were not read; `hierarchy`: nor the policies above
    pools, cluster   what differs from the ordinary pool
    packets          SOURCE > DESTINATION PROTOCOL[:PORT], with the verdict of both directions together and
                     for each direction `allow by RULE`, or the list of rules that may decide it; `benign`
                     for a denial that harms nobody
    traffic          verdicts of whole scopes, and of protocols in them
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.firewall.adversary import (
    HOST_ANCESTORS,
    NETWORK_KEY,
    Organisation,
    asset,
    garbled,
    packets,
    projects,
)
from tests.firewall.comparison import DIRECTIONS, Regions, analyse, disagreements, overall
from tests.firewall.packets import Packet, Pool
from tests.firewall.simulator import FIREWALL, GROUP, NETWORK, POLICY, Unread

if TYPE_CHECKING:
    from auditor.model.traffic import Decider

Json = dict[str, Any]
FILES = sorted((Path(__file__).parent / "cases").glob("*.yaml"))
CASES: dict[str, Json] = {file.stem: yaml.safe_load(file.read_text("utf-8")) for file in FILES}
KEYS = {
    "pins",
    "open",
    "firewalls",
    "policies",
    "address_groups",
    "network",
    "ancestors",
    "unread",
    "effective",
}
KEYS |= {"pools", "cluster", "packets", "traffic"}
FLOW = re.compile(r"(?:(\w+) )?(\S+) > (?:(\w+) )?(\S+) (\w+)(?::(\d+))?")


def organisation_of(case: Json) -> Organisation:
    """The organisation that a case describes."""
    assets = projects()
    if case.get("network") != "missing":
        assets.append(asset(NETWORK, NETWORK_KEY, {"name": "vpc"} | case.get("network", {}), HOST_ANCESTORS))
    rules = list(case.get("firewalls", []))
    if case.get("open"):
        everything = {"priority": 60000, "allowed": [{"IPProtocol": "all"}]}
        rules.append({"name": "open", "sourceRanges": ["0.0.0.0/0"]} | everything)
        rules.append({"name": "open-6", "sourceRanges": ["::/0"]} | everything)
    for rule in rules:
        reference = f"projects/host/global/firewalls/{rule['name']}"
        assets.append(asset(FIREWALL, reference, {"network": NETWORK_KEY} | rule, HOST_ANCESTORS))
    for number, policy in enumerate(case.get("policies", [])):
        assets.append(policy_of(policy, number))
    for reference, items in case.get("address_groups", {}).items():
        assets.append(asset(GROUP, reference, {"name": reference, "items": items}, HOST_ANCESTORS))
    if case.get("ancestors") == "unknown":
        assets = [each | {"ancestors": []} for each in assets]
    effective = [
        answer | {"data": {"firewalls": [], "firewallPolicys": []} | answer["data"]}
        for answer in case.get("effective", [])
    ]
    for answer in effective:
        for policy in answer["data"]["firewallPolicys"]:
            policy["rules"] = [complete(rule) for rule in policy["rules"]]
    names = set(case.get("unread", []))
    types = frozenset(kind for kind in (FIREWALL, POLICY) if kind.rpartition("/")[2] in names)
    return Organisation(pools_of(case), assets, effective, Unread(types, "hierarchy" in names))


def complete(rule: Json) -> Json:
    match = {"layer4Configs": [{"ipProtocol": "all"}]} | rule["match"]
    return rule | {"match": match}


def policy_of(policy: Json, number: int) -> Json:
    place, name = policy["at"], policy["name"]
    hierarchical = place is None or "/" in place
    target = policy.get("attached_to", place if hierarchical else NETWORK_KEY)
    associations = (
        [{"name": policy.get("association", f"at-{name}"), "attachmentTarget": target}] if target else []
    )
    for association in associations:
        if "association_priority" in policy:
            association["priority"] = policy["association_priority"]
    data = {"name": name, "shortName": name, "associations": associations}
    data["rules"] = [complete(rule) for rule in policy["rules"]]
    if hierarchical:
        data["parent"] = policy.get("parent", "organizations/1")
        return asset(POLICY, f"locations/global/firewallPolicies/{7000 + number}", data, ["organizations/1"])
    if policy.get("system"):
        data["policySource"] = "SYSTEM"
    if place != "global":
        place = f"regions/{place}"
        data["region"] = f"https://www.googleapis.com/compute/v1/projects/host/{place}"
    return asset(POLICY, f"projects/host/{place}/firewallPolicies/{name}", data, HOST_ANCESTORS)


def pools_of(case: Json) -> tuple[Pool, ...]:
    cluster = {"hash": "aaaaaaaa"} | case.get("cluster", {})
    ordinary: Json = {
        "ranges": ["10.0.0.0/24"],
        "block4": 26,
        "block6": None,
        "network": NETWORK_KEY,
        "region": "europe-west1",
        "tags": [],
        "service_account": "200-compute@developer.gserviceaccount.com",
        "secure_tags": [],
        "cluster_name": "shop",
        "cluster_hash": cluster["hash"],
    }
    found = []
    for name, stated in case.get("pools", {"a": {}}).items():
        fields = ordinary | stated
        tags = fields["secure_tags"]
        fields |= {"ranges": tuple(fields["ranges"]), "tags": tuple(fields["tags"])}
        found.append(Pool(name=name, **fields | {"secure_tags": None if tags is None else frozenset(tags)}))
    return tuple(found)


def packet_of(text: str, pools: tuple[Pool, ...]) -> Packet:
    parts = FLOW.fullmatch(text)
    assert parts, text
    one, source, other, destination, protocol, port = parts.groups()
    named = {pool.name: pool for pool in pools}
    ends = ip_address(source), ip_address(destination)
    return Packet(
        version=ends[0].version,
        source=int(ends[0]),
        destination=int(ends[1]),
        protocol=protocol,
        port=int(port) if port else None,
        source_pool=named[one or "a"],
        destination_pool=named[other or "a"],
    )


def check_direction(verdicts: set[str], rules: set[str], expected: str | list[str] | None) -> None:
    """Compare with what the case says of one direction; it need not say anything."""
    if isinstance(expected, str):
        action, _, rule = expected.partition(" by ")
        assert (verdicts, rules) == ({action}, {rule})
    elif expected is not None:
        assert (verdicts, rules) == ({"allow", "deny"}, set(expected))


@pytest.mark.parametrize("name", CASES)
def test_the_simulator_decides_as_documented(name: str) -> None:
    case = CASES[name]
    assert case.keys() <= KEYS
    subject = organisation_of(case)
    simulator = subject.simulator()
    for line in case["packets"]:
        packet = packet_of(line["packet"], subject.pools)
        assert simulator.verdict(packet) == line["verdict"], line
        for direction in DIRECTIONS:
            outcomes = simulator.outcomes(direction, packet)
            verdicts: set[str] = {o.verdict for o in outcomes}
            deciders = {o.decider for o in outcomes if o.sure or len(verdicts) == 2}
            check_direction(verdicts, {d.rule or d.stage for d in deciders}, line.get(direction.lower()))


@pytest.mark.parametrize("name", CASES)
def test_the_analysis_decides_as_documented(name: str) -> None:
    case = CASES[name]
    subject = organisation_of(case)
    traffic = analyse(subject)
    for line in case["packets"]:
        packet = packet_of(line["packet"], subject.pools)
        scopes = [traffic.any_node] + ([traffic.same_node] if packet.same_node else [])
        for regions in map(Regions, scopes):
            assert regions.verdict(packet) == line["verdict"], line
            for direction in DIRECTIONS:
                held = regions.at(direction, packet)
                expected = line.get(direction.lower())
                if not held:
                    assert expected is None or str(expected).startswith("allow by ")
                elif held[0].decided_by is not None:
                    assert bool(held[0].benign) == line.get("benign", False)
                    check_direction({"deny"}, {named(held[0].decided_by)}, expected)
                else:
                    check_direction({"allow", "deny"}, {named(each) for each in held[0].candidates}, expected)


def named(decider: Decider) -> str:
    """How cases name a rule."""
    return "implied" if decider.stage == "implied" else decider.rule


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if "traffic" in case])
def test_the_simulator_sums_up_as_documented(name: str) -> None:
    subject = organisation_of(CASES[name])
    simulator = subject.simulator()
    verdicts = [(packet, simulator.verdict(packet)) for packet in packets(subject)]
    for scope, expected in CASES[name]["traffic"].items():
        within = [(p, v) for p, v in verdicts if scope == "any_node" or p.same_node]
        for key, value in expected.items():
            chosen: set[str] = {v for p, v in within if key in ("verdict", p.protocol)}
            assert overall(chosen) == value, (scope, key)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if "traffic" in case])
def test_the_analysis_sums_up_as_documented(name: str) -> None:
    traffic = analyse(organisation_of(CASES[name]))
    scopes = {"same_node": traffic.same_node, "any_node": traffic.any_node}
    for scope, expected in CASES[name]["traffic"].items():
        found = {"verdict": scopes[scope].verdict} | dict(scopes[scope].by_protocol)
        assert found | expected == found, scope


@pytest.mark.parametrize("name", CASES)
def test_analysis_and_simulator_agree_on_every_packet_of_a_case(name: str) -> None:
    assert list(disagreements(organisation_of(CASES[name]), Random(0), limit=400))[:3] == []  # noqa: S311


@pytest.mark.parametrize("name", CASES)
def test_garbage_in_a_case_never_turns_its_answer_around(name: str) -> None:
    case = CASES[name]
    subject = organisation_of(case)
    regions = Regions(analyse(subject).any_node)
    known = [packet_of(line["packet"], subject.pools) for line in case["packets"]]
    for place, vague in garbled(subject):
        told = Regions(analyse(vague).any_node)
        for packet in known:
            assert told.verdict(packet) in ("unknown", regions.verdict(packet)), place


def test_every_case_pins_a_sentence_of_its_own() -> None:
    sentences = [case["pins"] for case in CASES.values()]
    assert len(set(sentences)) == len(sentences) > 100

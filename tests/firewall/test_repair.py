"""Each proposed repair, carried out: the denial is gone, and nothing else became permitted."""

from __future__ import annotations

import shlex
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from auditor.firewall import Analyzer
from auditor.firewall.repair import openings, repairs
from tests.firewall.adversary import organisation as random_organisation
from tests.firewall.adversary import packets
from tests.firewall.comparison import DIRECTIONS, Regions, classes_of, pods_of
from tests.firewall.organisations import (
    NETWORK_KEY,
    cluster,
    network,
    node_class,
    organisation,
    policy,
    policy_rule,
    pool_pods,
    vpc_rule,
)

if TYPE_CHECKING:
    from auditor.model.facts import NodeClasses, Pods
    from auditor.model.traffic import Repair, Traffic

    Facts = tuple[Pods, NodeClasses]

POOLS = (pool_pods("a", "10.8.0.0/16"), pool_pods("b", "10.9.0.0/16"))
OPEN = vpc_rule("open", sourceRanges=["10.8.0.0/15"], allowed="all")


def carried_out(assets: list[dict[str, Any]], commands: str) -> list[dict[str, Any]]:
    """The assets after someone has run the gcloud commands."""
    after = [dict(each) for each in assets]
    for line in filter(None, commands.split("\n")):
        words = shlex.split(line)
        options = {word[2:].partition("=")[0]: word.partition("=")[2] for word in words if word[:2] == "--"}
        layer4 = [
            {"protocol": entry.partition(":")[0], "ports": [entry.partition(":")[2]] if ":" in entry else []}
            for entry in (options.get("rules") or options["layer4-configs"]).split(",")
        ]
        if words[:4] == ["gcloud", "compute", "firewall-rules", "create"]:
            data: dict[str, Any] = {
                "direction": options["direction"],
                "priority": int(options["priority"]),
                "sourceRanges": options["source-ranges"].split(","),
                "destinationRanges": options["destination-ranges"].split(","),
                "allowed": [{"IPProtocol": e["protocol"], "ports": e["ports"]} for e in layer4],
            }
            if "target-tags" in options:
                data["targetTags"] = options["target-tags"].split(",")
            if "target-service-accounts" in options:
                data["targetServiceAccounts"] = options["target-service-accounts"].split(",")
            key = f"projects/{options['project']}/global/networks/{options['network']}"
            after.append(vpc_rule(words[4], key, **data))
        else:
            assert words[3:5] == ["rules", "create"]
            place = next(
                i for i, a in enumerate(after) if a["name"].endswith(f"/{options['firewall-policy']}")
            )
            old = after[place]["resource"]["data"]
            assert int(words[5]) not in [rule["priority"] for rule in old["rules"]]
            rule = {
                "priority": int(words[5]),
                "direction": options["direction"],
                "action": options["action"],
                "match": {
                    "srcIpRanges": options["src-ip-ranges"].split(","),
                    "destIpRanges": options["dest-ip-ranges"].split(","),
                    "layer4Configs": [{"ipProtocol": e["protocol"], "ports": e["ports"]} for e in layer4],
                },
            }
            if "target-resources" in options:
                rule["targetResources"] = options["target-resources"].split(",")
            after[place] = after[place] | {"resource": {"data": old | {"rules": [*old["rules"], rule]}}}
    return after


def proposed(
    assets: list[dict[str, Any]], facts: Facts, scope: str = "any_node"
) -> tuple[Traffic, tuple[Repair, ...]]:
    analyzer = Analyzer(organisation(assets))
    traffic = analyzer.traffic(*facts)
    return traffic, repairs(analyzer, *facts, getattr(traffic, scope))


def mended(assets: list[dict[str, Any]], facts: Facts, scope: str = "any_node") -> Traffic:
    """What the analysis says after every repair of the scope."""
    _, found = proposed(assets, facts, scope)
    return Analyzer(organisation(carried_out(assets, "\n".join(each.command for each in found)))).traffic(
        *facts
    )


EGRESS_CLOSED = [network(), OPEN, vpc_rule("no-egress", direction="EGRESS", denied="all", priority=65000)]
CASES = {
    "an egress deny": EGRESS_CLOSED,
    "the implied deny": [network()],
    "some ports of one range": [
        network(),
        OPEN,
        vpc_rule("deny", priority=7, sourceRanges=["10.8.4.0/22", "10.9.1.0/24"], denied="tcp:80-90,443 udp"),
    ],
    "an organisation's policy": [
        network(),
        OPEN,
        policy(
            "7", [policy_rule(5, "INGRESS", "deny", "tcp", srcIpRanges=["10.8.0.0/16"])], "organizations/1"
        ),
    ],
    "a network policy that comes first": [
        network(order="BEFORE_CLASSIC_FIREWALL"),
        OPEN,
        policy(
            "global/n", [policy_rule(5, "INGRESS", "deny", "tcp", srcIpRanges=["10.8.0.0/16"])], NETWORK_KEY
        ),
    ],
    "a regional policy that comes last": [
        network(),
        OPEN,
        policy(
            "regions/europe-west1/n",
            [policy_rule(5, "EGRESS", "deny", "tcp", destIpRanges=["10.8.0.0/16"])],
            NETWORK_KEY,
        ),
    ],
    "a rule that may deny above one that does": [
        network(),
        OPEN,
        policy("7", [policy_rule(5, "EGRESS", "deny", "all", destFqdns=["x.example"])], "folders/10"),
        EGRESS_CLOSED[2],
    ],
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("scope", ["same_node", "any_node"])
def test_the_denial_is_gone(name: str, scope: str) -> None:
    after = mended(CASES[name], cluster(POOLS), scope)
    assert getattr(after, scope).denied == ()
    assert getattr(after, scope).verdict == "allowed"


@pytest.mark.parametrize("name", CASES)
def test_one_repair_alone_opens_its_own_packets_and_no_others(name: str) -> None:
    assets, facts = CASES[name], cluster(POOLS)
    before, found = proposed(assets, facts)
    for repair in found:
        after = Analyzer(organisation(carried_out(assets, repair.command))).traffic(*facts)
        left = {box for box in before.any_node.denied if box.direction != repair.direction}
        left |= {
            box
            for box in before.any_node.denied
            if box.direction == repair.direction and box.decided_by != repair.decided_by
        }
        assert set(after.any_node.denied) == left
        assert after.any_node.undecided == before.any_node.undecided


def test_the_repair_of_one_of_two_pools_leaves_the_other_closed() -> None:
    deny = [vpc_rule(f"deny-{t}", direction="EGRESS", denied="all", targetTags=[t]) for t in ("web", "db")]
    facts = cluster(POOLS, [node_class("a", tags=("web",)), node_class("b", tags=("db",))])
    assets = [network(), OPEN, *deny]
    _, found = proposed(assets, facts)
    first = next(each for each in found if each.decided_by.rule == "deny-web")
    assert "--target-tags=web" in first.command
    after = Analyzer(organisation(carried_out(assets, first.command))).traffic(*facts)
    assert {box.source_pools for box in after.any_node.denied} == {("b",)}


def test_a_service_account_tells_pools_apart_where_no_tag_does() -> None:
    deny = vpc_rule("deny", direction="EGRESS", denied="all", targetServiceAccounts=["web@p.example"])
    facts = cluster(POOLS, [node_class("a", service_account="web@p.example"), node_class("b")])
    _, (found,) = proposed([network(), OPEN, deny], facts)
    assert "--target-service-accounts=web@p.example" in found.command
    assert "target_service_accounts" in found.terraform


def test_the_node_tag_is_spelt_as_the_networks_own_rules_spell_it() -> None:
    cut = vpc_rule(
        "gke-sho-aaaaaaaa-vms",
        sourceRanges=["10.0.0.0/24"],
        allowed="tcp",
        targetTags=["gke-sho-aaaaaaaa-node"],
    )
    _, (found,) = proposed([*EGRESS_CLOSED, cut], cluster(POOLS))
    assert "--target-tags=gke-sho-aaaaaaaa-node" in found.command


def test_without_the_cluster_id_the_pod_ranges_alone_narrow_the_rule() -> None:
    facts = cluster(POOLS, [node_class("a", "b", cluster_hash=None, service_account=None)])
    _, (found,) = proposed(EGRESS_CLOSED, facts)
    assert "--target" not in found.command
    assert "every VM" in found.text


def test_the_command_and_the_block_say_the_same() -> None:
    _, (found,) = proposed(EGRESS_CLOSED, cluster(POOLS))
    assert found.command.startswith("gcloud compute firewall-rules create allow-pods-egress-shop-")
    assert "--priority=64999" in found.command
    assert "--rules=ah,esp,icmp,sctp,tcp,udp" in found.command
    assert found.terraform.startswith('resource "google_compute_firewall" "allow_pods_egress_shop_')
    assert "  priority           = 64999\n" in found.terraform
    assert found.terraform.count("  allow {\n") == 6
    assert "project host" in found.owner


def test_what_a_policy_denies_only_its_owner_can_open() -> None:
    _, (found,) = proposed(CASES["an organisation's policy"], cluster(POOLS))
    assert found.owner == "the owner of firewall policy 7 of organizations/1"
    assert found.command.startswith("gcloud compute firewall-policies rules create 4 --firewall-policy=7 ")
    assert 'resource "google_compute_firewall_policy_rule"' in found.terraform


def test_where_nothing_can_come_first_the_rule_itself_has_to_change() -> None:
    first = vpc_rule("first", direction="EGRESS", denied="all", priority=0)
    top = policy("7", [policy_rule(0, "EGRESS", "deny", destIpRanges=["0.0.0.0/0"])], "organizations/1")
    for assets in ([network(), OPEN, first], [network(), OPEN, top]):
        _, (found,) = proposed(assets, cluster(POOLS))
        assert (found.command, found.terraform) == ("", "")
        assert found.text
        assert found.owner


def test_googles_own_policies_are_googles() -> None:
    own = policy(
        "regions/europe-west1/s",
        [policy_rule(5, "EGRESS", "deny", destIpRanges=["0.0.0.0/0"])],
        NETWORK_KEY,
        policySource="SYSTEM",
    )
    _, (found,) = proposed([network(), OPEN, own], cluster(POOLS))
    assert (found.owner, found.command) == ("Google Cloud support", "")


def test_a_benign_denial_needs_no_repair() -> None:
    closed = vpc_rule("gke-shop-aaaaaaaa-exkubelet", sourceRanges=["0.0.0.0/0"], denied="tcp:10255")
    _, found = proposed([network(), OPEN, closed], cluster(POOLS))
    assert found == ()


def test_hostile_names_stay_inside_their_quotes() -> None:
    facts = cluster(
        POOLS, [node_class("a", "b", cluster_name="$(rm -rf ~)", cluster_hash=None, tags=('${x}"; y',))]
    )
    _, (found,) = proposed(EGRESS_CLOSED, facts)
    assert [word for word in shlex.split(found.command) if word.startswith("--target-tags")] == [
        '--target-tags=${x}"; y'
    ]
    assert '$${x}\\"; y' in found.terraform


def test_ipv6_and_ranges_that_are_no_cidr_become_rules_of_their_own() -> None:
    assets = [network(), vpc_rule("most", sourceRanges=["10.8.0.0/31"], allowed="all")]
    facts = cluster([pool_pods("a", "10.8.0.0/29", "fd00::/64")])
    traffic, found = proposed(assets, facts)
    assert any("-" in box.source for box in traffic.any_node.denied)
    commands = found[0].command.splitlines()
    assert len(commands) == 2
    assert "10.8.0.2/31,10.8.0.4/30" in commands[0]
    assert mended(assets, facts).any_node.verdict == "allowed"


@pytest.mark.parametrize("seed", range(300, 340))
def test_on_random_organisations_nothing_but_the_denied_packets_opens(seed: int) -> None:
    random = Random(seed)  # noqa: S311
    subject = random_organisation(random)
    facts = pods_of(subject.pools), classes_of(subject.pools)
    options: dict[str, Any] = {"unread": subject.unread.types, "hierarchy_read": not subject.unread.hierarchy}
    analyzer = Analyzer(organisation(subject.assets, **options))
    before = analyzer.traffic(*facts).any_node
    found = repairs(analyzer, *facts, before)
    assets = carried_out(subject.assets, "\n".join(each.command for each in found))
    old, new = Regions(before), Regions(Analyzer(organisation(assets, **options)).traffic(*facts).any_node)
    by_hand = {(each.direction, each.decided_by) for each in found if not each.command}
    several = len(facts[1].classes or ()) > 1
    every = list(packets(subject))
    for packet in random.sample(every, min(300, len(every))):
        for direction in DIRECTIONS:
            held, left = old.at(direction, packet), new.at(direction, packet)
            decided_by = held[0].decided_by if held else None
            if decided_by is None:
                # Nodes of several kinds may share addresses, and nothing but these tells them apart.
                assert several or [b.candidates for b in left] == [b.candidates for b in held]
            elif not held[0].benign and (held[0].direction, decided_by) not in by_hand:
                assert not left or left[0].decided_by is None


def test_openings_hold_exactly_the_packets_of_the_boxes() -> None:
    traffic, _ = proposed(CASES["some ports of one range"], cluster(POOLS))
    found = openings(traffic.any_node.denied)
    assert [(o.sources, o.destinations) for o in found] == [
        (("10.8.4.0/22", "10.9.1.0/24"), ("10.8.0.0/15",)),
    ]
    assert found[0].layer4 == (("tcp", ("80-90", "443")), ("udp", ()))

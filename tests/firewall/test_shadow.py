"""Rules that never decide a packet between Pods."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from auditor.firewall import Analyzer
from auditor.firewall.shadow import Shadows, _Search, shadowed
from tests.firewall import adversary
from tests.firewall.comparison import classes_of, inventory_of, pods_of
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
    from auditor.firewall.analyzer import Part

FACTS = cluster([pool_pods("a", "10.8.0.0/16")])


def found(*assets: dict[str, Any], facts: Any = (FACTS,), **options: Any) -> dict[str, list[str]]:
    """The shadowed rules, each with those that shadow it."""
    analyzer = Analyzer(organisation([network(), *assets], **options))
    return {each.name: [by.rule for by in each.by] for each in shadowed(analyzer, NETWORK_KEY, facts)}


def test_the_union_of_two_halves_shadows_the_whole() -> None:
    halves = [
        vpc_rule(f"half-{i}", priority=1, sourceRanges=[half], allowed="tcp")
        for i, half in enumerate(("10.8.0.0/17", "10.8.128.0/17"))
    ]
    whole = vpc_rule("whole", priority=9, sourceRanges=["10.8.0.0/16"], denied="tcp:22")
    assert found(*halves, whole) == {"whole": ["half-0", "half-1"]}
    assert found(halves[0], whole) == {}


def test_ports_are_shadowed_by_the_union_too() -> None:
    low = vpc_rule("low", priority=1, sourceRanges=["10.0.0.0/8"], allowed="tcp:1-1000")
    high = vpc_rule("high", priority=2, sourceRanges=["10.0.0.0/8"], allowed="tcp:1001-65535")
    all_ports = vpc_rule("all", priority=3, sourceRanges=["10.0.0.0/8"], allowed="tcp")
    assert found(low, high, all_ports) == {"all": ["low", "high"]}


def test_a_rule_that_may_decide_is_not_shadowed() -> None:
    perhaps = policy(
        "global/n",
        [policy_rule(1, "INGRESS", "deny", srcFqdns=["x.example"], description="by name")],
        NETWORK_KEY,
    )
    vpc = vpc_rule("open", sourceRanges=["10.8.0.0/16"], allowed="all")
    assert found(perhaps, vpc) == {"by name": ["open"]}
    before = network(order="BEFORE_CLASSIC_FIREWALL")
    analyzer = Analyzer(organisation([before, perhaps, vpc]))
    assert shadowed(analyzer, NETWORK_KEY, [FACTS]) == ()


def test_a_rule_that_matches_no_pod_packet_is_not_called_shadowed() -> None:
    elsewhere = vpc_rule("elsewhere", sourceRanges=["192.168.0.0/16"], allowed="all", priority=5)
    assert found(elsewhere, vpc_rule("open", sourceRanges=["10.0.0.0/8"], allowed="all")) == {}


def test_a_rule_that_one_cluster_needs_is_not_shadowed() -> None:
    first = vpc_rule("first", priority=1, sourceRanges=["10.8.0.0/16"], allowed="all")
    second = vpc_rule("second", priority=2, sourceRanges=["10.8.0.0/15"], allowed="all")
    other = cluster(
        [pool_pods("b", "10.9.0.0/16")], [node_class("b", cluster_name="x", cluster_hash="cccccccc")]
    )
    assert found(first, second) == {"second": ["first"]}
    assert found(first, second, facts=(FACTS, other)) == {}


def test_a_policy_above_shadows_what_is_below() -> None:
    top = policy(
        "7", [policy_rule(1, "INGRESS", "deny", srcIpRanges=["10.0.0.0/8"], description="top")], "folders/10"
    )
    assert found(top, vpc_rule("open", sourceRanges=["10.8.0.0/16"], allowed="all")) == {"open": ["top"]}


def test_a_goto_next_is_never_called_shadowed() -> None:
    rules = [
        policy_rule(1, "INGRESS", "deny", srcIpRanges=["0.0.0.0/0"]),
        policy_rule(2, "INGRESS", "goto_next", srcIpRanges=["0.0.0.0/0"]),
    ]
    assert found(policy("global/n", rules, NETWORK_KEY)) == {}


def test_a_network_without_clusters_has_nothing_to_say() -> None:
    rule = vpc_rule("open", sourceRanges=["10.8.0.0/16"], allowed="all")
    assert found(rule, rule, facts=()) == {}


def test_equal_rules_of_which_the_first_takes_all_are_sorted_by_asset() -> None:
    rules = [vpc_rule(f"r{i}", priority=5, sourceRanges=["10.8.0.0/16"], allowed="all") for i in (2, 0, 1)]
    assert list(found(*rules).items()) == [("r1", ["r0"]), ("r2", ["r0"])]


@pytest.mark.parametrize("seed", range(40))
def test_views_that_end_early_and_halves_taken_together_tell_what_complete_ones_do(seed: int) -> None:
    random = Random(seed)  # noqa: S311
    subjects = adversary.organisation(random)
    analyzer = Analyzer(inventory_of(subjects))
    pools = subjects.pools
    facts = [(pods_of(part), classes_of(part)) for part in (pools[:1], pools, pools[1:], pools[::-1]) if part]
    whole, halves = Shadows(analyzer), (Shadows(analyzer), Shadows(analyzer))
    plain: dict[str, Any] = {}
    for number, (pods, classes) in enumerate(facts):
        parts: list[Part] = []
        analyzer.traffic(pods, classes, parts.append)
        for part in parts:
            halves[number % 2].look(part)
            if part.network is not None:
                complete = part._make(complete=True)
                search = plain.setdefault(part.network, _Search(analyzer))
                search.look(complete, whole.key)
            whole.look(part)
    together = Shadows(analyzer)
    for half in halves:
        together.learn(half.seen())
    for name in {adversary.NETWORK_KEY, adversary.OTHER_NETWORK}:
        expected = plain[name].found() if name in plain else ()
        assert whole.found(name) == expected
        assert together.found(name) == expected

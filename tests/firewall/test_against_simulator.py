"""The analysis agrees with the packet-by-packet simulator, and never takes back what it was sure of."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from auditor.firewall import Analyzer
from auditor.model.inventory import FIREWALL, FIREWALL_POLICY
from tests.firewall.adversary import (
    NETWORK_KEY,
    OTHER_NETWORK,
    OTHER_REGION,
    REGION,
    Organisation,
    concretise,
    obscure,
    organisation,
    packets,
)
from tests.firewall.comparison import (
    Regions,
    analyse,
    analyse_facts,
    classes_of,
    contradictions,
    disagreements,
    inventory_of,
    pods_of,
)

BATCHES = [range(start, start + 25) for start in range(0, 200, 25)]


def told_by_seed(seeds: range) -> str:
    return f"seeds-{seeds.start}-to-{seeds.stop - 1}"


@pytest.mark.parametrize("seeds", BATCHES, ids=told_by_seed)
def test_analysis_and_simulator_agree_on_random_organisations(seeds: range) -> None:
    for seed in seeds:
        random = Random(seed)  # noqa: S311
        found = list(disagreements(organisation(random), random, limit=1500 if seed % 5 == 0 else 80))
        assert not found, (seed, found[:3])


@pytest.mark.parametrize("seeds", BATCHES[:5], ids=told_by_seed)
def test_an_answer_survives_whatever_the_unknown_turns_out_to_be(seeds: range) -> None:
    for seed in seeds:
        random = Random(1_000_000 + seed)  # noqa: S311
        subject = organisation(random)
        assert contradictions(subject, concretise(random, subject), random, limit=100) == [], seed


@pytest.mark.parametrize("seeds", BATCHES[:5], ids=told_by_seed)
def test_an_answer_given_in_spite_of_garbage_is_the_answer_without_it(seeds: range) -> None:
    for seed in seeds:
        random = Random(2_000_000 + seed)  # noqa: S311
        subject = organisation(random)
        assert contradictions(obscure(random, subject), subject, random, limit=100) == [], seed


def test_the_order_of_assets_makes_no_difference() -> None:
    for seed in range(40):
        random = Random(seed)  # noqa: S311
        subject = organisation(random)
        shuffled = replace(subject, assets=random.sample(subject.assets, len(subject.assets)))
        assert analyse(subject) == analyse(shuffled), seed


def levelled(subject: Organisation) -> Organisation:
    """The organisation without policies, and with VPC rules that know no node from another."""
    kept = ("name", "network", "direction", "priority", "allowed", "denied", "disabled", "logConfig")
    assets = []
    for asset in subject.assets:
        kind, data = asset["assetType"], asset["resource"]["data"]
        if kind == FIREWALL and isinstance(data, dict):
            data = {key: data[key] for key in kept if key in data}
        if kind != FIREWALL_POLICY:
            assets.append({**asset, "resource": {"data": data}})
    return replace(subject, assets=assets)


@pytest.mark.parametrize("level", [False, True])
def test_one_analyzer_answers_each_cluster_as_one_of_its_own_would(level: bool) -> None:
    shared = 0
    for seed in range(60):
        random = Random(seed)  # noqa: S311
        subject = levelled(organisation(random)) if level else organisation(random)
        analyzer = Analyzer(inventory_of(subject))
        for number in range(4):
            home = random.choice((NETWORK_KEY, OTHER_NETWORK)), random.choice((REGION, OTHER_REGION))
            strangers = (
                replace(pool, network=home[0], region=home[1]) for pool in organisation(random).pools
            )
            other = replace(subject, pools=tuple(strangers))
            pods, classes = pods_of(other.pools), classes_of(other.pools)
            assert analyzer.traffic(pods, classes) == analyse(other), (seed, number)
        shared += len(analyzer._views)
    assert not level or shared > 60


@pytest.mark.parametrize(("pairs", "boxes"), [(0, 10**6), (3, 10**6), (10**6, 0), (10**6, 20)])
def test_a_limit_of_work_leaves_packets_undecided_and_no_answer_wrong(
    pairs: int, boxes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auditor.firewall.analyzer.PAIR_LIMIT", pairs)
    monkeypatch.setattr("auditor.firewall.analyzer.BOX_LIMIT", boxes)
    given_up = 0
    for seed in range(15):
        random = Random(3_000_000 + seed)  # noqa: S311
        subject = organisation(random)
        traffic, simulator = analyse(subject), subject.simulator()
        every = list(packets(subject))
        for packet in random.sample(every, min(40, len(every))):
            for scope in (traffic.any_node, traffic.same_node):
                if scope is traffic.any_node or packet.same_node:
                    told = Regions(scope).verdict(packet)
                    assert told in ("unknown", simulator.verdict(packet)), seed
        given_up += any("limit" in reason for reason in traffic.any_node.reasons)
    assert given_up


def test_a_pool_with_an_unresolved_range_is_never_surely_allowed() -> None:
    for seed in range(60):
        subject = organisation(Random(seed))  # noqa: S311
        pods, classes = pods_of(subject.pools), classes_of(subject.pools)
        short = replace(pods, pools=(replace(pods.pools[0], resolved=False), *pods.pools[1:]))
        known, partly = analyse(subject), analyse_facts(subject, short, classes)
        for before, after in ((known.same_node, partly.same_node), (known.any_node, partly.any_node)):
            expected = "partial" if before.verdict in ("denied", "partial") else "unknown"
            assert after.verdict == expected, seed
            assert (after.denied, after.undecided) == (before.denied, before.undecided), seed
            assert after.reasons, seed


def test_without_node_pools_or_network_nothing_is_decided() -> None:
    subject = organisation(Random(3))  # noqa: S311
    pods, classes = pods_of(subject.pools), classes_of(subject.pools)
    assert classes.classes is not None
    lost = tuple(replace(each, network=None) for each in classes.classes)
    for vague in (replace(classes, classes=None), replace(classes, classes=lost)):
        traffic = analyse_facts(subject, pods, vague)
        for scope in (traffic.same_node, traffic.any_node):
            assert scope.verdict == "unknown"
            assert scope.reasons

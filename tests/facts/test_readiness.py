"""One word for a cluster."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from auditor.facts import readiness
from auditor.model.evidence import Evidence, Unknown
from auditor.model.facts import (
    Masquerade,
    PodTraffic,
    PoolVersion,
    Uncovered,
    Versions,
    Visibility,
    WindowsPools,
)
from auditor.model.traffic import Box, Decider, ScopeTraffic
from tests.facts.organisation import data, facts, kubernetes

if TYPE_CHECKING:
    from auditor.model.facts import ClusterFacts, ClusterReadiness

ALLOWED = ScopeTraffic("allowed", {}, "allowed", "allowed", (), (), (), ())
DENIER = Decider("//compute…", "deny-all-egress", 65000, "vpc", "deny")


def box(protocol: Any = "tcp", benign: str | None = None) -> Box:
    return Box(
        "egress", "10.8.0.0/14", "10.8.0.0/14", protocol, "1-65535", ("a",), ("a",), DENIER, (), None, benign
    )


DENIED = replace(ALLOWED, verdict="denied", everyday="denied", denied=(box("udp"), box("tcp")))
PARTIAL = replace(ALLOWED, verdict="partial", everyday="partial", denied=(box("tcp"),))
UNDECIDED = replace(
    ALLOWED, verdict="unknown", everyday="unknown", reasons=("An address group is not known.",)
)


def ordinary(state: str | None = "on", **changes: Any) -> ClusterFacts:
    """A cluster of which everything is known, and nothing is wrong."""
    contents = data()
    contents["networkConfig"]["enableIntraNodeVisibility"] = state == "on"
    found = facts(contents, evidence=kubernetes(listed=("ConfigMap", "DaemonSet")))
    if state is None:
        found = replace(found, visibility=Visibility(None, "networkConfig is absent", None, ()))
    return replace(found, **changes)


def derived(facts: ClusterFacts, same_node: ScopeTraffic) -> ClusterReadiness:
    """The readiness of a cluster within whose nodes the firewalls do this."""
    traffic = replace(facts.traffic, same_node=replace(facts.traffic.same_node, analysis=same_node))
    return readiness.derive(facts.visibility, facts.versions, facts.windows, facts.masquerade, traffic)


UNCOVERED = Masquerade(
    None, None, (Uncovered("10.8.0.0/14", ("10.10.0.0/15",), "cluster default", ("a",)),), ()
)
UNKNOWN_MASQUERADE = Masquerade(None, None, None, ())


@pytest.mark.parametrize(
    ("changes", "traffic", "on", "off"),
    [
        ({}, ALLOWED, "working", "ready"),
        ({}, DENIED, "degraded", "blocked"),
        ({}, PARTIAL, "degraded", "blocked"),
        ({"masquerade": UNCOVERED}, ALLOWED, "degraded", "blocked"),
        ({"masquerade": UNCOVERED}, UNDECIDED, "degraded", "blocked"),
        ({"masquerade": UNKNOWN_MASQUERADE}, DENIED, "degraded", "blocked"),
        ({"masquerade": UNKNOWN_MASQUERADE}, ALLOWED, "unknown", "unknown"),
        ({}, UNDECIDED, "unknown", "unknown"),
        ({"windows": WindowsPools(None, ())}, ALLOWED, "unknown", "unknown"),
        ({"windows": WindowsPools(("win",), ())}, DENIED, "unsupported", "unsupported"),
        ({"windows": WindowsPools(("win",), ())}, UNDECIDED, "unsupported", "unsupported"),
        ({}, replace(ALLOWED, verdict="partial", rare="denied", denied=(box("sctp"),)), "working", "ready"),
        ({}, replace(ALLOWED, verdict="partial", denied=(box("tcp", "harmless"),)), "working", "ready"),
    ],
)
def test_what_is_certain_outweighs_what_is_not_known(
    changes: dict[str, Any], traffic: ScopeTraffic, on: str, off: str
) -> None:
    for state, expected in (("on", on), ("off", off)):
        found = derived(ordinary(state, **changes), traffic).told
        assert found.state == expected
        assert found.reasons
        assert all(reason.endswith(".") for reason in found.reasons)


@pytest.mark.parametrize("traffic", [ALLOWED, DENIED, UNDECIDED])
def test_unknown_visibility_is_unknown_whatever_else_is_wrong(traffic: ScopeTraffic) -> None:
    found = derived(ordinary(None), traffic).told
    assert found.state == "unknown"
    assert any("denied" in reason for reason in found.reasons) == (traffic is DENIED)


@pytest.mark.parametrize(
    ("control_plane", "pool", "state"),
    [
        ("1.14.10-gke.27", "1.14.10-gke.27", "unsupported"),
        ("1.15.0-gke.1", "1.14.10-gke.27", "unsupported"),
        (None, "1.9.7-gke.1", "unsupported"),
        ("1.15.0-gke.1", "1.15.0-gke.1", "working"),
        ("1.15.0-gke.1", None, "unknown"),
        (None, "1.15.0-gke.1", "unknown"),
    ],
)
def test_versions_below_1_15_are_unsupported(control_plane: str | None, pool: str | None, state: str) -> None:
    found = ordinary()
    versions = replace(found.versions, control_plane=control_plane, pools=(PoolVersion("a", pool),))
    assert derived(replace(found, versions=versions), ALLOWED).told.state == state


def test_unknown_pools_are_unknown() -> None:
    found = ordinary()
    found = replace(found, versions=replace(found.versions, pools=None))
    assert derived(found, ALLOWED).told.state == "unknown"


def test_the_reasons_name_the_rule_the_protocols_and_the_ranges() -> None:
    found = derived(ordinary(masquerade=UNCOVERED), DENIED).told
    assert found.reasons == (
        "Pod traffic within a node is denied on egress by deny-all-egress: tcp, udp.",
        (
            "Packets to 10.10.0.0/15 of Pod range 10.8.0.0/14 (cluster default) are masqueraded:"
            " their source becomes the node."
        ),
    )
    assert derived(ordinary(), UNDECIDED).told.reasons == ("An address group is not known.",)


def test_the_reasons_of_an_unknown_fact_are_given_once_each() -> None:
    found = facts(data(nodePools=None)).readiness.told
    assert len(found.reasons) == len(set(found.reasons))
    assert "The node pools of the cluster are not in the inventory." in found.reasons


@pytest.mark.parametrize("traffic", [ALLOWED, DENIED])
def test_rules_see_the_state_and_the_reasons_that_reports_tell(traffic: ScopeTraffic) -> None:
    found = derived(ordinary(), traffic)
    assert (found.state, found.reasons) == (found.told.state, found.told.reasons)
    assert found.unknowns == ()


def test_what_is_unknown_is_absent_for_rules_and_says_why_and_what_would_settle_it() -> None:
    why = Unknown("masquerade.uncovered", "The ConfigMap was not read.", "kubectl get configmaps")
    group = Unknown("traffic", "An address group is not known.", "export it")
    whole = ordinary(masquerade=replace(UNKNOWN_MASQUERADE, unknowns=(why,)))
    found = derived(replace(whole, traffic=replace(whole.traffic, unknowns=(group,))), UNDECIDED)
    assert (found.state, found.reasons, found.told.state) == (None, None, "unknown")
    assert found.unknowns == (why, group)


def test_what_leaves_open_another_fact_but_not_the_readiness_is_no_reason() -> None:
    mechanism = Unknown("visibility.mechanism", "The data path cannot be read.", "export it again")
    whole = ordinary()
    found = replace(whole, visibility=replace(whole.visibility, unknowns=(mechanism,)))
    assert derived(found, UNDECIDED).unknowns == whole.traffic.unknowns


EVERY = "visibility versions windows masquerade traffic"


@pytest.mark.parametrize(
    ("windows", "same_node", "rests_on"),
    [
        ((), ALLOWED, EVERY),
        (None, ALLOWED, EVERY),
        (("win",), DENIED, "versions windows"),
        ((), DENIED, "visibility masquerade traffic"),
    ],
)
def test_its_evidence_is_that_of_the_facts_it_rests_on(
    windows: tuple[str, ...] | None, same_node: ScopeTraffic, rests_on: str
) -> None:
    def seen(name: str) -> tuple[Evidence, ...]:
        return (Evidence("//cluster", name, observed=True),)

    packets = replace(ordinary().traffic.same_node, analysis=same_node)
    found = readiness.derive(
        Visibility("on", "field", "netd", seen("visibility")),
        Versions("1.33.5-gke.100", (), seen("versions")),
        WindowsPools(windows, seen("windows")),
        Masquerade("default SNAT", (), (), seen("masquerade")),
        PodTraffic(packets, packets, seen("traffic")),
    )
    assert [one.path for one in found.evidence] == rests_on.split()

"""One word for a cluster."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from auditor.facts import readiness
from auditor.model.facts import Masquerade, PoolVersion, Uncovered, Visibility, WindowsPools
from auditor.model.traffic import Box, Decider, ScopeTraffic
from tests.facts.organisation import data, facts, kubernetes

if TYPE_CHECKING:
    from auditor.model.facts import ClusterFacts

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
        ({"masquerade": UNCOVERED}, None, "degraded", "blocked"),
        ({"masquerade": UNKNOWN_MASQUERADE}, DENIED, "degraded", "blocked"),
        ({"masquerade": UNKNOWN_MASQUERADE}, ALLOWED, "unknown", "unknown"),
        ({}, UNDECIDED, "unknown", "unknown"),
        ({}, None, "unknown", "unknown"),
        ({"windows": WindowsPools(None, ())}, ALLOWED, "unknown", "unknown"),
        ({"windows": WindowsPools(("win",), ())}, DENIED, "unsupported", "unsupported"),
        ({"windows": WindowsPools(("win",), ())}, None, "unsupported", "unsupported"),
        ({}, replace(ALLOWED, verdict="partial", rare="denied", denied=(box("sctp"),)), "working", "ready"),
        ({}, replace(ALLOWED, verdict="partial", denied=(box("tcp", "harmless"),)), "working", "ready"),
    ],
)
def test_what_is_certain_outweighs_what_is_not_known(
    changes: dict[str, Any], traffic: ScopeTraffic | None, on: str, off: str
) -> None:
    for state, expected in (("on", on), ("off", off)):
        found = readiness(ordinary(state, **changes), traffic)
        assert found.state == expected
        assert found.reasons
        assert all(reason.endswith(".") for reason in found.reasons)


@pytest.mark.parametrize("traffic", [ALLOWED, DENIED, None])
def test_unknown_visibility_is_unknown_whatever_else_is_wrong(traffic: ScopeTraffic | None) -> None:
    found = readiness(ordinary(None), traffic)
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
    assert readiness(replace(found, versions=versions), ALLOWED).state == state


def test_unknown_pools_are_unknown() -> None:
    found = ordinary()
    assert readiness(replace(found, versions=replace(found.versions, pools=None)), ALLOWED).state == "unknown"


def test_the_reasons_name_the_rule_the_protocols_and_the_ranges() -> None:
    found = readiness(ordinary(masquerade=UNCOVERED), DENIED)
    assert found.reasons == (
        "Pod traffic within a node is denied on egress by deny-all-egress: tcp, udp.",
        (
            "Packets to 10.10.0.0/15 of Pod range 10.8.0.0/14 (cluster default) are masqueraded:"
            " their source becomes the node."
        ),
    )
    assert readiness(ordinary(), UNDECIDED).reasons == ("An address group is not known.",)


def test_the_reasons_of_an_unknown_fact_are_given_once_each() -> None:
    found = readiness(facts(data(nodePools=None)), None)
    assert len(found.reasons) == len(set(found.reasons))
    assert "The node pools of the cluster are not in the inventory." in found.reasons
    assert "The firewall rules were not analysed." in found.reasons

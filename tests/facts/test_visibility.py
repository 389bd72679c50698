"""Effective intra-node visibility."""

from __future__ import annotations

from typing import Any

import pytest

from tests.facts.organisation import data, facts, pool, reasons


def networking(**changes: Any) -> dict[str, Any]:
    return {"network": "projects/p/global/networks/n", **changes}


@pytest.mark.parametrize(
    ("changes", "state", "basis"),
    [
        ({"networkConfig": networking(enableIntraNodeVisibility=True)}, "on", "field"),
        ({"networkConfig": networking(enableIntraNodeVisibility=False)}, "off", "field"),
        ({"networkConfig": networking()}, "off", "field absent"),
        ({"networkConfig": {}}, "off", "field absent"),
        ({"networkConfig": networking(enableIntraNodeVisibility=None)}, "off", "field absent"),
        ({"networkConfig": networking(), "autopilot": {"enabled": True}}, "on", "Autopilot default"),
        (
            {"networkConfig": networking(enableIntraNodeVisibility=False), "autopilot": {"enabled": True}},
            "off",
            "field",
        ),
    ],
)
def test_the_field_decides_and_else_the_mode(changes: dict[str, Any], state: str, basis: str) -> None:
    visibility = facts(data(**changes)).visibility
    assert (visibility.state, visibility.basis) == (state, basis)
    assert visibility.evidence[0].path == "networkConfig.enableIntraNodeVisibility"


@pytest.mark.parametrize(
    "changes",
    [
        {"networkConfig": None},
        {"networkConfig": None, "autopilot": {"enabled": True}},
        {"networkConfig": "projects/p"},
        {"networkConfig": []},
        {"networkConfig": networking(enableIntraNodeVisibility="true")},
        {"networkConfig": networking(enableIntraNodeVisibility=1)},
        {"networkConfig": networking(), "autopilot": {"enabled": "yes"}},
        {"networkConfig": networking(), "autopilot": "standard"},
    ],
)
def test_what_cannot_be_read_is_unknown_with_a_reason(changes: dict[str, Any]) -> None:
    visibility = facts(data(**changes)).visibility
    assert visibility.state is None
    assert reasons(visibility.unknowns, "visibility.state")
    assert "gcloud container clusters describe checkout" in visibility.unknowns[0].hint


NEW, OLD = "1.36.0-gke.3302000", "1.36.0-gke.3301999"


@pytest.mark.parametrize(
    ("datapath", "control_plane", "pools", "mechanism"),
    [
        (None, NEW, [NEW], "netd"),
        ("LEGACY_DATAPATH", NEW, [NEW], "netd"),
        ("DATAPATH_PROVIDER_UNSPECIFIED", NEW, [NEW], "netd"),
        ("ADVANCED_DATAPATH", NEW, [NEW, "1.37.1-gke.1"], "eBPF"),
        ("ADVANCED_DATAPATH", OLD, [OLD], "netd"),
        ("ADVANCED_DATAPATH", NEW, [NEW, OLD], None),
        ("ADVANCED_DATAPATH", NEW, [None], None),
        ("ADVANCED_DATAPATH", None, [NEW], None),
        ("ADVANCED_DATAPATH", NEW, None, None),
        (7, NEW, [NEW], None),
    ],
)
def test_the_mechanism_needs_dataplane_v2_and_the_version_on_every_node(
    datapath: object, control_plane: str | None, pools: list[str | None] | None, mechanism: str | None
) -> None:
    visibility = facts(
        data(
            networkConfig=networking(datapathProvider=datapath),
            currentMasterVersion=control_plane,
            nodePools=None if pools is None else [pool(f"p{i}", version=one) for i, one in enumerate(pools)],
        )
    ).visibility
    assert visibility.mechanism == mechanism
    assert bool(reasons(visibility.unknowns, "visibility.mechanism")) == (mechanism is None)


@pytest.mark.parametrize(("node", "mechanism"), [(NEW, "eBPF"), (OLD, None), (None, None)])
def test_without_pools_the_oldest_node_speaks_for_them(node: str | None, mechanism: str | None) -> None:
    visibility = facts(
        data(
            autopilot={"enabled": True},
            nodePools=None,
            networkConfig=networking(datapathProvider="ADVANCED_DATAPATH"),
            currentMasterVersion=NEW,
            currentNodeVersion=node,
        )
    ).visibility
    assert visibility.mechanism == mechanism

"""The versions of control plane and node pools, and Windows pools."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.model.facts import PoolVersion
from tests.facts.organisation import data, facts, pool, reasons


def test_control_plane_and_every_pool_are_listed() -> None:
    versions = facts(
        data(
            currentMasterVersion="1.30.1-gke.5",
            nodePools=[pool("a", version="1.29.3-gke.1"), pool("b", version="1.30.1-gke.5")],
        )
    ).versions
    assert versions.control_plane == "1.30.1-gke.5"
    assert versions.pools == (PoolVersion("a", "1.29.3-gke.1"), PoolVersion("b", "1.30.1-gke.5"))
    assert versions.unknowns == ()


@pytest.mark.parametrize("version", [None, "", "latest", "-", 1.3, {}, "1.3O.1"])
def test_a_version_that_cannot_be_read_is_unknown_in_its_place(version: object) -> None:
    versions = facts(
        data(currentMasterVersion=version, nodePools=[pool("a", version=version), pool("b")])
    ).versions
    assert versions.control_plane is None
    assert versions.pools is not None
    assert [one.version is None for one in versions.pools] == [True, False]
    assert reasons(versions.unknowns, "versions.control_plane")
    assert "node pool a" in reasons(versions.unknowns, "versions.pools[].version")


def test_pools_absent_on_standard_are_unknown_and_on_autopilot_none() -> None:
    standard = facts(data(nodePools=None)).versions
    assert standard.pools is None
    assert reasons(standard.unknowns, "versions.pools")
    assert facts(data(nodePools=None, autopilot={"enabled": True})).versions.pools == ()


@pytest.mark.parametrize("listed", ["pools", {}, 3, [None], [pool("a"), "b"]])
def test_malformed_pools_are_unknown_even_on_autopilot(listed: object) -> None:
    found = facts(data(nodePools=listed, autopilot={"enabled": True}))
    assert found.versions.pools is None
    assert found.node_classes.classes is None
    assert found.flow_logs.subnets is None
    assert found.windows.pools is None
    assert found.pods.pools == ()
    assert reasons(found.pods.unknowns, "pods.pools")


def test_a_pool_without_a_name_is_called_by_its_place() -> None:
    versions = facts(
        data(nodePools=[pool("a"), pool("", version="1.30.0-gke.1"), pool("c") | {"name": 7}])
    ).versions
    assert versions.pools is not None
    assert [one.name for one in versions.pools] == ["a", "nodePools[1]", "nodePools[2]"]


@pytest.mark.parametrize(
    "config",
    [
        {"imageType": "WINDOWS_LTSC_CONTAINERD"},
        {"imageType": "windows_sac"},
        {"windowsNodeConfig": {"osVersion": "OS_VERSION_LTSC2022"}},
        {"imageType": "", "windowsNodeConfig": {"osVersion": "OS_VERSION_LTSC2019"}},
    ],
)
def test_windows_is_told_by_image_or_by_windows_version(config: dict[str, Any]) -> None:
    windows = facts(data(nodePools=[pool("linux"), pool("win", config=config)])).windows
    assert windows.pools == ("win",)
    assert windows.evidence[0].path.startswith("nodePools[1].config.")


@pytest.mark.parametrize(
    "config",
    [
        None,
        {},
        {"imageType": "COS_CONTAINERD", "windowsNodeConfig": {}},
        {"imageType": "ubuntu_containerd", "windowsNodeConfig": {"osVersion": "OS_VERSION_UNSPECIFIED"}},
    ],
)
def test_an_empty_windows_config_is_no_windows(config: dict[str, Any] | None) -> None:
    assert facts(data(nodePools=[pool("a", config=config)])).windows.pools == ()


@pytest.mark.parametrize(
    "config",
    ["COS", {"imageType": 5}, {"windowsNodeConfig": "x"}, {"windowsNodeConfig": {"osVersion": ["x"]}}],
)
def test_a_malformed_image_is_unknown_unless_another_pool_decides(config: object) -> None:
    windows = facts(data(nodePools=[pool("a", config=config)])).windows
    assert windows.pools is None
    assert reasons(windows.unknowns, "windows.pools")
    decided = facts(
        data(nodePools=[pool("a", config=config), pool("w", config={"imageType": "WINDOWS_SAC"})])
    )
    assert decided.windows.pools == ("w",)

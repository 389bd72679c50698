"""Modules of the public registry that are known well: what a call of them declares.

Source: the documented inputs and outputs of terraform-google-modules/kubernetes-engine and
terraform-google-modules/network. Their code is elsewhere, so that the block that calls them is the one to
change.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from auditor.model import inventory as model
from auditor.terraform.expressions import UNKNOWN, joined
from auditor.terraform.module import source_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditor.terraform.expressions import Evaluation
    from auditor.terraform.module import Module
    from auditor.terraform.syntax import Block

_SOURCE = re.compile(
    r"(?:^|[/:.])terraform-google-modules/(?:terraform-google-)?(kubernetes-engine|network)"
    r"(?:/google)?(?:\.git)?(?://modules/([A-Za-z0-9_-]+))?(?:\?.*)?$"
)


@dataclass(frozen=True, slots=True)
class Made:
    """Something that a call declares. `cluster` is the cluster's name for a node pool."""

    kind: str
    name: Any
    project: Any
    location: Any
    cluster: Any = None


def known(block: Block) -> tuple[str, str] | None:
    """Module and submodule of a call (`kubernetes-engine`, `beta-private-cluster`); None for any other."""
    source = source_of(block)
    found = _SOURCE.search(source) if source is not None else None
    return (found[1], found[2] or "") if found else None


def takes_visibility(block: Block) -> bool:
    """Whether the module is one that surely has the argument `enable_intranode_visibility`."""
    found = known(block)
    return found is not None and found[0] == "kubernetes-engine" and found[1].startswith("beta-")


def made(block: Block, evaluation: Evaluation) -> Iterator[Made]:
    """What one instance of a call declares."""
    found = known(block)
    if found is None:
        return

    def given(name: str, default: Any = UNKNOWN) -> Any:
        value = evaluation.value(block.attributes.get(name))
        return default if value is None else value

    project = given("project_id")
    if found[0] == "kubernetes-engine":
        if found[1] and "cluster" not in found[1]:
            return
        name, location = given("name"), _location(given)
        yield Made(model.CLUSTER, name, project, location)
        if "autopilot" in found[1]:
            return
        pools = given("node_pools", [{"name": "default-node-pool"}] if "gke-" not in found[1] else [])
        for one in (*_listed(pools), *_listed(given("windows_node_pools", []))):
            own = one.get("name", UNKNOWN)
            if "update-variant" in found[1]:
                own = joined([own, "-", UNKNOWN])
            yield Made(model.NODE_POOL, own, project, location, name)
        return
    if found[1] in ("", "vpc"):
        yield Made(model.NETWORK, given("network_name"), project, "global")
    if found[1] in ("", "subnets"):
        for one in _listed(given("subnets", [])):
            yield Made(
                model.SUBNETWORK, one.get("subnet_name", UNKNOWN), project, one.get("subnet_region", UNKNOWN)
            )
    if found[1] in ("", "firewall-rules"):
        for argument in ("firewall_rules", "rules", "ingress_rules", "egress_rules"):
            for one in _listed(given(argument, [])):
                yield Made(model.FIREWALL, one.get("name", UNKNOWN), project, "global")


def _location(given: Any) -> Any:
    # The modules for Standard and Autopilot clusters take a location, all others a region and zones.
    stated = given("location")
    if stated is not UNKNOWN:
        return stated
    regional = given("regional", default=True)
    if regional is True:
        return given("region")
    zones = given("zones")
    return zones[0] if regional is False and isinstance(zones, list) and zones else UNKNOWN


def _listed(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def output(_: Module, block: Block, evaluation: Evaluation, name: str) -> Any:
    """An output of a call that follows from its arguments."""
    found = known(block)
    if found is None:
        return UNKNOWN
    arguments = {
        ("kubernetes-engine", "name"): "name",
        ("network", "network_name"): "network_name",
        ("network", "project_id"): "project_id",
    }
    if (found[0], name) in arguments:
        value = evaluation.value(block.attributes.get(arguments[found[0], name]))
        return UNKNOWN if value is None else value
    if found[0] == "network" and name in ("network_id", "network_self_link"):
        project, network = (
            evaluation.value(block.attributes.get(one)) for one in ("project_id", "network_name")
        )
        return joined(["projects/", project, "/global/networks/", network])
    return UNKNOWN

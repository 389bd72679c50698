"""The VPC network of a cluster's nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.facts import commands
from auditor.facts.view import no_network
from auditor.model import deferred
from auditor.model.evidence import Evidence, Unknown
from auditor.model.facts import ClusterNetwork
from auditor.model.names import project_of

if TYPE_CHECKING:
    from auditor.facts.view import ClusterView
    from auditor.model.network import Network


def derive(view: ClusterView) -> ClusterNetwork:
    """Where the nodes are attached: the network of `networkConfig`, in the host project under Shared VPC."""
    key = view.network
    if key is None:
        reason = no_network(view)
        fields = ("network", "project", "shared", "mtu", "enforcement_order")
        unknowns = [Unknown(f"network.{field}", reason, view.hint()) for field in fields]
        return ClusterNetwork(None, None, None, None, None, (), tuple(unknowns))
    project = project_of(key) or None
    shared = None if project is None else _is_shared(view, project)
    stated = Evidence(
        view.asset, "networkConfig.network", view.network_config and view.network_config["network"]
    )
    found = view.index.network(key)
    unknown: tuple[Unknown, ...] = ()
    if shared is None:
        owner = project or "the network's project"
        reason = f"Whether {owner} is the cluster's own project, {view.project}, is not known."
        unknown = (Unknown("network.shared", reason, commands.describe_project(view.project)),)
        if project is None:
            reason = "The cluster's `networkConfig.network` names no project."
            unknown = (*unknown, Unknown("network.project", reason, view.hint()))
    hint = commands.describe_network(key)
    if found is None:
        reason = f"{key} is not in the inventory."
        missing = (
            Unknown("network.mtu", reason, hint),
            Unknown("network.enforcement_order", reason, hint),
        )
        return ClusterNetwork(key, project, shared, None, None, (stated,), (*unknown, *missing))
    evidence: tuple[Evidence, ...] = (stated,)
    if found.mtu is None:
        reason = _planned(found, "mtu") or f"{key} states an MTU that is no number."
        unknown = (*unknown, Unknown("network.mtu", reason, deferred.hint(reason, hint)))
    else:
        evidence = (stated, view.index.mtu_evidence(found))
    if found.enforcement_order is None:
        reason = _planned(found, "networkFirewallPolicyEnforcementOrder") or (
            f"{key} states an enforcement order that the Compute API does not have."
        )
        unknown = (*unknown, Unknown("network.enforcement_order", reason, deferred.hint(reason, hint)))
    return ClusterNetwork(key, project, shared, found.mtu, found.enforcement_order, evidence, unknown)


def _planned(network: Network, field: str) -> str | None:
    """What a Terraform plan leaves open about a field of the network."""
    found = (one for one in network.problems if one.startswith(field) and deferred.is_about(one))
    return next((f"The network's {one}." for one in found), None)


def _is_shared(view: ClusterView, project: str) -> bool | None:
    if project == view.project:
        return False
    # One may be written as a number that nothing maps to an ID.
    own = view.index.project_number(view.entry.project, view.entry.ancestors)
    other = view.index.project_number(project)
    if own is not None and other is not None:
        return own != other
    return None if project.isdigit() or view.project.isdigit() else True

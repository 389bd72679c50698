"""VPC Flow Logs on the subnetworks of a cluster's nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.facts.view import fault, texts
from auditor.model import deferred
from auditor.model.evidence import Evidence, Unknown
from auditor.model.facts import FlowLogs, SubnetFlowLogs
from auditor.model.names import last, project_of

if TYPE_CHECKING:
    from auditor.facts.view import ClusterView
    from auditor.model.evidence import Json

_COMPUTE = "//compute.googleapis.com/"


def derive(view: ClusterView) -> FlowLogs:
    """What each node subnetwork states: those of the pools, and the additional ones that GKE may choose.

    A subnetwork that states neither `logConfig.enable` nor `enableFlowLogs` logs nothing at subnetwork level.
    The API documents that an organization policy may set the default; such a policy makes the field be
    stated when a subnetwork is made or changed, so that a subnetwork without it has flow logs off. They can
    be turned on elsewhere (Network Management API, VpcFlowLogsConfig), which this fact does not claim to see.
    """
    nodes = view.nodes()
    if nodes is None:
        return FlowLogs(None, (), (Unknown("flow_logs.subnets", view.pools_problem, view.hint()),))
    pools_of: dict[str, list[str]] = {}
    open_choice: list[str] = []
    for pool in nodes:
        name, config = pool.name, pool.network
        stated = "" if config is None else view.subnetwork_of(config)
        if stated == "":
            doubt = fault(pool.data.get("networkConfig"), "cannot be read")
            reason = f"The `networkConfig.subnetwork` of node pool {name} {doubt}."
            return FlowLogs(None, (), (Unknown("flow_logs.subnets", reason, view.hint()),))
        if stated is None:
            if view.subnetwork is None:
                config_stated = view.network_config.get("subnetwork") if view.network_config else None
                reason = (
                    "The cluster does not name its subnetwork by a full path in `networkConfig.subnetwork`"
                    f"{'' if (planned := deferred.text_of(config_stated)) is None else f': it is {planned}'}."
                )
                return FlowLogs(None, (), (Unknown("flow_logs.subnets", reason, view.hint()),))
            stated = view.subnetwork
            if config is not None and not config.get("podRange") and not config.get("podIpv4CidrBlock"):
                open_choice.append(name)
        pools_of.setdefault(stated, []).append(name)
    additional = view.allocation.get("additionalIpRangesConfigs") if view.allocation else None
    if additional is not None and (open_choice or view.autopilot):
        problem = _add_additional(view, additional, open_choice, pools_of)
        if problem:
            return FlowLogs(None, (), (Unknown("flow_logs.subnets", problem, view.hint()),))
    evidence: list[Evidence] = []
    unknowns: list[Unknown] = []
    subnets = tuple([_subnet(view, key, tuple(pools), evidence, unknowns) for key, pools in pools_of.items()])
    return FlowLogs(subnets, tuple(evidence), tuple(unknowns))


def _add_additional(
    view: ClusterView, configs: Json, pools: list[str], pools_of: dict[str, list[str]]
) -> str:
    """Add the subnetworks among which GKE chooses for pools without one of their own; say what is wrong."""
    for position, config in enumerate(configs if isinstance(configs, list) else [None]):
        subnetwork = view.subnetwork_of(config) if isinstance(config, dict) else None
        if not subnetwork or not isinstance(config, dict) or texts(config, "podIpv4RangeNames") is None:
            return f"The cluster's `ipAllocationPolicy.additionalIpRangesConfigs[{position}]` is malformed."
        names = pools_of.setdefault(subnetwork, [])
        names += [name for name in pools if name not in names]
    return ""


def _subnet(
    view: ClusterView,
    key: str,
    pools: tuple[str, ...],
    evidence: list[Evidence],
    unknowns: list[Unknown],
) -> SubnetFlowLogs:
    found = view.index.subnetwork(key)
    if found is None:
        reason = f"{key} is not in the inventory, and so its flow logs are not known."
        unknowns.append(Unknown("flow_logs.subnets[].enabled", reason, view.hint_for(key)))
        parts = key.split("/")
        region = parts[3] if len(parts) == 6 and parts[2] == "regions" else ""
        return SubnetFlowLogs(
            _COMPUTE + key, last(key), region, project_of(key), pools, None, None, None, None, None
        )
    logs = found.flow_logs
    enabled: bool | None = logs.enabled is True
    if found.problems and any(one.startswith(("flow logs", "logConfig")) for one in found.problems):
        enabled = None
        planned = next((one for one in found.problems if deferred.is_about(one)), None)
        reason = f"The flow log settings of {key} are malformed."
        if planned is not None:
            reason = f"The flow log settings of {key} are not all known: {planned}."
        unknowns.append(Unknown("flow_logs.subnets[].enabled", reason, view.hint_for(key)))
    else:
        evidence.append(view.index.flow_logs_evidence(found))
    return SubnetFlowLogs(
        found.asset,
        found.name,
        found.region,
        found.project,
        pools,
        enabled,
        logs.sampling if enabled else None,
        logs.metadata if enabled else None,
        logs.aggregation if enabled else None,
        logs.filter if enabled else None,
    )

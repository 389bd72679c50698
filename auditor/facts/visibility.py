"""Whether Pod traffic within a node passes the VPC network, and through what mechanism."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from auditor.facts.view import fault, hint_for, text
from auditor.model.deferred import within
from auditor.model.evidence import Evidence, Unknown
from auditor.model.facts import Visibility
from auditor.model.versions import parse_version

if TYPE_CHECKING:
    from auditor.facts.view import ClusterView

EBPF_SINCE = (1, 36, 0, 3302000)
"""From here on GKE Dataplane V2 realises it in eBPF (GKE documentation, 'Set up intranode visibility')."""

_FIELD = "networkConfig.enableIntraNodeVisibility"


def derive(view: ClusterView) -> Visibility:
    """The effective state: the field, else the default of the cluster's mode (off; Autopilot: on)."""
    config = view.network_config
    if config is None:
        reason = (
            f"The cluster's `networkConfig` {view.network_config_problem}, although the API always sends it."
        )
        return Visibility(
            None,
            f"networkConfig {view.network_config_problem}",
            None,
            (Evidence(view.asset, "networkConfig", view.data.get("networkConfig")),),
            (
                Unknown("visibility.state", reason, view.hint()),
                Unknown("visibility.mechanism", reason, view.hint()),
            ),
        )
    stated = config.get("enableIntraNodeVisibility")
    evidence: tuple[Evidence, ...] = (Evidence(view.asset, _FIELD, stated),)
    unknowns: tuple[Unknown, ...] = ()
    state: Literal["on", "off"] | None
    if stated is True:
        state, basis = "on", "field"
    elif stated is False:
        state, basis = "off", "field"
    elif stated is not None:
        state, basis = None, "field unreadable"
        reason = f"The cluster's `{_FIELD}` {fault(stated, 'is not a bool')}."
        unknowns = (Unknown("visibility.state", reason, hint_for(stated, view.hint())),)
    elif view.autopilot is False:
        # proto3 JSON leaves false out.
        state, basis = "off", "field absent"
    elif view.autopilot:
        state, basis = "on", "Autopilot default"
        evidence = (*evidence, Evidence(view.asset, "autopilot.enabled", observed=True))
    else:
        state, basis = None, "mode unreadable"
        doubt = fault(view.data.get("autopilot"), "is malformed")
        reason = f"The cluster's `autopilot` {doubt}, and the default depends on the mode."
        unknowns = (Unknown("visibility.state", reason, view.hint()),)
    mechanism, why_not = _mechanism(view, text(config, "datapathProvider"))
    if mechanism is None:
        unknowns = (*unknowns, Unknown("visibility.mechanism", why_not, view.hint()))
    return Visibility(state, basis, mechanism, evidence, unknowns)


def _mechanism(view: ClusterView, datapath: str | None) -> tuple[Literal["netd", "eBPF"] | None, str]:
    if datapath is None:
        provider = view.network_config and view.network_config.get("datapathProvider")
        return None, f"The cluster's `networkConfig.datapathProvider` {fault(provider, 'is not a string')}."
    if datapath != "ADVANCED_DATAPATH":
        return "netd", ""
    versions = [view.data.get("currentMasterVersion")]
    if view.pools is None:
        versions.append(None)
    elif view.pools:
        versions += [pool.data.get("version") for pool in view.pools]
    else:
        # Without pools on show, the oldest node speaks for them all.
        versions.append(view.data.get("currentNodeVersion"))
    ages = set()
    for version in versions:
        parsed = parse_version(version) if isinstance(version, str) else None
        ages.add(None if parsed is None else parsed >= EBPF_SINCE)
    if ages == {True}:
        return "eBPF", ""
    if ages == {False}:
        return "netd", ""
    if None in ages:
        open_version = within([one for one in versions if one is not None])
        more = "" if open_version is None else f": it is {open_version}"
        return None, f"The version of the control plane or of a node pool is not known{more}."
    return (
        None,
        "Control plane and node pools are on both sides of 1.36.0-gke.3302000, where eBPF replaces netd.",
    )

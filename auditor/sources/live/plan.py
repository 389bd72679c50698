"""What a collection would do, without doing any of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.sources import wording
from auditor.sources.live import calls, outside
from auditor.sources.live.clusters import MANY
from auditor.sources.live.collect import listings
from auditor.sources.live.endpoints import emulators
from auditor.sources.live.listing import PAGE
from auditor.sources.live.scope import checked

if TYPE_CHECKING:
    from auditor.sources.live.calls import Call
    from auditor.sources.live.collect import Options


def described(options: Options) -> str:
    """The calls that a collection makes, how many, and what each needs, as text. Makes no call.

    Raises `AuditorError` for what is no scope, and for an emulator that is not on this machine.
    """
    scopes = tuple(dict.fromkeys(checked(scope) for scope in options.scopes))
    emulated = emulators()
    lines = ["A collection makes these calls, all of which read. None has been made."]
    streams = [one for scope in scopes for one in listings(scope, len(scopes))]
    lines += _call(
        "ListAssets (Cloud Asset Inventory)",
        calls.LIST_ASSETS,
        ", ".join(scopes),
        f"{len(streams)}, and one more for each further {PAGE:,} assets of a listing; at most "
        f"{options.rate} a minute",
    )
    lines += [f"    {one.scope}: {', '.join(one.asset_types)}" for one in streams]
    if any(not scope.startswith("organizations/") for scope in scopes):
        lines += _call(
            "ListAssets, of what lies outside and matters",
            calls.LIST_ASSETS,
            "the host projects of Shared VPC networks, and the organization above (its folders, if that is "
            "refused)",
            f"{len(outside.HOST_TYPES)} for each host project, 1 for each organization",
        )
    if options.cluster_api != "never" and not (emulated.any and not emulated.container):
        lines += _call(
            "ListClusters (Kubernetes Engine API)",
            calls.LIST_CLUSTERS,
            "each project that has a cluster" + _projects(scopes) + _many(options),
            f"1 for each of them; at most {options.cluster_rate} a minute",
        )
    if options.kubernetes_evidence:
        lines += _call(
            "GET daemonsets in kube-system (Kubernetes API of each Standard cluster)",
            calls.DAEMON_SETS,
            "each project that has a cluster",
            f"1 for each cluster; at most {options.kubernetes_at_once} clusters at a time, each for "
            f"{options.kubernetes_timeout:g} s at most",
        )
        lines += _call(
            "GET configmaps/ip-masq-agent in kube-system, and the ConfigMaps that such an agent mounts",
            calls.CONFIG_MAP,
            "each project that has a cluster",
            "1 or more for each Standard cluster",
        )
        lines += _call(
            "GET egressnatpolicies (Kubernetes API of each Autopilot cluster)",
            calls.NAT_POLICIES,
            "each project that has a cluster",
            "1 for each cluster",
        )
        lines += _call(
            "SearchAllResources (Cloud Asset Inventory), for Pods of ip-masq-agent",
            calls.SEARCH_RESOURCES,
            ", ".join(scopes),
            "1 for each scope, if a cluster's DaemonSets could not be read",
        )
    if options.effective_firewalls:
        where = "the project of each network whose policies could not all be read"
        lines += _call(
            "GET networks.getEffectiveFirewalls (Compute Engine API)",
            calls.NETWORK_FIREWALLS,
            where,
            "1 for each network",
        )
        lines += _call(
            "GET regionNetworkFirewallPolicies.getEffectiveFirewalls (Compute Engine API)",
            calls.REGION_FIREWALLS,
            where,
            "1 for each network and region of a cluster",
        )
    if emulated.any:
        lines += [
            "",
            "Emulators are named in the environment: no credentials are used, nothing leaves this machine.",
        ]
    lines += ["", f"Kept: assets of {len(wording.USED)} types; docs/collecting.md lists the fields."]
    return "\n".join(lines) + "\n"


def _many(options: Options) -> str:
    if options.cluster_api == "always":
        return ""
    return f"; of more than {MANY:,} only those with a cluster whose asset is incomplete"


def _projects(scopes: tuple[str, ...]) -> str:
    named = [scope for scope in scopes if scope.startswith("projects/")]
    return f", and {', '.join(named)}" if named else ""


def _call(title: str, call: Call, where: str, count: str) -> list[str]:
    return [
        "",
        title,
        f"  permission  {call.permission} (in {call.role})",
        f"  on          {where}",
        f"  calls       {count}",
    ]

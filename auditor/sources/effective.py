"""Answers of getEffectiveFirewalls: the network and the region each is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.model.names import canonical, last

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditor.model.evidence import Json
    from auditor.model.network import FirewallPolicy
    from auditor.sources.parse import Object

_REGIONAL = frozenset({"NETWORK_REGIONAL", "SYSTEM_GLOBAL", "SYSTEM_REGIONAL"})
"""Policy types that only the regional getEffectiveFirewalls answers with (Compute API v1)."""


def networks_of(data: Object) -> set[str]:
    """The networks that an answer of getEffectiveFirewalls names: its own key, its rules', its policies'."""
    stated = data.get("network")
    if isinstance(stated, str) and stated:
        return {canonical(stated)}
    found: set[str] = set()
    for rule in _objects(data.get("firewalls")):
        network = rule.get("network")
        if isinstance(network, str) and network:
            found.add(canonical(network))
    if found:
        return found
    for policy in _policies_of(data):
        for association in _objects(policy.get("associations")):
            target = association.get("attachmentTarget")
            if isinstance(target, str) and "/networks/" in target:
                found.add(canonical(target))
    return found


def _objects(value: Json) -> list[Object]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _policies_of(data: Object) -> list[Object]:
    return [*_objects(data.get("firewallPolicys")), *_objects(data.get("firewallPolicies"))]


def region_of_answer(
    data: Object, network: str, policies: Sequence[FirewallPolicy], regions: set[str]
) -> str | None:
    """The region an answer is for: empty if it is the global one, None if it cannot be told."""
    stated = data.get("region")
    if isinstance(stated, str) and stated:
        return last(canonical(stated))
    own = [one for one in _policies_of(data) if str(one.get("type")).upper() in _REGIONAL]
    if not own:
        return ""
    found = {
        parts[3]
        for one in own
        for key in ("selfLink", "region")
        if len(parts := canonical(str(one.get(key) or "")).split("/")) > 3 and parts[2] == "regions"
    }
    names = {str(one.get("name")) for one in own}
    found = found or {
        policy.region
        for policy in policies
        if policy.region
        and last(canonical(policy.asset)) in names
        and any(one.target == network for one in policy.associations)
    }
    found = found or regions
    return next(iter(found)) if len(found) == 1 else None

"""Networks, firewalls, policies and address groups of the Terraform provider -> the APIs' JSON.

Source of the names: Terraform provider documentation of each resource type, and the Compute API v1. Deferred
values stay where they stand, so that the parser of the asset names the attribute as what it could not read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.model.deferred import text_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.model.evidence import Json

Object = dict[str, "Json"]
Get = "Callable[[str], Json]"


def _set(found: Object, **fields: Json) -> Object:
    found.update({name: value for name, value in fields.items() if value is not None and value != ""})
    return found


def _block(value: Json) -> Json:
    """The content of a block that occurs at most once: None if it does not, or a deferred value."""
    if text_of(value) is not None:
        return value
    if isinstance(value, list):
        return value[0] if value else None
    return value


def network(get: Callable[[str], Json]) -> Object:
    """A Network."""
    return _set(
        {},
        name=get("name"),
        mtu=get("mtu") or None,
        networkFirewallPolicyEnforcementOrder=get("network_firewall_policy_enforcement_order"),
    )


def subnetwork(get: Callable[[str], Json], network_reference: Json) -> Object:
    """A Subnetwork. A `log_config` block turns flow logs on, and its absence turns them off."""
    block = _block(get("log_config"))
    logs: Object
    if text_of(block) is not None:
        logs = {"enable": block}
    elif isinstance(block, dict):
        logs = _set(
            {"enable": True},
            aggregationInterval=block.get("aggregation_interval"),
            flowSampling=block.get("flow_sampling"),
            metadata=block.get("metadata"),
            filterExpr=block.get("filter_expr") if block.get("filter_expr") != "true" else None,
        )
        for value in block.values():
            if text_of(value) is not None:
                # Of what is logged something is open, and it is the number that must be one.
                logs["flowSampling"] = value
    else:
        logs = {"enable": False}
    listed = get("secondary_ip_range")
    ranges: Json = None
    if text_of(listed) is not None:
        ranges = [listed]
    elif isinstance(listed, list):
        ranges = [
            _set({}, rangeName=one.get("range_name"), ipCidrRange=one.get("ip_cidr_range"))
            if isinstance(one, dict)
            else one
            for one in listed
        ]
    return _set(
        {"logConfig": logs},
        name=get("name"),
        region=get("region"),
        network=network_reference,
        ipCidrRange=get("ip_cidr_range"),
        secondaryIpRanges=ranges,
        ipv6CidrRange=get("ipv6_cidr_range"),
        internalIpv6Prefix=get("internal_ipv6_prefix"),
        externalIpv6Prefix=get("external_ipv6_prefix"),
    )


def firewall(get: Callable[[str], Json], network_reference: Json) -> Object:
    """A VPC firewall rule."""
    logs = get("log_config")
    logged: Json = logs if text_of(logs) is not None else bool(logs)
    if not logs and get("enable_logging") is True:
        logged = True
    data = _set(
        {"logConfig": {"enable": logged}},
        name=get("name"),
        network=network_reference,
        direction=get("direction"),
        priority=get("priority"),
        disabled=get("disabled"),
        allowed=_layer4(get("allow"), "IPProtocol", "protocol"),
        denied=_layer4(get("deny"), "IPProtocol", "protocol"),
    )
    for name, argument in (
        ("sourceRanges", "source_ranges"),
        ("destinationRanges", "destination_ranges"),
        ("sourceTags", "source_tags"),
        ("sourceServiceAccounts", "source_service_accounts"),
        ("targetTags", "target_tags"),
        ("targetServiceAccounts", "target_service_accounts"),
    ):
        _set(data, **{name: get(argument)})
    # A rule without a network is one of the network `default`, which this is not known to be.
    data.setdefault("network", False)
    return data


def _layer4(blocks: Json, name: str, argument: str) -> Json:
    if not isinstance(blocks, list) or text_of(blocks) is not None:
        return blocks
    found: list[Json] = []
    for one in blocks:
        if isinstance(one, dict):
            found.append(_set({}, **{name: one.get(argument), "ports": one.get("ports") or None}))
        else:
            found.append(one)
    return found or None


_MATCH = {
    "srcIpRanges": ("src_ip_ranges",),
    "destIpRanges": ("dest_ip_ranges",),
    "srcAddressGroups": ("src_address_groups",),
    "destAddressGroups": ("dest_address_groups",),
    "srcFqdns": ("src_fqdns",),
    "destFqdns": ("dest_fqdns",),
    "srcRegionCodes": ("src_region_codes",),
    "destRegionCodes": ("dest_region_codes",),
    "srcThreatIntelligences": ("src_threat_intelligences",),
    "destThreatIntelligences": ("dest_threat_intelligences",),
    "srcNetworkContext": ("src_network_context", "src_network_type", "src_network_scope"),
    "destNetworkContext": ("dest_network_context", "dest_network_type", "dest_network_scope"),
    "srcNetworks": ("src_networks",),
}


def policy_rule(get: Callable[[str], Json]) -> Object:
    """A rule of a firewall policy, from a rule resource or from a block of a policy with rules."""
    block = _block(get("match"))
    match: Json
    if isinstance(block, dict):
        found: Object = {}
        for name, arguments in _MATCH.items():
            stated = [block[one] for one in arguments if block.get(one) not in (None, "", [])]
            if stated:
                found[name] = stated[0]
        configs = block.get("layer4_configs") or block.get("layer4_config")
        _set(
            found,
            layer4Configs=_layer4(configs, "ipProtocol", "ip_protocol"),
            srcSecureTags=_tags(block.get("src_secure_tags") or block.get("src_secure_tag")),
        )
        match = found
    else:
        match = block
    return _set(
        {},
        priority=get("priority"),
        direction=get("direction"),
        action=get("action"),
        description=get("description"),
        ruleName=get("rule_name"),
        disabled=get("disabled"),
        enableLogging=get("enable_logging"),
        match=match,
        targetResources=get("target_resources") or None,
        targetServiceAccounts=get("target_service_accounts") or None,
        targetSecureTags=_tags(get("target_secure_tags") or get("target_secure_tag")),
        targetType=get("target_type"),
        targetForwardingRules=get("target_forwarding_rules") or None,
    )


def _tags(blocks: Json) -> Json:
    """Secure tags. Until a rule is made nobody says whether its tags are in effect."""
    if not isinstance(blocks, list) or text_of(blocks) is not None:
        return blocks
    return [
        _set({}, name=one.get("name"), state=one.get("state")) if isinstance(one, dict) else one
        for one in blocks
    ] or None


def address_group(get: Callable[[str], Json]) -> Object:
    """An address group."""
    return _set({}, items=get("items"))

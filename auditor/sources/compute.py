"""JSON of the Compute and Network Security APIs -> the typed model, oddities of its sources undone.

The parsers never raise: what they cannot understand is named in `problems`, and where it bears on what a
rule matches, in `unclear`. Sources differ in spelling (Cloud Asset Inventory documentation; Terraform
converters): numbers may be floats or decimal strings, messages one-element lists, fields null, and older
exports repeat fields under a second name (`IPProtocol` and `ipProtocol`, `sourceRange` and `sourceRanges`).
"""

from __future__ import annotations

from functools import lru_cache
from sys import intern
from typing import TYPE_CHECKING, Any, Literal

from auditor.model.addresses import parse_range
from auditor.model.deferred import text_of, within
from auditor.model.names import canonical, last, project_of, region_of
from auditor.model.network import (
    AddressGroup,
    Association,
    EffectiveFirewalls,
    FirewallPolicy,
    FirewallRule,
    FlowLogConfig,
    Layer4,
    Network,
    PolicyEndpoint,
    PolicyRule,
    SecureTag,
    Subnetwork,
)

if TYPE_CHECKING:
    from auditor.model.network import Action, Aspect, Direction, PolicyKind

_PROTOCOLS = {"tcp": 6, "udp": 17, "icmp": 1, "esp": 50, "ah": 51, "sctp": 132, "ipip": 4}
_WITH_PORTS = frozenset((6, 17, 132))
_VPC_PRIORITIES = (0, 65535)
_POLICY_PRIORITIES = (0, 2147483647)
_DEFAULT_PRIORITY = 1000
_CLEAR: frozenset[Aspect] = frozenset()
_CONTEXTS = frozenset(("", "INTERNET", "NON_INTERNET", "INTRA_VPC", "VPC_NETWORKS"))
_EFFECTIVE_KINDS: dict[str, PolicyKind] = {
    "HIERARCHY": "hierarchical",
    "NETWORK": "network_global",
    "NETWORK_REGIONAL": "network_regional",
    "SYSTEM": "system",
    "SYSTEM_GLOBAL": "system",
    "SYSTEM_REGIONAL": "system",
}


class _Problems:
    """What could not be understood in one asset: sentences, and the aspects they make unclear."""

    __slots__ = ("aspects", "texts")

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.aspects: set[Aspect] = set()

    def add(self, text: str, aspect: Aspect | None = None) -> None:
        self.texts.append(text)
        if aspect is not None:
            self.aspects.add(aspect)

    def unclear(self) -> frozenset[Aspect]:
        return frozenset(self.aspects) if self.aspects else _CLEAR


def _show(value: object) -> str:
    """A value as an error message shows it: short, whatever it is."""
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else value[:57] + "...")
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return str(value) if value.bit_length() <= 64 else "a huge number"
    if isinstance(value, float):
        return repr(value)
    deferred = text_of(value) or text_of([value])
    if deferred is not None:
        return deferred
    return (
        "a list" if isinstance(value, list) else "an object" if isinstance(value, dict) else "no JSON value"
    )


def _plain(value: object) -> str:
    """A string, or a whole number in decimal; anything else as words that are no valid protocol or port."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= 64:
        return str(value)
    return f"({_show(value)})"


def _integer(value: object, low: int, high: int) -> int | None:
    """A whole number within bounds, however it is spelt; None otherwise."""
    if type(value) is int:
        return value if low <= value <= high else None
    if isinstance(value, float) and value.is_integer():
        return int(value) if low <= value <= high else None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 20:
        return int(value) if low <= int(value) <= high else None
    return None


def _flag(value: object) -> bool | None:
    """A boolean, absent being false; None if it is something else."""
    if value is None or value is False:
        return False
    if value is True:
        return True
    return {"true": True, "false": False}.get(value.lower()) if isinstance(value, str) else None


def _message(value: object) -> dict[str, Any] | None:
    """An object, absent being empty; None if it is something else. A list of one stands for its element."""
    if type(value) is dict:
        return value
    if value is None or value == []:
        return {}
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        return value[0]
    return None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


@lru_cache(maxsize=1 << 17)
def _shared(texts: tuple[str, ...]) -> tuple[str, ...]:
    """The same tuple for equal lists of strings, so that rules share it."""
    if not all(type(text) is str for text in texts):
        raise TypeError("not a list of strings")
    return tuple(map(intern, texts))


def _texts(value: object, name: str, aspect: Aspect, problems: _Problems) -> tuple[str, ...]:
    """A list of strings, absent being empty; a lone string counts as a list of one."""
    if value is None or value == []:
        return ()
    if type(value) is list:
        try:
            return _shared(tuple(value))
        except TypeError:
            deferred = text_of(value)
            if deferred is not None:
                problems.add(f"{name} is {deferred}", aspect)
                return ()
            good = [text for text in value if isinstance(text, str)]
            odd = next(item for item in value if not isinstance(item, str))
            problems.add(f"{name} holds {_show(odd)} where a string belongs", aspect)
            return tuple(good)
    if isinstance(value, str):
        return _shared((value,))
    problems.add(f"{name} is {_show(value)}, not a list of strings", aspect)
    return ()


@lru_cache(maxsize=1 << 17)
def _checked(texts: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The same tuple for equal lists of ranges, and those among them that are none."""
    shared = _shared(texts)
    return shared, tuple(text for text in shared if parse_range(text) is None)


def _ranges(value: object, name: str, aspect: Aspect, problems: _Problems) -> tuple[str, ...]:
    """A list of CIDRs; malformed ones stay in it and are named among the problems."""
    if type(value) is list:
        try:
            texts, malformed = _checked(tuple(value))
        except TypeError:
            # Not all of them are strings: `_texts` says which, and keeps the rest.
            texts, malformed = _checked(_texts(value, name, aspect, problems))
    else:
        texts, malformed = _checked(_texts(value, name, aspect, problems))
    for text in malformed:
        problems.add(f"{name} holds {_show(text)}, which is no IP range", aspect)
    return texts


def _port_range(text: str) -> tuple[int, int] | None:
    first, dash, second = text.strip().partition("-")
    low = _integer(first.strip(), 0, 65535)
    high = _integer(second.strip(), 0, 65535) if dash else low
    return None if low is None or high is None or low > high else (low, high)


@lru_cache(maxsize=1 << 14)
def _layer4_of(
    entries: tuple[tuple[str, tuple[str, ...]], ...],
) -> tuple[tuple[Layer4, ...], tuple[str, ...]]:
    """Protocols with ports as typed values, and what is wrong with the rest."""
    if not all(type(name) is str and all(type(port) is str for port in ports) for name, ports in entries):
        raise TypeError("not strings")
    found: list[Layer4] = []
    wrong: list[str] = []
    for name, texts in entries:
        word = name.strip().lower()
        number = _PROTOCOLS.get(word)
        if number is None and word != "all":
            number = _integer(word, 0, 255)
            if number is None:
                wrong.append(f"{_show(name)} is no protocol")
                continue
        ports: list[tuple[int, int]] = []
        if number in _WITH_PORTS:
            for text in texts:
                pair = _port_range(text)
                if pair is None:
                    wrong.append(f"{_show(text)} is no port or range of ports")
                else:
                    ports.append(pair)
            if texts and not ports:
                continue
        elif texts and number is None:
            # The API takes ports for tcp, udp and sctp alone; on `all` they could mean two things.
            wrong.append("ports are given for all protocols")
        found.append(Layer4(number, tuple(ports)))
    return tuple(found), tuple(wrong)


def _layer4(value: object, name: str, key: str, old: str, problems: _Problems) -> tuple[Layer4, ...]:
    """`allowed`, `denied` or `layer4Configs`; `key` and `old` are the spellings of the protocol's field."""
    if isinstance(value, dict):
        value = [value]
    if type(value) is not list:
        problems.add(f"{name} is {_show(value)}, not a list", "layer4")
        return ()
    deferred = text_of(value)
    if deferred is not None:
        problems.add(f"{name} is {deferred}", "layer4")
        return ()
    entries: list[tuple[Any, tuple[Any, ...]]] = []
    for entry in value:
        if type(entry) is not dict:
            problems.add(f"{name} holds {_show(entry)} where an object belongs", "layer4")
            continue
        protocol = entry.get(key)
        if protocol is None:
            protocol = entry.get(old)
        ports = entry.get("ports")
        if ports is None:
            entries.append((protocol, ()))
        elif type(ports) is list:
            entries.append((protocol, tuple(ports)))
        else:
            entries.append((protocol, (ports,)))
    try:
        found, wrong = _layer4_of(tuple(entries))
    except TypeError:
        deferred = within(value)
        if deferred is not None:
            problems.add(f"{name} is {deferred}", "layer4")
            return ()
        found, wrong = _layer4_of(tuple((_plain(p), tuple(map(_plain, ports))) for p, ports in entries))
    for text in wrong:
        problems.add(f"{name}: {text}", "layer4")
    return found


@lru_cache(maxsize=1 << 14)
def _reference(reference: str, project: str) -> str:
    """A canonical reference; one without a project belongs to the project of the asset that names it."""
    found = canonical(reference)
    if found.startswith(("projects/", "organizations/", "folders/")) or not project:
        return found
    if "/" not in found:
        found = f"global/networks/{found}"
    return f"projects/{project}/{found}"


def _own(asset: str, data: dict[str, Any]) -> str:
    """The canonical reference of an asset: its name's, else its `selfLink`'s."""
    found = canonical(asset)
    return (
        found if found.startswith(("projects/", "organizations/")) else canonical(_text(data.get("selfLink")))
    )


def _object(data: object, problems: _Problems) -> dict[str, Any]:
    found = _message(data)
    if found is None:
        problems.add(f"the asset's data is {_show(data)}, not an object")
        return {}
    return found


def parse_network(asset: str, data: object) -> Network:
    """A `compute.googleapis.com/Network`: MTU 1460 and `AFTER_CLASSIC_FIREWALL` where it states none."""
    problems = _Problems()
    fields = _object(data, problems)
    understood = not problems.texts
    key = _own(asset, fields)
    mtu: int | None = 1460 if understood else None
    if fields.get("mtu") is not None:
        mtu = _integer(fields["mtu"], 0, 65535) or None
        if mtu is None:
            problems.add(f"mtu is {_show(fields['mtu'])}")
    stated = fields.get("networkFirewallPolicyEnforcementOrder")
    order: Literal["AFTER_CLASSIC_FIREWALL", "BEFORE_CLASSIC_FIREWALL"] | None = None
    if stated == "BEFORE_CLASSIC_FIREWALL":
        order = "BEFORE_CLASSIC_FIREWALL"
    elif not understood:
        order = None
    elif stated is None or stated in ("", "AFTER_CLASSIC_FIREWALL"):
        order = "AFTER_CLASSIC_FIREWALL"
    else:
        problems.add(f"networkFirewallPolicyEnforcementOrder is {_show(stated)}")
    return Network(
        asset=asset,
        key=key,
        name=_text(fields.get("name")) or last(key),
        project=project_of(key),
        mtu=mtu,
        enforcement_order=order,
        problems=tuple(problems.texts),
    )


def _flow_logs(fields: dict[str, Any], problems: _Problems) -> FlowLogConfig:
    config = _message(fields.get("logConfig"))
    if config is None:
        problems.add(f"logConfig is {_show(fields.get('logConfig'))}, not an object")
        config = {}
    enabled: bool | None = None
    # `logConfig.enable` is the field to use; `enableFlowLogs` its older twin (Compute API v1, Subnetwork).
    stated = config.get("enable") if config.get("enable") is not None else fields.get("enableFlowLogs")
    if stated is not None:
        enabled = _flag(stated)
        if enabled is None:
            problems.add(f"flow logs are enabled: {_show(stated)}")
    sampling = config.get("flowSampling")
    if isinstance(sampling, str):
        try:
            sampling = float(sampling)
        except ValueError:
            problems.add(f"logConfig.flowSampling is {_show(sampling)}")
            sampling = None
    if isinstance(sampling, bool) or not isinstance(sampling, int | float | None):
        problems.add(f"logConfig.flowSampling is {_show(sampling)}")
        sampling = None
    if sampling is not None and not 0 <= sampling <= 1:
        problems.add(f"logConfig.flowSampling is {_show(sampling)}, not within 0 and 1")
        sampling = None
    return FlowLogConfig(
        enabled=enabled,
        aggregation=_text(config.get("aggregationInterval")) or "INTERVAL_5_SEC",
        sampling=0.5 if sampling is None else float(sampling),
        metadata=_text(config.get("metadata")) or "EXCLUDE_ALL_METADATA",
        filter=_text(config.get("filterExpr")),
    )


def parse_subnetwork(asset: str, data: object) -> Subnetwork:
    """A `compute.googleapis.com/Subnetwork`; ranges are as the asset spells them."""
    problems = _Problems()
    fields = _object(data, problems)
    key = _own(asset, fields)
    parts = key.split("/")
    region = last(canonical(_text(fields.get("region"))))
    secondary: dict[str, str] = {}
    listed = fields.get("secondaryIpRanges")
    for entry in listed if isinstance(listed, list) else [] if listed is None else [listed]:
        name, cidr = (
            (entry.get("rangeName"), entry.get("ipCidrRange")) if isinstance(entry, dict) else (None, None)
        )
        if isinstance(name, str) and isinstance(cidr, str):
            secondary[name] = cidr
        else:
            deferred = within(entry) or text_of([entry])
            problems.add(
                f"secondaryIpRanges: {deferred}"
                if deferred
                else f"secondaryIpRanges holds {_show(entry)}, no named range"
            )
    ipv6 = (fields.get("ipv6CidrRange"), fields.get("internalIpv6Prefix"), fields.get("externalIpv6Prefix"))
    return Subnetwork(
        asset=asset,
        key=key,
        name=_text(fields.get("name")) or last(key),
        project=project_of(key),
        region=parts[3] if len(parts) > 3 and parts[2] == "regions" else region,
        network=_reference(_text(fields.get("network")), project_of(key)) if fields.get("network") else "",
        ip_cidr_range=_text(fields.get("ipCidrRange")),
        secondary_ranges=secondary,
        ipv6_ranges=tuple(dict.fromkeys(text for text in ipv6 if isinstance(text, str) and text)),
        flow_logs=_flow_logs(fields, problems),
        problems=tuple(problems.texts),
    )


def parse_firewall(asset: str, data: object) -> FirewallRule:
    """A `compute.googleapis.com/Firewall`: INGRESS at priority 1000 where it states none.

    A rule that names no network applies to the network `default` of its project (Compute API v1).
    """
    problems = _Problems()
    fields = data if type(data) is dict else _firewall_object(data, problems)
    get = fields.get
    direction: Direction = "INGRESS"
    stated = get("direction")
    if stated == "EGRESS":
        direction = "EGRESS"
    elif stated is not None and stated != "INGRESS":
        problems.add(f"direction is {_show(stated)}", "direction")
    priority = get("priority", _DEFAULT_PRIORITY)
    if type(priority) is not int or not 0 <= priority <= 65535:
        priority = _DEFAULT_PRIORITY if priority is None else _integer(priority, *_VPC_PRIORITIES)
        if priority is None:
            problems.add(f"priority is {_show(get('priority'))}", "priority")
            priority = _DEFAULT_PRIORITY
    allowed = get("allowed")
    denied = get("denied")
    layer4: tuple[Layer4, ...] = ()
    if allowed and not denied:
        layer4 = _layer4(allowed, "allowed", "IPProtocol", "ipProtocol", problems)
    elif denied and not allowed:
        layer4 = _layer4(denied, "denied", "IPProtocol", "ipProtocol", problems)
    else:
        problems.add("exactly one of allowed and denied must be given", "action")
        problems.aspects.add("layer4")
    disabled = get("disabled", False)
    if disabled is not False and disabled is not True:
        disabled = _flag(disabled)
        if disabled is None:
            problems.add(f"disabled is {_show(get('disabled'))}", "disabled")
            disabled = False
    logging: bool | None = False
    logs = get("logConfig")
    if logs is not None:
        message = logs if type(logs) is dict else _message(logs)
        stated = None if message is None else _flag(message.get("enable"))
        deferred = text_of(message.get("enable")) if message and stated is None else None
        if deferred is not None:
            problems.add(f"logConfig.enable is {deferred}")
        elif stated is None:
            problems.add("logConfig could not be understood")
        logging = None if deferred is not None else bool(stated)
    network = get("network")
    if type(network) is str and network:
        network = _reference(network, "" if "projects/" in network else _project_of_asset(asset, fields))
    elif network is None:
        network = _reference("global/networks/default", _project_of_asset(asset, fields))
    else:
        problems.add(f"network is {_show(network)}", "target")
        network = ""
    name = get("name")
    none: tuple[str, ...] = ()
    source_ranges = destination_ranges = source_tags = none
    source_accounts = target_tags = target_accounts = none
    value = get("sourceRanges")
    if value is None:
        value = get("sourceRange")
    if value is not None:
        source_ranges = _ranges(value, "sourceRanges", "source", problems)
    value = get("destinationRanges")
    if value is None:
        value = get("destinationRange")
    if value is not None:
        destination_ranges = _ranges(value, "destinationRanges", "destination", problems)
    value = get("sourceTags")
    if value is None:
        value = get("sourceTag")
    if value is not None:
        source_tags = _texts(value, "sourceTags", "source", problems)
    value = get("sourceServiceAccounts")
    if value is None:
        value = get("sourceServiceAccount")
    if value is not None:
        source_accounts = _texts(value, "sourceServiceAccounts", "source", problems)
    value = get("targetTags")
    if value is None:
        value = get("targetTag")
    if value is not None:
        target_tags = _texts(value, "targetTags", "target", problems)
    value = get("targetServiceAccounts")
    if value is None:
        value = get("targetServiceAccount")
    if value is not None:
        target_accounts = _texts(value, "targetServiceAccounts", "target", problems)
    return FirewallRule(
        asset,
        name if isinstance(name, str) and name else last(asset),
        network,
        direction,
        priority,
        "deny" if denied and not allowed else "allow",
        layer4,
        source_ranges,
        destination_ranges,
        source_tags,
        source_accounts,
        target_tags,
        target_accounts,
        disabled,
        logging,
        tuple(problems.texts) if problems.texts else (),
        problems.unclear(),
    )


def _firewall_object(data: object, problems: _Problems) -> dict[str, Any]:
    fields = _object(data, problems)
    if problems.texts:
        problems.aspects.update(
            ("direction", "priority", "action", "layer4", "source", "destination", "target")
        )
    return fields


def _project_of_asset(asset: str, fields: dict[str, Any]) -> str:
    return project_of(_own(asset, fields))


def _secure_tags(value: object, name: str, aspect: Aspect, problems: _Problems) -> tuple[SecureTag, ...]:
    found: list[SecureTag] = []
    for entry in value if isinstance(value, list) else [] if value is None else [value]:
        fields = entry if isinstance(entry, dict) else {}
        tag, state = fields.get("name"), fields.get("state")
        if not isinstance(tag, str):
            shown = within(entry) or _show(entry)
            problems.add(f"{name} holds {shown}, no secure tag", aspect)
            continue
        effective = {"EFFECTIVE": True, "INEFFECTIVE": False}.get(state) if isinstance(state, str) else None
        found.append(SecureTag(tag, effective))
    return tuple(found)


def _endpoint(
    match: dict[str, Any], side: str, aspect: Aspect, project: str, problems: _Problems
) -> PolicyEndpoint:
    """The `src…` or `dest…` half of a policy rule's match."""

    def texts(field: str) -> tuple[str, ...]:
        return _texts(match.get(side + field), side + field, aspect, problems)

    context = ""
    # The field was renamed twice: srcNetworkScope, srcNetworkType, srcNetworkContext.
    for field in ("NetworkContext", "NetworkType", "NetworkScope"):
        stated = match.get(side + field)
        if stated is not None:
            context = stated.strip().upper() if isinstance(stated, str) else "?"
            context = "" if context in ("UNSPECIFIED", "NETWORK_CONTEXT_UNSPECIFIED") else context
            if context not in _CONTEXTS:
                problems.add(f"{side}{field} is {_show(stated)}", aspect)
                context = ""
            break
    if side == "dest" and match.get("destSecureTags") is not None:
        problems.add("destSecureTags is no field of the API", aspect)
    return PolicyEndpoint(
        ip_ranges=_ranges(match.get(side + "IpRanges"), side + "IpRanges", aspect, problems),
        address_groups=tuple(canonical(text) for text in texts("AddressGroups")),
        fqdns=texts("Fqdns"),
        region_codes=texts("RegionCodes"),
        threat_intelligences=texts("ThreatIntelligences"),
        secure_tags=_secure_tags(match.get("srcSecureTags"), "srcSecureTags", aspect, problems)
        if side == "src"
        else (),
        network_context=context,
        networks=tuple(_reference(text, project) for text in texts("Networks")),
    )


def _policy_rule(entry: object, project: str) -> PolicyRule:
    problems = _Problems()
    fields = _message(entry)
    if fields is None:
        fields = {}
        problems.add(f"a rule is {_show(entry)}, not an object")
        problems.aspects.update(
            ("direction", "priority", "action", "layer4", "source", "destination", "target")
        )
    get = fields.get
    stated = get("direction")
    direction: Direction = "EGRESS" if stated == "EGRESS" else "INGRESS"
    if stated not in ("INGRESS", "EGRESS"):
        problems.add(f"direction is {_show(stated)}", "direction")
    priority = _integer(get("priority"), *_POLICY_PRIORITIES)
    if priority is None:
        problems.add(f"priority is {_show(get('priority'))}", "priority")
        priority = 0
    action: Action = "deny"
    word = _text(get("action")).strip().lower()
    if word in ("allow", "deny", "goto_next", "apply_security_profile_group"):
        action = word  # type: ignore[assignment]  # one of the four just compared with
    else:
        problems.add(f"action is {_show(get('action'))}", "action")
    disabled = _flag(get("disabled"))
    if disabled is None:
        problems.add(f"disabled is {_show(get('disabled'))}", "disabled")
    match = _message(get("match"))
    if match is None:
        problems.add(f"match is {_show(get('match'))}, not an object")
        problems.aspects.update(("layer4", "source", "destination"))
        match = {}
    layer4: tuple[Layer4, ...] = ()
    configs = match.get("layer4Configs")
    if configs is None:
        configs = match.get("layer4Config")
    if configs is not None and configs != []:
        layer4 = _layer4(configs, "layer4Configs", "ipProtocol", "IPProtocol", problems)
    target_type = get("targetType")
    if target_type is not None and not isinstance(target_type, str):
        problems.add(f"targetType is {_show(target_type)}", "target")
    return PolicyRule(
        priority=priority,
        direction=direction,
        action=action,
        label=_text(get("ruleName")) or _text(get("description")),
        disabled=bool(disabled),
        logging=bool(_flag(get("enableLogging"))),
        target_type=_text(target_type).strip().upper(),
        target_resources=tuple(
            _reference(text, project)
            for text in _texts(get("targetResources"), "targetResources", "target", problems)
        ),
        target_service_accounts=_texts(
            get("targetServiceAccounts"), "targetServiceAccounts", "target", problems
        ),
        target_secure_tags=_secure_tags(get("targetSecureTags"), "targetSecureTags", "target", problems),
        target_forwarding_rules=_texts(
            get("targetForwardingRules"), "targetForwardingRules", "target", problems
        ),
        layer4=layer4,
        source=_endpoint(match, "src", "source", project, problems),
        destination=_endpoint(match, "dest", "destination", project, problems),
        problems=tuple(problems.texts),
        unclear=problems.unclear(),
    )


def _rules(fields: dict[str, Any], project: str, problems: _Problems) -> tuple[PolicyRule, ...]:
    listed = fields.get("rules")
    if listed is None:
        # Every policy has at least its four predefined rules: their absence is the output's.
        problems.add("the rules of the policy are not in the input")
        return ()
    if isinstance(listed, dict):
        listed = [listed]
    if not isinstance(listed, list):
        problems.add(f"rules is {_show(listed)}, not a list")
        return ()
    return tuple(_policy_rule(entry, project) for entry in listed)


def _associations(fields: dict[str, Any], project: str, problems: _Problems) -> tuple[Association, ...]:
    listed = fields.get("associations")
    found: list[Association] = []
    for entry in listed if isinstance(listed, list) else [] if listed is None else [listed]:
        association = entry if isinstance(entry, dict) else {}
        name, stated = association.get("name"), association.get("attachmentTarget")
        target = _reference(stated, project) if isinstance(stated, str) and stated else ""
        priority = association.get("priority")
        number = _DEFAULT_PRIORITY if priority is None else _integer(priority, *_POLICY_PRIORITIES)
        if target and number is not None and (name is None or isinstance(name, str)):
            found.append(Association(name or "", target, number))
        else:
            # Its place among the others is not known: one that may apply anywhere, and first, stands for all.
            deferred = within(association)
            problems.add(
                f"an association is {deferred}" if deferred else "an association could not be understood"
            )
            found.append(Association("", "", 0))
    return tuple(found)


def _kind(key: str, fields: dict[str, Any], region: str) -> PolicyKind:
    """What a policy is, from its name and fields (Cloud Asset Inventory has one type for all of them)."""
    if _text(fields.get("policySource")).upper() == "SYSTEM":
        return "system"
    kind = _EFFECTIVE_KINDS.get(_text(fields.get("type")).upper())
    if kind is not None:
        return kind
    if region:
        return "network_regional"
    return "network_global" if key.startswith("projects/") else "hierarchical"


def parse_policy(asset: str, data: object, kind: PolicyKind | None = None) -> FirewallPolicy:
    """A `compute.googleapis.com/FirewallPolicy`, hierarchical or network, user-defined or Google's own.

    `kind` says what it is where the caller knows; otherwise its name, `region` and `policySource` do.
    """
    problems = _Problems()
    fields = _object(data, problems)
    key = _own(asset, fields)
    parts = key.split("/")
    region = parts[3] if len(parts) > 3 and parts[2] == "regions" else ""
    region = region or region_of(last(canonical(_text(fields.get("region")))))
    project = project_of(key)
    return FirewallPolicy(
        asset=asset,
        name=_text(fields.get("shortName"))
        or _text(fields.get("displayName"))
        or _text(fields.get("name"))
        or last(key),
        kind=kind or _kind(key, fields, region),
        region=region,
        associations=_associations(fields, project, problems),
        rules=_rules(fields, project, problems),
        problems=tuple(problems.texts),
    )


def parse_address_group(asset: str, data: object) -> AddressGroup:
    """A `networksecurity.googleapis.com/AddressGroup`."""
    problems = _Problems()
    fields = _object(data, problems)
    found = canonical(asset)
    if not found.startswith(("projects/", "organizations/")):
        found = canonical(_text(fields.get("name")))
    items = _ranges(fields.get("items"), "items", "source", problems)
    return AddressGroup(asset=asset, key=found, items=items, problems=tuple(problems.texts))


def _effective_policy(entry: object, network: str, region: str) -> FirewallPolicy:
    problems = _Problems()
    fields = _object(entry, problems)
    project = project_of(network)
    word = _text(fields.get("type")).upper()
    kind = _EFFECTIVE_KINDS.get(word)
    if kind is None:
        problems.add(f"the policy's type is {_show(fields.get('type'))}, so its place is unknown")
        kind = "hierarchical"
    priority = fields.get("priority")
    if priority is not None and kind != "hierarchical" and _integer(priority, *_POLICY_PRIORITIES) is None:
        problems.add(f"the policy's priority is {_show(priority)}, so its place is unknown")
    regional = kind == "network_regional" or word == "SYSTEM_REGIONAL"
    name = _text(fields.get("name")) or _text(fields.get("shortName")) or _text(fields.get("displayName"))
    if kind == "hierarchical":
        asset = f"//compute.googleapis.com/locations/global/firewallPolicies/{last(name)}"
    else:
        place = f"regions/{region}" if regional and region else "global"
        asset = f"//compute.googleapis.com/projects/{project}/{place}/firewallPolicies/{last(name)}"
    return FirewallPolicy(
        asset=asset,
        name=_text(fields.get("shortName")) or _text(fields.get("displayName")) or name,
        kind=kind,
        region=region if regional else "",
        associations=(),
        rules=_rules(fields, project, problems),
        problems=tuple(problems.texts),
    )


def _place(entry: object) -> int:
    """The priority of a policy's association; hierarchical ones stand in order."""
    fields = entry if isinstance(entry, dict) else {}
    kind = _EFFECTIVE_KINDS.get(_text(fields.get("type")).upper())
    if kind is None or kind == "hierarchical":
        return 0
    priority = fields.get("priority")
    number = _DEFAULT_PRIORITY if priority is None else _integer(priority, *_POLICY_PRIORITIES)
    return 0 if number is None else number


def parse_effective(data: object, network: str, region: str) -> EffectiveFirewalls:
    """The answer of `getEffectiveFirewalls` for a network (any spelling) and region (empty: the global call).

    Hierarchical policies stay in the order given, which is that of evaluation, the others are sorted by the
    priority of their association, which comes with them (Compute API v1). The API misspells their key as
    `firewallPolicys`; the right spelling is taken as well. What is no list becomes one policy with a problem.
    """
    problems = _Problems()
    fields = _object(data, problems)
    key = canonical(network)
    listed = fields.get("firewalls")
    if listed is not None and not isinstance(listed, list):
        problems.add(f"firewalls is {_show(listed)}, not a list")
        listed = None
    rules: list[FirewallRule] = []
    for index, entry in enumerate(listed or ()):
        body = entry if isinstance(entry, dict) else {}
        link = canonical(_text(body.get("selfLink")))
        name = _text(body.get("name")) or f"[{index}]"
        if not link.startswith("projects/"):
            link = f"projects/{project_of(key)}/global/firewalls/{name}"
        rule = parse_firewall(f"//compute.googleapis.com/{link}", entry)
        rules.append(rule)
    policies: list[FirewallPolicy] = []
    for spelling in ("firewallPolicys", "firewallPolicies"):
        found = fields.get(spelling)
        if isinstance(found, list):
            found = sorted(found, key=_place)
            policies.extend(_effective_policy(entry, key, region) for entry in found)
        elif found is not None:
            problems.add(f"{spelling} is {_show(found)}, not a list")
    if problems.texts:
        policies.append(
            FirewallPolicy(
                asset=f"//compute.googleapis.com/{key}",
                name="effective firewalls",
                kind="hierarchical",
                region="",
                associations=(),
                rules=(),
                problems=tuple(problems.texts),
            )
        )
    return EffectiveFirewalls(network=key, region=region, rules=tuple(rules), policies=tuple(policies))

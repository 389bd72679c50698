"""Source NAT of Pod packets: which Pod ranges it would touch as destinations.

With intra-node visibility a packet to a Pod on the same node goes through the node's NAT rules. If its
destination is not exempt, its source becomes the node's address and the way back to the same node breaks.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditor.facts import commands
from auditor.facts.agent_config import AgentConfig, RejectedError, read
from auditor.facts.view import flag, message, text
from auditor.model.cidr import merge, parse, spell, subtract
from auditor.model.evidence import Evidence, Unknown
from auditor.model.facts import Masquerade, Uncovered

if TYPE_CHECKING:
    from collections.abc import Iterable

    from auditor.facts.view import ClusterView, Object
    from auditor.model.cidr import Cidr, Interval
    from auditor.model.evidence import Json
    from auditor.model.facts import Pods
    from auditor.model.inventory import KubernetesObject

PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
"""What ip-masq-agent exempts unless told otherwise (kubernetes-sigs/ip-masq-agent, NewMasqConfig)."""

RESERVED = (
    *PRIVATE,
    "100.64.0.0/10",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "240.0.0.0/4",
)
"""The default non-masquerade destinations (GKE documentation, 'IP masquerade agent')."""

LINK_LOCAL = "169.254.0.0/16"

_AGENT = "ip-masq-agent"
_SYSTEM = "kube-system"
_CONFIG_FOLDER = "/etc/config"
_RESERVED_FLAG = "nomasq-all-reserved-ranges"
_IPV6_FLAG = "enable-ipv6"
_GO_BOOL = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
# The nodes that GKE's own DaemonSet asks for, which are all of them where it runs.
_EVERYWHERE = frozenset(
    (
        "kubernetes.io/os",
        "beta.kubernetes.io/os",
        "node.kubernetes.io/masq-agent-ds-ready",
        "beta.kubernetes.io/masq-agent-ds-ready",
    )
)


@dataclass(frozen=True, slots=True)
class _Row:
    """One way the cluster may be set up: a row of the vendor's table.

    `cidrs` are exempt as the row states them; `ipv4` and `ipv6` are the same as unions. Without `ipv6`
    packets of that family are not translated at all.
    """

    basis: str
    cidrs: tuple[str, ...]
    ipv4: tuple[Interval, ...]
    ipv6: tuple[Interval, ...] | None


def _row(basis: str, cidrs: Iterable[str], *, ipv6: bool = False) -> _Row:
    texts = tuple(dict.fromkeys(cidrs))
    parsed = [cidr for one in texts if (cidr := parse(one)) is not None]
    return _Row(
        basis,
        texts,
        merge((cidr.first, cidr.last) for cidr in parsed if cidr.family == 4),
        merge((cidr.first, cidr.last) for cidr in parsed if cidr.family == 6) if ipv6 else None,
    )


_DEFAULT_SNAT = _row("default SNAT", (*RESERVED, LINK_LOCAL))
_SNAT_OFF = _row("default SNAT disabled", ("0.0.0.0/0",))


def derive(view: ClusterView, pods: Pods) -> Masquerade:
    """What every row of the vendor's table that is still possible says about the Pod ranges in use.

    An answer that all of them give is certain; one that only some of them give is not.
    """
    derivation = _Derivation(view)
    if view.autopilot is None:
        derivation.doubt(
            "The cluster's `autopilot` is malformed, and how Pods are masqueraded depends on it."
        )
    elif view.autopilot:
        derivation.autopilot()
    else:
        derivation.standard()
    return derivation.judge(pods)


class _Derivation:
    """The rows that are possible; a doubt stands for a row that cannot be filled in and may say anything."""

    __slots__ = ("doubts", "evidence", "rows", "view")

    def __init__(self, view: ClusterView) -> None:
        self.view = view
        self.rows: list[_Row] = []
        self.doubts: list[tuple[str, str]] = []
        self.evidence: list[Evidence] = []

    def doubt(self, reason: str, hint: str | None = None) -> None:
        self.doubts.append((reason, self._settle() if hint is None else hint))

    def _settle(self) -> str:
        """The command that fetches the evidence, and what to do with its output."""
        entry = self.view.entry
        if self.view.autopilot is None:
            return self.view.hint()
        fetch = commands.egress_nat_policies if self.view.autopilot else commands.masquerade_agent
        return commands.with_kubernetes(entry, fetch(entry))

    def autopilot(self) -> None:
        """The destinations that the cluster's EgressNATPolicies exempt, all of them together.

        Autopilot clusters have these policies in the place of the agent's ConfigMap (GKE documentation,
        'Configure IP masquerade in Autopilot clusters by using Egress NAT policy').
        """
        kubernetes = self.view.kubernetes
        policies = [
            one for one in kubernetes.objects if one.kind == "EgressNATPolicy" and not _of_bare_metal(one)
        ]
        if not policies:
            self.doubt("No EgressNATPolicy of the cluster is in the inventory.")
            return
        exempt: list[str] = []
        for policy in policies:
            self.evidence.append(Evidence(policy.asset, "spec", policy.data.get("spec")))
            cidrs = _exempt(policy)
            if cidrs is None:
                self.doubt(
                    f"EgressNATPolicy {policy.name} is not a list of NoSNAT destinations in CIDR form."
                )
            else:
                exempt += cidrs
        self.rows.append(_row("EgressNATPolicy", (*exempt, LINK_LOCAL)))
        if "EgressNATPolicy" not in kubernetes.listed:
            # Policies that were not read can exempt more, and never less.
            self.rows.append(_row("EgressNATPolicy", ("0.0.0.0/0",)))

    def standard(self) -> None:
        """The rows of a cluster with the agent, and of one without it, as far as either is possible."""
        kubernetes = self.view.kubernetes
        if not kubernetes.objects and not kubernetes.listed:
            self.doubt("Neither the ip-masq-agent DaemonSet nor its ConfigMap is in the inventory.")
            return
        agents = _agents(kubernetes.objects)
        for agent in agents:
            self.evidence.append(Evidence(agent.asset, "metadata.name", agent.name))
        if len(agents) > 1:
            names = ", ".join(f"{agent.namespace}/{agent.name}" for agent in agents)
            self.doubt(
                f"Several IP masquerade agents are deployed ({names}), and each of them may translate."
            )
            return
        if agents:
            self._with_agent(agents[0])
            if agents[0].everywhere:
                return
        elif "DaemonSet" not in kubernetes.listed:
            self._with_agent(_USUAL_AGENT)
        self._without_agent()

    def _without_agent(self) -> None:
        config = self.view.network_config
        status = None if config is None else message(config, "defaultSnatStatus")
        disabled = None if status is None else flag(status, "disabled")
        if disabled is not True:
            self.rows.append(_DEFAULT_SNAT)
        if disabled is not False:
            self.rows.append(_SNAT_OFF)
        if config is not None:
            path = "networkConfig.defaultSnatStatus"
            self.evidence.append(Evidence(self.view.asset, path, config.get("defaultSnatStatus")))

    def _with_agent(self, agent: _Agent) -> None:
        source = agent.source
        if source is None:
            self.doubt(f"The configuration of {agent.namespace}/{agent.name} does not come from a ConfigMap.")
            return
        try:
            config = self._config(source)
        except RejectedError as rejected:
            reason = (
                f"The agent may reject ConfigMap {source.namespace}/{source.name} ({rejected}),"
                " and would keep its previous configuration."
            )
            self.doubt(reason, commands.repair_agent_config(self.view.entry, source.namespace, source.name))
            return
        if config is None:
            return
        ipv6 = agent.ipv6
        basis = "ip-masq-agent defaults"
        lists: list[tuple[str, ...]]
        if config.cidrs is None:
            lists = [RESERVED if one else PRIVATE for one in _either(known=agent.reserved)]
        else:
            basis = "ip-masq-agent ConfigMap"
            lists = [tuple([cidr.text for cidr in config.cidrs])]
            if ipv6 is not True and any(cidr.family == 6 for cidr in config.cidrs):
                self.doubt(
                    f"The agent may reject ConfigMap {source.namespace}/{source.name} (it lists an IPv6"
                    " range without --enable-ipv6 in evidence), and would keep its previous configuration."
                )
                return
        # IPv6 link-local addresses, which have a flag too, cannot be in a Pod range.
        link_local = () if config.masquerade_link_local else (LINK_LOCAL,)
        for cidrs in lists:
            for with_ipv6 in _either(known=ipv6):
                self.rows.append(_row(basis, (*cidrs, *link_local), ipv6=with_ipv6))

    def _config(self, source: _Source) -> AgentConfig | None:
        """The agent's configuration; None, with a doubt, if the ConfigMap is not known or cannot be used.

        Raises RejectedError if the agent may reject it.
        """
        kubernetes = self.view.kubernetes
        place = f"{source.namespace}/{source.name}"
        found = [
            one
            for one in kubernetes.objects
            if one.kind == "ConfigMap" and one.namespace == source.namespace and one.name == source.name
        ]
        if not found:
            if source.namespace != _SYSTEM or "ConfigMap" not in kubernetes.listed:
                self.doubt(
                    f"ConfigMap {place} is not in the inventory, and it is not known that there is none."
                )
                return None
            if not source.optional:
                self.doubt(f"ConfigMap {place}, without which the agent does not start, does not exist.")
                return None
            return AgentConfig(None)
        value = _file(found[0], source.key)
        if value is None and not source.optional:
            self.doubt(
                f"ConfigMap {place} lacks the key {source.key}, without which the agent does not start."
            )
            return None
        self.evidence.append(Evidence(found[0].asset, f"data.{source.key}", value))
        # Without the file the agent uses its defaults.
        return AgentConfig(None) if value is None else read(value)

    def judge(self, pods: Pods) -> Masquerade:
        """The rows held against the Pod ranges that are in use."""
        evidence = tuple(self.evidence)
        if self.doubts:
            # About the fact as a whole: nothing of it is known.
            doubts = tuple([Unknown("masquerade", reason, hint) for reason, hint in self.doubts])
            return Masquerade(None, None, None, evidence, doubts)
        unknowns = []
        rows = self.rows
        basis: str | None = rows[0].basis
        cidrs: tuple[str, ...] | None = rows[0].cidrs
        for row in rows[1:]:
            if row.basis != basis:
                basis = None
            if row.cidrs != cidrs:
                cidrs = None
        bases = " or ".join(dict.fromkeys(row.basis for row in rows))
        if basis is None:
            reason = f"Which of these applies to the nodes is not known: {bases}."
            unknowns.append(Unknown("masquerade.basis", reason, self._settle()))
        if cidrs is None:
            reason = f"The evidence leaves several non-masquerade lists possible ({bases})."
            unknowns.append(Unknown("masquerade.non_masquerade", reason, self._settle()))
        uncovered: list[Uncovered] = []
        complete = not pods.unresolved
        for one in pods.ranges:
            cidr = parse(one.cidr) if one.in_use else None
            if cidr is None:
                continue
            certain, possible = _outside(cidr, rows)
            if certain:
                uncovered.append(Uncovered(one.cidr, spell(cidr.family, certain), one.origin, one.pools))
            if certain != possible:
                complete = False
                reason = f"Whether all of {one.cidr} ({one.origin}) is exempt is not known: {bases}."
                unknowns.append(Unknown("masquerade.uncovered", reason, self._settle()))
        if self.view.nodes() is None:
            # Not even the default range is surely in use.
            complete = False
            uncovered = []
            unknowns.append(Unknown("masquerade.uncovered", self.view.pools_problem, self.view.hint()))
        unknowns += [
            Unknown("masquerade.uncovered", one.reason, self.view.hint_for(one.subnetwork))
            for one in pods.unresolved
        ]
        answer = tuple(uncovered) if uncovered or complete else None
        return Masquerade(basis, cidrs, answer, evidence, tuple(unknowns))


def _outside(cidr: Cidr, rows: list[_Row]) -> tuple[list[Interval], list[Interval]]:
    """What of a Pod range is translated in every row, and what is in at least one."""
    certain: list[Interval] | None = None
    possible: list[Interval] = []
    for row in rows:
        exempt = row.ipv4 if cidr.family == 4 else row.ipv6
        outside = [] if exempt is None else subtract((cidr.first, cidr.last), exempt)
        possible = outside if not possible else list(merge((*possible, *outside)))
        if certain is None:
            certain = outside
        else:
            # What both hold: the first without what it holds beyond the second.
            beyond = [part for one in certain for part in subtract(one, outside)]
            certain = [part for one in certain for part in subtract(one, beyond)]
    return certain or [], possible


def _either(*, known: bool | None) -> tuple[bool, ...]:
    return (False, True) if known is None else (known,)


# The agent, from its DaemonSet or from one of its Pods


@dataclass(frozen=True, slots=True)
class _Source:
    """The ConfigMap key that the agent reads as its configuration file."""

    namespace: str
    name: str
    key: str
    optional: bool


@dataclass(frozen=True, slots=True)
class _Agent:
    """An IP masquerade agent in evidence.

    `source` is None if its file is not from a ConfigMap. `reserved` says whether its default list holds all
    reserved ranges, `ipv6` whether it translates IPv6; None is unknown. `everywhere` is False if some nodes
    may be without it.
    """

    asset: str
    namespace: str
    name: str
    source: _Source | None
    reserved: bool | None
    ipv6: bool | None
    everywhere: bool


_USUAL_SOURCE = _Source(_SYSTEM, _AGENT, "config", optional=True)
# GKE's own agent, where nothing is known of it but that it may run: its default list is the documented one.
_USUAL_AGENT = _Agent("", _SYSTEM, _AGENT, _USUAL_SOURCE, reserved=True, ipv6=None, everywhere=True)


def _agents(objects: tuple[KubernetesObject, ...]) -> list[_Agent]:
    """The distinct agents: DaemonSets, and Pods that none of these accounts for."""
    daemons = [agent for one in objects if one.kind == "DaemonSet" and (agent := _agent(one)) is not None]
    namespaces = {agent.namespace for agent in daemons}
    strays: dict[object, _Agent] = {}
    for one in objects:
        if one.kind == "Pod" and one.namespace not in namespaces and (agent := _agent(one)) is not None:
            strays.setdefault((agent.namespace, agent.source, agent.reserved, agent.ipv6), agent)
    return [*daemons, *strays.values()]


def _agent(one: KubernetesObject) -> _Agent | None:
    """The agent that a DaemonSet or Pod is, None if it is something else.

    It is told by its usual name, and under any other name by its image.
    """
    is_pod = one.kind == "Pod"
    spec = message(one.data, "spec")
    if spec is not None and not is_pod:
        template = message(spec, "template")
        spec = None if template is None else message(template, "spec")
    spec = spec or {}
    usual = one.namespace == _SYSTEM and (_is_usual_pod(one) if is_pod else one.name == _AGENT)
    container = _container(spec, usual=usual)
    if not usual and container is None:
        return None
    if is_pod and (message(one.data, "status") or {}).get("phase") in ("Succeeded", "Failed"):
        return None
    arguments = None if container is None else _arguments(container)
    if container is None or (usual and "volumes" not in spec):
        # Nothing to see but the name: GKE's own agent, as documented.
        source: _Source | None = _USUAL_SOURCE
    else:
        source = _source(one.namespace, spec, container)
    return _Agent(
        one.asset,
        one.namespace,
        one.name,
        source,
        reserved=True if container is None else _option(arguments, _RESERVED_FLAG),
        ipv6=_option(arguments, _IPV6_FLAG),
        everywhere=usual if is_pod else _is_everywhere(one.data, spec),
    )


def _is_usual_pod(one: KubernetesObject) -> bool:
    labels = message(message(one.data, "metadata") or {}, "labels")
    return one.name.startswith(f"{_AGENT}-") and bool(labels) and (labels or {}).get("k8s-app") == _AGENT


def _container(spec: Object, *, usual: bool) -> Object | None:
    listed = spec.get("containers")
    containers = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    for container in containers:
        if _AGENT in (text(container, "image") or ""):
            return container
    return containers[0] if usual and len(containers) == 1 else None


def _source(namespace: str, spec: Object, container: Object) -> _Source | None:
    """The ConfigMap mounted where the agent looks for its file, None if something else is or nothing."""
    if f"{_AGENT}-v2" in (text(container, "image") or ""):
        # A fork that merges every file of the folder.
        return None
    mounts = [one for one in _objects(container, "volumeMounts") if _folder(one) == _CONFIG_FOLDER]
    volumes = [
        one for one in _objects(spec, "volumes") if mounts and one.get("name") == mounts[0].get("name")
    ]
    config_map = volumes[0].get("configMap") if volumes else None
    if len(mounts) != 1 or mounts[0].get("subPath") or not isinstance(config_map, dict):
        return None
    name = config_map.get("name")
    # Without items each key is a file of its own name.
    keys: list[Json] = [_AGENT]
    if config_map.get("items") is not None:
        keys = [one.get("key") for one in _objects(config_map, "items") if one.get("path") == _AGENT]
    if not isinstance(name, str) or len(keys) != 1 or not isinstance(keys[0], str):
        return None
    return _Source(namespace, name, keys[0], optional=config_map.get("optional") is True)


def _objects(parent: Object, key: str) -> list[Object]:
    listed = parent.get(key)
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _folder(mount: Object) -> str:
    return (text(mount, "mountPath") or "").rstrip("/")


def _arguments(container: Object) -> list[str] | None:
    """The agent's command line, None if it is not on show."""
    command, arguments = container.get("command"), container.get("args")
    if command is None and arguments is None:
        return None
    words: list[str] = []
    for listed in (command, arguments):
        if listed is None:
            continue
        if not isinstance(listed, list):
            return None
        for word in listed:
            if not isinstance(word, str) or "$(" in word:
                return None
            words.append(word)
    if command is not None and words:
        program = words.pop(0)
        if program.rpartition("/")[2] != _AGENT:
            return None
    return words


def _option(arguments: list[str] | None, name: str) -> bool | None:
    """A Go bool flag of the command line, whose default is false; None if it cannot be told."""
    if arguments is None:
        return None
    value: bool | None = False
    for word in arguments:
        flag_name, equals, stated = word.removeprefix("-").removeprefix("-").partition("=")
        if word.startswith("-") and flag_name == name:
            value = _GO_BOOL.get(stated) if equals else True
    return value


def _is_everywhere(daemon_set: Object, spec: Object) -> bool:
    """Whether the agent runs on every node: it is scheduled, and asks for no nodes in particular."""
    status = message(daemon_set, "status")
    if status and status.get("desiredNumberScheduled") == 0:
        return False
    selector = message(spec, "nodeSelector")
    return selector is not None and _EVERYWHERE.issuperset(selector) and not spec.get("affinity")


def _file(config_map: KubernetesObject, key: str) -> str | None:
    """A file of a ConfigMap volume, None if there is none. Raises RejectedError if it cannot be read."""
    for field in ("data", "binaryData"):
        files = message(config_map.data, field)
        value = None if files is None else files.get(key)
        if files is None or not isinstance(value, str | None):
            raise RejectedError(f"its `{field}` is malformed")
        if value is None:
            continue
        if field == "data":
            return value
        try:
            return base64.b64decode(value, validate=True).decode()
        except (binascii.Error, ValueError):
            raise RejectedError("its `binaryData` is not text in base64") from None
    return None


# EgressNATPolicy


_BARE_METAL_FIELDS = frozenset(
    ("destinationCIDRs", "egressSourceIP", "gatewayRef", "namespaceSelector", "podSelector", "sources")
)


def _of_bare_metal(policy: KubernetesObject) -> bool:
    """Whether it is the kind of the same name for clusters outside Google Cloud, which picks out Pods."""
    spec = policy.data.get("spec")
    return isinstance(spec, dict) and not _BARE_METAL_FIELDS.isdisjoint(spec)


def _exempt(policy: KubernetesObject) -> list[str] | None:
    """The destinations that a policy exempts, None if it is not understood in full."""
    spec = policy.data.get("spec")
    if not isinstance(spec, dict) or spec.get("action") != "NoSNAT":
        return None
    destinations = spec.get("destinations")
    if destinations is None:
        return []
    if not isinstance(destinations, list):
        return None
    exempt = []
    for one in destinations:
        stated = one.get("cidr") if isinstance(one, dict) else None
        cidr = parse(stated) if isinstance(stated, str) else None
        if cidr is None or not cidr.aligned:
            return None
        exempt.append(cidr.text)
    return exempt

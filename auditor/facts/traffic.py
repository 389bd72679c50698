"""What the VPC firewall does to packets between Pods, as rules and readers ask for it."""

from __future__ import annotations

from functools import lru_cache
from shlex import quote
from typing import TYPE_CHECKING, cast

from auditor.firewall.repair import repairs
from auditor.model import deferred
from auditor.model.evidence import Evidence, Unknown
from auditor.model.facts import PodPackets, PodRules, PodTraffic, ShadowedRule, UnloggedRule
from auditor.model.inventory import FIREWALL
from auditor.model.names import canonical, last, project_of
from auditor.model.traffic import EVERYDAY, Boxes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from auditor.facts.index import Index
    from auditor.facts.network_users import NetworkUsers
    from auditor.firewall import Analyzer
    from auditor.firewall.shadow import Shadows
    from auditor.model.facts import NodeClasses, Pods
    from auditor.model.traffic import Box, Decider, KnownTraffic, ScopeTraffic, TrafficVerdict

_SHOWN = 3
_EVERY_PORT = "1-65535"


def derive(analyzer: Analyzer, pods: Pods, classes: NodeClasses, shadows: Shadows) -> PodTraffic:
    """The firewall analysis of one cluster; `shadows` takes in what it tells about single rules."""
    found = analyzer.traffic(pods, classes, shadows.look)
    same_node = _packets(analyzer, pods, classes, found.same_node)
    any_node = same_node
    if found.any_node is not found.same_node:
        any_node = _packets(analyzer, pods, classes, found.any_node)
    silent = tuple(Evidence(one.asset, one.switch, observed=False) for one in same_node.unlogged or ())
    return PodTraffic(same_node, any_node, (*found.evidence, *silent), _explained(found.unknowns, classes))


def _explained(unknowns: tuple[Unknown, ...], classes: NodeClasses) -> tuple[Unknown, ...]:
    """The unknowns, and what of a Terraform plan leaves the nodes' network open."""
    if all(one.network is not None for one in classes.classes or ()):
        return unknowns
    planned = (
        Unknown("traffic", one.reason, one.hint) for one in classes.unknowns if deferred.is_about(one.reason)
    )
    return (*unknowns, *planned)


def _packets(analyzer: Analyzer, pods: Pods, classes: NodeClasses, scope: ScopeTraffic) -> PodPackets:
    unlogged = tuple(
        _unlogged(one) for one in scope.deciders if one.logging is False and one.asset is not None
    )
    # Of a planned rule, logging may be known only after apply.
    doubt = not unlogged and any(one.logging is None and one.address for one in scope.deciders)
    denied = (
        scope.denied.harmful()
        if isinstance(scope.denied, Boxes)
        else [box for box in scope.denied if box.benign is None]
    )
    changes = repairs(analyzer, pods, classes, scope) if denied else ()
    return PodPackets(
        everyday_denied=_is_denied(scope.everyday),
        rare_denied=_is_denied(scope.rare),
        everyday_denials=_denials(box for box in denied if box.protocol in EVERYDAY),
        rare_denials=_denials(box for box in denied if box.protocol not in EVERYDAY),
        unlogged=unlogged if unlogged or not (scope.undecided or scope.reasons or doubt) else None,
        repairs=changes,
        repair_commands=tuple(change.command for change in changes if change.command),
        verdict=None if scope.verdict == "unknown" else scope.verdict,
        by_protocol=_known(scope.by_protocol),
        analysis=scope,
    )


@lru_cache(maxsize=1 << 10)
def _unlogged(decider: Decider) -> UnloggedRule:
    """A rule whose logging is off; the clusters of a network share it."""
    switch = (
        "logConfig.enable" if decider.stage == "vpc" else f"rules[priority={decider.priority}].enableLogging"
    )
    name = decider.rule or str(decider.priority)
    return UnloggedRule(decider.asset or "", name, decider_text(decider), switch, _logging_command(decider))


def _known(by_protocol: Mapping[str, TrafficVerdict]) -> Mapping[str, KnownTraffic]:
    if "unknown" not in by_protocol.values():
        return cast("Mapping[str, KnownTraffic]", by_protocol)
    return {name: verdict for name, verdict in by_protocol.items() if verdict != "unknown"}


def _is_denied(verdict: TrafficVerdict) -> bool | None:
    if verdict == "unknown":
        return None
    return verdict != "allowed"


def _denials(boxes: Iterable[Box]) -> str:
    """A sentence for each direction and deciding rule."""
    groups: dict[tuple[str, Decider | None], list[Box]] = {}
    for box in boxes:
        groups.setdefault((box.direction, box.decided_by), []).append(box)
    return " ".join(_denial(direction, decider, found) for (direction, decider), found in groups.items())


def _denial(direction: str, decider: Decider | None, boxes: Sequence[Box]) -> str:
    ports: dict[str, list[str]] = {}
    for box in boxes:
        found = ports.setdefault(box.protocol, [])
        if box.ports is not None and box.ports != _EVERY_PORT and box.ports not in found:
            found.append(box.ports)
    protocols = _listed([f"{name} {_some(one)}" if one else name for name, one in ports.items()])
    sources = _some(dict.fromkeys(box.source for box in boxes))
    destinations = _some(dict.fromkeys(box.destination for box in boxes))
    nodes = dict.fromkeys(
        pool
        for box in boxes
        for pool in (box.source_pools if direction == "egress" else box.destination_pools)
    )
    where = f"{'pool' if len(nodes) == 1 else 'pools'} {_some(nodes)}"
    return (
        f"{direction.capitalize()} of {protocols} packets from Pods in {sources} to Pods in {destinations} "
        f"({where}) is denied by {decider_text(decider)}."
    )


def decider_text(decider: Decider | None) -> str:
    """A deciding rule in a few words: its name, kind, priority and owner."""
    if decider is None:
        return "a rule that is not known"
    if decider.asset is None:
        return f"the {decider.rule} rule, which nothing overrides"
    planned = f", planned by {decider.address}" if decider.address else ""
    if decider.stage == "vpc":
        project = project_of(canonical(decider.asset))
        return f"{decider.rule} (VPC firewall rule, priority {decider.priority}, project {project}{planned})"
    kind = {
        "hierarchical": "hierarchical firewall policy",
        "system": "system firewall policy",
        "network_global": "global network firewall policy",
        "network_regional": "regional network firewall policy",
    }.get(decider.stage, decider.stage)
    # A policy's rule has no name but what its description says.
    place = f"rule {decider.priority} of the {kind} {last(decider.asset)}{planned}"
    return f'"{decider.rule}" ({place})' if decider.rule else place


def _logging_command(decider: Decider) -> str:
    """The command that turns the logging of a rule on, with everything quoted for a shell."""
    path = canonical(decider.asset or "")
    project, name = quote(project_of(path)), quote(last(path))
    if decider.stage == "vpc":
        return f"gcloud compute firewall-rules update {name} --project={project} --enable-logging"
    rule = f"rules update {decider.priority} --firewall-policy={name}"
    if decider.stage == "hierarchical":
        return f"gcloud compute firewall-policies {rule} --enable-logging"
    place = "--global-firewall-policy"
    if decider.stage == "network_regional":
        place = f"--firewall-policy-region={quote(path.split('/')[3])}"
    return f"gcloud compute network-firewall-policies {rule} {place} --project={project} --enable-logging"


def _some(texts: Iterable[str]) -> str:
    every = list(texts)
    more = f" and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return ", ".join(every[:_SHOWN]) + more


def _lowered(sentence: str) -> str:
    """A sentence as the end of another one."""
    return sentence[:1].lower() + sentence[1:].rstrip(".")


def _listed(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def is_users(name: str) -> bool:
    """Whether a VPC rule is the user's to change, and not one that GKE made."""
    return not name.startswith(("gke-", "gk3-"))


def pod_rules(key: str, index: Index, shadows: Shadows, users: NetworkUsers) -> PodRules:
    """The rules of the network with this key that earlier rules keep from deciding any Pod packet.

    `shadows` and `users` have seen all clusters. Rules that GKE made are left out.
    """
    inventory = index.inventory
    clusters: int | None = users.count(key)
    unknowns: list[Unknown] = []
    if not clusters and users.unplaced is not None:
        clusters = None
        name, why, hint = users.unplaced
        reason = f"Whether {name} uses the network is not known: {_lowered(why)}."
        unknowns.append(Unknown("pod_rules.clusters", reason, hint))
    gap = index.clusters_gap()
    if gap is not None:
        reason = f"Not every cluster that may use the network was read: {gap.reason.rstrip('.')}."
        unknowns.append(Unknown("pod_rules.shadowed", reason, gap.hint))
    if (doubt := users.doubt(key)) is not None:
        name, why, hint = doubt
        reason = f"Not everything about the Pods and nodes of {name} is known: {_lowered(why)}."
        unknowns.append(Unknown("pod_rules.shadowed", reason, hint))
    if clusters is None or unknowns:
        return PodRules(clusters, None, (), tuple(unknowns))
    project = project_of(key)
    if key not in inventory.effective and not inventory.coverage.read(FIREWALL, project):
        missing = inventory.coverage.why_not(FIREWALL, project)
        reason = f"Not every firewall rule of the network was read: {missing.reason.rstrip('.')}."
        return PodRules(clusters, None, (), (Unknown("pod_rules.shadowed", reason, missing.hint),))
    found = tuple(
        ShadowedRule(one.asset, one.name, one.priority, _some(decider_text(by) for by in one.by))
        for one in shadows.found(key)
        if one.by and is_users(one.name)
    )
    evidence = tuple(Evidence(one.asset, "priority", one.priority) for one in found)
    return PodRules(clusters, found, evidence)

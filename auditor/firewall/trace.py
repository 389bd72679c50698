"""One packet followed through both directions, step by step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from auditor.errors import AuditorError
from auditor.firewall.analyzer import IMPLIED_EGRESS, IMPLIED_INGRESS, ClusterPods, target_reason
from auditor.firewall.compiled import ALLOW, DENY, GOTO, MAYBE, NO, TIE, YES, aimed_at
from auditor.firewall.decide import ALLOWED, BOTH, DENIED
from auditor.firewall.layer4 import NAMES, WITH_PORTS
from auditor.firewall.view import within
from auditor.model.addresses import address_text, parse_range, range_text
from auditor.model.traffic import Decider, decider_json

if TYPE_CHECKING:
    from auditor.firewall.analyzer import Analyzer
    from auditor.firewall.chain import Chain, Step
    from auditor.firewall.compiled import Compiled
    from auditor.firewall.rulelist import RuleList
    from auditor.model.addresses import Family
    from auditor.model.evidence import Json
    from auditor.model.facts import NodeClass, NodeClasses, Pods
    from auditor.model.network import Direction
    from auditor.model.traffic import Stage

TraceVerdict = Literal["allowed", "denied", "unknown"]
_VERDICTS: dict[int, TraceVerdict] = {ALLOWED: "allowed", DENIED: "denied", BOTH: "unknown"}


@dataclass(frozen=True, slots=True)
class Packet:
    """The first packet of a connection between two Pods; `port` is None for protocols without ports."""

    source: str
    destination: str
    protocol: str
    port: int | None
    from_pool: str
    to_pool: str


@dataclass(frozen=True, slots=True)
class RuleMatch:
    """A rule that matches the packet, surely or perhaps; `why` says what makes it uncertain."""

    decider: Decider
    sure: bool
    why: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StageTrace:
    """One policy, or the VPC rules, or the implied rule.

    `outcome` is `allow`, `deny`, `undecided`, `next` (nothing in it ends the evaluation), `perhaps next`
    (something in it may), or `not reached`.
    """

    stage: Stage
    asset: str | None
    matches: tuple[RuleMatch, ...]
    outcome: str


@dataclass(frozen=True, slots=True)
class DirectionTrace:
    """One direction: the verdict, the rule that decides or those that may, every stage in order."""

    verdict: TraceVerdict
    decided_by: Decider | None
    candidates: tuple[Decider, ...]
    stages: tuple[StageTrace, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trace:
    """What happens to a packet at the source node (egress) and at the destination node (ingress)."""

    packet: Packet
    verdict: TraceVerdict
    egress: DirectionTrace
    ingress: DirectionTrace


def trace(
    analyzer: Analyzer,
    pods: Pods,
    classes: NodeClasses,
    source: str,
    destination: str,
    protocol: str,
    port: int | None = None,
    from_pool: str | None = None,
    to_pool: str | None = None,
) -> Trace:
    """One packet through both directions.

    Pools may be left out where the addresses leave no choice. Raises `AuditorError` for an address outside
    the Pod ranges, an unknown pool or protocol, or a port that is missing or out of place.
    """
    if classes.classes is None:
        raise AuditorError(
            "the node pools of the cluster are not in the inventory",
            hint="export container.googleapis.com/NodePool assets, or describe the cluster",
        )
    cluster = ClusterPods(pods, classes.classes)
    family, start = _address(source, "--from")
    other, end = _address(destination, "--to")
    if family != other:
        raise AuditorError(
            "source and destination are of different IP versions", hint="use two of one version"
        )
    slot = _slot(protocol, family)
    port = _port(port, protocol, with_ports=slot < WITH_PORTS)
    leaving = _pool(cluster, family, start, from_pool, "--from", "--from-pool")
    entering = _pool(cluster, family, end, to_pool, "--to", "--to-pool")
    packet = Packet(
        address_text(family, start),
        address_text(family, end),
        protocol,
        port,
        cluster.names[leaving],
        cluster.names[entering],
    )
    walk = _Walk(analyzer, family, start, end, slot, port or 0, cluster.classes[leaving])
    egress = walk.through("EGRESS", cluster.classes[leaving])
    ingress = walk.through("INGRESS", cluster.classes[entering])
    verdict: TraceVerdict = "unknown"
    if "denied" in (egress.verdict, ingress.verdict):
        verdict = "denied"
    elif egress.verdict == ingress.verdict == "allowed":
        verdict = "allowed"
    return Trace(packet, verdict, egress, ingress)


def _address(text: str, option: str) -> tuple[Family, int]:
    parsed = parse_range(text) if "/" not in text else None
    if parsed is None:
        raise AuditorError(f"{text!r} is no IP address", hint="give one address of a Pod", place=option)
    return parsed.family, parsed.low


def _slot(protocol: str, family: Family) -> int:
    if protocol not in NAMES[family]:
        raise AuditorError(
            f"unknown protocol {protocol!r}",
            hint=f"for IPv{family} one of {', '.join(NAMES[family])}",
            place="--protocol",
        )
    return NAMES[family].index(protocol)


def _port(port: int | None, protocol: str, *, with_ports: bool) -> int | None:
    if not with_ports:
        if port is not None:
            raise AuditorError(f"{protocol} has no ports", hint="leave --port out", place="--port")
        return None
    if port is None or not 1 <= port <= 65535:
        raise AuditorError(
            f"{protocol} needs a destination port" if port is None else f"{port} is no destination port",
            hint="give a number from 1 to 65535",
            place="--port",
        )
    return port


def _pool(
    cluster: ClusterPods, family: Family, address: int, name: str | None, option: str, pool_option: str
) -> int:
    """The index of the pool an address belongs to, by its name or because no other is possible."""
    spans = cluster.spans[family]
    holding = [i for i, own in enumerate(spans) if any(low <= address <= high for low, high in own)]
    if name is None:
        if len(holding) == 1:
            return holding[0]
        if len(cluster.names) == 1 and cluster.incomplete:
            # The only pool may have any address, as not all of its ranges are known.
            return 0
    listed = "; ".join(
        f"{pool}: {', '.join(range_text(family, *span) for span in own) or 'none known'}"
        for pool, own in zip(cluster.names, spans, strict=True)
    )
    if name is not None:
        if name not in cluster.names:
            raise AuditorError(f"no node pool {name!r}", hint=f"the pools are {listed}", place=pool_option)
        index = cluster.names.index(name)
        if index not in holding and name not in cluster.incomplete:
            raise AuditorError(
                f"{address_text(family, address)} is no Pod address of pool {name}",
                hint=f"the Pod ranges are {listed}",
                place=option,
            )
        return index
    text = address_text(family, address)
    if not holding:
        raise AuditorError(
            f"{text} is no Pod address of the cluster", hint=f"the Pod ranges are {listed}", place=option
        )
    pools = ", ".join(cluster.names[i] for i in holding)
    raise AuditorError(
        f"{text} may belong to several pools", hint=f"give {pool_option}: {pools}", place=option
    )


class _Walk:
    """A packet on its way: what each rule says of it, and where that leads."""

    def __init__(
        self,
        analyzer: Analyzer,
        family: Family,
        source: int,
        destination: int,
        slot: int,
        port: int,
        sender: NodeClass,
    ) -> None:
        self._analyzer = analyzer
        self._family: Family = family
        self._source = ((source, source),)
        self._destination = ((destination, destination),)
        self._slot = slot
        self._port = port
        self._sender = sender

    def through(self, direction: Direction, node: NodeClass) -> DirectionTrace:
        """One direction at a node."""
        chain = self._analyzer.chains.chain(node.network, node.region)
        implied = IMPLIED_EGRESS if direction == "EGRESS" else IMPLIED_INGRESS
        matches = [self._matches(rules, node) for rules in chain.rules(direction, self._family)]
        outcome = 0
        deciders: dict[Decider, None] = {}
        reasons: dict[str, None] = {}
        stages: tuple[StageTrace, ...] = ()
        # The default order comes last, so that its decider is named where both orders agree.
        for order in reversed(chain.orders):
            ends, deciding, stages = self._along(chain, order, matches, implied, node)
            outcome |= ends
            for decider in deciding:
                deciders.pop(decider, None)
                deciders[decider] = None
        verdict = _VERDICTS[outcome]
        found = tuple(deciders)
        if verdict != "unknown":
            return DirectionTrace(verdict, found[-1], (), stages, ())
        for stage in stages:
            for match in stage.matches:
                reasons.update(dict.fromkeys(match.why))
        if chain.unknown_order is not None:
            reasons["; ".join(chain.unknown_order)] = None
        return DirectionTrace(verdict, None, found, stages, tuple(reasons))

    def _matches(self, rules: RuleList, node: NodeClass) -> list[tuple[Compiled, int]]:
        """The rules of one step that match, in order, with how surely."""
        found = []
        for rule in rules.rules:
            matched = min(
                YES if rule.sure else MAYBE,
                self._covered(rule),
                self._end(rule, at_source=True),
                self._end(rule, at_source=False),
            )
            if matched != NO and rule.target is not None:
                matched = min(matched, aimed_at(rule.target, node))
            if matched != NO:
                found.append((rule, matched))
        return found

    def _covered(self, rule: Compiled) -> int:
        return YES if any(low <= self._port <= high for low, high in rule.coverage.slots[self._slot]) else NO

    def _end(self, rule: Compiled, *, at_source: bool) -> int:
        side, address = (rule.source, self._source) if at_source else (rule.destination, self._destination)
        if within(side, address) is None:
            return YES
        if side.maybe or (at_source and rule.identity is not None and rule.identity.borne_by(self._sender)):
            return MAYBE
        return NO

    def _along(
        self,
        chain: Chain,
        order: tuple[int, ...],
        matches: list[list[tuple[Compiled, int]]],
        implied: Decider,
        node: NodeClass,
    ) -> tuple[int, list[Decider], tuple[StageTrace, ...]]:
        """Outcomes, deciders and stages when the steps come in this order."""
        outcome = 0
        deciders: list[Decider] = []
        stages: list[StageTrace] = []
        reached = True
        for place in order:
            step: Step = chain.steps[place]
            if not reached:
                stages.append(StageTrace(step.stage, step.name, (), "not reached"))
                continue
            inside, escaped = True, False
            ends = 0
            shown: list[RuleMatch] = []
            for rule, matched in matches[place]:
                decider = self._analyzer.decider(rule)
                shown.append(RuleMatch(decider, matched == YES, self._why(rule, matched, node)))
                if rule.kind == GOTO:
                    escaped = True
                else:
                    deciders.append(decider)
                    ends |= {ALLOW: ALLOWED, DENY: DENIED}.get(rule.kind, BOTH)
                    if rule.kind == TIE:
                        deciders.append(implied)
                if matched == YES:
                    inside = False
                    break
            outcome |= ends
            reached = inside or escaped
            stages.append(StageTrace(step.stage, step.name, tuple(shown), _outcome(ends, onward=reached)))
        if reached:
            ends = ALLOWED if implied.action == "allow" else DENIED
            outcome |= ends
            deciders.append(implied)
            stages.append(
                StageTrace(
                    "implied", None, (RuleMatch(implied, sure=True, why=()),), _outcome(ends, onward=False)
                )
            )
        else:
            stages.append(StageTrace("implied", None, (), "not reached"))
        return outcome, deciders, tuple(stages)

    def _why(self, rule: Compiled, matched: int, node: NodeClass) -> tuple[str, ...]:
        if matched == YES and rule.kind in (ALLOW, DENY, GOTO):
            return ()
        why = ["; ".join(entry) for entry in rule.why]
        if rule.target is not None and aimed_at(rule.target, node) == MAYBE:
            why.append("; ".join(target_reason(self._analyzer.decider(rule), node)))
        return tuple(why)


def _outcome(ends: int, *, onward: bool) -> str:
    if onward:
        return "perhaps next" if ends else "next"
    return {ALLOWED: "allow", DENIED: "deny"}.get(ends, "undecided")


def trace_json(found: Trace) -> dict[str, Json]:
    """`{"verdict", "packet", "egress": {"verdict", "decided_by", "stages"}, "ingress": …}`.

    A direction that is not decided has `candidates` and `reasons` too.
    """
    packet = found.packet
    return {
        "verdict": found.verdict,
        "packet": {
            "source": packet.source,
            "destination": packet.destination,
            "protocol": packet.protocol,
            "port": packet.port,
            "source_pool": packet.from_pool,
            "destination_pool": packet.to_pool,
        },
        "egress": _direction_json(found.egress),
        "ingress": _direction_json(found.ingress),
    }


def _direction_json(direction: DirectionTrace) -> dict[str, Json]:
    found: dict[str, Json] = {
        "verdict": direction.verdict,
        "decided_by": decider_json(direction.decided_by),
        "stages": [
            {
                "stage": stage.stage,
                "asset": stage.asset,
                "outcome": stage.outcome,
                "matches": [
                    {
                        "rule": decider_json(match.decider),
                        "match": "sure" if match.sure else "maybe",
                        "why": list(match.why),
                    }
                    for match in stage.matches
                ],
            }
            for stage in direction.stages
        ],
    }
    if direction.decided_by is None:
        found["candidates"] = [decider_json(candidate) for candidate in direction.candidates]
        found["reasons"] = list(direction.reasons)
    return found


def trace_text(found: Trace) -> str:
    """The path of the packet, a line for each stage and each rule that matches, for a reader."""
    packet = found.packet
    port = "" if packet.port is None else f":{packet.port}"
    source = f"{packet.source} (pool {packet.from_pool})"
    destination = f"{packet.destination} (pool {packet.to_pool})"
    lines = [f"{packet.protocol}{port} from {source} to {destination}: {found.verdict}"]
    for name, direction in (("egress", found.egress), ("ingress", found.ingress)):
        lines += ["", f"{name}: {direction.verdict}"]
        for stage in direction.stages:
            where = stage.stage if stage.asset is None else f"{stage.stage} {stage.asset}"
            lines.append(f"  {where}: {stage.outcome}")
            for match in stage.matches:
                decider = match.decider
                priority = "" if decider.priority is None else f" priority {decider.priority}"
                sure = "matches" if match.sure else "may match"
                action = "" if decider.action is None else f", {decider.action}"
                lines.append(f"    {sure}: {decider.rule or '(no name)'}{priority}{action}")
                lines.extend(f"      because {reason}" for reason in match.why)
        if direction.reasons:
            lines.append("  cannot be told:")
            lines.extend(f"    {reason}" for reason in direction.reasons)
    return "\n".join(lines) + "\n"

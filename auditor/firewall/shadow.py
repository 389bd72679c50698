"""Rules that never decide a packet between Pods, because rules before them always do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.firewall.analyzer import PAIR_LIMIT, ClusterPods
from auditor.firewall.compiled import GOTO
from auditor.firewall.decide import IMPLIED
from auditor.model.traffic import Shadowed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from auditor.firewall.analyzer import Analyzer
    from auditor.firewall.compiled import Compiled
    from auditor.firewall.view import View
    from auditor.model.facts import NodeClasses, Pods
    from auditor.model.traffic import Decider

_Key = tuple[str, int, str]
_STAGES = ("vpc", "network_global", "network_regional")


def shadowed(
    analyzer: Analyzer, network: str, clusters: Iterable[tuple[Pods, NodeClasses]]
) -> tuple[Shadowed, ...]:
    """The VPC and network policy rules of `network` that match Pod packets of these clusters but decide none.

    Sorted by asset and priority. A rule is named only if it is not even a possible decider of any packet, so
    that the union of the rules before it takes everything it matches. This says nothing of other traffic:
    it is no reason to delete a rule.
    """
    search = _Search(analyzer)
    for pods, classes in clusters:
        here = tuple(node for node in classes.classes or () if node.network == network)
        cluster = ClusterPods(pods, classes.classes or ())
        for family in (4, 6):
            for part in analyzer.parts(cluster, family, complete=True) if here else ():
                nodes = part.sources if part.direction == "EGRESS" else part.targets
                if cluster.classes[min(nodes)].network == network:
                    search.look(part.view)
    return search.found()


class _Search:
    """Collects which rules match packets, which may decide one, and which others decide theirs."""

    def __init__(self, analyzer: Analyzer) -> None:
        self._analyzer = analyzer
        self._matching: dict[_Key, dict[Decider, None]] = {}
        self._deciding: set[_Key] = set()

    def look(self, view: View) -> None:
        if len(view.source_masks) * len(view.destination_masks) > PAIR_LIMIT:
            self._deciding.update(map(_key, view.rules))
            return
        for source, (some_source, _) in enumerate(view.source_masks):
            for destination, (some_destination, _) in enumerate(view.destination_masks):
                self._pair(view, source, destination, some_source & some_destination)

    def _pair(self, view: View, source: int, destination: int, live: int) -> None:
        ruling = view.ruling(source, destination)
        rows = ruling.result.rows
        for row in rows:
            self._deciding.update(_key(ruling.rules[p]) for p in row[4] if p != IMPLIED)
        while live:
            lowest = live & -live
            live ^= lowest
            rule = view.rules[lowest.bit_length() - 1]
            key = _key(rule)
            if rule.kind == GOTO or rule.stage not in _STAGES or key in self._deciding:
                continue
            by = self._matching.setdefault(key, {})
            for slot, low, high, _, positions, _ in rows:
                if any(start <= high and low <= end for start, end in rule.coverage.slots[slot]):
                    by.update(
                        (self._analyzer.decider(ruling.rules[p]), None) for p in positions if p != IMPLIED
                    )

    def found(self) -> tuple[Shadowed, ...]:
        return tuple(
            Shadowed(asset, name, priority, tuple(by))
            for (asset, priority, name), by in sorted(self._matching.items(), key=lambda entry: entry[0])
            if (asset, priority, name) not in self._deciding
        )


def _key(rule: Compiled) -> _Key:
    decider = rule.decider()
    return (decider.asset or "", decider.priority or 0, decider.rule)

"""Rules that never decide a packet between Pods, because rules before them always do."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from auditor.firewall.analyzer import PAIR_LIMIT, ClusterPods
from auditor.firewall.compiled import GOTO
from auditor.firewall.decide import IMPLIED
from auditor.model.traffic import Shadowed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from auditor.firewall.analyzer import Analyzer, Part
    from auditor.firewall.compiled import Compiled
    from auditor.firewall.view import View
    from auditor.model.facts import NodeClasses, Pods
    from auditor.model.traffic import Decider

_Key = tuple[str, int, str]


class Seen(NamedTuple):
    """Rules of one network: those that match packets, with the rules that decide these, and deciding ones."""

    matching: dict[_Key, dict[Decider, None]]
    deciding: set[_Key]


_STAGES = ("vpc", "network_global", "network_regional")


def shadowed(
    analyzer: Analyzer, network: str, clusters: Iterable[tuple[Pods, NodeClasses]]
) -> tuple[Shadowed, ...]:
    """The rules of `network` that are shadowed for all of these clusters, see `Shadows`."""
    shadows = Shadows(analyzer)
    for pods, classes in clusters:
        cluster = ClusterPods(pods, classes.classes or ())
        for family in (4, 6):
            for part in analyzer.parts(cluster, family):
                shadows.look(part)
    return shadows.found(network)


class Shadows:
    """Collects which rules match Pod packets, which may decide one, and which others decide theirs.

    It is shown the parts of every cluster once, as they are analysed. `wanted` says whether a VPC rule is
    worth an answer (None: all are).
    """

    def __init__(self, analyzer: Analyzer, wanted: Callable[[str], bool] | None = None) -> None:
        self._analyzer = analyzer
        self._wanted = wanted
        self._keys: dict[int, tuple[Compiled, _Key | None]] = {}
        self._networks: dict[str, _Search] = {}

    def look(self, part: Part) -> None:
        """Take in what becomes of the packets of one cluster in one direction at nodes of one kind."""
        if part.network is None or not self._asked(part):
            return
        self._search(part.network).look(part.complete(), self.key)

    def found(self, network: str) -> tuple[Shadowed, ...]:
        """The VPC and network policy rules of a network that match Pod packets but decide none.

        Sorted by asset and priority, the rules before each by priority and name. A rule is named only if it
        is not even a possible decider of any packet, so that the union of the rules before it takes
        everything it matches. This says nothing of other traffic: it is no reason to delete a rule.
        """
        search = self._networks.get(network)
        return () if search is None else search.found()

    def seen(self) -> dict[str, Seen]:
        """What was taken in so far, by network."""
        return {network: search.seen for network, search in self._networks.items()}

    def learn(self, seen: dict[str, Seen]) -> None:
        """Take in what another one of the same inventory has seen of other clusters."""
        for network, other in seen.items():
            own = self._search(network).seen
            own.deciding.update(other.deciding)
            for key, by in other.matching.items():
                own.matching.setdefault(key, {}).update(by)

    def _search(self, network: str) -> _Search:
        found = self._networks.get(network)
        if found is None:
            found = self._networks[network] = _Search(self._analyzer)
        return found

    def _asked(self, part: Part) -> bool:
        # Hardly ever: most rules that match Pod packets are GKE's own.
        known = self._keys.get
        for hits in part.hits.values():
            for hit in hits:
                found = known(id(hit[1]))
                if (self.key(hit[1]) if found is None else found[1]) is not None:
                    return True
        return False

    def key(self, rule: Compiled) -> _Key | None:
        """What stands for the rule in all its compiled forms; None if nobody asks about it."""
        known = self._keys.get(id(rule))
        if known is None:
            key = None
            # What stands for rules that nobody has read is no rule.
            if rule.rule is not None and rule.kind != GOTO and rule.stage in _STAGES:
                decider = self._analyzer.decider(rule)
                if rule.stage != "vpc" or self._wanted is None or self._wanted(decider.rule):
                    key = (decider.asset or "", decider.priority or 0, decider.rule)
            # The rule is kept, so that its identity stays its own.
            known = self._keys[id(rule)] = (rule, key)
        return known[1]


class _Search:
    """The same for one network."""

    def __init__(self, analyzer: Analyzer) -> None:
        self._analyzer = analyzer
        self.seen = Seen({}, set())

    def look(self, view: View, key_of: Callable[[Compiled], _Key | None]) -> None:
        keys = [key_of(rule) for rule in view.rules]
        asked = sum(1 << position for position, key in enumerate(keys) if key is not None)
        if len(view.source_masks) * len(view.destination_masks) > PAIR_LIMIT:
            self.seen.deciding.update(key for key in keys if key is not None)
            return
        for source, (some_source, _) in enumerate(view.source_masks):
            for destination, (some_destination, _) in enumerate(view.destination_masks):
                live = asked & some_source & some_destination
                if live:
                    self._pair(view, source, destination, live, key_of)

    def _pair(
        self,
        view: View,
        source: int,
        destination: int,
        live: int,
        key_of: Callable[[Compiled], _Key | None],
    ) -> None:
        ruling = view.ruling(source, destination)
        rows = ruling.result.rows
        for row in rows:
            for position in row[4]:
                key = key_of(ruling.rules[position]) if position != IMPLIED else None
                if key is not None:
                    self.seen.deciding.add(key)
        while live:
            lowest = live & -live
            live ^= lowest
            rule = view.rules[lowest.bit_length() - 1]
            key = key_of(rule)
            if key is None or key in self.seen.deciding:
                continue
            by = self.seen.matching.setdefault(key, {})
            for slot, low, high, _, positions, _ in rows:
                if any(start <= high and low <= end for start, end in rule.coverage.slots[slot]):
                    by.update(
                        (self._analyzer.decider(ruling.rules[p]), None) for p in positions if p != IMPLIED
                    )

    def found(self) -> tuple[Shadowed, ...]:
        return tuple(
            Shadowed(asset, name, priority, tuple(sorted(by, key=_order)))
            for (asset, priority, name), by in sorted(self.seen.matching.items(), key=lambda entry: entry[0])
            if (asset, priority, name) not in self.seen.deciding
        )


def _order(decider: Decider) -> tuple[object, ...]:
    # By priority, and then anything that does not follow from the order in which clusters were looked at.
    known = decider.priority is not None
    return (
        not known,
        decider.priority if known else 0,
        decider.rule,
        decider.asset or "",
        decider.stage,
        decider.action or "",
        str(decider.logging),
        decider.address,
    )

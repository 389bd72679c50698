"""The firewall rules that GKE made in a network, and which of them outlived their cluster."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from auditor.facts import commands
from auditor.facts.node_classes import cluster_hash
from auditor.model.evidence import Evidence, Unknown
from auditor.model.facts import GkeRules, StaleRule
from auditor.model.inventory import FIREWALL
from auditor.model.names import project_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from auditor.facts.index import Index
    from auditor.model.inventory import Cluster, ClusterEntry
    from auditor.model.network import FirewallRule

# GKE documentation, 'Automatically created firewall rules'; Autopilot may begin with gk3.
_NAMED = re.compile(
    r"gk[e3]-(?P<cluster>.+)-(?P<hash>[0-9a-f]{8})-(?:all|vms|master|inkubelet|exkubelet|ssh|mcsd)"
)
# A firewall rule's name has at most so many characters; in what is longer the rest is not compared.
_LONGEST_NAME = 63
_IPV6 = re.compile(r"gk[e3]-(?P<hash>[0-9a-f]{8})-ipv6-all")


class Noted(NamedTuple):
    """Clusters that were read: their full names, their hashes, and those without a hash."""

    seen: set[str]
    known: set[str]
    nameless: list[ClusterEntry]


class Hashes:
    """The hashes of every cluster of the inventory, noted as clusters are read."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self.noted = Noted(set(), set(), [])
        # Of the clusters without a hash the first, by name, and by each beginning of one.
        self._by_name: dict[str, ClusterEntry] = {}
        self._by_beginning: dict[str, ClusterEntry] = {}

    def note(self, cluster: Cluster) -> None:
        """Remember a cluster that was decoded for another purpose."""
        name = cluster.entry.name
        if name in self.noted.seen:
            return
        self.noted.seen.add(name)
        digest = cluster_hash(cluster.data.get("id")) if cluster.data is not None else None
        if digest is None:
            self._note_nameless(cluster.entry)
        else:
            self.noted.known.add(digest)

    def learn(self, noted: Noted) -> None:
        """Remember clusters that were noted elsewhere, and not here."""
        self.noted.seen.update(noted.seen)
        self.noted.known.update(noted.known)
        for entry in noted.nameless:
            self._note_nameless(entry)

    def _note_nameless(self, entry: ClusterEntry) -> None:
        self.noted.nameless.append(entry)
        own = entry.short_name[:_LONGEST_NAME]
        self._by_name[own] = _first(self._by_name.get(own), entry)
        for end in range(len(own) + 1):
            self._by_beginning[own[:end]] = _first(self._by_beginning.get(own[:end]), entry)

    def complete(self) -> None:
        """Read the clusters that were not noted yet."""
        inventory = self._index.inventory
        if len(self.noted.seen) < len(inventory.clusters):
            for entry in inventory.clusters:
                if entry.name not in self.noted.seen:
                    self.note(inventory.decode(entry))

    def owner(self, digest: str, cluster: str) -> ClusterEntry | bool:
        """True if a cluster has the hash, a cluster whose hash is unknown that may have it, else False.

        `cluster` is the name in the rule's name, possibly shortened, or empty.
        """
        if digest in self.noted.known:
            return True
        if not self.noted.nameless:
            return False
        name = cluster[:_LONGEST_NAME]
        candidates = [self._by_beginning.get(name)]
        candidates += [self._by_name.get(name[:end]) for end in range(1, len(name))]
        found: ClusterEntry | None = None
        for candidate in candidates:
            if candidate is not None:
                found = _first(found, candidate)
        return False if found is None else found


def _first(one: ClusterEntry | None, other: ClusterEntry) -> ClusterEntry:
    return other if one is None or other.key < one.key else one


def derive(key: str, index: Index, hashes: Hashes) -> GkeRules:
    """GKE's rules of the network with this key; stale ones only if every cluster that may use it was read.

    Rules are matched with clusters by hash: a rule of a deleted cluster with the same name has another.
    """
    inventory = index.inventory
    effective = inventory.effective.get(key, ())
    rules = _distinct((inventory.firewall_rules.get(key, ()), *(answer.rules for answer in effective)))
    found = []
    for rule in rules:
        if rule.name.startswith(("gke-", "gk3-")):
            match = _NAMED.fullmatch(rule.name) or _IPV6.fullmatch(rule.name)
            if match is not None:
                parts = match.groupdict()
                found.append(StaleRule(rule.asset, rule.name, parts.get("cluster") or "", parts["hash"]))
    gap = index.clusters_gap()
    if gap is not None:
        reason = f"Not every cluster that may use the network was read: {gap.reason.rstrip('.')}."
        return GkeRules(len(found), None, (), (Unknown("gke_rules.stale", reason, gap.hint),))
    hashes.complete()
    stale = []
    unknowns = []
    for one in found:
        owner = hashes.owner(one.cluster_hash, one.cluster_name)
        if owner is False:
            stale.append(one)
        elif owner is not True:
            reason = f"{one.name} may be of {owner.name}, whose id is not in the inventory."
            unknowns.append(Unknown("gke_rules.stale", reason, commands.describe_cluster(owner)))
    evidence = tuple([Evidence(one.asset, "name", one.name) for one in stale])
    project = project_of(key)
    if not effective and not inventory.coverage.read(FIREWALL, project):
        missing = inventory.coverage.why_not(FIREWALL, project)
        reason = f"Not every firewall rule of the network was read: {missing.reason.rstrip('.')}."
        unknowns.append(Unknown("gke_rules.stale", reason, missing.hint))
    # What was found to be stale is; but where something is not known, that there is none cannot be said.
    known = bool(stale) or not unknowns
    return GkeRules(len(found), tuple(stale) if known else None, evidence, tuple(unknowns))


def _distinct(lists: Iterable[tuple[FirewallRule, ...]]) -> list[FirewallRule]:
    """The rules of several readings of one network, each once."""
    by_name: dict[str, FirewallRule] = {}
    for rules in lists:
        for rule in rules:
            by_name.setdefault(rule.name, rule)
    return list(by_name.values())

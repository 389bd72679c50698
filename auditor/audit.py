"""The pipeline on one page: inventory, rules, waivers -> Report."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from auditor import __version__, parallel
from auditor.engine.result import ClusterReport, Report, ResourceRef, Verdict
from auditor.engine.waivers import apply
from auditor.facts import Deriver
from auditor.model.facts import Readiness
from auditor.model.inventory import CLUSTER, NETWORK
from auditor.model.names import last, project_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from auditor.engine.evaluate import Judge
    from auditor.engine.load import LoadedPack
    from auditor.engine.result import Result
    from auditor.engine.waivers import Waivers
    from auditor.facts.derive import Learned
    from auditor.model.extent import Extent
    from auditor.model.facts import ClusterFacts
    from auditor.model.inventory import Cluster, ClusterEntry, Inventory

_FEWEST = 1_000
"""For so many clusters a further process is worth its start."""

_BATCH = 256

_NO_DATA = Readiness("unknown", ("The inventory holds no data about this cluster.",))


def audit(
    inventory: Inventory,
    judge: Judge,
    waivers: Waivers,
    *,
    now: datetime,
    rules_digest: str,
    progress: Callable[[int], None] = lambda _: None,
) -> Report:
    """Every verdict about every cluster and network of the inventory.

    `now` decides which waivers have expired; `progress` is told how many clusters have been judged. Reads no
    clock and no network: the same arguments give the same report.
    """
    deriver = Deriver(inventory)
    clusters: list[ClusterReport] = []
    results: list[Result] = []
    pieces = parallel.pieces(inventory.clusters, _FEWEST)
    with parallel.processes(
        lambda number: _batches(inventory, pieces[number], judge), len(pieces)
    ) as batches:
        for batch in batches:
            clusters += batch.clusters
            results += batch.results
            if batch.learned is not None:
                deriver.learn(batch.learned)
            progress(len(clusters))
    for key in sorted({*inventory.networks, *inventory.firewall_rules, *inventory.effective}):
        network = inventory.networks.get(key)
        name = network.asset if network else f"//compute.googleapis.com/{key}"
        ref = ResourceRef(name, NETWORK, project_of(key), "global")
        results += judge.network(ref, deriver.network(key))
    results.sort(key=lambda one: (one.resource.name, one.rule, one.subject or ""))
    waived, notes = apply(results, waivers, now.date())
    return Report(
        tool_version=__version__,
        rules_digest=rules_digest,
        now=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        sources=inventory.sources,
        scope=inventory.scope,
        read_time=inventory.read_time,
        digest=inventory.digest,
        counts=inventory.counts,
        complete_by_word=inventory.complete,
        gaps=inventory.gaps,
        rules=judge.rules,
        clusters=tuple(clusters),
        results=tuple(waived),
        summary=_summary(waived),
        waiver_notes=tuple(notes),
        rule_digests=judge.digests,
        extents=_extents(inventory),
    )


def _extents(inventory: Inventory) -> dict[str, Extent]:
    """Where every cluster and every network was read."""
    projects = {entry.project for entry in inventory.clusters}
    projects |= {project_of(key) for key in (*inventory.networks, *inventory.firewall_rules)}
    projects.discard("")
    return {kind: inventory.coverage.extent(kind, projects) for kind in (CLUSTER, NETWORK)}


class _Batch(NamedTuple):
    # What was found about some clusters; the last one holds what networks have to know of all before it.
    clusters: list[ClusterReport]
    results: list[Result]
    learned: Learned | None


def _batches(inventory: Inventory, entries: Sequence[ClusterEntry], judge: Judge) -> Iterator[_Batch]:
    deriver = Deriver(inventory)
    for start in range(0, len(entries), _BATCH):
        clusters: list[ClusterReport] = []
        results: list[Result] = []
        for entry in entries[start : start + _BATCH]:
            cluster = inventory.decode(entry)
            facts = deriver.cluster(cluster) if cluster.data is not None else None
            ref = ResourceRef(entry.name, CLUSTER, entry.project, entry.location)
            clusters.append(_cluster_report(cluster, ref, facts))
            results += judge.cluster(ref, cluster.data, facts)
        last = start + _BATCH >= len(entries)
        yield _Batch(clusters, results, deriver.learned() if last else None)


def rules_digest(packs: Sequence[LoadedPack]) -> str:
    """`sha256:` and the digest of the packs' own digests, whatever the order of the packs."""
    digests = "\n".join(sorted(pack.digest for pack in packs))
    return "sha256:" + hashlib.sha256(digests.encode()).hexdigest()


def _cluster_report(cluster: Cluster, ref: ResourceRef, facts: ClusterFacts | None) -> ClusterReport:
    entry, data = cluster.entry, cluster.data or {}
    folder = next((one for one in entry.ancestors if one.startswith("folders/")), "")
    autopilot = data.get("autopilot")
    network = data.get("networkConfig")
    status = data.get("status")
    return ClusterReport(
        resource=ref,
        short_name=entry.short_name or last(entry.name),
        status=status if isinstance(status, str) else "",
        autopilot=isinstance(autopilot, dict) and autopilot.get("enabled") is True,
        dataplane_v2=isinstance(network, dict) and network.get("datapathProvider") == "ADVANCED_DATAPATH",
        folder=folder,
        facts=facts,
        readiness=_NO_DATA if facts is None else facts.readiness.told,
    )


def _summary(results: Sequence[Result]) -> dict[str, int]:
    """How many results there are of each verdict; failures that are waived count as `waived` alone."""
    counts = Counter(
        "waived" if one.verdict is Verdict.FAIL and one.waiver else str(one.verdict) for one in results
    )
    return {name: counts[name] for name in ("fail", "pass", "unknown", "not_applicable", "waived")}

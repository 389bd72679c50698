"""The pipeline on one page: inventory, rules, waivers -> Report."""

from __future__ import annotations

import hashlib
from collections import Counter
from itertools import chain
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, NamedTuple

from auditor import __version__, parallel
from auditor.engine.result import ClusterReport, Report, ResourceRef, Verdict
from auditor.engine.waivers import apply
from auditor.facts import Deriver
from auditor.model.facts import Readiness
from auditor.model.inventory import CLUSTER, NETWORK
from auditor.model.names import last, project_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from auditor.engine.evaluate import Judge
    from auditor.engine.load import LoadedPack
    from auditor.engine.result import Result
    from auditor.engine.waivers import Waivers
    from auditor.facts.derive import Learned
    from auditor.model.extent import Extent
    from auditor.model.facts import ClusterFacts
    from auditor.model.inventory import Cluster, Inventory

_FEWEST = 1_000
"""For so many clusters a further process is worth its start."""

_BATCH = 256
"""So many clusters are judged, and handed over, in one go."""

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
    size = max(_BATCH, -(-len(inventory.clusters) // parallel.Urn.MOST))
    # Those of one network together, so that its rules are compiled in one process.
    order = sorted(range(len(inventory.clusters)), key=lambda one: inventory.clusters[one].network)
    batches = [order[low : low + size] for low in range(0, len(order), size)]
    judged: dict[int, _Batch] = {}
    done = 0

    def take_in(items: Iterable[_Batch | Learned]) -> None:
        nonlocal done
        for item in items:
            if isinstance(item, _Batch):
                judged[item.number] = item
                done += len(item.clusters)
                progress(done)
            else:
                deriver.learn(item)

    with (
        parallel.Urn(len(batches)) as urn,
        parallel.processes(
            lambda _: _judged(inventory, judge, batches, urn),
            parallel.useful(len(inventory.clusters), _FEWEST),
        ) as items,
    ):
        take_in(items)
    # What a process had drawn that failed.
    take_in(_judged(inventory, judge, batches, [one for one in range(len(batches)) if one not in judged]))
    reports = chain.from_iterable(judged[number].clusters for number in range(len(batches)))
    clusters = [one for _, one in sorted(zip(order, reports, strict=True), key=itemgetter(0))]
    groups = [group for number in range(len(batches)) for group in judged[number].results]
    judged.clear()
    for key in sorted({*inventory.networks, *inventory.firewall_rules, *inventory.effective}):
        network = inventory.networks.get(key)
        name = network.asset if network else f"//compute.googleapis.com/{key}"
        ref = ResourceRef(name, NETWORK, project_of(key), "global")
        groups.append(_sorted(judge.network(ref, deriver.network(key))))
    groups.sort(key=lambda group: group[0].resource.name if group else "")
    waived, notes = apply([*chain.from_iterable(groups)], waivers, now.date())
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
    # What was found out about some clusters; the results about each, sorted.
    number: int
    clusters: list[ClusterReport]
    results: list[list[Result]]


def _judged(
    inventory: Inventory, judge: Judge, batches: Sequence[Sequence[int]], numbers: Iterable[int]
) -> Iterator[_Batch | Learned]:
    """What is found out about some of the batches, and at last what networks have to know of these.

    A batch has the numbers of some clusters of the inventory.
    """
    deriver = Deriver(inventory)
    for number in numbers:
        clusters: list[ClusterReport] = []
        results: list[list[Result]] = []
        # Few reports tell all facts: what another process found out is unpickled for those alone.
        kept: list[ClusterFacts] = []
        together = parallel.Together(kept)
        for entry in map(inventory.clusters.__getitem__, batches[number]):
            cluster = inventory.decode(entry)
            ref = ResourceRef(entry.name, CLUSTER, entry.project, entry.location)
            facts = None
            if cluster.data is not None:
                facts = deriver.cluster(cluster)
                kept.append(facts)
            later = parallel.Later(together, len(kept) - 1) if facts is not None else None
            clusters.append(
                _cluster_report(cluster, ref, later, _NO_DATA if facts is None else facts.readiness.told)
            )
            results.append(_sorted(judge.cluster(ref, cluster.data, facts)))
        yield _Batch(number, clusters, results)
    yield deriver.learned()


def _sorted(results: list[Result]) -> list[Result]:
    """The results about one resource in the order in which a report has them."""
    return sorted(results, key=lambda one: (one.rule, one.subject or ""))


def rules_digest(packs: Sequence[LoadedPack]) -> str:
    """`sha256:` and the digest of the packs' own digests, whatever the order of the packs."""
    digests = "\n".join(sorted(pack.digest for pack in packs))
    return "sha256:" + hashlib.sha256(digests.encode()).hexdigest()


def _cluster_report(
    cluster: Cluster, ref: ResourceRef, kept: parallel.Later[ClusterFacts] | None, readiness: Readiness
) -> ClusterReport:
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
        kept=kept,
        readiness=readiness,
    )


def _summary(results: Sequence[Result]) -> dict[str, int]:
    """How many results there are of each verdict; failures that are waived count as `waived` alone."""
    counts: Counter[str] = Counter(map(attrgetter("verdict"), results))
    counts["waived"] = sum(one.waiver is not None for one in results if one.verdict is Verdict.FAIL)
    counts["fail"] -= counts["waived"]
    return {name: counts[name] for name in ("fail", "pass", "unknown", "not_applicable", "waived")}

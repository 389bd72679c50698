"""The report as one JSON object: `gke-auditor/report/v1`, described in docs/outputs.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.model.traffic import NOTHING_KNOWN, decider_json, scope_json
from auditor.reporting.encode import DEEPEST, chunks, dumps, dumps_observed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from auditor.engine.result import (
        ClusterReport,
        Comparison,
        Point,
        Report,
        ResourceRef,
        Result,
        Severity,
        Verdict,
    )
    from auditor.engine.waivers import Waiver
    from auditor.model.declaration import Declaration
    from auditor.model.evidence import Evidence, Unknown
    from auditor.model.extent import Extent
    from auditor.model.facts import ClusterFacts, PodPackets

SCHEMA = "gke-auditor/report/v1"

Object = dict[str, object]


def render(report: Report) -> Iterator[bytes]:
    """The whole report; each cluster and each result stands on a line of its own."""
    return chunks(_parts(report))


def _parts(report: Report) -> Iterator[bytes]:
    yield dumps(header(report))[:-1]
    yield b',"clusters":['
    separator = b"\n"
    for cluster in report.clusters:
        yield separator
        yield dumps(_cluster(cluster))
        separator = b",\n"
    yield b'],"results":['
    encoder = ResultEncoder()
    separator = b"\n"
    for result in report.results:
        yield separator
        yield encoder.encode(result)
        separator = b",\n"
    yield b"]}\n"


def header(report: Report) -> Object:
    """The report object without `clusters` and `results`."""
    digests = report.rule_digests
    head: Object = {
        "schema": SCHEMA,
        "tool": {"name": "gke-auditor", "version": report.tool_version, "rules_digest": report.rules_digest},
        "now": report.now,
        "inventory": {
            "scope": report.scope,
            "sources": report.sources,
            "read_time": report.read_time,
            "digest": report.digest,
            "complete_by_word": report.complete_by_word,
            "counts": dict(report.counts),
            "gaps": [
                {"scope": g.scope, "asset_type": g.asset_type, "reason": g.reason, "hint": g.hint}
                for g in report.gaps
            ],
            **({"extents": _extents(report.extents)} if report.extents else {}),
        },
        "summary": {
            key: report.summary.get(key, 0) for key in ("fail", "pass", "unknown", "not_applicable", "waived")
        },
        "rules": [
            {
                "id": rule.id,
                "title": rule.title,
                "severity": rule.severity.value,
                "tags": rule.tags,
                "aliases": rule.aliases,
                "controls": rule.controls,
                **({"digest": digests[rule.id]} if rule.id in digests else {}),
            }
            for rule in report.rules
        ],
        "waiver_notes": [
            {"kind": note.kind, "text": note.text, "waiver": waiver(note.waiver)}
            for note in report.waiver_notes
        ],
    }
    if report.comparison is not None:
        head["baseline"] = comparison(report.comparison)
    if report.history:
        head["history"] = [point(one) for one in report.history]
    return head


def _extents(extents: Mapping[str, Extent]) -> Object:
    return {
        kind: {
            "everywhere": extent.everywhere,
            "scopes": sorted(extent.scopes),
            "projects": sorted(extent.projects),
            "unread": sorted(extent.unread),
        }
        for kind, extent in extents.items()
    }


def comparison(given: Comparison) -> Object:
    """What the report was compared with, the counts, and the findings that are neither there nor mended."""
    return {
        "source": given.place,
        "scope": given.scope,
        "read_time": given.read_time,
        "digest": given.digest,
        "tool_version": given.tool_version,
        "rules_digest": given.rules_digest,
        "new": given.new,
        "unchanged": given.unchanged,
        "absent": given.absent,
        "rules_added": given.rules_added,
        "rules_removed": given.rules_removed,
        "rules_changed": given.rules_changed,
        "unsettled": [
            {
                "rule": one.rule,
                "severity": one.severity.value,
                "resource": _resource(one.resource),
                "subject": one.subject,
                "message": one.message,
                "fingerprint": one.fingerprint,
                "state": one.state,
                "reason": one.reason,
            }
            for one in given.unsettled
        ],
    }


def point(given: Point) -> Object:
    """One recorded scan of a history."""
    return {
        "time": given.time,
        "scope": given.scope,
        "tool_version": given.tool_version,
        "clusters": given.clusters,
        "gaps": given.gaps,
        "verdicts": dict(given.verdicts),
        "severities": dict(given.severities),
        "readiness": dict(given.readiness),
        "opened": given.opened,
        "fixed": given.fixed,
        "gone": given.gone,
        "unsettled": given.unsettled,
    }


def waiver(given: Waiver | None) -> Object | None:
    """A waiver with its date as `YYYY-MM-DD`."""
    if given is None:
        return None
    return {
        "rule": given.rule,
        "resource": given.resource,
        "subject": given.subject,
        "reason": given.reason,
        "owner": given.owner,
        "expires": given.expires.isoformat(),
    }


def _resource(ref: ResourceRef) -> Object:
    return {"name": ref.name, "type": ref.type, "project": ref.project, "location": ref.location}


class EvidenceEncoder:
    """Evidence as JSON objects; what results about one resource share is encoded once."""

    def __init__(self, deepest: int = DEEPEST) -> None:
        self._deepest = deepest
        self._ref: ResourceRef | None = None
        self._known: dict[int, bytes] = {}

    def encode(self, ref: ResourceRef, evidence: tuple[Evidence, ...]) -> bytes:
        """The evidence of a result about `ref`: objects separated by commas."""
        # Identities serve as keys because the report keeps all evidence alive; they are dropped with the
        # resource so that memory does not grow with the report.
        if ref is not self._ref:
            self._ref = ref
            self._known.clear()
        known = self._known
        encoded = known.get(id(evidence))
        if encoded is None:
            items = []
            for item in evidence:
                text = known.get(id(item))
                if text is None:
                    text = known[id(item)] = _evidence(item, self._deepest)
                items.append(text)
            encoded = known[id(evidence)] = b",".join(items)
        return encoded


_PLAIN = frozenset((str, int, bool, type(None)))
"""Types of which every value is the same in JSON, or is made so by `dumps`."""


def _evidence(item: Evidence, deepest: int) -> bytes:
    path, observed, expected, asset = item.path, item.observed, item.expected, item.asset
    if type(observed) in _PLAIN and type(expected) in _PLAIN:
        return dumps({"path": path, "observed": observed, "expected": expected, "asset": asset})
    return b'{"path":%b,"observed":%b,"expected":%b,"asset":%b}' % (
        dumps(path),
        dumps_observed(observed, deepest),
        dumps_observed(expected, deepest),
        dumps(asset),
    )


class ResultEncoder:
    """Results as JSON objects.

    An audit of a large organisation repeats itself: every rule names the same resource, rules share facts
    and so evidence. What is shared is encoded once; results that come sorted by resource profit most.
    """

    def __init__(self) -> None:
        self._heads: dict[tuple[str, Verdict, Severity], bytes] = {}
        self._waivers: dict[int, Object | None] = {}
        self._ref: ResourceRef | None = None
        self._resource = b""
        self._evidence = EvidenceEncoder()

    def encode(self, result: Result) -> bytes:
        """One result as `results[]` holds it."""
        ref = result.resource
        if ref is not self._ref:
            self._ref = ref
            self._resource = dumps(_resource(ref))
        key = (result.rule, result.verdict, result.severity)
        head = self._heads.get(key)
        if head is None:
            head = self._heads[key] = b'{"rule":%b,"verdict":%b,"severity":%b,"resource":' % (
                dumps(result.rule),
                dumps(result.verdict.value),
                dumps(result.severity.value),
            )
        fix = result.remediation
        rest: Object = {
            "reasons": result.reasons,
            "remediation": None if fix is None else {"text": fix.text, "commands": fix.commands},
            "fingerprint": result.fingerprint,
            "waiver": None if result.waiver is None else self._waiver(result.waiver),
            "baseline": result.baseline,
        }
        if result.declarations:
            rest["declarations"] = [declaration(one) for one in result.declarations]
        return b'%b%b,%b,"evidence":[%b],%b' % (
            head,
            self._resource,
            dumps({"subject": result.subject, "message": result.message})[1:-1],
            self._evidence.encode(ref, result.evidence),
            dumps(rest)[1:],
        )

    def _waiver(self, given: Waiver) -> Object | None:
        if id(given) not in self._waivers:
            self._waivers[id(given)] = waiver(given)
        return self._waivers[id(given)]


def declaration(one: Declaration) -> Object:
    """A place that declares something, or may; null for the lines of what has no file."""
    return {
        "asset": one.asset,
        "address": one.address,
        "certainty": one.certainty,
        "file": one.file or None,
        "start_line": one.start_line or None,
        "end_line": one.end_line or None,
        "action": one.action or None,
        "fix": one.fix or None,
    }


def _cluster(cluster: ClusterReport) -> Object:
    """A cluster; what is not known is null, and `unknowns` says why."""
    ref = cluster.resource
    return {
        "name": ref.name,
        "project": ref.project,
        "location": ref.location,
        "short_name": cluster.short_name,
        "status": cluster.status,
        "autopilot": cluster.autopilot,
        "dataplane_v2": cluster.dataplane_v2,
        "folder": cluster.folder,
        "readiness": cluster.readiness.state,
        "readiness_reasons": cluster.readiness.reasons,
        **(_NO_FACTS if cluster.facts is None else _facts(cluster.facts)),
        **(
            {"declarations": [declaration(one) for one in cluster.declarations]}
            if cluster.declarations
            else {}
        ),
    }


def _packets(packets: PodPackets) -> Object:
    return {
        **scope_json(packets.analysis),
        "repairs": [
            {
                "direction": one.direction,
                "decided_by": decider_json(one.decided_by),
                "text": one.text,
                "command": one.command,
                "terraform": one.terraform,
                "owner": one.owner,
            }
            for one in packets.repairs
        ],
    }


def _facts(facts: ClusterFacts) -> Object:
    visibility, versions, network = facts.visibility, facts.versions, facts.network
    masquerade, classes, subnets = facts.masquerade, facts.node_classes.classes, facts.flow_logs.subnets
    return {
        "visibility": {
            "state": visibility.state or "unknown",
            "basis": visibility.basis,
            "mechanism": visibility.mechanism,
        },
        "versions": {
            "control_plane": versions.control_plane,
            "pools": versions.pools and [{"name": p.name, "version": p.version} for p in versions.pools],
        },
        "windows_pools": facts.windows.pools,
        "network": {
            "network": network.network,
            "project": network.project,
            "shared": network.shared,
            "mtu": network.mtu,
        },
        "pools": [
            {
                "name": pool.name,
                "pod_ranges": pool.ranges,
                "node_block": {"ipv4": pool.ipv4_block, "ipv6": pool.ipv6_block},
                "resolved": pool.resolved,
            }
            for pool in facts.pods.pools
        ],
        "pod_ranges": [
            {"cidr": r.cidr, "family": r.family, "origin": r.origin, "pools": r.pools, "in_use": r.in_use}
            for r in facts.pods.ranges
        ],
        "unresolved_pod_ranges": [
            {"name": r.name, "subnetwork": r.subnetwork, "pools": r.pools, "reason": r.reason}
            for r in facts.pods.unresolved
        ],
        "masquerade": {
            "basis": masquerade.basis,
            "non_masquerade": masquerade.non_masquerade,
            "uncovered": masquerade.uncovered
            and [
                {"range": u.range, "parts": u.parts, "origin": u.origin, "pools": u.pools}
                for u in masquerade.uncovered
            ],
        },
        "flow_logs": subnets
        and [
            {
                "subnetwork": s.subnetwork,
                "name": s.name,
                "region": s.region,
                "project": s.project,
                "pools": s.pools,
                "enabled": s.enabled,
                "sampling": s.sampling,
                "metadata": s.metadata,
                "aggregation": s.aggregation,
                "filter": s.filter,
            }
            for s in subnets
        ],
        "traffic": {
            "same_node": _packets(facts.traffic.same_node),
            "any_node": _packets(facts.traffic.any_node),
        },
        "node_classes": classes
        and [
            {
                "pools": c.pools,
                "network": c.network,
                "region": c.region,
                "tags": c.tags,
                "cluster_name": c.cluster_name,
                "cluster_hash": c.cluster_hash,
                "service_account": c.service_account,
                "secure_tags": c.secure_tags,
            }
            for c in classes
        ],
        "unknowns": [{"path": u.path, "reason": u.reason, "hint": u.hint} for u in unknowns(facts)],
    }


_NOT_ANALYSED: Object = {
    "verdict": "unknown",
    "by_protocol": dict(NOTHING_KNOWN),
    "denied": [],
    "undecided": [],
    "reasons": ["the asset carries no data"],
    "repairs": [],
}

_NO_FACTS: Object = {
    "visibility": {"state": "unknown", "basis": "the asset carries no data", "mechanism": None},
    "versions": None,
    "windows_pools": None,
    "network": None,
    "pools": None,
    "pod_ranges": None,
    "unresolved_pod_ranges": None,
    "masquerade": None,
    "flow_logs": None,
    "traffic": {"same_node": _NOT_ANALYSED, "any_node": _NOT_ANALYSED},
    "node_classes": None,
    "unknowns": [],
}


def unknowns(facts: ClusterFacts) -> Iterator[Unknown]:
    """Everything that the facts of a cluster leave open, in the order of the facts."""
    yield from facts.visibility.unknowns
    yield from facts.versions.unknowns
    yield from facts.windows.unknowns
    yield from facts.network.unknowns
    yield from facts.pods.unknowns
    yield from facts.masquerade.unknowns
    yield from facts.flow_logs.unknowns
    yield from facts.node_classes.unknowns
    yield from facts.traffic.unknowns

"""Reports that hold any text and any JSON wherever an inventory, a rule pack or a waiver can put them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from auditor.engine.result import Remediation, Report, ResourceRef, Result, Severity, Verdict, WaiverNote
from auditor.model.evidence import Evidence
from auditor.model.inventory import CLUSTER, NETWORK, Gap
from tests.reporting import reports

if TYPE_CHECKING:
    from auditor.model.evidence import Json

texts: st.SearchStrategy[str] = st.one_of(
    st.sampled_from([text for text in reports.HOSTILE if len(text) < 500]),
    st.text(st.characters(exclude_categories=()), max_size=30),
)
"""Any text: also control characters, bidirectional marks, lone surrogates, and what breaks a format."""

values: st.SearchStrategy[Json] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.integers(-(10**40), 10**40), st.floats(), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=6,
)
"""Any JSON, and what is not quite JSON: NaN, integers of any size, lone surrogates."""

_refs = st.builds(
    lambda name, type_, project, location: ResourceRef(
        f"//container.googleapis.com/projects/{project}/locations/{location}/clusters/{name}",
        type_,
        project,
        location,
    ),
    texts,
    st.sampled_from([CLUSTER, NETWORK]) | texts,
    texts,
    texts,
)

_results = st.builds(
    # A baseline knows failures alone.
    lambda rule, verdict, ref, baseline, **rest: reports.result(
        rule, verdict, ref, baseline=baseline if verdict is Verdict.FAIL else None, **rest
    ),
    st.sampled_from([entry[0] for entry in reports.RULES]),
    st.sampled_from(Verdict),
    _refs,
    subject=st.none() | texts,
    severity=st.sampled_from(Severity),
    message=texts,
    evidence=st.lists(st.builds(Evidence, texts, texts, values, values), max_size=3).map(tuple),
    reasons=st.lists(texts, max_size=3).map(tuple),
    remediation=st.none() | st.builds(Remediation, texts, st.lists(texts, max_size=2).map(tuple)),
    waiver=st.none()
    | st.builds(lambda reason, owner: replace(reports.WAIVER, reason=reason, owner=owner), texts, texts),
    baseline=st.sampled_from([None, "new", "unchanged", "absent"]),
)


def _report(
    refs: list[ResourceRef],
    results: list[Result],
    gaps: list[Gap],
    notes: list[WaiverNote],
    scope: str,
) -> Report:
    clusters = [
        reports.cluster(
            ref, "unknown", (ref.location,), facts_=reports.facts(ref, second_range=True), folder=ref.project
        )
        for ref in refs
    ]
    return reports.report(clusters, results, gaps=tuple(gaps), waiver_notes=tuple(notes), scope=scope)


hostile_reports: st.SearchStrategy[Report] = st.builds(
    _report,
    st.lists(_refs, max_size=2),
    st.lists(_results, max_size=5),
    st.lists(st.builds(Gap, texts, st.none() | texts, texts, texts), max_size=3),
    st.lists(
        st.builds(WaiverNote, st.sampled_from(["expired", "malformed", "unused"]), texts, st.none()),
        max_size=2,
    ),
    texts,
)

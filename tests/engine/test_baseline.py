"""What a scan says about the findings of an earlier one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from auditor.engine.baseline import compare
from auditor.engine.result import Verdict
from auditor.reporting.previous import load
from tests.changes import FORMS, NAMED, ON, RENAMED, RULE, cluster, gap, own, project, scan
from tests.sources import assets as make

if TYPE_CHECKING:
    from pathlib import Path

    from auditor.engine.result import Report
    from tests.changes import Scan

OTHER = cluster("other", "shop", on=True)
THEN = [cluster(), OTHER, project("pay"), project("shop")]


def compared(tmp_path: Path, then: Scan, now: Scan, form: str = "json") -> Report:
    return compare(now.report, load(then.write(tmp_path / "then", form)), now.numbers)


def outcome(report: Report) -> list[str]:
    """Each failure by cluster and state, and each unsettled finding."""
    assert report.comparison is not None
    told = [
        f"{one.resource.name.rsplit('/', 1)[-1]} {one.baseline}"
        for one in report.results
        if one.verdict is Verdict.FAIL
    ]
    told += [f"{one.resource.name.rsplit('/', 1)[-1]} {one.state}" for one in report.comparison.unsettled]
    return sorted(told)


TABLE: dict[str, tuple[dict[str, Any], list[str]]] = {
    "nothing changed": ({"assets": THEN}, ["c unchanged"]),
    "visibility was turned on": ({"assets": [cluster(on=True), OTHER]}, ["c absent"]),
    "another cluster is off as well": (
        {"assets": [cluster(), cluster("d"), OTHER]},
        ["c unchanged", "d new"],
    ),
    "the cluster was deleted": ({"assets": [cluster("d", on=True), OTHER]}, ["c absent"]),
    "the cluster was deleted, by a plain export of its project": (
        {"assets": [cluster("d", on=True), OTHER], "snapshot": False},
        ["c absent"],
    ),
    "the cluster was renamed": ({"assets": [cluster("d"), OTHER]}, ["c absent", "d new"]),
    "the project was deleted": ({"assets": [OTHER, project("shop")]}, ["c absent"]),
    "the cluster was moved to a project of another name": (
        {"assets": [cluster("c", "new-pay"), OTHER]},
        ["c absent", "c new"],
    ),
    "the project is not in a plain export": ({"assets": [OTHER], "snapshot": False}, ["c not_covered"]),
    "the project is not in files that hold everything": (
        {"assets": [OTHER], "snapshot": False, "complete": True},
        ["c absent"],
    ),
    "the project is not in a snapshot of one project": (
        {"assets": [OTHER], "scope": "projects/shop"},
        ["c not_covered"],
    ),
    "the project is not in a snapshot of another organization": (
        {"assets": [OTHER], "scope": "organizations/1"},
        ["c not_covered"],
    ),
    "the project became unreadable": (
        {"assets": [OTHER, project("pay")], "gaps": (gap("projects/pay"),)},
        ["c not_covered"],
    ),
    "the project became unreadable, by its number": (
        {"assets": [OTHER, project("pay")], "gaps": (gap("projects/41"),)},
        ["c not_covered"],
    ),
    "a project became unreadable that nothing else tells of": (
        {"assets": [OTHER], "gaps": (gap("projects/41"),)},
        ["c not_covered"],
    ),
    "another project became unreadable": (
        {"assets": [OTHER], "gaps": (gap("projects/elsewhere"),)},
        ["c absent"],
    ),
    "the folder became unreadable": (
        {"assets": [OTHER], "gaps": (gap("folders/55"),)},
        ["c not_covered"],
    ),
    "the folder became unreadable, for all that is said": (
        {"assets": [OTHER], "gaps": (gap("folders/55"),), "complete": True},
        ["c not_covered"],
    ),
    "clusters became unreadable": (
        {"assets": [OTHER, project("pay")], "gaps": (gap(make.ORGANIZATION),)},
        ["c not_covered"],
    ),
    "something was not read, whatever its type": (
        {"assets": [OTHER, project("pay")], "gaps": (gap("projects/pay", None),)},
        ["c not_covered"],
    ),
    "a line was lost": (
        {"assets": [OTHER, project("pay")], "snapshot": False, "lost": b'{"name": "//container\n'},
        ["c not_covered"],
    ),
    "the cluster has no data any more": (
        {"assets": [make.asset(cluster()["assetType"], cluster()["name"], None), OTHER]},
        ["c undecided"],
    ),
    "the verdict became unknown": (
        {"assets": [cluster(networkConfig=None), OTHER]},
        ["c undecided"],
    ),
    "the cluster does not run": ({"assets": [cluster(status="ERROR"), OTHER]}, ["c not_judged"]),
    "the project is called by its number": (
        {"assets": [cluster(by_number=True), OTHER, project("pay")]},
        ["c unchanged"],
    ),
    "the location is called a zone": (
        {"assets": [cluster(location="zones/europe-west1-b"), OTHER]},
        ["c unchanged"],
    ),
    "the rule was not evaluated": (
        {"assets": THEN, "only": frozenset({"gke-version-unsupported"})},
        ["c rule_gone"],
    ),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", TABLE)
def test_a_finding_is_compared(case: str, form: str, tmp_path: Path) -> None:
    now, expected = TABLE[case]
    report = compared(tmp_path, scan(THEN), scan(**now), form)
    assert outcome(report) == expected
    assert report.comparison is not None
    new, unchanged, absent = (
        sum(word in one for one in expected) for word in (" new", " unchanged", " absent")
    )
    assert (report.comparison.new, report.comparison.unchanged, report.comparison.absent) == (
        new,
        unchanged,
        absent,
    )
    names = [(one.resource.name, one.rule, one.subject or "") for one in report.results]
    assert names == sorted(names)


@pytest.mark.parametrize("form", FORMS)
def test_an_absent_finding_is_what_it_was(form: str, tmp_path: Path) -> None:
    then = scan(THEN)
    report = compared(tmp_path, then, scan([cluster(on=True), OTHER]), form)
    (was,) = [one for one in then.report.results if one.verdict is Verdict.FAIL]
    (gone,) = [one for one in report.results if one.baseline == "absent"]
    assert (gone.rule, gone.severity, gone.resource, gone.subject, gone.message, gone.fingerprint) == (
        was.rule, was.severity, was.resource, was.subject, was.message, was.fingerprint,
    )  # fmt: skip
    assert gone.reasons == ("The rule passes now.",)
    assert gone not in report.findings


@pytest.mark.parametrize("form", FORMS)
def test_what_one_scan_cannot_tell_the_next_one_still_knows(form: str, tmp_path: Path) -> None:
    outage = scan([OTHER], gaps=(gap("projects/pay"),))
    outage.report = compared(tmp_path, scan(THEN), outage, form)
    assert outcome(outage.report) == ["c not_covered"]
    assert outcome(compared(tmp_path, outage, scan(THEN), form)) == ["c unchanged"]
    assert outcome(compared(tmp_path, outage, scan([cluster(on=True), OTHER]), form)) == ["c absent"]


@pytest.mark.parametrize("form", FORMS)
def test_what_was_absent_once_is_not_absent_again(form: str, tmp_path: Path) -> None:
    mended = scan([cluster(on=True), OTHER])
    mended.report = compared(tmp_path, scan(THEN), mended, form)
    assert outcome(compared(tmp_path, mended, scan([cluster(on=True), OTHER]), form)) == []
    assert outcome(compared(tmp_path, mended, scan(THEN), form)) == ["c new"]


@pytest.mark.parametrize("form", FORMS)
def test_a_waiver_that_lapsed_makes_a_finding_worse(form: str, tmp_path: Path) -> None:
    report = compared(tmp_path, scan(THEN, waived=True), scan(THEN), form)
    assert outcome(report) == ["c unchanged"]
    (finding,) = report.findings
    assert report.comparison is not None
    assert report.comparison.worse == {finding.fingerprint}
    again = compared(tmp_path, scan(THEN), scan(THEN), form)
    assert again.comparison is not None
    assert again.comparison.worse == frozenset()


# --- rules change ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("then", "now", "on", "expected"),
    [
        ({"checks": ON}, {"checks": ON, "title": "title: Said otherwise"}, True, ["c absent"]),
        ({"checks": ON}, {"checks": NAMED}, False, ["c rule_changed"]),
        ({"checks": ON}, {"checks": NAMED}, True, ["c rule_changed"]),
        ({"checks": NAMED}, {"checks": ON}, False, ["c new"]),
        ({"checks": ON}, {"checks": ON, "name": "seen", "since": RENAMED}, False, ["c unchanged"]),
        ({"checks": ON}, {"checks": ON, "name": "seen", "since": RENAMED}, True, ["c absent"]),
        ({"checks": ON}, {"checks": ON, "name": "seen"}, True, ["c rule_gone"]),
    ],
    ids=[
        "worded otherwise",
        "a rule that now lets it pass",
        "a rule that changed, and a cluster that changed",
        "a rule that is stricter now",
        "a rule that was renamed",
        "a rule that was renamed, and a cluster that was mended",
        "a rule that was removed",
    ],
)
def test_a_rule_changed(
    then: dict[str, str], now: dict[str, str], on: bool, expected: list[str], form: str, tmp_path: Path
) -> None:
    before = scan(THEN, own=own(tmp_path, **then))
    after = scan([cluster(on=on), OTHER], own=own(tmp_path, **now))
    report = compared(tmp_path, before, after, form)
    assert outcome(report) == expected
    assert report.comparison is not None
    name = now.get("name", "visible")
    kept = name == "visible" or "since" in now
    assert report.comparison.rules_added == (() if kept else (name,))
    assert report.comparison.rules_removed == (() if kept else ("visible",))
    assert report.comparison.rules_changed == (("visible",) if then["checks"] != now["checks"] else ())


def test_a_parameter_that_a_rule_reads_changes_it(tmp_path: Path) -> None:
    def with_minimum(version: str) -> Scan:
        return scan(
            THEN, only=frozenset({"gke-version-unsupported", RULE}), parameters={"minimum_version": version}
        )

    before, after = with_minimum("1.15"), with_minimum("1.99")
    changed = {
        one for one in before.report.rule_digests
        if before.report.rule_digests[one] != after.report.rule_digests[one]
    }  # fmt: skip
    assert changed == {"gke-version-unsupported"}
    report = compared(tmp_path, after, before)
    assert report.comparison is not None
    assert {one.state for one in report.comparison.unsettled} == {"rule_changed"}


def test_a_report_without_digests_of_rules_is_compared_by_that_of_all(tmp_path: Path) -> None:
    then, now = scan(THEN), scan([cluster(on=True), OTHER])
    then.write(tmp_path / "then")
    document = json.loads((tmp_path / "then").read_text())
    for one in document["rules"]:
        del one["digest"]
    (tmp_path / "old").write_text(json.dumps(document, indent=1))
    assert outcome(compare(now.report, load(str(tmp_path / "old")), now.numbers)) == ["c absent"]
    document["tool"]["rules_digest"] = "sha256:other"
    (tmp_path / "old").write_text(json.dumps(document))
    assert outcome(compare(now.report, load(str(tmp_path / "old")), now.numbers)) == ["c rule_changed"]

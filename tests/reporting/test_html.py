"""The HTML report as text and data; what it does in a browser is tested in browser/."""

from __future__ import annotations

import base64
import gzip
import hashlib
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import asdict, replace
from functools import cache
from html.parser import HTMLParser
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor import bundled, parallel
from auditor.engine.result import Comparison, Point, Result, Severity, Unsettled, Verdict
from auditor.model.declaration import Declaration
from auditor.model.evidence import Evidence
from auditor.model.facts import ClusterFacts
from auditor.model.inventory import SUBNETWORK, Gap
from auditor.reporting import html, lines
from tests.reporting import reports

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.engine.result import Report

BUILDERS: dict[str, Callable[[], Report]] = {
    "all_verdicts": reports.all_verdicts,
    "hostile": reports.hostile,
    "declared": reports.declared,
    "big": lambda: reports.big(600),
    "empty": reports.report,
}
ALL = pytest.mark.parametrize("name", list(BUILDERS))
HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufffe\uffff]"
)


@cache
def built(name: str) -> Report:
    return BUILDERS[name]()


@cache
def page(name: str) -> str:
    return b"".join(html.render(built(name))).decode()


def text_of(rendered: str) -> str:
    """The text of the page that is seen without script."""

    class Text(HTMLParser):
        skipping = 0
        parts: list[str]

        def handle_starttag(self, tag: str, attrs: object) -> None:
            self.skipping += tag in ("script", "style")

        def handle_endtag(self, tag: str) -> None:
            self.skipping -= tag in ("script", "style")

        def handle_data(self, data: str) -> None:
            if not self.skipping:
                self.parts.append(data)

    parser = Text()
    parser.parts = []
    parser.feed(rendered)
    return " ".join(" ".join(parser.parts).split())


class Decoded:
    """The two data blocks, read as the page's script reads them."""

    def __init__(self, rendered: str) -> None:
        self.list: dict[str, Any] = orjson.loads(self._block(rendered, "listing"))
        self.list["findings"]["resource"] = list(accumulate(self.list["findings"]["resource"]))
        header, *self.lines = self._block(rendered, "details").split("\n")
        self.header: dict[str, Any] = orjson.loads(header)

    @staticmethod
    def _block(rendered: str, name: str) -> str:
        match = re.search(
            rf'<script type="text/plain" id="{name}" data-enc="gzip\+base64">([^<]*)</script>', rendered
        )
        assert match
        return gzip.decompress(base64.b64decode(match[1], validate=True)).decode()

    def places(self, resource: int, subject: str = "") -> dict[str, str]:
        columns = self.list["resources"]
        at = {
            "\x02": self.list["projects"][columns["project"][resource]],
            "\x03": self.list["locations"][columns["location"][resource]],
            "\x04": columns["short"][resource],
            "\x05": subject,
        }
        at["\x01"] = self.expand(self.list["names"][columns["name"][resource]], at)
        if resource < len(self.list["hash"]):
            at["\x06"] = self.list["hash"][resource]
            for number, value in enumerate(self.list["ranges"][resource]):
                at[chr(14 + number)] = value
            for mark, column in (("\x1e", "network"), ("\x1f", "host")):
                at[mark] = self.list["strings"][self.list["clusters"][column][resource]]
            at.update(zip("\x07\x08\x0b\x0c", self.list["repairs"].get(str(resource), ()), strict=False))
        return at

    @staticmethod
    def expand(text: str, at: dict[str, str]) -> str:
        return re.sub("[\x01-\x08\x0b\x0c\x0e-\x1f]", lambda match: at[match[0]], text)

    @staticmethod
    def observation(item: Any) -> list[str | None]:
        if isinstance(item, list):
            return item
        expected = item["expected"]
        return [
            item["asset"],
            item["path"],
            orjson.dumps(item["observed"]).decode(),
            None if expected is None else orjson.dumps(expected).decode(),
        ]

    def fact(self, name: str, cluster: int) -> dict[str, Any] | None:
        line = self.header["facts"][name][cluster]
        if line < 0:
            return None
        fact: dict[str, Any] = orjson.loads(self.expand(self.lines[line], self.places(cluster)))
        fact["evidence"] = [self.observation(item) for item in fact["evidence"]]
        return fact

    def findings(self) -> list[dict[str, Any]]:
        columns = self.list["findings"]
        digits = columns["digits"]
        found = []
        for i, rule in enumerate(columns["rule"]):
            subject = self.list["strings"][columns["subject"][i]]
            at = self.places(columns["resource"][i], subject)
            evidence, reasons, fix, declarations = orjson.loads(
                self.expand(self.lines[self.header["findings"][i]], at)
            )
            found.append(
                {
                    "verdict": self.list["verdicts"][columns["state"][i]],
                    "severity": self.list["severities"][columns["severity"][i]][0],
                    "rule": self.list["rules"][rule]["id"],
                    "name": at["\x01"],
                    "project": at["\x02"],
                    "location": at["\x03"],
                    "subject": subject,
                    "message": self.expand(self.list["strings"][columns["message"][i]], at),
                    "evidence": [self.observation(item) for item in evidence],
                    "reasons": reasons,
                    "fix": fix,
                    "declarations": declarations,
                    "baseline": self.list["baselines"][columns["baseline"][i]],
                    "fingerprint": columns["fingerprint"][i * digits : (i + 1) * digits].rstrip(),
                }
            )
        return found


@cache
def decoded(name: str) -> Decoded:
    return Decoded(page(name))


def verdict_of(result: Result) -> str:
    if result.baseline == "absent":
        return "fixed"
    return "waived" if result.waiver else result.verdict.value


def listed(report: Report) -> list[Result]:
    return [r for r in report.results if r.verdict in (Verdict.FAIL, Verdict.UNKNOWN)]


# ---- what the page is made of


@ALL
def test_the_same_report_gives_the_same_bytes(name: str) -> None:
    assert b"".join(html.render(BUILDERS[name]())).decode() == page(name)


@pytest.fixture
def in_several(monkeypatch: pytest.MonkeyPatch) -> None:
    if not hasattr(os, "fork"):
        pytest.skip("needs fork")
    monkeypatch.setattr(parallel, "_cores", lambda: 3)
    monkeypatch.setattr(html, "_FEWEST", 1)


@pytest.mark.usefixtures("in_several")
@ALL
def test_several_processes_give_the_bytes_of_one(name: str) -> None:
    one = page(name)  # it is too small for several
    pids = []
    fork = os.fork

    def counted() -> int:
        pids.append(fork())
        return pids[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fork", counted)
        several = b"".join(html.render(built(name))).decode()
    assert several == one
    assert len(pids) == (0 if name == "empty" else 2)


@pytest.mark.usefixtures("in_several")
def test_what_a_process_fails_to_write_is_written_here(monkeypatch: pytest.MonkeyPatch) -> None:
    here, share = os.getpid(), html._Page._share

    def failing(*arguments: Any) -> Any:
        if os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)
        return share(*arguments)

    monkeypatch.setattr(html._Page, "_share", failing)
    assert b"".join(html.render(built("big"))).decode() == page("big")


@ALL
def test_the_policy_allows_exactly_the_style_and_script_of_the_page(name: str) -> None:
    rendered = page(name)
    styles = re.findall(r"<style>(.*?)</style>", rendered, re.DOTALL)
    scripts = re.findall(r"<script>(.*?)</script>", rendered, re.DOTALL)
    assert len(styles) == len(scripts) == 1
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', rendered)
    assert policy
    directives = dict(part.strip().split(" ", 1) for part in policy[1].replace("&#39;", "'").split(";"))

    def digest(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    assert directives == {
        "default-src": "'none'",
        "script-src": digest(scripts[0]),
        "style-src": digest(styles[0]),
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    # Nothing comes before the policy but the character set.
    assert re.search(r"<head>\s*<meta charset=\"utf-8\">\s*<meta http-equiv", rendered)


def test_template_and_script_never_turn_text_into_markup_or_code() -> None:
    forbidden = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|"
        r"createContextualFragment|"
        r"setHTMLUnsafe|parseFromString|srcdoc|setTimeout\(\s*[\"'`]|javascript:|\sstyle=|\son[a-z]+=|\|\s*safe\b",
        re.IGNORECASE,
    )
    for file in ("report.html.j2", "report.js"):
        text = bundled.reports().joinpath(file).read_text("utf-8")
        assert not forbidden.findall(text)
    css = bundled.reports().joinpath("report.css").read_text("utf-8")
    assert not re.findall(r"url\(|@import|</", css)


@ALL
def test_every_link_stays_in_the_page_or_is_https(name: str) -> None:
    class Links(HTMLParser):
        found: list[tuple[str, str]]

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            for key, value in attrs:
                assert not key.startswith("on")
                assert key != "style"
                if key in ("href", "src", "action", "formaction", "srcset"):
                    self.found.append((tag, value or ""))

    parser = Links()
    parser.found = []
    parser.feed(page(name))
    assert parser.found
    for tag, url in parser.found:
        assert url.startswith(("#", "https://")) or (tag, url) == ("link", "data:,")


@ALL
def test_nothing_in_the_page_is_invisible_or_reorders_text(name: str) -> None:
    assert not HIDDEN.search(page(name))
    found = decoded(name)
    for text in [*map(str, found.findings()), *found.list["projects"], *found.list["folders"]]:
        assert not HIDDEN.search(text)


def test_hostile_text_stays_text() -> None:
    rendered = page("hostile")
    assert rendered.count("<script") == 3
    assert rendered.count("</script>") == 3
    assert "<img" not in rendered
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in rendered


def test_importing_the_module_does_not_import_jinja() -> None:
    code = "import auditor.reporting.html, sys; print('jinja2' in sys.modules, 'markupsafe' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert out.split() == ["False", "False"]


# ---- what the data says


@ALL
def test_every_result_that_is_no_pass_is_in_the_page_whole(name: str) -> None:
    report = built(name)

    def key(entry: dict[str, Any]) -> tuple[str, ...]:
        return entry["rule"], entry["name"], entry["subject"], entry["verdict"], entry["message"]

    expected = [
        {
            "verdict": verdict_of(r),
            "severity": r.severity.value,
            "rule": r.rule,
            "name": lines.shown(r.resource.name),
            "project": lines.shown(r.resource.project),
            "location": lines.shown(r.resource.location),
            "subject": lines.shown(r.subject or ""),
            "message": lines.shown(r.message),
            "reasons": [lines.shown(reason) for reason in r.reasons],
            "fix": {
                "text": lines.shown(r.remediation.text),
                "commands": [lines.shown(c) for c in r.remediation.commands],
            }
            if r.remediation and r.baseline != "absent"
            else None,
            "declarations": [presentable(asdict(one)) for one in r.declarations],
            "baseline": r.baseline or "",
            "fingerprint": r.fingerprint,
        }
        for r in listed(report)
    ]
    found = decoded(name).findings()
    evidence = {(e["fingerprint"], e["message"]): e.pop("evidence") for e in found}
    assert sorted(found, key=key) == sorted(expected, key=key)
    for r in listed(report):
        seen = evidence[r.fingerprint, lines.shown(r.message)]
        assert [(asset, path) for asset, path, _, _ in seen] == [
            (lines.shown(e.asset), lines.shown(e.path)) for e in r.evidence
        ]


def test_findings_come_worst_first_and_what_is_unknown_after_them() -> None:
    order = [(e["verdict"], e["severity"]) for e in decoded("all_verdicts").findings()]
    ranks = [(["fail", "unknown", "waived", "fixed"].index(v), -Severity(s).rank) for v, s in order]
    assert ranks == sorted(ranks)


def test_a_large_report_keeps_enough_of_each_fingerprint_to_tell_them_apart() -> None:
    one = reports.all_verdicts().results[0]
    many = tuple(replace(one, verdict=Verdict.FAIL, subject=str(number)) for number in range(4001))
    found = Decoded(b"".join(html.render(replace(reports.report(), results=many))).decode())
    digits = found.list["findings"]["digits"]
    assert digits < 64
    kept = found.list["findings"]["fingerprint"]
    pieces = {kept[at : at + digits] for at in range(0, len(kept), digits)}
    assert pieces == {r.fingerprint[:digits] for r in many}
    assert len(pieces) == len(many)


def test_fingerprints_that_agree_in_their_first_digits_are_kept_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Result, "fingerprint", property(lambda one: f"{int(one.subject):064x}"))
    one = reports.all_verdicts().results[0]
    many = tuple(replace(one, verdict=Verdict.FAIL, subject=str(number)) for number in range(4001))
    found = Decoded(b"".join(html.render(replace(reports.report(), results=many))).decode())
    assert found.list["findings"]["digits"] == 64


@ALL
def test_every_fact_of_every_cluster_comes_back_as_it_was(name: str) -> None:
    report, found = built(name), decoded(name)
    by_name = {c.resource.name: c for c in report.clusters}
    names = [found.places(number)["\x01"] for number in range(len(report.clusters))]
    assert sorted(names) == sorted(lines.shown(n) for n in by_name)
    clusters = {lines.shown(n): c for n, c in by_name.items()}
    for number, full in enumerate(names):
        facts = clusters[full].facts
        assert set(found.header["facts"]) == set(ClusterFacts.__dataclass_fields__) - {"readiness"}
        for fact in found.header["facts"]:
            seen = found.fact(fact, number)
            if facts is None:
                assert seen is None
                continue
            assert seen is not None
            evidence = seen.pop("evidence")
            if fact == "traffic":  # shown as a digest, which test_traffic.py tests
                assert seen["same_node"]["verdict"] == facts.traffic.same_node.analysis.verdict
                continue
            expected = asdict(getattr(facts, fact))
            assert [(asset, path) for asset, path, _, _ in evidence] == [
                (lines.shown(one["asset"]), lines.shown(one["path"])) for one in expected.pop("evidence")
            ]
            assert orjson.dumps(seen, option=orjson.OPT_SORT_KEYS) == orjson.dumps(
                presentable(expected), option=orjson.OPT_SORT_KEYS
            )


def test_a_fact_that_must_be_written_out_is_not_shown_for_another_cluster() -> None:
    report = reports.big(4)
    odd = tuple(
        replace(
            one,
            kept=replace(one.facts, visibility=replace(one.facts.visibility, basis="\u202e"))
            if one.facts
            else None,
        )
        for one in report.clusters
    )
    found = Decoded(b"".join(html.render(replace(report, clusters=odd))).decode())
    for number in range(4):
        fact = found.fact("visibility", number)
        assert fact
        assert fact["basis"] == r"\u202e"
        assert {asset for asset, *_ in fact["evidence"]} == {found.places(number)["\x01"]}


def presentable(value: Any) -> Any:
    if isinstance(value, str):
        return lines.shown(value)
    if isinstance(value, dict):
        return {key: presentable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [presentable(item) for item in value]
    return value


@pytest.mark.parametrize("name", ["all_verdicts", "big"])
def test_each_cluster_has_the_verdict_of_each_rule(name: str) -> None:
    report, found = built(name), decoded(name)
    worst: dict[tuple[str, str], str] = {}
    order = ["fail", "unknown", "waived", "pass", "not_applicable"]
    for r in report.results:
        verdict = verdict_of(r)
        if verdict != "fixed":
            held = worst.get((r.resource.name, r.rule), verdict)
            worst[r.resource.name, r.rule] = min(held, verdict, key=order.index)
    codes, outcomes = found.header["codes"], found.header["outcomes"]
    width = len(report.rules)
    for number in range(len(found.list["resources"]["short"])):
        for rule, known in enumerate(report.rules):
            verdict, sentence = outcomes[codes[number * width + rule]]
            assert verdict == worst.get((found.places(number)["\x01"], known.id), "")
            if verdict == "pass":
                assert found.list["strings"][sentence] == "Visibility is on."


def test_a_rule_that_says_something_else_about_every_cluster_still_gives_every_verdict() -> None:
    report = reports.big(200)
    telling = [
        replace(r, message=f"Sentence {number}.") if r.verdict is Verdict.PASS else r
        for number, r in enumerate(report.results)
    ]
    found = Decoded(b"".join(html.render(replace(report, results=tuple(telling)))).decode())
    tally = Counter(found.header["outcomes"][code][0] for code in found.header["codes"])
    expected = Counter(r.verdict.value for r in report.results)
    assert tally["pass"] == expected["pass"]
    assert tally["not_applicable"] == expected["not_applicable"]


def test_no_number_loses_digits_and_nothing_is_cut_unsaid() -> None:
    one = listed(reports.all_verdicts())[0]
    observed = (
        10**30,
        2**63,
        12345678901234567890,
        0.1,
        float("nan"),
        "x" * 5000,
        {"deep": reports.nested(500)},
    )
    evidence = tuple(Evidence("asset", "path", value) for value in observed)
    found = Decoded(
        b"".join(html.render(replace(reports.report(), results=(replace(one, evidence=evidence),)))).decode()
    )
    seen = [value for _, _, value, _ in found.findings()[0]["evidence"]]
    assert seen[:5] == [
        '"1000000000000000000000000000000"',
        "9223372036854775808",
        "12345678901234567890",
        "0.1",
        "nan",
    ]
    assert seen[5].endswith("cut; 5,002 characters in all")
    assert "nested deeper than this page shows" in seen[6]


def test_every_fact_and_verdict_has_its_place_in_the_script() -> None:
    script = bundled.reports().joinpath("report.js").read_text("utf-8")
    titles = script.partition("const FACT_TITLES = {")[2].partition("};")[0]
    drawers = script.partition("const DRAW_FACT = {")[2].partition("\n};")[0]
    for name in set(ClusterFacts.__dataclass_fields__) - {"readiness"}:  # which the page has beside the facts
        assert re.search(rf"^  {name}: \"", titles, re.MULTILINE), name
        assert re.search(rf"^  {name}: \(fact(, item)?\)", drawers, re.MULTILINE), name


# ---- what is read without script


@pytest.mark.parametrize(
    ("states", "line"),
    [
        (
            {"degraded": 3, "blocked": 6, "ready": 20},
            "3 clusters are losing Pod traffic now. 6 cannot be switched on yet. 20 can.",
        ),
        ({"degraded": 1}, "1 cluster is losing Pod traffic now."),
        (
            {"ready": 2, "unknown": 1},
            (
                "No cluster is known to be losing Pod traffic. 2 can be switched on today. "
                "1 could not be decided."
            ),
        ),
        ({"working": 20_000}, "No cluster is known to be losing Pod traffic. 20,000 work."),
        ({"unsupported": 2}, "No cluster is known to be losing Pod traffic. 2 do not support it."),
        ({}, "No cluster was found in what was read, so nothing can be said about any."),
    ],
)
def test_the_verdict_is_one_line(states: dict[str, int], line: str) -> None:
    assert html.verdict_line(states) == line


def test_what_was_not_read_is_said_before_anything_is_counted() -> None:
    text = text_of(page("all_verdicts"))
    gap = text.index("3 parts of the inventory were not read; 2 results could not be decided.")
    assert gap < text.index("Clusters by readiness") < text.index("Findings by severity")


def test_the_worst_findings_are_few_of_each_rule_and_begin_where_traffic_is_lost_now() -> None:
    rendered = page("all_verdicts")
    worst = rendered.partition('<ul class="worst">')[2].partition("</ul>")[0]
    found = re.findall(r'<a href="#f=([0-9a-f]{64})">([a-z-]+)</a>', worst)
    assert found[0][1] == "same-node-traffic-denied"
    assert len(found) == len(set(found)) <= 8
    assert f"All {built('big').summary['fail']} findings" in text_of(page("big"))
    listed_ = page("big").partition('<ul class="worst">')[2].partition("</ul>")[0]
    assert max(Counter(re.findall(r">([a-z-]+)</a>", listed_)).values()) <= 4


def point(day: int, high: int) -> Point:
    return Point(
        f"2026-11-{day:02}T02:00:00Z", reports.ORGANIZATION, "0.1.0", 41, 2, {"fail": high, "unknown": 3},
        {"high": high}, {"degraded": 1, "ready": 40}, high, 1, 0, 0,
    )  # fmt: skip


def test_recorded_scans_are_a_picture_and_a_table() -> None:
    history = tuple(point(day, day) for day in range(1, 31))
    rendered = b"".join(html.render(replace(reports.all_verdicts(), history=history))).decode()
    picture = re.search(r'<svg class="trend".*?</svg>', rendered, re.DOTALL)
    assert picture
    heights = [int(one) for one in re.findall(r'height="(\d+)"', picture[0])]
    assert heights == sorted(heights)
    assert heights[-1] == 120
    assert "2026-11-30 02:00 UTC: 30 findings" in picture[0]
    assert "from 1 on 2026-11-01 02:00 UTC to 30 on 2026-11-30 02:00 UTC" in picture[0]
    alone = b"".join(html.render(replace(reports.all_verdicts(), history=history[:1]))).decode()
    assert "Findings over time" not in alone


def test_findings_of_the_baseline_that_nobody_can_tell_about_are_named_with_the_reason() -> None:
    gone = reports.cluster_ref("vanished")
    unsettled = Unsettled(
        "flow-logs-disabled", Severity.MEDIUM, gone, "nodes", "It logs nothing.", "f" * 64, "not_covered",
        "The project was not read this time.",
    )  # fmt: skip
    comparison = Comparison(
        "then.json", reports.ORGANIZATION, "2026-11-13T02:00:00Z", "sha256:0", "0.1.0", "sha256:1",
        3, 1, 1, frozenset(), (unsettled,), (), (), (),
    )  # fmt: skip
    text = text_of(b"".join(html.render(replace(reports.all_verdicts(), comparison=comparison))).decode())
    assert "Since the baseline of 2026-11-13 02:00 UTC : 3 new" in text.replace("UTC:", "UTC :")
    assert "1 cannot be told" in text
    assert f"{gone.name} / nodes The project was not read this time." in text


def test_the_blocks_that_declare_a_cluster_are_named() -> None:
    report = reports.all_verdicts()
    place = Declaration(
        report.clusters[0].resource.name,
        "google_container_cluster.\u202ex",
        "candidate",
        "gke/main.tf",
        12,
        40,
    )
    clusters = (replace(report.clusters[0], declarations=(place,)), *report.clusters[1:])
    found = Decoded(b"".join(html.render(replace(report, clusters=clusters))).decode())
    [(number, line)] = found.header["declared"].items()
    seen = orjson.loads(found.expand(found.lines[line], found.places(int(number))))
    assert seen == [presentable(asdict(place))]


def test_a_cluster_whose_name_is_a_word_changes_no_sentence_about_another() -> None:
    whole = reports.big(3)
    named = replace(whole.clusters[0], short_name="Visibility")
    odd = [replace(r, message="Visibility is on.") if r.verdict is Verdict.PASS else r for r in whole.results]
    found = Decoded(
        b"".join(
            html.render(replace(whole, clusters=(named, *whole.clusters[1:]), results=tuple(odd)))
        ).decode()
    )
    said = {found.list["strings"][text] for verdict, text in found.header["outcomes"] if verdict == "pass"}
    assert said == {"Visibility is on."}


def test_folders_and_projects_with_trouble_come_first_and_the_rest_is_counted() -> None:
    one = reports.all_verdicts().clusters[0]
    clusters = tuple(
        replace(
            one,
            folder=f"folders/{folder:03}",
            resource=replace(
                one.resource,
                project=f"p-{folder:03}-{project}",
                name=f"{one.resource.name}-{folder}-{project}",
            ),
            readiness=replace(
                one.readiness, state="degraded" if folder == 17 and project == 5 else "working"
            ),
        )
        for folder in range(20)
        for project in range(7)
    )
    text = text_of(b"".join(html.render(reports.report(clusters))).decode())
    table = text.partition("Readiness by folder and project")[2]
    assert (
        table.index("folders/017")
        < table.index("p-017-5")
        < table.index("p-017-0")
        < table.index("folders/000")
    )
    assert "3 other projects" in table
    assert "8 other folders 56" in table


def test_a_clean_report_with_gaps_does_not_look_clean() -> None:
    clean = replace(
        reports.big(3), results=tuple(r for r in reports.big(3).results if r.verdict is Verdict.PASS)
    )
    assert "Everything in scope was read" in text_of(b"".join(html.render(clean)).decode())
    gap = Gap("projects/hidden", None, "Permission denied.", "Grant roles/cloudasset.viewer.")
    text = text_of(b"".join(html.render(replace(clean, gaps=(gap,)))).decode())
    assert "1 part of the inventory was not read." in text
    assert "projects/hidden : Permission denied." in text
    assert "Everything in scope was read" not in text


def test_completeness_that_rests_on_a_word_is_said_to() -> None:
    assert "--complete gave that word" in text_of(
        b"".join(html.render(replace(reports.big(2), complete_by_word=True))).decode()
    )


def test_the_counts_are_the_reports() -> None:
    report, text = built("all_verdicts"), text_of(page("all_verdicts"))
    assert f"could not be decided {report.summary['unknown']}" in text
    assert f"waived {report.summary['waived']}" in text
    assert f"passed {report.summary['pass']}" in text
    by_severity = Counter(r.severity.value for r in report.findings)
    for severity in Severity:
        assert f"{severity.value} {by_severity[severity.value]}" in text
    assert sum(by_severity.values()) == report.summary["fail"]
    assert "Since the baseline: 3 new · 1 fixed · 1 unchanged" in text


def test_each_rule_is_documented_with_its_counts_and_examples() -> None:
    report, text = built("all_verdicts"), text_of(page("all_verdicts"))
    for rule in report.rules:
        assert rule.title in text
    assert '"enableIntraNodeVisibility": false' in text
    assert "CKV_GCP_61" in text
    assert "cis-gke 5.6.1" in text
    assert "https://cloud.google.com/kubernetes-engine/docs/how-to/intranode-visibility" in page(
        "all_verdicts"
    )


def test_the_next_steps_can_be_pasted() -> None:
    text = text_of(page("all_verdicts"))
    steps = text[text.index("What to do next") : text.index("Readiness by folder")]
    assert "Mend the worst first: same-node-traffic-denied on checkout" in steps
    assert "gcloud compute firewall-rules create allow-pods-egress-checkout" in steps
    assert "Switch on what is ready: 1 cluster" in steps
    assert reports.ENABLE.format("sandbox-1", "sandbox", "us-central1") in steps
    assert "Grant roles/cloudasset.viewer on folders/77." in steps


def test_nobody_is_told_to_turn_visibility_on_where_that_would_break_something() -> None:
    report = reports.all_verdicts()
    text = text_of(page("all_verdicts"))
    steps = text[text.index("What to do next") : text.index("Readiness by folder")]
    assert "gcloud container clusters update ledger" not in steps
    ledger = next(c for c in report.clusters if c.short_name == "ledger")
    assert f"Not yet: the cluster is blocked. {ledger.readiness.reasons[0]}" in text
    assert text.count("Not yet:") == 1  # sandbox-1 is ready
    only = replace(
        report, results=tuple(r for r in report.results if r.rule == "intranode-visibility-disabled")
    )
    text = text_of(b"".join(html.render(only)).decode())
    assert "Mend the worst first" not in text


def test_the_first_step_is_at_a_cluster_that_is_broken_now() -> None:
    fine, broken = reports.cluster_ref("a-fine"), reports.cluster_ref("b-broken")
    clusters = (
        reports.cluster(fine, "working", facts_=None),
        reports.cluster(broken, "degraded", ("Denied.",), facts_=None),
    )
    results = [reports.result("windows-node-pool", Verdict.FAIL, ref) for ref in (fine, broken)]
    text = text_of(b"".join(html.render(reports.report(clusters, results))).decode())
    assert "Mend the worst first: windows-node-pool on b-broken" in text


def test_gaps_alike_are_told_once_and_none_is_left_out_unsaid() -> None:
    alike = tuple(Gap(f"projects/p{n}", SUBNETWORK, "Not exported.", "Export it.") for n in range(40))
    different = tuple(Gap("scope", None, f"Reason {n}.", "") for n in range(250))
    text = text_of(b"".join(html.render(replace(reports.report(), gaps=alike + different))).decode())
    assert "290 parts of the inventory were not read" in text
    assert "projects/p0 and 39 more: Not exported." in text.replace(" :", ":")
    assert "40 places" in text
    assert "10 more in the JSON report." in text
    assert "51 more kinds of gap in the JSON report." in text


def test_waivers_tell_owner_end_and_what_needs_care() -> None:
    text = text_of(page("all_verdicts"))
    for expected in ("network-team@example.com", "2027-03-31", "expired", "pay-team", "2026-01-31", "unused"):
        assert expected in text


def test_many_folders_are_folded_into_one_row_that_says_so() -> None:
    clusters = tuple(
        reports.cluster(ref, "working", facts_=None, folder=f"folders/{number}")
        for number, ref in enumerate(reports.cluster_ref(f"c{n}") for n in range(20))
    )
    assert "8 other folders 8" in text_of(b"".join(html.render(reports.report(clusters))).decode())


def test_the_bars_of_a_folder_add_up() -> None:
    rendered = page("all_verdicts")
    for bar in re.findall(r'<svg viewBox="0 0 1000 12".*?</svg>', rendered, re.DOTALL):
        widths = [int(width) for width in re.findall(r' width="(\d+)"', bar)]
        starts = [int(start) for start in re.findall(r' x="(\d+)"', bar)]
        assert starts[0] == 0
        assert [start + width for start, width in zip(starts, widths, strict=True)][:-1] == starts[1:]
        assert sum(widths) <= 1000
        assert "aria-label=" in bar
    fleet = re.search(r'<svg class="fleet".*?</svg>', rendered, re.DOTALL)
    assert fleet
    assert sum(int(width) for width in re.findall(r' width="(\d+)"', fleet[0])) == 1000


# ---- how text is shown


@given(st.text(st.characters(codec=None)))
def test_shown_text_hides_nothing_and_keeps_the_rest(text: str) -> None:
    shown = lines.shown(text)
    assert not HIDDEN.search(shown)
    shown.encode()
    kept = [c for c in text if c.isascii() and c.isprintable()]
    rest = iter(shown)
    assert all(c in rest for c in kept)  # in order


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_plain_text_is_shown_as_it_is(text: str) -> None:
    assert lines.shown(text) == text


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec=None)), inner),
        max_leaves=8,
    ),
    st.text(st.characters(codec=None)),
)
def test_any_name_and_value_can_be_shown(value: Any, text: str) -> None:
    ref = replace(reports.cluster_ref(text), project=text)
    result = reports.result(
        "windows-node-pool",
        Verdict.FAIL,
        ref,
        subject=text,
        message=f"About {text} of {ref.name}.",
        evidence=(Evidence(ref.name, text, value),),
    )
    found = Decoded(b"".join(html.render(reports.report((), [result], rules_=reports.rules()[:1]))).decode())
    only = found.findings()[0]
    assert only["message"] == lines.shown(result.message)
    assert only["name"] == lines.shown(ref.name)
    assert only["subject"] == lines.shown(text)
    assert only["evidence"][0][:2] == [lines.shown(ref.name), lines.shown(text)]
    assert not HIDDEN.search(str(only))

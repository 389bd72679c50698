"""The file that remembers scans."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from hypothesis import given, settings

from auditor import history
from auditor.errors import AuditorError
from auditor.reporting import trend
from tests.changes import NAMED, ON, RENAMED, Scan, cluster, gap, own, project, scan
from tests.reporting.strategies import hostile_reports

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.engine.result import Report

SCHEMA = json.loads((Path(__file__).parent.parent / "docs" / "history.schema.json").read_text())
OTHER = cluster("other", "shop", on=True)
PROJECTS = [project("pay"), project("shop")]
OFF = [cluster(), OTHER, *PROJECTS]
MENDED = [cluster(on=True), OTHER, *PROJECTS]
DAY = 86_400.0


def day(number: int) -> str:
    return f"2026-11-{number:02d}T02:00:00Z"


def recorded(path: Path, *scans: Scan) -> history.History:
    for one in scans:
        history.record(str(path), one.report, one.numbers)
    found = history.load(str(path))
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(trend.as_json(found)))
    return found


def at(number: int, assets: list[Any], **rest: Any) -> Scan:
    return scan(assets, time=day(number), **rest)


def counts(found: history.History) -> list[tuple[int, int, int, int]]:
    return [(one.opened, one.fixed, one.gone, one.unsettled) for one in found.points]


def test_a_finding_is_opened_stays_and_is_fixed(tmp_path: Path) -> None:
    found = recorded(tmp_path / "h", at(1, MENDED), at(3, OFF), at(4, OFF), at(10, MENDED))
    assert counts(found) == [(0, 0, 0, 0), (1, 0, 0, 0), (0, 0, 0, 0), (0, 1, 0, 0)]
    assert [one.time for one in found.points] == [day(1), day(3), day(4), day(10)]
    assert [one.verdicts["fail"] for one in found.points] == [0, 1, 1, 0]
    assert [one.severities["medium"] for one in found.points] == [0, 1, 1, 0]
    assert found.open == ()
    (of_severity, of_all) = found.time_to_fix
    assert (of_severity.severity, of_all.severity) == ("medium", "all")
    assert (of_all.count, of_all.mean, of_all.median, of_all.at_least) == (1, 7 * DAY, 7 * DAY, 0)


def test_an_open_finding_has_an_age(tmp_path: Path) -> None:
    found = recorded(tmp_path / "h", at(1, MENDED), at(3, OFF), at(10, OFF))
    (finding,) = found.open
    assert finding.resource == "projects/pay/locations/europe-west1-b/clusters/c"
    assert (finding.opened, finding.age, finding.at_least) == (day(3), 7 * DAY, False)


def test_what_was_there_at_first_may_be_older(tmp_path: Path) -> None:
    (finding,) = recorded(tmp_path / "h", at(1, OFF), at(2, OFF)).open
    assert finding.at_least
    assert recorded(tmp_path / "h", at(3, MENDED)).time_to_fix[-1].at_least == 1


def test_a_finding_that_comes_back_is_a_new_one(tmp_path: Path) -> None:
    found = recorded(tmp_path / "h", at(1, OFF), at(2, MENDED), at(3, OFF), at(5, OFF))
    (finding,) = found.open
    assert (finding.opened, finding.at_least) == (day(3), False)


def test_a_waived_finding_is_open_and_said_to_be_waived(tmp_path: Path) -> None:
    found = recorded(tmp_path / "h", at(1, OFF, waived=True))
    (finding,) = found.open
    assert finding.waived
    assert found.points[0].verdicts["waived"] == 1
    assert found.points[0].severities["medium"] == 0
    assert "0 open findings, 1 more waived" in trend.text(found)


TABLE: dict[str, tuple[dict[str, Any], tuple[int, int, int, int]]] = {
    "mended": ({"assets": MENDED}, (0, 1, 0, 0)),
    "deleted": ({"assets": [OTHER, *PROJECTS]}, (0, 0, 1, 0)),
    "renamed": ({"assets": [cluster("d"), OTHER, *PROJECTS]}, (1, 0, 1, 0)),
    "the project is gone": ({"assets": [OTHER, project("shop")]}, (0, 0, 1, 0)),
    "the project is called by its number": (
        {"assets": [cluster(by_number=True), OTHER, *PROJECTS]},
        (0, 0, 0, 0),
    ),
    "the project is unreadable": (
        {"assets": [OTHER, *PROJECTS], "gaps": (gap("projects/pay"),)},
        (0, 0, 0, 1),
    ),
    "a plain export without the project": ({"assets": [OTHER], "snapshot": False}, (0, 0, 0, 1)),
    "another scope": ({"assets": [OTHER], "scope": "projects/shop"}, (0, 0, 0, 1)),
    "undecided": ({"assets": [cluster(networkConfig=None), OTHER]}, (0, 0, 0, 1)),
    "not running": ({"assets": [cluster(status="ERROR"), OTHER]}, (0, 0, 0, 1)),
    "another rule alone": (
        {"assets": OFF, "only": frozenset({"mtu-needs-intranode-visibility"})},
        (0, 0, 0, 1),
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_what_a_scan_cannot_tell_stays_open(case: str, tmp_path: Path) -> None:
    now, expected = TABLE[case]
    found = recorded(tmp_path / "h", at(1, OFF), scan(**{**now, "time": day(2)}))
    assert counts(found)[-1] == expected
    assert [one.unsettled for one in found.open if one.resource.endswith("clusters/c")] == (
        [True] if expected[3] else [False] if expected == (0, 0, 0, 0) else []
    )
    # When it is told again, it has been open since the first day, or comes anew.
    again = recorded(tmp_path / "h", at(3, OFF))
    (finding,) = [one for one in again.open if one.resource.endswith("clusters/c")]
    assert finding.opened == (day(3) if expected[1] or expected[2] else day(1))


@pytest.mark.parametrize(
    ("then", "now", "on", "expected"),
    [
        ({"checks": ON}, {"checks": ON}, True, (0, 1, 0, 0)),
        ({"checks": ON}, {"checks": NAMED}, True, (0, 0, 0, 1)),
        ({"checks": ON}, {"checks": ON, "name": "seen", "since": RENAMED}, True, (0, 1, 0, 0)),
        ({"checks": ON}, {"checks": ON, "name": "seen", "since": RENAMED}, False, (0, 0, 0, 0)),
        ({"checks": ON}, {"checks": ON, "name": "seen"}, True, (0, 0, 0, 1)),
    ],
    ids=["the same rule", "a changed rule", "a renamed rule, mended", "a renamed rule", "a removed rule"],
)
def test_a_rule_changed(
    then: dict[str, str], now: dict[str, str], on: bool, expected: tuple[int, ...], tmp_path: Path
) -> None:
    first = at(1, OFF, own=own(tmp_path, **then))
    second = at(2, MENDED if on else OFF, own=own(tmp_path, **now))
    assert counts(recorded(tmp_path / "h", first, second))[-1] == expected


def test_the_same_scan_counts_once(tmp_path: Path) -> None:
    one = at(1, OFF)
    new, points = history.record(str(tmp_path / "h"), one.report, one.numbers)
    assert (new, len(points)) == (True, 1)
    new, points = history.record(str(tmp_path / "h"), one.report, one.numbers)
    assert (new, len(points)) == (False, 1)
    # A scan with fewer rules, of another time, or of other assets is another one.
    others = at(1, OFF, only=frozenset({"flow-logs-disabled"})), at(2, OFF), at(1, MENDED)
    assert len(recorded(tmp_path / "h", *others).points) == 4


def test_the_order_of_recording_does_not_matter(tmp_path: Path) -> None:
    scans = [
        at(1, OFF),
        at(2, MENDED),
        at(3, [OTHER, *PROJECTS], gaps=(gap("projects/pay"),)),
        at(4, [*OFF, cluster("d")]),
        at(6, [OTHER, cluster("d"), *PROJECTS]),
    ]
    expected = recorded(tmp_path / "in-order", *scans)
    assert counts(expected) == [(1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 0, 0), (2, 0, 0, 0), (0, 0, 1, 0)]
    for number, order in enumerate(list(permutations(scans))[::7]):
        assert recorded(tmp_path / str(number), *order) == expected


def test_a_late_scan_knows_of_those_before_it_alone(tmp_path: Path) -> None:
    for number, assets in ((3, OFF), (1, MENDED), (2, OFF)):
        one = at(number, assets)
        _, points = history.record(str(tmp_path / "h"), one.report, one.numbers)
        assert points[-1].time == day(number)
    assert [point.time for point in points] == [day(1), day(2)]


def test_an_inventory_without_a_time_is_placed_by_the_time_of_the_scan(tmp_path: Path) -> None:
    one = at(1, OFF)
    object.__setattr__(one.report, "read_time", None)
    found = recorded(tmp_path / "h", one)
    assert found.points[0].time == one.report.now


# --- several writers ------------------------------------------------------------------------------------

WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from auditor import history
from tests.test_history import OFF, MENDED, at
path, start = sys.argv[1], int(sys.argv[2])
scans = [at(number, OFF if number % 3 else MENDED) for number in range(start, 29, 2)]
print("ready", flush=True)
sys.stdin.readline()
for one in scans:
    history.record(path, one.report, one.numbers)
"""


def test_two_processes_that_record_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "h"
    program = WRITER.format(root=str(Path(__file__).parent.parent))
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(path), str(start)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for start in (1, 2, 1)
    ]  # fmt: skip
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        _, errors = writer.communicate(timeout=120)
        assert writer.returncode == 0, errors
    found = history.load(str(path))
    assert [point.time for point in found.points] == [day(number) for number in range(1, 29)]
    alone = recorded(
        tmp_path / "alone", *(at(number, OFF if number % 3 else MENDED) for number in range(1, 29))
    )
    assert found == alone


def test_a_writer_waits_no_longer_than_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "h"
    recorded(path, at(1, OFF))
    monkeypatch.setattr(history, "PATIENCE", 0.1)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    one = at(2, OFF)
    with pytest.raises(AuditorError, match="another process"):
        history.record(str(path), one.report, one.numbers)
    # Who only reads need not wait.
    assert len(history.load(str(path)).points) == 1
    other.execute("ROLLBACK")
    other.close()
    assert len(recorded(path, one).points) == 2


def test_a_scan_that_fails_half_way_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "h"
    before = recorded(path, at(1, OFF))
    content = path.read_bytes()

    def fails(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(history, "_follow", fails)
    one = at(2, OFF)
    with pytest.raises(RuntimeError):
        history.record(str(path), one.report, one.numbers)
    assert path.read_bytes() == content
    monkeypatch.undo()
    assert history.load(str(path)) == before


# --- files that are none --------------------------------------------------------------------------------


def foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("CREATE TABLE music (title TEXT)")


def newer(path: Path) -> None:
    recorded(path, at(1, OFF))
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("PRAGMA user_version = 2")


def truncated(path: Path) -> None:
    recorded(path, *(at(number, OFF) for number in range(1, 6)))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def overwritten(path: Path) -> None:
    recorded(path, *(at(number, OFF) for number in range(1, 6)))
    content = bytearray(path.read_bytes())
    content[4096:8192] = os.urandom(4096)
    path.write_bytes(content)


def changed(path: Path) -> None:
    recorded(path, at(1, OFF))
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE scans SET at = at + 1")


def emptied(path: Path) -> None:
    recorded(path, at(1, OFF))
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE scans SET open = x'00', closed = x'00'")


def dropped(path: Path) -> None:
    recorded(path, at(1, OFF))
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("DROP TABLE scans")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.write_text("hello"), "no history"),
        (lambda path: path.write_bytes(b"\0" * 5000), "no history"),
        (foreign, "something else"),
        (newer, "version 2"),
        (truncated, "damaged"),
        (overwritten, "damaged"),
        (changed, "was changed"),
        (emptied, "damaged"),
        (dropped, "damaged"),
    ],
    ids=["text", "zeros", "foreign", "newer", "truncated", "overwritten", "changed", "emptied", "dropped"],
)
def test_a_file_that_is_damaged_or_another_is_refused_and_left_as_it_is(
    make: Callable[[Path], object], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "h"
    make(path)
    content = path.read_bytes()
    late = at(9, OFF)
    early = scan(OFF, time="2026-10-01T00:00:00Z")
    for work in (
        lambda: history.load(str(path)),
        # A scan before all others works out anew what follows from it, one after all others reads that.
        *([] if make is emptied else [lambda: history.record(str(path), early.report, early.numbers)]),
        *([] if make is changed else [lambda: history.record(str(path), late.report, late.numbers)]),
    ):
        with pytest.raises(AuditorError, match=message) as raised:
            work()  # type: ignore[no-untyped-call]
        assert raised.value.place == str(path)
        assert raised.value.hint
        assert path.read_bytes() == content


def test_a_file_that_is_not_there_is_made_by_a_scan_alone(tmp_path: Path) -> None:
    path = tmp_path / "h"
    with pytest.raises(AuditorError, match="no such file"):
        history.load(str(path))
    assert not path.exists()
    path.write_bytes(b"")
    with pytest.raises(AuditorError, match="no scan yet"):
        history.load(str(path))
    assert len(recorded(path, at(1, OFF)).points) == 1


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    one = at(1, OFF)
    for path in (tmp_path / "none" / "h", tmp_path):
        with pytest.raises(AuditorError) as raised:
            history.record(str(path), one.report, one.numbers)
        assert raised.value.place == str(path)


def test_the_file_is_one_file(tmp_path: Path) -> None:
    recorded(tmp_path / "h", at(1, OFF), at(2, OFF))
    assert [path.name for path in tmp_path.iterdir()] == ["h"]
    shutil.copy(tmp_path / "h", tmp_path / "copy")
    assert history.load(str(tmp_path / "copy")) == history.load(str(tmp_path / "h"))


def test_any_name_is_recorded(tmp_path: Path) -> None:
    odd = "\x1b[31m' \"; DROP TABLE scans; --"
    found = recorded(tmp_path / "h?mode=ro#x", at(1, [cluster(odd), OTHER]))
    assert counts(found)[0] == (1, 0, 0, 0)
    assert all(char.isprintable() or char == "\n" for char in trend.text(found))


def test_the_text_shows_the_trend_the_age_and_the_time_to_fix(tmp_path: Path) -> None:
    scans = [at(number, OFF if number % 4 else MENDED) for number in range(1, 28)]
    text = trend.text(recorded(tmp_path / "h", *scans))
    assert text.startswith("27 scans; the last 20:")
    assert "1 open finding; the oldest:" in text
    assert "2.0 d  medium  intranode-visibility-disabled  pay/europe-west1-b/c" in text
    assert "all       mean 3.0 d, median 3.0 d, 6 fixed, 1 of them older than the first scan" in text


@settings(max_examples=10)
@given(report=hostile_reports)
def test_any_report_is_recorded(report: Report, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("history") / "h"
    history.record(str(path), report, {})
    (again, points), found = history.record(str(path), report, {}), history.load(str(path))
    assert (again, len(points), len(found.points)) == (False, 1, 1)
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(trend.as_json(found)))
    assert all(char.isprintable() or char == "\n" for char in trend.text(found))


KILLED = """
import os, sqlite3, sys
file = sqlite3.connect(sys.argv[1], isolation_level=None)
file.execute("PRAGMA cache_size = 1")
file.execute("BEGIN IMMEDIATE")
for number in range(300):
    file.execute("INSERT INTO scans SELECT key || ?, at, header, findings, judged, checksum, open, closed, "
                 "changes FROM scans LIMIT 1", (number,))
os._exit(9)
"""


def test_a_writer_that_is_killed_leaves_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "h"
    before = recorded(path, at(1, OFF))
    content = path.read_bytes()
    assert subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False).returncode == 9
    assert path.read_bytes() != content, "the writer got as far as the file"
    assert history.load(str(path)) == before
    assert len(recorded(path, at(2, OFF)).points) == 2

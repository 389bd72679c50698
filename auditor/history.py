"""A file that remembers scans: SQLite, safe for several writers at once.

Every scan is kept as far as it takes to tell later what became of a finding: its counts, its findings, and
what was decided about which resource. Beside that each scan has what follows from those before it: which
findings are open after it, and which it closed. One recorded late takes its place in time, and what comes
after it is worked out anew, so that the order of recording does not matter.

A finding is closed by a scan that saw it mended or that its resource is gone (`engine.baseline` decides); a
scan that cannot tell leaves it open.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import orjson
import zstandard

from auditor.engine.baseline import SETTLED, Finding, Judged, key_of, stopped
from auditor.engine.result import Point, ResourceRef, Severity, Verdict
from auditor.errors import AuditorError
from auditor.model.extent import Extent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from auditor.engine.result import Report

APPLICATION_ID: Final = 0x474B4541
"""`GKEA`: what `PRAGMA application_id` of a history says."""

VERSION: Final = 1
"""What `PRAGMA user_version` of a history of this form says."""

PATIENCE: Final = 60.0
"""Seconds to wait for other writers."""

_SCHEMA: Final = """
CREATE TABLE scans (
  key TEXT PRIMARY KEY,       -- digest of inventory, rules and read time
  at INTEGER NOT NULL,        -- read time, microseconds since 1970
  header BLOB NOT NULL,       -- JSON: scope, counts, rules, where everything was read
  findings BLOB NOT NULL,     -- JSON, zstd: the failures
  judged BLOB NOT NULL,       -- zstd: what was decided about which resource
  checksum BLOB NOT NULL,     -- SHA-256 of the columns above
  open BLOB NOT NULL,         -- JSON, zstd: findings open after this scan
  closed BLOB NOT NULL,       -- JSON, zstd: findings that this scan closed
  changes BLOB NOT NULL       -- JSON: how many were opened, fixed, gone, unsettled
) STRICT;
CREATE INDEX scans_by_time ON scans (at, key);
"""
_END: Final = (1 << 63) - 1
_MAGIC: Final = b"SQLite format 3\0"
_KEEP: Final = "the file was left as it is; restore it from a backup, or give --history another file"

_Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class OpenFinding:
    """A finding that is open after the last scan. `resource` is `projects/P/…`, times are RFC 3339, UTC.

    `at_least` is True if it was there in the first scan of the file already, so that it may be older.
    `unsettled` is True if the last scan could not tell about it.
    """

    rule: str
    severity: str
    resource: str
    subject: str | None
    opened: str
    age: float
    waived: bool
    at_least: bool
    unsettled: bool


@dataclass(frozen=True, slots=True)
class TimeToFix:
    """How long findings of one severity were open until they were fixed, in seconds.

    `at_least` of the `count` were there in the first scan of the file, so that their true time is longer.
    """

    severity: str
    count: int
    mean: float
    median: float
    at_least: int


@dataclass(frozen=True, slots=True)
class History:
    """Everything that a file tells.

    `points` are the scans and `open` the findings that are open, oldest first.
    """

    points: tuple[Point, ...]
    open: tuple[OpenFinding, ...]
    time_to_fix: tuple[TimeToFix, ...]


class _Open(NamedTuple):
    # A finding that is open; `origin` is where it was last seen: scope, digest of all rules, and of its own.
    rule: str
    key: str
    subject: str | None
    type: str
    severity: str
    waived: bool
    opened: int
    at_least: bool
    origin: tuple[str, str, str | None]
    unsettled: bool = False


def record(path: str, report: Report, numbers: Mapping[str, str]) -> tuple[bool, tuple[Point, ...]]:
    """Add a scan to the file, which is made if it is not there.

    Returns whether the scan is new to the file, and the scans up to this one, oldest first. A scan of the
    same inventory (by digest and read time) with the same rules counts once. `numbers` maps project numbers
    to IDs.

    Raises AuditorError for a file that is damaged, no history, or of another version; such a file is left as
    it is.
    """
    _refuse_other_files(path)
    at, key = _time(report), _key(report)
    with _opened(path, "rwc") as file:
        file.execute("BEGIN IMMEDIATE")
        try:
            _prepare(file, path)
            known = file.execute("SELECT 1 FROM scans WHERE key = ?", (key,)).fetchone() is not None
            if not known:
                kept = _kept(report, numbers)
                columns = (key, at, *kept)
                file.execute(
                    "INSERT INTO scans VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (*columns, _checksum(columns), b"", b"", b""),
                )
                _follow(file, at, key, path)
            points = _points(file, path, until=(at, key))
            file.execute("COMMIT")
        except BaseException:
            if file.in_transaction:
                file.execute("ROLLBACK")
            raise
    return not known, points


def load(path: str) -> History:
    """What the file tells. Raises AuditorError for a file that is not there, damaged, or no history."""
    if not Path(path).exists():
        raise AuditorError(
            "there is no such file", hint="`gke-auditor scan … --history FILE` makes one", place=path
        )
    _refuse_other_files(path)
    # What a writer left behind that was killed is put right by whoever opens the file and may write it.
    with _opened(path, "rw" if os.access(path, os.W_OK) else "ro") as file:
        file.execute("BEGIN")
        if not _is_history(file, path):
            raise AuditorError(
                "holds no scan yet", hint="`gke-auditor scan … --history FILE` records one", place=path
            )
        for row in file.execute("SELECT key, at, header, findings, judged, checksum FROM scans"):
            _verify(row, path)
        points = _points(file, path)
        now = file.execute("SELECT at, open FROM scans ORDER BY at DESC, key DESC LIMIT 1").fetchone()
        closed = [row[0] for row in file.execute("SELECT closed FROM scans ORDER BY at, key")]
    found: tuple[OpenFinding, ...] = ()
    if now is not None:
        last = now[0]
        found = tuple(
            OpenFinding(
                rule=one.rule,
                severity=one.severity,
                resource=one.key,
                subject=one.subject,
                opened=_spelled(one.opened),
                age=(last - one.opened) / 1e6,
                waived=one.waived,
                at_least=one.at_least,
                unsettled=one.unsettled,
            )
            for one in sorted(_unpacked_open(now[1], path), key=_oldest_first)
        )
    return History(points, found, _times_to_fix(closed, path))


def _oldest_first(one: _Open) -> tuple[int, int, str, str, str]:
    return (one.opened, -Severity(one.severity).rank, one.rule, one.key, one.subject or "")


# --- the file -------------------------------------------------------------------------------------------


def _refuse_other_files(path: str) -> None:
    """Tell a file of another kind before SQLite touches it. An empty one is what SQLite makes at first."""
    try:
        with Path(path).open("rb") as file:
            magic = file.read(len(_MAGIC))
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise AuditorError(
            f"cannot be read: {reason}", hint="give --history a file that you may read and write", place=path
        ) from error
    if magic and magic != _MAGIC:
        raise AuditorError("is no history of gke-auditor", hint=_KEEP, place=path)


@contextmanager
def _opened(path: str, mode: str) -> Iterator[sqlite3.Connection]:
    try:
        uri = f"{Path(path).absolute().as_uri()}?mode={mode}"
        file = sqlite3.connect(uri, uri=True, timeout=PATIENCE, isolation_level=None)
    except sqlite3.Error as error:
        raise _failed(path, error) from error
    try:
        file.execute("PRAGMA trusted_schema = OFF")
        file.execute("PRAGMA synchronous = FULL")
        yield file
    except sqlite3.Error as error:
        raise _failed(path, error) from error
    finally:
        file.close()


def _failed(path: str, error: sqlite3.Error) -> AuditorError:
    name = getattr(error, "sqlite_errorname", "") or ""
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return AuditorError(
            f"is being written by another process, for more than {PATIENCE:.0f} s",
            hint="run it again when that has ended",
            place=path,
        )
    if name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM", "SQLITE_IOERR", "SQLITE_FULL")):
        return AuditorError(
            f"cannot be opened or written: {error}",
            hint="see that its folder is there, that you may write in it, and that there is room",
            place=path,
        )
    return AuditorError(f"is damaged: {error}", hint=_KEEP, place=path)


def _is_history(file: sqlite3.Connection, path: str) -> bool:
    """Whether the file is a sound history, False if it is empty. AuditorError if it is something else."""
    (application,) = file.execute("PRAGMA application_id").fetchone()
    (version,) = file.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        if application or version or file.execute("SELECT 1 FROM sqlite_schema").fetchone():
            raise AuditorError("is a database of something else than gke-auditor", hint=_KEEP, place=path)
        return False
    if version != VERSION:
        raise AuditorError(
            f"is a history of version {version}, and this program reads version {VERSION}",
            hint="update gke-auditor, or give --history another file",
            place=path,
        )
    (state,) = file.execute("PRAGMA quick_check(1)").fetchone()
    if state != "ok":
        raise AuditorError(f"is damaged: {state}", hint=_KEEP, place=path)
    return True


def _prepare(file: sqlite3.Connection, path: str) -> None:
    if _is_history(file, path):
        return
    for statement in _SCHEMA.strip().split(";\n"):
        file.execute(statement)
    file.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    file.execute(f"PRAGMA user_version = {VERSION}")


# --- a scan as it is kept -------------------------------------------------------------------------------


def _time(report: Report) -> int:
    """When the inventory was read, in microseconds; when it was judged, if nothing says that."""
    for text in (report.read_time, report.now):
        try:
            time = datetime.fromisoformat(text or "")
        except ValueError:
            continue
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time
        return int(time.timestamp()) * 1_000_000 + time.microsecond
    raise AssertionError("a report says when it was made")


def _key(report: Report) -> str:
    """What tells a scan from all others: the inventory, when it was read, and what decides."""
    parts = [
        report.digest,
        report.read_time or "",
        report.rules_digest,
        sorted((rule.id, report.rule_digests.get(rule.id, "")) for rule in report.rules),
        report.complete_by_word,
    ]
    return hashlib.sha256(orjson.dumps(parts)).hexdigest()


def _kept(report: Report, numbers: Mapping[str, str]) -> tuple[bytes, bytes, bytes]:
    """The columns `header`, `findings` and `judged` of a scan."""
    idle = stopped(report)
    judged = Judged(
        report.scope,
        tuple(rule.id for rule in report.rules),
        report.rule_digests,
        report.rules_digest,
        report.extents,
    )
    verdicts: Counter[str] = Counter()
    severities: Counter[str] = Counter()
    findings: list[tuple[str, str, str | None, str, str, bool]] = []
    ref: ResourceRef | None = None
    key, running = "", True
    for result in report.results:
        if result.baseline == "absent":
            continue
        if result.resource is not ref:
            ref = result.resource
            key, running = key_of(ref, numbers), ref.name not in idle
        verdict = result.verdict
        judged.add(key, result.rule, verdict, result.subject, running=running)
        if verdict is not Verdict.FAIL:
            verdicts[verdict] += 1
            continue
        waived = result.waiver is not None
        verdicts["waived" if waived else verdict] += 1
        if not waived:
            severities[result.severity] += 1
        findings.append((result.rule, key, result.subject, ref.type, result.severity, waived))
    for cluster in report.clusters:
        # Also one that no rule was evaluated for was there.
        judged.resource(key_of(cluster.resource, numbers))
    header = {
        "read_time": report.read_time,
        "scope": report.scope,
        "tool_version": report.tool_version,
        "rules_digest": report.rules_digest,
        "clusters": len(report.clusters),
        "gaps": len(report.gaps),
        "verdicts": {
            name: verdicts[name] for name in ("fail", "pass", "unknown", "not_applicable", "waived")
        },
        "severities": {severity.value: severities[severity] for severity in Severity},
        "readiness": dict(sorted(Counter(one.readiness.state for one in report.clusters).items())),
        "rules": [
            {"id": rule.id, "digest": report.rule_digests.get(rule.id), "aliases": rule.aliases}
            for rule in report.rules
        ],
        "extents": {
            kind: [extent.everywhere, *map(sorted, (extent.scopes, extent.projects, extent.unread))]
            for kind, extent in report.extents.items()
        },
    }
    codes = b"".join(judged.codes.values())
    whole = _json([list(judged.codes), sorted(judged.undecided), len(judged.rules)])
    return _json(header), _packed(findings), _zstd(whole + b"\n" + codes)


def _json(value: object) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # lone surrogates, in names from files
        return orjson.dumps(_encodable(value))


def _encodable(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {cast("str", _encodable(key)): _encodable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_encodable(item) for item in value]
    return value


def _packed(value: object) -> bytes:
    return _zstd(_json(value))


def _zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=1, write_checksum=True).compress(data)


def _unpacked(data: bytes, path: str) -> bytes:
    try:
        return zstandard.ZstdDecompressor().decompress(data)
    except zstandard.ZstdError as error:
        raise AuditorError(f"is damaged: {error}", hint=_KEEP, place=path) from error


def _checksum(columns: Sequence[object]) -> bytes:
    digest = hashlib.sha256()
    for column in columns:
        data = column if isinstance(column, bytes) else str(column).encode()
        digest.update(b"%d:" % len(data) + data)
    return digest.digest()


@dataclass(slots=True)
class _Scan:
    # A scan as it is read back.
    key: str
    at: int
    header: dict[str, Any]
    findings: list[list[Any]]
    judged: Judged


def _verify(row: _Row, path: str) -> None:
    *columns, checksum = row
    if _checksum(columns) != checksum:
        raise AuditorError("is damaged: a scan in it was changed", hint=_KEEP, place=path)


def _scan(row: _Row, path: str) -> _Scan:
    _verify(row, path)
    key, at, header_text, findings, judged_data, _ = row
    header = orjson.loads(header_text)
    rules = header["rules"]
    judged = Judged(
        header["scope"],
        tuple(rule["id"] for rule in rules),
        {rule["id"]: rule["digest"] for rule in rules if rule["digest"] is not None},
        header["rules_digest"],
        {
            kind: Extent(extent[0], *(frozenset(part) for part in extent[1:]))
            for kind, extent in header["extents"].items()
        },
    )
    whole, _, codes = _unpacked(judged_data, path).partition(b"\n")
    keys, undecided, width = orjson.loads(whole)
    judged.codes = {
        name: bytearray(codes[number * width : (number + 1) * width]) for number, name in enumerate(keys)
    }
    judged.undecided = {(rule, name, subject) for rule, name, subject in undecided}
    return _Scan(key, at, header, orjson.loads(_unpacked(findings, path)), judged)


# --- what follows from scans ----------------------------------------------------------------------------


def _follow(file: sqlite3.Connection, at: int, key: str, path: str) -> None:
    """Work out what is open after the scan of that time and key, and after all that come later."""
    before = file.execute(
        "SELECT open FROM scans WHERE (at, key) < (?, ?) ORDER BY at DESC, key DESC LIMIT 1", (at, key)
    ).fetchone()
    known = None if before is None else _unpacked_open(before[0], path)
    later = [
        row[0]
        for row in file.execute("SELECT key FROM scans WHERE (at, key) >= (?, ?) ORDER BY at, key", (at, key))
    ]
    for one in later:
        row = file.execute(
            "SELECT key, at, header, findings, judged, checksum FROM scans WHERE key = ?", (one,)
        ).fetchone()
        known, closed, changes = _step(known, _scan(row, path))
        file.execute(
            "UPDATE scans SET open = ?, closed = ?, changes = ? WHERE key = ?",
            (_packed(known), _packed(closed), _json(changes), one),
        )


_Closed = tuple[str, str, int, int, bool]
"""What happened (`fixed`, `gone`, …), severity, opened, closed, whether it may have been open for longer."""


def _step(known: list[_Open] | None, scan: _Scan) -> tuple[list[_Open], list[_Closed], dict[str, int]]:
    """The findings open after a scan, those that it closed, and the counts; `known` is None for the first."""
    judged, header = scan.judged, scan.header
    rules = {rule["id"] for rule in header["rules"]}
    names = {alias: rule["id"] for rule in header["rules"] for alias in rule["aliases"] if alias not in rules}
    before = {}
    for one in known or ():
        renamed = one._replace(rule=names.get(one.rule, one.rule))
        before[renamed.rule, renamed.key, renamed.subject] = (renamed, one.rule)
    still: list[_Open] = []
    counts = Counter({"opened": 0, "fixed": 0, "gone": 0, "unsettled": 0})
    for rule, key, subject, kind, severity, waived in scan.findings:
        was = before.pop((rule, key, subject), None)
        origin = (header["scope"], header["rules_digest"], judged.digests.get(rule))
        if was is None:
            counts["opened"] += 1
            found = _Open(
                rule, key, subject, kind, severity, waived, scan.at, at_least=known is None, origin=origin
            )
        else:
            found = was[0]._replace(severity=severity, waived=waived, origin=origin, unsettled=False)
        still.append(found)
    closed: list[_Closed] = []
    for one, name in before.values():
        scope, rules_digest, digest = one.origin
        finding = Finding(
            name,
            Severity(one.severity),
            ResourceRef(one.key, one.type, "", ""),
            one.subject,
            "",
            "",
            one.waived,
        )
        digests = {} if digest is None else {name: digest}
        fate = judged.fate(finding, one.key, one.rule, scope, digests, rules_digest)
        if fate.state in SETTLED:
            counts["gone" if fate.state == "gone" else "fixed"] += 1
            closed.append((fate.state, one.severity, one.opened, scan.at, one.at_least))
        else:
            counts["unsettled"] += 1
            still.append(one._replace(unsettled=True))
    return still, closed, dict(counts)


def _unpacked_open(data: bytes, path: str) -> list[_Open]:
    try:
        entries: list[list[Any]] = orjson.loads(_unpacked(data, path))
        return [_Open._make([*one[:8], tuple(one[8]), one[9]]) for one in entries]
    except (orjson.JSONDecodeError, TypeError, IndexError) as error:
        raise AuditorError("is damaged: the open findings cannot be read", hint=_KEEP, place=path) from error


def _points(file: sqlite3.Connection, path: str, until: tuple[int, str] = (_END, "")) -> tuple[Point, ...]:
    points: list[Point] = []
    for at, header_text, changes_text in file.execute(
        "SELECT at, header, changes FROM scans WHERE (at, key) <= (?, ?) ORDER BY at, key", until
    ):
        try:
            header, changes = orjson.loads(header_text), orjson.loads(changes_text)
            points.append(
                Point(
                    time=_spelled(at),
                    scope=header["scope"],
                    tool_version=header["tool_version"],
                    clusters=header["clusters"],
                    gaps=header["gaps"],
                    verdicts=header["verdicts"],
                    severities=header["severities"],
                    readiness=header["readiness"],
                    opened=changes["opened"],
                    fixed=changes["fixed"],
                    gone=changes["gone"],
                    unsettled=changes["unsettled"],
                )
            )
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise AuditorError("is damaged: a scan in it cannot be read", hint=_KEEP, place=path) from error
    return tuple(points)


def _spelled(at: int) -> str:
    seconds, rest = divmod(at, 1_000_000)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{rest:06d}Z" if rest else f"{text}Z"


def _times_to_fix(closed: Sequence[bytes], path: str) -> tuple[TimeToFix, ...]:
    """By severity, the worst first, those that have any; and of all together, as `all`."""
    times: dict[str, list[tuple[float, bool]]] = {}
    for data in closed:
        try:
            entries: list[_Closed] = orjson.loads(_unpacked(data, path))
            for state, severity, opened, at, at_least in entries:
                for name in (severity, "all") if state != "gone" else ():
                    times.setdefault(name, []).append(((at - opened) / 1e6, at_least))
        except (orjson.JSONDecodeError, TypeError, ValueError) as error:
            raise AuditorError(
                "is damaged: the closed findings cannot be read", hint=_KEEP, place=path
            ) from error
    return tuple(
        TimeToFix(
            name,
            len(found),
            fmean(seconds for seconds, _ in found),
            median(seconds for seconds, _ in found),
            sum(at_least for _, at_least in found),
        )
        for name in (*Severity, "all")
        if (found := times.get(str(name)))
    )

"""Reports read back: `json`, `ndjson` and `sarif-full`, whichever a file turns out to hold.

A report as this program writes it has one cluster or result a line, so that a large one is read line by line;
any other spelling of the same JSON is read whole.
"""

from __future__ import annotations

import gzip
import tempfile
import zlib
from contextlib import contextmanager
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, cast
from urllib.parse import unquote

import orjson

from auditor.engine.baseline import Finding, Previous
from auditor.engine.result import ResourceRef, Severity
from auditor.errors import AuditorError
from auditor.model.extent import Extent
from auditor.reporting.report_json import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator

Object = dict[str, Any]

_FAMILY: Final = "gke-auditor/report/"
_AGAIN: Final = "write it again with `gke-auditor scan … --output json=PATH`"
_FORMS: Final = "give what `gke-auditor scan` wrote as json, ndjson or sarif-full"
_CLUSTERS: Final = b'"clusters":[\n'
_RESULTS: Final = b'"results":[\n'
_NEXT: Final = b'],"results":[\n'
_NONE: Final = b'],"results":[]}\n'
_INVOCATIONS: Final = b'],"invocations":['
_VERDICTS: Final = (
    b'","verdict":"',
    frozenset((b'pass"', b"unkno", b"not_a")),
    (b'"baseline":null}', b'"baseline":null}\n'),
)
_KINDS: Final = (b'","kind":"', frozenset((b'pass"', b'open"', b"notAp")), (b"}",))
_QUIET: Final = {
    # In lines, the last one may have been cut short.
    "ndjson": (*_VERDICTS[:2], _VERDICTS[2][1:]),
    "json": _VERDICTS,
    "sarif-full": _KINDS,
}
_SEVERITY_OF_RANK: Final = {
    95.0: Severity.CRITICAL,
    80.0: Severity.HIGH,
    55.0: Severity.MEDIUM,
    25.0: Severity.LOW,
    0.0: Severity.INFO,
}
_VERDICT_OF_KIND: Final = {
    "fail": "fail",
    "pass": "pass",
    "notApplicable": "not_applicable",
    "open": "unknown",
}


class Report:
    """A report that was written earlier.

    `header` is the report object of the json format without clusters and results (of a sarif-full file, as
    much of it as that holds). `form` is `json`, `ndjson` or `sarif-full`.
    """

    def __init__(
        self, place: str, form: str, header: Object, stream: IO[bytes], whole: Object | None
    ) -> None:
        self.place = place
        self.form = form
        self.header = header
        self._stream = stream
        self._whole = whole
        self._skipped = 0
        self._start = stream.tell()

    @property
    def has_clusters(self) -> bool:
        """Whether the report tells of clusters, and not of results alone."""
        return self.form == "json"

    def entries(self, *, failures: bool = False) -> Iterator[tuple[bool, bytes | Object]]:
        """Clusters and results in order: whether it is a result, and its JSON, of a result as an object.

        A result is as in the json format; evidence and remediation may be missing. With `failures`, clusters
        and all results but failures may be left out. Raises AuditorError for a file that is cut short or
        malformed.
        """
        count = self._skipped = 0
        for is_result, value in self._raw(failures=failures):
            if not is_result:
                yield False, value
                continue
            count += 1
            entry = value if isinstance(value, dict) else self._decoded(value, count)
            if self.form == "sarif-full":
                entry = _from_sarif(entry, self.place)
            if entry.get("baseline") == "absent" and not (
                entry.get("verdict") == "fail" and entry.get("waiver")
            ):
                count -= 1  # as the summary has it
            yield True, entry
        count += self._skipped
        summary = self.header.get("summary")
        if isinstance(summary, dict) and count != sum(summary.values()):
            stated = sum(summary.values())
            raise AuditorError(
                f"holds {count} results and says that it has {stated}: it was cut short or edited",
                hint=f"copy it again, or {_AGAIN}",
                place=self.place,
            )

    def clusters(self) -> Iterator[bytes | Object]:
        """The clusters alone, each as JSON text or as an object."""
        for is_result, value in self._raw(failures=False):
            if is_result:
                return
            yield value

    def _decoded(self, line: bytes, number: int) -> Object:
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise _malformed(self.place, f"result {number} is not JSON: {error}") from error
        if not isinstance(value, dict):
            raise _malformed(self.place, f"result {number} is no object")
        return value

    def _raw(self, *, failures: bool) -> Iterator[tuple[bool, bytes | Object]]:
        if self._whole is not None:
            for cluster in _objects(self._whole, "clusters", self.place):
                yield False, cluster
            for result in _objects(self._whole, "results", self.place):
                yield True, result
            return
        self._stream.seek(self._start)
        if failures:
            yield from self._failing()
        else:
            yield from self._lines()

    def _failing(self) -> Iterator[tuple[bool, bytes]]:
        """The lines that may hold a failure; the others are counted and not decoded."""
        marker, quiet, ends = _QUIET[self.form]
        width = len(marker)
        for is_result, line in self._lines(results=self._seek_results()):
            if is_result:
                at = line.find(marker, 9, 200)
                # By its end a line is whole, and not about what is gone.
                if at > 0 and line[at + width : at + width + 5] in quiet and line.endswith(ends):
                    self._skipped += 1
                    continue
            yield is_result, line

    def _seek_results(self) -> bool:
        """Go to the first result of a report in lines, past its clusters; False if that is not to be found.

        What is sought holds a line feed, which stands in no JSON text, and so is there once.
        """
        if self.form != "json" or self.header.get("no_clusters"):
            return False
        with mmap(self._stream.fileno(), 0, access=ACCESS_READ) as whole:
            at = whole.rfind(_NEXT)
        if at < 0:
            return False
        self._stream.seek(at + len(_NEXT))
        return True

    def _lines(self, *, results: bool = False) -> Iterator[tuple[bool, bytes]]:
        if self.form == "ndjson":
            for line in self._stream:
                if line != b"\n":
                    yield True, line
            return
        results = results or self.form == "sarif-full" or bool(self.header.get("no_clusters"))
        for line in self._stream:
            if not results:
                if line.endswith(_NEXT):
                    results = True
                    yield False, line[: -len(_NEXT)]
                elif line.endswith(_NONE):
                    yield False, line[: -len(_NONE)]
                    return
                else:
                    yield False, line.rstrip(b",\n")
            elif line.endswith(b",\n"):
                yield True, line[:-2]
            elif self.form == "json" and line.endswith(b"]}\n"):
                yield True, line[:-3]
                return
            elif self.form == "sarif-full" and _INVOCATIONS in line and line.endswith(b"]}]}\n"):
                body = line[: line.rindex(_INVOCATIONS)]
                if body:
                    yield True, body
                return
            else:
                break
        raise AuditorError(
            "the report ends in the middle: it was cut short",
            hint=f"copy it again, or {_AGAIN}",
            place=self.place,
        )


@contextmanager
def opened(place: str) -> Iterator[Report]:
    """The report in a file (also .gz and .zst), recognised by what it holds.

    Raises AuditorError, with the remedy, if the file cannot be read, is no such report, or is one of another
    version.
    """
    try:
        with Path(place).open("rb") as file, _plain(file, place) as stream:
            yield _recognised(place, stream)
    except OSError as error:
        raise AuditorError(f"cannot be read: {error.strerror or error}", hint=_FORMS, place=place) from error


@contextmanager
def _plain(file: IO[bytes], place: str) -> Iterator[IO[bytes]]:
    """The file, decompressed if need be."""
    magic = file.read(4)
    file.seek(0)
    if not magic.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd")):
        yield file
        return
    import zstandard

    with tempfile.TemporaryFile() as spool:
        try:
            if magic.startswith(b"\x1f\x8b"):
                with gzip.GzipFile(fileobj=file) as packed:
                    while chunk := packed.read(1 << 20):
                        spool.write(chunk)
            else:
                zstandard.ZstdDecompressor().copy_stream(file, spool)
        except (EOFError, OSError, zlib.error, zstandard.ZstdError) as error:
            raise AuditorError(
                f"cannot be decompressed to its end: {error}", hint=f"copy it again, or {_AGAIN}", place=place
            ) from error
        spool.seek(0)
        yield spool


def _recognised(place: str, stream: IO[bytes]) -> Report:
    first = stream.readline()
    if not first.strip():
        raise AuditorError("is empty", hint=_FORMS, place=place)
    if first.endswith(_CLUSTERS):
        header = _json(first[: -len(_CLUSTERS)].rstrip(b",") + b"}", place)
        if header is not None:
            return Report(place, "json", _checked(header, place), stream, None)
    elif first.endswith(b'"clusters":[],' + _RESULTS):
        header = _json(first[: -len(b',"clusters":[],' + _RESULTS)] + b"}", place)
        if header is not None:
            return Report(place, "json", _checked(header, place) | {"no_clusters": True}, stream, None)
    elif first.endswith(_RESULTS):
        head = _json(first + b"]}]}", place)
        if head is not None and "runs" in head:
            return Report(place, "sarif-full", _of_run(_run(head, place), place), stream, None)
    value = _json(first, place)
    if value is not None and "results" not in value and "runs" not in value:
        return Report(place, "ndjson", _checked(value, place), stream, None)
    rest = stream.read()
    if value is None or rest.strip():
        value = _json(first + rest, place)
    if value is None:
        raise AuditorError("is no report: it is not JSON", hint=_FORMS, place=place)
    if "runs" in value:
        run = _run(value, place)
        return Report(place, "sarif-full", _of_run(run, place), stream, {"results": run.get("results")})
    return Report(place, "json", _checked(value, place), stream, value)


def _json(text: bytes, place: str) -> Object | None:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(value, dict):
        raise AuditorError("is no report", hint=_FORMS, place=place)
    return value


def _checked(header: Object, place: str) -> Object:
    schema = header.get("schema")
    if schema != SCHEMA:
        if isinstance(schema, str) and schema.startswith(_FAMILY):
            raise AuditorError(
                f"is a report of the form {schema[:80]!r}, and this version reads {SCHEMA}",
                hint="update gke-auditor, or scan the earlier inventory again with this version",
                place=place,
            )
        if str(header.get("kind", "")).startswith("gke-auditor/snapshot"):
            raise AuditorError(
                "is a snapshot and no report",
                hint="scan it with `--output json=PATH`, and give that file",
                place=place,
            )
        raise AuditorError("is no report of gke-auditor", hint=_FORMS, place=place)
    tool, inventory = header.get("tool"), header.get("inventory")
    if not (
        isinstance(tool, dict)
        and isinstance(inventory, dict)
        and all(isinstance(tool.get(key), str) for key in ("version", "rules_digest"))
        and all(isinstance(inventory.get(key), str) for key in ("scope", "digest"))
        and isinstance(inventory.get("read_time"), str | None)
        and _are_rules(header.get("rules"))
        and isinstance(header.get("summary"), dict)
        and all(isinstance(count, int) for count in header["summary"].values())
    ):
        raise _malformed(place, "the header of the report lacks what every report has")
    return header


def _are_rules(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(one, dict) and isinstance(one.get("id"), str) and _are_texts(one.get("aliases", []))
        for one in value
    )


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _malformed(place: str, why: str) -> AuditorError:
    return AuditorError(f"is damaged: {why}", hint=f"copy it again, or {_AGAIN}", place=place)


def _objects(whole: Object, name: str, place: str) -> list[Object]:
    found = whole.get(name, [])
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise _malformed(place, f"`{name}` is no list of objects")
    return found


# --- SARIF ----------------------------------------------------------------------------------------------


def _run(log: Object, place: str) -> Object:
    runs = log.get("runs")
    run = runs[0] if isinstance(runs, list) and len(runs) == 1 else None
    try:
        name = cast("Object", run)["tool"]["driver"]["name"]
        profile = cast("Object", run)["properties"]["profile"]
    except (KeyError, TypeError):
        name = profile = None
    if name != "gke-auditor" or not isinstance(run, dict):
        raise AuditorError("is no SARIF file of gke-auditor", hint=_FORMS, place=place)
    if profile != "full":
        raise AuditorError(
            "is SARIF for GitHub, which holds findings alone and not what passed or was undecided",
            hint="write and give `--output sarif-full=PATH`, json or ndjson",
            place=place,
        )
    return run


def _of_run(run: Object, place: str) -> Object:
    """What a run says of itself, as the header of the json format."""
    own = cast("Object", run["properties"])
    driver = cast("Object", run["tool"]["driver"])
    digests = own.get("ruleDigests", {})
    rules = driver.get("rules")
    if (
        not isinstance(rules, list)
        or not _are_rules(rules)
        or not isinstance(digests, dict)
        or not all(isinstance(own.get(key), str) for key in ("inventoryDigest", "rulesDigest"))
        or not isinstance(own.get("readTime"), str | None)
    ):
        raise _malformed(place, "the run lacks what every run of gke-auditor has")
    return {
        "schema": SCHEMA,
        "tool": {
            "version": str(driver.get("semanticVersion", "")),
            "rules_digest": own["rulesDigest"],
        },
        "inventory": {
            "scope": str(own.get("scope", "")),
            "digest": own["inventoryDigest"],
            "read_time": own["readTime"],
            "gaps": [],
        },
        "rules": [
            {"id": one["id"], **({"digest": digests[one["id"]]} if one["id"] in digests else {})}
            for one in rules
        ],
        **({"baseline": own["baseline"]} if isinstance(own.get("baseline"), dict) else {}),
    }


def _from_sarif(result: Object, place: str) -> Object:
    """A SARIF result as the json format has it."""
    try:
        verdict = _VERDICT_OF_KIND[result["kind"]]
        location = result["locations"][0]
        name = location["logicalLocations"][0]["fullyQualifiedName"]
        path = location["physicalLocation"]["artifactLocation"]["uri"].split("/")
        own = result["properties"]
        text = result["message"]["text"]
        resource = {
            "name": name,
            "type": own["asset.type"],
            "project": unquote(path[1]).removeprefix("_"),
            "location": unquote(path[2]),
        }
        kind, short = own["asset.type"].rsplit("/", 1)[-1], name.rsplit("/", 1)[-1]
        return {
            "rule": result["ruleId"],
            "verdict": verdict,
            "severity": _SEVERITY_OF_RANK[float(result.get("rank", 0))].value,
            "resource": resource,
            "subject": own["subject"],
            # What follows says where it is and how to mend it.
            "message": text.split(f" {kind} {short} of ", 1)[0],
            "reasons": [],
            "fingerprint": result["partialFingerprints"]["gkeAuditorFinding/v1"],
            "waiver": {} if result.get("suppressions") else None,
            "baseline": result.get("baselineState"),
        }
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise _malformed(place, "a result is not as gke-auditor writes it") from error


# --- as a baseline --------------------------------------------------------------------------------------


def load(place: str) -> Previous:
    """The report in a file as a baseline. Raises AuditorError, with the remedy, if it is none."""
    with opened(place) as report:
        head = report.header
        refs: dict[str, ResourceRef] = {}
        findings = [
            finding(entry, refs, place)
            for is_result, entry in report.entries(failures=True)
            if is_result
            and isinstance(entry, dict)
            and entry.get("verdict") == "fail"
            and entry.get("baseline") != "absent"
        ]
        earlier = head.get("baseline")
        if isinstance(earlier, dict):
            # What it could not tell about is still open.
            findings += [finding(one, refs, place) for one in _objects(earlier, "unsettled", place)]
        rules = head["rules"]
        return Previous(
            place=place,
            scope=head["inventory"]["scope"],
            read_time=head["inventory"]["read_time"],
            digest=head["inventory"]["digest"],
            tool_version=head["tool"]["version"],
            rules_digest=head["tool"]["rules_digest"],
            rules=frozenset(rule["id"] for rule in rules),
            rule_digests=rule_digests(head),
            findings=tuple(findings),
        )


def rule_digests(header: Object) -> dict[str, str]:
    """What decides the verdicts of each rule, digested, by id; empty for a report that does not say."""
    return {rule["id"]: rule["digest"] for rule in header["rules"] if isinstance(rule.get("digest"), str)}


def extents(header: Object) -> dict[str, Extent]:
    """By asset type, where every asset was read; empty for a report that does not say."""
    given = header["inventory"].get("extents")
    found: dict[str, Extent] = {}
    for kind, one in given.items() if isinstance(given, dict) else ():
        if isinstance(one, dict):
            found[kind] = Extent(
                one.get("everywhere") is True,
                *(frozenset(_texts(one.get(name))) for name in ("scopes", "projects", "unread")),
            )
    return found


def _texts(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def finding(entry: Object, refs: dict[str, ResourceRef], place: str) -> Finding:
    """A result as a finding, whatever its verdict. Raises AuditorError if it is not as a result has to be.

    `refs` keeps the resources that were met, by name.
    """
    try:
        given = entry["resource"]
        name = given["name"]
        ref = refs.get(name)
        if ref is None:
            ref = ResourceRef(name, given["type"], given["project"], given["location"])
            if not all(isinstance(text, str) for text in (name, ref.type, ref.project, ref.location)):
                raise _malformed(place, "a resource has something else than text where text belongs")
            refs[name] = ref
        found = Finding(
            rule=entry["rule"],
            severity=Severity(entry["severity"]),
            resource=ref,
            subject=entry["subject"],
            message=entry["message"],
            fingerprint=entry["fingerprint"],
            waived=entry.get("waiver") is not None,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _malformed(place, "a result lacks what every result has") from error
    if not all(
        isinstance(text, str) for text in (found.rule, found.message, found.fingerprint)
    ) or not isinstance(found.subject, str | None):
        raise _malformed(place, "a result has something else than text where text belongs")
    return found

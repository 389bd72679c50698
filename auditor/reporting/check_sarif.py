"""What GitHub code scanning would reject or cut in a SARIF file, found without GitHub.

The published schema accepts much that GitHub refuses when it takes a file in, and one refused result costs
the whole file. The rules here are those of the GitHub documentation ("SARIF support for code scanning",
"SARIF results exceed one or more limits"), of the `github/codeql-action` upload, and, where a file
contradicts the format itself, of SARIF 2.1.0.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditor.reporting.encode import dumps
from auditor.reporting.text import one_line, plural, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_FILE = 10_000_000
"""Bytes of the compressed file."""

MAX_RUNS = 20
MAX_RESULTS = 25_000
MAX_RULES = 25_000
MAX_EXTENSIONS = 100
MAX_LOCATIONS = 1_000
MAX_THREAD_FLOW_LOCATIONS = 10_000
MAX_TAGS = 20
SHOWN_RESULTS = 5_000
SHOWN_LOCATIONS = 100
SHOWN_THREAD_FLOW_LOCATIONS = 1_000
SHOWN_TAGS = 10
SHOWN_NAME = 255
SHOWN_TEXT = 1_024

_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*):")
_NOT_IN_URI = re.compile(r"""[^A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]|%(?![0-9A-Fa-f]{2})""")
_NUMBER = re.compile(r"^\d+(\.\d+)?$")


_TAKEN = frozenset(
    (
        "file-name",
        "level-of-no-failure",
        "locations-cut",
        "name-too-long",
        "notification-text-missing",
        "rule-index",
        "rule-missing",
        "tags-cut",
        "text-too-long",
        "thread-flow-locations-cut",
    )
)
"""Violations for which GitHub takes the file all the same, and shows less than it says, or something else."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that GitHub would refuse, cut or show wrongly.

    `rule` is a slug that names the problem, `pointer` the place in the document (RFC 6901), `text` says what
    is wrong and what GitHub does about it, `remedy` what to write instead.
    """

    rule: str
    pointer: str
    text: str
    remedy: str

    @property
    def refused(self) -> bool:
        """Whether GitHub refuses the whole file for it."""
        return self.rule not in _TAKEN


def check_sarif(document: object) -> list[Violation]:
    """Every violation in a decoded SARIF file, in the order of the document; none if GitHub takes it whole.

    Anything may be passed: what is not of the right JSON type is a violation too.
    """
    return list(_log(document))


def check_together(documents: Sequence[tuple[str, object]]) -> list[Violation]:
    """What would keep files from being uploaded together, as `upload-sarif` does with those of a folder.

    `documents` are pairs of a name and a decoded SARIF file; the pointer of a violation is the name.
    """
    found: list[Violation] = []
    first: dict[tuple[str, str], str] = {}
    count = size = 0
    for name, document in documents:
        runs = _items(_at(document, "runs"))
        count += len(runs)
        size += len(dumps(document))
        for key in dict.fromkeys(map(_category, runs)):
            if key in first:
                found.append(
                    Violation(
                        "duplicate-category",
                        name,
                        f"{first[key]} has a run of the same tool and category {_shown(key[1])}. Uploaded "
                        "together, GitHub rejects both; one after the other, the second replaces the first.",
                        "Give each file a category of its own: automationDetails.id is CATEGORY/RUN.",
                    )
                )
            else:
                first[key] = name
    if count > MAX_RUNS:
        found.append(
            _too_many("too-many-runs", "", count, "runs in these files", MAX_RUNS, "Upload them one by one.")
        )
    if size > MAX_FILE:
        compressor = zlib.compressobj(6)
        size = sum(len(compressor.compress(dumps(document))) for _, document in documents)
        size += len(compressor.flush())
        if size > MAX_FILE:
            found.append(_too_large("These files have", size, "Upload them one by one."))
    return found


def notices(document: object) -> list[str]:
    """What is worth knowing about a file that GitHub takes: results that it hides, or shows unasked."""
    found: list[str] = []
    for number, run in enumerate(_items(_at(document, "runs"))):
        results = _items(_at(run, "results"))
        if len(results) > SHOWN_RESULTS:
            found.append(
                f"/runs/{number}/results: there are {len(results):,} results, of which GitHub shows "
                f"{SHOWN_RESULTS:,}. Split them into files with a category of their own each."
            )
        silent = sum(_at(result, "kind") not in (None, "fail") for result in results)
        if silent:
            found.append(
                f"/runs/{number}/results: {plural(silent, 'result')} of another kind than fail: GitHub "
                "ignores the kind and opens an alert for each. Leave them out of a file for GitHub."
            )
        suppressed = sum(bool(_items(_at(result, "suppressions"))) for result in results)
        if suppressed:
            found.append(
                f"/runs/{number}/results: {plural(suppressed, 'suppressed result')}: GitHub ignores "
                "suppressions and opens an alert for each. Leave them out of a file for GitHub."
            )
    return found


def check_name(path: str) -> list[Violation]:
    """What would keep the upload from finding the file or send it elsewhere, by its name alone."""
    if path.endswith((".quality.sarif", ".csra.sarif")):
        text = "Files of this ending go to another endpoint and not to code scanning."
    elif not path.endswith(".sarif"):
        text = (
            "In a folder, the upload takes files that end in .sarif alone; others are passed over in silence."
        )
    else:
        return []
    return [
        Violation("file-name", "", text, "Let the name end in .sarif, without .quality or .csra before it.")
    ]


def _log(document: object) -> Iterator[Violation]:
    if not isinstance(document, Mapping):
        yield _wrong_type("", "the file", "an object")
        return
    if document.get("version") != "2.1.0":
        yield Violation(
            "version",
            "/version",
            f"The version is {_shown(document.get('version'))}; GitHub reads SARIF 2.1.0 only.",
            'Write "version": "2.1.0".',
        )
    if not _is_text(document.get("$schema")):
        yield Violation(
            "schema-missing",
            "/$schema",
            "$schema is missing; GitHub requires it.",
            'Write "$schema": "https://json.schemastore.org/sarif-2.1.0.json".',
        )
    size = len(gzip.compress(encoded, 6)) if len(encoded := dumps(document)) > MAX_FILE else 0
    if size > MAX_FILE:
        remedy = "Split it into files with a category of their own each, or leave out properties."
        yield _too_large("The file has", size, remedy)
    runs = document.get("runs")
    if not isinstance(runs, list):
        yield _wrong_type("/runs", "runs", "an array")
        return
    if len(runs) > MAX_RUNS:
        yield _too_many(
            "too-many-runs", "/runs", len(runs), "runs in a file", MAX_RUNS, "Write several files."
        )
    yield from _categories(runs)
    for number, run in enumerate(runs):
        pointer = f"/runs/{number}"
        if isinstance(run, Mapping):
            yield from _run(run, pointer)
        else:
            yield _wrong_type(pointer, "a run", "an object")


def _categories(runs: list[object]) -> Iterator[Violation]:
    """Two runs of one tool and category: the upload of the whole file fails."""
    seen: dict[tuple[str, str], int] = {}
    for number, run in enumerate(runs):
        key = _category(run)
        if key in seen:
            yield Violation(
                "duplicate-category",
                f"/runs/{number}/automationDetails/id",
                f"Runs {seen[key]} and {number} have the same tool and category {_shown(key[1])}; GitHub "
                "rejects a file with two runs of one category. The category is the id up to its last slash.",
                "Give each run an id of its own, CATEGORY/RUN, or merge the runs.",
            )
        else:
            seen[key] = number


def _category(run: object) -> tuple[str, str]:
    """The tool of a run and its category, which is its id up to the last slash."""
    name = _at(run, "tool", "driver", "name")
    id_ = _at(run, "automationDetails", "id")
    category = id_.rpartition("/")[0] if isinstance(id_, str) else ""
    return (name if isinstance(name, str) else "", category)


def _run(run: Mapping[str, object], pointer: str) -> Iterator[Violation]:
    driver = _at(run, "tool", "driver")
    components: list[tuple[str, object]] = [(f"{pointer}/tool/driver", driver)]
    if not _is_text(_at(driver, "name")):
        yield Violation(
            "tool-name-missing",
            f"{pointer}/tool/driver/name",
            "The tool has no name; GitHub groups alerts by it.",
            "Write the same tool.driver.name in every file.",
        )
    extensions = _at(run, "tool", "extensions")
    if isinstance(extensions, list):
        components += [(f"{pointer}/tool/extensions/{n}", e) for n, e in enumerate(extensions)]
        if len(extensions) > MAX_EXTENSIONS:
            yield _too_many(
                "too-many-extensions",
                f"{pointer}/tool/extensions",
                len(extensions),
                "tool extensions in a run",
                MAX_EXTENSIONS,
                "List only the extensions whose rules are used.",
            )
    rules_of_run = 0
    for place, component in components:
        rules = _at(component, "rules")
        if isinstance(rules, list):
            rules_of_run += len(rules)
            yield from _rules(rules, f"{place}/rules")
        elif rules is not None:
            yield _wrong_type(f"{place}/rules", "rules", "an array")
        notifications = _at(component, "notifications")
        if isinstance(notifications, list):
            for number, descriptor in enumerate(notifications):
                yield from _described(
                    descriptor,
                    f"{place}/notifications/{number}",
                    "A kind of notification",
                    "notification",
                    ("fullDescription", "help"),
                )
    if rules_of_run > MAX_RULES:
        yield _too_many(
            "too-many-rules",
            f"{pointer}/tool",
            rules_of_run,
            "rules in a run",
            MAX_RULES,
            "List only the rules that were evaluated.",
        )
    yield from _invocations(run.get("invocations"), f"{pointer}/invocations")
    results = run.get("results")
    if isinstance(results, list):
        if len(results) > MAX_RESULTS:
            yield _too_many(
                "too-many-results",
                f"{pointer}/results",
                len(results),
                "results in a run",
                MAX_RESULTS,
                "Leave out the mildest, or split them into runs with a category of their own.",
            )
        rules = _at(driver, "rules")
        for number, result in enumerate(results):
            yield from _result(
                result, f"{pointer}/results/{number}", rules if isinstance(rules, list) else []
            )
    elif results is not None:
        yield _wrong_type(f"{pointer}/results", "results", "an array")


def _invocations(invocations: object, pointer: str) -> Iterator[Violation]:
    for number, invocation in enumerate(invocations if isinstance(invocations, list) else []):
        if _at(invocation, "executionSuccessful") is not True:
            yield Violation(
                "unsuccessful-execution",
                f"{pointer}/{number}/executionSuccessful",
                "executionSuccessful is not true; GitHub does not process the results of a run that failed, "
                "and its alerts stay as they are.",
                "Write true and name what was not read in toolExecutionNotifications, unless nothing in the "
                "file can be trusted.",
            )


# --- rules ----------------------------------------------------------------------------------------------


def _rules(rules: list[object], pointer: str) -> Iterator[Violation]:
    seen: dict[str, int] = {}
    for number, rule in enumerate(rules):
        place = f"{pointer}/{number}"
        if not isinstance(rule, Mapping):
            yield _wrong_type(place, "a rule", "an object")
            continue
        id_ = rule.get("id")
        if not _is_text(id_):
            yield Violation("rule-id-missing", f"{place}/id", "A rule has no id.", "Write a stable id.")
        elif id_ in seen:
            yield Violation(
                "duplicate-rule",
                f"{place}/id",
                f"Rules {seen[id_]} and {number} are both {_shown(id_)}; the upload refuses equal rules, and "
                "results cannot be told apart by a rule that is there twice.",
                "List each rule once.",
            )
        else:
            seen[str(id_)] = number
        yield from _described(
            rule, place, f"Rule {_shown(id_)}", "rule", ("shortDescription", "fullDescription", "help")
        )
        yield from _rule_properties(rule.get("properties"), f"{place}/properties", f"Rule {_shown(id_)}")


def _described(
    descriptor: object, pointer: str, what: str, kind: str, required: tuple[str, ...]
) -> Iterator[Violation]:
    """The texts that a descriptor needs, and their length."""
    for member in ("shortDescription", "fullDescription", "help"):
        text = _at(descriptor, member, "text")
        if not isinstance(text, str) or not text.strip():
            if member in required:
                yield Violation(
                    f"{kind}-text-missing",
                    f"{pointer}/{member}/text",
                    f"{what} has no {member}.text, which GitHub requires.",
                    f"Write {member}.text.",
                )
        elif member != "help" and len(text) > SHOWN_TEXT:
            yield Violation(
                "text-too-long",
                f"{pointer}/{member}/text",
                f"{what}: {member}.text has {len(text):,} characters; GitHub cuts it at {SHOWN_TEXT:,}.",
                "Shorten it, and say the rest in help.markdown.",
            )
    name = _at(descriptor, "name")
    if isinstance(name, str) and len(name) > SHOWN_NAME:
        yield Violation(
            "name-too-long",
            f"{pointer}/name",
            f"{what}: the name has {len(name):,} characters; GitHub cuts it at {SHOWN_NAME}.",
            "Shorten it.",
        )


def _rule_properties(properties: object, pointer: str, what: str) -> Iterator[Violation]:
    if not isinstance(properties, Mapping):
        return
    if "security-severity" in properties:
        score = properties["security-severity"]
        if not (isinstance(score, str) and _NUMBER.match(score) and float(score) <= 10):
            yield Violation(
                "security-severity",
                f"{pointer}/security-severity",
                f"{what}: security-severity is {_shown(score)}; GitHub rejects the file unless it is a "
                "number from 0.0 to 10.0, written as a string.",
                'Write it as a string such as "8.0".',
            )
    tags = properties.get("tags")
    if not isinstance(tags, list):
        return
    if len(tags) > MAX_TAGS:
        yield _too_many(
            "too-many-tags", f"{pointer}/tags", len(tags), "tags of a rule", MAX_TAGS, "Keep ten."
        )
    elif len(tags) > SHOWN_TAGS:
        yield Violation(
            "tags-cut",
            f"{pointer}/tags",
            f"{what} has {len(tags)} tags; GitHub keeps {SHOWN_TAGS}.",
            "Keep the ten that matter.",
        )


# --- results --------------------------------------------------------------------------------------------


def _result(result: object, pointer: str, rules: list[object]) -> Iterator[Violation]:
    if not isinstance(result, Mapping):
        yield _wrong_type(pointer, "a result", "an object")
        return
    if not _is_text(_at(result, "message", "text")):
        yield Violation(
            "message-text-missing",
            f"{pointer}/message/text",
            "The result has no message.text; GitHub requires it, and a message.id alone will not do.",
            "Write the whole message as text.",
        )
    yield from _rule_of(result, pointer, rules)
    kind = result.get("kind", "fail")
    if kind != "fail" and result.get("level", "none") != "none":
        yield Violation(
            "level-of-no-failure",
            f"{pointer}/level",
            f"The result is of kind {_shown(kind)} and has level {_shown(result.get('level'))}; only "
            "failures have one (SARIF 2.1.0, 3.27.10), and GitHub, which ignores the kind, opens an alert.",
            'Leave the result out of a file for GitHub, or write "level": "none".',
        )
    yield from _locations(result.get("locations"), f"{pointer}/locations")
    related = result.get("relatedLocations")
    if isinstance(related, list):
        yield from _location_count(related, f"{pointer}/relatedLocations")
        for number, location in enumerate(related):
            uri = _at(location, "physicalLocation", "artifactLocation", "uri")
            if uri is not None:
                place = f"{pointer}/relatedLocations/{number}/physicalLocation/artifactLocation/uri"
                yield from _uri(uri, place)
    steps = sum(
        len(locations)
        for flow in _items(_at(result, "codeFlows"))
        for thread in _items(_at(flow, "threadFlows"))
        if isinstance(locations := _at(thread, "locations"), list)
    )
    if steps > MAX_THREAD_FLOW_LOCATIONS:
        yield _too_many(
            "too-many-thread-flow-locations",
            f"{pointer}/codeFlows",
            steps,
            "thread flow locations of a result",
            MAX_THREAD_FLOW_LOCATIONS,
            "Keep the steps that explain the result.",
        )
    elif steps > SHOWN_THREAD_FLOW_LOCATIONS:
        yield _cut("thread-flow-locations-cut", f"{pointer}/codeFlows", steps, SHOWN_THREAD_FLOW_LOCATIONS)


def _rule_of(result: Mapping[str, object], pointer: str, rules: list[object]) -> Iterator[Violation]:
    id_ = result.get("ruleId", _at(result, "rule", "id"))
    index = result.get("ruleIndex")
    if not _is_text(id_) and index is None and _at(result, "rule", "index") is None:
        yield Violation(
            "rule-missing",
            f"{pointer}/ruleId",
            "The result names no rule; alerts are told apart by their rule, and GitLab drops such results.",
            "Write ruleId.",
        )
    if index is None or index == -1:
        return
    listed = _element(rules, index)
    if listed is None or (_is_text(id_) and not _specializes(id_, _at(listed, "id"))):
        yield Violation(
            "rule-index",
            f"{pointer}/ruleIndex",
            f"ruleIndex {_shown(index)} is not where tool.driver.rules lists {_shown(id_)}.",
            "Write the index of the result's rule, or leave ruleIndex out.",
        )


def _specializes(id_: object, listed: object) -> bool:
    """Whether a result's id is that of a listed rule, or one below it (`CA/1`): SARIF 2.1.0, 3.27.5."""
    return id_ == listed or (
        isinstance(id_, str) and isinstance(listed, str) and id_.startswith(f"{listed}/")
    )


def _locations(locations: object, pointer: str) -> Iterator[Violation]:
    if not isinstance(locations, list) or not locations:
        yield Violation(
            "location-missing",
            pointer,
            'The result has no location: "expected at least one location"; GitHub rejects the whole file.',
            "Write a location with a physicalLocation; a stable path will do if there is no file.",
        )
        return
    yield from _location_count(locations, pointer)
    first = locations[0]
    if not isinstance(_at(first, "physicalLocation"), Mapping):
        yield Violation(
            "physical-location-missing",
            f"{pointer}/0/physicalLocation",
            'The first location has no physicalLocation: "expected a physical location". A logical location '
            "is not enough.",
            "Write physicalLocation.artifactLocation.uri; a stable path will do if there is no file.",
        )
        return
    uri = _at(first, "physicalLocation", "artifactLocation", "uri")
    place = f"{pointer}/0/physicalLocation/artifactLocation/uri"
    if not _is_text(uri):
        yield Violation(
            "uri-missing",
            place,
            'The first location has no artifactLocation.uri: "expected artifact location".',
            "Write a relative path that stays the same from run to run.",
        )
        return
    for number, location in enumerate(locations):
        uri = _at(location, "physicalLocation", "artifactLocation", "uri")
        if uri is not None:
            yield from _uri(uri, f"{pointer}/{number}/physicalLocation/artifactLocation/uri")


def _location_count(locations: list[object], pointer: str) -> Iterator[Violation]:
    if len(locations) > MAX_LOCATIONS:
        yield _too_many(
            "too-many-locations",
            pointer,
            len(locations),
            "locations of a result",
            MAX_LOCATIONS,
            "Keep the ones that explain the result; only the first one places the alert.",
        )
    elif len(locations) > SHOWN_LOCATIONS:
        yield _cut("locations-cut", pointer, len(locations), SHOWN_LOCATIONS)


def _uri(uri: object, pointer: str) -> Iterator[Violation]:
    if not isinstance(uri, str):
        yield _wrong_type(pointer, "a URI", "a string")
        return
    scheme = _SCHEME.match(uri)
    if scheme and scheme[1].lower() != "file":
        yield Violation(
            "uri-scheme",
            pointer,
            f"{_shown(uri)} has the scheme {_shown(scheme[1])}: GitHub rejects every scheme but file, and "
            "reads anything up to a colon in the first segment as one.",
            "Write a path relative to the repository, with %3A for a colon.",
        )
    elif uri.startswith("//"):
        yield Violation(
            "uri-host",
            pointer,
            f"{_shown(uri)} starts with two slashes, so that its first segment is the name of a host.",
            "Write a path relative to the repository.",
        )
    if _NOT_IN_URI.search(uri):
        yield Violation(
            "uri-invalid",
            pointer,
            f"{_shown(uri)} holds characters that a URI cannot (a space, a backslash, a bare % or a letter "
            'that is not ASCII): "an invalid URI was provided as a SARIF location".',
            "Percent-encode each segment of the path.",
        )


# --- words ----------------------------------------------------------------------------------------------


def _at(value: object, *keys: str) -> object:
    """What is found under nested keys; None as soon as something is not an object."""
    for key in keys:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def _items(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _element(items: list[object], index: object) -> object:
    """The element at an index that may be anything; None if there is none."""
    if isinstance(index, int) and not isinstance(index, bool) and 0 <= index < len(items):
        return items[index]
    return None


def _shown(value: object) -> str:
    return shorten(one_line(dumps(value).decode()), 80)


def _wrong_type(pointer: str, what: str, right: str) -> Violation:
    return Violation(
        "wrong-type",
        pointer,
        f"{what[0].upper()}{what[1:]} is not {right}.",
        "Validate against the SARIF schema.",
    )


def _too_many(rule: str, pointer: str, count: int, what: str, limit: int, remedy: str) -> Violation:
    return Violation(
        rule, pointer, f"There are {count:,} {what}; GitHub rejects more than {limit:,}.", remedy
    )


def _too_large(what: str, size: int, remedy: str) -> Violation:
    text = f"{what} {size:,} bytes when compressed; GitHub rejects more than {MAX_FILE:,}."
    return Violation("file-too-large", "", text, remedy)


def _cut(rule: str, pointer: str, count: int, limit: int) -> Violation:
    return Violation(
        rule,
        pointer,
        f"There are {count:,}; GitHub shows {limit:,}.",
        "Keep the ones that explain the result.",
    )

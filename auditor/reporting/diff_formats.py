"""A difference between two reports: for the terminal, as Markdown, and as JSON (`gke-auditor/diff/v1`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from auditor.model.names import last
from auditor.reporting import markup
from auditor.reporting.diff import EFFECTS
from auditor.reporting.encode import chunks, dumps
from auditor.reporting.text import one_line, plural, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from auditor.engine.result import ResourceRef
    from auditor.reporting.diff import (
        Diff,
        PacketChange,
        ReadinessChange,
        Side,
        Standing,
        TrafficChange,
        VerdictChange,
    )

SCHEMA: Final = "gke-auditor/diff/v1"

_SHOWN: Final = 25
_IN_MARKDOWN: Final = 150
_PACKETS: Final = 6
_LONGEST: Final = 300
_MARKS: Final = {"worse": "-", "undecided": "?", "better": "+", "same": "~"}
_STATES: Final = {
    "none": "not there",
    "not_applicable": "not applicable",
    "gone": "gone with its resource",
    "not_covered": "not covered",
    "not_judged": "not judged, since the cluster does not run",
    "rule_gone": "rule not evaluated",
}
_SCOPES: Final = {"same_node": "on one node", "any_node": "between any two nodes"}
_MEANING: Final = {
    "worse": "worse",
    "undecided": "cannot be told any more",
    "better": "better",
    "same": "neither good nor bad",
}


# --- JSON -----------------------------------------------------------------------------------------------


def as_json(diff: Diff) -> Iterator[bytes]:
    """The whole difference as one object; each change stands on a line of its own."""
    return chunks(_json(diff))


def _json(diff: Diff) -> Iterator[bytes]:
    effects = diff.effects
    head = {
        "schema": SCHEMA,
        "old": _side(diff.old),
        "new": _side(diff.new),
        "effects": {effect: effects[effect] for effect in EFFECTS},
        "clusters_compared": diff.clusters_compared,
        "rules": {
            "added": diff.rules_added,
            "removed": diff.rules_removed,
            "changed": diff.rules_changed,
        },
        "clusters": {
            "appeared": [_ref(ref) for ref in diff.appeared],
            "disappeared": [_ref(ref) for ref in diff.disappeared],
            "uncovered": [_ref(ref) for ref in diff.uncovered],
        },
    }
    yield dumps(head)[:-1]
    for name, changes in (
        ("verdicts", map(_verdict, diff.verdicts)),
        ("readiness", map(_readiness, diff.readiness)),
        ("traffic", map(_traffic, diff.traffic)),
    ):
        yield b',"%b":[' % name.encode()
        separator = b"\n"
        for change in changes:
            yield separator + dumps(change)
            separator = b",\n"
        yield b"]"
    yield b"}\n"


def _side(side: Side) -> dict[str, object]:
    return {
        "source": side.source,
        "form": side.form,
        "scope": side.scope,
        "read_time": side.read_time,
        "digest": side.digest,
        "tool_version": side.tool_version,
        "rules_digest": side.rules_digest,
        "gaps": side.gaps,
        "summary": {
            key: side.summary.get(key, 0) for key in ("fail", "pass", "unknown", "not_applicable", "waived")
        },
    }


def _ref(ref: ResourceRef) -> dict[str, object]:
    return {"name": ref.name, "type": ref.type, "project": ref.project, "location": ref.location}


def _standing(one: Standing) -> dict[str, object]:
    return {"verdict": one.verdict, "severity": one.severity, "waived": one.waived}


def _verdict(one: VerdictChange) -> dict[str, object]:
    return {
        "rule": one.rule,
        "resource": _ref(one.resource),
        "subject": one.subject,
        "before": _standing(one.before),
        "after": _standing(one.after),
        "effect": one.effect,
        "rule_changed": one.rule_changed,
        "message": one.message,
    }


def _readiness(one: ReadinessChange) -> dict[str, object]:
    return {
        "cluster": _ref(one.resource),
        "before": one.before,
        "after": one.after,
        "effect": one.effect,
        "reasons": one.reasons,
    }


def _traffic(one: TrafficChange) -> dict[str, object]:
    return {
        "cluster": _ref(one.resource),
        "scope": one.scope,
        "before": one.before,
        "after": one.after,
        "effect": one.effect,
        "newly_denied": [_packets(box) for box in one.newly_denied],
        "newly_permitted": [_packets(box) for box in one.newly_permitted],
        "newly_undecided": [_packets(box) for box in one.newly_undecided],
        "reasons": one.reasons,
    }


def _packets(box: PacketChange) -> dict[str, object]:
    found: dict[str, object] = {
        "direction": box.direction,
        "source": box.source,
        "destination": box.destination,
        "protocol": box.protocol,
        "ports": box.ports,
        "source_pools": box.source_pools,
        "destination_pools": box.destination_pools,
        "was": box.was,
        "decided_by": box.decided_by,
        "witness": box.witness,
    }
    if box.benign is not None:
        found["benign"] = box.benign
    return found


# --- for people -----------------------------------------------------------------------------------------


def text(diff: Diff) -> str:
    """What changed, worst first, for a terminal; long lists are cut, and say so."""
    return "\n".join(_lines(diff)) + "\n"


def _lines(diff: Diff) -> Iterator[str]:
    yield f"old: {_about(diff.old)}"
    yield f"new: {_about(diff.new)}"
    yield from _notes(diff)
    sections: tuple[tuple[str, Sequence[object], list[list[str]]], ...] = (
        ("Readiness", diff.readiness, [list(_readiness_lines(one)) for one in diff.readiness[:_SHOWN]]),
        ("Traffic", diff.traffic, [list(_traffic_lines(one)) for one in diff.traffic[:_SHOWN]]),
        ("Verdicts", diff.verdicts, [list(_verdict_lines(one)) for one in diff.verdicts[:_SHOWN]]),
    )
    for title, changes, shown in sections:
        if changes:
            yield ""
            yield f"{title}: {plural(len(changes), 'change')}"
            for lines in shown:
                yield from lines
            if len(changes) > len(shown):
                yield f"  … {len(changes) - len(shown):,} more; --output json=PATH has all of them"
    yield ""
    yield outcome(diff)


def outcome(diff: Diff) -> str:
    """How many changes there are of each effect, in a sentence."""
    effects = diff.effects
    told = [f"{effects[effect]:,} {_MEANING[effect]}" for effect in EFFECTS if effects[effect]]
    return f"{', '.join(told)}." if told else "Nothing changed."


def _about(side: Side) -> str:
    time = f"inventory of {one_line(side.read_time)}" if side.read_time else "inventory of unknown age"
    counts = side.summary
    said = [plural(counts.get("fail", 0), "finding"), f"{counts.get('unknown', 0):,} undecided"]
    if side.gaps:
        said.append(plural(side.gaps, "gap"))
    return f"{_short(side.source)} · {_short(side.scope)} · {time} · {', '.join(said)}"


def _notes(diff: Diff) -> Iterator[str]:
    if diff.old.read_time and diff.new.read_time and diff.old.read_time > diff.new.read_time:
        yield "! the old report is of a later inventory than the new one"
    if not diff.clusters_compared:
        yield "! readiness and traffic are compared between two json reports only; these hold results alone"
    for what, rules in (
        ("evaluated now and not then", diff.rules_added),
        ("evaluated then and not now", diff.rules_removed),
        ("that decide otherwise now", diff.rules_changed),
    ):
        if rules:
            yield f"! rules {what}: {_listed(rules)}"
    for what, refs in (
        ("new", diff.appeared),
        ("gone", diff.disappeared),
        ("not in an inventory that need not hold them", diff.uncovered),
    ):
        if refs:
            yield f"! clusters {what}: {_listed([_place(ref) for ref in refs])}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 10:,} more" if len(names) > 10 else ""
    return ", ".join(_short(name) for name in names[:10]) + more


def _short(value: str) -> str:
    return shorten(one_line(value), _LONGEST)


def _place(ref: ResourceRef, subject: str | None = None) -> str:
    place = "/".join(part for part in (ref.project, ref.location, last(ref.name)) if part)
    return _short(place if subject is None else f"{place} · {subject}")


def _said(one: Standing) -> str:
    word = _STATES.get(one.verdict, one.verdict)
    if one.verdict != "fail":
        return word
    return f"waived fail ({one.severity})" if one.waived else f"fail ({one.severity})"


def _verdict_lines(one: VerdictChange) -> Iterator[str]:
    yield f"{_MARKS[one.effect]} {_short(one.rule)}: {_said(one.before)} -> {_said(one.after)}"
    yield f"    {_place(one.resource, one.subject)}"
    if one.message:
        yield f"    {_short(one.message)}"
    if one.rule_changed:
        yield "    the rule decides otherwise now than it did then"


def _readiness_lines(one: ReadinessChange) -> Iterator[str]:
    yield f"{_MARKS[one.effect]} {_place(one.resource)}: {one.before or 'not there'} -> {one.after}"
    for reason in one.reasons[:3]:
        yield f"    {_short(reason)}"


def _traffic_lines(one: TrafficChange) -> Iterator[str]:
    yield (f"{_MARKS[one.effect]} {_place(one.resource)}, {_SCOPES[one.scope]}: {one.before} -> {one.after}")
    for what, boxes in _sets(one):
        for box in boxes[:_PACKETS]:
            yield f"    {what}: {_box(box)}"
        if len(boxes) > _PACKETS:
            yield f"    {what}: {len(boxes) - _PACKETS:,} more sets of packets"


def _sets(one: TrafficChange) -> tuple[tuple[str, tuple[PacketChange, ...]], ...]:
    return (
        ("newly denied", one.newly_denied),
        ("newly undecided", one.newly_undecided),
        ("newly permitted", one.newly_permitted),
    )


def _box(box: PacketChange) -> str:
    ports = f":{box.ports}" if box.ports is not None else ""
    said = f"{box.direction} {box.protocol}{ports} {box.source} -> {box.destination}, were {box.was}"
    if box.was == "new":
        said = said.removesuffix("were new") + "Pods that are new"
    if box.decided_by is not None:
        by = str(box.decided_by.get("rule"))
        said += f"; {'denied then' if box.was == 'denied' else 'denied'} by {by}"
    if box.benign is not None:
        said += f" ({box.benign})"
    return _short(said)


def markdown(diff: Diff) -> Iterator[bytes]:
    """What changed, worst first, for a pull request or a step summary; long lists are cut, and say so."""
    return chunks(f"{line}\n".encode("utf-8", "backslashreplace") for line in _markdown(diff))


def _markdown(diff: Diff) -> Iterator[str]:
    yield "# What changed"
    yield ""
    yield f"- Old: {markup.escape(_about(diff.old))}"
    yield f"- New: {markup.escape(_about(diff.new))}"
    for note in _notes(diff):
        yield f"- {markup.escape(note.removeprefix('! '))}"
    yield ""
    yield f"**{outcome(diff)}**"
    if diff.readiness:
        yield from _table(
            "Readiness",
            ("effect", "cluster", "before", "after", "why"),
            [
                (
                    one.effect,
                    _place(one.resource),
                    one.before or "not there",
                    one.after or "",
                    _first(one.reasons),
                )
                for one in diff.readiness
            ],
        )
    if diff.traffic:
        yield from _table(
            "Traffic",
            ("effect", "cluster", "packets", "", "set", "were", "decided by"),
            [
                (
                    one.effect,
                    _place(one.resource),
                    _SCOPES[one.scope],
                    what,
                    f"{box.direction} {box.protocol} {box.ports or ''} {box.source} -> {box.destination}",
                    box.was,
                    str(box.decided_by.get("rule")) if box.decided_by is not None else "",
                )
                for one in diff.traffic
                for what, boxes in _sets(one)
                for box in boxes
            ]
            or [
                (
                    one.effect,
                    _place(one.resource),
                    _SCOPES[one.scope],
                    f"{one.before} -> {one.after}",
                    "",
                    "",
                    "",
                )
                for one in diff.traffic
            ],
        )
    if diff.verdicts:
        yield from _table(
            "Verdicts",
            ("effect", "rule", "resource", "before", "after", "message"),
            [
                (
                    one.effect,
                    one.rule,
                    _place(one.resource, one.subject),
                    _said(one.before),
                    _said(one.after),
                    one.message,
                )
                for one in diff.verdicts
            ],
        )


def _first(reasons: Sequence[str]) -> str:
    return reasons[0] if reasons else ""


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield ""
    yield f"## {title}"
    yield ""
    yield f"| {' | '.join(head)} |"
    yield "|---" * len(head) + "|"
    for row in rows[:_IN_MARKDOWN]:
        yield f"| {' | '.join(markup.escape(_short(value)) for value in row)} |"
    if len(rows) > _IN_MARKDOWN:
        yield ""
        yield f"{len(rows) - _IN_MARKDOWN:,} more rows: the json format has all of them."

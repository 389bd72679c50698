"""A report with the places that declare its resources, fixes in their terms, and waivers written there."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from auditor.engine.result import Verdict, WaiverNote
from auditor.model import inventory as model
from auditor.model.names import last
from auditor.terraform import comments, fixes
from auditor.terraform.mapping import asset_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import date

    from auditor.engine.result import Report, Result
    from auditor.engine.rule import Rule
    from auditor.engine.waivers import Waiver
    from auditor.terraform.comments import Accepted
    from auditor.terraform.mapping import Found, Mapper

_MOST = 20
"""How many declarations a result names."""


def annotate(report: Report, mapper: Mapper, rules: Iterable[Rule], today: date) -> Report:
    """The report with declarations, fixes and waivers from comments.

    `rules` are all rules known, whose ids and aliases comments may name; `today` decides about expiry. A
    waiver counts only for what its block declares for certain.
    """
    work = _Work(report, mapper, rules, today)
    results = tuple(work.result(one) for one in report.results)
    clusters = tuple(
        replace(one, declarations=found) if (found := mapper.declarations(one.resource.name)) else one
        for one in report.clusters
    )
    waived = work.waived
    summary = {
        **report.summary,
        "fail": report.summary["fail"] - waived,
        "waived": report.summary["waived"] + waived,
    }
    gaps = report.gaps
    if mapper.configurations is not None:
        gaps = (*gaps, *mapper.configurations.gaps)
    return replace(
        report,
        results=results,
        clusters=clusters,
        summary=summary,
        gaps=gaps,
        waiver_notes=(*report.waiver_notes, *work.notes()),
    )


class _Work:
    def __init__(self, report: Report, mapper: Mapper, rules: Iterable[Rule], today: date) -> None:
        self._mapper = mapper
        self._facts = {one.resource.name: one.facts for one in report.clusters}
        self._notes: list[WaiverNote] = []
        self._accepted: dict[tuple[int, str], Accepted] = {}
        self._used: set[int] = set()
        self.waived = 0
        if mapper.configurations is None:
            return
        names = {alias: rule.id for rule in rules for alias in rule.aliases}
        names |= {rule.id: rule.id for rule in rules}
        found, malformed = comments.read(mapper.configurations.commented, names)
        self._notes += [WaiverNote("malformed", text, None) for text in malformed]
        for one in found:
            waiver = one.waiver
            if waiver.expires < today:
                when = f"expired on {waiver.expires.isoformat()}"
                text = f"{waiver.place}: {when}, owner {waiver.owner}: {waiver.reason}"
                self._notes.append(WaiverNote("expired", text, waiver))
            else:
                self._accepted.setdefault((id(one.block), waiver.rule), one)

    def notes(self) -> Iterator[WaiverNote]:
        """What is to be said about waivers in comments."""
        yield from self._notes
        for one in self._accepted.values():
            if id(one) not in self._used:
                waiver = one.waiver
                text = f"{waiver.place}: covers no finding of {waiver.rule}, owner {waiver.owner}"
                yield WaiverNote("unused", text, waiver)

    def result(self, result: Result) -> Result:
        """One result with its declarations."""
        own = self._own(result)
        found = [pair for name in own for pair in self._mapper.found(name)]
        if result.verdict in (Verdict.FAIL, Verdict.UNKNOWN):
            found += (
                pair for name, part in self._others(result, own) for pair in self._mapper.found(name, part)
            )
        found = found[:_MOST]
        if result.verdict is Verdict.FAIL:
            if result.waiver is None and self._accepted:
                waiver = self._waiver(result, own)
                if waiver is not None:
                    self.waived += 1
                    result = replace(result, waiver=waiver)
            if found and self._mapper.configurations is not None:
                found = self._fixed(result, found)
        return replace(result, declarations=tuple(one for one, _ in found)) if found else result

    def _own(self, result: Result) -> list[str]:
        """The resource of a result, and the part of it that it is about."""
        name = result.resource.name
        if result.subject is None:
            return [name]
        part = [
            one.asset
            for one in result.evidence
            if one.asset != name and last(one.asset) == result.subject and one.asset.startswith("//")
        ]
        if result.resource.type == model.CLUSTER and not part:
            part = [f"{name}/nodePools/{result.subject}"]
        return list(dict.fromkeys((name, *part)))

    def _others(self, result: Result, own: Sequence[str]) -> Iterator[tuple[str, str]]:
        """What else a result rests on: subnetworks, firewall rules, policies and their planned rules."""
        packets = fixes.packets(result, self._facts.get(result.resource.name))
        deciders = dict.fromkeys(
            box.decided_by
            for box in (() if packets is None else packets.analysis.denied)
            if box.decided_by is not None and box.benign is None
        )
        assets = dict.fromkeys(one.asset for one in deciders if one.asset)
        assets |= dict.fromkeys(one.asset for one in result.evidence)
        for one in deciders:
            if one.asset and one.address and one.stage != "vpc":
                yield one.asset, one.address
        for name in assets:
            asset = asset_of(name)
            if name not in own and asset is not None and asset.kind in fixes.FOUND_IN:
                yield name, ""

    def _waiver(self, result: Result, own: Sequence[str]) -> Waiver | None:
        for name in own:
            for declaration, block in self._mapper.found(name):
                accepted = self._accepted.get((id(block), result.rule))
                if accepted is not None and declaration.certainty in ("state", "configuration"):
                    waiver = accepted.waiver
                    if waiver.subject is None or waiver.subject == result.subject:
                        self._used.add(id(accepted))
                        return replace(waiver, resource=result.resource.name)
        return None

    def _fixed(self, result: Result, found: Sequence[Found]) -> list[Found]:
        """Declarations with the fix in the block where it belongs.

        Of several candidates none gets one: it would be a guess which of them to change.
        """
        count = Counter(one.asset for one, _ in found if one.certainty == "candidate")
        single = [(one, block if count[one.asset] < 2 else None) for one, block in found]
        configurations = self._mapper.configurations
        texts = configurations.texts if configurations is not None else {}
        fixed = [
            (replace(one, fix=fixes.in_block(result, one.asset, block, texts)) if block else one, block)
            for one, block in single
        ]
        if not any(one.fix for one, _ in fixed):
            self._add_blocks(result, fixed, texts)
        return fixed

    def _add_blocks(self, result: Result, found: list[Found], texts: Mapping[str, bytes]) -> None:
        """New blocks for missing rules, behind the rule that decides, else the network, else the cluster."""
        packets = fixes.packets(result, self._facts.get(result.resource.name))
        if packets is None:
            return
        snippets = list(dict.fromkeys(one.terraform for one in packets.repairs if one.terraform))
        order = {model.FIREWALL: 0, model.FIREWALL_POLICY: 1, model.NETWORK: 2, model.CLUSTER: 3}
        places = sorted(
            (order.get(asset.kind, len(order)), number)
            for number, (one, block) in enumerate(found)
            if block is not None and block.kind == "resource" and (asset := asset_of(one.asset)) is not None
        )
        for _, number in places:
            one, block = found[number]
            fix = fixes.after_block(snippets, block, texts) if block is not None else ""
            if fix:
                found[number] = (replace(one, fix=fix), block)
                return

"""A report with the places that declare its resources, fixes in their terms, and waivers written there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from auditor.engine.result import Verdict, WaiverNote
from auditor.model import inventory as model
from auditor.model.names import last
from auditor.terraform import comments, fixes
from auditor.terraform.mapping import asset_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date

    from auditor.engine.result import Report, Result
    from auditor.engine.rule import Rule
    from auditor.engine.waivers import Waiver
    from auditor.model.declaration import Declaration
    from auditor.model.facts import ClusterFacts
    from auditor.terraform.comments import Accepted
    from auditor.terraform.mapping import Mapper

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
        undecided = result.verdict in (Verdict.FAIL, Verdict.UNKNOWN)
        own = self._own(result)
        names = [*own, *(self._others(result, own) if undecided else ())]
        found = tuple(one for name in names for one in self._mapper.declarations(name))[:_MOST]
        if result.verdict is Verdict.FAIL:
            if result.waiver is None and self._accepted:
                waiver = self._waiver(result, own)
                if waiver is not None:
                    self.waived += 1
                    result = replace(result, waiver=waiver)
            if found and self._mapper.configurations is not None:
                found = self._fixed(result, found)
        return replace(result, declarations=found) if found else result

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

    def _others(self, result: Result, own: Sequence[str]) -> list[str]:
        """What else a result rests on: subnetworks, firewall rules, policies."""
        packets = fixes.packets(result, self._facts.get(result.resource.name))
        deciders: list[str] = []
        if packets is not None:
            deciders = [
                box.decided_by.asset
                for box in packets.analysis.denied
                if box.decided_by is not None and box.decided_by.asset and box.benign is None
            ]
        assets = dict.fromkeys((*deciders, *(one.asset for one in result.evidence)))
        return [
            one
            for one in assets
            if one not in own and (asset := asset_of(one)) is not None and asset.kind in fixes.FOUND_IN
        ]

    def _waiver(self, result: Result, own: Sequence[str]) -> Waiver | None:
        for name in own:
            for declaration, block in zip(
                self._mapper.declarations(name), self._mapper.blocks(name), strict=False
            ):
                accepted = self._accepted.get((id(block), result.rule))
                if accepted is not None and declaration.certainty in ("state", "configuration"):
                    waiver = accepted.waiver
                    if waiver.subject is None or waiver.subject == result.subject:
                        self._used.add(id(accepted))
                        return replace(waiver, resource=result.resource.name)
        return None

    def _fixed(self, result: Result, found: Sequence[Declaration]) -> tuple[Declaration, ...]:
        """Declarations with the fix in the block where it belongs.

        Of several candidates none gets one: it would be a guess which of them to change.
        """
        count: dict[str, int] = {}
        for one in found:
            count[one.asset] = count.get(one.asset, 0) + 1
        made = [
            replace(one, fix=self._fix(result, one)) if one.file and count[one.asset] == 1 else one
            for one in found
        ]
        if not any(one.fix for one in made):
            made = self._with_new_blocks(result, made, count)
        return tuple(made)

    def _fix(self, result: Result, one: Declaration) -> str:
        configurations = self._mapper.configurations
        block = next(iter(self._mapper.blocks(one.asset)), None)
        if block is None or configurations is None:
            return ""
        return fixes.in_block(result, one.asset, block, configurations.texts)

    def _with_new_blocks(
        self, result: Result, found: list[Declaration], count: dict[str, int]
    ) -> list[Declaration]:
        """New blocks for missing rules, behind the rule that decides, else the network, else the cluster."""
        facts: ClusterFacts | None = self._facts.get(result.resource.name)
        packets = fixes.packets(result, facts)
        configurations = self._mapper.configurations
        if packets is None or configurations is None:
            return found
        snippets = list(dict.fromkeys(one.terraform for one in packets.repairs if one.terraform))
        order = {model.FIREWALL: 0, model.FIREWALL_POLICY: 1, model.NETWORK: 2, model.CLUSTER: 3}
        places = sorted(
            (
                (order.get(asset.kind, 9), number)
                for number, one in enumerate(found)
                if one.file and count[one.asset] == 1 and (asset := asset_of(one.asset)) is not None
            )
        )
        for _, number in places:
            block = next(iter(self._mapper.blocks(found[number].asset)), None)
            if block is not None and block.kind == "resource":
                fix = fixes.after_block(snippets, block, configurations.texts)
                if fix:
                    found[number] = replace(found[number], fix=fix)
                    break
        return found

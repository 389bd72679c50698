"""Runs the examples of rules: each is a small organisation for which its rule has a known verdict."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast

from auditor import bundled
from auditor.engine.document import parse
from auditor.engine.evaluate import Judge
from auditor.engine.result import ResourceRef, Verdict
from auditor.errors import RuleError, SourceError
from auditor.facts import Deriver
from auditor.model.inventory import CLUSTER, FIREWALL, FIREWALL_POLICY, NETWORK
from auditor.model.names import project_of
from auditor.sources import from_assets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from auditor.engine.load import CompiledRule, LoadedPack
    from auditor.engine.result import Result
    from auditor.engine.rule import Example
    from auditor.model.evidence import Json

ORDINARY: Final = "ordinary.yaml"
"""The file, in the folder of the bundled packs, of the organisation that every example starts from."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one example.

    `place` is where the example stands (`FILE:LINE:COLUMN`), `expected` the verdict it is filed under, `got`
    the rule's verdict, `problem` what is wrong, None if nothing is. `results` are what the rule said.
    """

    place: str
    rule: str
    example: str
    expected: Verdict
    got: Verdict | None
    problem: str | None
    results: tuple[Result, ...]

    def __str__(self) -> str:
        what = f"{self.rule}: example `{self.example}`"
        return f"{self.place}: {what}: {self.problem or f'{self.expected}, as expected'}"


def run(packs: Iterable[LoadedPack]) -> Iterator[Outcome]:
    """The outcome of every example of every rule, in the order of packs, rules and files."""
    for pack in packs:
        for compiled in pack.rules:
            for verdict, number, example in _examples(compiled):
                yield _outcome(pack, compiled, verdict, number, example)


def assets_of(example: Example) -> list[dict[str, Json]]:
    """The assets of an example's organisation, in Cloud Asset Inventory's envelope."""
    ordinary = _ordinary()
    found = [ordinary[name] for name in ("organization", "folder", "project")]
    for name in ("network", "subnetwork", "cluster"):
        patch = getattr(example, name)
        if patch is not None:
            found.append(_patched(ordinary[name], patch))
    if example.firewalls is not None:
        rules = {one["resource"]["data"]["name"]: one for one in ordinary["firewalls"]}
        network = ordinary["network"]["resource"]["data"]["selfLink"]
        for number, rule in enumerate(example.firewalls):
            name = _name(rule, f"example-{number}")
            known = rules.get(name) or _asset(FIREWALL, f"global/firewalls/{name}", {"network": network})
            rules[name] = _patched(known, {"name": name, **rule})
        found += rules.values()
    found += [_policy(policy, number) for number, policy in enumerate(example.policies)]
    return [*found, *example.assets]


def _examples(compiled: CompiledRule) -> Iterator[tuple[Verdict, int, Example]]:
    examples = compiled.rule.examples
    groups = (examples.pass_, examples.fail, examples.not_applicable, examples.unknown)
    order = (Verdict.PASS, Verdict.FAIL, Verdict.NOT_APPLICABLE, Verdict.UNKNOWN)
    for verdict, group in zip(order, groups, strict=True):
        for number, example in enumerate(group):
            yield verdict, number, example


def _outcome(
    pack: LoadedPack, compiled: CompiledRule, expected: Verdict, number: int, example: Example
) -> Outcome:
    place = compiled.document.place(("examples", str(expected), number))
    try:
        results = tuple(_results(pack, compiled, example))
    except SourceError as error:
        problem = f"its organisation cannot be built: {error.message}"
        return Outcome(place, compiled.rule.id, example.name, expected, None, problem, ())
    got = _verdict(results)
    wrong = _problem(expected, got, results, example)
    return Outcome(place, compiled.rule.id, example.name, expected, got, wrong, results)


def _results(pack: LoadedPack, compiled: CompiledRule, example: Example) -> Iterator[Result]:
    inventory = from_assets(
        assets_of(example),
        complete=example.complete,
        kubernetes_objects=None if example.kubernetes is None else [dict(one) for one in example.kubernetes],
    )
    judge = Judge([pack], only={compiled.rule.id}, parameters=example.org)
    deriver = Deriver(inventory)
    if compiled.rule.applies_to.kind == "cluster":
        for entry in inventory.clusters:
            cluster = inventory.decode(entry)
            facts = deriver.cluster(cluster) if cluster.data is not None else None
            ref = ResourceRef(entry.name, CLUSTER, entry.project, entry.location)
            yield from judge.cluster(ref, cluster.data, facts)
    else:
        for key in sorted({*inventory.networks, *inventory.firewall_rules}):
            ref = ResourceRef(f"//compute.googleapis.com/{key}", NETWORK, project_of(key), "global")
            yield from judge.network(ref, deriver.network(key))


def _verdict(results: tuple[Result, ...]) -> Verdict | None:
    # Of several results about one resource the worst is the rule's verdict.
    found = {result.verdict for result in results}
    order = (Verdict.FAIL, Verdict.UNKNOWN, Verdict.PASS, Verdict.NOT_APPLICABLE)
    return next((verdict for verdict in order if verdict in found), None)


def _problem(
    expected: Verdict, got: Verdict | None, results: tuple[Result, ...], example: Example
) -> str | None:
    if got is None:
        return f"expected {expected}, and there is no resource of the rule's kind in the example"
    if got is not expected:
        why = "; ".join(dict.fromkeys(" ".join((one.message, *one.reasons)) for one in results))
        return f"expected {expected}, got {got}: {why}"
    deciding = [one for one in results if one.verdict is expected]
    if example.says is not None:
        texts = [text for one in deciding for text in (one.message, *one.reasons)]
        if not any(example.says in text for text in texts):
            return f"is {got} as expected, but does not say `{example.says}`; it says: {'; '.join(texts)}"
    if example.severity is not None:
        others = [one.severity for one in deciding if one.severity is not example.severity]
        if others:
            return f"is {got} as expected, but with severity {others[0]} and not {example.severity}"
    return None


@cache
def _ordinary() -> Mapping[str, Any]:
    file = bundled.rules() / ORDINARY
    return cast("Mapping[str, Any]", parse(file.read_bytes(), str(file), RuleError).data)


def _patched(asset: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Json]:
    made = copy.deepcopy(dict(asset))
    made["resource"]["data"] = merged(made["resource"]["data"], dict(patch))
    return made


def merged(value: Json, patch: Json) -> Json:
    """The value with a JSON merge patch (RFC 7396): null removes, mappings merge, all else replaces."""
    if not isinstance(patch, dict):
        return patch
    result = dict(value) if isinstance(value, dict) else {}
    for key, one in patch.items():
        if one is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), one)
    return result


def _policy(policy: Mapping[str, Any], number: int) -> dict[str, Json]:
    name = _name(policy, f"example-{number}")
    if "parent" in policy:
        made = _asset(FIREWALL_POLICY, "", {})
        made["name"] = f"//compute.googleapis.com/locations/global/firewallPolicies/{name}"
    elif "region" in policy:
        region = str(policy["region"]).rsplit("/", 1)[-1]
        made = _asset(FIREWALL_POLICY, f"regions/{region}/firewallPolicies/{name}", {})
    else:
        made = _asset(FIREWALL_POLICY, f"global/firewallPolicies/{name}", {})
    return _patched(made, {"name": name, **policy})


def _asset(asset_type: str, path: str, data: dict[str, Json]) -> dict[str, Any]:
    project = _ordinary()["project"]
    own = project["resource"]["data"]["projectId"]
    return {
        "name": f"//compute.googleapis.com/projects/{own}/{path}",
        "assetType": asset_type,
        "ancestors": project["ancestors"],
        "resource": {"data": data},
    }


def _name(data: Mapping[str, Any], otherwise: str) -> str:
    name = data.get("name")
    return name if isinstance(name, str) and name else otherwise

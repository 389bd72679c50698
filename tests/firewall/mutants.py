"""Deliberate mistakes in the firewall analysis, each of which the tests have to notice.

`python -m tests.firewall.mutants` makes each mistake in a copy of the package and runs the cases and a few
random organisations on it; a mistake that nothing notices fails the run. A name or several limit it to those.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
RANDOM_SEEDS = range(5000, 5040)


class Mutant(NamedTuple):
    """A mistake: text of a file of the analysis, which occurs there once, and what takes its place."""

    name: str
    changes: tuple[tuple[str, str, str], ...]


def mutant(name: str, file: str, right: str, wrong: str, *more: tuple[str, str, str]) -> Mutant:
    return Mutant(name, ((file, right, wrong), *more))


CHAIN, COMPILED, RULES, LAYER4, VIEW, DECIDE, ANALYZER = (
    f"auditor/firewall/{name}.py"
    for name in ("chain", "compiled", "rulelist", "layer4", "view", "decide", "analyzer")
)

MUTANTS: tuple[Mutant, ...] = (
    mutant("allow wins a tie", RULES, 'source.action != "deny"', 'source.action == "deny"'),
    mutant("higher priority number first", RULES, "return (source.priority, ", "return (-source.priority, "),
    mutant("goto_next allows", COMPILED, '"goto_next": GOTO', '"goto_next": ALLOW'),
    mutant("inspection allows", COMPILED, 'group": EITHER', 'group": ALLOW'),
    mutant(
        "folders of the cluster's project apply",
        CHAIN,
        "above = self._inventory.ancestors.get(project)",
        'above = self._inventory.ancestors.get("service")',
    ),
    mutant("lower folders first", CHAIN, "for place in reversed(above or ())", "for place in (above or ())"),
    mutant(
        "associations ignored",
        CHAIN,
        'self._attached.get("hierarchical", {}).get(place, [])',
        '[e for found in self._attached.get("hierarchical", {}).values() for e in found]',
    ),
    mutant(
        "association priority ignored",
        CHAIN,
        "return (entry[0], entry[1], entry[2].asset)",
        "return (0, entry[1], entry[2].asset)",
    ),
    mutant(
        "an association without a name comes first",
        CHAIN,
        "applies if name or shared[priority] == 1 else MAYBE",
        "applies",
    ),
    mutant(
        "association name ignored",
        CHAIN,
        "return (entry[0], entry[1], entry[2].asset)",
        "return (entry[0], entry[2].asset)",
    ),
    mutant("regional policies of every region apply", CHAIN, "policy.region == region or", "True or"),
    mutant("system policies come last", CHAIN, "before += regional\n", "after += regional\n"),
    mutant(
        "order swapped",
        CHAIN,
        'if stated == "AFTER_CLASSIC_FIREWALL":\n            return Chain(steps, (default,)',
        'if stated == "AFTER_CLASSIC_FIREWALL":\n            return Chain(steps, (other,)',
    ),
    mutant(
        "unstated order is the other one",
        "auditor/sources/compute.py",
        'order = "AFTER_CLASSIC_FIREWALL"',
        'order = "BEFORE_CLASSIC_FIREWALL"',
    ),
    mutant(
        "unknown order is the default order",
        CHAIN,
        "(default, other), len(before)",
        "(default,), len(before)",
    ),
    mutant("disabled VPC rules apply", CHAIN, "if not rule.disabled:\n", "if True:\n"),
    mutant(
        "disabled policy rules apply",
        CHAIN,
        "for rule in policy.rules\n            if not rule.disabled and (",
        "for rule in policy.rules\n            if (",
    ),
    mutant(
        "unread VPC rules do not exist", CHAIN, "if not self._coverage.read(FIREWALL, project):", "if False:"
    ),
    mutant("unread hierarchy is empty", CHAIN, "if not self._coverage.hierarchy_read(project):", "if False:"),
    mutant(
        "host project of unknown place has no policies",
        CHAIN,
        "elif above is None and policies:",
        "elif False:",
    ),
    mutant("any effective answer shows every region", CHAIN, "if answer.region != region:", "if False:"),
    mutant(
        "source tags match Pods",
        COMPILED,
        "if family == 6 and (rule.source_tags or rule.source_service_accounts):",
        "if rule.source_tags or rule.source_service_accounts:",
    ),
    mutant(
        "source tags never match IPv6 either",
        COMPILED,
        "if family == 6 and (rule.source_tags or rule.source_service_accounts):",
        "if False:",
    ),
    mutant(
        "ineffective tags aim at every node",
        COMPILED,
        "if found and target.secure_tags:",
        "if found and any(tag.effective for tag in target.secure_tags):",
    ),
    mutant("ineffective tags count", COMPILED, "tag.effective is False or ", ""),
    mutant(
        "unstated secure tags are none",
        COMPILED,
        "if tag.effective is False or node.secure_tags == ():",
        "if tag.effective is False or not node.secure_tags:",
    ),
    mutant("allow at 65535 is sure", COMPILED, "kind = TIE\n", "kind = ALLOW\n"),
    mutant(
        "no source is every IPv6 address too",
        COMPILED,
        "    if family == 4:\n        return ANYWHERE",
        "    if family in (4, 6):\n        return ANYWHERE",
    ),
    mutant(
        "IPv6 ranges on the other side change nothing",
        COMPILED,
        "return PERHAPS if _any_ipv6(other) else NOWHERE",
        "return NOWHERE",
    ),
    mutant(
        "no peer in a policy is every IPv6 address too", COMPILED, "if peer and family == 6:", "if False:"
    ),
    mutant(
        "unknown default account is nobody's",
        COMPILED,
        "return MAYBE if _DEFAULT_ACCOUNT.fullmatch(account) else NO",
        "return NO",
    ),
    mutant(
        "hash ignored in the node tag",
        COMPILED,
        "return YES if named[1] == node.cluster_hash else NO",
        "return YES",
        (RULES, "if node.cluster_hash is not None:", "if False:"),
    ),
    mutant(
        "cluster name ignored in the node tag", COMPILED, " or not node.cluster_name.startswith(named[0])", ""
    ),
    mutant(
        "unknown hash matches no node tag",
        COMPILED,
        "if node.cluster_hash is None:\n        return MAYBE",
        "if node.cluster_hash is None:\n        return NO",
    ),
    mutant("lost address groups are empty", COMPILED, "if group is None or group.problems:", "if False:"),
    mutant(
        "empty address groups hold everything",
        COMPILED,
        "stated = end.ip_ranges or end.address_groups or",
        "stated = texts or",
    ),
    mutant(
        "names and regions never match",
        COMPILED,
        "side = Side(side.spans, maybe=True) if side.spans else PERHAPS",
        "pass",
    ),
    mutant(
        "INTERNET matches Pods",
        COMPILED,
        'if end.network_context == "INTERNET":\n            cap = NO',
        'if end.network_context == "INTERNET":\n            cap = YES',
    ),
    mutant(
        "the own network in VPC_NETWORKS matches for sure",
        COMPILED,
        "cap = MAYBE if listed else NO",
        "cap = YES if listed else NO",
    ),
    mutant("target networks ignored", COMPILED, "self._same_network if networks else None,", "None,"),
    mutant(
        "ingress destinations ignored",
        COMPILED,
        "    if rule.destination_ranges:\n",
        "    if rule.destination_ranges and not ingress:\n",
    ),
    mutant(
        "egress sources ignored",
        COMPILED,
        "    if rule.source_ranges or rule.source_tags or rule.source_service_accounts:\n",
        "    if ingress and (rule.source_ranges or rule.source_tags or rule.source_service_accounts):\n",
    ),
    mutant(
        "load balancer rules aim at nodes",
        COMPILED,
        'elif rule.target_type == "INTERNAL_MANAGED_LB" and "target" not in unclear:',
        "elif False:",
    ),
    mutant("the last port is left out", LAYER4, "(((1, 65535),),) * 3", "(((1, 65534),),) * 3"),
    mutant("icmp is ICMPv6", LAYER4, "6: (6, 17, 132, 58, 50, 51)", "6: (6, 17, 132, 1, 50, 51)"),
    mutant(
        "an uncertain match ends the walk",
        DECIDE,
        "            if sure:\n                inside = False",
        "            if True:\n                inside = False",
    ),
    mutant(
        "an uncertain goto_next is sure",
        DECIDE,
        "            if sure:\n                inside = False",
        "            if sure or kind == GOTO:\n                inside = False",
    ),
    mutant(
        "an uncertain goto_next is none",
        DECIDE,
        "if kind == GOTO:\n                escaped = True",
        "if kind == GOTO:\n                escaped = sure",
    ),
    mutant(
        "goto_next leaves every policy",
        DECIDE,
        "        if not inside and not escaped:\n",
        "        if not inside and escaped:\n            break\n        if not inside:\n",
    ),
    mutant("the first order counts alone", DECIDE, "first[3] | second[3]", "first[3]"),
    mutant(
        "both directions must deny",
        DECIDE,
        "if DENIED in (egress, ingress):",
        "if egress == ingress == DENIED:",
    ),
    mutant("rules of equal outcome are one", DECIDE, "found[-1][3:] == row[3:]", "found[-1][3] == row[3]"),
    mutant("every denial of a port alone is benign", DECIDE, "kubelet = benign and", "kubelet = "),
    mutant(
        "another cluster's exkubelet is benign",
        VIEW,
        "if rule.exkubelet is not None and rule.exkubelet == cluster_hash:",
        "if rule.exkubelet is not None:",
    ),
    mutant(
        "nothing jumps over a rule for everything",
        VIEW,
        "return kind != GOTO and not jumped",
        "return kind != GOTO",
    ),
    mutant(
        "nothing jumps over a rule for all protocols",
        VIEW,
        "if not jumped:\n                        return",
        "if True:\n                        return",
    ),
    mutant(
        "the implied rules are swapped",
        VIEW,
        'ALLOWED if direction == "EGRESS" else DENIED',
        'DENIED if direction == "EGRESS" else ALLOWED',
    ),
    mutant("rules that target perhaps apply for sure", RULES, "rule.sure and applies == YES", "rule.sure"),
    mutant("an index forgets enclosing ranges", RULES, "node = parents[node]", "node = -1"),
    mutant(
        "one block is any block",
        ANALYZER,
        'in one block of 2**shift."""\n',
        'in one block of 2**shift."""\n    shift = 128\n',
    ),
    mutant("the first candidate decides", ANALYZER, "else candidates[-1],", "else candidates[0],"),
    mutant("IPv6 is left out", ANALYZER, "] = (4, 6)\n", "] = (4,)\n"),
    mutant("lost Pod ranges do not matter", ANALYZER, "if cluster.why:\n", "if False:\n"),
    mutant("garbled rules match for sure", COMPILED, "sure=not unclear,", "sure=True,"),
    mutant("garbled policies are whole", CHAIN, "        if policy.problems:\n", "        if False:\n"),
)


class StaleMutantError(Exception):
    """A mutant's text is not in the package, or not just once; or the package does not run with it."""


def plant(subject: Mutant, root: Path) -> None:
    """Copy package and tests to `root`, with the mistake made."""
    for folder in ("auditor", "tests"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file, text in changed(subject).items():
        (root / file).write_text(text, "utf-8")


def changed(subject: Mutant) -> dict[str, str]:
    """The files with the mistake in them."""
    texts: dict[str, str] = {}
    for file, right, wrong in subject.changes:
        text = texts.get(file) or (ROOT / file).read_text("utf-8")
        if text.count(right) != 1:
            raise StaleMutantError(f"{subject.name}: {file} holds its text {text.count(right)} times")
        texts[file] = text.replace(right, wrong)
    return texts


def noticed_by(subject: Mutant) -> str | None:
    """The case or seed that notices the mistake first; None if nothing does."""
    with tempfile.TemporaryDirectory() as folder:
        plant(subject, Path(folder))
        environment = {**os.environ, "PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"}
        run = subprocess.run(
            [sys.executable, "-m", "tests.firewall.mutants", "--judge"],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    if run.returncode not in (0, 1) or not run.stdout:
        raise StaleMutantError(f"{subject.name}: the package does not run: {run.stderr[-500:]}")
    return run.stdout.splitlines()[-1] if run.returncode else None


def judge() -> str | None:
    """The first case, or random organisation, that the analysis gets wrong."""
    from random import Random

    from tests.firewall.adversary import organisation
    from tests.firewall.comparison import disagreements
    from tests.firewall.test_against_simulator import (
        test_a_pool_with_an_unresolved_range_is_never_surely_allowed,
    )
    from tests.firewall.test_cases import (
        CASES,
        organisation_of,
        test_garbage_in_a_case_never_turns_its_answer_around,
        test_the_analysis_decides_as_documented,
    )

    for check in (
        test_the_analysis_decides_as_documented,
        test_garbage_in_a_case_never_turns_its_answer_around,
    ):
        for name in CASES:
            try:
                check(name)
            except AssertionError as error:
                return f"case {name}, {error}"
    for name, case in CASES.items():
        for text in disagreements(organisation_of(case), Random(0), limit=200):  # noqa: S311
            return f"case {name}, {text}"
    try:
        test_a_pool_with_an_unresolved_range_is_never_surely_allowed()
    except AssertionError as error:
        return f"an unresolved Pod range, {error}"
    for seed in RANDOM_SEEDS:
        random = Random(seed)  # noqa: S311
        for text in disagreements(organisation(random), random, limit=200):
            return f"seed {seed}, {text}"
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="the mutants to plant; all of them by default")
    parser.add_argument("--judge", action="store_true", help="judge the package as it is")
    options = parser.parse_args()
    if options.judge:
        verdict = judge()
        print(verdict or "nothing is wrong")
        return 1 if verdict else 0
    unknown = set(options.names) - {each.name for each in MUTANTS}
    if unknown:
        parser.error(f"no such mutant: {', '.join(sorted(unknown))}")
    fault = judge()
    if fault:
        print(f"the package is wrong as it is: {fault}")
        return 1
    survivors = 0
    for each in MUTANTS:
        if not options.names or each.name in options.names:
            try:
                witness = noticed_by(each)
            except StaleMutantError as error:
                witness = None
                print(f"    {error}")
            survivors += witness is None
            print(f"{each.name}: {witness or 'NOBODY NOTICED'}"[:150], flush=True)
    print(f"{survivors} mutants survived")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())

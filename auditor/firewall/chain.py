"""Which rule lists a packet meets at a node, and in which order.

Hierarchical policies of the organization and of each folder down to the project that owns the network;
regional system policies; then VPC rules, global and regional network policies, or VPC rules last, as the
network's enforcement order says; then the implied rules (Cloud NGFW documentation, "Firewall policy
evaluation order").
"""

from __future__ import annotations

from collections import Counter
from shlex import quote
from typing import TYPE_CHECKING

from auditor.firewall.compiled import (
    MAYBE,
    NO,
    YES,
    Compiled,
    PolicyCompiler,
    compile_vpc_rule,
    unread,
)
from auditor.firewall.layer4 import Coverages
from auditor.firewall.rulelist import RuleList, order
from auditor.model import deferred
from auditor.model.inventory import FIREWALL, FIREWALL_POLICY
from auditor.model.names import last, project_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from auditor.firewall.compiled import Why
    from auditor.firewall.rulelist import Group, Hit
    from auditor.model.addresses import Family
    from auditor.model.inventory import Gap, Inventory
    from auditor.model.network import AddressGroup, Direction, FirewallPolicy, FirewallRule, PolicyKind
    from auditor.model.traffic import Stage


class Step:
    """One policy, or the VPC rules of a network: compiled on first use for each direction and IP version."""

    __slots__ = ("_compile", "_lists", "name", "stage")

    def __init__(
        self, stage: Stage, name: str | None, compile_: Callable[[Direction, Family], Iterable[Compiled]]
    ) -> None:
        self.stage: Stage = stage
        self.name = name
        self._compile = compile_
        self._lists: dict[tuple[Direction, Family], RuleList] = {}

    def rules(self, direction: Direction, family: Family) -> RuleList:
        """The rules in evaluation order."""
        found = self._lists.get((direction, family))
        if found is None:
            found = self._lists[direction, family] = RuleList(self._compile(direction, family))
        return found


_Associated = tuple[int, str, "FirewallPolicy", int]
"""Priority and name of an association, the policy, and whether it applies (MAYBE, YES)."""

_Common = tuple[int, "Group"]
_Targeted = tuple[int, RuleList]


class Chain:
    """The steps at the nodes of one network and region.

    `orders` lists the ways to go through `steps`: one, or two where the enforcement order is not known, the
    default one first. `fixed` is how many steps come first in every order, `unknown_order` why there are two.
    """

    __slots__ = ("_active", "_alike", "_rules", "fixed", "orders", "steps", "unknown_order")

    def __init__(
        self, steps: list[Step], orders: tuple[tuple[int, ...], ...], fixed: int, unknown_order: Why | None
    ) -> None:
        self.steps = steps
        self.orders = orders
        self.fixed = fixed
        self.unknown_order = unknown_order
        self._rules: dict[tuple[Direction, Family], list[RuleList]] = {}
        self._active: dict[tuple[Direction, Family], tuple[list[_Common], list[_Targeted]]] = {}
        self._alike: dict[tuple[Direction, Family], dict[int, list[Hit]] | None] = {}

    @property
    def vpc_first(self) -> bool:
        """Whether VPC rules come before network policies, in the first of `orders`."""
        stages = [self.steps[place].stage for place in self.orders[0]]
        policies = [i for i, stage in enumerate(stages) if stage.startswith("network_")]
        return "vpc" in stages and (not policies or stages.index("vpc") < policies[0])

    def rules(self, direction: Direction, family: Family) -> list[RuleList]:
        """The rules of each step."""
        found = self._rules.get((direction, family))
        if found is None:
            found = self._rules[direction, family] = [step.rules(direction, family) for step in self.steps]
        return found

    def active(self, direction: Direction, family: Family) -> tuple[list[_Common], list[_Targeted]]:
        """The steps with rules for all nodes alone, and those with rules for some, each with its place."""
        found = self._active.get((direction, family))
        if found is None:
            rules = list(enumerate(self.rules(direction, family)))
            found = self._active[direction, family] = (
                [(i, each.common) for i, each in rules if not each.targeted and each.common.hits],
                [(i, each) for i, each in rules if each.targeted],
            )
        return found

    def alike(self, direction: Direction, family: Family) -> dict[int, list[Hit]] | None:
        """The rules of each step, if they make no difference between nodes and addresses; else None."""
        key = (direction, family)
        if key not in self._alike:
            common, targeted = self.active(direction, family)
            every = not targeted and all(group.alike for _, group in common)
            self._alike[key] = {step: group.hits for step, group in common} if every else None
        return self._alike[key]


class _References:
    """What rules refer to. Not a part of `Chains`, whose rules keep it: no cycle outlives the analysis."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory

    def same_network(self, reference: str, network: str) -> int:
        """Whether a reference means the network: MAYBE for a project number that nobody can resolve."""
        found = self._inventory.resolve(reference)
        if found == network:
            return YES
        number = _numbered_project(found)
        if number is None or last(found) != last(network):
            return NO
        for place in self._inventory.ancestors.get(project_of(network), ()):
            if place.startswith("projects/"):
                return YES if last(place) == number else NO
        return MAYBE

    def group(self, reference: str) -> AddressGroup | None:
        """The address group that a reference means, None if the inventory does not hold it."""
        return self._inventory.address_groups.get(self._inventory.resolve(reference))


class Chains:
    """The chains of an inventory, each made once."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._coverage = inventory.coverage
        self._chains: dict[tuple[str | None, str], Chain] = {}
        self._vpc_steps: dict[tuple[str, int], Step] = {}
        self._policy_steps: dict[tuple[int, str, int], Step] = {}
        self._selective: dict[int, bool] = {}
        self._by_asset: dict[str, FirewallPolicy] = {}
        self._coverages = Coverages()
        self._references = _References(inventory)
        self._compiler = PolicyCompiler(
            self._references.same_network, self._references.group, self._coverages
        )
        self._by_kind: dict[PolicyKind, list[FirewallPolicy]] = {}
        self._attached: dict[PolicyKind, dict[str, list[tuple[int, str, FirewallPolicy]]]] = {}
        self._loose: dict[PolicyKind, list[tuple[int, str, FirewallPolicy]]] = {}
        for policy in inventory.policies:
            self._by_kind.setdefault(policy.kind, []).append(policy)
            for association in policy.associations:
                entry = (association.priority, association.name, policy)
                target = inventory.resolve(association.target) if association.target else ""
                if target == "" or _numbered_project(target):
                    self._loose.setdefault(policy.kind, []).append(entry)
                self._attached.setdefault(policy.kind, {}).setdefault(target, []).append(entry)
        # Rules whose network could not be told, or is named by a project number that nobody can resolve.
        self._stray: dict[str, list[FirewallRule]] = {}
        for key, rules in inventory.firewall_rules.items():
            if key == "":
                for rule in rules:
                    self._stray.setdefault(project_of(inventory.resolve(rule.asset)), []).append(rule)
            elif _numbered_project(key) and key not in inventory.networks:
                self._stray.setdefault("/" + last(key), []).extend(rules)

    def chain(self, network: str | None, region: str) -> Chain:
        """The chain of nodes in a network (canonical reference, None: unknown) and region."""
        found = self._chains.get((network, region))
        if found is None:
            found = self._chains[network, region] = self._make(network, region)
        return found

    def policy(self, asset: str) -> FirewallPolicy | None:
        """The firewall policy of that full resource name."""
        if not self._by_asset:
            for answers in self._inventory.effective.values():
                for answer in answers:
                    self._by_asset.update((policy.asset, policy) for policy in answer.policies)
            self._by_asset.update((policy.asset, policy) for policy in self._inventory.policies)
        return self._by_asset.get(asset)

    def _make(self, network: str | None, region: str) -> Chain:
        if network is None:
            why = ("the network of the nodes is not known", "export the cluster with its networkConfig")
            return Chain([_unread_step("hierarchical", why)], ((0,),), 1, None)
        before, vpc, after = self._effective(network, region) or self._inventoried(network, region)
        steps = before + vpc + after
        head = tuple(range(len(before)))
        vpc_places = tuple(range(len(before), len(before) + len(vpc)))
        policy_places = tuple(range(len(before) + len(vpc), len(steps)))
        default = head + vpc_places + policy_places
        other = head + policy_places + vpc_places
        if not policy_places or not vpc_places:
            return Chain(steps, (default,), len(steps), None)
        asset = self._inventory.networks.get(network)
        stated = asset.enforcement_order if asset is not None else None
        if stated == "AFTER_CLASSIC_FIREWALL":
            return Chain(steps, (default,), len(steps), None)
        if stated == "BEFORE_CLASSIC_FIREWALL":
            return Chain(steps, (other,), len(steps), None)
        what = f"the order of VPC rules and network policies of network {network} is not in the inventory"
        why = (what, "export compute.googleapis.com/Network assets of its project")
        return Chain(steps, (default, other), len(before), why)

    def _inventoried(self, network: str, region: str) -> tuple[list[Step], list[Step], list[Step]]:
        """The steps before VPC rules, the VPC rules, and the network policies, from the assets."""
        coverage = self._coverage
        project = project_of(network)
        before = self._hierarchical(network, project)
        regional, after = self._regional(network, region, project)
        before += regional
        if not coverage.read(FIREWALL_POLICY, project):
            gap = coverage.why_not(FIREWALL_POLICY, project)
            why = (f"network firewall policies of project {project} may be missing: {gap.reason}", gap.hint)
            after.insert(0, _unread_step("network_global", why))
        after[:0] = self._network_policies("network_global", network, "")
        why_unread = self._vpc_unread(network, project)
        vpc = [_unread_step("vpc", why_unread)] if why_unread is not None else []
        rules = self._inventory.firewall_rules.get(network, ())
        vpc.append(self._vpc(network, rules, 0))
        return before, vpc, after

    def _vpc_unread(self, network: str, project: str) -> Why | None:
        inventory = self._inventory
        if not self._coverage.read(FIREWALL, project):
            gap: Gap = self._coverage.why_not(FIREWALL, project)
            return (f"VPC firewall rules of network {network} may be missing: {gap.reason}", gap.hint)
        if network not in inventory.networks and network not in inventory.firewall_rules:
            return (
                f"neither network {network} nor any VPC firewall rule of it is in the inventory",
                f"export compute.googleapis.com/Network and Firewall assets of project {project}",
            )
        return None

    def _regional(
        self, network: str, region: str, project: str, *, ask: bool = False, read: bool = False
    ) -> tuple[list[Step], list[Step]]:
        """System policies, and the regional network policies, of the network in the region.

        With `ask` an answer of getEffectiveFirewalls for the region would settle what was not read; with
        `read` nothing counts as not read.
        """
        system = self._network_policies("system", network, region)
        regional = self._network_policies("network_regional", network, region)
        if not read and not self._coverage.read(FIREWALL_POLICY, project):
            gap = self._coverage.why_not(FIREWALL_POLICY, project)
            hint = gap.hint
            if ask:
                command = ["gcloud", "compute", "network-firewall-policies", "get-effective-firewalls"]
                command += [f"--network={last(network)}", f"--region={region}", f"--project={project}"]
                hint = f"add the regional answer: `{' '.join(map(quote, command))} --format=json`; or {hint}"
            why = (f"regional firewall policies of project {project} may be missing: {gap.reason}", hint)
            system.insert(0, _unread_step("system", why))
            regional.insert(0, _unread_step("network_regional", why))
        return system, regional

    def _hierarchical(self, network: str, project: str) -> list[Step]:
        policies = self._by_kind.get("hierarchical", [])
        above = self._inventory.ancestors.get(project)
        steps: list[Step] = []
        if not self._coverage.hierarchy_read(project):
            gap = self._coverage.why_not(FIREWALL_POLICY, project)
            why = (f"firewall policies above project {project} may be missing: {gap.reason}", gap.hint)
            steps.append(_unread_step("hierarchical", why))
        elif above is None and policies:
            why = (
                f"there are hierarchical firewall policies, and the folders above {project} are not known",
                f"export an asset of project {project}, with its ancestors",
            )
            steps.append(_unread_step("hierarchical", why))
        found = [(*entry, MAYBE) for entry in self._loose.get("hierarchical", [])]
        steps += self._steps(found, network)
        for place in reversed(above or ()):
            found = [(*entry, YES) for entry in self._attached.get("hierarchical", {}).get(place, [])]
            steps += self._steps(found, network)
        return steps

    def _network_policies(self, kind: PolicyKind, network: str, region: str) -> list[Step]:
        """The policies of a kind associated with the network, in order; of one region, if regional."""
        found = [(*entry, YES) for entry in self._attached.get(kind, {}).get(network, [])]
        for priority, name, policy in self._loose.get(kind, []):
            targets = [a.target for a in policy.associations if (a.priority, a.name) == (priority, name)]
            applies = max(
                (self._references.same_network(t, network) if t else MAYBE for t in targets), default=NO
            )
            if applies != NO:
                found.append((priority, name, policy, applies))
        here = [
            (priority, name, policy, applies)
            for priority, name, policy, applies in found
            if kind == "network_global" or policy.region == region or (kind == "system" and not policy.region)
        ]
        return self._steps(here, network)

    def _steps(self, associated: list[_Associated], network: str) -> list[Step]:
        """Policies on one node or network: by association priority, then by name (Compute API v1)."""
        associated.sort(key=_rank)
        shared = Counter(priority for priority, _, _, _ in associated)
        return [
            # One without a name may come anywhere among those of its priority: perhaps and first covers it.
            self._policy(policy, network, applies if name or shared[priority] == 1 else MAYBE)
            for priority, name, policy, applies in associated
        ]

    def _effective(self, network: str, region: str) -> tuple[list[Step], list[Step], list[Step]] | None:
        """The same from an answer of getEffectiveFirewalls, if there is one; best from that of the region."""
        answers = self._inventory.effective.get(network, ())
        index = next((i for i, answer in enumerate(answers) if answer.region == region), None)
        if index is None:
            index = next((i for i, answer in enumerate(answers) if not answer.region), None)
        if index is None:
            index = 0 if answers else None
        if index is None:
            return None
        answer = answers[index]

        def listed(kind: PolicyKind) -> list[Step]:
            here = (policy for policy in answer.policies if policy.kind == kind)
            return [self._policy(policy, network, YES) for policy in here if policy.region in ("", region)]

        before = listed("hierarchical") + listed("system")
        after = listed("network_global") + listed("network_regional")
        if answer.region != region:
            # An answer is authoritative for its network, so that nothing is looked for beyond the global one;
            # regional policies that the inventory holds apply beside it all the same. The answer of another
            # region says nothing of this one's.
            read = not answer.region
            system, regional = self._regional(network, region, project_of(network), ask=True, read=read)
            before += system
            after += regional
        return before, [self._vpc(network, answer.rules, 1 + index)], after

    def _vpc(self, network: str, rules: tuple[FirewallRule, ...], source: int) -> Step:
        found = self._vpc_steps.get((network, source))
        if found is None:
            stray: list[FirewallRule] = []
            if source == 0:
                stray = self._stray.get(project_of(network), [])
                beside = self._stray.get("/" + last(network), [])
                stray = stray + [
                    rule for rule in beside if self._references.same_network(rule.network, network)
                ]
            found = self._vpc_steps[network, source] = Step(
                "vpc", None, _vpc_compiler(rules, stray, self._coverages)
            )
        return found

    def _policy(self, policy: FirewallPolicy, network: str, applies: int) -> Step:
        selective = self._selective.get(id(policy))
        if selective is None:
            selective = any(rule.source.networks or rule.destination.networks for rule in policy.rules)
            self._selective[id(policy)] = selective
        key = (id(policy), network if selective else "", applies)
        found = self._policy_steps.get(key)
        if found is None:
            compile_list = _policy_compiler(policy, self._compiler, network, applies)
            found = self._policy_steps[key] = Step(_STAGES[policy.kind], policy.asset, compile_list)
        return found


_STAGES: dict[PolicyKind, Stage] = {
    "hierarchical": "hierarchical",
    "system": "system",
    "network_global": "network_global",
    "network_regional": "network_regional",
}


def _rank(entry: _Associated) -> tuple[int, str, str]:
    return (entry[0], entry[1], entry[2].asset)


def _numbered_project(reference: str) -> str | None:
    """The project number in a reference that names its project by number."""
    project = project_of(reference)
    return project if project.isascii() and project.isdigit() else None


def _unread_step(stage: Stage, why: Why) -> Step:
    return Step(stage, None, lambda _direction, _family: (unread(stage, why),))


def _vpc_compiler(
    rules: tuple[FirewallRule, ...], stray: list[FirewallRule], coverages: Coverages
) -> Callable[[Direction, Family], Iterable[Compiled]]:
    split: dict[Direction, list[FirewallRule]] = {"INGRESS": [], "EGRESS": []}

    def compile_list(direction: Direction, family: Family) -> Iterable[Compiled]:
        if not split["INGRESS"] and not split["EGRESS"]:
            for rule in rules:
                if not rule.disabled:
                    split[rule.direction].append(rule)
        here = list(split[direction])
        other: Direction = "EGRESS" if direction == "INGRESS" else "INGRESS"
        here += [rule for rule in split[other] if "direction" in rule.unclear]
        found = [compile_vpc_rule(rule, direction, family, coverages) for rule in here]
        for rule in stray:
            if not rule.disabled and (rule.direction == direction or "direction" in rule.unclear):
                compiled = compile_vpc_rule(rule, direction, family, coverages)
                if compiled is not None:
                    compiled.sure = False
                    compiled.why += ((f"VPC firewall rule {rule.name} may belong to this network", _STRAY),)
                    found.append(compiled)
        return order(rule for rule in found if rule is not None)

    return compile_list


_STRAY = "export cloudresourcemanager.googleapis.com/Project assets, or correct the rule's network"


def _policy_compiler(
    policy: FirewallPolicy, compiler: PolicyCompiler, network: str, applies: int
) -> Callable[[Direction, Family], Iterable[Compiled]]:
    stage = _STAGES[policy.kind]

    def compile_list(direction: Direction, family: Family) -> Iterable[Compiled]:
        found: list[Compiled] = []
        if policy.problems:
            why = (
                f"firewall policy {policy.name}: {'; '.join(policy.problems)}",
                deferred.hint("; ".join(policy.problems), "export the policy with its rules"),
            )
            found.append(unread(stage, why))
        here = (
            rule
            for rule in policy.rules
            if not rule.disabled and (rule.direction == direction or "direction" in rule.unclear)
        )
        compiled = (
            compiler.compile(rule, policy, stage, direction, family, network=network, applies=applies)
            for rule in here
        )
        return found + order(rule for rule in compiled if rule is not None)

    return compile_list

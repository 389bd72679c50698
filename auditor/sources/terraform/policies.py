"""Planned firewall policies, put together from the resources that Terraform has for their parts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from auditor.model import deferred
from auditor.model import inventory as model
from auditor.model.deferred import after_apply, text_of
from auditor.model.inventory import Gap
from auditor.model.names import canonical, last, project_of
from auditor.model.network import Association
from auditor.sources import compute
from auditor.sources.inventory import with_id
from auditor.sources.records import Record
from auditor.sources.terraform import vpc
from auditor.sources.terraform.identity import ASSOCIATIONS, RULES
from auditor.sources.terraform.laying import Planned, digest_of

if TYPE_CHECKING:
    from auditor.model.evidence import Json
    from auditor.model.network import FirewallPolicy
    from auditor.sources.terraform.document import Action, Change, Plan
    from auditor.sources.terraform.identity import Identity
    from auditor.sources.terraform.laying import Ground

Object = dict[str, "Json"]


@dataclass(slots=True)
class _Draft:
    """A firewall policy while its parts are brought together."""

    name: Object
    address: str = ""
    action: Action = "keep"
    stated: bool = False
    gone: bool = False
    whole: bool = False
    rules: list[tuple[str, Object]] = field(default_factory=list)
    rules_gone: set[int] = field(default_factory=set)
    associations: list[Object] = field(default_factory=list)
    associations_gone: set[str] = field(default_factory=set)


class Policies:
    """The policies of one plan: changes go in, `lay` lays them over the table."""

    def __init__(self, plan: Plan, identity: Identity, ground: Ground) -> None:
        self._plan = plan
        self._identity = identity
        self._ground = ground
        self._drafts: dict[str, _Draft] = {}

    def remove(self, change: Change) -> None:
        """A policy, rule or association that the plan deletes or replaces."""
        before = change.before or {}
        if change.type in RULES or change.type in ASSOCIATIONS:
            part_of = self._draft_of(change, before)
            if part_of is not None:
                self._remove_part(change, part_of, before)
            return
        key = self._identity.key(change, before)
        draft = self._drafts.setdefault(key, _Draft({"name": last(key)}))
        draft.gone = True
        draft.whole = False

    def put(self, change: Change) -> None:
        """One that will be there."""
        if change.type in RULES or change.type in ASSOCIATIONS:
            self._put_part(change)
        else:
            self._put_policy(change, self._identity.key(change))

    def _put_policy(self, change: Change, key: str) -> None:
        draft = self._drafts.setdefault(key, _Draft({}))
        short = self._identity.get(change)("short_name")
        draft.name = {"name": last(key), **({"shortName": short} if isinstance(short, str) else {})}
        draft.address, draft.action, draft.stated = change.address, change.action, True
        if change.action in ("create", "replace"):
            draft.gone, draft.whole = True, True
        blocks = self._identity.get(change)("rule") if change.type.endswith("_with_rules") else None
        if change.type.endswith("_with_rules"):
            draft.gone, draft.whole = True, True
            if isinstance(blocks, list) and text_of(blocks) is None:
                for index, block in enumerate(blocks):
                    values = block if isinstance(block, dict) else {"priority": block}
                    path = f"{change.address}.rule[{index}]"
                    draft.rules.append((path, vpc.policy_rule(values.get)))
            elif blocks is not None:
                draft.rules.append((change.address, {"priority": blocks}))

    def _draft_of(self, change: Change, values: Object | None = None) -> _Draft | None:
        """The policy that a rule or an association is part of; None if it is not known which."""
        scope = {**RULES, **ASSOCIATIONS}[change.type]
        value = self._identity.reference(change, "firewall_policy", model.FIREWALL_POLICY, values)
        if not isinstance(value, str):
            return None
        found = canonical(value)
        if found not in self._drafts and found.count("/") < 3:
            if scope == "hierarchical":
                found = f"locations/global/firewallPolicies/{last(found)}"
            else:
                place = self._identity.scope(change, scope, values)
                owner = self._identity.project(change, values)
                found = f"projects/{owner}/{place}/firewallPolicies/{last(found)}"
        elif scope == "hierarchical" and not found.startswith("locations/global/"):
            found = f"locations/global/firewallPolicies/{last(found)}"
        found = with_id(found, self._ground.numbers)
        return self._drafts.setdefault(found, _Draft({"name": last(found)}))

    def _remove_part(self, change: Change, draft: _Draft, before: Object) -> None:
        if change.type in RULES:
            priority = before.get("priority")
            if isinstance(priority, int | float):
                draft.rules_gone.add(int(priority))
        elif isinstance(before.get("name"), str):
            draft.associations_gone.add(str(before["name"]))

    def _put_part(self, change: Change) -> None:
        draft = self._draft_of(change)
        if draft is None:
            place = f"its policy is {text_of(after_apply(f'{change.address}.firewall_policy'))}"
            self._ground.applied.holes.append((model.FIREWALL_POLICY, "*", place))
            self._ground.applied.gaps.append(
                Gap(
                    self._plan.place,
                    model.FIREWALL_POLICY,
                    f"it is not known which policy {change.address} is part of: {place}",
                    deferred.HINT,
                )
            )
            return
        if change.before is not None:
            self._remove_part(change, draft, change.before)
        get = self._identity.get(change)
        if change.type in RULES:
            data = vpc.policy_rule(get)
            draft.rules.append((change.address, data))
            return
        target = get("attachment_target")
        if text_of(target) is not None:
            target = self._identity.reference(change, "attachment_target", model.NETWORK)
        association: Object = {"attachmentTarget": target}
        name, priority = get("name"), get("priority")
        if isinstance(name, str):
            association["name"] = name
        if priority is not None and text_of(priority) is None:
            association["priority"] = priority
        draft.associations.append(association)

    def lay(self) -> None:
        """Lay the policies over the table, in which live ones may be."""
        table = self._ground.tables[model.FIREWALL_POLICY]
        for key, draft in sorted(self._drafts.items()):
            known = table.get(key)
            if not self._plan.planned and (
                known is not None or self._ground.coverage.read(model.FIREWALL_POLICY, project_of(key) or "")
            ):
                continue
            parts = draft.stated or draft.rules or draft.associations
            if not parts and (draft.gone or known is None):
                table.pop(key, None)
                continue
            if "/regions/(" in key:
                # Which nodes it is for depends on the region.
                place = f"the region is {text_of(after_apply(f'{draft.address}.region'))}"
                self._ground.applied.holes.append((model.FIREWALL_POLICY, "*", place))
            base: FirewallPolicy | None = known.payload if known is not None else None
            if draft.whole and draft.action in ("create", "replace"):
                base = None
            name = known.name if known is not None else f"//compute.googleapis.com/{key}"
            stated = {
                "base": known.digest.hex() if known is not None and base is not None else None,
                "rules": [rule for _, rule in draft.rules],
                "associations": list(draft.associations),
                "gone": [*map(str, sorted(draft.rules_gone)), *sorted(draft.associations_gone)],
            }
            try:
                digest = digest_of(model.FIREWALL_POLICY, name, stated)
            except (TypeError, RecursionError) as error:
                self._ground.lose(self._plan, model.FIREWALL_POLICY, draft.address or key, error)
                continue
            table[key] = Record(name, "", digest, self._policy(name, draft, base))
            self._ground.applied.planned[name] = Planned(
                draft.address or (draft.rules[0][0] if draft.rules else self._plan.place),
                draft.action if draft.stated else "update",
                self._plan.planned,
            )

    def _policy(self, name: str, draft: _Draft, base: FirewallPolicy | None) -> FirewallPolicy:
        data: Object = {
            **draft.name,
            "rules": [rule for _, rule in draft.rules],
            "associations": list(draft.associations),
        }
        parsed = compute.parse_policy(name, data)
        rules = tuple(
            replace(rule, address=address)
            for rule, (address, _) in zip(parsed.rules, draft.rules, strict=True)
        )
        associations = parsed.associations
        problems = list(parsed.problems)
        if base is not None:
            # A rule whose priority is not known takes nobody's place.
            own = {rule.priority for rule in rules if "priority" not in rule.unclear} | draft.rules_gone
            kept = () if draft.whole else tuple(rule for rule in base.rules if rule.priority not in own)
            rules = (*kept, *rules)
            gone = {one.name for one in associations if one.name} | draft.associations_gone
            associations = (*(one for one in base.associations if one.name not in gone), *associations)
            problems += () if draft.whole else base.problems
            parsed = replace(parsed, name=base.name, kind=base.kind, region=base.region)
        elif not draft.whole and not self._ground.complete:
            problems.append("the plan shows the rules alone that Terraform manages")
        if base is None and not draft.stated:
            # Where a policy is attached of which nothing but a part is known cannot be told.
            associations = (*associations, Association("", "", 0))
            problems.append("the policy itself is not in the input")
        return replace(parsed, rules=rules, associations=associations, problems=tuple(problems))

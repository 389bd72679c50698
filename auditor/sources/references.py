"""References brought to the keys of the inventory: project IDs in place of project numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from auditor.sources.inventory import with_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.model.network import EffectiveFirewalls, FirewallPolicy, PolicyRule


def policy_with_ids(policy: FirewallPolicy, numbers: Mapping[str, str]) -> FirewallPolicy:
    """The policy with project IDs in all its references."""
    associations = tuple(
        one if (target := with_id(one.target, numbers)) == one.target else replace(one, target=target)
        for one in policy.associations
    )
    rules = tuple(_policy_rule(rule, numbers) for rule in policy.rules)
    if rules == policy.rules and associations == policy.associations:
        return policy
    return replace(policy, associations=associations, rules=rules)


def _policy_rule(rule: PolicyRule, numbers: Mapping[str, str]) -> PolicyRule:
    targets = tuple(with_id(one, numbers) for one in rule.target_resources)
    ends = [
        replace(
            end,
            networks=tuple(with_id(one, numbers) for one in end.networks),
            address_groups=tuple(with_id(one, numbers) for one in end.address_groups),
        )
        if end.networks or end.address_groups
        else end
        for end in (rule.source, rule.destination)
    ]
    if targets == rule.target_resources and ends[0] == rule.source and ends[1] == rule.destination:
        return rule
    return replace(rule, target_resources=targets, source=ends[0], destination=ends[1])


def answer_with_ids(answer: EffectiveFirewalls, numbers: Mapping[str, str]) -> EffectiveFirewalls:
    """The answer with project IDs in all its references."""
    return replace(
        answer,
        rules=tuple(
            rule if (key := with_id(rule.network, numbers)) == rule.network else replace(rule, network=key)
            for rule in answer.rules
        ),
        policies=tuple(policy_with_ids(policy, numbers) for policy in answer.policies),
    )

"""What a plan is laid over, and what came of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from auditor.model.inventory import Gap

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.model.network import FirewallRule
    from auditor.sources.coverage import AssetCoverage
    from auditor.sources.records import Record
    from auditor.sources.spool import Spool
    from auditor.sources.terraform.document import Action, Change, Plan

Tables = dict[str, "dict[str, Record]"]
AGAIN = "write it again: terraform plan -out=plan.tfplan && terraform show -json plan.tfplan > plan.json"
"""What to do about a document that cannot be understood."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A resource that a plan or a state declares: its address, and what the plan does with it."""

    address: str
    action: Action
    from_plan: bool


@dataclass(slots=True)
class Applied:
    """What came of it.

    `planned` is by full resource name. `rules` are firewall rules that GKE makes together with planned
    clusters, by the canonical reference of the network. `holes` are type, project and place of what may be
    anywhere, `pools_unknown` the keys of clusters whose node pools only applying shows.
    """

    planned: dict[str, Planned] = field(default_factory=dict)
    rules: dict[str, list[FirewallRule]] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)
    holes: list[tuple[str, str, str]] = field(default_factory=list)
    pools_unknown: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Ground:
    """Everything that was read besides plans: the tables, which change, and what was looked at.

    `numbers` are project IDs by number, `complete` is the user's word that the sources hold everything.
    """

    tables: Tables
    spool: Spool
    numbers: Mapping[str, str]
    coverage: AssetCoverage
    complete: bool
    applied: Applied

    def note(self, plan: Plan, change: Change, name: str) -> None:
        """Remember which resource of the plan declares an asset, by its full name."""
        self.applied.planned[name] = Planned(change.address, change.action, plan.planned)

    def lose(self, plan: Plan, kind: str, address: str, error: Exception) -> None:
        """Remember that a planned resource cannot be kept, so that anything may be there in its place."""
        self.applied.holes.append((kind, "*", f"{plan.place} ({address})"))
        why = f"the values of {address} cannot be kept: {str(error)[:200]}"
        self.applied.gaps.append(Gap(plan.place, kind, why, AGAIN))


def digest_of(kind: str, name: str, data: Any) -> bytes:
    """The digest of a record that a plan makes."""
    return hashlib.blake2b(
        orjson.dumps((kind, name, data), option=orjson.OPT_SORT_KEYS), digest_size=20
    ).digest()

"""Planned resources laid over what else was read: planned values outrank it, deletions take it away.

A plan says nothing about resources that it does not name, so that an absence stays as unknown as it was. A
state outranks nothing: it adds resources that nothing else shows, unless what was read shows that they are
gone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from auditor.model import inventory as model
from auditor.model.inventory import Gap
from auditor.model.names import project_of
from auditor.model.network import FirewallRule
from auditor.sources.records import PARSERS, Record
from auditor.sources.terraform import vpc
from auditor.sources.terraform.clusters import Clusters
from auditor.sources.terraform.identity import KINDS, Identity
from auditor.sources.terraform.laying import AGAIN, Applied, Ground, digest_of
from auditor.sources.terraform.policies import Policies

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from auditor.sources.coverage import AssetCoverage
    from auditor.sources.spool import Spool
    from auditor.sources.terraform.document import Change, Plan
    from auditor.sources.terraform.laying import Tables

_SERVICE = {model.ADDRESS_GROUP: "networksecurity"}


def apply(
    plans: Sequence[Plan],
    tables: Tables,
    *,
    spool: Spool,
    numbers: Mapping[str, str],
    coverage: AssetCoverage,
    complete: bool,
) -> Applied:
    """Lay plans and states over the assets, which change in place.

    `coverage` is that of the other sources, `complete` the user's word that the sources hold everything.
    """
    applied = Applied()
    ground = Ground(tables, spool, numbers, coverage, complete, applied)
    for plan in sorted(plans, key=lambda one: (one.planned, one.place)):
        for text in plan.incomplete:
            applied.gaps.append(Gap(plan.place, None, f"the Terraform document is not whole: {text}", AGAIN))
            applied.holes += [(kind, "*", plan.place) for kind in dict.fromkeys(KINDS.values())]
        _Application(plan, ground).run()
    return applied


class _Application:
    """One plan, laid over the ground."""

    def __init__(self, plan: Plan, ground: Ground) -> None:
        self._plan = plan
        self._ground = ground
        self._identity = Identity(plan, ground.numbers)
        self._policies = Policies(plan, self._identity, ground)
        self._clusters = Clusters(plan, self._identity, ground)

    def run(self) -> None:
        relevant = [one for one in self._plan.changes if one.type in KINDS]
        self._beyond()
        for change in relevant:
            if change.before is not None and change.action in ("delete", "replace"):
                self._remove(change)
        for change in sorted(relevant, key=lambda one: one.type == "google_container_node_pool"):
            if change.after is None:
                continue
            try:
                self._put(change)
            except (TypeError, RecursionError) as error:
                # Beyond 64 bits and some hundred levels there are no values of any resource.
                self._ground.lose(self._plan, KINDS[change.type], change.address, error)
        self._policies.lay()
        self._clusters.finish()

    def _beyond(self) -> None:
        """Changes that are not followed here, and that bear on what was read: it may be so no longer."""
        for change in self._plan.changes:
            before, after = change.before or {}, change.after or {}
            if change.action == "keep":
                continue
            if change.type in ("google_tags_tag_binding", "google_tags_location_tag_binding"):
                self._doubt(change, model.TAG_BINDING, "which resources bear which secure tags")
            elif change.type in ("google_project", "google_folder") and change.before is not None:
                if any(before.get(name) != after.get(name) for name in ("folder_id", "org_id", "parent")):
                    self._doubt(change, model.FIREWALL_POLICY, "which firewall policies apply below it")
            elif change.type.startswith("kubernetes_") and "ip-masq-agent" in str(
                (before.get("metadata"), after.get("metadata"))
            ):
                self._doubt(change, None, "what the masquerading agent of a cluster is told")

    def _doubt(self, change: Change, kind: str | None, what: str) -> None:
        if kind is not None:
            self._ground.applied.holes.append((kind, "*", f"{self._plan.place} ({change.address})"))
        self._ground.applied.gaps.append(
            Gap(
                self._plan.place,
                kind,
                f"the plan changes {change.address}, and with it {what}, which is not followed here",
                "apply the plan, and scan the live inventory then",
            )
        )

    def _remove(self, change: Change) -> None:
        kind = KINDS[change.type]
        if kind == model.FIREWALL_POLICY:
            self._policies.remove(change)
            return
        key = self._identity.key(change, change.before)
        if kind == model.NODE_POOL:
            self._clusters.remove_pool(key)
        elif kind == model.CLUSTER:
            self._clusters.remove_cluster(key)
        else:
            self._ground.tables[kind].pop(key, None)

    def _put(self, change: Change) -> None:
        kind = KINDS[change.type]
        if kind == model.FIREWALL_POLICY:
            self._policies.put(change)
            return
        key = self._identity.key(change)
        known = self._ground.tables[kind].get(key)
        if not self._plan.planned and (
            known is not None or self._ground.coverage.read(kind, project_of(key))
        ):
            # A state may be older than what else was read; it has no times to tell.
            if known is not None:
                self._ground.note(self._plan, change, known.name)
        elif kind == model.CLUSTER:
            self._clusters.put_cluster(change, key)
        elif kind == model.NODE_POOL:
            self._clusters.put_pool(change, key)
        else:
            self._put_network_asset(change, kind, key)

    def _put_network_asset(self, change: Change, kind: str, key: str) -> None:
        get = self._identity.get(change)
        if kind == model.NETWORK:
            data = vpc.network(get)
        elif kind == model.SUBNETWORK:
            data = vpc.subnetwork(get, self._identity.network(change, project_of(key)))
        elif kind == model.FIREWALL:
            data = vpc.firewall(get, self._identity.network(change, project_of(key)))
        else:
            data = vpc.address_group(get)
        known = self._ground.tables[kind].get(key)
        name = known.name if known else f"//{_SERVICE.get(kind, 'compute')}.googleapis.com/{key}"
        payload = PARSERS[kind](name, data)
        if isinstance(payload, FirewallRule):
            payload = replace(payload, address=change.address)
        self._ground.tables[kind][key] = Record(name, "", digest_of(kind, name, data), payload)
        self._ground.note(self._plan, change, name)

"""Planned resources laid over what else was read: planned values outrank it, deletions take it away.

A plan says nothing about resources that it does not name, so that an absence stays as unknown as it was. A
state outranks nothing: it adds resources that nothing else shows, unless what was read shows that they are
gone.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import orjson

from auditor.model import deferred
from auditor.model import inventory as model
from auditor.model.deferred import after_apply, text_of
from auditor.model.inventory import Gap
from auditor.model.names import canonical, last, project_of
from auditor.model.network import Association, FirewallPolicy, FirewallRule, Layer4
from auditor.sources import compute, parse
from auditor.sources.inventory import Piece, with_id
from auditor.sources.records import PARSERS, ClusterData, Record, later
from auditor.sources.terraform import gke, vpc
from auditor.sources.terraform.identity import ASSOCIATIONS, KINDS, RULES, Identity, placeholder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from auditor.model.evidence import Json
    from auditor.sources.coverage import AssetCoverage
    from auditor.sources.spool import Spool
    from auditor.sources.terraform.document import Action, Change, Plan

Object = dict[str, "Json"]
Tables = dict[str, dict[str, Record]]

_GKE_RULE = re.compile(r"gk[e3]-.+-([0-9a-f]{8})-[a-z]+", re.DOTALL)


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
    for plan in sorted(plans, key=lambda one: (one.planned, one.place)):
        for text in plan.incomplete:
            applied.gaps.append(Gap(plan.place, None, f"the Terraform document is not whole: {text}", _AGAIN))
            applied.holes += [(kind, "*", plan.place) for kind in dict.fromkeys(KINDS.values())]
        _Application(plan, tables, spool, numbers, coverage, applied, complete=complete).run()
    return applied


_AGAIN = "write it again: terraform plan -out=plan.tfplan && terraform show -json plan.tfplan > plan.json"


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


class _Application:
    """One plan, laid over the tables."""

    def __init__(
        self,
        plan: Plan,
        tables: Tables,
        spool: Spool,
        numbers: Mapping[str, str],
        coverage: AssetCoverage,
        applied: Applied,
        *,
        complete: bool,
    ) -> None:
        self._plan = plan
        self._tables = tables
        self._spool = spool
        self._numbers = numbers
        self._coverage = coverage
        self._applied = applied
        self._complete = complete
        self._identity = Identity(plan, numbers)
        self._drafts: dict[str, _Draft] = {}

    def run(self) -> None:
        relevant = [one for one in self._plan.changes if one.type in KINDS]
        self._beyond()
        for change in relevant:
            if change.before is not None and change.action in ("delete", "replace"):
                self._remove(change)
        order = sorted(relevant, key=lambda one: one.type == "google_container_node_pool")
        for change in order:
            if change.after is not None:
                self._put(change)
        self._policies()
        self._clusters()

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
            self._applied.holes.append((kind, "*", f"{self._plan.place} ({change.address})"))
        self._applied.gaps.append(
            Gap(
                self._plan.place,
                kind,
                f"the plan changes {change.address}, and with it {what}, which is not followed here",
                "apply the plan, and scan the live inventory then",
            )
        )

    # One resource

    def _remove(self, change: Change) -> None:
        kind = KINDS[change.type]
        before = change.before or {}
        if change.type in RULES or change.type in ASSOCIATIONS:
            draft = self._draft_of(change, before)
            if draft is not None:
                self._remove_part(change, draft, before)
            return
        key = self._identity.key(change, before)
        if kind == model.FIREWALL_POLICY:
            draft = self._drafts.setdefault(key, _Draft({"name": last(key)}))
            draft.gone = True
            draft.whole = False
            return
        record = self._tables[kind].pop(key, None)
        if kind == model.NODE_POOL:
            self._take_pool(key)
        elif kind == model.CLUSTER:
            self._forget_pools(key)
            self._remove_rules_of(record)

    def _forget_pools(self, cluster: str) -> None:
        table = self._tables[model.NODE_POOL]
        for key in [one for one in table if one.startswith(f"{cluster}/nodePools/")]:
            del table[key]

    def _remove_rules_of(self, record: Record | None) -> None:
        """GKE takes the firewall rules it made away with their cluster."""
        payload = record.payload if record is not None else None
        if not isinstance(payload, ClusterData):
            return
        identifier = self._data(payload).get("id")
        digest = identifier[:8].lower() if isinstance(identifier, str) and len(identifier) >= 8 else ""
        table = self._tables[model.FIREWALL]
        for key in [
            key
            for key, one in table.items()
            if digest
            and (found := _GKE_RULE.fullmatch(last(key))) is not None
            and found[1] == digest
            and isinstance(one.payload, FirewallRule)
        ]:
            del table[key]

    def _put(self, change: Change) -> None:
        kind = KINDS[change.type]
        if change.type in RULES or change.type in ASSOCIATIONS:
            self._put_part(change)
            return
        key = self._identity.key(change)
        if kind == model.FIREWALL_POLICY:
            self._put_policy(change, key)
            return
        if not self._plan.planned and (
            key in self._tables[kind] or self._coverage.read(kind, project_of(key))
        ):
            # A state may be older than what else was read; it has no times to tell.
            if key in self._tables[kind]:
                self._note(change, self._tables[kind][key].name)
            return
        if kind == model.CLUSTER:
            self._put_cluster(change, key)
        elif kind == model.NODE_POOL:
            self._put_pool(change, key)
        else:
            self._put_network_asset(change, kind, key)

    def _note(self, change: Change, name: str) -> None:
        self._applied.planned[name] = Planned(change.address, change.action, self._plan.planned)

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
        known = self._tables[kind].get(key)
        name = known.name if known else f"//{_SERVICE.get(kind, 'compute')}.googleapis.com/{key}"
        payload = PARSERS[kind](name, data)
        if isinstance(payload, FirewallRule):
            payload = replace(payload, address=change.address)
        self._tables[kind][key] = Record(name, "", _digest(kind, name, data), payload)
        self._note(change, name)

    # Clusters and pools

    def _data(self, payload: ClusterData) -> Object:
        return cast("Object", orjson.loads(self._spool.read(*payload.data)))

    def _put_cluster(self, change: Change, key: str) -> None:
        known = self._tables[model.CLUSTER].get(key)
        base: Object | None = None
        if known is not None and isinstance(known.payload, ClusterData) and change.action != "create":
            base = self._data(known.payload)
        planned = gke.cluster(change.after or {}, change.address, fill=base is None, partial=change.partial)
        config = cast("Object", planned["networkConfig"])
        project, location = project_of(key), key.split("/")[3]
        network = self._identity.network(change, project)
        subnetwork = self._identity.subnetwork(change, project, location)
        if location == placeholder(change, "location"):
            # Regional policies bear on the nodes by where they are: nothing can be told.
            network = after_apply(f"{change.address}.location")
        if base is None and network is None:
            network = f"projects/{project}/global/networks/default"
        if network is not None:
            config["network"] = network
        if subnetwork is not None:
            config["subnetwork"] = subnetwork
        if isinstance(network, str):
            planned["network"] = last(network)
        if isinstance(subnetwork, str):
            planned["subnetwork"] = last(subnetwork)
        planned["name"], planned["location"] = last(key), location
        if change.action == "keep" and base is not None:
            planned = gke.unset_removed(planned)
        if base is None:
            self._forget_pools(key)
        data = gke.merged(base or {}, planned)
        self._pools_of_cluster(change, data, base)
        name = known.name if known is not None else f"//container.googleapis.com/{key}"
        self._store_cluster(name, key, data, known.time if known is not None and base is not None else "")
        self._note(change, name)
        ranges = "ip_allocation_policy"
        if change.action in ("create", "replace") or (
            change.action == "update"
            and (change.before or {}).get(ranges) != (change.after or {}).get(ranges)
        ):
            self._rules_to_come(change, key, data)

    def _pools_of_cluster(self, change: Change, data: Object, base: Object | None) -> None:
        """The node pools that stand in the cluster's own block; those with one of their own come after."""
        if base is not None and not self._changes_pools(change):
            return
        after = change.after or {}
        stated = after.get("node_pool")
        autopilot = after.get("enable_autopilot") is True
        if base is not None:
            self._forget_pools(self._identity.key(change))
        if isinstance(stated, list) and stated and text_of(stated) is None:
            data["nodePools"] = [
                gke.unset_removed(self._pool(one, f"{change.address}.node_pool[{index}]", change, fill=True))
                for index, one in enumerate(stated)
            ]
        elif autopilot:
            data.pop("nodePools", None)
        elif after.get("remove_default_node_pool") is True and change.action in ("create", "replace"):
            data["nodePools"] = []
        elif base is None:
            # GKE makes a pool of its own, which the plan does not show.
            data["nodePools"] = (
                stated if text_of(stated) is not None else after_apply(f"{change.address}.node_pool")
            )

    def _changes_pools(self, change: Change) -> bool:
        if change.action not in ("update", "create", "replace"):
            return False
        before = (change.before or {}).get("node_pool")
        return change.action != "update" or before != (change.after or {}).get("node_pool")

    def _pool(self, values: Json, path: str, change: Change, *, fill: bool) -> Object:
        if not isinstance(values, dict):
            return {"name": values}
        pool = gke.node_pool(values, path, fill=fill, partial=change.partial)
        name = values.get("name")
        pool["name"] = name if isinstance(name, str) and name else f"({path}.name)"
        return pool

    def _put_pool(self, change: Change, key: str) -> None:
        cluster, _, name = key.partition("/nodePools/")
        record = self._tables[model.CLUSTER].get(cluster)
        if record is None or not isinstance(record.payload, ClusterData):
            asset = f"//container.googleapis.com/{key}"
            pool = gke.unset_removed(
                gke.node_pool(change.after or {}, change.address, fill=True, partial=change.partial)
            )
            body = parse.encoded({**pool, "name": name})
            piece = Piece(self._spool.append(body), len(body))
            self._tables[model.NODE_POOL][key] = Record(
                asset, "", _digest(model.NODE_POOL, asset, pool), piece
            )
            self._note(change, asset)
            return
        data = self._data(record.payload)
        listed = data.get("nodePools")
        if isinstance(listed, list) and text_of(listed) is not None:
            return
        pools = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
        base = next((one for one in pools if one.get("name") == name), None)
        asset_record = self._tables[model.NODE_POOL].get(key)
        embedded: object = asset_record.payload if asset_record is not None else None
        if (
            asset_record
            and isinstance(embedded, Piece)
            and (not base or later(asset_record.time, record.time))
        ):
            base = cast("Object", orjson.loads(self._spool.read(*embedded)))
        if not self._plan.planned and (base is not None or pools):
            # A cluster that was read shows all of its pools.
            return
        self._tables[model.NODE_POOL].pop(key, None)
        if change.action in ("create", "replace"):
            base = None
        planned = gke.node_pool(change.after or {}, change.address, fill=base is None, partial=change.partial)
        if change.action == "keep" and base is not None:
            planned = gke.unset_removed(planned)
        planned["name"] = name
        made = gke.merged(base or {}, planned)
        others = [one for one in pools if one.get("name") != name]
        data["nodePools"] = [*sorted([*others, made], key=lambda one: str(one.get("name")))]
        if base is None and (change.after or {}).get("network_config"):
            self._rules_to_come(change, cluster, data)
        self._store_cluster(record.name, cluster, data, record.time)
        self._note(change, f"{record.name}/nodePools/{name}")

    def _take_pool(self, key: str) -> None:
        cluster, _, name = key.partition("/nodePools/")
        record = self._tables[model.CLUSTER].get(cluster)
        if record is None or not isinstance(record.payload, ClusterData):
            return
        data = self._data(record.payload)
        listed = data.get("nodePools")
        if isinstance(listed, list):
            kept = [one for one in listed if not (isinstance(one, dict) and one.get("name") == name)]
            if len(kept) != len(listed):
                data["nodePools"] = kept
                self._store_cluster(record.name, cluster, data, record.time)

    def _store_cluster(self, name: str, key: str, data: Object, time: str = "") -> None:
        misfits = parse.cluster(data)
        if misfits:
            self._applied.gaps.append(
                Gap(
                    self._plan.place,
                    model.CLUSTER,
                    f"{name} holds values that do not fit their fields: {'; '.join(misfits)}",
                    _AGAIN,
                )
            )
        body = parse.encoded(data)
        config = data.get("networkConfig")
        config = config if isinstance(config, dict) else {}
        listed = data.get("nodePools")
        names: tuple[str, ...] | None = None
        subnetworks = [config.get("subnetwork")]
        if listed is None or isinstance(listed, list):
            items = listed or []
            if all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in items):
                names = tuple(str(cast("Object", one)["name"]) for one in items)
                for one in items:
                    inner = cast("Object", one).get("networkConfig")
                    subnetworks.append(inner.get("subnetwork") if isinstance(inner, dict) else None)
        if names is None or len(set(names)) != len(names):
            names = None
            self._applied.pools_unknown.add(key)
        else:
            self._applied.pools_unknown.discard(key)
        network = config.get("network")
        autopilot = data.get("autopilot")
        payload = ClusterData(
            Piece(self._spool.append(body), len(body)),
            with_id(canonical(str(network)), self._numbers) if _is_path(network) else "",
            tuple(dict.fromkeys(canonical(str(one)) for one in subnetworks if _is_path(one))),
            names,
            isinstance(autopilot, dict) and autopilot.get("enabled") is True,
        )
        self._tables[model.CLUSTER][key] = Record(name, time, _digest(model.CLUSTER, name, data), payload)

    def _clusters(self) -> None:
        """Clusters that are made without any pool have one that the plan does not show."""
        for change in self._plan.changes:
            if change.type != "google_container_cluster" or change.action not in ("create", "replace"):
                continue
            key = self._identity.key(change)
            record = self._tables[model.CLUSTER].get(key)
            if record is None or not isinstance(record.payload, ClusterData):
                continue
            if record.payload.pools == () and not record.payload.autopilot:
                data = self._data(record.payload)
                data["nodePools"] = after_apply(f"{change.address}.node_pool")
                self._store_cluster(record.name, key, data)

    def _rules_to_come(self, change: Change, key: str, data: Object) -> None:
        """GKE makes its own firewall rules with a cluster, and for new ranges; that it can is not certain.

        Their target is the cluster's node tag, whose hash comes from an id that only applying decides. Under
        Shared VPC GKE needs a permission in the host project to make them (GKE documentation,
        "Automatically created firewall rules").
        """
        identifier = data.get("id")
        known = isinstance(identifier, str) and len(identifier) >= 8
        # Any hash will do for a cluster without id: it stands for a tag that may be that of its nodes alone.
        digest = str(identifier)[:8].lower() if known else "0" * 8
        network = cast("Object", data["networkConfig"]).get("network")
        if not _is_path(network):
            return
        name = last(key)
        where = with_id(canonical(str(network)), self._numbers)
        folder = f"//compute.googleapis.com/projects/{project_of(where)}/global/firewalls"
        rule = FirewallRule(
            asset=f"{folder}/gke-{name}-({change.address})-all",
            name=f"gke-{name}-all",
            network=where,
            direction="INGRESS",
            priority=1000,
            action="allow",
            layer4=(Layer4(None, ()),),
            source_ranges=("0.0.0.0/0", "::/0"),
            destination_ranges=(),
            source_tags=(),
            source_service_accounts=(),
            target_tags=(f"gke-{name}-{digest}-node",),
            target_service_accounts=(),
            disabled=False,
            logging=None,
            problems=(
                f"whether GKE makes it, and for which ranges, is known only after apply ({change.address})",
            ),
            unclear=frozenset(("disabled",)),
            address=change.address,
        )
        self._applied.rules.setdefault(where, []).append(rule)

    # Firewall policies

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
        found = with_id(found, self._numbers)
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
            self._applied.holes.append((model.FIREWALL_POLICY, "*", place))
            self._applied.gaps.append(
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

    def _policies(self) -> None:
        table = self._tables[model.FIREWALL_POLICY]
        for key, draft in sorted(self._drafts.items()):
            known = table.get(key)
            if not self._plan.planned and (
                known is not None or self._coverage.read(model.FIREWALL_POLICY, project_of(key) or "")
            ):
                continue
            if draft.gone and not draft.stated and not draft.rules and not draft.associations:
                table.pop(key, None)
                continue
            if "/regions/(" in key:
                # Which nodes it is for depends on the region.
                place = f"the region is {text_of(after_apply(f'{draft.address}.region'))}"
                self._applied.holes.append((model.FIREWALL_POLICY, "*", place))
            base: FirewallPolicy | None = known.payload if known is not None else None
            if draft.whole and draft.action in ("create", "replace"):
                base = None
            name = known.name if known is not None else f"//compute.googleapis.com/{key}"
            made = self._policy(name, draft, base)
            digest = _digest(
                model.FIREWALL_POLICY,
                name,
                {
                    "base": known.digest.hex() if known is not None and base is not None else None,
                    "rules": [rule for _, rule in draft.rules],
                    "associations": list(draft.associations),
                    "gone": [*sorted(draft.rules_gone), *sorted(draft.associations_gone)],
                },
            )
            table[key] = Record(name, "", digest, made)
            self._applied.planned[name] = Planned(
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
            own = {rule.priority for rule in rules} | draft.rules_gone
            kept = () if draft.whole else tuple(rule for rule in base.rules if rule.priority not in own)
            rules = (*kept, *rules)
            gone = {one.name for one in associations} | draft.associations_gone
            associations = (*(one for one in base.associations if one.name not in gone), *associations)
            problems += () if draft.whole else base.problems
            parsed = replace(parsed, name=base.name, kind=base.kind, region=base.region)
        elif not draft.whole and not self._complete:
            problems.append("the plan shows the rules alone that Terraform manages")
        if base is None and not draft.stated:
            # Where a policy is attached of which nothing but a part is known cannot be told.
            associations = (*associations, Association("", "", 0))
            problems.append("the policy itself is not in the input")
        return replace(parsed, rules=rules, associations=associations, problems=tuple(problems))


_SERVICE = {model.ADDRESS_GROUP: "networksecurity"}


def _is_path(value: Json) -> bool:
    return isinstance(value, str) and "/" in value


def _digest(kind: str, name: str, data: Any) -> bytes:
    return hashlib.blake2b(
        orjson.dumps((kind, name, data), option=orjson.OPT_SORT_KEYS), digest_size=20
    ).digest()

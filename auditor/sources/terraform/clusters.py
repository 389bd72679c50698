"""Planned clusters and node pools, laid over those that were read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

import orjson

from auditor.model import inventory as model
from auditor.model.deferred import after_apply, not_planned, text_of
from auditor.model.inventory import Gap
from auditor.model.names import canonical, last, project_of
from auditor.model.network import FirewallRule, Layer4
from auditor.sources import parse
from auditor.sources.inventory import Piece, with_id
from auditor.sources.records import ClusterData, Record, later
from auditor.sources.terraform import gke
from auditor.sources.terraform.identity import placeholder
from auditor.sources.terraform.laying import AGAIN, digest_of

if TYPE_CHECKING:
    from auditor.model.evidence import Json
    from auditor.sources.terraform.document import Change, Plan
    from auditor.sources.terraform.identity import Identity
    from auditor.sources.terraform.laying import Ground

Object = dict[str, "Json"]

_GKE_RULE = re.compile(r"gk[e3]-.+-([0-9a-f]{8})-[a-z]+", re.DOTALL)


class Clusters:
    """The clusters and node pools of one plan. Pools come after the clusters they are in."""

    def __init__(self, plan: Plan, identity: Identity, ground: Ground) -> None:
        self._plan = plan
        self._identity = identity
        self._ground = ground
        self._pools: dict[str, list[str]] | None = None
        self._rules: dict[str, list[str]] | None = None

    def remove_cluster(self, key: str) -> None:
        """A cluster that the plan deletes or replaces, by its canonical reference."""
        record = self._ground.tables[model.CLUSTER].pop(key, None)
        self._forget_pools(key)
        self._remove_rules_of(record)

    def remove_pool(self, key: str) -> None:
        """A node pool that the plan deletes or replaces."""
        self._ground.tables[model.NODE_POOL].pop(key, None)
        cluster, _, name = key.partition("/nodePools/")
        record = self._ground.tables[model.CLUSTER].get(cluster)
        if record is None or not isinstance(record.payload, ClusterData):
            return
        data = self._data(record.payload)
        listed = data.get("nodePools")
        if isinstance(listed, list):
            kept = [one for one in listed if not (isinstance(one, dict) and one.get("name") == name)]
            if len(kept) != len(listed):
                data["nodePools"] = kept
                self._store_cluster(record.name, cluster, data, record.time)

    def _forget_pools(self, cluster: str) -> None:
        table = self._ground.tables[model.NODE_POOL]
        if self._pools is None:
            self._pools = {}
            for key in table:
                self._pools.setdefault(key.partition("/nodePools/")[0], []).append(key)
        for key in self._pools.pop(cluster, ()):
            table.pop(key, None)

    def _remove_rules_of(self, record: Record | None) -> None:
        """GKE takes the firewall rules it made away with their cluster."""
        payload = record.payload if record is not None else None
        if not isinstance(payload, ClusterData):
            return
        identifier = self._data(payload).get("id")
        digest = identifier[:8].lower() if isinstance(identifier, str) and len(identifier) >= 8 else ""
        table = self._ground.tables[model.FIREWALL]
        if self._rules is None:
            self._rules = {}
            for key in table:
                found = _GKE_RULE.fullmatch(last(key))
                if found is not None:
                    self._rules.setdefault(found[1], []).append(key)
        for key in self._rules.pop(digest, ()):
            table.pop(key, None)

    def put_cluster(self, change: Change, key: str) -> None:
        """A cluster that will be there."""
        known = self._ground.tables[model.CLUSTER].get(key)
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
        self._ground.note(self._plan, change, name)
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
            # GKE makes a pool of its own, which the plan does not show. A state shows pools as they were when
            # the cluster was looked at last: those with a block of their own are often newer.
            path = f"{change.address}.node_pool"
            unknown = after_apply(path) if self._plan.planned else not_planned(path)
            data["nodePools"] = stated if text_of(stated) is not None else unknown

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

    def put_pool(self, change: Change, key: str) -> None:
        """A node pool that will be there."""
        cluster, _, name = key.partition("/nodePools/")
        record = self._ground.tables[model.CLUSTER].get(cluster)
        if record is None or not isinstance(record.payload, ClusterData):
            asset = f"//container.googleapis.com/{key}"
            pool = gke.unset_removed(
                gke.node_pool(change.after or {}, change.address, fill=True, partial=change.partial)
            )
            body = parse.encoded({**pool, "name": name})
            piece = Piece(self._ground.spool.append(body), len(body))
            self._ground.tables[model.NODE_POOL][key] = Record(
                asset, "", digest_of(model.NODE_POOL, asset, pool), piece
            )
            self._ground.note(self._plan, change, asset)
            return
        data = self._data(record.payload)
        listed = data.get("nodePools")
        items = listed if isinstance(listed, list) else []
        if text_of(listed) is not None:
            items = [listed]
        pools = [one for one in items if isinstance(one, dict)]
        # What stands for pools that are not known; this one is, whatever others there are.
        more = [one for one in items if text_of(one) is not None]
        base = next((one for one in pools if one.get("name") == name), None)
        asset_record = self._ground.tables[model.NODE_POOL].get(key)
        embedded: object = asset_record.payload if asset_record is not None else None
        if (
            asset_record
            and isinstance(embedded, Piece)
            and (not base or later(asset_record.time, record.time))
        ):
            base = cast("Object", orjson.loads(self._ground.spool.read(*embedded)))
        if not self._plan.planned and (base is not None or pools) and not more:
            # A cluster that was read shows all of its pools.
            return
        self._ground.tables[model.NODE_POOL].pop(key, None)
        if change.action in ("create", "replace"):
            base = None
        planned = gke.node_pool(change.after or {}, change.address, fill=base is None, partial=change.partial)
        if change.action == "keep" and base is not None:
            planned = gke.unset_removed(planned)
        planned["name"] = name
        made = gke.merged(base or {}, planned)
        others = [one for one in pools if one.get("name") != name]
        data["nodePools"] = [*sorted([*others, made], key=lambda one: str(one.get("name"))), *more]
        if base is None and (change.after or {}).get("network_config"):
            self._rules_to_come(change, cluster, data)
        self._store_cluster(record.name, cluster, data, record.time)
        self._ground.note(self._plan, change, f"{record.name}/nodePools/{name}")

    def _store_cluster(self, name: str, key: str, data: Object, time: str = "") -> None:
        misfits = parse.cluster(data)
        if misfits:
            self._ground.applied.gaps.append(
                Gap(
                    self._plan.place,
                    model.CLUSTER,
                    f"{name} holds values that do not fit their fields: {'; '.join(misfits)}",
                    AGAIN,
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
            pools = [one for one in items if isinstance(one, dict)]
            if len(pools) == len(items) and all(isinstance(one.get("name"), str) for one in pools):
                names = tuple(str(one["name"]) for one in pools)
            for one in pools:
                inner = one.get("networkConfig")
                subnetworks.append(inner.get("subnetwork") if isinstance(inner, dict) else None)
        if names is None or len(set(names)) != len(names):
            names = None
            self._ground.applied.pools_unknown.add(key)
        else:
            self._ground.applied.pools_unknown.discard(key)
        network = config.get("network")
        autopilot = data.get("autopilot")
        payload = ClusterData(
            Piece(self._ground.spool.append(body), len(body)),
            with_id(canonical(str(network)), self._ground.numbers) if _is_path(network) else "",
            tuple(dict.fromkeys(canonical(str(one)) for one in subnetworks if _is_path(one))),
            names,
            isinstance(autopilot, dict) and autopilot.get("enabled") is True,
        )
        self._ground.tables[model.CLUSTER][key] = Record(
            name, time, digest_of(model.CLUSTER, name, data), payload
        )

    def finish(self) -> None:
        """Clusters that are made without any pool have one that the plan does not show."""
        for change in self._plan.changes:
            if change.type != "google_container_cluster" or change.action not in ("create", "replace"):
                continue
            key = self._identity.key(change)
            record = self._ground.tables[model.CLUSTER].get(key)
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
        where = with_id(canonical(str(network)), self._ground.numbers)
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
        self._ground.applied.rules.setdefault(where, []).append(rule)

    def _data(self, payload: ClusterData) -> Object:
        return cast("Object", orjson.loads(self._ground.spool.read(*payload.data)))


def _is_path(value: Json) -> bool:
    return isinstance(value, str) and "/" in value

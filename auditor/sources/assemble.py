"""What was taken in -> an inventory: versions decided, assets joined, absences held to what was read."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any, cast

import orjson

from auditor.errors import SourceError
from auditor.model import deferred
from auditor.model import inventory as model
from auditor.model.inventory import ClusterEntry, Gap
from auditor.model.names import canonical, project_of, region_of
from auditor.sources import compute, effective, kubernetes, missing, parse, wording
from auditor.sources.coverage import ANY, AssetCoverage
from auditor.sources.inventory import AssetInventory, Piece, StoredCluster, StoredObject, with_id
from auditor.sources.records import PARSERS, PRESENCE, ClusterData, Document, Record, dated, later
from auditor.sources.references import answer_with_ids, policy_with_ids
from auditor.sources.terraform.apply import apply as apply_plans
from auditor.sources.terraform.laying import Applied

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence
    from datetime import datetime

    from auditor.model.evidence import Json
    from auditor.model.network import (
        AddressGroup,
        EffectiveFirewalls,
        FirewallPolicy,
        FirewallRule,
        Network,
        Subnetwork,
    )
    from auditor.sources.builder import Builder
    from auditor.sources.parse import Object


def assemble(
    taken: Builder, sources: Sequence[str], *, complete: bool, listed: Iterable[str] = ()
) -> AssetInventory:
    """The inventory of everything taken; it does not depend on the order in which that came.

    `listed` are kinds of Kubernetes objects that are known in full of every cluster. Raises `SourceError` if
    a cluster that the user named is not there.
    """
    return _Assembly(taken).inventory(sources, complete=complete, listed=frozenset(listed))


class _Assembly:
    """One run over what a builder has taken."""

    def __init__(self, taken: Builder) -> None:
        self._taken = taken

    def inventory(self, sources: Sequence[str], *, complete: bool, listed: frozenset[str]) -> AssetInventory:
        """See `assemble`."""
        numbers = self._project_numbers()
        tables = {kind: self._decided(kind, self._taken.tables[kind], numbers) for kind in wording.USED}
        ancestors = self._ancestors(tables[model.PROJECT], numbers)
        applied = self._apply_plans(tables, numbers, ancestors, complete=complete)
        records = tables[model.CLUSTER]
        cluster_networks = {
            key: with_id(record.payload.network, numbers)
            for key, record in sorted(records.items())
            if record.payload is not None
        }
        entries = tuple(
            _entry(record.name, key, record.time, ancestors, cluster_networks.get(key, ""))
            for key, record in sorted(records.items())
        )
        stored, embedded = self._clusters(entries, records, tables[model.NODE_POOL], applied.pools_unknown)
        networks = {key: self._network(record.payload, key) for key, record in _sorted(tables[model.NETWORK])}
        subnetworks = {
            key: self._subnetwork(record.payload, key, numbers)
            for key, record in _sorted(tables[model.SUBNETWORK])
        }
        rules = self._firewall_rules(tables[model.FIREWALL], numbers)
        policies = tuple(
            self._policy(record.payload, numbers) for _, record in _sorted(tables[model.FIREWALL_POLICY])
        )
        groups = {
            key: self._group(record.payload, key) for key, record in _sorted(tables[model.ADDRESS_GROUP])
        }
        cluster_subnetworks = {
            entry.key: tuple(with_id(one, numbers) for one in record.payload.subnetworks)
            for entry in entries
            if (record := records[entry.key]).payload is not None
        }
        effective, answers = self._effective_firewalls(networks, policies, entries, cluster_networks, numbers)
        placeless = {key for key, record in records.items() if record.payload is None}
        organizations = frozenset(tables[model.ORGANIZATION])
        open_ended = self._open_ended
        scope = self._scope(sources, organizations, entries, networks)
        coverage = self._coverage(scope, tables, numbers, ancestors, complete=complete)
        coverage.networks = frozenset(
            project_of(key) for key in {*networks, *filter(None, cluster_networks.values())}
        )
        objects = self._kubernetes(entries, stored, tables, numbers, coverage, listed)
        if open_ended:
            self._taken.gaps.append(
                Gap(
                    scope,
                    None,
                    "the last page of the API's answer is not in the input: each page given names another",
                    "fetch all pages, or let `gcloud asset list` do so",
                )
            )
        for place, name in sorted(self._taken.placeholders.items()):
            self._taken.gaps.append(
                Gap(
                    place,
                    None,
                    f"names hold placeholders of a template that was never filled in, such as {name}",
                    "render the template first; assets of different projects cannot be told apart like this",
                )
            )
        self._taken.gaps += [gap for header in self._taken.headers for gap in header.gaps]
        pools = {key: names for key, names in embedded.items() if names is not None}
        inventory = AssetInventory(
            sources=tuple(sources),
            scope=scope,
            complete=complete,
            read_time=self._read_time(),
            digest=self._inventory_digest(tables, answers),
            counts={
                "clusters": len(entries),
                "node_pools": sum(map(len, pools.values())),
                "networks": len(networks),
                "subnetworks": len(subnetworks),
                "firewalls": sum(map(len, rules.values())),
                "policies": len(policies),
                "address_groups": len(groups),
                "effective_firewalls": sum(map(len, effective.values())),
                "kubernetes_objects": objects,
                "organizations": len(organizations),
                "folders": len(tables[model.FOLDER]),
                "projects": len(tables[model.PROJECT]),
                "tag_bindings": len(tables[model.TAG_BINDING]),
                "other_assets": self._taken.other,
            },
            gaps=(),
            coverage=coverage,
            clusters=entries,
            networks=networks,
            subnetworks=subnetworks,
            firewall_rules=rules,
            policies=policies,
            effective=effective,
            address_groups=groups,
            ancestors=ancestors,
            project_numbers=numbers,
            stored=stored,
            spool=self._taken.spool,
            planned=applied.planned,
        )
        for key, made in sorted(applied.rules.items()):
            # GKE's own rules for planned clusters: they count, and are not among the assets that were read.
            rules[key] = (*rules.get(key, ()), *made)
        poolless = [
            entry.key
            for entry in entries
            if entry.key not in placeless
            and entry.key not in applied.pools_unknown
            and not pools.get(entry.key)
            and not (records[entry.key].payload.autopilot and entry.key in pools)
        ]
        stated_networks = {
            entry.key: cluster_networks[entry.key]
            for entry in entries
            if entry.key in cluster_networks
            and (cluster_networks[entry.key] or entry.name not in applied.planned)
        }
        self._taken.gaps += missing.gaps(
            inventory, stated_networks, cluster_subnetworks, sorted(placeless), poolless
        )
        inventory.gaps = tuple(dict.fromkeys(self._taken.gaps))
        return inventory

    @property
    def _open_ended(self) -> bool:
        return bool(self._taken.open_pages and not self._taken.last_pages)

    def _coverage(
        self,
        scope: str,
        tables: Mapping[str, Mapping[str, Record]],
        numbers: Mapping[str, str],
        ancestors: Mapping[str, tuple[str, ...]],
        *,
        complete: bool,
    ) -> AssetCoverage:
        """What was read; that of networks is still to be added."""
        return AssetCoverage(
            scope=scope,
            complete=complete,
            headers=tuple(self._taken.headers),
            exported=frozenset() if self._open_ended else frozenset(self._taken.exported),
            held=frozenset(kind for kind, table in tables.items() if table),
            listed=frozenset(
                (kind, project_of(with_id(f"projects/{project}", numbers)))
                for kind, project in self._taken.listed
            ),
            organizations=frozenset() if self._open_ended else frozenset(self._taken.organizations),
            holes={
                kind: {
                    project if project == ANY else project_of(with_id(f"projects/{project}", numbers)): place
                    for project, place in places.items()
                }
                for kind, places in self._taken.holes.items()
            },
            ancestors=ancestors,
        )

    def _apply_plans(
        self,
        tables: dict[str, dict[str, Record]],
        numbers: Mapping[str, str],
        ancestors: Mapping[str, tuple[str, ...]],
        *,
        complete: bool,
    ) -> Applied:
        """Lay Terraform's plans and states over the tables."""
        if not self._taken.plans:
            return Applied()
        # The word that the files hold everything is about the plan, too, and proves nothing against a state.
        read = self._coverage("", tables, numbers, ancestors, complete=False)
        applied = apply_plans(
            self._taken.plans,
            tables,
            spool=self._taken.spool,
            numbers=numbers,
            coverage=read,
            complete=complete,
        )
        self._taken.gaps += applied.gaps
        for kind, project, place in applied.holes:
            self._taken.hole(kind, project, place)
        return applied

    def _project_numbers(self) -> dict[str, str]:
        for project, chain in self._taken.places.items():
            for one in self._taken.moved.get(project, (chain,)):
                self._taken.number(project, one[0])
        numbers: dict[str, str] = {}
        for number, known in sorted(self._taken.numbers.items()):
            if len(known) > 1:
                self._taken.gaps.append(
                    Gap(
                        f"projects/{number}",
                        model.PROJECT,
                        f"the project number stands for several project IDs: {', '.join(sorted(known))}",
                        "give sources of one organisation and of one time",
                    )
                )
            else:
                (numbers[number],) = known
        return numbers

    def _decided(self, kind: str, table: dict[str, Any], numbers: Mapping[str, str]) -> dict[str, Record]:
        """One record for each key, keys with project IDs; assets that contradict each other are left out."""
        if numbers and any(key[9:10].isdigit() for key in table):
            merged: dict[str, Any] = {}
            for key, record in table.items():
                mine = merged.setdefault(with_id(key, numbers), [])
                mine += record if record.__class__ is list else [record]
            table = {key: found if len(found) > 1 else found[0] for key, found in merged.items()}
        decided: dict[str, Record] = {}
        mark = len(self._taken.gaps)
        for key, record in table.items():
            one = record if record.__class__ is not list else self._newest_of(kind, key, record)
            if one is None:
                continue
            if one.payload is None and kind in PARSERS:
                self._without_data(kind, one.name)
                continue
            decided[key] = one
        self._sort_gaps(mark)
        return decided

    def _sort_gaps(self, mark: int) -> None:
        """Bring the gaps from `mark` on into an order that does not depend on that of the assets."""
        gaps = self._taken.gaps
        gaps[mark:] = sorted(
            gaps[mark:], key=lambda gap: (gap.scope, gap.asset_type or "", gap.reason, gap.hint)
        )

    def _without_data(self, kind: str, name: str) -> None:
        self._taken.hole(kind, project_of(canonical(name)), name)
        self._taken.gaps.append(
            Gap(
                name,
                kind,
                f"the {wording.noun(kind)} carries no data",
                f"export with the content: {wording.export([kind])}",
            )
        )

    def _newest_of(self, kind: str, key: str, records: list[Record]) -> Record | None:
        """The version of an asset that counts; None if it cannot be told which does."""
        versions: dict[bytes, Record] = {}
        for record in sorted(
            records, key=lambda one: (one.name, one.time, getattr(one.payload, "asset", ""))
        ):
            known = versions.get(record.digest)
            if known is None or later(record.time, known.time):
                versions[record.digest] = record
        full = [one for one in versions.values() if one.payload is not None] or list(versions.values())
        full.sort(key=lambda one: (one.name, one.digest))
        if len(full) == 1:
            return full[0]
        moments = [parse.instant(one.time) if one.time else None for one in full]
        known_moments = [moment for moment in moments if moment is not None]
        if len(known_moments) == len(full):
            newest = max(known_moments)
            if known_moments.count(newest) == 1:
                return full[moments.index(newest)]
        return self._contradiction(kind, key, full)

    def _contradiction(self, kind: str, key: str, full: list[Record]) -> Record | None:
        name = full[0].name
        if self._same_payload(kind, full):
            return full[0]
        self._taken.gaps.append(
            Gap(
                name,
                kind,
                f"the {wording.noun(kind)} is in the input {len(full)} times with different data, and update "
                "times do not tell which is the newest",
                "give each source once, or only the newest",
            )
        )
        if kind in PRESENCE:
            return full[0]
        digest = hashlib.sha256(b"".join(sorted(one.digest for one in full))).digest()
        if kind in (model.CLUSTER, model.NODE_POOL):
            return Record(name, "", digest, None)
        self._taken.hole(kind, project_of(key), name)
        return None

    def _same_payload(self, kind: str, full: list[Record]) -> bool:
        """Whether versions differ in their envelope alone (the spelling of the name, ancestors)."""
        if kind in PARSERS:
            first = replace(full[0].payload, asset="") if full[0].payload is not None else None
            return all(one.payload is not None and replace(one.payload, asset="") == first for one in full)
        texts = {
            self._taken.spool.read(*piece) if (piece := _piece(one.payload)) is not None else b""
            for one in full
        }
        return kind not in PRESENCE and len(texts) == 1

    def _ancestors(
        self, projects: Mapping[str, Record], numbers: Mapping[str, str]
    ) -> dict[str, tuple[str, ...]]:
        chains: dict[str, set[tuple[str, ...]]] = {}
        for project, chain in self._taken.places.items():
            own = project_of(with_id(f"projects/{project}", numbers))
            chains.setdefault(own, set()).update(self._taken.moved.get(project, {tuple(chain)}))
        found: dict[str, tuple[str, ...]] = {}
        for project, stated in sorted(chains.items()):
            record = projects.get(f"projects/{project}")
            if len(stated) > 1 and record is not None and record.payload.ancestors in stated:
                found[project] = record.payload.ancestors
            elif len(stated) == 1:
                (found[project],) = stated
            else:
                self._taken.gaps.append(
                    Gap(
                        f"projects/{project}",
                        model.PROJECT,
                        f"assets of the project state {len(stated)} different places in the hierarchy",
                        "give sources of one time, or the Project asset of the newest",
                    )
                )
        return found

    def _clusters(
        self,
        entries: Sequence[ClusterEntry],
        records: Mapping[str, Record],
        pool_records: Mapping[str, Record],
        planned: Container[str] = (),
    ) -> tuple[dict[str, StoredCluster], dict[str, tuple[str, ...] | None]]:
        """What is stored of each cluster, and the names of its pools (None: not known).

        `planned` are the keys of clusters whose pools a Terraform plan leaves open.
        """
        by_cluster: dict[str, dict[str, Record]] = {}
        for key, record in pool_records.items():
            cluster, _, pool = key.partition("/nodePools/")
            by_cluster.setdefault(cluster, {})[pool] = record
        stored: dict[str, StoredCluster] = {}
        names: dict[str, tuple[str, ...] | None] = {}
        for entry in entries:
            record = records[entry.key]
            payload: ClusterData | None = record.payload
            one = stored[entry.key] = StoredCluster(None if payload is None else payload.data)
            pools = by_cluster.pop(entry.key, {})
            if payload is None:
                names[entry.key] = tuple(sorted(pools))
                continue
            if payload.pools is None and entry.key in planned:
                one.pools_known = False
            elif payload.pools is None:
                one.pools_known = False
                self._taken.gaps.append(
                    Gap(
                        entry.name,
                        model.NODE_POOL,
                        "the cluster's node pools cannot be told apart: one has no name, or two share one",
                        f"read it from its source again: {wording.describe(entry.key)}",
                    )
                )
            elif pools:
                self._join(entry, record, payload, pools, one)
            known = one.pools_known and payload.pools is not None
            names[entry.key] = tuple({**dict.fromkeys(payload.pools or ()), **one.pools}) if known else None
        for cluster, pools in sorted(by_cluster.items()):
            self._taken.hole(model.CLUSTER, project_of(cluster), min(one.name for one in pools.values()))
            self._taken.gaps.append(
                Gap(
                    f"//container.googleapis.com/{cluster}",
                    model.CLUSTER,
                    f"the input holds {wording.count(len(pools), 'node pool')} of the cluster "
                    f"({wording.some(sorted(pools))}), and not the cluster itself",
                    f"export clusters too, or add the output of `{wording.describe(cluster)}`",
                )
            )
        return stored, names

    def _join(
        self,
        entry: ClusterEntry,
        record: Record,
        payload: ClusterData,
        pools: Mapping[str, Record],
        one: StoredCluster,
    ) -> None:
        """Let NodePool assets and the pools inside the cluster become one list, the newer version of each."""
        embedded = frozenset(payload.pools or ())
        inside: dict[str, bytes] | None = None
        for name in sorted(pools):
            pool = pools[name]
            if name not in embedded:
                if pool.payload is None:
                    self._pool_unknown(entry, name, one)
                else:
                    one.pools[name] = pool.payload
                continue
            if pool.payload is None or (dated(record, pool) and later(record.time, pool.time)):
                continue
            if dated(record, pool) and later(pool.time, record.time):
                one.pools[name] = pool.payload
                continue
            if inside is None:
                data = cast("Object", orjson.loads(self._taken.spool.read(*payload.data)))
                inside = {
                    str(cast("Object", each)["name"]): parse.encoded(each)
                    for each in cast("list[Json]", data["nodePools"])
                }
            if inside[name] != self._taken.spool.read(*pool.payload):
                self._pool_unknown(entry, name, one)
        if not embedded and one.pools and not self._pools_listed(entry):
            one.pools_known = False

    def _pools_listed(self, entry: ClusterEntry) -> bool:
        """Whether the NodePool assets of a cluster that embeds none are all of its pools."""
        if model.NODE_POOL in self._taken.holes:
            return False
        if entry.key in self._taken.pool_lists:
            return True
        headers = self._taken.headers
        if any(_may_hide_pools(gap, entry.project) for header in headers for gap in header.gaps):
            return False
        return model.NODE_POOL in self._taken.exported or any(
            model.NODE_POOL in header.asset_types for header in headers
        )

    def _pool_unknown(self, entry: ClusterEntry, name: str, one: StoredCluster) -> None:
        one.pools_known = False
        self._taken.gaps.append(
            Gap(
                entry.name,
                model.NODE_POOL,
                f"the node pool {name} is stated in two ways, or without data, and update times do not tell "
                "which is the newest",
                f"give the cluster alone: {wording.describe(entry.key)}",
            )
        )

    def _network(self, network: Network, key: str) -> Network:
        self._problems(model.NETWORK, network.asset, network.problems)
        return network if network.key == key else replace(network, key=key, project=project_of(key))

    def _subnetwork(self, subnetwork: Subnetwork, key: str, numbers: Mapping[str, str]) -> Subnetwork:
        self._problems(model.SUBNETWORK, subnetwork.asset, subnetwork.problems)
        network = with_id(subnetwork.network, numbers)
        if subnetwork.key == key and subnetwork.network == network:
            return subnetwork
        return replace(subnetwork, key=key, project=project_of(key), network=network)

    def _policy(self, policy: FirewallPolicy, numbers: Mapping[str, str]) -> FirewallPolicy:
        problems = [*policy.problems, *(problem for rule in policy.rules for problem in rule.problems)]
        self._problems(model.FIREWALL_POLICY, policy.asset, problems)
        return policy_with_ids(policy, numbers)

    def _group(self, group: AddressGroup, key: str) -> AddressGroup:
        self._problems(model.ADDRESS_GROUP, group.asset, group.problems)
        return group if group.key == key else replace(group, key=key)

    def _problems(self, kind: str, asset: str, problems: Sequence[str]) -> None:
        # What a plan leaves open is said where it matters, by results that are unknown.
        problems = [one for one in problems if not deferred.is_about(one)]
        if problems:
            self._taken.gaps.append(
                Gap(
                    asset,
                    kind,
                    f"parts of the {wording.noun(kind)} could not be understood: {'; '.join(problems)}",
                    "read it from its source again; until then any reading of those parts is possible",
                )
            )

    def _firewall_rules(
        self, table: Mapping[str, Record], numbers: Mapping[str, str]
    ) -> dict[str, tuple[FirewallRule, ...]]:
        grouped: dict[str, list[FirewallRule]] = {}
        mark = len(self._taken.gaps)
        for record in table.values():
            rule: FirewallRule = record.payload
            if rule.problems:
                self._problems(model.FIREWALL, rule.asset, rule.problems)
            found = grouped.get(rule.network)
            if found is None:
                grouped[rule.network] = [rule]
            else:
                found.append(rule)
        self._sort_gaps(mark)
        for rule in grouped.pop("", ()):
            why = next((one for one in rule.problems if deferred.is_about(one)), None)
            place = f"the {why}" if why is not None else rule.asset
            project = project_of(canonical(rule.asset))
            self._taken.hole(model.FIREWALL, ANY if project.startswith("(") else project, place)
        joined: dict[str, list[FirewallRule]] = {}
        for network, rules in grouped.items():
            key = with_id(network, numbers)
            moved = rules if key == network else [replace(rule, network=key) for rule in rules]
            joined.setdefault(key, []).extend(moved)
        return {key: tuple(sorted(rules, key=attrgetter("asset"))) for key, rules in sorted(joined.items())}

    def _effective_firewalls(
        self,
        networks: Mapping[str, Network],
        policies: Sequence[FirewallPolicy],
        entries: Sequence[ClusterEntry],
        cluster_networks: Mapping[str, str],
        numbers: Mapping[str, str],
    ) -> tuple[dict[str, tuple[EffectiveFirewalls, ...]], list[tuple[str, bytes]]]:
        found: dict[tuple[str, str], dict[bytes, EffectiveFirewalls]] = {}
        known = {*networks, *filter(None, cluster_networks.values())}
        regions: dict[str, set[str]] = {}
        for entry in entries:
            network = cluster_networks.get(entry.key)
            if network:
                regions.setdefault(network, set()).add(region_of(entry.location))
        for one in self._taken.answers:
            place = one.place
            stated = {with_id(name, numbers) for name in effective.networks_of(one.data)}
            candidates = stated or known
            if len(candidates) != 1:
                told = "names several networks" if stated else "does not name its network"
                self._taken.gaps.append(
                    Gap(
                        place,
                        model.FIREWALL,
                        f"the answer of get-effective-firewalls {told}; there are: "
                        f"{wording.some(sorted(candidates)) or 'none'}",
                        "name it: jq '. + {network: \"projects/PROJECT/global/networks/NETWORK\"}' FILE",
                    )
                )
                continue
            (network,) = candidates
            region = effective.region_of_answer(one.data, network, policies, regions.get(network, set()))
            if region is None:
                self._taken.gaps.append(
                    Gap(
                        place,
                        model.FIREWALL_POLICY,
                        f"the get-effective-firewalls answer for {network} is for a region it does not name",
                        "name it: jq '. + {region: \"REGION\"}' FILE",
                    )
                )
                continue
            parsed = answer_with_ids(compute.parse_effective(one.data, network, region), numbers)
            for rule in parsed.rules:
                self._problems(model.FIREWALL, rule.asset, rule.problems)
            for policy in parsed.policies:
                self._problems(model.FIREWALL_POLICY, policy.asset, policy.problems)
            digest = hashlib.sha256(parse.encoded(one.data)).digest()
            found.setdefault((network, region), {})[digest] = parsed
        result: dict[str, list[EffectiveFirewalls]] = {}
        answers: list[tuple[str, bytes]] = []
        for (network, region), versions in sorted(found.items()):
            name = f"//compute.googleapis.com/{network}/effectiveFirewalls/{region}"
            answers += [(name, digest) for digest in sorted(versions)]
            if len(versions) > 1:
                self._taken.gaps.append(
                    Gap(
                        f"//compute.googleapis.com/{network}",
                        model.FIREWALL,
                        f"{len(versions)} different answers of get-effective-firewalls are given for it",
                        "give the newest alone",
                    )
                )
            else:
                result.setdefault(network, []).extend(versions.values())
        return {network: tuple(all_of) for network, all_of in result.items()}, answers

    def _kubernetes(
        self,
        entries: Sequence[ClusterEntry],
        stored: Mapping[str, StoredCluster],
        tables: dict[str, dict[str, Record]],
        numbers: Mapping[str, str],
        coverage: AssetCoverage,
        everywhere: frozenset[str],
    ) -> int:
        """Tie Kubernetes objects to their clusters; how many there are."""
        by_key = {entry.key: entry for entry in entries}
        listed: dict[str, set[str]] = {}
        for one in self._taken.documents:
            target = self._target(one, entries, by_key, numbers)
            if target is None:
                continue
            if one.read.problem:
                self._taken.gaps.append(
                    Gap(
                        one.place,
                        None,
                        f"what kubectl printed proves less than it seems to: {one.read.problem}",
                        "print the kinds one by one: kubectl -n kube-system get configmaps -o json, "
                        "then daemonsets; kubectl get egressnatpolicies.networking.gke.io -o json",
                    )
                )
            listed.setdefault(target.key, set()).update(one.read.listed)
            for value in one.read.objects:
                kind, namespace, own = kubernetes.identity(value)
                name = kubernetes.asset_name(target.name, kind, namespace, own)
                try:
                    self._taken.kubernetes_object(
                        target.key, kind, namespace, own, name, one.label, "", value
                    )
                except (TypeError, RecursionError):
                    listed[target.key].discard(kind)
                    self._taken.gaps.append(
                        Gap(one.place, kubernetes.KINDS[kind], f"{name} cannot be kept", "print it again")
                    )
        objects: dict[str, list[StoredObject]] = {}
        for asset_type, kind in kubernetes.KIND_OF.items():
            table = self._taken.tables[asset_type]
            decided = tables[asset_type] = self._decided(asset_type, table, numbers)
            for key, record in decided.items():
                objects.setdefault(key.partition("/k8s/")[0], []).append(record.payload)
            if kind == "EgressNATPolicy" and asset_type in coverage.exported:
                # A type counts as read when an asset of it is in a plain export: here cluster by cluster,
                # since these come from the clusters themselves. The agent's kinds need a list: one of them
                # says nothing of the other, and many clusters have neither.
                for cluster in {key.partition("/k8s/")[0] for key in decided}:
                    if coverage.hole(asset_type, project_of(cluster)) is None:
                        listed.setdefault(cluster, set()).add(kind)
            if kind != "Pod" and any(asset_type in one.asset_types or one.listed for one in coverage.headers):
                for entry in entries:
                    if coverage.lists_objects(asset_type, entry.key):
                        listed.setdefault(entry.key, set()).add(kind)
            for key in table:
                resolved = with_id(key, numbers)
                if resolved not in decided:
                    listed.get(resolved.partition("/k8s/")[0], set()).discard(kind)
        total = sum(map(len, objects.values()))
        for key, one_cluster in stored.items():
            held = objects.pop(key, ())
            known = listed.get(key, set()) | everywhere
            if held or known:
                one_cluster.objects = tuple(sorted(held))
                one_cluster.listed = frozenset(known)
        for key in sorted(objects):
            self._taken.gaps.append(
                Gap(
                    f"//container.googleapis.com/{key}",
                    model.CLUSTER,
                    "the input holds Kubernetes objects of the cluster, and not the cluster itself",
                    f"export clusters too, or add the output of `{wording.describe(key)}`",
                )
            )
        return total

    def _target(
        self,
        one: Document,
        entries: Sequence[ClusterEntry],
        by_key: Mapping[str, ClusterEntry],
        numbers: Mapping[str, str],
    ) -> ClusterEntry | None:
        if one.cluster is None:
            if len(entries) == 1:
                return entries[0]
            self._taken.gaps.append(
                Gap(
                    one.place,
                    None,
                    "the Kubernetes objects do not say which cluster they are of, and the input has "
                    f"{wording.count(len(entries), 'cluster')}",
                    f"name the cluster: --kubernetes PROJECT/LOCATION/NAME={one.label}",
                )
            )
            return None
        key = with_id(canonical(one.cluster), numbers)
        parts = one.cluster.split("/")
        if key not in by_key and len(parts) == 3:
            key = with_id("projects/{}/locations/{}/clusters/{}".format(*parts), numbers)
        if key not in by_key:
            there = [f"{entry.project}/{entry.location}/{entry.short_name}" for entry in entries]
            raise SourceError(
                f"--kubernetes names the cluster {one.cluster!r}, which is not in the input",
                hint=f"the input has: {wording.some(there, 20)}" if there else "the input has no cluster",
                place=one.label,
            )
        return by_key[key]

    def _scope(
        self,
        sources: Sequence[str],
        organizations: frozenset[str],
        entries: Sequence[ClusterEntry],
        networks: Iterable[str],
    ) -> str:
        stated = sorted({scope for header in self._taken.headers for scope in header.scopes})
        if stated:
            return ", ".join(stated)
        if organizations:
            return ", ".join(sorted(organizations))
        projects = sorted({entry.project for entry in entries} or {project_of(key) for key in networks})
        if not projects:
            return ", ".join(sources)
        if len(projects) <= 3:
            return ", ".join(f"projects/{project}" for project in projects)
        return wording.count(len(projects), "project")

    def _read_time(self) -> str | None:
        stated = (*(header.read_time for header in self._taken.headers), *self._taken.read_times)
        times = [time for time in stated if parse.instant(time)]
        if times:
            return max(times, key=lambda text: (cast("datetime", parse.instant(text)), text))
        return self._taken.newest_text or None

    def _inventory_digest(
        self, tables: Mapping[str, Mapping[str, Record]], answers: list[tuple[str, bytes]]
    ) -> str:
        # A record's digest is of its name too, an answer's is not.
        digests = [record.digest for table in tables.values() for record in table.values()]
        digests += [hashlib.sha256(name.encode() + digest).digest() for name, digest in answers]
        digests.sort()
        return f"sha256:{hashlib.sha256(b''.join(digests)).hexdigest()}"


def _sorted(table: Mapping[str, Record]) -> list[tuple[str, Record]]:
    return sorted(table.items())


def _piece(payload: Any) -> Piece | None:
    if isinstance(payload, ClusterData):
        return payload.data
    if isinstance(payload, StoredObject):
        return payload.piece
    return payload if isinstance(payload, Piece) else None


def _entry(
    name: str, key: str, time: str, ancestors: Mapping[str, tuple[str, ...]], network: str
) -> ClusterEntry:
    _, project, _, location, _, short_name = key.split("/")
    return ClusterEntry(name, key, project, location, short_name, time, ancestors.get(project, ()), network)


def _may_hide_pools(gap: Gap, project: str) -> bool:
    """Whether node pools of the project may be missing where a snapshot has a gap."""
    if gap.asset_type is not None and gap.asset_type != model.NODE_POOL:
        return False
    place = canonical(gap.scope)
    owner = project_of(place)
    # A number may stand for any project, and a folder may hold it.
    return not place.startswith("projects/") or owner.isdigit() or owner == project

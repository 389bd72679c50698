"""Assets and other findings, taken in one by one and in any order."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from sys import intern
from typing import TYPE_CHECKING, Any

import orjson

from auditor.model import inventory as model
from auditor.model.inventory import Gap
from auditor.model.names import canonical, last, project_of
from auditor.sources import kubernetes, parse, wording
from auditor.sources.coverage import ANY
from auditor.sources.inventory import Piece, StoredObject
from auditor.sources.records import PARSERS, PRESENCE, Answer, ClusterData, Document, ProjectData, Record
from auditor.sources.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from auditor.model.evidence import Json
    from auditor.sources.parse import Object
    from auditor.sources.records import Origin
    from auditor.sources.snapshot import Header
    from auditor.sources.terraform.document import Plan


_SHARE = 5_000
"""How many records a share has at most."""


@dataclass(slots=True)
class Builder:
    """Everything that was taken in.

    `tables` holds, by asset type and canonical reference, a `Record`, or a list of them where an asset came
    more than once. `exported` are the types of which a plain export holds an asset, `organizations` those
    whose own asset is in one, `listed` pairs of type and project that a gcloud list holds in full,
    `pool_lists` the clusters whose node pools one does. `open_pages` and `last_pages` count pages of API
    answers with and without a successor, `read_times` are those the pages state, `other` counts what is of no
    use here. `holes` says by type and project (each may be `*`) where something may have been lost. `places`
    and `moved` are the ancestors stated for a project, `numbers` the IDs stated for a number. `plans` are
    Terraform's plans and states.
    """

    spool: Spool = field(default_factory=Spool)
    gaps: list[Gap] = field(default_factory=list)
    listed: set[tuple[str, str]] = field(default_factory=set)
    pool_lists: set[str] = field(default_factory=set)
    headers: list[Header] = field(default_factory=list)
    read_times: list[str] = field(default_factory=list)
    open_pages: int = 0
    last_pages: int = 0
    other: int = 0
    tables: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {kind: {} for kind in (*wording.USED, *kubernetes.KIND_OF)}
    )
    exported: set[str] = field(default_factory=set)
    organizations: set[str] = field(default_factory=set)
    holes: dict[str, dict[str, str]] = field(default_factory=dict)
    places: dict[str, list[str]] = field(default_factory=dict)
    moved: dict[str, set[tuple[str, ...]]] = field(default_factory=dict)
    newest: datetime | None = None
    newest_text: str = ""
    answers: list[Answer] = field(default_factory=list)
    documents: list[Document] = field(default_factory=list)
    placeholders: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, frozenset[str]] = field(default_factory=dict)
    plans: list[Plan] = field(default_factory=list)

    def asset(self, origin: Origin, number: int, value: Object) -> bool:
        """An asset in the envelope of Cloud Asset Inventory; False if it is none."""
        found = parse.asset(value)
        if found is None:
            return False
        name, kind, data, time, ancestors = found
        if not ancestors:
            parent = parse.parent_project(value)
            parts = name.split("/", 5)
            if parent and len(parts) > 4 and parts[3] == "projects":
                self.number(parts[4], parent)
        else:
            self._place(name, ancestors)
        if kind not in self.tables:
            self.other += 1
            return True
        if origin.plain and not parse.is_search_result(value):
            self.exported.add(kind)
            if kind == model.ORGANIZATION:
                self.organizations.add(canonical(name))
        self.take(origin, number, kind, name, data, time, ancestors)
        return True

    def take(
        self,
        origin: Origin,
        number: int,
        kind: str,
        name: str,
        data: Object | None,
        time: str = "",
        ancestors: Sequence[Json] = (),
    ) -> None:
        """An asset of a type that is used, under its full resource name."""
        if time:
            moment = parse.instant(time)
            if moment is None:
                time = ""
            elif self.newest is None or moment > self.newest:
                self.newest, self.newest_text = moment, time
        if "{" in name and parse.has_placeholder(name):
            self.placeholders.setdefault(origin.place(0), name)
        try:
            if kind in PARSERS:
                self._network_asset(kind, name, data, time, ancestors)
            elif kind == model.CLUSTER:
                self._cluster(origin, number, name, data, time, ancestors)
            elif kind == model.NODE_POOL:
                self._node_pool(origin, number, name, data, time, ancestors)
            elif kind in PRESENCE:
                self._presence(kind, name, data, time, ancestors)
            else:
                self._kubernetes_asset(origin, number, kind, name, data, time)
        except (TypeError, RecursionError) as error:
            # orjson encodes 254 levels, far beyond any asset; beyond 64 bits there are no integers.
            self.lost(
                origin,
                number,
                f"the data of {name} cannot be kept: {str(error)[:200]}",
                kind,
                project_of(canonical(name)),
            )

    def lost(
        self, origin: Origin, number: int, why: str, kind: str = ANY, project: str = ANY, hint: str = ""
    ) -> None:
        """Something of a type (`*`: any) in a project (`*`: any) that could not be read."""
        place = origin.place(number)
        self.hole(kind, project, place)
        self.gaps.append(
            Gap(
                place,
                None if kind == ANY else kind,
                why,
                hint or "read it from its source again; --strict makes this an error",
            )
        )

    def hole(self, kind: str, project: str, place: str) -> None:
        """Remember that an asset of the type and project may have been lost at a place."""
        places = self.holes.setdefault(kind, {})
        places[project or ANY] = min(places.get(project or ANY, place), place)

    def effective(self, origin: Origin, number: int, data: Object) -> None:
        """An answer of getEffectiveFirewalls."""
        self.answers.append(Answer(origin.place(number), data))

    def document(self, label: str, place: str, value: Object, cluster: str | None = None) -> None:
        """What kubectl printed, for a cluster as the user named it, or for the only one there is."""
        read = kubernetes.read(value)
        self.other += read.other
        self.documents.append(Document(label, place, read, cluster))

    def shares(self) -> Iterator[dict[str, Any]]:
        """Everything that was taken in, for `absorb` of another builder; nothing of it stays here.

        What went to the spool is not part of it, and stays.
        """
        for kind, table in self.tables.items():
            items = list(table.items())
            table.clear()
            while items:
                yield {"tables": {kind: items[:_SHARE]}}
                del items[:_SHARE]
        others = [name for name in self.__slots__ if name not in ("spool", "tables")]
        yield {name: getattr(self, name) for name in others}
        nothing = Builder(spool=self.spool)
        for name in others:
            setattr(self, name, getattr(nothing, name))

    def absorb(self, share: dict[str, Any]) -> None:
        """Take in what another builder has taken in; its input came after that of this one."""
        for kind, items in share.pop("tables", {}).items():
            table = self.tables[kind]
            records = dict(items)
            if table.keys().isdisjoint(records):
                table.update(records)
                continue
            for key, record in items:
                for one in record if record.__class__ is list else (record,):
                    self._put(kind, key, one)
        if not share:
            return
        for name in ("gaps", "headers", "read_times", "answers", "documents", "plans"):
            getattr(self, name).extend(share[name])
        for name in ("listed", "pool_lists", "exported", "organizations"):
            getattr(self, name).update(share[name])
        for name in ("open_pages", "last_pages", "other"):
            setattr(self, name, getattr(self, name) + share[name])
        for kind, places in share["holes"].items():
            for project, place in places.items():
                self.hole(kind, project, place)
        for project, chain in share["places"].items():
            for one in share["moved"].get(project, (chain,)):
                self._placed(project, list(one))
        if share["newest"] is not None and (self.newest is None or share["newest"] > self.newest):
            self.newest, self.newest_text = share["newest"], share["newest_text"]
        self.placeholders = share["placeholders"] | self.placeholders
        for number, known in share["numbers"].items():
            self.numbers[number] = self.numbers.get(number, known) | known

    def _put(self, kind: str, key: str, record: Record) -> None:
        table = self.tables[kind]
        known = table.get(key)
        if known is None:
            table[key] = record
        elif known.__class__ is list:
            known.append(record)
        else:
            table[key] = [known, record]

    def _digest(self, kind: str, name: str, ancestors: Sequence[Json], body: bytes) -> bytes:
        return hashlib.blake2b(orjson.dumps((name, kind, ancestors)) + body, digest_size=20).digest()

    def _network_asset(
        self,
        kind: str,
        name: str,
        data: Object | None,
        time: str,
        ancestors: Sequence[Json],
    ) -> None:
        key = canonical(name)
        if data is None:
            self._put(kind, key, Record(name, time, self._digest(kind, name, ancestors, b"null"), None))
            return
        plain = kind == model.FIREWALL and parse.is_plain_firewall(data)
        body = parse.encoded(data if plain else parse.plain(data))
        record = Record(
            name, time, self._digest(kind, name, ancestors, body), PARSERS[kind](intern(name), data)
        )
        table = self.tables[kind]
        if key in table:
            self._put(kind, key, record)
        else:
            table[key] = record

    def _cluster(
        self,
        origin: Origin,
        number: int,
        name: str,
        data: Object | None,
        time: str,
        ancestors: Sequence[Json],
    ) -> None:
        key = canonical(name)
        parts = key.split("/")
        if len(parts) != 6 or parts[::2] != ["projects", "locations", "clusters"] or not all(parts):
            self.lost(origin, number, f"{name[:200]!r} is not the name of a cluster", model.CLUSTER)
            return
        if data is None:
            digest = self._digest(model.CLUSTER, name, ancestors, b"null")
            self._put(model.CLUSTER, key, Record(name, time, digest, None))
            return
        misfits = parse.cluster(data)
        if misfits:
            self._misfits(origin, number, model.CLUSTER, name, misfits)
        body = parse.encoded(data)
        pools, subnetworks = self._pools(data)
        network, subnetwork = _network_of(data)
        payload = ClusterData(
            Piece(self.spool.append(body), len(body)),
            network,
            tuple(dict.fromkeys((*([subnetwork] if subnetwork else []), *subnetworks))),
            pools,
            _message(data, "autopilot").get("enabled") is True,
        )
        self._put(
            model.CLUSTER,
            key,
            Record(name, time, self._digest(model.CLUSTER, name, ancestors, body), payload),
        )

    def _pools(self, data: Object) -> tuple[tuple[str, ...] | None, list[str]]:
        """The names of the embedded pools (None: they cannot be relied upon), and their subnetworks."""
        pools = data.get("nodePools")
        if not pools:
            return ((), []) if pools is None or pools == [] else (None, [])
        names: list[str] = []
        subnetworks: list[str] = []
        seen: dict[str, Json] = {}
        unique: list[Json] = []
        for pool in pools if isinstance(pools, list) else [pools]:
            name = pool.get("name") if isinstance(pool, dict) else None
            if not isinstance(pool, dict) or not isinstance(name, str) or not name:
                return None, []
            if name in seen:
                if seen[name] != pool:
                    return None, []
                continue
            seen[name] = pool
            unique.append(pool)
            names.append(intern(name))
            subnetwork = _message(pool, "networkConfig").get("subnetwork")
            if isinstance(subnetwork, str) and "/" in subnetwork:
                subnetworks.append(intern(canonical(subnetwork)))
        data["nodePools"] = unique
        return tuple(names), subnetworks

    def _node_pool(
        self,
        origin: Origin,
        number: int,
        name: str,
        data: Object | None,
        time: str,
        ancestors: Sequence[Json],
    ) -> None:
        key = canonical(name)
        cluster, cut, pool = key.partition("/nodePools/")
        if not cut or not pool or "/" in pool or cluster.count("/") != 5:
            self.lost(origin, number, f"{name[:200]!r} is not the name of a node pool", model.NODE_POOL)
            return
        if data is None:
            digest = self._digest(model.NODE_POOL, name, ancestors, b"null")
            self._put(model.NODE_POOL, key, Record(name, time, digest, None))
            return
        misfits = parse.node_pool(data)
        if misfits:
            self._misfits(origin, number, model.NODE_POOL, name, misfits)
        data["name"] = pool
        body = parse.encoded(data)
        piece = Piece(self.spool.append(body), len(body))
        digest = self._digest(model.NODE_POOL, name, ancestors, body)
        self._put(model.NODE_POOL, key, Record(name, time, digest, piece))

    def _misfits(self, origin: Origin, number: int, kind: str, name: str, misfits: Sequence[str]) -> None:
        cluster = canonical(name).partition("/nodePools/")[0]
        self.gaps.append(
            Gap(
                origin.place(number),
                kind,
                f"{name} holds values that do not fit their fields: {'; '.join(misfits)}",
                f"read it from its source again: {wording.describe(cluster)}",
            )
        )

    def _presence(
        self,
        kind: str,
        name: str,
        data: Object | None,
        time: str,
        ancestors: Sequence[Json],
    ) -> None:
        body = b"null" if data is None else parse.encoded(data)
        payload: object = True
        if kind == model.PROJECT:
            payload = self._project(name, data or {}, ancestors)
        self._put(
            kind, canonical(name), Record(name, time, self._digest(kind, name, ancestors, body), payload)
        )

    def _project(self, name: str, data: Object, ancestors: Sequence[Json]) -> ProjectData:
        own = last(canonical(name))
        number, identifier = data.get("projectNumber"), data.get("projectId")
        if isinstance(number, float) and number.is_integer():
            number = int(number)
        if number is None and isinstance(data.get("name"), str):
            # Resource Manager v3 names a project by its number.
            number = str(data["name"]).removeprefix("projects/")
        number = str(number) if isinstance(number, int | str) and str(number).isdigit() else ""
        identifier = identifier if isinstance(identifier, str) and identifier else own
        if number:
            self.number(identifier, f"projects/{number}")
        if own.isdigit() and own != identifier:
            self.number(identifier, f"projects/{own}")
        return ProjectData(tuple(one for one in ancestors if isinstance(one, str)))

    def _kubernetes_asset(
        self, origin: Origin, number: int, kind: str, name: str, data: Object | None, time: str
    ) -> None:
        cluster, cut, tail = name.partition("/k8s/")
        key = canonical(cluster)
        word = kubernetes.KIND_OF[kind]
        if not cut or key.count("/") != 5:
            self.lost(origin, number, f"{name[:200]!r} does not name an object of a cluster", kind)
            return
        namespace, own = kubernetes.from_name(tail)
        if data is None:
            if word == "Pod":
                self.other += 1
            else:
                self.lost(origin, number, f"{name} carries no data", kind, project_of(key))
            return
        data.setdefault("kind", word)
        data.setdefault("apiVersion", kubernetes.VERSIONS[word])
        if not kubernetes.is_kept(word, data) and "ip-masq-agent" not in own:
            self.other += 1
            return
        self.kubernetes_object(key, word, namespace, own, name, name, time, data)

    def kubernetes_object(
        self, key: str, kind: str, namespace: str, own: str, name: str, asset: str, time: str, data: Object
    ) -> None:
        """A Kubernetes object of the cluster with a key, under a full resource name, read from `asset`."""
        body = parse.encoded(data)
        asset_type = kubernetes.KINDS[kind]
        piece = Piece(self.spool.append(body), len(body))
        stored = StoredObject(kind, namespace, own, asset, piece)
        digest = self._digest(asset_type, name, (), body)
        self._put(asset_type, f"{key}/k8s/{namespace}/{own}", Record(name, time, digest, stored))

    def _place(self, name: str, ancestors: list[Json]) -> None:
        parts = name.split("/", 5)
        if len(parts) < 5 or parts[3] != "projects":
            return
        project = parts[4]
        known = self.places.get(project)
        if known == ancestors:
            return
        chain = [intern(one) for one in ancestors if isinstance(one, str) and not parse.has_placeholder(one)]
        if len(chain) != len(ancestors) or not chain[0].startswith("projects/"):
            return
        self._placed(project, chain)

    def _placed(self, project: str, chain: list[str]) -> None:
        known = self.places.setdefault(project, chain)
        if known != chain:
            self.moved.setdefault(project, {tuple(known)}).add(tuple(chain))

    def number(self, project: str, number: str) -> None:
        """That a project ID has a number (`projects/NUMBER`)."""
        if project.isdigit() or not number[9:].isdigit():
            return
        known = self.numbers.get(number[9:])
        if known is None:
            self.numbers[number[9:]] = frozenset((project,))
        elif project not in known:
            self.numbers[number[9:]] = known | {project}


def _message(data: Object, key: str) -> Object:
    value = data.get(key)
    return value if isinstance(value, dict) else {}


def _network_of(data: Object) -> tuple[str, str]:
    """Canonical references of a cluster's network and subnetwork; empty where only a short name is known."""
    config = _message(data, "networkConfig")
    found: list[str] = []
    for key in ("network", "subnetwork"):
        reference = ""
        # The cluster's own field is a short name, ambiguous under Shared VPC, unless a converter wrote it.
        for stated in (config.get(key), data.get(key)):
            if isinstance(stated, str) and "/" in stated:
                reference = intern(canonical(stated))
                break
        found.append(reference if reference.startswith("projects/") else "")
    return found[0], found[1]

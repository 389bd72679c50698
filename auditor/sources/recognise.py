"""What a JSON value is: recognised by its content, whatever file it stands in."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from auditor.errors import SourceError
from auditor.model import inventory as model
from auditor.model.inventory import Gap
from auditor.model.names import canonical, path, project_of
from auditor.sources import kubernetes, snapshot, wording
from auditor.sources.coverage import ANY
from auditor.sources.files import UnknownKindError, UnusableError
from auditor.sources.terraform import document as terraform

if TYPE_CHECKING:
    from auditor.model.evidence import Json
    from auditor.sources.builder import Builder
    from auditor.sources.parse import Object

_TYPE = re.compile(rb'"asset_?[tT]ype"\s*:\s*"([^"\\]{1,200})"')
_NAME = re.compile(rb'"name"\s*:\s*"//[a-z.]+/projects/([^/"\\]{1,100})/')
_KINDS = {
    "compute#network": model.NETWORK,
    "compute#subnetwork": model.SUBNETWORK,
    "compute#firewall": model.FIREWALL,
    "compute#firewallPolicy": model.FIREWALL_POLICY,
}
_LINKS = (
    (re.compile(r"projects/[^/]+/(?:zones|locations)/[^/]+/clusters/[^/]+"), model.CLUSTER),
    (re.compile(r"projects/[^/]+/(?:zones|locations)/[^/]+/clusters/[^/]+/nodePools/[^/]+"), model.NODE_POOL),
    (re.compile(r"projects/[^/]+/global/networks/[^/]+"), model.NETWORK),
    (re.compile(r"projects/[^/]+/regions/[^/]+/subnetworks/[^/]+"), model.SUBNETWORK),
    (re.compile(r"projects/[^/]+/global/firewalls/[^/]+"), model.FIREWALL),
    (
        re.compile(r"(?:locations/global|projects/[^/]+/(?:global|regions/[^/]+))/firewallPolicies/[^/]+"),
        model.FIREWALL_POLICY,
    ),
)
_NAMED = 20
"""How many places one gap names."""

_LISTS = {f"{kind}List": asset_type for kind, asset_type in _KINDS.items()}
_AGGREGATED = {
    "compute#subnetworkAggregatedList": "subnetworks",
    "compute#firewallPolicyAggregatedList": "firewallPolicies",
    "compute#firewallPoliciesScopedList": "firewallPolicies",
}
_KNOWN = (
    "Cloud Asset Inventory JSON, the JSON of gcloud container or compute commands, kubectl output, what "
    "`terraform show -json` prints, or a snapshot of `gke-auditor collect`"
)


class WholeError(Exception):
    """The file has to be read whole, since it is a snapshot, or holds one."""


@dataclass(slots=True)
class _List:
    """A list that is being read: what it holds of which projects, if it is a gcloud list.

    `sound` is False once an item of it could not be recognised, or is none that gcloud lists: then it is not
    known to be complete. Neither is a list of several kinds, which no command prints.
    """

    sound: bool = True
    holds: set[tuple[str, str]] = field(default_factory=set)
    pools_of: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Recogniser:
    """Tells what each value of one file is, and hands it to the builder. Implements `files.Sink`.

    `label` names the file. With `strict`, what would be a gap is a `SourceError`; with `cluster`, the file
    may hold Kubernetes objects of that cluster only. As a `part` it tells the values of a part of the file,
    which must not be that of a snapshot.
    """

    label: str
    builder: Builder
    strict: bool = False
    cluster: str | None = None
    plain: bool = True
    part: bool = False
    _good: int = 0
    _in_array: bool = False
    _array: _List | None = None
    _check: snapshot.Check | None = None
    _unknown: list[str] = field(default_factory=list)
    _malformed: list[tuple[str, str]] = field(default_factory=list)

    def place(self, number: int) -> str:
        """The place of a value of this file; of the file itself for 0."""
        if not number:
            return self.label
        return f"{self.label}[element {number}]" if self._in_array else f"{self.label}:{number}"

    # files.Sink

    def line(self, number: int, value: Json, raw: bytes) -> None:
        """The value on a line of its own."""
        check = self._check
        if isinstance(value, dict):
            if check is not None:
                if value.get("kind") == snapshot.END:
                    check.close(value, self.place(number))
                    self._check, self.plain = None, True
                    return
                check.line(raw)
                kind = value.get("assetType")
                if isinstance(kind, str):
                    check.asset(kind)
            self._value(number, value, None)
            if check is None and self._check is not None:
                self._check.line(raw)
        else:
            if check is not None:
                check.line(raw)
            self.document(number, value)

    def document(self, number: int, value: Json) -> None:
        """A top-level value that begins on the line."""
        if isinstance(value, dict):
            self._value(number, value, None)
            if self._check is not None and not self._good:
                raise self._check.cut_short()
        elif isinstance(value, list):
            self._list(number, value)
        else:
            self._unrecognised(number)

    def array(self) -> None:
        """The top-level array begins."""
        self._in_array = True
        self._array = _List()

    def element(self, number: int, value: Json) -> None:
        """An element of the top-level array."""
        if isinstance(value, dict):
            self._value(number, value, self._array)
        elif isinstance(value, list):
            self._list(number, value)
        else:
            self._unrecognised(number, inside=self._array)

    def end_of_array(self) -> None:
        """The top-level array is complete."""
        if not (self._good or self._unknown or self._malformed):
            self._empty_list(self.label)
        if self._array is not None:
            self._complete(self._array)
        self._in_array = False

    def malformed(self, number: int, line: int, why: str, raw: bytes) -> None:
        """A line, document or element that cannot be parsed, and the line it begins on."""
        if self._check is not None:
            self._check.line(raw)
        kind = _TYPE.search(raw)
        project = _NAME.search(raw)
        place = f"{self.label}:{line}"
        told = f"element {number} cannot be parsed: {why}" if self._in_array else f"cannot be parsed: {why}"
        if self.strict:
            raise SourceError(
                told,
                hint="mend it, or leave out --strict to have it reported as a gap",
                place=place,
            )
        self._malformed.append((place, why))
        asset_type = kind[1].decode("utf-8", "replace") if kind else ANY
        owner = project[1].decode("utf-8", "replace") if kind and project else ANY
        self.builder.hole(asset_type, owner, place)
        self.builder.gaps.append(
            Gap(
                place,
                None if asset_type == ANY else asset_type,
                told,
                "read it from its source again; what it held is treated as unknown",
            )
        )

    def seen(self) -> tuple[int, list[str], list[tuple[str, str]]]:
        """What was recognised, for `also_seen` of another one for the same file."""
        return self._good, self._unknown, self._malformed

    def also_seen(self, good: int, unknown: list[str], malformed: list[tuple[str, str]]) -> None:
        """Take in what another one has recognised further on in the file."""
        self._good += good
        self._unknown += unknown
        self._malformed += malformed

    def end(self) -> None:
        """The file has been read.

        Raises `UnknownKindError` if it held nothing of a known kind, `UnusableError` if nothing in it could
        be parsed, `SourceError` if it is a cut snapshot.
        """
        if self._check is not None:
            raise self._check.cut_short()
        if self._good:
            if self._unknown:
                self.builder.gaps.append(
                    Gap(
                        self.label if len(self._unknown) > 1 else self._unknown[0],
                        None,
                        f"values of no known kind: {wording.some(self._unknown, _NAMED)}",
                        f"give {_KNOWN}",
                    )
                )
            return
        if self._malformed:
            place, why = self._malformed[0]
            more = f", and {len(self._malformed) - 1} more" if len(self._malformed) > 1 else ""
            raise UnusableError(
                f"nothing in the file can be parsed: {why}{more}", hint=f"give {_KNOWN}", place=place
            )
        raise UnknownKindError(
            "is of no known kind",
            hint=f"give {_KNOWN}",
            place=self._unknown[0] if self._unknown else self.label,
        )

    # What it is

    def _value(self, number: int, value: Object, inside: _List | None) -> None:
        if self.cluster is not None:
            self._evidence(number, value)
        elif self.builder.asset(self, number, value):
            self._good += 1
            if inside is not None:
                inside.sound = False
        elif self._other(number, value, inside):
            self._good += 1
        else:
            self._unrecognised(number, value, inside)

    def _evidence(self, number: int, value: Object) -> None:
        if not kubernetes.is_object(value):
            raise SourceError(
                "is no Kubernetes object, and --kubernetes takes nothing else",
                hint="give what `kubectl -n kube-system get configmaps -o json` prints",
                place=self.place(number),
            )
        self._good += 1
        self.builder.document(self.label, self.place(number), value, self.cluster)

    def _other(self, number: int, value: Object, inside: _List | None) -> bool:
        if self._resource(number, value, inside):
            return True
        if inside is not None:
            inside.sound = False
        return self._answer(number, value)

    def _answer(self, number: int, value: Object) -> bool:
        """Whole answers: a snapshot's header, a page, lists of the APIs, what kubectl prints."""
        kind = value.get("kind")
        if isinstance(kind, str) and kind.startswith(snapshot.FAMILY):
            self._snapshot(number, value)
            return True
        if terraform.is_document(value):
            self.builder.plans.append(terraform.read(value, self.place(number)))
            return True
        if terraform.is_raw_state(value):
            raise UnusableError(
                "is a state file as Terraform stores it, whose format is no interface",
                hint="print it: terraform show -json > state.json, and give that file",
                place=self.label,
            )
        if isinstance(value.get("assets"), list):
            return self._page(number, value)
        if isinstance(value.get("clusters"), list) and "name" not in value:
            return self._clusters(number, value)
        if isinstance(value.get("nodePools"), list) and "name" not in value:
            self._items(number, cast("list[Json]", value["nodePools"]), _List())
            return True
        if any(key in value for key in ("firewalls", "firewallPolicys", "firewallPolicies")):
            self.builder.effective(self, number, value)
            return True
        if isinstance(kind, str) and (kind in _LISTS or kind in _AGGREGATED):
            return self._compute_list(number, value, kind)
        if kubernetes.is_object(value):
            self.builder.document(self.label, self.place(number), value)
            return True
        return False

    def _snapshot(self, number: int, value: Object) -> None:
        if self.part:
            raise WholeError
        if self._in_array or self._check is not None or value.get("kind") == snapshot.END:
            raise SourceError(
                "the lines of a snapshot are not in the order they were written",
                hint="give the snapshot as `gke-auditor collect` wrote it",
                place=self.place(number),
            )
        header = snapshot.header(value, self.place(number))
        self.builder.headers.append(header)
        self._check = snapshot.Check(self.label, header)
        self.plain = False

    def _page(self, number: int, value: Object) -> bool:
        if value.get("nextPageToken") or value.get("next_page_token"):
            self.builder.open_pages += 1
        else:
            self.builder.last_pages += 1
        time = value.get("readTime") or value.get("read_time")
        if isinstance(time, str):
            self.builder.read_times.append(time)
        self._items(number, cast("list[Json]", value["assets"]), None)
        return True

    def _clusters(self, number: int, value: Object) -> bool:
        zones = value.get("missingZones")
        clusters = cast("list[Json]", value["clusters"])
        inside = _List()
        self._items(number, clusters, None if zones else inside)
        if zones:
            names = [str(zone) for zone in zones] if isinstance(zones, list) else [str(zones)]
            projects = {
                project_of(canonical(str(one.get("selfLink")))) for one in clusters if isinstance(one, dict)
            }
            for project in sorted(projects) or [ANY]:
                self.builder.hole(model.CLUSTER, project or ANY, self.place(number))
            self.builder.gaps.append(
                Gap(
                    self.place(number),
                    model.CLUSTER,
                    f"the list of clusters lacks the zones {', '.join(sorted(names))}: they did not answer",
                    "list the clusters again: gcloud container clusters list --project=PROJECT --format=json",
                )
            )
        return True

    def _compute_list(self, number: int, value: Object, kind: str) -> bool:
        items = value.get("items")
        inside = _List()
        cut = bool(value.get("nextPageToken"))
        if kind in _AGGREGATED and isinstance(items, dict):
            for scoped in items.values():
                part = scoped.get(_AGGREGATED[kind]) if isinstance(scoped, dict) else None
                if isinstance(part, list):
                    self._items(number, part, inside if not cut else None)
        elif isinstance(items, list):
            # A list of subnetworks is that of one region, and one of policies of one place: neither is the
            # project's.
            whole = kind in ("compute#networkList", "compute#firewallList") and not cut
            self._items(number, items, inside if whole else None)
        elif items is not None:
            self._unrecognised(number)
        if items is None and not cut and kind in ("compute#networkList", "compute#firewallList"):
            project = project_of(canonical(str(value.get("selfLink") or value.get("id"))))
            if project:
                self.builder.listed.add((_LISTS[kind], project))
        if cut:
            asset_type = _LISTS.get(kind, model.SUBNETWORK if "subnetwork" in kind else model.FIREWALL_POLICY)
            self.builder.lost(
                self,
                number,
                "is one page of a longer list",
                asset_type,
                project_of(canonical(str(value.get("selfLink") or value.get("id")))) or ANY,
                "fetch all pages, or let gcloud do so",
            )
        return True

    def _items(self, number: int, items: list[Json], inside: _List | None) -> None:
        """The items of a list that stands on one line or in one element."""
        for item in items:
            if isinstance(item, dict):
                self._value(number, item, inside)
            else:
                self._unrecognised(number, inside=inside)
        if inside is not None:
            self._complete(inside)

    def _list(self, number: int, items: list[Json]) -> None:
        """A list as a value of its own."""
        if not items:
            self._empty_list(self.place(number))
        self._items(number, items, _List())

    def _empty_list(self, place: str) -> None:
        self._good += 1
        self.builder.gaps.append(
            Gap(
                place,
                None,
                "an empty list says neither of which kind nor of which project there is none",
                "export assets instead; absent types count as read with `gke-auditor collect` or --complete",
            )
        )

    def _complete(self, inside: _List) -> None:
        kinds = {kind for kind, _ in inside.holds} | ({model.NODE_POOL} if inside.pools_of else set())
        if inside.sound and len(kinds) == 1:
            self.builder.listed |= inside.holds
            self.builder.pool_lists |= inside.pools_of

    def _resource(self, number: int, value: Object, inside: _List | None) -> bool:
        """A resource of the container or compute API, as gcloud prints it."""
        link = value.get("selfLink")
        if not isinstance(link, str):
            return False
        own = path(link)
        asset_type = next((of_type for pattern, of_type in _LINKS if pattern.fullmatch(own)), "")
        if not asset_type or _KINDS.get(str(value.get("kind")), asset_type) != asset_type:
            return False
        service = "container" if asset_type in (model.CLUSTER, model.NODE_POOL) else "compute"
        if inside is not None:
            if asset_type == model.NODE_POOL:
                inside.pools_of.add(canonical(own).partition("/nodePools/")[0])
            elif project_of(own) and (asset_type != model.FIREWALL_POLICY or "rules" in value):
                inside.holds.add((asset_type, project_of(own)))
        self.builder.take(self, number, asset_type, f"//{service}.googleapis.com/{own}", value)
        return True

    def _unrecognised(self, number: int, value: Object | None = None, inside: _List | None = None) -> None:
        """A value that is none of all these; one that says its type is an asset that was lost."""
        place = self.place(number)
        if self.strict:
            raise SourceError(
                "is of no known kind",
                hint=f"give {_KNOWN}, or leave out --strict to have it reported as a gap",
                place=place,
            )
        if inside is not None:
            inside.sound = False
        value = value or {}
        kind = value.get("assetType") or value.get("asset_type") or _KINDS.get(str(value.get("kind")))
        if kind is None:
            self._unknown.append(place)
            return
        self._malformed.append((place, "an asset without a name"))
        self.builder.lost(
            self,
            number,
            "an asset without a name, or of a type that is no text",
            kind if isinstance(kind, str) else ANY,
        )

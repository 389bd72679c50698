"""Which block declares a resource: by a state that says so, else by what the configuration says of its name.

A resource is known by type, name, project and location. A block whose values are all those declares it.
Where one of them is not known, or only part of the name is, the block is a candidate; so are several blocks
that all fit. Where the name itself is not known there is nothing to go by, and no block is named.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from auditor.model import inventory as model
from auditor.model.declaration import Declaration
from auditor.model.inventory import Gap
from auditor.model.names import canonical, last
from auditor.terraform import registry
from auditor.terraform.expressions import STEPS, UNKNOWN, Evaluation, Partial, Resource
from auditor.terraform.module import Files, Module, roots
from auditor.terraform.syntax import Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from auditor.model.declaration import Certainty
    from auditor.terraform.syntax import Block

_TYPES = {
    "google_container_cluster": model.CLUSTER,
    "google_container_node_pool": model.NODE_POOL,
    "google_compute_network": model.NETWORK,
    "google_compute_subnetwork": model.SUBNETWORK,
    "google_compute_firewall": model.FIREWALL,
    "google_compute_firewall_policy": model.FIREWALL_POLICY,
    "google_compute_firewall_policy_with_rules": model.FIREWALL_POLICY,
    "google_compute_firewall_policy_rule": model.FIREWALL_POLICY,
    "google_compute_network_firewall_policy_rule": model.FIREWALL_POLICY,
    "google_compute_region_network_firewall_policy_rule": model.FIREWALL_POLICY,
    "google_compute_network_firewall_policy": model.FIREWALL_POLICY,
    "google_compute_network_firewall_policy_with_rules": model.FIREWALL_POLICY,
    "google_compute_region_network_firewall_policy": model.FIREWALL_POLICY,
    "google_compute_region_network_firewall_policy_with_rules": model.FIREWALL_POLICY,
}
_PLACES = {
    "google_container_cluster": ("location", "zone", "region"),
    "google_container_node_pool": ("location", "zone", "region"),
    "google_compute_subnetwork": ("region",),
    "google_compute_region_network_firewall_policy": ("region",),
    "google_compute_region_network_firewall_policy_with_rules": ("region",),
}
_ASSETS = (
    (
        re.compile(r"projects/([^/]+)/(?:locations|zones)/([^/]+)/clusters/([^/]+)(?:/nodePools/([^/]+))?"),
        model.CLUSTER,
    ),
    (re.compile(r"projects/([^/]+)/(global)/networks/([^/]+)"), model.NETWORK),
    (re.compile(r"projects/([^/]+)/regions/([^/]+)/subnetworks/([^/]+)"), model.SUBNETWORK),
    (re.compile(r"projects/([^/]+)/(global)/firewalls/([^/]+)"), model.FIREWALL),
    (re.compile(r"projects/([^/]+)/(global)/firewallPolicies/([^/]+)"), model.FIREWALL_POLICY),
    (re.compile(r"projects/([^/]+)/regions/([^/]+)/firewallPolicies/([^/]+)"), model.FIREWALL_POLICY),
)
_MOST = 5
"""How many candidates are named; more than these say nothing."""

_INDEX = re.compile(r'\[(?:"(?:[^"\\]|\\.)*"|[0-9]+)\]')


class Asset(NamedTuple):
    """What a resource is known by. `cluster` is the name of a node pool's cluster."""

    kind: str
    project: str
    location: str
    name: str
    cluster: str


@dataclass(frozen=True, slots=True, eq=False)
class Declared:
    """One instance of a block, with the values that say what it declares.

    `firm` is False if they rest on a variables file that Terraform reads only if it is told to.
    """

    kind: str
    address: str
    root: str
    block: Block
    name: Any
    project: Any
    location: Any
    cluster: Any
    firm: bool


@lru_cache(maxsize=1 << 16)
def asset_of(name: str) -> Asset | None:
    """What a resource is known by, from its full name or canonical reference; None for other types."""
    reference = canonical(name)
    if reference.startswith("locations/global/firewallPolicies/"):
        return Asset(model.FIREWALL_POLICY, "", "global", last(reference), "")
    for pattern, kind in _ASSETS:
        found = pattern.fullmatch(reference)
        if found is None:
            continue
        if kind == model.CLUSTER and found[4] is not None:
            return Asset(model.NODE_POOL, found[1], found[2], found[4], found[3])
        return Asset(kind, found[1], found[2], found[3], "")
    return None


class Configurations:
    """All configurations below some folders. `gaps` say what of them could not be read.

    Raises AuditorError for a folder without configuration, or if the parser is not installed.
    """

    def __init__(self, folders: Sequence[str]) -> None:
        self._files = Files(Reader())
        self._index = _Index()
        self._by_address: dict[str, list[Declared]] = {}
        seen: set[str] = set()
        for folder in folders:
            for root in roots(folder, self._files):
                if root not in seen:
                    seen.add(root)
                    self._root(root)
            if self._files.reader.steps > STEPS:
                why = "the Terraform configuration is too large to evaluate in full"
                hint = "give the folder of one configuration alone; what is left is linked to nothing"
                self._files.gaps.append(Gap(folder, None, why, hint))

    @property
    def gaps(self) -> list[Gap]:
        """What could not be read."""
        return list(dict.fromkeys(self._files.gaps))

    @property
    def texts(self) -> Mapping[str, bytes]:
        """The files, by path."""
        return self._files.texts

    def _root(self, path: str) -> None:
        constant = {
            name: Evaluation(_Nothing(self._files.reader)).value(expression)
            for name, expression in self._files.variables(path).items()
        }
        root = Module(self._files, path, constant)
        declared = [*_declared(root, path, firm=True)]
        for assigned in self._files.environments(path):
            values = {
                name: Evaluation(_Nothing(self._files.reader)).value(expression)
                for name, expression in assigned.items()
            }
            other = Module(self._files, path, {**constant, **values})
            declared += _declared(other, path, firm=False)
        for one in declared:
            if one.block.kind in ("resource", "module"):
                # A pool inside a cluster has no address of its own.
                self._by_address.setdefault(one.address, []).append(one)
            self._index.add(one)

    @property
    def commented(self) -> list[Block]:
        """The blocks with comments for this program."""
        return self._files.commented

    def by_address(self, address: str) -> list[Block]:
        """The blocks of an address of a plan or a state; several if several configurations have it."""
        plain = _INDEX.sub("", address)
        found = self._by_address.get(plain, [])
        if not found and plain.startswith("module."):
            # Of a module whose code is elsewhere the call is the block.
            parts = plain.split(".")
            for end in range(len(parts) - 2, 1, -2):
                found = self._by_address.get(".".join(parts[:end]), [])
                if found:
                    break
        return [*{id(one.block): one.block for one in found}.values()]

    def by_values(self, asset: Asset, resolve: Callable[[str], str]) -> list[tuple[Declared, bool]]:
        """The blocks that may declare an asset, each with whether it does for certain.

        `resolve` brings a reference to the inventory's spelling of project IDs.
        """
        sure: dict[int, Declared] = {}
        perhaps: dict[int, Declared] = {}
        for one in self._index.near(asset):
            fits = _fits(one, asset, resolve)
            if fits is True and one.firm:
                sure.setdefault(id(one.block), one)
            elif fits is not False:
                perhaps.setdefault(id(one.block), one)
        if len(sure) == 1:
            return [(one, True) for one in sure.values()]
        if not sure:
            # One that fits in all values outranks those of which a value is open.
            whole = {key: one for key, one in perhaps.items() if _fits(one, asset, resolve) is True}
            sure = whole or perhaps
        return [(one, False) for one in sure.values()] if len(sure) <= _MOST else []


class _Index:
    """Declared resources by what is known of their names, so that few are compared with an asset."""

    def __init__(self) -> None:
        self._exact: dict[tuple[str, str, str | None, str | None], list[Declared]] = {}
        self._open: dict[tuple[str, str], list[Declared]] = {}
        self._lengths: dict[str, set[int]] = {}

    def add(self, one: Declared) -> None:
        """Take in one, unless nothing is known of its name."""
        if isinstance(one.name, str):
            # Many pools have one name, and so have the networks of many projects.
            project = one.project if isinstance(one.project, str) and not one.project.isdigit() else None
            cluster = _own_name(one.cluster)
            key = (one.kind, one.name, project, cluster if isinstance(cluster, str) else None)
            self._exact.setdefault(key, []).append(one)
        elif isinstance(one.name, Partial) and one.name.known:
            prefix = one.name.parts[0] or ""
            self._open.setdefault((one.kind, prefix), []).append(one)
            self._lengths.setdefault(one.kind, set()).add(len(prefix))

    def near(self, asset: Asset) -> Iterator[Declared]:
        """Those that may declare an asset, as far as the name tells, and perhaps some more."""
        for project in (asset.project, None):
            for cluster in (asset.cluster, None) if asset.cluster else (None,):
                yield from self._exact.get((asset.kind, asset.name, project, cluster), ())
        for length in sorted(self._lengths.get(asset.kind, ())):
            yield from self._open.get((asset.kind, asset.name[:length]), ())


class _Nothing:
    """The scope of a variables file, in which no name stands for anything."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def variable(self, _name: str) -> Any:
        return UNKNOWN

    def local(self, _name: str) -> Any:
        return UNKNOWN

    def resource(self, _kind: str, _name: str) -> Any:
        return UNKNOWN

    def attribute(self, _resource: Resource, _name: str) -> Any:
        return UNKNOWN


def _declared(root: Module, path: str, *, firm: bool) -> Iterator[Declared]:
    for module in root.every():
        prefix = f"{module.address}." if module.address else ""
        for (kind, name), block in module.folder.resources.items():
            if kind not in _TYPES:
                continue
            for _, evaluation in module.instances(block):
                yield from _resource(module, block, f"{prefix}{kind}.{name}", evaluation, path, firm=firm)
        for name, block in module.folder.modules.items():
            if registry.known(block) is None:
                continue
            for _, evaluation in module.instances(block):
                for one in registry.made(block, evaluation):
                    yield Declared(
                        one.kind, f"{prefix}module.{name}", path, block, one.name, one.project, one.location,
                        one.cluster, firm,
                    )  # fmt: skip


def _resource(
    module: Module, block: Block, address: str, evaluation: Evaluation, path: str, *, firm: bool
) -> Iterator[Declared]:
    kind = block.labels[0]
    location: Any = "global"
    if kind in _PLACES:
        stated = [
            value
            for name in _PLACES[kind]
            if name in block.attributes
            for value in (evaluation.value(block.attributes[name]),)
            if value is not None
        ]
        if stated:
            location = stated[0]
        else:
            location = module.provided(block, "region") if kind.startswith("google_compute") else UNKNOWN
    project = module.argument(block, "project", evaluation)
    name = module.argument(block, "name", evaluation)
    if kind.startswith("google_compute_firewall_policy") or kind.endswith("_rule"):
        # Hierarchical policies are known by a number that the API gives them, and rules by their policy.
        name = UNKNOWN
    if name is UNKNOWN and "name_prefix" in block.attributes:
        prefix = evaluation.value(block.attributes["name_prefix"])
        name = Partial((prefix, None)) if isinstance(prefix, str) else UNKNOWN
    cluster = module.argument(block, "cluster", evaluation) if _TYPES[kind] == model.NODE_POOL else None
    yield Declared(_TYPES[kind], address, path, block, name, project, location, cluster, firm)
    if kind == "google_container_cluster":
        for inner in block.blocks:
            if inner.kind == "node_pool":
                own = evaluation.value(inner.attributes.get("name"))
                own = UNKNOWN if own is None else own
                yield Declared(model.NODE_POOL, address, path, inner, own, project, location, name, firm)


def _fits(one: Declared, asset: Asset, resolve: Callable[[str], str]) -> bool | None:
    """Whether the values of a block are those of an asset; None if one of them is open."""
    project = one.project
    if isinstance(project, str):
        # Either may be written as a number.
        project = resolve(f"projects/{project}").partition("/")[2]
    pairs: list[tuple[Any, str]] = [(one.name, asset.name), (project, asset.project)]
    location = one.location
    if asset.kind == model.NODE_POOL:
        pairs.append((_own_name(one.cluster), asset.cluster))
        path = canonical(one.cluster).split("/") if isinstance(one.cluster, str) else []
        if location is UNKNOWN and len(path) == 6:
            location = path[3]
    pairs.append((last(location) if isinstance(location, str) else location, asset.location))
    found: bool | None = True
    for value, text in pairs:
        if isinstance(value, str):
            if value != text:
                return False
        elif isinstance(value, Partial):
            if not value.matches(text):
                return False
            found = None
        elif isinstance(value, int | float | list | dict):
            return False
        else:
            found = None
    return found


def _own_name(value: Any) -> Any:
    if isinstance(value, str):
        return last(value)
    if isinstance(value, Partial) and value.parts and value.parts[-1] is not None and "/" in value.parts[-1]:
        return last(value.parts[-1])
    return value


Found = tuple[Declaration, "Block | None"]
"""A declaration and its block, where there is one at hand."""


@dataclass(slots=True)
class Mapper:
    """Finds the declarations of assets, each once.

    `exact` are addresses by canonical reference, as a state has them; `planned` addresses and what a plan
    does, by full resource name.
    """

    configurations: Configurations | None
    exact: Mapping[str, str]
    planned: Mapping[str, tuple[str, str]]
    resolve: Callable[[str], str]
    _known: dict[tuple[str, str], tuple[Found, ...]]

    def declarations(self, name: str) -> tuple[Declaration, ...]:
        """Where an asset is declared, by its full resource name."""
        return tuple(one for one, _ in self.found(name))

    def found(self, name: str, part: str = "") -> tuple[Found, ...]:
        """The same with the blocks.

        `part` is the address of the Terraform resource that declares a part of the asset, such as the rule of
        a policy.
        """
        found = self._known.get((name, part))
        if found is None:
            found = self._known[name, part] = self._find(name, part)
        return found

    def _find(self, name: str, part: str) -> tuple[Found, ...]:
        address, action = (part, "") if part else self.planned.get(name, ("", ""))
        key = self.resolve(name)
        address = address or self.exact.get(key, "")
        certainty: Certainty
        if self.configurations is not None and address:
            blocks = self.configurations.by_address(address)
            certainty = "state" if len(blocks) == 1 else "candidate"
            if blocks:
                return tuple(_found(name, address, certainty, one, action) for one in blocks)
        asset = asset_of(key)
        if self.configurations is not None and asset is not None and not address:
            return tuple(
                _found(name, one.address, "configuration" if sure else "candidate", one.block, action)
                for one, sure in self.configurations.by_values(asset, self.resolve)
            )
        return ((Declaration(name, address, "plan", action=action), None),) if address else ()


def _found(name: str, address: str, certainty: Certainty, block: Block, action: str) -> Found:
    return Declaration(name, address, certainty, block.file, block.first, block.last, action), block


def mapper(
    folders: Sequence[str],
    exact: Mapping[str, str],
    planned: Mapping[str, tuple[str, str]],
    resolve: Callable[[str], str],
) -> Mapper:
    """A mapper over the configurations below some folders; without any, plans alone are told."""
    return Mapper(Configurations(folders) if folders else None, exact, planned, resolve, {})


def addresses(references: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Addresses by reference; one that two resources claim is left out."""
    found: dict[str, str] = {}
    twice: set[str] = set()
    for reference, address in references:
        if found.setdefault(reference, address) != address:
            twice.add(reference)
    return {reference: address for reference, address in found.items() if reference not in twice}

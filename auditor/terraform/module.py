"""Configurations as Terraform puts them together: folders, variables, local modules, providers.

Precedence of variables is Terraform's: defaults, `terraform.tfvars`, `terraform.tfvars.json`, `*.auto.tfvars`
and `*.auto.tfvars.json` in the order of their names (Terraform documentation, "Input Variables"). What comes
from the environment or the command line is not known here.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from auditor.errors import AuditorError
from auditor.model.inventory import Gap
from auditor.terraform.expressions import UNKNOWN, Evaluation, Partial, Resource, joined

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from auditor.terraform.syntax import Block, Expression, Reader

_LARGEST = 16 << 20
_DEPTH = 20
_MANY = 10_000
_ENVIRONMENTS = 20
_PAIR = re.compile(r"([A-Za-z0-9_.-]+)\s*[=:]\s*([A-Za-z0-9_.-]+)")
_OVERRIDE = re.compile(r"(?:.*_)?override\.tf(?:\.json)?")
_PATHS = {
    "google_container_cluster": ("locations", "location", "clusters"),
    "google_compute_network": ("", "", "networks"),
    "google_compute_subnetwork": ("regions", "region", "subnetworks"),
    "google_compute_firewall": ("", "", "firewalls"),
}
_ANY_KEY = "*"


@dataclass(slots=True)
class Folder:
    """What the files of one folder hold, by kind and name."""

    path: str
    resources: dict[tuple[str, str], Block] = field(default_factory=dict)
    modules: dict[str, Block] = field(default_factory=dict)
    variables: dict[str, Block] = field(default_factory=dict)
    locals: dict[str, Expression] = field(default_factory=dict)
    outputs: dict[str, Block] = field(default_factory=dict)
    providers: list[Block] = field(default_factory=list)

    def add(self, block: Block, *, override: bool) -> None:
        """A top-level block; one of an override file replaces the arguments of its namesake."""
        if block.kind == "locals":
            self.locals |= block.attributes
            return
        if block.kind in ("resource", "data") and len(block.labels) == 2:
            kind = block.labels[0] if block.kind == "resource" else f"data.{block.labels[0]}"
            known = self.resources.get((kind, block.labels[1]))
            if override and known is not None:
                known.attributes |= block.attributes
            else:
                self.resources[kind, block.labels[1]] = block
            return
        named = {"module": self.modules, "variable": self.variables, "output": self.outputs}.get(block.kind)
        if named is not None and len(block.labels) == 1:
            if override and block.labels[0] in named:
                named[block.labels[0]].attributes |= block.attributes
            else:
                named[block.labels[0]] = block
        elif block.kind == "provider" and len(block.labels) == 1:
            self.providers.append(block)


@dataclass(slots=True)
class Files:
    """Reads folders, each once.

    `gaps` say what could not be read, `commented` are the blocks with comments for this program.
    """

    reader: Reader
    gaps: list[Gap] = field(default_factory=list)
    texts: dict[str, bytes] = field(default_factory=dict)
    commented: list[Block] = field(default_factory=list)
    _folders: dict[str, Folder] = field(default_factory=dict)

    def folder(self, path: str) -> Folder:
        """The folder; empty if it holds no configuration."""
        found = self._folders.get(path)
        if found is None:
            found = self._folders[path] = Folder(path)
            names = [name for name in _listing(path) if name.endswith((".tf", ".tf.json"))]
            for name in sorted(names, key=lambda name: (_OVERRIDE.fullmatch(name) is not None, name)):
                self._add(os.path.join(path, name), found)  # noqa: PTH118 - a path stays as the user gave it
        return found

    def _add(self, file: str, folder: Folder) -> None:
        text = self._text(file)
        if text is None:
            return
        blocks, mistakes = self.reader.blocks(text, file)
        self.texts[file] = text
        self._note(file, mistakes)
        override = _OVERRIDE.fullmatch(os.path.basename(file)) is not None  # noqa: PTH119
        for block in blocks:
            folder.add(block, override=override)
            if block.comments:
                self.commented.append(block)

    def _note(self, file: str, mistakes: Sequence[Any]) -> None:
        for one in mistakes[:5]:
            self.gaps.append(
                Gap(
                    f"{file}:{one.line}",
                    None,
                    f"part of the Terraform configuration cannot be read: {one.text}",
                    "mend it (`terraform validate` says more); blocks that it holds are linked to nothing",
                )
            )

    def _text(self, file: str) -> bytes | None:
        try:
            with open(file, "rb") as stream:  # noqa: PTH123
                text = stream.read(_LARGEST + 1)
        except OSError as error:
            why = error.strerror or str(error)
        else:
            if len(text) <= _LARGEST:
                return text
            why = f"it is larger than {_LARGEST >> 20} MiB"
        hint = "see that it can be read; blocks that it holds are linked to nothing"
        self.gaps.append(Gap(file, None, f"the Terraform file cannot be read: {why}", hint))
        return None

    def variables(self, path: str) -> dict[str, Expression]:
        """What the variables files that Terraform reads by itself assign, the last one winning."""
        names = _listing(path)
        automatic = [name for name in names if name.endswith((".auto.tfvars", ".auto.tfvars.json"))]
        first = [name for name in ("terraform.tfvars", "terraform.tfvars.json") if name in names]
        found: dict[str, Expression] = {}
        for name in (*first, *sorted(automatic)):
            found |= self._assignments(os.path.join(path, name))  # noqa: PTH118
        return found

    def environments(self, path: str) -> list[dict[str, Expression]]:
        """What each variables file assigns that Terraform reads only if it is told to."""
        files: list[str] = []
        for folder in (path, *(os.path.join(path, name) for name in _listing(path, folders=True))):  # noqa: PTH118
            if folder != path and any(name.endswith((".tf", ".tf.json")) for name in _listing(folder)):
                continue
            files += [
                os.path.join(folder, name)  # noqa: PTH118
                for name in _listing(folder)
                if name.endswith((".tfvars", ".tfvars.json"))
                and not name.endswith((".auto.tfvars", ".auto.tfvars.json"))
                and not (folder == path and name in ("terraform.tfvars", "terraform.tfvars.json"))
            ]
        return [self._assignments(file) for file in files[:_ENVIRONMENTS]]

    def _assignments(self, file: str) -> dict[str, Expression]:
        text = self._text(file)
        if text is None:
            return {}
        found, mistakes = self.reader.attributes(text, file)
        self._note(file, mistakes)
        return found


def _listing(path: str, *, folders: bool = False) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return sorted(
                one.name
                for one in entries
                if not one.name.startswith(".")
                and (one.is_dir(follow_symlinks=False) if folders else one.is_file())
            )
    except OSError:
        return []


def roots(path: str, files: Files) -> list[str]:
    """The folders below a path that are configurations of their own: no other one calls them.

    Raises AuditorError if there is no configuration there.
    """
    found: list[str] = []
    if not os.path.isdir(path):  # noqa: PTH112
        raise AuditorError(
            "is no folder that can be read", hint="give the folder of a Terraform configuration", place=path
        )
    for folder, names, inside in os.walk(path):
        names[:] = sorted(name for name in names if not name.startswith("."))
        if any(name.endswith((".tf", ".tf.json")) for name in inside):
            found.append(os.path.normpath(folder))
    if not found:
        raise AuditorError(
            "holds no Terraform configuration",
            hint="give the folder of the *.tf files, or one above it",
            place=path,
        )
    called: set[str] = set()
    for folder in found:
        for block in files.folder(folder).modules.values():
            source = local_source(block)
            if source is not None:
                called.add(os.path.normpath(os.path.join(folder, source)))  # noqa: PTH118
    return [folder for folder in found if folder not in called]


def local_source(block: Block) -> str | None:
    """The path of a local module, relative to the caller; None for any other source."""
    source = source_of(block)
    return source if source is not None and source.startswith(("./", "../")) else None


def source_of(block: Block) -> str | None:
    """The source of a module, which Terraform wants to be a literal."""
    expression = block.attributes.get("source")
    if expression is None:
        return None
    if expression.node is None:
        return expression.literal if isinstance(expression.literal, str) else None
    written = expression.text[expression.node.start_byte : expression.node.end_byte].decode(
        "utf-8", "replace"
    )
    return written[1:-1] if written[:1] == '"' and "${" not in written else None


class Module:
    """One call of a module, or a root: a scope in which its expressions have values.

    `inputs` are the values of its variables, `address` is its own (`module.gke`, empty for a root).
    """

    def __init__(
        self,
        files: Files,
        path: str,
        inputs: Mapping[str, Any],
        address: str = "",
        parent: Module | None = None,
        providers: Mapping[str, str] | None = None,
    ) -> None:
        self.files = files
        self.folder = files.folder(path)
        self.address = address
        self._inputs = inputs
        self._parent = parent
        self._providers = providers or {}
        self._depth = address.count("module.")
        self._locals: dict[str, Any] = {}
        self._variables: dict[str, Any] = {}
        self._children: dict[str, list[tuple[Any, Module]]] = {}
        self._provided: dict[tuple[str, str], Any] = {}
        self._instances: dict[int, dict[Any, Evaluation]] = {}
        self._busy: set[Any] = set()

    @property
    def reader(self) -> Reader:
        """The parser."""
        return self.files.reader

    # Scope

    def variable(self, name: str) -> Any:
        """The value of a variable: given, or its default."""
        if name in self._inputs:
            return self._inputs[name]
        if name not in self._variables:
            block = self.folder.variables.get(name)
            default = block.attributes.get("default") if block is not None else None
            self._variables[name] = UNKNOWN if default is None else Evaluation(self).value(default)
        return self._variables[name]

    def local(self, name: str) -> Any:
        """The value of a local; UNKNOWN for one that depends on itself."""
        if name in self._locals:
            return self._locals[name]
        expression = self.folder.locals.get(name)
        if expression is None or ("local", name) in self._busy:
            return UNKNOWN
        self._busy.add(("local", name))
        try:
            value = self._locals[name] = Evaluation(self).value(expression)
        finally:
            self._busy.discard(("local", name))
        return value

    def resource(self, kind: str, name: str) -> Any:
        """A resource, data source or module of this module."""
        known = name in self.folder.modules if kind == "module" else (kind, name) in self.folder.resources
        return Resource(self, kind, name) if known else UNKNOWN

    def attribute(self, resource: Resource, name: str) -> Any:
        """An attribute of one of them, as far as the configuration says it."""
        busy = (resource.kind, resource.name, str(resource.key), name)
        if busy in self._busy:
            return UNKNOWN
        self._busy.add(busy)
        try:
            if resource.kind == "module":
                return self._output(resource, name)
            block = self.folder.resources[resource.kind, resource.name]
            evaluation = self._instance(block, resource.key)
            return UNKNOWN if evaluation is None else self.argument(block, name, evaluation)
        finally:
            self._busy.discard(busy)

    def _output(self, resource: Resource, name: str) -> Any:
        block = self.folder.modules[resource.name]
        for key, child in self.children(resource.name):
            if key == resource.key:
                output = child.folder.outputs.get(name)
                value = output.attributes.get("value") if output is not None else None
                return UNKNOWN if value is None else Evaluation(child).value(value)
        if local_source(block) is None:
            from auditor.terraform.registry import output as known_output

            evaluation = self._instance(block, resource.key)
            if evaluation is not None:
                return known_output(self, block, evaluation, name)
        return UNKNOWN

    # Blocks

    def _instance(self, block: Block, key: Any) -> Evaluation | None:
        if not isinstance(key, str | int | None):
            return None
        known = self._instances.get(id(block))
        if known is None:
            known = self._instances[id(block)] = dict(self.instances(block))
        return known.get(key)

    def instances(self, block: Block) -> list[tuple[Any, Evaluation]]:
        """The instances of a block: each one's key (None without any) and what its expressions see."""
        if "for_each" in block.attributes:
            value = Evaluation(self).value(block.attributes["for_each"])
            pairs: list[tuple[Any, Any]] | None = None
            if isinstance(value, dict):
                pairs = sorted(value.items())
            elif isinstance(value, list) and all(isinstance(one, str) for one in value):
                pairs = [(one, one) for one in value]
            if pairs is None or len(pairs) > _MANY:
                pairs = [(UNKNOWN, UNKNOWN)]
            return [
                (_ANY_KEY if key is UNKNOWN else key, Evaluation(self, {"each": {"key": key, "value": one}}))
                for key, one in pairs
            ]
        if "count" in block.attributes:
            number = Evaluation(self).value(block.attributes["count"])
            if isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= _MANY:
                return [(index, Evaluation(self, {"count": {"index": index}})) for index in range(number)]
            return [(_ANY_KEY, Evaluation(self, {"count": {"index": UNKNOWN}}))]
        return [(None, Evaluation(self))]

    def argument(self, block: Block, name: str, evaluation: Evaluation) -> Any:
        """An argument of a resource, or an attribute that follows from its arguments."""
        if name in block.attributes:
            value = evaluation.value(block.attributes[name])
            if value is not None:
                return value
        kind = block.labels[0]
        if name in ("project", "region", "zone") and kind.startswith("google"):
            return self.provided(block, name)
        if name in ("id", "self_link") and kind in _PATHS:
            return self._path(block, evaluation)
        return UNKNOWN

    def _path(self, block: Block, evaluation: Evaluation) -> Any:
        collection, place, plural = _PATHS[block.labels[0]]
        project, name = (self.argument(block, one, evaluation) for one in ("project", "name"))
        middle: list[Any] = ["global"]
        if collection:
            middle = [collection, "/", self.argument(block, place, evaluation)]
        return joined(["projects/", project, "/", *middle, f"/{plural}/", name])

    def provided(self, block: Block, name: str) -> Any:
        """An argument of the block's provider."""
        expression = block.attributes.get("provider")
        written = "google"
        if expression is not None and expression.node is not None:
            node = expression.node
            written = expression.text[node.start_byte : node.end_byte].decode("utf-8", "replace")
        elif expression is not None and isinstance(expression.literal, str):
            written = expression.literal
        return self._provider(written, name)

    def _provider(self, provider: str, name: str) -> Any:
        key = (provider, name)
        if key in self._provided:
            return self._provided[key]
        kind, _, alias = provider.partition(".")
        value: Any = UNKNOWN
        for block in self.folder.providers:
            stated = block.attributes.get("alias")
            own = Evaluation(self).value(stated) if stated is not None else ""
            if block.labels[0] == kind and own == alias:
                found = block.attributes.get(name)
                value = UNKNOWN if found is None else Evaluation(self).value(found)
                break
        else:
            # A map of providers replaces the inheritance of default ones (Terraform documentation, "Providers
            # Within Modules").
            inherited = provider in self._providers if self._providers else not alias
            if self._parent is not None and inherited:
                value = self._parent._provider(self._providers.get(provider, provider), name)  # noqa: SLF001
        self._provided[key] = value
        return value

    # Modules

    def children(self, name: str) -> list[tuple[Any, Module]]:
        """The calls of a local module: each one's key and the module; none for a source elsewhere."""
        if name in self._children:
            return self._children[name]
        block = self.folder.modules[name]
        source = local_source(block)
        made: list[tuple[Any, Module]] = []
        if source is not None and self._depth < _DEPTH:
            path = os.path.normpath(os.path.join(self.folder.path, source))  # noqa: PTH118
            address = f"{self.address}.module.{name}" if self.address else f"module.{name}"
            providers = _providers(block)
            if not os.path.isdir(path):  # noqa: PTH112
                gap = Gap(
                    f"{block.file}:{block.first}",
                    None,
                    f"the folder of the Terraform module {name} is not there: {path}",
                    "give the whole configuration; what the module declares is linked to nothing",
                )
                if gap not in self.files.gaps:
                    self.files.gaps.append(gap)
            else:
                for key, evaluation in self.instances(block):
                    inputs = {
                        argument: evaluation.value(expression)
                        for argument, expression in block.attributes.items()
                        if argument
                        not in ("source", "version", "for_each", "count", "providers", "depends_on")
                    }
                    # A null argument is the default (Terraform documentation, "Input Variables", nullable).
                    inputs = {argument: value for argument, value in inputs.items() if value is not None}
                    made.append((key, Module(self.files, path, inputs, address, self, providers)))
        self._children[name] = made
        return made

    def every(self) -> Iterator[Module]:
        """This module and all that it calls."""
        yield self
        for name in self.folder.modules:
            for _, child in self.children(name):
                yield from child.every()


def _providers(block: Block) -> dict[str, str]:
    expression = block.attributes.get("providers")
    if expression is None:
        return {}
    if expression.node is None:
        literal = expression.literal
        return {k: v for k, v in literal.items() if isinstance(v, str)} if isinstance(literal, dict) else {}
    node = expression.node
    written = expression.text[node.start_byte : node.end_byte].decode("utf-8", "replace")
    return dict(_PAIR.findall(written))


def is_open(value: Any) -> bool:
    """Whether a value is not wholly known."""
    return value is UNKNOWN or value is None or isinstance(value, Partial | Resource)

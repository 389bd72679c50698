"""The configuration inside a plan: what a resource states, and which other resource a value comes from.

A plan tells of an expression which objects it refers to, and not what it does with them. A reference counts
as the value's origin only where it is the expression's single one, through outputs and variables of modules
too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from auditor.model.evidence import Json
    from auditor.sources.terraform.document import Change

Object = dict[str, "Json"]

_INDEX = r'(?:\[(?:"(?:[^"\\]|\\.)*"|[0-9]+)\])?'
_MODULE = re.compile(rf"module\.([A-Za-z0-9_-]+)({_INDEX})\.?")
_RESOURCE = re.compile(rf"([a-z][a-z0-9_]*)\.([A-Za-z0-9_-]+)({_INDEX})(?:\.([a-z0-9_]+))?")
_DEPTH = 20


class Configuration:
    """The `configuration` and `variables` of one document; empty for a state."""

    def __init__(self, document: Object) -> None:
        found = document.get("configuration")
        self._root: Object = _object(found.get("root_module")) if isinstance(found, dict) else {}
        self._providers = _object(found.get("provider_config")) if isinstance(found, dict) else {}
        self._variables = _object(document.get("variables"))
        self._resources: dict[tuple[str, ...], dict[str, Object]] = {}

    def states(self, change: Change, attribute: str) -> bool | None:
        """Whether the resource's block states an argument; None if the block is not in the document."""
        block = self._block(change)
        if block is None or not isinstance(block.get("expressions"), dict):
            return None
        return attribute in _object(block["expressions"])

    def origin(self, change: Change, attribute: str) -> tuple[str, str] | None:
        """Address and attribute of the resource that an argument is taken from, if it is from one alone."""
        block = self._block(change)
        if block is None:
            return None
        return self._origin(change.module, _object(block.get("expressions")).get(attribute), 0)

    def provider(self, change: Change, argument: str) -> str | None:
        """An argument of the resource's provider (`project`, `region`), if it is a constant or a variable."""
        block = self._block(change)
        key = block.get("provider_config_key") if block else None
        provider = _object(self._providers.get(key)) if isinstance(key, str) else {}
        expression = _object(_object(provider.get("expressions")).get(argument))
        constant = expression.get("constant_value")
        if isinstance(constant, str):
            return constant
        names = _references(expression)
        if len(names) == 1 and names[0].startswith("var.") and not provider.get("module_address"):
            value = _object(self._variables.get(names[0].removeprefix("var."))).get("value")
            return value if isinstance(value, str) else None
        return None

    def _block(self, change: Change) -> Object | None:
        path = tuple(name for name, _ in _MODULE.findall(change.module))
        known = self._resources.get(path)
        if known is None:
            module = self._module(path)
            known = self._resources[path] = {}
            listed = module.get("resources") if module else None
            for one in listed if isinstance(listed, list) else []:
                if isinstance(one, dict) and isinstance(one.get("address"), str):
                    known[cast("str", one["address"])] = one
        local = change.address[len(change.module) + 1 :] if change.module else change.address
        found = _RESOURCE.match(local)
        return known.get(f"{found[1]}.{found[2]}") if found else None

    def _module(self, path: tuple[str, ...]) -> Object | None:
        module = self._root
        for name in path:
            call = _object(module.get("module_calls")).get(name)
            if not isinstance(call, dict):
                return None
            module = _object(call.get("module"))
        return module

    def _origin(self, scope: str, expression: Json, depth: int) -> tuple[str, str] | None:
        names = _references(_object(expression))
        if depth > _DEPTH or not names:
            return None
        whole = names[0]
        if any(whole != one and not whole.startswith((f"{one}.", f"{one}[")) for one in names[1:]):
            return None
        prefix = f"{scope}." if scope else ""
        if whole.startswith("module."):
            call = _MODULE.match(whole)
            output = whole[call.end() :] if call else ""
            if call is None or not output.isidentifier():
                return None
            inner = f"{prefix}module.{call[1]}{call[2]}"
            module = self._module(tuple(name for name, _ in _MODULE.findall(inner)))
            stated = _object(_object((module or {}).get("outputs")).get(output))
            return self._origin(inner, stated.get("expression"), depth + 1)
        if whole.startswith("var."):
            calls = list(_MODULE.finditer(scope))
            name = whole.removeprefix("var.")
            if not calls or not name.isidentifier():
                return None
            outer = scope[: calls[-1].start()].rstrip(".")
            module = self._module(tuple(one for one, _ in _MODULE.findall(outer)))
            call_block = _object(_object((module or {}).get("module_calls")).get(calls[-1][1]))
            return self._origin(outer, _object(call_block.get("expressions")).get(name), depth + 1)
        found = _RESOURCE.fullmatch(whole)
        if found is None or found[4] is None or not found[1].startswith("google_"):
            return None
        return f"{prefix}{found[1]}.{found[2]}{found[3]}", found[4]


def _references(expression: Object) -> list[str]:
    listed = expression.get("references")
    return [one for one in listed if isinstance(one, str)] if isinstance(listed, list) else []


def _object(value: object) -> Object:
    return value if isinstance(value, dict) else {}

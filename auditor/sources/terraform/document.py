"""The JSON that `terraform show -json` prints: what is planned for each resource, and what a state holds.

Format: Terraform documentation, "JSON Output Format" (format versions 0.1 to 1.x; OpenTofu prints the same).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast

from auditor.model.deferred import after_apply
from auditor.sources.terraform.configuration import Configuration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditor.model.evidence import Json

Object = dict[str, "Json"]
Action = Literal["create", "update", "replace", "delete", "keep"]
"""What a plan does with a resource; `keep` also for all that a state holds."""

_DEPTH = 100


@dataclass(frozen=True, slots=True)
class Change:
    """One managed resource: what it was, and what it will be.

    `before` and `after` are attribute values as the provider has them, None where there is no resource; in
    `after` what is known only after apply is a deferred value (`auditor.model.deferred`). `module` is the
    address of the module instance it is in, empty for the root. If it is `partial`, any attribute that is not
    in `after` may be one of those.
    """

    address: str
    module: str
    type: str
    action: Action
    before: Object | None
    after: Object | None
    partial: bool = False


@dataclass(slots=True)
class Plan:
    """A plan, or a state. `place` is where it was read, `incomplete` says what keeps it from being whole."""

    place: str
    planned: bool
    changes: list[Change]
    configuration: Configuration
    incomplete: list[str] = field(default_factory=list)


def is_document(value: Object) -> bool:
    """Whether an object is what `terraform show -json` prints."""
    return isinstance(value.get("format_version"), str) and (
        "terraform_version" in value
        or any(key in value for key in ("planned_values", "resource_changes", "configuration"))
    )


def is_raw_state(value: Object) -> bool:
    """Whether an object is a state file as Terraform stores it, which is no interface for others."""
    return isinstance(value.get("lineage"), str) and isinstance(value.get("resources"), list)


def read(value: Object, place: str) -> Plan:
    """The document as a plan; parts of it that are not as documented are named in `incomplete`."""
    configuration = Configuration(value)
    if isinstance(value.get("resource_changes"), list):
        plan = Plan(place, planned=True, changes=[], configuration=configuration)
        for index, entry in enumerate(cast("list[Json]", value["resource_changes"])):
            _change(entry, index, plan)
    elif isinstance(value.get("planned_values"), dict):
        # Without the changes nothing says which of the values that are left out are unknown: all may be.
        plan = Plan(place, planned=True, changes=[], configuration=configuration)
        plan.changes += _resources(value["planned_values"], plan)
    else:
        plan = Plan(place, planned=False, changes=[], configuration=configuration)
        plan.changes += _resources(value.get("values"), plan)
    if value.get("errored") is True:
        plan.incomplete.append("planning ended in an error")
    if value.get("complete") is False or value.get("deferred_changes"):
        plan.incomplete.append("Terraform deferred changes to a later plan")
    return plan


def _change(entry: Json, index: int, plan: Plan) -> None:
    change = entry.get("change") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(change, dict):
        plan.incomplete.append(f"resource_changes[{index}] is no change")
        return
    address, kind = entry.get("address"), entry.get("type")
    if entry.get("mode", "managed") != "managed":
        return
    if not isinstance(address, str) or not isinstance(kind, str):
        plan.incomplete.append(f"resource_changes[{index}] has no address or no type")
        return
    stated = change.get("actions")
    actions = [one for one in stated if isinstance(one, str)] if isinstance(stated, list) else []
    before, after = change.get("before"), change.get("after")
    action = _action(actions)
    if action is None:
        plan.incomplete.append(f"the actions of {address} are not understood: {actions}")
        return
    if action != "delete":
        after = _completed(after, change.get("after_unknown"), address)
        if after is None and action == "keep":
            after = before
    if entry.get("deposed") is not None and action == "delete":
        # What a replacement left behind has the address of its successor.
        address = f"{address} (deposed)"
    plan.changes.append(
        Change(
            address,
            _text(entry.get("module_address")),
            kind,
            action,
            before if isinstance(before, dict) else None,
            after if isinstance(after, dict) and action != "delete" else None,
        )
    )


def _action(actions: list[str]) -> Action | None:
    known: dict[tuple[str, ...], Action] = {
        ("no-op",): "keep",
        ("read",): "keep",
        ("forget",): "keep",
        ("create",): "create",
        ("update",): "update",
        ("delete",): "delete",
        ("create", "delete"): "replace",
        ("delete", "create"): "replace",
        ("create", "forget"): "create",
        ("forget", "create"): "create",
    }
    return known.get(tuple(actions))


def _completed(after: Json, unknown: Json, path: str, depth: int = 0) -> Json:
    """Planned values with deferred ones in the places that `after_unknown` marks."""
    if unknown is True or depth > _DEPTH:
        return after_apply(path)
    if isinstance(unknown, dict) and unknown:
        found: Object = dict(after) if isinstance(after, dict) else {}
        for key, one in unknown.items():
            mark = _completed(found.get(key), one, f"{path}.{key}", depth + 1)
            if mark is not None or key in found:
                found[key] = mark
        return found if found or isinstance(after, dict) else None
    if isinstance(unknown, list) and unknown:
        items = list(after) if isinstance(after, list) else []
        if len(items) < len(unknown):
            items += [None] * (len(unknown) - len(items))
        marked = [
            _completed(one, unknown[index], f"{path}[{index}]", depth + 1) if index < len(unknown) else one
            for index, one in enumerate(items)
        ]
        return marked if isinstance(after, list) or any(one is not None for one in marked) else None
    return after


def _resources(values: Json, plan: Plan) -> Iterator[Change]:
    """The managed resources of `values` or `planned_values`, in all modules."""
    root = values.get("root_module") if isinstance(values, dict) else None
    waiting: list[Any] = [root] if isinstance(root, dict) else []
    while waiting:
        module = waiting.pop()
        if not isinstance(module, dict):
            plan.incomplete.append("a module is no object")
            continue
        children = module.get("child_modules")
        waiting += reversed(children) if isinstance(children, list) else []
        listed = module.get("resources")
        for entry in listed if isinstance(listed, list) else []:
            address, kind = (entry.get("address"), entry.get("type")) if isinstance(entry, dict) else ("", "")
            if not isinstance(entry, dict) or not isinstance(address, str) or not isinstance(kind, str):
                plan.incomplete.append("a resource has no address or no type")
                continue
            if entry.get("mode", "managed") != "managed" or entry.get("deposed_key") is not None:
                continue
            own = entry.get("values")
            own = own if isinstance(own, dict) else {}
            yield Change(address, _text(module.get("address")), kind, "keep", own, own, partial=plan.planned)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""

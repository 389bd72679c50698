"""What a fact or a result rests on, and what kept one from being known."""

from __future__ import annotations

from auditor.model.record import record

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
"""A value as `orjson.loads` returns it."""


@record
class Evidence:
    """One observed value: the asset (full resource name) it was read from, its path there, and the value.

    `expected` is given where a single value would have satisfied the rule.
    """

    asset: str
    path: str
    observed: Json
    expected: Json = None


@record
class Unknown:
    """Why part of a fact could not be decided.

    `path` is the fact's own path as a rule spells it (`masquerade.uncovered`), `reason` one sentence that
    names what is missing and why, `hint` the command or permission that would settle it.
    """

    path: str
    reason: str
    hint: str

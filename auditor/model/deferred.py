"""Values that a Terraform plan cannot state, as they stand in resource data.

A plan leaves out what is known only after it was applied, and it knows nothing of fields that Terraform has
no argument for. Either must not be taken for the API's default. In its place stands a list of one list, which
is the value of no field of any API: whoever reads the field finds it is not of its type, hence unknown, and
`text_of` says why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditor.model.evidence import Json

_AFTER_APPLY = "known only after apply"
_NOT_PLANNED = "not part of the Terraform plan or state"


def after_apply(attribute: str) -> Json:
    """The value of an attribute (`google_compute_firewall.deny.priority`) that only applying decides."""
    return [[_AFTER_APPLY, attribute]]


def not_planned(address: str) -> Json:
    """The value of a field that the plan or state of a resource (by its address) says nothing about."""
    return [[_NOT_PLANNED, address]]


def text_of(value: object) -> str | None:
    """Such a value in words: `known only after apply (ATTRIBUTE)`; None for any other value."""
    if not isinstance(value, list) or len(value) != 1 or not isinstance(value[0], list) or len(value[0]) != 2:
        return None
    why, attribute = value[0]
    return f"{why} ({attribute})" if why in (_AFTER_APPLY, _NOT_PLANNED) else None


def more_of(items: object) -> str | None:
    """What a list says of elements that it may have beside those it shows; None if it shows all.

    In their place such a value stands among the elements.
    """
    texts = map(text_of, items) if isinstance(items, list) else ()
    return next((text for text in texts if text is not None), None)


def within(value: object) -> str | None:
    """The first such value anywhere in a value, in words; None if there is none."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        found = text_of(one)
        if found is not None:
            return found
        if isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
    return None


HINT = "state the value in the configuration and plan again, or apply the plan and scan the live inventory"
"""What settles a value that is known only after apply."""


def is_about(text: str) -> bool:
    """Whether a sentence tells of such a value."""
    return _AFTER_APPLY in text or _NOT_PLANNED in text


def hint(text: str, otherwise: str) -> str:
    """What settles the doubt that a sentence tells of: `otherwise`, unless it is about such a value."""
    return HINT if is_about(text) else otherwise

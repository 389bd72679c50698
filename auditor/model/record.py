"""Frozen dataclasses that are made quickly."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from typing import Any, TypeVar

T = TypeVar("T")

_SET_CLASS = object.__dict__["__class__"].__set__


def quick(kind: type[T]) -> type[T]:
    """The frozen, slotted dataclass with an `__init__` that takes half the time.

    A frozen dataclass sets each of its fields through `object.__setattr__`, and an audit of a large
    organisation makes millions of them: a tenth of its time. Here an object is of a dataclass that is not
    frozen, and has the same fields, while they are set; it is of `kind` from then on. Raises TypeError for a
    dataclass whose `__init__` does more than to set its fields.
    """
    own = fields(kind)  # type: ignore[arg-type]  # the type of a dataclass has no name
    if hasattr(kind, "__post_init__") or any(
        one.default_factory is not MISSING or one.kw_only or not one.init for one in own
    ):
        raise TypeError(f"{kind.__name__} needs its own __init__")
    draft: type = dataclass(slots=True)(
        type(kind.__name__, (), {"__annotations__": {one.name: "" for one in own}})
    )
    names = [one.name for one in own]
    source = (
        f"def __init__(self, {', '.join(names)}):\n"
        " __begin__(self, __draft__)\n"
        f"{''.join(f' self.{name} = {name}' + chr(10) for name in names)}"
        " self.__class__ = __kind__\n"
    )
    # As `dataclasses` itself does; what stands in the source are names of fields, and names that none has.
    made: dict[str, Any] = {"__begin__": _SET_CLASS, "__draft__": draft, "__kind__": kind}
    exec(source, made)  # noqa: S102
    init = made["__init__"]
    init.__defaults__ = tuple(one.default for one in own if one.default is not MISSING)
    init.__annotations__ = kind.__init__.__annotations__
    init.__qualname__ = f"{kind.__qualname__}.__init__"
    init.__module__ = kind.__module__
    setattr(kind, "__init__", init)  # noqa: B010 -- a plain assignment to __init__ is no type's
    return kind

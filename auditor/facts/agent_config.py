"""The configuration file of ip-masq-agent, read the way the agent reads it.

Source for every rule here: kubernetes-sigs/ip-masq-agent, cmd/ip-masq-agent/ip-masq-agent.go. The agent hands
text that begins with `{` to Go's JSON decoder and turns anything else from YAML into JSON first. A file it
rejects leaves the previous configuration in force, which nobody outside can know; so all that this module
does not surely understand is rejected too.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditor.model.cidr import Cidr, parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    import yaml

_CIDR_LIMIT = 64
_LONGEST_DEFAULT_LIST = 11
_LONGEST_TEXT = 1 << 20

_CIDRS = "nonmasqueradecidrs"
_LIMIT = "cidrlimit"
_LINK_LOCAL = "masqlinklocal"
_LINK_LOCAL_IPV6 = "masqlinklocalipv6"
_RESYNC = "resyncinterval"

# Go's ParseDuration, short of what could overflow it.
_DURATION = re.compile(
    r"[-+]?(?:0|(?:(?:[0-9]{1,5}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})(?:ns|us|µs|μs|ms|s|m|h)){1,6})"
)
_INTEGER = re.compile(r"0|[-+]?[1-9][0-9]{0,17}")
_TRUE = frozenset(("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "y", "Y"))
_FALSE = frozenset(("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", "n", "N"))
_NULL = frozenset(("", "~", "null", "Null", "NULL"))


class RejectedError(Exception):
    """The agent rejects the file, or it cannot be told whether it does; the message says why."""


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """A configuration in force.

    `cidrs` is the list of the file, None if the file leaves the agent's default list in force.
    `masquerade_link_local` says whether packets to IPv4 link-local addresses are translated.
    """

    cidrs: tuple[Cidr, ...] | None
    masquerade_link_local: bool = False


@dataclass(frozen=True, slots=True)
class _Number:
    """An integer that is certainly one to the agent."""

    value: int


_Value = None | bool | str | _Number | list["_Value"] | object


def read(text: str) -> AgentConfig:
    """The configuration that the text spells. Raises RejectedError if there is none."""
    if len(text) > _LONGEST_TEXT:
        raise RejectedError("it is longer than a ConfigMap may be")
    pairs = _json_pairs(text) if text.lstrip().startswith("{") else _yaml_pairs(text)
    cidrs: tuple[Cidr, ...] | None = None
    limit = _CIDR_LIMIT
    flags = {_LINK_LOCAL: False, _LINK_LOCAL_IPV6: False}
    for key, value in pairs:
        # Go's decoder matches names without regard to case, and each match overwrites the field.
        field = key.casefold()
        if field == _CIDRS:
            cidrs = _cidrs(key, value)
        elif field == _LIMIT:
            if isinstance(value, _Number):
                limit = value.value
            elif value is not None:
                raise RejectedError(f"`{key}` is not an integer")
        elif field in flags:
            if isinstance(value, bool):
                flags[field] = value
            elif value is not None:
                raise RejectedError(f"`{key}` is neither true nor false")
        elif field == _RESYNC and not (isinstance(value, str) and _DURATION.fullmatch(value)):
            raise RejectedError(f"`{key}` is not a duration such as 60s")
    if cidrs is not None and len(cidrs) > limit:
        raise RejectedError(f"it lists {len(cidrs)} ranges, and the agent accepts {limit}")
    # The limit holds for the default list too.
    if cidrs is None and limit < _LONGEST_DEFAULT_LIST:
        raise RejectedError(f"its limit of {limit} ranges may be below the agent's default list")
    return AgentConfig(cidrs, flags[_LINK_LOCAL])


def _cidrs(key: str, value: _Value) -> tuple[Cidr, ...]:
    if value is None:
        # A Go slice: null makes it empty, and everything is translated.
        return ()
    if not isinstance(value, list):
        raise RejectedError(f"`{key}` is not a list")
    found = []
    for one in value:
        cidr = parse(one) if isinstance(one, str) else None
        if cidr is None:
            raise RejectedError(f"`{key}` holds {_show(one)}, which is not a range in CIDR form")
        if not cidr.aligned:
            raise RejectedError(
                f"`{key}` holds {_show(one)}, which is not aligned to its prefix ({cidr.text})"
            )
        if cidr.family == 6 and cidr.first >> 32 == 0xFFFF:
            raise RejectedError(f"`{key}` holds {_show(one)}, an IPv4 range in IPv6 form")
        found.append(cidr)
    return tuple(found)


def _show(value: _Value) -> str:
    return f"`{value[:60]}`" if isinstance(value, str) else "a value that is no string"


def _json_pairs(text: str) -> list[tuple[str, _Value]]:
    """The members in the order of the text, repeated ones included."""

    def refuse(constant: str) -> object:
        raise RejectedError(f"`{constant}` is not JSON")

    try:
        found = json.loads(
            text.strip(" \t\r\n"),
            object_pairs_hook=_Members,
            parse_int=lambda digits: _Number(int(digits)) if len(digits) < 18 else object(),
            parse_constant=refuse,
        )
    except (ValueError, RecursionError) as error:
        raise RejectedError(f"it is not valid JSON ({_first_line(error)})") from None
    if not isinstance(found, _Members):
        raise RejectedError("it is not a JSON object")
    return found.pairs


class _Members:
    """A JSON object as the list of its members."""

    def __init__(self, pairs: list[tuple[str, _Value]]) -> None:
        self.pairs = pairs


def _yaml_pairs(text: str) -> list[tuple[str, _Value]]:
    """The members of the first document in the order in which Go writes a map as JSON: by key."""
    import yaml

    try:
        found = _document(yaml.parse(text, Loader=yaml.CSafeLoader))
    except (yaml.YAMLError, ValueError) as error:
        raise RejectedError(f"it is not valid YAML ({_first_line(error)})") from None
    try:
        return sorted(found.items(), key=lambda member: member[0].encode())
    except UnicodeEncodeError:
        raise RejectedError("it is not valid UTF-8") from None


def _document(events: Iterator[yaml.Event]) -> dict[str, _Value]:
    """The top-level mapping, from the parser's events.

    Only plain values and lists of plain values are taken: nesting without end and aliases that multiply are
    refused where they begin, and dates and the like are never built.
    """
    from yaml import events as kinds

    for event in events:
        if isinstance(event, kinds.StreamStartEvent | kinds.DocumentStartEvent):
            continue
        if isinstance(event, kinds.MappingStartEvent) and event.tag is None:
            break
        if isinstance(event, kinds.StreamEndEvent) or (
            isinstance(event, kinds.ScalarEvent) and _scalar(event) is None
        ):
            # Nothing, or null: no field is set.
            _finish(events)
            return {}
        raise RejectedError("it is not a mapping")
    found: dict[str, _Value] = {}
    for event in events:
        if isinstance(event, kinds.MappingEndEvent):
            break
        if not isinstance(event, kinds.ScalarEvent) or event.value == "<<":
            raise RejectedError("a key is not a plain name")
        key, value = event.value, next(events)
        if isinstance(value, kinds.ScalarEvent):
            found[key] = _scalar(value)
        elif isinstance(value, kinds.SequenceStartEvent) and value.tag is None:
            found[key] = items = []
            for item in events:
                if isinstance(item, kinds.SequenceEndEvent):
                    break
                if not isinstance(item, kinds.ScalarEvent):
                    raise RejectedError(f"`{key[:60]}` holds something that is not a plain value")
                items.append(_scalar(item))
        else:
            raise RejectedError(f"`{key[:60]}` is neither a plain value nor a list of such")
    _finish(events)
    return found


def _finish(events: Iterator[yaml.Event]) -> None:
    """Read to the end of the first document, the only one that the agent reads."""
    from yaml import events as kinds

    for event in events:
        if isinstance(event, kinds.DocumentEndEvent | kinds.StreamEndEvent):
            return


def _scalar(event: yaml.ScalarEvent) -> _Value:
    """A scalar as the agent's YAML library resolves it; an object of no type where that is not certain."""
    value: str = event.value
    if event.tag is not None:
        return value if event.tag == "tag:yaml.org,2002:str" else object()
    if not event.implicit[0]:
        return value
    if value in _NULL:
        return None
    if value in _TRUE:
        # `y` alone has been a bool in some releases of the library and text in others.
        return object() if value in ("y", "Y") else True
    if value in _FALSE:
        return object() if value in ("n", "N") else False
    if _INTEGER.fullmatch(value):
        return _Number(int(value))
    return value


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:120]

"""The snapshot file: what a collection read, and from where, in a form that proves its own completeness.

Newline-delimited JSON. The first line is the header:

    {"kind": "gke-auditor/snapshot/v1", "tool": "gke-auditor 0.1.0", "scopes": ["organizations/99"],
     "read_time": "2026-11-20T02:00:00Z", "asset_types": ["container.googleapis.com/Cluster", …], "gaps": […]}

`asset_types` are the types that were asked for and listed to their end in every scope, so that one of which
no asset follows does not exist there; `gaps` say what could not be read ({"scope", "asset_type", "reason",
"hint"}). A gap about an asset type withdraws that type for its scope. Three optional keys: `listed` holds
what was listed to its end elsewhere than in the scopes ({"scope", "asset_types"}: another project, or, for
Kubernetes objects, a cluster by its full resource name), `hierarchies` the organizations of which every
firewall policy of the organization itself and of its folders was read, `counts` the number of assets by
type. Then come the assets, one a line, in the envelope of Cloud Asset Inventory, each name once, and answers
of getEffectiveFirewalls, each with the keys `network` and `region`. The last line closes the file:

    {"kind": "gke-auditor/snapshot-end/v1", "counts": {"container.googleapis.com/Cluster": 41, …},
     "digest": "sha256:…"}

with the number of assets by type and the SHA-256 over every byte before that line.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import orjson

from auditor import __version__
from auditor.errors import SourceError
from auditor.model.inventory import Gap

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from auditor.model.evidence import Json

KIND = "gke-auditor/snapshot/v1"
END = "gke-auditor/snapshot-end/v1"
FAMILY = "gke-auditor/snapshot"

_AGAIN = "collect it again with `gke-auditor collect`; a snapshot is not meant to be edited"


@dataclass(frozen=True, slots=True)
class Header:
    """What a snapshot says of itself. `read_time` is RFC 3339, empty if it is not stated."""

    scopes: tuple[str, ...]
    asset_types: frozenset[str]
    read_time: str = ""
    gaps: tuple[Gap, ...] = ()
    tool: str = f"gke-auditor {__version__}"
    listed: tuple[tuple[str, frozenset[str]], ...] = ()
    hierarchies: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)


def write(header: Header, assets: Iterable[dict[str, Json]]) -> Iterator[bytes]:
    """The lines of a snapshot, each with its line feed. Assets stay in the order given, each name once."""
    names: set[Json] = set()

    def lines() -> Iterator[tuple[str, bytes]]:
        for asset in assets:
            if asset.get("name") not in names:
                names.add(asset.get("name"))
                yield str(asset.get("assetType")), orjson.dumps(asset, option=orjson.OPT_APPEND_NEWLINE)

    return write_lines(header, lines())


def write_lines(header: Header, lines: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
    """The lines of a snapshot, each with its line feed, from those of its assets with their types.

    An empty type is that of a line which is no asset.
    """
    digest = hashlib.sha256()
    counts: dict[str, int] = {}
    first: dict[str, Json] = {
        "kind": KIND,
        "tool": header.tool,
        "scopes": list(header.scopes),
        "read_time": header.read_time,
        "asset_types": cast("list[Json]", sorted(header.asset_types)),
        "gaps": [
            {"scope": gap.scope, "asset_type": gap.asset_type, "reason": gap.reason, "hint": gap.hint}
            for gap in header.gaps
        ],
    }
    if header.listed:
        first["listed"] = [
            {"scope": scope, "asset_types": cast("list[Json]", sorted(types))}
            for scope, types in header.listed
        ]
    if header.hierarchies:
        first["hierarchies"] = list(header.hierarchies)
    if header.counts:
        first["counts"] = dict(header.counts)
    line = orjson.dumps(first, option=orjson.OPT_APPEND_NEWLINE)
    digest.update(line)
    yield line
    for kind, line in lines:
        if kind:
            counts[kind] = counts.get(kind, 0) + 1
        digest.update(line)
        yield line
    last = {"kind": END, "counts": counts, "digest": f"sha256:{digest.hexdigest()}"}
    yield orjson.dumps(last, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def header(value: dict[str, Json], place: str) -> Header:
    """The header that a line holds. `SourceError` if it is of another version or malformed."""
    if value.get("kind") != KIND:
        raise SourceError(
            f"is a snapshot of the form {str(value.get('kind'))[:80]!r}, and this version reads {KIND}",
            hint="update gke-auditor, or collect the snapshot again with this version",
            place=place,
        )
    scopes, types, gaps = value.get("scopes"), value.get("asset_types"), value.get("gaps", [])
    listed, hierarchies = value.get("listed", []), value.get("hierarchies", [])
    time = value.get("read_time") or ""
    if not (
        _texts(scopes)
        and _texts(types)
        and _texts(hierarchies)
        and isinstance(gaps, list)
        and isinstance(listed, list)
        and isinstance(time, str)
    ):
        raise SourceError("the header of the snapshot is malformed", hint=_AGAIN, place=place)
    return Header(
        scopes=tuple(cast("list[str]", scopes)),
        asset_types=frozenset(cast("list[str]", types)),
        read_time=time,
        gaps=tuple(_gap(one, place) for one in gaps),
        tool=str(value.get("tool") or ""),
        listed=tuple(_listed(one, place) for one in listed),
        hierarchies=tuple(cast("list[str]", hierarchies)),
    )


def _listed(value: Json, place: str) -> tuple[str, frozenset[str]]:
    scope, types = (value.get("scope"), value.get("asset_types")) if isinstance(value, dict) else (None, None)
    if isinstance(scope, str) and _texts(types):
        return scope, frozenset(cast("list[str]", types))
    raise SourceError("what the header says was listed is malformed", hint=_AGAIN, place=place)


def _texts(value: Json) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _gap(value: Json, place: str) -> Gap:
    gap = value if isinstance(value, dict) else {}
    scope, kind, reason, hint = (gap.get(name) for name in ("scope", "asset_type", "reason", "hint"))
    if (
        isinstance(scope, str)
        and isinstance(reason, str)
        and isinstance(hint, str)
        and (kind is None or isinstance(kind, str))
    ):
        return Gap(scope, kind, reason, hint)
    raise SourceError("a gap in the header of the snapshot is malformed", hint=_AGAIN, place=place)


@dataclass(slots=True)
class Check:
    """Follows a snapshot line by line and holds its closing line to what was there."""

    place: str
    header: Header
    _digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    _counts: dict[str, int] = field(default_factory=dict)

    def line(self, raw: bytes) -> None:
        """A line of the snapshot, its line feed included."""
        self._digest.update(raw)

    def asset(self, asset_type: str) -> None:
        """An asset of the snapshot."""
        self._counts[asset_type] = self._counts.get(asset_type, 0) + 1

    def close(self, value: dict[str, Json], place: str) -> None:
        """Compare with the closing line. `SourceError` if anything was lost or changed."""
        counts = value.get("counts")
        if counts != self._counts:
            stated = counts if isinstance(counts, dict) else {}
            off = sorted(
                str(kind) for kind in {*stated, *self._counts} if stated.get(kind) != self._counts.get(kind)
            )
            raise SourceError(
                f"the closing line counts other assets than there are, of: {', '.join(off) or 'no type'}",
                hint=_AGAIN,
                place=place,
            )
        if value.get("digest") != f"sha256:{self._digest.hexdigest()}":
            raise SourceError(
                "the snapshot was changed after it was written: its digest does not match",
                hint=_AGAIN,
                place=place,
            )

    def cut_short(self) -> SourceError:
        """The error for a snapshot that ends without its closing line."""
        return SourceError(
            "the snapshot ends without its closing line: it was cut short",
            hint="copy it again, or collect it again with `gke-auditor collect`",
            place=self.place,
        )

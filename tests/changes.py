"""Scans of small organisations at different times, for tests of what changed between them."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditor import bundled
from auditor.audit import audit, rules_digest
from auditor.engine.evaluate import Judge
from auditor.engine.load import find_packs, load_packs
from auditor.engine.waivers import Waiver, Waivers
from auditor.model import inventory as model
from auditor.reporting import FORMATS
from auditor.sources import load
from auditor.sources.snapshot import Header, write
from auditor.sources.wording import USED
from tests.engine.builders import rule
from tests.engine.builders import write as write_pack
from tests.sources import assets as make

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from auditor.engine.load import LoadedPack
    from auditor.engine.result import Report

RULE = "intranode-visibility-disabled"
FORMS = ("json", "ndjson", "sarif-full")

# Keys of a rule of its own, which change between scans.
ON = "checks: [{expect: cluster.networkConfig.enableIntraNodeVisibility, message: Off.}]"
RENAMED = "since: 1.0.0\naliases: [visible]"
NAMED = ON.replace("Visibility,", "Visibility || cluster.name == 'c',")
NUMBERS = {"pay": "41", "shop": "42", "new-pay": "43"}


def ancestors(project: str) -> list[str]:
    """Where a project stands."""
    return [f"projects/{NUMBERS[project]}", "folders/55", make.ORGANIZATION]


def cluster(
    name: str = "c",
    project: str = "pay",
    *,
    on: bool = False,
    by_number: bool = False,
    location: str = "locations/europe-west1-b",
    **fields: Any,
) -> make.Asset:
    """A cluster of which visibility is off, unless it is `on`."""
    network = {"network": make.NETWORK, "subnetwork": make.SUBNETWORK, "enableIntraNodeVisibility": on}
    called = NUMBERS[project] if by_number else project
    data = make.cluster_data(name, **{"networkConfig": network, **fields})
    found = make.cluster(name, project=called, location=location, data=data)
    return {**found, "ancestors": ancestors(project)}


def project(name: str) -> make.Asset:
    """The asset of a project."""
    path = f"//cloudresourcemanager.googleapis.com/projects/{name}"
    data = {"projectId": name, "projectNumber": NUMBERS[name]}
    return make.asset(model.PROJECT, path, data, ancestors=ancestors(name))


@cache
def packs() -> tuple[LoadedPack, ...]:
    """The rules that ship."""
    return tuple(load_packs(find_packs(bundled.rules())))


@dataclass
class Scan:
    """One scan: its report, and the project numbers of its inventory."""

    report: Report
    numbers: Mapping[str, str]

    def write(self, path: Path, form: str = "json") -> str:
        """Write the report; the path."""
        path.write_bytes(b"".join(FORMATS[form](self.report)))
        return str(path)


def scan(
    assets: Sequence[make.Asset],
    *,
    time: str = make.TIME,
    snapshot: bool = True,
    scope: str = make.ORGANIZATION,
    gaps: tuple[model.Gap, ...] = (),
    complete: bool = False,
    lost: bytes = b"",
    only: frozenset[str] = frozenset({RULE}),
    own: Sequence[LoadedPack] | None = None,
    parameters: Mapping[str, Any] | None = None,
    waived: bool = False,
) -> Scan:
    """A scan of assets: of a snapshot of the organisation, or of a plain export; `lost` are further bytes."""
    rules = packs() if own is None else tuple(own)
    judge = Judge(rules, only=only if own is None else None, parameters=parameters)
    with tempfile.TemporaryDirectory() as folder:
        if snapshot:
            header = Header((scope,), frozenset(USED), time, gaps)
            content = b"".join(write(header, assets))
        else:
            content = make.ndjson({**one, "updateTime": time} for one in assets) + lost
        source = make.write(Path(folder) / "assets.json", content)
        inventory = load([source], complete=complete)
        accepted = Waivers()
        if waived:
            accepted = Waivers((Waiver(RULE, "*", "ok", "me", datetime(2030, 1, 1, tzinfo=UTC).date()),))
        report = audit(
            inventory,
            judge,
            accepted,
            now=datetime(2026, 11, 22, tzinfo=UTC),
            rules_digest=rules_digest(rules),
        )
        return Scan(report, inventory.project_numbers)


def gap(scope: str, kind: str | None = model.CLUSTER) -> model.Gap:
    """A gap of a collection."""
    return model.Gap(scope, kind, "PERMISSION_DENIED", "grant roles/cloudasset.viewer")


def own(tmp_path: Path, name: str = "visible", **keys: str) -> Sequence[LoadedPack]:
    """A pack with one rule, of which the keys given are replaced."""
    text = rule(id=f"id: {name}", **keys)
    return load_packs([write_pack(tmp_path / f"pack-{len(list(tmp_path.iterdir()))}", **{name: text})])

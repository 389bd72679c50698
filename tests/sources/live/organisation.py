"""A small organisation as Google Cloud would serve it, and what a snapshot made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import zstandard

from auditor.model import inventory as model
from tests.sources import assets as make

if TYPE_CHECKING:
    from pathlib import Path

ORGANIZATION = make.ORGANIZATION
HOST = "host"


def organisation(clusters: int = 12, firewalls: int = 30) -> list[make.Asset]:
    """An organization with a folder, a host and a service project, a network, policies, rules, clusters."""
    above = ["folders/55", ORGANIZATION]
    manager = "//cloudresourcemanager.googleapis.com"
    found = [
        make.asset(
            model.ORGANIZATION, f"{manager}/{ORGANIZATION}", {"displayName": "e"}, ancestors=[ORGANIZATION]
        ),
        make.asset(model.FOLDER, f"{manager}/folders/55", {"displayName": "f"}, ancestors=above),
        *(
            make.asset(
                model.PROJECT,
                f"{manager}/projects/{project}",
                {"projectId": project, "projectNumber": number},
                ancestors=[f"projects/{number}", *above],
            )
            for project, number in ((HOST, "4321"), ("svc", make.NUMBER))
        ),
        _hosted(make.network()),
        _hosted(make.subnetwork()),
        make.policy(),
    ]
    found += [_hosted(make.firewall(f"allow-{index:03d}")) for index in range(firewalls)]
    for index in range(clusters):
        cluster = make.cluster(f"c{index:03d}")
        found += [cluster, make.node_pool(cluster, "default-pool")]
    return found


def _hosted(asset: make.Asset) -> make.Asset:
    return {**asset, "ancestors": ["projects/4321", "folders/55", ORGANIZATION]}


def names(assets: list[make.Asset]) -> list[str]:
    """The names, sorted."""
    return sorted(asset["name"] for asset in assets)


class Snapshot:
    """A snapshot file, taken apart."""

    def __init__(self, path: Path) -> None:
        raw = path.read_bytes()
        if raw.startswith(b"\x28\xb5\x2f\xfd"):
            raw = zstandard.ZstdDecompressor().decompressobj().decompress(raw)
        lines = [orjson.loads(line) for line in raw.splitlines()]
        self.header: dict[str, Any] = lines[0]
        self.end: dict[str, Any] = lines[-1]
        self.assets: list[dict[str, Any]] = [line for line in lines[1:-1] if "assetType" in line]
        self.others: list[dict[str, Any]] = [line for line in lines[1:-1] if "assetType" not in line]

    @property
    def names(self) -> list[str]:
        return [asset["name"] for asset in self.assets]

    @property
    def gaps(self) -> list[dict[str, Any]]:
        return list(self.header["gaps"])

    def asset(self, name: str) -> dict[str, Any]:
        (found,) = [asset for asset in self.assets if asset["name"] == name]
        return found

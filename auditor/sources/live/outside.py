"""What lies outside a scope and matters inside it: host projects of Shared VPC, policies of the ancestors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from auditor.model import inventory as model
from auditor.model.names import canonical, project_of, region_of
from auditor.sources.live.listing import Listing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditor.sources.live.state import State

HOST_TYPES = (
    (model.NETWORK, model.SUBNETWORK, model.PROJECT),
    (model.FIREWALL,),
    (model.FIREWALL_POLICY, model.ADDRESS_GROUP),
)
"""What is read of a host project."""

ABOVE_TYPES = (model.FIREWALL_POLICY, model.ADDRESS_GROUP)
"""What is read of the ancestors: their own policies and groups, and nothing of the projects below them."""

ABOVE = "above"
"""The purpose of a listing of ancestors."""


def is_above(name: str) -> bool:
    """Whether an asset belongs to an organization or folder itself, and not to a project."""
    return not canonical(name).startswith("projects/")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The projects of the clusters' networks, and which of them the scopes do not hold."""

    networks: frozenset[str]
    outside: tuple[str, ...]


def surroundings(state: State, scopes: Sequence[str]) -> Surroundings:
    """Which projects the networks of the clusters belong to, as far as the clusters say."""
    found: set[str] = set()
    for _, body in state.bodies(model.CLUSTER):
        network = _network(orjson.loads(body))
        if network:
            found.add(project_of(network))
    within = set(scopes)
    outside = [
        project
        for project in sorted(found)
        if f"projects/{project}" not in within and within.isdisjoint(state.ancestors(project))
    ]
    return Surroundings(frozenset(found), tuple(outside))


def _network(asset: Any) -> str:
    data = (asset.get("resource") or {}).get("data") or {}
    config = data.get("networkConfig")
    stated = config.get("network") if isinstance(config, dict) else None
    reference = canonical(stated) if isinstance(stated, str) else ""
    return reference if project_of(reference) else ""


def hosts(around: Surroundings) -> list[Listing]:
    """The listings of the host projects outside the scopes."""
    return [
        Listing(f"projects/{project}", types, "host") for project in around.outside for types in HOST_TYPES
    ]


def ancestors(state: State, around: Surroundings, scopes: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The organizations above the networks' projects that are not scopes, each with the folders below it.

    Folders come from the top down, without those that are scopes. A network's project of unknown place stands
    where the clusters' projects stand at the top: Shared VPC does not leave the organization.
    """
    found: dict[str, dict[str, None]] = {}
    projects = set(around.networks)
    projects.update(scope.removeprefix("projects/") for scope in scopes if scope.startswith("projects/"))
    projects.update(
        project_of(canonical(orjson.loads(body)["name"])) for _, body in state.bodies(model.CLUSTER)
    )
    for project in sorted(projects):
        chain = state.ancestors(project)
        if not chain or not chain[-1].startswith("organizations/") or chain[-1] in scopes:
            continue
        folders = found.setdefault(chain[-1], {})
        if project in around.networks:
            folders.update(
                dict.fromkeys(
                    one for one in reversed(chain) if one.startswith("folders/") and one not in scopes
                )
            )
    return {organization: tuple(folders) for organization, folders in sorted(found.items())}


def above(organization: str) -> Listing:
    """The listing of what an organization and its folders have of their own."""
    return Listing(organization, ABOVE_TYPES, ABOVE, is_above)


def of_folder(folder: str) -> Listing:
    """The listing of what a folder and those below it have of their own."""
    return Listing(folder, (model.FIREWALL_POLICY,), ABOVE, is_above)


def undecided(state: State, read: set[str]) -> set[tuple[str, str]]:
    """The networks of clusters whose policies were not all read, each globally and in the clusters' regions.

    `read` are the organizations, folders and projects of which every policy was.
    """
    found: set[tuple[str, str]] = set()
    for _, body in state.bodies(model.CLUSTER):
        asset = orjson.loads(body)
        network = _network(asset)
        if not network:
            continue
        project = project_of(network)
        chain = state.ancestors(project)
        own = not read.isdisjoint((f"projects/{project}", *chain))
        if own and chain and chain[-1] in read:
            continue
        location = canonical(asset["name"]).split("/")[3]
        found.update(((network, ""), (network, region_of(location))))
    return found

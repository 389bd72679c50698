"""What clusters refer to and the input does not hold, as gaps with the command that closes each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.model.inventory import (
    ADDRESS_GROUP,
    CLUSTER,
    FIREWALL,
    FIREWALL_POLICY,
    NETWORK,
    NODE_POOL,
    ORGANIZATION,
    SUBNETWORK,
    Gap,
)
from auditor.model.names import last, project_of
from auditor.sources import wording

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from auditor.sources.inventory import AssetInventory


def gaps(
    inventory: AssetInventory,
    networks: Mapping[str, str],
    subnetworks: Mapping[str, Sequence[str]],
    without_data: Sequence[str],
    without_pools: Sequence[str],
) -> list[Gap]:
    """The gaps of an inventory whose clusters (by key) use these networks and subnetworks.

    One gap for each thing that is missing, whatever the number of clusters that need it, in a fixed order.
    """
    if not inventory.clusters:
        return [
            Gap(
                inventory.scope,
                CLUSTER,
                "no cluster is in the input",
                f"export clusters: `{wording.export(wording.USED)}`, or `gcloud container clusters list "
                "--project=PROJECT --format=json`",
            )
        ]
    found: list[Gap] = []
    if without_data:
        found.append(
            Gap(
                inventory.scope,
                CLUSTER,
                f"{wording.count(len(without_data), 'cluster')} without usable data: {_short(without_data)}",
                f"export with the content: `{wording.export([CLUSTER])}`",
            )
        )
    if without_pools:
        found.append(
            Gap(
                inventory.scope,
                NODE_POOL,
                f"the node pools of {wording.count(len(without_pools), 'cluster')} are not in the input: "
                f"{_short(without_pools)}",
                f"export this type too: `{wording.export([NODE_POOL])}`, or add the output of "
                f"`{wording.describe(without_pools[0])}`",
            )
        )
    used = _users(networks)
    found += _references(NETWORK, used, inventory.networks)
    found += _references(
        SUBNETWORK,
        _users({(key, one): one for key, many in subnetworks.items() for one in many}),
        inventory.subnetworks,
    )
    unknown = [key for key, network in networks.items() if not network]
    if unknown:
        found.append(
            Gap(
                inventory.scope,
                CLUSTER,
                f"{wording.count(len(unknown), 'cluster')} without networkConfig.network, whose network is "
                f"hence not known: {_short(unknown)}",
                f"read them from the API: `{wording.describe(unknown[0])}`",
            )
        )
    found += _firewall(inventory, used)
    found += _hierarchy(inventory, used)
    found += _address_groups(inventory)
    return found


def _short(keys: Sequence[str]) -> str:
    return wording.some(["/".join(key.split("/")[1::2]) for key in keys])


def _users(references: Mapping[str, str] | Mapping[tuple[str, str], str]) -> dict[str, list[str]]:
    """The clusters that use each thing."""
    users: dict[str, list[str]] = {}
    for key, reference in references.items():
        if reference:
            users.setdefault(reference, []).append(key if isinstance(key, str) else key[0])
    return dict(sorted(users.items()))


def _references(kind: str, users: Mapping[str, Sequence[str]], there: Mapping[str, object]) -> list[Gap]:
    return [
        Gap(
            f"//compute.googleapis.com/{reference}",
            kind,
            f"the {wording.noun(kind)} of {wording.count(len(clusters), 'cluster')} ({_short(clusters)}) is "
            f"not in the input; it belongs to project {project_of(reference)}",
            f"export that project too, or add the output of `{wording.describe(reference)}`",
        )
        for reference, clusters in users.items()
        if reference not in there
    ]


def _firewall(inventory: AssetInventory, networks: Iterable[str]) -> list[Gap]:
    """Projects whose firewall rules or policies were not read; one gap if that is so of all of them."""
    found: list[Gap] = []
    coverage = inventory.coverage
    projects = sorted({project_of(one) for one in networks if one not in inventory.effective})
    for kind in (FIREWALL, FIREWALL_POLICY):
        blind = [project for project in projects if not coverage.read(kind, project)]
        if not blind:
            continue
        if blind == projects and len({coverage.why_not(kind, one).reason for one in blind}) == 1:
            found.append(coverage.why_not(kind, "" if len(blind) > 1 else blind[0]))
        else:
            found += [coverage.why_not(kind, project) for project in blind]
    return found


def _hierarchy(inventory: AssetInventory, networks: Iterable[str]) -> list[Gap]:
    """Organizations whose policies above the networks' projects were not read."""
    coverage = inventory.coverage
    roots: dict[str, list[str]] = {}
    for network in networks:
        project = project_of(network)
        if network in inventory.effective or coverage.hierarchy_read(project):
            continue
        above = inventory.ancestors.get(project)
        root = above[-1] if above else ""
        projects = roots.setdefault(root, [])
        if project not in projects:
            projects.append(project)
    found: list[Gap] = []
    for root, projects in sorted(roots.items()):
        organization = root if root.startswith("organizations/") else ""
        if root:
            reason = (
                f"the policies of the folders and the organization above {_projects(projects)} were not read"
            )
        else:
            reason = (
                f"the place of {_projects(projects)} in the hierarchy is unknown, and so are its policies"
            )
        found.append(
            Gap(
                root or inventory.scope,
                ORGANIZATION if root else FIREWALL_POLICY,
                reason,
                f"export the whole organization: `{wording.export(wording.USED, organization)}`; or, if the "
                "input holds every asset of the organization, say so with --complete; or add `gcloud compute "
                "networks get-effective-firewalls NETWORK --project=PROJECT --format=json`",
            )
        )
    return found


def _projects(projects: Sequence[str]) -> str:
    return f"project {projects[0]}" if len(projects) == 1 else f"projects {wording.some(sorted(projects))}"


def _address_groups(inventory: AssetInventory) -> list[Gap]:
    users: dict[str, str] = {}
    answers = [one for many in inventory.effective.values() for answer in many for one in answer.policies]
    for policy in (*inventory.policies, *answers):
        for rule in policy.rules:
            for end in (rule.source, rule.destination):
                for group in end.address_groups:
                    users.setdefault(group, policy.asset)
    return [
        Gap(
            f"//networksecurity.googleapis.com/{group}",
            ADDRESS_GROUP,
            f"the firewall policy {last(asset)} refers to the address group, which is not in the input",
            f"export this type too: `{wording.export([ADDRESS_GROUP])}`",
        )
        for group, asset in sorted(users.items())
        if group not in inventory.address_groups
    ]

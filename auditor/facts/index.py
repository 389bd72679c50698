"""What the facts of all clusters look up in the inventory, each looked up once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.model.evidence import Evidence
from auditor.model.inventory import CLUSTER, TAG_BINDING
from auditor.model.names import region_of

if TYPE_CHECKING:
    from auditor.model.inventory import Gap, Inventory
    from auditor.model.network import Network, Subnetwork

_NUMBER_PREFIX = "projects/"


class Index:
    """Look-ups over one inventory, remembered: many clusters share networks, projects and locations."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self._keys: dict[str, str] = {}
        self._regions: dict[str, str] = {}
        self._numbers: dict[str, str | None] = {}
        self._tag_gaps: dict[str, Gap | None] = {}
        self._flow_logs: dict[str, Evidence] = {}
        self._mtus: dict[str, Evidence] = {}
        self._id_of = dict(inventory.project_numbers)
        self._number_of = {project: number for number, project in self._id_of.items()}

    def key(self, reference: str) -> str:
        """A reference of any spelling as a key of the inventory's mappings."""
        key = self._keys.get(reference)
        if key is None:
            key = self._keys[reference] = self.inventory.resolve(reference)
        return key

    def subnetwork(self, key: str) -> Subnetwork | None:
        """The subnetwork with this key, None if the inventory does not hold it."""
        return self.inventory.subnetworks.get(key)

    def network(self, key: str) -> Network | None:
        """The network with this key, None if the inventory does not hold it."""
        return self.inventory.networks.get(key)

    def flow_logs_evidence(self, subnetwork: Subnetwork) -> Evidence:
        """What the subnetwork says about flow logs, one object for all the clusters in it."""
        found = self._flow_logs.get(subnetwork.key)
        if found is None:
            found = Evidence(subnetwork.asset, "logConfig.enable", subnetwork.flow_logs.enabled)
            self._flow_logs[subnetwork.key] = found
        return found

    def mtu_evidence(self, network: Network) -> Evidence:
        """What the network says about its MTU, one object for all the clusters in it."""
        found = self._mtus.get(network.key)
        if found is None:
            found = self._mtus[network.key] = Evidence(network.asset, "mtu", network.mtu)
        return found

    def region(self, location: str) -> str:
        """The region of a zone or region."""
        region = self._regions.get(location)
        if region is None:
            region = self._regions[location] = region_of(location)
        return region

    def project_id(self, project: str) -> str:
        """The ID of a project given by ID or number; a number that nothing explains stays as it is."""
        return self._id_of.get(project, project)

    def project_number(self, project: str, ancestors: tuple[str, ...] = ()) -> str | None:
        """The number of a project given by ID or number, None if nothing in the inventory tells it.

        `ancestors` are those of an asset of the project, nearest first: they begin with the number.
        """
        if _is_number(project):
            return project
        for first in ancestors[:1]:
            number = first.removeprefix(_NUMBER_PREFIX)
            if number != first and _is_number(number):
                return number
        if project not in self._numbers:
            number = self._number_of.get(project, "")
            for first in self.inventory.ancestors.get(project, ())[:1]:
                number = number or first.removeprefix(_NUMBER_PREFIX)
            self._numbers[project] = number if _is_number(number) else None
        return self._numbers[project]

    def tag_bindings_gap(self, project: str) -> Gap | None:
        """None if every TagBinding of the project was read, else the gap."""
        if project not in self._tag_gaps:
            coverage = self.inventory.coverage
            self._tag_gaps[project] = (
                None if coverage.read(TAG_BINDING, project) else coverage.why_not(TAG_BINDING, project)
            )
        return self._tag_gaps[project]

    def clusters_gap(self) -> Gap | None:
        """None if every cluster that may use the inventory's networks was read, else the gap."""
        coverage = self.inventory.coverage
        return None if coverage.every_cluster_read() else coverage.why_not(CLUSTER, "")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()

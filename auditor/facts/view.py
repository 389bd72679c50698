"""What one cluster states, brought to hand once for all of its facts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.facts import commands
from auditor.model import deferred

if TYPE_CHECKING:
    from auditor.facts.index import Index
    from auditor.model.evidence import Json
    from auditor.model.inventory import Cluster

Object = dict[str, "Json"]
AUTOPILOT_POOL = "autopilot"
"""The name that stands for the nodes of an Autopilot cluster whose node pools the API does not show."""

_NOTHING: Object = {}


def message(parent: Object, key: str) -> Object | None:
    """A message field: empty where it is absent, as proto3 JSON has it, None if it is no object."""
    value = parent.get(key)
    if value is None:
        return _NOTHING
    return value if isinstance(value, dict) else None


def text(parent: Object, key: str) -> str | None:
    """A string field: empty where it is absent, None if it is no string."""
    value = parent.get(key)
    if value is None:
        return ""
    return value if isinstance(value, str) else None


def texts(parent: Object, key: str) -> tuple[str, ...] | None:
    """A repeated string field: empty where it is absent, None if it is anything but a list of strings."""
    value = parent.get(key)
    if value is None:
        return ()
    if not isinstance(value, list):
        return None
    found = tuple([one for one in value if isinstance(one, str)])
    return found if len(found) == len(value) else None


def flag(parent: Object, key: str) -> bool | None:
    """A bool field: False where it is absent, None if it is no bool."""
    value = parent.get(key)
    if value is None:
        return False
    return value if isinstance(value, bool) else None


def fault(value: object, otherwise: str) -> str:
    """What is wrong with a value: a plan that leaves it open, in words, or else what the caller says."""
    found = deferred.within(value)
    return otherwise if found is None else f"is {found}"


def hint_for(value: object, otherwise: str) -> str:
    """What settles a value that cannot be read: a new plan, or else what the caller says."""
    return otherwise if deferred.within(value) is None else deferred.HINT


def no_network(view: ClusterView) -> str:
    """Why it is not known which network a cluster is in."""
    stated = view.network_config.get("network") if view.network_config else None
    planned = deferred.text_of(stated)
    if planned is not None:
        return f"The cluster's `networkConfig.network` is {planned}."
    return "The cluster does not name its network by a full path in `networkConfig.network`."


def integer(parent: Object, key: str) -> int | None:
    """A positive integer field, None where it is absent, 0 or no integer."""
    value = parent.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


class Pool:
    """A node pool: its name (`nodePools[2]` if it states none), its data, and the two parts all facts read.

    `config` and `network` are its `config` and `networkConfig`: empty where absent, None if no object.
    """

    __slots__ = ("config", "data", "name", "network")

    def __init__(self, name: str, data: Object) -> None:
        self.name = name
        self.data = data
        self.config = message(data, "config")
        self.network = message(data, "networkConfig")


class ClusterView:
    """A cluster's data with the parts that several facts read.

    `autopilot` is None if the cluster's mode cannot be read. `network_config` is None if the cluster has no
    networkConfig, although the API always sends it, or one that is no object: `network_config_problem` says
    which. `pools` are the node pools the API shows, None if they are not known, or not all of them:
    `pools_problem` says why, and `shown_pools` are those that are.
    `subnetwork` and `network` are keys of the inventory, None if the cluster does not name them.
    """

    __slots__ = (
        "allocation",
        "asset",
        "autopilot",
        "data",
        "entry",
        "index",
        "kubernetes",
        "network",
        "network_config",
        "network_config_problem",
        "pools",
        "pools_problem",
        "project",
        "shown_pools",
        "subnetwork",
    )

    def __init__(self, cluster: Cluster, index: Index) -> None:
        data = cluster.data
        if data is None:
            raise ValueError(f"{cluster.entry.name} has no data to derive facts from")
        self.index = index
        self.entry = entry = cluster.entry
        self.asset = entry.name
        self.data: Object = data
        self.kubernetes = cluster.kubernetes
        self.project = index.project_id(entry.project)
        autopilot = message(data, "autopilot")
        self.autopilot = None if autopilot is None else flag(autopilot, "enabled")
        self.allocation = message(data, "ipAllocationPolicy")
        config = data.get("networkConfig")
        self.network_config: Object | None = config if isinstance(config, dict) else None
        self.network_config_problem = (
            ""
            if config.__class__ is dict
            else "is absent"
            if config is None
            else fault(config, "is not an object")
        )
        self.subnetwork = self.reference(self.network_config, "subnetwork")
        self.network = self.reference(self.network_config, "network")
        self.pools: tuple[Pool, ...] | None
        self.shown_pools, self.pools_problem = self._pools(data.get("nodePools"))
        self.pools = None if self.pools_problem else self.shown_pools

    def reference(self, parent: Object | None, key: str) -> str | None:
        """A reference to a network or subnetwork as a key of the inventory, None if there is none.

        A bare name is none either: under Shared VPC it does not say which project it is of.
        """
        value = parent.get(key) if parent is not None else None
        return self.index.key(value) if isinstance(value, str) and "/" in value else None

    def subnetwork_of(self, parent: Object) -> str | None:
        """The subnetwork that a part of the cluster states, as a key; None if it states none.

        It is given by path or by name; a name is that of a subnetwork beside the cluster's own. Empty if what
        is stated cannot be read as either.
        """
        stated = parent.get("subnetwork")
        if stated is None or stated == "":
            return None
        if not isinstance(stated, str):
            return ""
        if "/" in stated:
            return self.index.key(stated)
        return "" if self.subnetwork is None else f"{self.subnetwork.rpartition('/')[0]}/{stated}"

    def hint(self) -> str:
        """The command that shows the cluster as the API has it; for one that is planned, what settles it."""
        if deferred.text_of(self.data.get("id")) is not None:
            return deferred.HINT
        return commands.describe_cluster(self.entry)

    def hint_for(self, subnetwork: str) -> str:
        """The command that shows a subnetwork, or the cluster if the key is empty."""
        return commands.describe_subnetwork(subnetwork) if subnetwork else self.hint()

    def nodes(self) -> tuple[Pool, ...] | None:
        """The node pools, or one that stands for an Autopilot cluster's nodes; None if not known.

        The API may leave the node pools of Autopilot clusters out; their nodes exist all the same, with the
        cluster's default Pod ranges and with the tags of nodePoolAutoConfig.
        """
        if self.autopilot and self.pools == ():
            return (Pool(AUTOPILOT_POOL, _NOTHING),)
        return self.pools

    def _pools(self, listed: Json) -> tuple[tuple[Pool, ...], str]:
        """The node pools that a list shows, and why these are not known to be all."""
        if listed is None:
            return (), "" if self.autopilot else "The node pools of the cluster are not in the inventory."
        if not isinstance(listed, list):
            return (), "The cluster's `nodePools` is not a list."
        planned = deferred.text_of(listed)
        if planned is not None:
            return (), f"What node pools the cluster has is {planned}."
        pools: list[Pool] = []
        more = ""
        for position, pool in enumerate(listed):
            if not isinstance(pool, dict):
                planned = deferred.text_of(pool)
                if planned is None:
                    return (), f"The cluster's `nodePools[{position}]` is not an object."
                more = f"What further node pools the cluster has is {planned}."
                continue
            name = pool.get("name")
            if not isinstance(name, str) or not name:
                name = f"nodePools[{position}]"
            pools.append(Pool(name, pool))
        return tuple(pools), more

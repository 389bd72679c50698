"""Write a synthetic organisation of any size as a Cloud Asset Inventory export (NDJSON).

`python -m benchmarks.generate --clusters 20000 --output fleet.ndjson`. The same arguments give the same
bytes. 19 of 20 clusters are in order; the others, and some networks, have one defect each, of every kind.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from benchmarks import assets
from benchmarks.assets import Asset, Cluster, Pool, Project, Subnet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

ORG = "organizations/700000000001"
UPDATED = "2026-11-20T01:00:00.000000Z"
REGIONS = ("europe-west1", "europe-west4", "us-central1", "us-east4", "asia-southeast1")
VERSIONS = ("1.35.3-gke.1404001", "1.34.6-gke.1212000", "1.36.1-gke.1202000", "1.31.14-gke.1031000")
FOLDERS = 50
CLUSTERS_OF_A_SUBNET = 20
GKE_RULES = ("all", "vms", "inkubelet", "exkubelet", "master")

DEFECTS = (
    "windows pool", "version below 1.15", "DNS bug", "still being made", "no data", "range unresolved",
    "range forgotten by the firewall", "version unreadable", "no network configuration", "ports denied",
)  # fmt: skip


BAD_VERSIONS = {
    "version below 1.15": "1.14.10-gke.50",
    "DNS bug": "1.20.10-gke.301",
    "version unreadable": "next",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """How big the organisation is; `pools_as` is `embedded`, `assets` or `both`."""

    clusters: int
    pools: int
    networks: int
    firewalls: int
    policies: int
    pools_as: str
    evidence: bool = False


class Template:
    """JSON text in which the values of a prototype are replaced, many times and fast."""

    def __init__(self, prototype: Asset, fields: dict[str, str]) -> None:
        text = orjson.dumps(prototype).decode()
        names = {value: name for name, value in fields.items()}
        # Longest first, so that a value that contains another is replaced as a whole.
        pattern = "|".join(re.escape(value) for value in sorted(names, key=len, reverse=True))
        self._order = [names[match] for match in re.findall(pattern, text)]
        missing = set(fields) - set(self._order)
        if missing:
            raise ValueError(f"not in the prototype: {', '.join(sorted(missing))}")
        self._format = re.sub(pattern, "%s", text.replace("%", "%%")) + "\n"

    def fill(self, values: dict[str, str]) -> str:
        """One line of JSON; `values` are JSON string contents or, for `@…@` fields, JSON text."""
        return self._format % tuple([values[name] for name in self._order])


# Prototypes: every value occurs nowhere else in the text.
_OWNER = Project("proto-owner", "990000000001", ("folders/990000000002", ORG))
_HOST = Project("proto-host", "990000000003", ("folders/990000000004", ORG))
_OWNER_FIELDS = {"project": "proto-owner", "number": "990000000001", "folder": "990000000002"}
_HOST_FIELDS = {"project": "proto-host", "number": "990000000003", "folder": "990000000004"}
_SUBNET = Subnet(
    "projects/proto-host/global/networks/proto-network", "proto-region1", "proto-subnet", "192.0.2.0/28"
)


def _prototype(location: str, visibility: bool | None) -> Cluster:  # noqa: FBT001 - None is a third state
    return Cluster(
        _OWNER, "proto-cluster", location, "9.99.9-gke.999", _SUBNET, "198.51.100.0/25", "203.0.113.0/25", (),
        "2024-04-09T08:26:41+00:00", visibility=visibility, status="PROTO_STATUS",
        pods_range="proto-cluster-pods-0", services_range="proto-cluster-services",
        labels=(("environment", "prod"), ("team", "proto-team")),
    )  # fmt: skip


_POOL = Pool(
    "proto-pool", "9.99.8-gke.998", image="PROTO_IMAGE", pod_range="proto-range", pod_cidr="198.18.0.0/25"
)
_CLUSTER_FIELDS = {
    **_OWNER_FIELDS,
    "host": "proto-host",
    "network": "proto-network",
    "subnet": "proto-subnet",
    "cluster": "proto-cluster",
    "pods": "198.51.100.0/25",
    "services": "203.0.113.0/25",
    "version": "9.99.9-gke.999",
    "status": "PROTO_STATUS",
    "team": "proto-team",
}
_POOL_FIELDS = {
    "project": "proto-owner",
    "cluster": "proto-cluster",
    "pool": "proto-pool",
    "pool_version": "9.99.8-gke.998",
    "image": "PROTO_IMAGE",
    "range": "proto-range",
    "cidr": "198.18.0.0/25",
}


class _ClusterTemplates:
    """Templates by whether the cluster is zonal, and whether its intra-node visibility is on."""

    def __init__(self, *, embedded: bool) -> None:
        self.cluster: dict[tuple[bool, bool], Template] = {}
        self.pool: dict[bool, Template] = {}
        self.pool_asset: dict[bool, Template] = {}
        # A zone's name holds its region's, so that one field serves both.
        region = {"region": "proto-region1"}
        for zonal in (False, True):
            location = "proto-region1-b" if zonal else "proto-region1"
            for visible in (False, True):
                bare = _prototype(location, visible or None)
                whole = assets.cluster_asset(bare, "proto-updated")
                fields = {"id": bare.id, "updated": "proto-updated"}
                if embedded:
                    whole["resource"]["data"]["nodePools"] = "@pools@"
                    fields["@pools@"] = '"@pools@"'
                self.cluster[zonal, visible] = Template(whole, _CLUSTER_FIELDS | fields | region)
            bare = _prototype(location, None)
            self.pool[zonal] = Template(assets.node_pool_data(bare, _POOL), _POOL_FIELDS | region)
            owner = {"number": _OWNER_FIELDS["number"], "folder": _OWNER_FIELDS["folder"]}
            asset = assets.node_pool_asset(bare, _POOL, "proto-updated")
            fields = _POOL_FIELDS | owner | region | {"updated": "proto-updated"}
            self.pool_asset[zonal] = Template(asset, fields)


_RULE_FIELDS = {**_HOST_FIELDS, "network": "proto-network", "rule": "proto-rule"}
_SOURCE, _TAG = "198.51.100.0/25", "proto-tag"


def _rule_template(
    action: str, *protocols: str, source: bool = True, tag: bool = False, **more: object
) -> Template:
    """A VPC rule with one source range (ingress) or destination range (egress), and perhaps a target tag."""
    ranges = "destinations" if more.get("direction") == "EGRESS" else "sources"
    given: dict[str, object] = {ranges: (_SOURCE,)} if source else {}
    given |= {"target_tags": (_TAG,)} if tag else {}
    rule = assets.firewall(
        _HOST,
        "proto-network",
        "proto-rule",
        UPDATED,
        action=action,
        protocols=protocols,
        **(given | more),  # type: ignore[arg-type]
    )
    fields = ({"range": _SOURCE} if source else {}) | ({"tag": _TAG} if tag else {})
    return Template(rule, _RULE_FIELDS | fields | {"id": assets.number("firewall", _RULE_PATH)})


_RULE_PATH = "projects/proto-host/global/firewalls/proto-rule"


class _Organisation:
    """Lays out the organisation and writes its lines."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.templates = _ClusterTemplates(embedded=shape.pools_as != "assets" and shape.pools > 0)
        self.gke = {
            "all": _rule_template("allow", *assets.EVERYDAY_AND_RARE, tag=True),
            "vms": _rule_template("allow", "tcp:1-65535", "udp:1-65535", "icmp", tag=True),
            "inkubelet": _rule_template(
                "allow", "tcp:10255", tag=True, priority=999, source_tags=("proto-tag",)
            ),
            "exkubelet": _rule_template("deny", "tcp:10255", tag=True),
            "master": _rule_template("allow", "tcp:10250,443", tag=True),
        }
        self.custom = (
            _rule_template("allow", "tcp:22", description="SSH from the bastions"),
            _rule_template("allow", "tcp:80,443,8080-8090", tag=True, description="Web"),
            _rule_template("allow", "tcp", source=False, sources=("35.191.0.0/16", "130.211.0.0/22")),
            _rule_template("allow", "tcp:5432,3306,6379", tag=True, priority=900, logged=True),
            _rule_template("deny", "tcp:23", "udp:161", priority=800, tag=True),
            _rule_template("allow", "tcp", "udp", "icmp", direction="EGRESS"),
            _rule_template("allow", "tcp:9090-9110", priority=1100, logged=True),
            _rule_template("deny", "all", priority=60000, tag=True),
            _rule_template("allow", "icmp", priority=65534),
            _rule_template("deny", "tcp:445", direction="EGRESS", priority=2000),
        )
        self.allow_pods = _rule_template("allow", *assets.EVERYDAY_AND_RARE)
        self.deny_egress = _rule_template("deny", "all", direction="EGRESS", priority=65000)
        self.deny_ports = _rule_template("deny", "tcp:8000-8999", priority=900, tag=True)
        in_network = -(-shape.clusters // shape.networks)
        # Four Pod ranges for each cluster of a network, out of 10.0.0.0/8.
        self.prefix = min(26, max(16, 8 + (4 * in_network - 1).bit_length()))

    def lines(self) -> Iterator[str]:
        """Every asset as a line of JSON."""
        yield from self._above()
        for network in range(self.shape.networks):
            yield from self._network(network)
        yield from self._policies()
        for index in range(self.shape.clusters):
            yield from self._cluster(index)

    # Where things are. Every second network is shared: a host project, and service projects of 10 clusters.

    def _folder(self, index: int) -> str:
        return str(710_000_000_000 + index % FOLDERS)

    def _host(self, network: int) -> Project:
        name = f"net-{network:05}" if network % 2 == 0 else f"app-{network:05}-{network // 2 % 97:02}"
        above = (f"folders/{self._folder(network)}", ORG)
        return Project(name, str(720_000_000_000 + network), above)

    def _owner(self, index: int) -> Project:
        network = index % self.shape.networks
        if network % 2:
            return self._host(network)
        batch = index // self.shape.networks // 10
        above = (f"folders/{self._folder(network)}", ORG)
        return Project(f"svc-{network:05}-{batch:03}", str(730_000_000_000 + network * 4096 + batch), above)

    def _ranges(self, index: int) -> list[str]:
        """The four Pod ranges of a cluster: its default, and three for pools with one of their own."""
        first = 4 * (index // self.shape.networks)
        size = 1 << (32 - self.prefix)
        return [
            f"{IPv4Address(0x0A000000 + (first + nth) * size % 0x01000000)}/{self.prefix}" for nth in range(4)
        ]

    def _defect(self, index: int) -> str | None:
        return DEFECTS[index // 20 % len(DEFECTS)] if index % 20 == 7 else None

    def _subnet(self, network: int, batch: int) -> tuple[str, str, str]:
        """Name, region and node range of the nth subnetwork of a network."""
        region = REGIONS[(network + batch) % len(REGIONS)]
        cidr = f"{IPv4Address(0xAC100000 + batch % 4096 * 256)}/24"
        return f"gke-{region}-{batch:03}", region, cidr

    def _placed(self, index: int) -> tuple[int, str, str, str]:
        network, batch = index % self.shape.networks, index // self.shape.networks // CLUSTERS_OF_A_SUBNET
        return network, *self._subnet(network, batch)

    def _name(self, index: int) -> str:
        return f"{('orders', 'search', 'pay', 'web', 'stream', 'batch', 'ml')[index % 7]}-{index:05}"

    def _identity(self, index: int) -> str:
        # Multiplying by an odd number permutes the 32-bit numbers: no two clusters share a hash.
        return f"{(index + 1) * 2654435761 % 2**32:08x}{index * 0x9E3779B97F4A7C15 % 2**64:016x}{index:040x}"

    def _above(self) -> Iterator[str]:
        yield _line(assets.organization(ORG.split("/")[1], "fleet.example", UPDATED))
        for folder in range(FOLDERS):
            yield _line(assets.folder(self._folder(folder), f"Division {folder:02}", (ORG,), UPDATED))
        seen: set[str] = set()
        for of in (self._host(n) for n in range(self.shape.networks)):
            seen.add(of.id)
            yield _line(assets.project(of, UPDATED))
        for of in (self._owner(index) for index in range(self.shape.clusters)):
            if of.id not in seen:
                seen.add(of.id)
                yield _line(assets.project(of, UPDATED))

    def _network(self, network: int) -> Iterator[str]:
        host, name = self._host(network), f"vpc-{network:05}"
        order = "BEFORE_CLASSIC_FIREWALL" if network % 40 == 3 else "AFTER_CLASSIC_FIREWALL"
        mtu = 1500 if network % 50 == 5 else 1460
        yield _line(assets.network(host, name, UPDATED, mtu=mtu, order=order))
        of_network = range(network, self.shape.clusters, self.shape.networks)
        step = CLUSTERS_OF_A_SUBNET
        for batch, first in enumerate(range(0, len(of_network), step)):
            subnet, region, cidr = self._subnet(network, batch)
            ranges: list[tuple[str, str]] = []
            for index in of_network[first : first + step]:
                for nth, pods in enumerate(self._ranges(index)):
                    if self._defect(index) != "range unresolved" or nth == 0:
                        ranges.append((f"{self._name(index)}-pods-{nth}", pods))
            where = Subnet(f"projects/{host.id}/global/networks/{name}", region, subnet, cidr, tuple(ranges))
            yield _line(assets.subnetwork(host, where, UPDATED, _flow_logs(network + batch)))
        yield from self._firewalls(network, host, name)

    def _firewalls(self, network: int, host: Project, name: str) -> Iterator[str]:
        """GKE's rules of the network's clusters, as many kinds as their number allows, then others."""
        shape = self.shape
        kinds = GKE_RULES[: shape.firewalls // max(1, shape.clusters)]
        common = {"project": host.id, "number": host.number, "folder": self._folder(network), "network": name}
        identity = 10**18 + network * 10**12
        for index in range(network, shape.clusters, shape.networks):
            cluster, mark = self._name(index), self._identity(index)[:8]
            pods = self._ranges(index)
            covered = pods[:1] if self._defect(index) == "range forgotten by the firewall" else pods
            ranges = {
                "all": '","'.join(covered),
                "vms": self._placed(index)[3],
                "inkubelet": pods[0],
                "exkubelet": "0.0.0.0/0",
                "master": f"192.168.{index % 256}.0/28",
            }
            for kind in kinds:
                identity += 1
                values = {"rule": f"gke-{cluster}-{mark}-{kind}", "tag": f"gke-{cluster}-{mark}-node"}
                yield self.gke[kind].fill({**common, **values, "range": ranges[kind], "id": str(identity)})
        used = len(kinds) * shape.clusters
        rest = range(network, shape.firewalls - used, shape.networks)
        for nth in range(len(rest)):
            identity += 1
            values = {"rule": f"custom-{nth:04}", "tag": f"role-{nth % 9}", "id": str(identity)}
            template, values["range"] = (
                self.custom[nth % len(self.custom)],
                f"172.{16 + nth % 16}.{nth % 251}.0/24",
            )
            if nth == 0 and not kinds:
                template, values["range"] = self.allow_pods, "10.0.0.0/8"
            elif nth == 1 and network % 100 == 11:
                template, values["range"] = self.deny_egress, "0.0.0.0/0"
            elif nth == 2 and network % 100 == 12:
                template = self.gke["all"]
                values |= {"rule": "gke-retired-0badf00d-all", "tag": "gke-retired-0badf00d-node"}
            elif nth == 3 and self._defect(network) == "ports denied":
                template, values["range"] = self.deny_ports, "10.0.0.0/8"
                values["tag"] = f"gke-{self._name(network)}-{self._identity(network)[:8]}-node"
            yield template.fill({**common, **values})

    def _policies(self) -> Iterator[str]:
        """One policy of the organisation, some of folders, the rest of networks, every fifth regional."""
        count = self.shape.policies
        if count:
            yield _line(assets.hierarchical_policy(ORG, (), "org-baseline", _policy_rules(0), UPDATED))
        folders = min(FOLDERS, (count - 1) // 4) if count else 0
        for nth in range(folders):
            parent = f"folders/{self._folder(nth)}"
            rules = _policy_rules(nth + 1)
            yield _line(assets.hierarchical_policy(parent, (ORG,), f"division-{nth:02}", rules, UPDATED))
        for nth in range(max(0, count - 1 - folders)):
            network = nth % self.shape.networks
            region = REGIONS[nth % len(REGIONS)] if nth % 5 == 4 else ""
            rules = _policy_rules(nth)
            yield _line(
                assets.network_policy(
                    self._host(network), f"policy-{nth:05}", (f"vpc-{network:05}",), rules, UPDATED, region
                )
            )

    def _cluster(self, index: int) -> Iterator[str]:
        defect = self._defect(index)
        owner, (network, subnet, region, _) = self._owner(index), self._placed(index)
        zonal = _scattered(index, 1) == 4
        visible = _scattered(index, 2) < 6 or defect == "DNS bug"
        version = BAD_VERSIONS.get(defect or "", VERSIONS[index % len(VERSIONS)])
        name, host = self._name(index), self._host(network)
        values = {
            "project": owner.id,
            "number": owner.number,
            "folder": self._folder(network),
            "host": host.id,
            "network": f"vpc-{network:05}",
            "subnet": subnet,
            "region": region,
            "cluster": name,
            "id": self._identity(index),
            "version": version,
            "status": "PROVISIONING" if defect == "still being made" else "RUNNING",
            "team": f"team-{index % 83:02}",
            "pods": self._ranges(index)[0],
            "services": f"172.{20 + index % 8}.{index % 15 * 16}.0/20",
            "updated": UPDATED,
        }
        pools = [self._pool(index, nth, values, defect) for nth in range(self.shape.pools)]
        embedded = ",".join(self.templates.pool[zonal].fill(pool).rstrip() for pool in pools)
        line = self.templates.cluster[zonal, visible].fill(values | {"@pools@": f"[{embedded}]"})
        if defect in ("no network configuration", "no data"):
            line = _without(line, defect)
        yield line
        if self.shape.pools_as != "embedded" and defect != "no data":
            for pool in pools:
                yield self.templates.pool_asset[zonal].fill(pool)
        if self.shape.evidence and defect != "no data":
            yield from self._evidence(index, owner, values, zonal=zonal)

    def _pool(self, index: int, nth: int, values: dict[str, str], defect: str | None) -> dict[str, str]:
        own = min(nth, 3) if nth % 2 and index % 3 == 0 else 0
        last = nth == self.shape.pools - 1
        if defect in ("range forgotten by the firewall", "range unresolved") and last:
            own = 3
        return values | {
            "pool": f"pool-{nth}",
            "pool_version": values["version"],
            "image": "WINDOWS_LTSC_CONTAINERD" if defect == "windows pool" and last else "COS_CONTAINERD",
            "range": f"{values['cluster']}-pods-{own}",
            "cidr": "" if defect == "range unresolved" and own else self._ranges(index)[own],
        }

    def _evidence(self, index: int, owner: Project, values: dict[str, str], *, zonal: bool) -> Iterator[str]:
        """ip-masq-agent with a ConfigMap; one of 40 forgets the Pods' addresses."""
        level, location = ("zones", f"{values['region']}-b") if zonal else ("locations", values["region"])
        cluster = (
            f"//container.googleapis.com/projects/{owner.id}/{level}/{location}/clusters/{values['cluster']}"
        )
        cidrs = "[172.16.0.0/12]" if index % 40 == 13 else "[10.0.0.0/8, 172.16.0.0/12]"
        for made in assets.ip_masq_agent(cluster, owner.ancestors, f"nonMasqueradeCIDRs: {cidrs}\n", UPDATED):
            yield _line(made)


def _scattered(index: int, of: int) -> int:
    """A digit that looks independent of the remainders of `index`, which say where the cluster is."""
    return ((index + 7919 * of) * 2654435761 % 2**32 >> 16) % 10


def _without(line: str, defect: str) -> str:
    asset = orjson.loads(line)
    if defect == "no data":
        del asset["resource"]["data"]
    else:
        del asset["resource"]["data"]["networkConfig"]
    return _line(asset)


def _line(asset: Asset) -> str:
    return orjson.dumps(asset).decode() + "\n"


def _flow_logs(nth: int) -> Asset | None:
    """Every flow for most subnetworks; none for one of 20, sampled for one of 20."""
    if nth % 20 == 9:
        return None
    return {
        "aggregationInterval": "INTERVAL_5_SEC",
        "filterExpr": "true",
        "flowSampling": 0.5 if nth % 20 == 14 else 1,
        "metadata": "INCLUDE_ALL_METADATA",
    }


def _policy_rules(nth: int) -> list[Asset]:
    """Ten rules: internal peers are left to what follows, a few outside ones are allowed or denied."""
    rule = assets.policy_rule
    internal = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]
    outside = [f"203.0.{nth % 114}.{16 * of}/28" for of in range(12)]
    return [
        rule(100, "INGRESS", "allow", "scanner", {"srcIpRanges": [f"192.0.2.{nth % 250}/32"]}, logged=True),
        rule(200, "INGRESS", "goto_next", "internal peers", {"srcIpRanges": internal}),
        rule(201, "EGRESS", "goto_next", "internal peers", {"destIpRanges": internal}),
        rule(300, "INGRESS", "allow", "partners", {"srcIpRanges": outside}, protocols=("tcp:443",)),
        rule(301, "EGRESS", "allow", "partners", {"destIpRanges": outside}, protocols=("tcp:443",)),
        rule(400, "INGRESS", "deny", "regions", {"srcRegionCodes": ["KP", "SY"]}, logged=True),
        rule(401, "INGRESS", "deny", "bad peers", {"srcThreatIntelligences": ["iplist-known-malicious-ips"]}),
        rule(402, "EGRESS", "deny", "bad peers", {"destThreatIntelligences": ["iplist-known-malicious-ips"]}),
        rule(
            403, "EGRESS", "deny", "names", {"destFqdns": [f"blocked-{nth}.example"]}, protocols=("tcp:443",)
        ),
        rule(
            500, "INGRESS", "deny", "remote desktop", {"srcIpRanges": ["0.0.0.0/0"]}, protocols=("tcp:3389",)
        ),
    ]


def write(shape: Shape, target: Path | None, shuffle: int | None = None) -> None:
    """Write the organisation to `target` (None: standard output), with a seed `shuffle` in random order."""
    lines: Iterable[str] = _Organisation(shape).lines()
    if shuffle is not None:
        shuffled = list(lines)
        random.Random(shuffle).shuffle(shuffled)
        lines = shuffled
    with nullcontext(sys.stdout) if target is None else target.open("w", encoding="utf-8") as out:
        out.writelines(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.generate", description=__doc__)
    parser.add_argument("--clusters", type=int, default=20_000)
    parser.add_argument("--pools-per-cluster", type=int, default=2)
    parser.add_argument("--networks", type=int, default=2_000)
    parser.add_argument("--firewalls", type=int, default=0)
    parser.add_argument("--policies", type=int, default=0)
    parser.add_argument("--pools-as", choices=("assets", "embedded", "both"), default="embedded")
    parser.add_argument("--evidence", action="store_true", help="with what ip-masq-agent is told")
    parser.add_argument("--shuffle", type=int, metavar="SEED", help="in random order")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="- is standard output")
    given = parser.parse_args(arguments)
    for option in ("clusters", "networks"):
        if getattr(given, option) < 1:
            parser.error(f"--{option} must be at least 1")
    shape = Shape(
        given.clusters,
        given.pools_per_cluster,
        min(given.networks, given.clusters),
        given.firewalls,
        given.policies,
        given.pools_as,
        given.evidence,
    )
    write(shape, None if str(given.output) == "-" else given.output, given.shuffle)


if __name__ == "__main__":
    main()

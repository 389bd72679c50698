"""Small assets of every type, in Cloud Asset Inventory's envelope, and ways to write them to files."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import zstandard

from auditor.model import inventory as model

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Asset = dict[str, Any]

NUMBER = "1234"
ORGANIZATION = "organizations/99"
ANCESTORS = [f"projects/{NUMBER}", "folders/55", ORGANIZATION]
NETWORK = "projects/host/global/networks/vpc"
SUBNETWORK = "projects/host/regions/europe-west1/subnetworks/nodes"
TIME = "2024-05-01T00:00:00Z"


def asset(
    kind: str, name: str, data: dict[str, Any] | None, *, time: str = TIME, ancestors: list[str] | None = None
) -> Asset:
    """One asset; `data` None leaves `resource` out."""
    found: Asset = {
        "name": name,
        "assetType": kind,
        "ancestors": ANCESTORS if ancestors is None else ancestors,
    }
    if data is not None:
        found["resource"] = {"version": "v1", "data": data}
    if time:
        found["updateTime"] = time
    return found


def pool(name: str = "default-pool", **fields: Any) -> dict[str, Any]:
    """A node pool as a cluster embeds it."""
    return {"name": name, "version": "1.30.1-gke.100", "status": "RUNNING", **fields}


def cluster_data(name: str = "c", **fields: Any) -> dict[str, Any]:
    """The data of a cluster."""
    return {
        "name": name,
        "status": "RUNNING",
        "currentMasterVersion": "1.30.1-gke.100",
        "networkConfig": {"network": NETWORK, "subnetwork": SUBNETWORK, "enableIntraNodeVisibility": True},
        "nodePools": [pool()],
        **fields,
    }


def cluster(
    name: str = "c",
    *,
    project: str = "svc",
    location: str = "locations/europe-west1",
    time: str = TIME,
    data: dict[str, Any] | None = None,
    **fields: Any,
) -> Asset:
    """A cluster; further fields go into its data."""
    full = f"//container.googleapis.com/projects/{project}/{location}/clusters/{name}"
    return asset(model.CLUSTER, full, cluster_data(name, **fields) if data is None else data, time=time)


def node_pool(cluster_asset: Asset, name: str, *, time: str = TIME, **fields: Any) -> Asset:
    """A NodePool asset of a cluster."""
    return asset(
        model.NODE_POOL, f"{cluster_asset['name']}/nodePools/{name}", pool(name, **fields), time=time
    )


def compute(kind: str, path: str, data: dict[str, Any] | None, **rest: Any) -> Asset:
    """An asset of the Compute API."""
    return asset(kind, f"//compute.googleapis.com/{path}", data, **rest)


def network(path: str = NETWORK, **fields: Any) -> Asset:
    """A VPC network."""
    return compute(model.NETWORK, path, {"name": path.rsplit("/", 1)[-1], "mtu": 1460, **fields})


def subnetwork(path: str = SUBNETWORK, **fields: Any) -> Asset:
    """A subnetwork."""
    data = {
        "name": path.rsplit("/", 1)[-1],
        "network": f"https://www.googleapis.com/compute/v1/{NETWORK}",
        "ipCidrRange": "10.0.0.0/24",
        **fields,
    }
    return compute(model.SUBNETWORK, path, data)


def firewall(name: str = "allow", *, time: str = TIME, network_path: str = NETWORK, **fields: Any) -> Asset:
    """A VPC firewall rule that allows tcp."""
    data = {
        "name": name,
        "network": f"https://www.googleapis.com/compute/v1/{network_path}",
        "allowed": [{"IPProtocol": "tcp"}],
        "sourceRanges": ["10.8.0.0/16"],
        "priority": 1000,
        **fields,
    }
    path = f"projects/{network_path.split('/')[1]}/global/firewalls/{name}"
    return compute(model.FIREWALL, path, data, time=time)


def policy(number: str = "7", **fields: Any) -> Asset:
    """A hierarchical firewall policy of the organization with one rule."""
    rule = {
        "priority": 1000,
        "direction": "INGRESS",
        "action": "goto_next",
        "match": {"layer4Configs": [{"ipProtocol": "all"}], "srcIpRanges": ["0.0.0.0/0"]},
    }
    data = {
        "name": number,
        "shortName": f"policy-{number}",
        "associations": [{"name": "a", "attachmentTarget": ORGANIZATION}],
        "rules": [rule],
        **fields,
    }
    path = f"locations/global/firewallPolicies/{number}"
    return compute(model.FIREWALL_POLICY, path, data, ancestors=[ORGANIZATION])


def hierarchy() -> list[Asset]:
    """The organization, a folder and two projects."""
    manager = "//cloudresourcemanager.googleapis.com"
    return [
        asset(
            model.ORGANIZATION, f"{manager}/{ORGANIZATION}", {"name": ORGANIZATION}, ancestors=[ORGANIZATION]
        ),
        asset(model.FOLDER, f"{manager}/folders/55", {"name": "folders/55"}, ancestors=ANCESTORS[1:]),
        asset(model.PROJECT, f"{manager}/projects/svc", {"projectId": "svc", "projectNumber": NUMBER}),
        asset(
            model.PROJECT,
            f"{manager}/projects/host",
            {"projectId": "host", "projectNumber": "5678"},
            ancestors=["projects/5678", "folders/55", ORGANIZATION],
        ),
    ]


def in_host(*assets: Asset) -> list[Asset]:
    """Assets of the host project, with its ancestors."""
    return [{**one, "ancestors": ["projects/5678", "folders/55", ORGANIZATION]} for one in assets]


def organisation() -> list[Asset]:
    """An organisation of which everything was exported."""
    return [
        *hierarchy(),
        cluster("a"),
        cluster("b", location="zones/europe-west1-b", nodePools=[pool("x"), pool("y")]),
        *in_host(
            network(), subnetwork(), firewall(), firewall("deny", allowed=[], denied=[{"IPProtocol": "all"}])
        ),
        policy(),
    ]


def to_snake(one: Asset) -> Asset:
    """The same asset in the snake_case envelope of exports."""
    names = {"assetType": "asset_type", "updateTime": "update_time"}
    return {names.get(key, key): value for key, value in one.items()}


def unchanged(one: Asset) -> Asset:
    """The same asset."""
    return one


def to_row(one: Asset) -> Asset:
    """The same asset as a row of an export to BigQuery, as `bq` prints it."""
    row = to_snake(one)
    if isinstance(row.get("resource"), dict) and "data" in row["resource"]:
        row["resource"] = {**row["resource"], "data": json.dumps(row["resource"]["data"])}
    if str(row.get("update_time", "")).endswith("Z"):
        row["update_time"] = row["update_time"].replace("T", " ").replace("Z", " UTC")
    return row


def to_search_result(one: Asset) -> Asset:
    """The same asset as SearchAllResources returns it when it is asked for `versionedResources`."""
    found = {key: value for key, value in one.items() if key not in ("resource", "ancestors")}
    if isinstance(one.get("resource"), dict) and "data" in one["resource"]:
        found["versionedResources"] = [{"version": "v1", "resource": one["resource"]["data"]}]
    if "ancestors" in one:
        found["folders"] = [step for step in one["ancestors"] if step.startswith("folders/")]
        for step in one["ancestors"]:
            kind = step.partition("/")[0]
            if kind != "folders":
                found[kind.removesuffix("s")] = step
    return found


def ndjson(assets: Iterable[Asset]) -> bytes:
    """Assets as lines."""
    return b"".join(json.dumps(one).encode() + b"\n" for one in assets)


def write(path: Path, content: Any, *, compression: str = "") -> str:
    """Write bytes, text, or a value as JSON; the path as a SOURCE."""
    data = (
        content if isinstance(content, bytes) else str(content).encode() if isinstance(content, str) else None
    )
    if data is None:
        data = json.dumps(content, indent=2).encode()
    if compression == "gz":
        data = gzip.compress(data, mtime=0)
    elif compression == "zst":
        data = zstandard.ZstdCompressor().compress(data)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return str(path)


def api(one: Asset) -> dict[str, Any]:
    """An asset as gcloud prints the resource."""
    service, _, path = str(one["name"]).removeprefix("//").partition("/")
    host = (
        "https://container.googleapis.com/v1"
        if service.startswith("container")
        else ("https://www.googleapis.com/compute/v1")
    )
    kinds = {
        model.NETWORK: "compute#network",
        model.SUBNETWORK: "compute#subnetwork",
        model.FIREWALL: "compute#firewall",
        model.FIREWALL_POLICY: "compute#firewallPolicy",
    }
    data = {**one["resource"]["data"], "selfLink": f"{host}/{path}"}
    kind = kinds.get(one["assetType"])
    return {"kind": kind, **data} if kind else data

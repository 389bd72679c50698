"""Write the demo organisation: a retailer's fleet in which every rule has something to say.

`python -m benchmarks.demo` writes `auditor/demo/organisation.ndjson`; the same code gives the same bytes.
What each cluster is there to show is told in `auditor/demo/README.md`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from auditor.model import inventory
from auditor.model.inventory import Gap
from auditor.sources.snapshot import Header, write
from benchmarks import assets
from benchmarks.assets import Asset, Cluster, Pool, Project, Subnet

if TYPE_CHECKING:
    from collections.abc import Iterable

READ = (
    inventory.ORGANIZATION, inventory.FOLDER, inventory.PROJECT, inventory.TAG_BINDING,
    inventory.CLUSTER, inventory.NODE_POOL, inventory.NETWORK, inventory.SUBNETWORK,
    inventory.FIREWALL, inventory.FIREWALL_POLICY, inventory.ADDRESS_GROUP,
    inventory.CONFIG_MAP, inventory.DAEMON_SET,
)  # fmt: skip
READ_TIME = "2026-11-20T02:00:00Z"
TARGET = Path(__file__).resolve().parent.parent / "auditor" / "demo" / "organisation.ndjson"

ORG = "organizations/480215967301"
PRODUCTION = ("folders/615027384911", ORG)
PAYMENTS = ("folders/729360148205", *PRODUCTION)
NON_PRODUCTION = ("folders/838471920563", ORG)

NET_PROD = Project("mrd-net-prod", "201184736590", PRODUCTION, "Production networks")
STOREFRONT = Project("mrd-storefront-prod", "318840275961", PRODUCTION, "Storefront")
ORDERS = Project("mrd-orders-prod", "447920316855", PRODUCTION, "Orders")
SEARCH = Project("mrd-search-prod", "502716498832", PRODUCTION, "Search")
DATA = Project("mrd-data-prod", "588103947264", PRODUCTION, "Data platform")
EDGE = Project("mrd-edge-prod", "613974028517", PRODUCTION, "Edge")
FRAUD = Project("mrd-fraud-prod", "672059318440", PRODUCTION, "Fraud detection")
PARTNER = Project("mrd-partner-prod", "690418275303", PRODUCTION, "Partner integration")
POS = Project("mrd-pos-prod", "714420986135", PRODUCTION, "Points of sale")
ERP = Project("mrd-legacy-erp", "108829374612", PRODUCTION, "ERP (legacy)")
KESTREL = Project("kestrel-logistics", "930175528846", PRODUCTION, "Kestrel Logistics (acquired 2026)")
KESTREL_NET = Project("kestrel-net-host", "930175528901", PRODUCTION, "Kestrel networks (acquired 2026)")
NET_PAY = Project("mrd-net-pay", "226190473518", PAYMENTS, "Payment networks")
PAY = Project("mrd-pay-prod", "350718296604", PAYMENTS, "Payments")
NET_DEV = Project("mrd-net-dev", "240083917752", NON_PRODUCTION, "Development networks")
PLATFORM_DEV = Project("mrd-platform-dev", "760241859937", NON_PRODUCTION, "Platform development")
STOREFRONT_DEV = Project("mrd-storefront-dev", "781650392248", NON_PRODUCTION, "Storefront development")
LABS = Project("mrd-labs", "845502716390", NON_PRODUCTION, "Labs")
PROJECTS = (
    NET_PROD, STOREFRONT, ORDERS, SEARCH, DATA, EDGE, FRAUD, PARTNER, POS, ERP, KESTREL, KESTREL_NET,
    NET_PAY, PAY, NET_DEV, PLATFORM_DEV, STOREFRONT_DEV, LABS,
)  # fmt: skip

RAPID, REGULAR, STABLE = "1.36.1-gke.1202000", "1.35.3-gke.1404001", "1.34.6-gke.1212000"
EXTENDED, OLD_WINDOWS = "1.31.14-gke.1031000", "1.30.12-gke.1086000"

PRIVATE = ["10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16"]
DEFAULT_NON_MASQUERADE = (
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24",
    "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
)  # fmt: skip

# Left out to keep the file small enough to read; nothing is decided by them.
UNTOLD = (
    "addonsConfig", "binaryAuthorization", "controlPlaneEndpointsConfig", "databaseEncryption", "etag",
    "labelFingerprint", "loggingConfig", "maintenancePolicy", "masterAuth", "monitoringConfig",
)  # fmt: skip

EVERY_FLOW = {
    "aggregationInterval": "INTERVAL_5_SEC",
    "filterExpr": "true",
    "flowSampling": 1,
    "metadata": "INCLUDE_ALL_METADATA",
}


def _updated(name: str) -> str:
    """A time in the day before the inventory was read that stands for `name`."""
    seconds, micros = divmod(int(assets.digest("updated", name)[:12], 16) % (86_000 * 10**6), 10**6)
    return f"2026-11-19T{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{micros:06}Z"


def _network(owner: Project, name: str) -> str:
    return f"projects/{owner.id}/global/networks/{name}"


def _subnet(
    network: str, region: str, name: str, cidr: str, clusters: dict[str, tuple[str, str]], ipv6: str = ""
) -> Subnet:
    """A subnetwork with ranges `CLUSTER-pods` and `CLUSTER-services` for each of `clusters`."""
    ranges = []
    for of, (pods, services) in clusters.items():
        ranges += [(f"{of}-pods", pods), *([(f"{of}-services", services)] if services else [])]
    return Subnet(network, region, name, cidr, tuple(ranges), ipv6)


PROD_VPC, PAY_VPC, VAULT_VPC = (
    _network(NET_PROD, "prod-vpc"),
    _network(NET_PAY, "pay-vpc"),
    _network(NET_PAY, "vault-vpc"),
)
DEV_VPC, POS_VPC, ERP_VPC = _network(NET_DEV, "dev-vpc"), _network(POS, "pos-vpc"), _network(ERP, "default")
FRAUD_VPC, EDGE_VPC = _network(FRAUD, "fraud-vpc"), _network(EDGE, "edge-vpc")
PARTNER_VPC, LABS_VPC = _network(PARTNER, "partner-vpc"), _network(LABS, "labs-vpc")

# In the order of the address plan: node ranges below 10.64.0.0, Pods above, services in 172.20.0.0/14.
W1_WEB = _subnet(
    PROD_VPC, "europe-west1", "prod-euw1-web", "10.10.0.0/20",
    {"storefront-eu": ("10.64.0.0/15", "172.20.0.0/20")},
)  # fmt: skip
W1_CORE = _subnet(
    PROD_VPC, "europe-west1", "prod-euw1-core", "10.10.16.0/20",
    {"orders": ("10.68.0.0/16", "172.20.16.0/20"), "search": ("10.72.0.0/16", "172.20.32.0/20")},
)  # fmt: skip
W1_DATA = _subnet(
    PROD_VPC, "europe-west1", "prod-euw1-data", "10.10.32.0/20",
    {"warehouse-etl": ("10.76.0.0/16", "172.20.48.0/20"), "spark-highmem": ("10.77.0.0/18", "")},
)  # fmt: skip
W4_CORE = _subnet(
    PROD_VPC, "europe-west4", "prod-euw4-core", "10.12.0.0/20",
    {"orders-dr": ("10.70.0.0/16", "172.20.64.0/20"), "suggest": ("10.73.0.0/17", "172.20.80.0/20")},
)  # fmt: skip
E4_WEB = _subnet(
    PROD_VPC, "us-east4", "prod-use4-web", "10.11.0.0/20",
    {
        "storefront-us": ("10.66.0.0/16", "172.20.96.0/20"),
        "search-indexer": ("10.74.0.0/17", "172.20.112.0/20"),
        "search-indexer-bulk": ("10.74.128.0/17", ""),
        "search-indexer-spare": ("10.75.0.0/18", ""),
    },
)  # fmt: skip
E4_DATA = _subnet(
    PROD_VPC, "us-east4", "prod-use4-data", "10.11.16.0/20",
    {"stream": ("10.78.0.0/16", "172.20.128.0/20"), "stream-consumers": ("100.64.0.0/18", "")},
)  # fmt: skip
PAY_W1 = _subnet(
    PAY_VPC, "europe-west1", "pay-euw1", "10.20.0.0/20", {"payments": ("10.84.0.0/16", "172.21.0.0/20")}
)
PAY_W4 = _subnet(
    PAY_VPC, "europe-west4", "pay-euw4", "10.20.16.0/20", {"ledger": ("10.86.0.0/16", "172.21.16.0/20")}
)
VAULT = _subnet(
    VAULT_VPC, "europe-west1", "vault-euw1", "10.21.0.0/22", {"tokenizer": ("10.88.0.0/18", "172.21.32.0/20")}
)
POS_W1 = _subnet(
    POS_VPC, "europe-west1", "pos-euw1", "10.24.0.0/20",
    {"pos-gateway": ("10.90.0.0/17", "172.21.48.0/20"), "pos-returns": ("10.90.128.0/17", "172.21.64.0/20")},
)  # fmt: skip
ERP_C1 = _subnet(
    ERP_VPC, "us-central1", "default", "10.128.0.0/20", {"erp-reports": ("10.8.0.0/14", "10.12.0.0/20")}
)
FRAUD_W1 = _subnet(
    FRAUD_VPC, "europe-west1", "fraud-euw1", "10.28.0.0/20",
    {
        "fraud-scoring": ("10.92.0.0/16", "172.21.80.0/20"),
        "fraud-training": ("10.94.0.0/16", "172.21.96.0/20"),
    },
)  # fmt: skip
EDGE_W1 = _subnet(
    EDGE_VPC, "europe-west1", "edge-euw1", "10.30.0.0/20",
    {
        "edge-proxy": ("10.104.0.0/17", "172.21.112.0/20"),
        "edge-cache": ("10.104.128.0/17", "172.21.128.0/20"),
    },
)  # fmt: skip
PARTNER_W1 = _subnet(
    PARTNER_VPC, "europe-west1", "partner-euw1", "10.32.0.0/20",
    {"partner-api": ("10.106.0.0/17", "172.21.144.0/20")},
)  # fmt: skip
DEV_W4 = _subnet(
    DEV_VPC, "europe-west4", "dev-euw4", "10.34.0.0/20",
    {
        "dev-apps": ("10.96.0.0/16", "172.22.0.0/20"),
        "ci": ("10.98.0.0/17", "172.22.16.0/20"),
        "ci-builds": ("10.99.0.0/18", ""),
        "hr-portal": ("10.100.0.0/17", "172.22.32.0/20"),
        "feature-preview": ("10.102.0.0/17", "172.22.48.0/20"),
    },
)  # fmt: skip
DEV_MESH = _subnet(
    DEV_VPC, "europe-west4", "dev-euw4-mesh", "10.35.0.0/20",
    {"mesh": ("10.101.0.0/17", "172.22.64.0/20")}, ipv6="fd20:4c1:8d2e:1000::/64",
)  # fmt: skip
LABS_C1 = _subnet(
    LABS_VPC, "us-central1", "labs-usc1", "10.40.0.0/20", {"sandbox-ml": ("10.110.0.0/17", "172.22.80.0/20")}
)
# The network of an acquired company: behind a perimeter, so that of its project nothing else is there.
KESTREL_SHARED = Subnet(
    "projects/kestrel-net-host/global/networks/shared", "us-east1", "gke-use1", "10.200.0.0/20"
)


def _cluster(
    project: Project,
    name: str,
    location: str,
    version: str,
    subnet: Subnet,
    pools: tuple[Pool, ...],
    *,
    visibility: bool | None = None,
    autopilot: bool = False,
    dataplane_v2: bool = True,
    status: str = "RUNNING",
    channel: str = "REGULAR",
    snat_disabled: bool = False,
    more_ranges: tuple[str, ...] = (),
    created: str = "2024-04-09T08:26:41+00:00",
    team: str = "",
) -> Cluster:
    """A VPC-native cluster whose ranges are `NAME-pods` and `NAME-services` of its subnetwork."""
    ranges = dict(subnet.ranges)
    # Control planes made since are reached over Private Service Connect and have no range of their own.
    behind_peering = channel in ("STABLE", "EXTENDED", "")
    third = int(assets.digest("control plane", name)[:2], 16)
    return Cluster(
        project,
        name,
        location,
        version,
        subnet,
        ranges[f"{name}-pods"],
        ranges[f"{name}-services"],
        tuple(_in_default_range(pool, name, ranges) for pool in pools),
        created,
        visibility=visibility,
        autopilot=autopilot,
        dataplane_v2=dataplane_v2,
        status=status,
        channel=channel,
        control_plane=f"172.16.{third}.0/28" if behind_peering else "",
        snat_disabled=snat_disabled,
        pods_range=f"{name}-pods",
        services_range=f"{name}-services",
        more_ranges=more_ranges,
        dual_stack=bool(subnet.ipv6),
        labels=(
            ("environment", "dev" if project.above == NON_PRODUCTION else "prod"),
            ("team", team or name),
        ),
    )


def _in_default_range(pool: Pool, cluster: str, ranges: dict[str, str]) -> Pool:
    """The pool with its range spelt out, as the API answers; `pod_range` stays if it has its own."""
    name = pool.pod_range or f"{cluster}-pods"
    return Pool(
        pool.name, pool.version, pool.machine, pool.nodes, pool.image, pool.windows, pool.tags,
        pool.service_account, pool.secure_tags, name, ranges[name], pool.max_pods, pool.subnetwork,
    )  # fmt: skip


def _account(project: Project, name: str) -> str:
    return f"{name}@{project.id}.iam.gserviceaccount.com"


WEB, BATCH = _account(STOREFRONT, "web"), _account(STOREFRONT, "batch")
WINDOWS = "WINDOWS_LTSC_CONTAINERD"
EDGE_CACHE_TAG = ("tagKeys/281476018424673", "tagValues/281478339175502")

STOREFRONT_EU = _cluster(
    STOREFRONT, "storefront-eu", "europe-west1", REGULAR, W1_WEB,
    (
        Pool("web", REGULAR, "n2-standard-16", 12, tags=("web",), service_account=WEB),
        Pool("batch", REGULAR, "n2d-standard-8", 4, service_account=BATCH, max_pods=64),
    ),
    visibility=True,
)  # fmt: skip
STOREFRONT_US = _cluster(
    STOREFRONT, "storefront-us", "us-east4", RAPID, E4_WEB,
    (Pool("web", RAPID, "n2-standard-16", 9, tags=("web",), service_account=WEB),),
    visibility=True, channel="RAPID",
)  # fmt: skip
ORDERS_EU = _cluster(
    ORDERS, "orders", "europe-west1", REGULAR, W1_CORE,
    (Pool("default-pool", REGULAR, nodes=6, service_account=_account(ORDERS, "gke-nodes")),),
)  # fmt: skip
ORDERS_DR = _cluster(
    ORDERS, "orders-dr", "europe-west4", STABLE, W4_CORE,
    (Pool("default-pool", STABLE, nodes=2, service_account=_account(ORDERS, "gke-nodes")),),
    channel="STABLE",
)  # fmt: skip
SEARCH_API = _cluster(
    SEARCH, "search", "europe-west1", REGULAR, W1_CORE,
    (Pool("default-pool", REGULAR, "e2-medium", 8, max_pods=32),),
    visibility=True, autopilot=True,
)  # fmt: skip
SUGGEST = _cluster(SEARCH, "suggest", "europe-west4", REGULAR, W4_CORE, (), autopilot=True)
SEARCH_INDEXER = _cluster(
    SEARCH, "search-indexer", "us-east4-b", STABLE, E4_WEB,
    (
        Pool("default-pool", STABLE, nodes=3),
        Pool("bulk", STABLE, "c3-highmem-22", 5, pod_range="search-indexer-bulk-pods", max_pods=32),
    ),
    channel="STABLE", more_ranges=("search-indexer-spare-pods",),
)  # fmt: skip
WAREHOUSE_ETL = _cluster(
    DATA, "warehouse-etl", "europe-west1", EXTENDED, W1_DATA,
    (
        Pool("default-pool", EXTENDED, nodes=3),
        Pool("spark-highmem", EXTENDED, "n2-highmem-32", 6, pod_range="spark-highmem-pods", max_pods=64),
    ),
    channel="EXTENDED", dataplane_v2=False,
)  # fmt: skip
STREAM = _cluster(
    DATA, "stream", "us-east4", REGULAR, E4_DATA,
    (
        Pool("brokers", REGULAR, "n2-highmem-8", 6),
        Pool("consumers", REGULAR, "e2-standard-16", 9, pod_range="stream-consumers-pods"),
    ),
    visibility=True,
)  # fmt: skip
PAYMENTS_API = _cluster(
    PAY, "payments", "europe-west1", STABLE, PAY_W1,
    (Pool("default-pool", STABLE, nodes=6, service_account=_account(PAY, "payments-nodes")),),
    visibility=True, channel="STABLE",
)  # fmt: skip
LEDGER = _cluster(
    PAY, "ledger", "europe-west4", STABLE, PAY_W4,
    (Pool("default-pool", STABLE, nodes=4, service_account=_account(PAY, "ledger-nodes")),),
    channel="STABLE",
)  # fmt: skip
TOKENIZER = _cluster(
    PAY, "tokenizer", "europe-west1", STABLE, VAULT,
    (Pool("confidential", STABLE, "n2d-standard-4", 3, service_account=_account(PAY, "tokenizer-nodes")),),
    visibility=True, channel="STABLE",
)  # fmt: skip
POS_GATEWAY = _cluster(
    POS, "pos-gateway", "europe-west1", EXTENDED, POS_W1,
    (
        Pool("linux", EXTENDED, nodes=2),
        Pool("windows-2022", EXTENDED, "n2-standard-8", 3, WINDOWS, "OS_VERSION_LTSC2022"),
    ),
    visibility=True, dataplane_v2=False, channel="EXTENDED",
)  # fmt: skip
POS_RETURNS = _cluster(
    POS, "pos-returns", "europe-west1-c", OLD_WINDOWS, POS_W1,
    (
        Pool("linux", OLD_WINDOWS, nodes=1),
        Pool("windows-2019", OLD_WINDOWS, "n2-standard-4", 2, WINDOWS, "OS_VERSION_LTSC2019"),
    ),
    dataplane_v2=False, channel="EXTENDED",
)  # fmt: skip
ERP_MAIN = Cluster(
    ERP, "erp", "us-central1-a", "1.14.10-gke.50", ERP_C1, "10.4.0.0/14", "10.7.240.0/20",
    (Pool("default-pool", "1.14.10-gke.42", "n1-standard-8", 4, "COS"),),
    "2019-08-02T14:05:33+00:00", dataplane_v2=False, routes=True, channel="", control_plane="",
    labels=(("environment", "prod"), ("team", "finance")),
)  # fmt: skip
ERP_REPORTS = _cluster(
    ERP, "erp-reports", "us-central1-b", "1.20.10-gke.301", ERP_C1,
    (Pool("default-pool", "1.20.10-gke.301", "n1-standard-4", 3),),
    visibility=True, dataplane_v2=False, channel="", created="2021-09-14T09:42:10+00:00", team="finance",
)  # fmt: skip
FRAUD_SCORING = _cluster(
    FRAUD, "fraud-scoring", "europe-west1", REGULAR, FRAUD_W1,
    (Pool("default-pool", REGULAR, "c3-standard-22", 6, service_account=_account(FRAUD, "scoring")),),
    visibility=True,
)  # fmt: skip
FRAUD_TRAINING = _cluster(
    FRAUD, "fraud-training", "europe-west1-b", REGULAR, FRAUD_W1,
    (Pool("gpu", REGULAR, "a2-highgpu-1g", 2, service_account=_account(FRAUD, "training"), max_pods=32),),
)  # fmt: skip
EDGE_PROXY = _cluster(
    EDGE, "edge-proxy", "europe-west1", RAPID, EDGE_W1,
    (Pool("default-pool", RAPID, "n2-highcpu-16", 6),),
    visibility=True, channel="RAPID",
)  # fmt: skip
EDGE_CACHE = _cluster(
    EDGE, "edge-cache", "europe-west1", RAPID, EDGE_W1,
    (Pool("default-pool", RAPID, "n2-highmem-8", 6, secure_tags=(EDGE_CACHE_TAG,)),),
    visibility=True, channel="RAPID",
)  # fmt: skip
PARTNER_API = _cluster(
    PARTNER, "partner-api", "europe-west1", REGULAR, PARTNER_W1,
    (Pool("default-pool", REGULAR, nodes=3),),
    visibility=True,
)  # fmt: skip
DEV_APPS = _cluster(
    PLATFORM_DEV, "dev-apps", "europe-west4", REGULAR, DEV_W4,
    (Pool("default-pool", REGULAR, nodes=3), Pool("spot", REGULAR, "e2-standard-4", 6)),
    snat_disabled=True, team="platform",
)  # fmt: skip
CI = _cluster(
    PLATFORM_DEV, "ci", "europe-west4", REGULAR, DEV_W4,
    (
        Pool("default-pool", REGULAR, nodes=2),
        Pool("builds", REGULAR, "c3-standard-22", 8, pod_range="ci-builds-pods", max_pods=32),
    ),
    team="platform",
)  # fmt: skip
MESH = _cluster(
    PLATFORM_DEV, "mesh", "europe-west4", RAPID, DEV_MESH,
    (Pool("default-pool", RAPID, nodes=3),),
    visibility=True, channel="RAPID", snat_disabled=True, team="platform",
)  # fmt: skip
HR_PORTAL = _cluster(
    PLATFORM_DEV, "hr-portal", "europe-west4-a", STABLE, DEV_W4,
    (Pool("default-pool", STABLE, "e2-standard-4", 2),),
    channel="STABLE", team="people",
)  # fmt: skip
FEATURE_PREVIEW = _cluster(
    STOREFRONT_DEV, "feature-preview", "europe-west4", RAPID, DEV_W4,
    (Pool("default-pool", RAPID, "e2-standard-4", 1),),
    status="PROVISIONING", channel="RAPID", team="storefront",
)  # fmt: skip
SANDBOX_ML = _cluster(
    LABS, "sandbox-ml", "us-central1", RAPID, LABS_C1, (Pool("default-pool", RAPID),), channel="RAPID"
)
KESTREL_ROUTING = Cluster(
    KESTREL, "kestrel-routing", "us-east1", STABLE, KESTREL_SHARED, "10.208.0.0/16", "10.212.0.0/20",
    (
        Pool("default-pool", STABLE, nodes=3, pod_range="pods", pod_cidr="10.208.0.0/16"),
        Pool("planner", STABLE, "c3-highcpu-22", 4, pod_range="pods-planner"),
    ),
    "2023-10-30T19:12:04+00:00", visibility=True, channel="STABLE", control_plane="172.31.4.0/28",
    pods_range="pods", services_range="services", labels=(("cost-center", "kl-114"),),
)  # fmt: skip

CLUSTERS = (
    STOREFRONT_EU, STOREFRONT_US, ORDERS_EU, ORDERS_DR, SEARCH_API, SUGGEST, SEARCH_INDEXER, WAREHOUSE_ETL,
    STREAM, PAYMENTS_API, LEDGER, TOKENIZER, POS_GATEWAY, POS_RETURNS, ERP_MAIN, ERP_REPORTS, FRAUD_SCORING,
    FRAUD_TRAINING, EDGE_PROXY, EDGE_CACHE, PARTNER_API, DEV_APPS, CI, MESH, HR_PORTAL, FEATURE_PREVIEW,
    SANDBOX_ML, KESTREL_ROUTING,
)  # fmt: skip


UNREACHABLE = (ERP_MAIN, KESTREL_ROUTING, FEATURE_PREVIEW)


def _hierarchy() -> Iterable[Asset]:
    yield assets.organization(ORG.split("/")[1], "meridian-outfitters.example", _updated(ORG))
    for path, title in (
        (PRODUCTION, "Production"),
        (PAYMENTS, "Payments"),
        (NON_PRODUCTION, "Non-production"),
    ):
        yield assets.folder(path[0].split("/")[1], title, path[1:], _updated(path[0]))
    for project in PROJECTS:
        yield assets.project(project, _updated(project.id))
    for cluster_node, zone in (("3f1a9c02-k7xw", "b"), ("9b40d7e6-p2mt", "c")):
        instance = assets.number("instance", cluster_node)
        target = (
            f"//compute.googleapis.com/projects/{EDGE.number}/zones/europe-west1-{zone}/instances/{instance}"
        )
        yield assets.tag_binding(EDGE, target, EDGE_CACHE_TAG[1], _updated(target))


def _networks() -> Iterable[Asset]:
    for owner, name, mtu, order in (
        (NET_PROD, "prod-vpc", 1460, "AFTER_CLASSIC_FIREWALL"),
        (NET_PAY, "pay-vpc", 1460, "AFTER_CLASSIC_FIREWALL"),
        (NET_PAY, "vault-vpc", 1460, "AFTER_CLASSIC_FIREWALL"),
        (POS, "pos-vpc", 1460, "AFTER_CLASSIC_FIREWALL"),
        (ERP, "default", 1460, "AFTER_CLASSIC_FIREWALL"),
        (FRAUD, "fraud-vpc", 8896, "AFTER_CLASSIC_FIREWALL"),
        (EDGE, "edge-vpc", 1460, "BEFORE_CLASSIC_FIREWALL"),
        (PARTNER, "partner-vpc", 1460, "AFTER_CLASSIC_FIREWALL"),
        (NET_DEV, "dev-vpc", 1500, "AFTER_CLASSIC_FIREWALL"),
        (LABS, "labs-vpc", 1460, "AFTER_CLASSIC_FIREWALL"),
    ):
        auto = name == "default"
        yield assets.network(owner, name, _updated(owner.id + name), mtu=mtu, order=order, auto=auto)
    thinned = {
        "aggregationInterval": "INTERVAL_5_SEC",
        "filterExpr": "true",
        "metadata": "INCLUDE_ALL_METADATA",
    }
    flow_logs: dict[Subnet, Asset | None] = {
        W1_WEB: EVERY_FLOW,
        W1_CORE: EVERY_FLOW | {"metadata": "EXCLUDE_ALL_METADATA"},
        W1_DATA: None,
        W4_CORE: None,
        E4_WEB: thinned | {"aggregationInterval": "INTERVAL_10_MIN", "flowSampling": 0.1},
        E4_DATA: EVERY_FLOW | {"filterExpr": "!inIpRange(connection.dest_ip, '100.64.0.0/10')"},
        PAY_W1: EVERY_FLOW,
        PAY_W4: None,
        VAULT: EVERY_FLOW,
        POS_W1: None,
        ERP_C1: thinned | {"flowSampling": 0.5},
        FRAUD_W1: EVERY_FLOW,
        EDGE_W1: EVERY_FLOW,
        PARTNER_W1: EVERY_FLOW,
        DEV_W4: None,
        DEV_MESH: EVERY_FLOW,
        LABS_C1: None,
    }
    owners = {project.id: project for project in PROJECTS}
    for subnet, logs in flow_logs.items():
        yield assets.subnetwork(owners[subnet.project], subnet, _updated(subnet.reference), logs)


def _clusters() -> Iterable[Asset]:
    for cluster in CLUSTERS:
        updated = _updated(cluster.full_name)
        made = assets.cluster_asset(cluster, updated)
        for field in UNTOLD:
            del made["resource"]["data"][field]
        if cluster is SUGGEST:
            # Autopilot clusters are on without saying so in data that predates the field.
            del made["resource"]["data"]["nodePoolAutoConfig"]
        if cluster is SANDBOX_ML:
            del made["resource"]["data"]
        yield made
    # As assets of their own too: one pool that equals the embedded one, and one that was upgraded since.
    web = STOREFRONT_EU.pools[0]
    yield assets.node_pool_asset(STOREFRONT_EU, web, _updated(STOREFRONT_EU.full_name))
    upgraded = Pool("default-pool", REGULAR, nodes=2, service_account=_account(ORDERS, "gke-nodes"))
    ranges = dict(W4_CORE.ranges)
    upgraded = _in_default_range(upgraded, "orders-dr", ranges)
    yield assets.node_pool_asset(ORDERS_DR, upgraded, "2026-11-20T01:44:07.318205Z")


def _gke(owner: Project, *clusters: Cluster, logged: bool = False) -> Iterable[Asset]:
    """GKE's own rules of `clusters`; the kubelet pair only where the version makes it."""
    for cluster in clusters:
        pods = {cluster.pods: None} | {pool.pod_cidr: None for pool in cluster.pools if pool.pod_cidr}
        ranges = dict(cluster.subnet.ranges)
        pods |= {ranges[name]: None for name in cluster.more_ranges}
        minor = int(cluster.version.split(".")[1])
        yield from assets.gke_firewalls(
            owner,
            cluster,
            _updated(cluster.node_tag),
            pods=tuple(pods),
            logged=logged,
            kubelet=20 <= minor < 32 and not cluster.autopilot,
        )


def _firewalls() -> Iterable[Asset]:
    yield from _prod_firewalls()
    yield from _payment_firewalls()
    yield from _gke(POS, POS_GATEWAY, POS_RETURNS)
    yield from _erp_firewalls()
    yield from _fraud_firewalls()
    yield from _edge_firewalls()
    yield from _partner_firewalls()
    yield from _dev_firewalls()


def _rule(owner: Project, network: str, name: str, action: str, *protocols: str, **fields: object) -> Asset:
    updated = _updated(f"{owner.id}/{name}")
    return assets.firewall(owner, network, name, updated, action=action, protocols=protocols, **fields)  # type: ignore[arg-type]


def _prod_firewalls() -> Iterable[Asset]:
    """Shared VPC where GKE made its rules; logging was turned on for some of them."""
    yield from _gke(NET_PROD, STOREFRONT_EU, STOREFRONT_US, SEARCH_API, SUGGEST, logged=True)
    yield from _gke(NET_PROD, ORDERS_EU, ORDERS_DR, SEARCH_INDEXER, WAREHOUSE_ETL, STREAM)
    yield _rule(
        NET_PROD, "prod-vpc", "allow-iap-ssh", "allow", "tcp:22",
        sources=("35.235.240.0/20",), description="SSH through Identity-Aware Proxy",
    )  # fmt: skip
    yield _rule(
        NET_PROD, "prod-vpc", "allow-health-checks", "allow", "tcp",
        sources=("35.191.0.0/16", "130.211.0.0/22"), description="Google Cloud load balancer health checks",
    )  # fmt: skip
    # Never decides a Pod packet: GKE's rules at 1000 come first.
    yield _rule(
        NET_PROD, "prod-vpc", "deny-retired-scanner", "deny", "tcp:1-1023", "udp:1-1023",
        priority=1200, sources=("10.64.0.0/12", "100.64.0.0/10"), logged=True,
        description="NETSEC-1187: the scanner was moved, remove when confirmed",
    )  # fmt: skip
    yield assets.network_policy(
        NET_PROD,
        "prod-defaults",
        ("prod-vpc",),
        [
            assets.policy_rule(
                1000, "INGRESS", "allow", "monitoring may scrape everything",
                {"srcAddressGroups": ["projects/mrd-net-prod/locations/global/addressGroups/monitoring"]},
                protocols=("tcp:9090-9110",),
            ),
            # Comes after the VPC rules, so that it cannot close what GKE's rules open.
            assets.policy_rule(
                2000, "INGRESS", "deny", "no east-west traffic", {"srcIpRanges": PRIVATE}, logged=True
            ),
            assets.policy_rule(1000, "EGRESS", "goto_next", "internal peers", {"destIpRanges": PRIVATE}),
            assets.policy_rule(
                2000, "EGRESS", "deny", "known crypto miners",
                {"destThreatIntelligences": ["iplist-crypto-miners"]}, logged=True,
            ),
        ],
        _updated("prod-defaults"),
    )  # fmt: skip
    # GKE makes no egress rules, so egress reaches this policy: sctp, esp and ah end here.
    yield assets.network_policy(
        NET_PROD,
        "use4-egress",
        ("prod-vpc",),
        [
            assets.policy_rule(
                1000, "EGRESS", "allow", "internal tcp, udp and icmp", {"destIpRanges": PRIVATE},
                protocols=("tcp", "udp", "icmp"), logged=True,
            ),
            assets.policy_rule(
                2000, "EGRESS", "deny", "everything else internal", {"destIpRanges": PRIVATE}, logged=True
            ),
        ],
        _updated("use4-egress"),
        region="us-east4",
    )  # fmt: skip
    yield assets.address_group(
        NET_PROD, "monitoring", ("10.10.40.0/28", "10.11.40.0/28"), _updated("monitoring")
    )


def _payment_firewalls() -> Iterable[Asset]:
    """The Payments folder closes database ports in one network above GKE's allow; the other is exempt."""
    yield from _gke(NET_PAY, PAYMENTS_API, LEDGER, TOKENIZER)
    yield _rule(
        NET_PAY, "vault-vpc", "allow-vault-pods", "allow", "all",
        priority=900, sources=("10.88.0.0/18",), target_accounts=(_account(PAY, "tokenizer-nodes"),),
        logged=True,
    )  # fmt: skip
    yield assets.hierarchical_policy(
        PAYMENTS[0],
        PAYMENTS[1:],
        "payments-guardrails",
        [
            assets.policy_rule(
                900, "INGRESS", "allow", "database proxies", {"srcIpRanges": ["10.20.32.0/26"]},
                protocols=("tcp:3306,5432",), logged=True,
            ),
            assets.policy_rule(
                1000, "INGRESS", "deny", "cardholder data stores are reached through their proxies",
                {"srcIpRanges": ["10.0.0.0/8"]}, protocols=("tcp:3306,5432,6379,27017",), logged=True,
                targetResources=[assets.COMPUTE + PAY_VPC],
            ),
        ],
        _updated("payments-guardrails"),
    )  # fmt: skip
    # Above everything: leaves internal traffic to the rest and drops known bad peers.
    yield assets.hierarchical_policy(
        ORG,
        (),
        "org-baseline",
        [
            assets.policy_rule(1000, "INGRESS", "goto_next", "internal peers", {"srcIpRanges": PRIVATE}),
            assets.policy_rule(1001, "INGRESS", "goto_next", "internal IPv6", {"srcIpRanges": ["fd20::/20"]}),
            assets.policy_rule(1002, "EGRESS", "goto_next", "internal peers", {"destIpRanges": PRIVATE}),
            assets.policy_rule(1003, "EGRESS", "goto_next", "internal IPv6", {"destIpRanges": ["fd20::/20"]}),
            assets.policy_rule(
                2000, "INGRESS", "deny", "Tor exit nodes and known bad peers",
                {"srcThreatIntelligences": ["iplist-tor-exit-nodes", "iplist-known-malicious-ips"]},
                logged=True,
            ),
            assets.policy_rule(
                2001, "EGRESS", "deny", "known bad peers",
                {"destThreatIntelligences": ["iplist-known-malicious-ips"]}, logged=True,
            ),
        ],
        _updated("org-baseline"),
    )  # fmt: skip


def _erp_firewalls() -> Iterable[Asset]:
    """A default network with what an earlier cluster of the same name left behind."""
    yield from _gke(ERP, ERP_MAIN, ERP_REPORTS)
    for name, protocols, source in (
        ("default-allow-internal", ("tcp:0-65535", "udp:0-65535", "icmp"), "10.128.0.0/9"),
        ("default-allow-icmp", ("icmp",), "0.0.0.0/0"),
        ("default-allow-ssh", ("tcp:22",), "0.0.0.0/0"),
    ):
        yield _rule(ERP, "default", name, "allow", *protocols, priority=65534, sources=(source,))
    tag = (ERP_MAIN.node_tag,)
    ssh = f"gke-erp-{ERP_MAIN.hash}-ssh"
    yield _rule(ERP, "default", ssh, "allow", "tcp:22", sources=("35.222.61.140/32",), target_tags=tag)
    tag = ("gke-erp-5f1c9e02-node",)
    yield _rule(
        ERP, "default", "gke-erp-5f1c9e02-all", "allow", *assets.EVERYDAY_AND_RARE,
        sources=("10.16.0.0/14",), target_tags=tag,
    )  # fmt: skip
    yield _rule(
        ERP,
        "default",
        "gke-erp-5f1c9e02-ssh",
        "allow",
        "tcp:22",
        sources=("35.224.18.77/32",),
        target_tags=tag,
    )


def _fraud_firewalls() -> Iterable[Asset]:
    """Egress is denied by default, and nobody thought of Pods."""
    yield from _gke(FRAUD, FRAUD_SCORING, FRAUD_TRAINING)
    yield _rule(
        FRAUD, "fraud-vpc", "deny-all-egress", "deny", "all",
        direction="EGRESS", priority=65000, destinations=("0.0.0.0/0",), logged=True,
        description="CIS hardening: egress is denied unless it is allowed",
    )  # fmt: skip
    yield _rule(
        FRAUD, "fraud-vpc", "allow-egress-google-apis", "allow", "tcp:443",
        direction="EGRESS", destinations=("199.36.153.8/30",),
    )  # fmt: skip
    yield _rule(
        FRAUD, "fraud-vpc", "allow-egress-nodes", "allow", "tcp", "udp", "icmp",
        direction="EGRESS",
        destinations=("10.28.0.0/20",),
    )  # fmt: skip


def _edge_firewalls() -> Iterable[Asset]:
    """Policies before VPC rules: GKE's allow is not asked for the privileged ports."""
    yield from _gke(EDGE, EDGE_PROXY, EDGE_CACHE)
    source = {"srcIpRanges": ["10.0.0.0/8"]}
    yield assets.network_policy(
        EDGE,
        "edge-baseline",
        ("edge-vpc",),
        [
            assets.policy_rule(
                500, "INGRESS", "allow", "caches talk to each other", source, logged=True,
                targetSecureTags=[{"name": EDGE_CACHE_TAG[1], "state": "EFFECTIVE"}],
            ),
            assets.policy_rule(
                1000, "INGRESS", "allow", "web", source, protocols=("tcp:80,443",), logged=True
            ),
            assets.policy_rule(
                2000, "INGRESS", "deny", "no other privileged port", source,
                protocols=("tcp:1-1023",), logged=True,
            ),
        ],
        _updated("edge-baseline"),
    )  # fmt: skip


def _partner_firewalls() -> Iterable[Asset]:
    """Destinations that an inventory cannot tell: an address group of elsewhere, and a name."""
    yield from _gke(PARTNER, PARTNER_API)
    group = f"{ORG}/locations/global/addressGroups/suspended-partners"
    yield assets.network_policy(
        PARTNER,
        "partner-egress",
        ("partner-vpc",),
        [
            assets.policy_rule(
                1000, "EGRESS", "deny", "suspended partners", {"destAddressGroups": [group]}, logged=True
            ),
            assets.policy_rule(
                1100, "EGRESS", "deny", "retired exchange",
                {"destFqdns": ["exchange.meridian-partners.example"]}, protocols=("tcp:443",), logged=True,
            ),
        ],
        _updated("partner-egress"),
    )  # fmt: skip


def _dev_firewalls() -> Iterable[Asset]:
    """Shared VPC whose host project does not let GKE make rules: one rule of their own for all Pods."""
    yield _rule(
        NET_DEV, "dev-vpc", "allow-dev-pods", "allow", "all",
        sources=("10.96.0.0/16", "10.98.0.0/17", "10.100.0.0/17", "10.101.0.0/17", "10.102.0.0/17"),
        description="Pod ranges of all development clusters",
    )  # fmt: skip
    yield _rule(
        NET_DEV, "dev-vpc", "allow-dev-pods-ipv6", "allow", "all", sources=(DEV_MESH.ipv6,),
        description="Pods and nodes of dual-stack development clusters",
    )  # fmt: skip
    yield _rule(
        NET_DEV,
        "dev-vpc",
        "allow-dev-nodes",
        "allow",
        "tcp",
        "udp",
        "icmp",
        sources=("10.34.0.0/20", "10.35.0.0/20"),
    )
    yield _rule(
        NET_DEV, "dev-vpc", "allow-dev-control-planes", "allow", "tcp:443,10250", sources=("172.16.0.0/16",)
    )


def _kubernetes() -> Iterable[Asset]:
    """What was read of ip-masq-agent: a ConfigMap in several states, or Autopilot's policy.

    The snapshot says that ConfigMaps and DaemonSets of kube-system were listed, so that the other clusters
    run none, except for those of `UNREACHABLE`.
    """
    inside = "nonMasqueradeCIDRs:\n- 10.0.0.0/8\n- 172.16.0.0/12\nresyncInterval: 60s\n"
    for cluster in (
        STOREFRONT_EU, PAYMENTS_API, LEDGER, TOKENIZER, POS_GATEWAY, ERP_REPORTS, FRAUD_SCORING, EDGE_PROXY,
        EDGE_CACHE, PARTNER_API, CI,
    ):  # fmt: skip
        yield from _agent(cluster, inside)
    yield from _agent(STOREFRONT_US, "nonMasqueradeCIDRs: [10.11.0.0/20, 10.66.0.0/16, 172.20.96.0/20]\n")
    yield from _agent(ORDERS_EU, '{"nonMasqueradeCIDRs": ["10.0.0.0/8"], "masqLinkLocal": false}\n')
    # Two ranges, each covered by what no single entry covers alone.
    halves = "nonMasqueradeCIDRs:\n- 10.74.0.0/17\n- 10.74.128.0/18\n- 10.74.192.0/18\n- 10.75.0.0/18\n"
    yield from _agent(SEARCH_INDEXER, halves)
    # Each forgets the range of one pool.
    yield from _agent(WAREHOUSE_ETL, "nonMasqueradeCIDRs:\n- 10.10.0.0/16\n- 10.76.0.0/16\n- 172.20.0.0/14\n")
    yield from _agent(STREAM, "nonMasqueradeCIDRs:\n- 10.0.0.0/8\n- 172.20.0.0/14\nmasqLinkLocal: false\n")
    # Not aligned: the agent refuses it and keeps what it had before.
    yield from _agent(HR_PORTAL, "nonMasqueradeCIDRs:\n- 10.100.0.1/17\n- 10.34.0.0/20\n")
    for cluster in (SEARCH_API, SUGGEST):
        policy = {
            "apiVersion": "networking.gke.io/v1",
            "kind": "EgressNATPolicy",
            "metadata": {"name": "default"},
            "spec": {"action": "NoSNAT", "destinations": [{"cidr": cidr} for cidr in DEFAULT_NON_MASQUERADE]},
        }
        path = "egressnatpolicies/default"
        kind, above = inventory.EGRESS_NAT_POLICY, cluster.project.ancestors
        yield assets.kubernetes(cluster.full_name, above, path, kind, policy, READ_TIME)


def _agent(cluster: Cluster, config: str) -> Iterable[Asset]:
    """ip-masq-agent with `config` in its ConfigMap."""
    return assets.ip_masq_agent(cluster.full_name, cluster.project.ancestors, config, READ_TIME)


def _assets() -> list[Asset]:
    """Every asset of the organisation, in the order of their names."""
    every = [*_hierarchy(), *_networks(), *_clusters(), *_firewalls(), *_kubernetes()]
    return sorted(every, key=lambda one: (one["name"], one["assetType"]))


def snapshot() -> bytes:
    """The demo organisation as a snapshot file."""
    refused = [("projects/mrd-labs", "labs", inventory.FIREWALL)]
    of_network = (inventory.NETWORK, inventory.SUBNETWORK, inventory.FIREWALL, inventory.FIREWALL_POLICY)
    refused += [(f"projects/{KESTREL_NET.id}", "kestrel", kind) for kind in of_network]
    gaps = [
        Gap(
            scope,
            kind,
            f"PERMISSION_DENIED: the service perimeter {perimeter} refused cloudasset.assets.listResource",
            f"let the auditing service account into the perimeter {perimeter}, and collect again",
        )
        for scope, perimeter, kind in refused
    ]
    gaps += [
        Gap(
            cluster.full_name,
            kind,
            "the control plane did not answer within 10 s",
            "collect again from a network that reaches its endpoint, or give the objects with --kubernetes",
        )
        for cluster in UNREACHABLE
        for kind in (inventory.CONFIG_MAP, inventory.DAEMON_SET)
    ]
    header = Header((ORG,), frozenset(READ), READ_TIME, tuple(gaps), tool="gke-auditor demo")
    return b"".join(write(header, _assets()))


if __name__ == "__main__":
    TARGET.write_bytes(snapshot())

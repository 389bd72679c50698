"""Synthetic reports for the tests of the formats: small ones, hostile ones, big ones.

`all_verdicts()` is a small organisation that shows every verdict, readiness, waiver state and kind of gap.
`hostile()` is the same shape with text that nobody should have put there. `big(n)` has n clusters and
twelve results for each. All are deterministic.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from auditor.engine.result import (
    ClusterReport,
    Remediation,
    Report,
    ResourceRef,
    Result,
    Severity,
    Verdict,
    WaiverNote,
)
from auditor.engine.rule import Rule
from auditor.engine.waivers import Waiver
from auditor.model.addresses import parse_range
from auditor.model.declaration import Declaration
from auditor.model.evidence import Evidence, Unknown
from auditor.model.facts import (
    ClusterFacts,
    ClusterNetwork,
    ClusterReadiness,
    FlowLogs,
    Masquerade,
    NodeClass,
    NodeClasses,
    PodPackets,
    PodRange,
    Pods,
    PodTraffic,
    PoolPods,
    PoolVersion,
    Readiness,
    SubnetFlowLogs,
    Uncovered,
    UnloggedRule,
    UnresolvedRange,
    Versions,
    Visibility,
    WindowsPools,
)
from auditor.model.inventory import CLUSTER, FIREWALL_POLICY, NETWORK, SUBNETWORK, Gap
from auditor.model.traffic import (
    KUBELET_READ_ONLY,
    Area,
    Box,
    Boxes,
    Decider,
    Repair,
    Row,
    ScopeTraffic,
    Witness,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from auditor.model.evidence import Json
    from auditor.model.facts import KnownReadiness
    from auditor.model.traffic import Direction, Protocol, TrafficVerdict

ORGANIZATION = "organizations/123456789012"
HOST = "net-host"
ENABLE = "gcloud container clusters update {} --project={} --location={} --enable-intra-node-visibility"
REPAIR = """\
gcloud compute firewall-rules create allow-pods-egress-checkout --project=net-host \\
  --network=vpc-prod --direction=EGRESS --action=ALLOW --rules=tcp,udp,icmp \\
  --destination-ranges=10.8.0.0/16 --priority=64999"""
VPC = f"projects/{HOST}/global/networks/vpc-prod"

RULES: tuple[tuple[str, Severity, str], ...] = (
    (
        "intranode-visibility-disabled",
        Severity.MEDIUM,
        "Traffic between Pods on one node is not visible to the VPC",
    ),
    ("gke-version-unsupported", Severity.HIGH, "GKE is older than 1.15"),
    ("windows-node-pool", Severity.HIGH, "A node pool runs Windows Server"),
    ("masquerade-misses-pod-range", Severity.HIGH, "ip-masq-agent translates Pod traffic inside the VPC"),
    ("same-node-traffic-denied", Severity.HIGH, "Pod traffic on one node is denied by a firewall rule"),
    ("same-node-traffic-would-be-denied", Severity.MEDIUM, "Turning visibility on would cut Pod traffic"),
    ("pod-traffic-denied", Severity.MEDIUM, "Pod traffic between nodes is denied"),
    ("rare-protocol-traffic-denied", Severity.LOW, "Only rare protocols are denied between Pods"),
    ("flow-logs-disabled", Severity.MEDIUM, "VPC Flow Logs are off on a node subnetwork"),
    ("flow-logs-thinned", Severity.LOW, "VPC Flow Logs miss Pod pairs"),
    ("mtu-needs-intranode-visibility", Severity.LOW, "An MTU of 1500 needs intra-node visibility"),
    ("stale-gke-firewall-rule", Severity.INFO, "A firewall rule of a deleted cluster is left over"),
)


def rule(id_: str, severity: Severity = Severity.MEDIUM, title: str = "", **changed: Any) -> Rule:
    """A whole rule; `changed` replaces fields of its file."""
    kind = "network" if id_ == "stale-gke-firewall-rule" else "cluster"
    return Rule.model_validate(
        {
            "id": id_,
            "title": title or id_.replace("-", " ").capitalize(),
            "severity": severity,
            "since": "0.1.0",
            "tags": ("visibility", "flow-logs"),
            "aliases": ("CKV_GCP_61",) if id_ == "intranode-visibility-disabled" else (),
            "description": (
                "Without intra-node visibility, packets between two Pods on the same node never reach the "
                "VPC network, so VPC Flow Logs and firewall rules do not see them "
                "(`networkConfig.enableIntraNodeVisibility`)."
            ),
            "applies_to": {"kind": kind},
            "checks": ({"expect": "visibility.state == 'on'", "message": "Cluster {cluster.name} is off."},),
            "passing": "Visibility is on.",
            "evidence": ({"path": "traffic"},) if "traffic" in id_ else (),
            "remediation": {
                "text": "Turn on intra-node visibility.",
                "commands": (
                    "gcloud container clusters update {cluster.name} --enable-intra-node-visibility",
                ),
                "cost": "The control plane and every node restart.",
                "terraform": "enable_intranode_visibility = true",
            },
            "references": (
                {
                    "title": "Set up intranode visibility",
                    "url": "https://cloud.google.com/kubernetes-engine/docs/how-to/intranode-visibility",
                },
            ),
            "controls": {"cis-gke": ("5.6.1",)} if "visibility" in id_ or "flow-logs" in id_ else {},
            "examples": {
                "pass": (
                    {"name": "turned on", "cluster": {"networkConfig": {"enableIntraNodeVisibility": True}}},
                ),
                "fail": (
                    {
                        "name": "turned off",
                        "cluster": {"networkConfig": {"enableIntraNodeVisibility": False}},
                    },
                ),
            },
            **changed,
        }
    )


@cache
def rules() -> tuple[Rule, ...]:
    """The rules that every report here was evaluated with, in the order of their ids."""
    return tuple(sorted((rule(*entry) for entry in RULES), key=lambda r: r.id))


_SEVERITY = {id_: severity for id_, severity, _ in RULES}


def cluster_ref(name: str, project: str = "pay-prod", location: str = "europe-west1") -> ResourceRef:
    return ResourceRef(
        f"//container.googleapis.com/projects/{project}/locations/{location}/clusters/{name}",
        CLUSTER,
        project,
        location,
    )


def network_ref(name: str, project: str = HOST) -> ResourceRef:
    return ResourceRef(
        f"//compute.googleapis.com/projects/{project}/global/networks/{name}", NETWORK, project, "global"
    )


def result(
    rule_id: str,
    verdict: Verdict,
    resource: ResourceRef,
    *,
    subject: str | None = None,
    severity: Severity | None = None,
    message: str = "",
    evidence: tuple[Evidence, ...] | None = None,
    reasons: tuple[str, ...] = (),
    remediation: Remediation | None = None,
    waiver: Waiver | None = None,
    baseline: str | None = None,
) -> Result:
    """A result with everything filled in that is not given."""
    name = resource.name.rsplit("/", 1)[-1]
    if not message:
        message = {
            Verdict.PASS: "Visibility is on.",
            Verdict.FAIL: f"Cluster {name} has intra-node visibility turned off.",
            Verdict.NOT_APPLICABLE: "The rule does not apply here.",
            Verdict.UNKNOWN: "It could not be decided.",
        }[verdict]
    if evidence is None:
        evidence = (Evidence(resource.name, "networkConfig.enableIntraNodeVisibility", False, True),)
    if verdict is Verdict.FAIL and remediation is None:
        remediation = Remediation(
            "Turn on intra-node visibility.",
            (ENABLE.format(name, resource.project, resource.location),),
        )
    return Result(
        rule_id,
        verdict,
        severity or _SEVERITY.get(rule_id, Severity.MEDIUM),
        resource,
        subject,
        message,
        evidence,
        reasons,
        remediation,
        waiver,
        baseline,
    )


DENY_EGRESS = Decider(
    f"//compute.googleapis.com/projects/{HOST}/global/firewalls/deny-all-egress",
    "deny-all-egress",
    65000,
    "vpc",
    "deny",
    logging=True,
)
EXKUBELET = Decider(
    f"//compute.googleapis.com/projects/{HOST}/global/firewalls/gke-ledger-0a1b2c3d-exkubelet",
    "gke-ledger-0a1b2c3d-exkubelet",
    1000,
    "vpc",
    "deny",
    logging=False,
)
PARTNERS = Decider(
    "//compute.googleapis.com/locations/global/firewallPolicies/123",
    "suspended partners",
    900,
    "hierarchical",
    "deny",
    logging=False,
)
IMPLIED_ALLOW = Decider(None, "implied allow egress", None, "implied", "allow")
PROTOCOLS: tuple[Protocol, ...] = ("tcp", "udp", "sctp", "icmp", "esp", "ah")


def box(
    direction: Direction,
    protocol: Protocol,
    range_: str,
    by: Decider | tuple[Decider, ...],
    *,
    ports: str | None = None,
    benign: str | None = None,
) -> Box:
    """Packets within one IPv4 Pod range of the pools `default` and `gpu`; several deciders: undecided."""
    candidates = by if isinstance(by, tuple) else (by,)
    if ports is None and protocol in ("tcp", "udp", "sctp"):
        ports = "1-65535"
    prefix = range_.rsplit(".", 1)[0]
    port = None if ports is None else int(ports.partition("-")[0])
    return Box(
        direction,
        range_,
        range_,
        protocol,
        ports,
        ("default", "gpu"),
        ("default", "gpu"),
        None if isinstance(by, tuple) else by,
        candidates,
        Witness(f"{prefix}.2", f"{prefix}.3", protocol, port, "default", "default"),
        benign,
    )


def boxes(found: Sequence[Box]) -> Boxes:
    """Boxes as the analysis holds them: what lies between the same ranges together."""
    areas: dict[tuple[str, str, str], list[Box]] = {}
    for one in found:
        areas.setdefault((one.direction, one.source, one.destination), []).append(one)
    return Boxes(tuple(map(area, areas.values())))


def area(found: Sequence[Box]) -> Area:
    first = found[0]
    source, destination = parse_range(first.source), parse_range(first.destination)
    assert source
    assert destination
    rows = []
    for one in found:
        low, _, high = (one.ports or "").partition("-")
        ports = (int(low), int(high or low)) if low else None
        slot = PROTOCOLS.index(one.protocol)
        rows.append(Row(slot, one.protocol, ports, one.decided_by, one.candidates, one.benign))
    spans = (source.low, source.high), (destination.low, destination.high)
    pools = first.source_pools, first.destination_pools
    return Area(first.direction, source.family, *spans, *pools, None, tuple(rows))


def packets(
    denied: Sequence[Box] = (),
    undecided: Sequence[Box] = (),
    repairs: tuple[Repair, ...] = (),
    reasons: tuple[str, ...] = (),
    unlogged: tuple[UnloggedRule, ...] | None = (),
) -> PodPackets:
    """One scope of the analysis, its verdicts computed from its boxes as far as these builders need them."""

    def verdict(protocols: Sequence[Protocol], *, benign: bool) -> TrafficVerdict:
        of = [b.protocol for b in denied if b.protocol in protocols and (benign or b.benign is None)]
        if of:
            return (
                "denied"
                if set(of) == set(protocols) and all(b.ports in (None, "1-65535") for b in denied)
                else "partial"
            )
        return "unknown" if any(b.protocol in protocols for b in undecided) else "allowed"

    everyday, rare = (
        verdict(("tcp", "udp", "icmp"), benign=False),
        verdict(("sctp", "esp", "ah"), benign=False),
    )
    analysis = ScopeTraffic(
        verdict(PROTOCOLS, benign=True),
        {protocol: verdict((protocol,), benign=True) for protocol in PROTOCOLS},
        everyday,
        rare,
        boxes(denied),
        boxes(undecided),
        tuple(dict.fromkeys(b.decided_by for b in denied if b.decided_by is not None)),
        reasons,
    )
    harmful = [b for b in denied if b.benign is None]
    return PodPackets(
        None if everyday == "unknown" else everyday != "allowed",
        None if rare == "unknown" else rare != "allowed",
        f"Egress is denied by {harmful[0].candidates[0].rule}." if harmful else "",
        "",
        unlogged,
        repairs,
        tuple(one.command for one in repairs if one.command),
        analysis,
    )


def denied_traffic(range_: str = "10.8.0.0/16", name: str = "checkout") -> PodTraffic:
    """Egress of tcp, udp and icmp is denied by a VPC rule; between nodes some ports of a policy too."""
    egress = [box("egress", protocol, range_, DENY_EGRESS) for protocol in ("tcp", "udp", "icmp")]
    policy = replace(PARTNERS, rule="databases")
    more = [box("ingress", "tcp", range_, policy, ports=ports) for ports in ("3306", "5432-5433")]
    rule_name = f"allow-pods-egress-{name}-c0ffee"
    repair = Repair(
        "egress",
        DENY_EGRESS,
        "Allow exactly the denied Pod packets with a VPC firewall rule of priority 64999 before VPC firewall "
        "rule deny-all-egress (65000), for the nodes of the cluster in network vpc-prod.",
        f"gcloud compute firewall-rules create {rule_name} --project=net-host --network=vpc-prod "
        f"--direction=EGRESS --action=ALLOW --priority=64999 --rules=icmp,tcp,udp --source-ranges={range_} "
        f"--destination-ranges={range_} --target-tags=gke-{name}-0a1b2c3d-node",
        f'resource "google_compute_firewall" "{rule_name.replace("-", "_")}" {{\n'
        f'  name      = "{rule_name}"\n  direction = "EGRESS"\n  priority  = 64999\n}}\n',
        f"whoever manages the firewall rules of project {HOST}",
    )
    by_hand = Repair(
        "ingress",
        policy,
        "Renumber firewall policy 123: no priority is free before its rule 900.",
        "",
        "",
        "its owner",
    )
    unlogged = (
        UnloggedRule(EXKUBELET.asset or "", EXKUBELET.rule, "a rule", "logConfig.enable", "gcloud compute …"),
    )
    return PodTraffic(
        packets(egress, repairs=(repair,), unlogged=unlogged),
        packets(egress + more, repairs=(repair, by_hand), unlogged=unlogged),
        (Evidence(DENY_EGRESS.asset or "", "rule 'deny-all-egress'", "deny egress"),),
    )


def undecided_traffic(range_: str = "10.12.0.0/16") -> PodTraffic:
    """Egress may be denied by a policy rule whose address group nobody has read."""
    found = [box("egress", protocol, range_, (PARTNERS, IMPLIED_ALLOW)) for protocol in PROTOCOLS]
    reason = "rule 900 of firewall policy 123: address group partners is not in the inventory"
    hint = "export networksecurity.googleapis.com/AddressGroup assets too"
    scope = packets(undecided=found, reasons=(f"{reason}; {hint}",), unlogged=None)
    return PodTraffic(scope, scope, (), (Unknown("traffic", reason, hint),))


def benign_traffic(range_: str = "10.9.0.0/16") -> PodTraffic:
    """GKE's own rule closes the read-only kubelet port, and nothing else is denied."""
    scope = packets([box("ingress", "tcp", range_, EXKUBELET, ports="10255", benign=KUBELET_READ_ONLY)])
    return PodTraffic(scope, scope, ())


def allowed_traffic() -> PodTraffic:
    """Nothing is denied, and nothing is undecided."""
    return PodTraffic(packets(), packets(), ())


def facts(
    ref: ResourceRef,
    *,
    state: Literal["on", "off"] | None = "on",
    second_range: bool = False,
    uncovered: bool = False,
    unknown_masquerade: bool = False,
    flow_logs: bool = True,
    version: str = "1.33.5-gke.100",
    block: int = 8,
    traffic: PodTraffic | None = None,
) -> ClusterFacts:
    """The facts of a Standard cluster in the Shared VPC, with the pools `default` and `gpu`."""
    asset = ref.name
    name = asset.rsplit("/", 1)[-1]
    seen = (Evidence(asset, "networkConfig.enableIntraNodeVisibility", state == "on", True),)
    ranges = [
        PodRange(f"10.{block}.0.0/16", 4, "cluster default", ("default", "gpu"), in_use=True),
        PodRange("fd20:0:1::/96", 6, "cluster default", ("default", "gpu"), in_use=True),
    ]
    unresolved: tuple[UnresolvedRange, ...] = ()
    if second_range:
        ranges.append(PodRange("10.200.0.0/20", 4, "pool gpu", ("gpu",), in_use=True))
        unresolved = (
            UnresolvedRange(
                "pods-burst",
                f"projects/{HOST}/regions/{ref.location}/subnetworks/nodes",
                ("gpu",),
                "The Subnetwork that defines it is not in the inventory.",
            ),
        )
    command = f"kubectl --context {name} -n kube-system get configmap ip-masq-agent -o yaml"
    missing = Unknown("masquerade.uncovered", "The ip-masq-agent ConfigMap was not read.", command)
    subnetwork = f"//compute.googleapis.com/projects/{HOST}/regions/{ref.location}/subnetworks/nodes"
    return ClusterFacts(
        visibility=Visibility(
            state,
            "field" if state else "field absent",
            "netd" if state == "on" else None,
            seen,
            ()
            if state
            else (Unknown("visibility.state", "networkConfig is absent.", "Export the cluster again."),),
        ),
        versions=Versions(
            version,
            (PoolVersion("default", version), PoolVersion("gpu", None if second_range else version)),
            (Evidence(asset, "currentMasterVersion", version),),
        ),
        pods=Pods(
            tuple(ranges),
            (
                PoolPods("default", (f"10.{block}.0.0/16", "fd20:0:1::/96"), 24, 112, resolved=True),
                PoolPods("gpu", tuple(r.cidr for r in ranges), 26, 112, resolved=not second_range),
            ),
            unresolved,
            (Evidence(asset, "ipAllocationPolicy.clusterIpv4CidrBlock", f"10.{block}.0.0/16"),),
            tuple(
                Unknown("pods.ranges", u.reason, "Export compute.googleapis.com/Subnetwork.")
                for u in unresolved
            ),
        ),
        node_classes=NodeClasses(
            (
                NodeClass(
                    ("default", "gpu"),
                    VPC,
                    ref.location,
                    ("web", "gke-node"),
                    name,
                    "0a1b2c3d",
                    f"gke-nodes@{ref.project}.iam.gserviceaccount.com",
                    None,
                ),
            ),
            (),
            (Unknown("node_classes.secure_tags", "TagBindings were not read.", "Export TagBinding assets."),),
        ),
        masquerade=Masquerade(
            None if unknown_masquerade else "ip-masq-agent ConfigMap",
            None if unknown_masquerade else ("10.0.0.0/9", "192.168.0.0/16"),
            None
            if unknown_masquerade
            else (Uncovered("10.200.0.0/20", ("10.200.0.0/20",), "pool gpu", ("gpu",)),)
            if uncovered
            else (),
            ()
            if unknown_masquerade
            else (
                Evidence(
                    f"{asset}/k8s/namespaces/kube-system/configmaps/ip-masq-agent",
                    "data.config",
                    {"nonMasqueradeCIDRs": ["10.0.0.0/9", "192.168.0.0/16"]},
                ),
            ),
            (missing,) if unknown_masquerade else (),
        ),
        flow_logs=FlowLogs(
            (
                SubnetFlowLogs(
                    subnetwork,
                    "nodes",
                    ref.location,
                    HOST,
                    ("default", "gpu"),
                    flow_logs,
                    0.5 if flow_logs else None,
                    "INCLUDE_ALL_METADATA" if flow_logs else None,
                    "INTERVAL_5_SEC" if flow_logs else None,
                    "" if flow_logs else None,
                ),
            ),
            (Evidence(subnetwork, "logConfig.enable", flow_logs),),
        ),
        network=ClusterNetwork(VPC, HOST, True, 1460, "AFTER_CLASSIC_FIREWALL", ()),
        windows=WindowsPools((), ()),
        traffic=traffic or allowed_traffic(),
        readiness=ClusterReadiness("ready", (), Readiness("ready", ()), ()),
    )


def cluster(
    ref: ResourceRef,
    state: KnownReadiness | Literal["unknown"],
    reasons: tuple[str, ...] = (),
    *,
    facts_: ClusterFacts | None,
    folder: str = "folders/77",
    status: str = "RUNNING",
    autopilot: bool = False,
) -> ClusterReport:
    return ClusterReport(
        ref, ref.name.rsplit("/", 1)[-1], status, autopilot, True, folder, facts_, Readiness(state, reasons)
    )


def summarise(results: Iterable[Result]) -> dict[str, int]:
    """The counts of `Report.summary`: waived failures stand apart, those that are gone are not counted."""
    counts: Counter[str] = Counter()
    for r in results:
        if r.verdict is Verdict.FAIL and r.waiver is not None:
            counts["waived"] += 1
        elif r.baseline != "absent":
            counts[r.verdict.value] += 1
    return {key: counts[key] for key in ("fail", "pass", "unknown", "not_applicable", "waived")}


def report(
    clusters: Sequence[ClusterReport] = (),
    results: Iterable[Result] = (),
    *,
    gaps: tuple[Gap, ...] = (),
    waiver_notes: tuple[WaiverNote, ...] = (),
    rules_: tuple[Rule, ...] | None = None,
    scope: str = ORGANIZATION,
) -> Report:
    """A report of these parts, sorted as an audit sorts it."""
    ordered = tuple(sorted(results, key=lambda r: (r.resource.name, r.rule, r.subject or "")))
    return Report(
        tool_version="0.1.0",
        rules_digest="sha256:" + hashlib.sha256(b"rules").hexdigest(),
        now="2026-11-21T09:30:00Z",
        sources=("export/clusters.ndjson", "export/compute.ndjson.zst"),
        scope=scope,
        read_time="2026-11-20T02:00:00Z",
        digest="sha256:" + hashlib.sha256(b"inventory").hexdigest(),
        counts={"clusters": len(clusters), "node_pools": 2 * len(clusters), "firewalls": 120, "projects": 3},
        complete_by_word=False,
        gaps=gaps,
        rules=rules() if rules_ is None else rules_,
        clusters=tuple(sorted(clusters, key=lambda c: c.resource.name)),
        results=ordered,
        summary=summarise(ordered),
        waiver_notes=waiver_notes,
    )


WAIVER = Waiver(
    rule="flow-logs-disabled",
    resource="//container.googleapis.com/projects/*/clusters/sandbox*",
    subject=None,
    reason="Sandbox traffic is not worth its log volume.",
    owner="network-team@example.com",
    expires=date(2027, 3, 31),
)


def all_verdicts() -> Report:
    """Six clusters and one network: every verdict, readiness and waiver state, with gaps."""
    checkout = cluster_ref("checkout")
    ledger = cluster_ref("ledger", location="europe-west1-b")
    search = cluster_ref("search", "search-prod", "us-central1")
    sandbox = cluster_ref("sandbox-1", "sandbox", "us-central1")
    legacy = cluster_ref("legacy", "old-shop", "europe-west4")
    blind = cluster_ref("blind", "old-shop", "europe-west4")
    vpc = network_ref("vpc-prod")
    clusters = (
        cluster(
            checkout,
            "degraded",
            ("Same-node tcp, udp and icmp packets are denied by deny-all-egress (priority 65000).",),
            facts_=facts(checkout, second_range=True, uncovered=True, traffic=denied_traffic()),
        ),
        cluster(
            ledger,
            "blocked",
            ("Pod range 10.200.0.0/20 (pool gpu) would be masqueraded.",),
            facts_=facts(
                ledger, state="off", second_range=True, uncovered=True, block=9, traffic=benign_traffic()
            ),
        ),
        cluster(search, "working", (), facts_=facts(search, block=10), folder="folders/88"),
        cluster(
            sandbox,
            "ready",
            (),
            facts_=facts(sandbox, state="off", flow_logs=False, block=11),
            folder="folders/88",
        ),
        cluster(
            legacy,
            "unsupported",
            ("GKE 1.14.10-gke.27 is older than 1.15.",),
            facts_=facts(
                legacy,
                state="off",
                version="1.14.10-gke.27",
                unknown_masquerade=True,
                block=12,
                traffic=undecided_traffic(),
            ),
            folder="",
        ),
        cluster(
            blind, "unknown", ("The asset carries no resource.data.",), facts_=None, folder="", status=""
        ),
    )
    ordinary = [
        result(entry[0], Verdict.PASS, ref) for ref in (checkout, ledger, search) for entry in RULES[:4]
    ]
    deny = f"//compute.googleapis.com/projects/{HOST}/global/firewalls/deny-all-egress"
    subnet = f"//compute.googleapis.com/projects/{HOST}/regions/us-central1/subnetworks/nodes"
    special = [
        result(
            "same-node-traffic-denied",
            Verdict.FAIL,
            checkout,
            severity=Severity.CRITICAL,
            message=(
                "Egress from every Pod is denied: tcp, udp, icmp 10.8.0.0/16 to 10.8.0.0/16, by "
                "deny-all-egress (VPC rule, priority 65000, project net-host)."
            ),
            evidence=(
                Evidence(deny, "denied", [{"IPProtocol": "all"}]),
                Evidence(deny, "priority", 65000),
                Evidence(checkout.name, "visibility.state", "on"),
            ),
            remediation=Remediation(
                "Allow Pod traffic to the Pod ranges, above the rule that denies it.",
                (REPAIR,),
            ),
            baseline="new",
        ),
        result(
            "masquerade-misses-pod-range",
            Verdict.FAIL,
            ledger,
            subject="gpu",
            severity=Severity.MEDIUM,
            message="Pod range 10.200.0.0/20 of pool gpu is outside nonMasqueradeCIDRs.",
            baseline="unchanged",
        ),
        result("intranode-visibility-disabled", Verdict.FAIL, ledger, subject="whole", baseline="new"),
        result("intranode-visibility-disabled", Verdict.FAIL, sandbox, baseline="new"),
        result(
            "mtu-needs-intranode-visibility", Verdict.FAIL, sandbox, message="The MTU of vpc-prod is 1500."
        ),
        result(
            "flow-logs-disabled",
            Verdict.FAIL,
            sandbox,
            subject="nodes",
            message="Subnetwork nodes (us-central1) logs no flows.",
            evidence=(Evidence(subnet, "logConfig.enable", False, True),),
            waiver=WAIVER,
        ),
        result("flow-logs-thinned", Verdict.FAIL, search, subject="nodes", baseline="absent"),
        result("gke-version-unsupported", Verdict.FAIL, legacy, severity=Severity.HIGH),
        result(
            "masquerade-misses-pod-range",
            Verdict.UNKNOWN,
            legacy,
            evidence=(),
            reasons=(
                "The ip-masq-agent ConfigMap was not read. — kubectl get configmap ip-masq-agent -o yaml",
            ),
        ),
        result(
            "intranode-visibility-disabled",
            Verdict.UNKNOWN,
            blind,
            evidence=(),
            reasons=("The asset carries no resource.data. — Export it with --content-type=resource.",),
        ),
        result("windows-node-pool", Verdict.NOT_APPLICABLE, legacy, evidence=()),
        result(
            "stale-gke-firewall-rule",
            Verdict.FAIL,
            vpc,
            subject="gke-old-0badcafe-all",
            message="Firewall rule gke-old-0badcafe-all belongs to no cluster.",
        ),
    ]
    return report(
        clusters,
        ordinary + special,
        gaps=(
            Gap(
                "folders/77",
                None,
                "The folder could not be read: cloudasset.assets.listResource is missing.",
                "Grant roles/cloudasset.viewer on folders/77.",
            ),
            Gap(
                ORGANIZATION,
                FIREWALL_POLICY,
                "No asset of this type is in the input, so a policy could still deny.",
                "Export compute.googleapis.com/FirewallPolicy too, or give your word with --complete.",
            ),
            Gap(
                "export/clusters.ndjson:17",
                None,
                "The line is not JSON: unexpected end.",
                "Export the file again.",
            ),
        ),
        waiver_notes=(
            WaiverNote(
                "expired",
                "The waiver of intranode-visibility-disabled for ledger expired on 2026-01-31.",
                replace(
                    WAIVER,
                    rule="intranode-visibility-disabled",
                    resource=ledger.name,
                    expires=date(2026, 1, 31),
                    owner="pay-team",
                ),
            ),
            WaiverNote("unused", "The waiver of windows-node-pool matches nothing.", None),
        ),
    )


HOSTILE: tuple[str, ...] = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "javascript:alert(1)",
    '=HYPERLINK("https://evil.example","x")',
    "+1+1",
    "-1",
    "@SUM(A1)",
    "\tTAB",
    "\rCR",
    "a|b`c``d<e>f&g\"h'i",
    "line\nbreak\r\n# heading\n- item",
    "[click](https://evil.example) ![x](https://evil.example/x.png)",
    "[bold red]not markup[/] [/bold] [link=https://evil.example]x[/link]",
    "\x1b[31mred\x1b[0m \x1b]8;;https://evil.example\x07link\x1b]8;;\x07",
    "\u202egnp.exe \u2066isolate\u2069 \u200bzero",
    "\x00\x01\x08\x0b\x0c\x7f\x85\x9b",
    "lone \ud800 and \udfff surrogates",
    "\ufffe\uffff \U0001f600 ]]> <!-- -->",
    "\u2028\u2029",
    "%SRCROOT%/../../etc/passwd",
    "{0} {{x}} {cluster.name}",
    "$(rm -rf /) `rm` ; rm",
    "..",
    ".",
    "",
    " ",
    "https://evil.example/x?y=z#w",
    "x" * 10_000,
    "é" * 2_000,
)


def nested(depth: int) -> Json:
    value: Json = "bottom"
    for level in range(depth):
        value = [value] if level % 2 else {"k": value}
    return value


HOSTILE_VALUES: tuple[Json, ...] = (
    None,
    True,
    10**30,
    -(10**5000),
    1.5,
    float("nan"),
    float("inf"),
    [],
    {},
    nested(2000),
    {"": None, "\ud800": "\udfff", "a|b": [1, {"<": ">"}]},
    list(range(200)),
    *HOSTILE[:4],
)


def hostile() -> Report:
    """Text from hell wherever the inventory, a rule pack or a waiver can put text."""
    clusters: list[ClusterReport] = []
    results: list[Result] = []
    names = [rule_id for rule_id, _, _ in RULES]
    for number, text in enumerate(HOSTILE):
        other = HOSTILE[(number + 7) % len(HOSTILE)]
        third = HOSTILE[(number + 13) % len(HOSTILE)]
        ref = ResourceRef(
            f"//container.googleapis.com/projects/{other}/locations/{third}/clusters/{text}",
            CLUSTER,
            other,
            third,
        )
        value = HOSTILE_VALUES[number % len(HOSTILE_VALUES)]
        clusters.append(
            cluster(
                ref,
                "unknown",
                (text,),
                facts_=facts(ref, second_range=True, uncovered=True),
                folder=third,
                status=other,
            )
        )
        results += [
            result(
                names[number % len(names)],
                Verdict.FAIL,
                ref,
                subject=text,
                message=text,
                severity=list(Severity)[number % 5],
                evidence=(Evidence(other, text, value, HOSTILE_VALUES[-1]), Evidence(ref.name, third, None)),
                remediation=Remediation(text, (other, third)),
                waiver=replace(WAIVER, rule=text, reason=other, owner=third, resource=text)
                if number % 5 == 4
                else None,
            ),
            result(
                names[(number + 1) % len(names)],
                Verdict.UNKNOWN,
                ref,
                subject=text,
                message=other,
                evidence=(),
                reasons=(text, third),
            ),
            result(names[(number + 2) % len(names)], Verdict.PASS, ref, message=third),
        ]
    return report(
        clusters,
        results,
        gaps=tuple(Gap(text, SUBNETWORK, text, HOSTILE[0]) for text in HOSTILE),
        waiver_notes=tuple(WaiverNote("malformed", text, None) for text in HOSTILE),
        rules_=(*rules(), _hostile_rule()),
        scope="\u202e<b>scope</b>\ud800",
    )


def _hostile_rule() -> Rule:
    plain = rule("hostile-pack", Severity.HIGH, "A title with | ` <b> [x](https://evil.example) *stars*")
    text = "\n".join(HOSTILE)
    fix = plain.remediation.model_copy(
        update={"text": text, "commands": ("```\nout of the fence", text), "cost": text, "terraform": text}
    )
    example = plain.examples.fail[0].model_copy(update={"name": text, "cluster": {text: HOSTILE_VALUES[3]}})
    return plain.model_copy(
        update={
            "description": text,
            "aliases": HOSTILE[:5],
            "controls": {t: (t, *HOSTILE[:12]) for t in HOSTILE[:5]},
            "remediation": fix,
            "examples": plain.examples.model_copy(update={"fail": (example,)}),
        }
    )


def big(clusters: int) -> Report:
    """A report of `clusters` clusters with twelve results each; one in twenty clusters is not healthy.

    Equal things are shared between results as an audit shares them: facts' evidence within a cluster, texts
    of passes between clusters.
    """
    reports: list[ClusterReport] = []
    results: list[Result] = []
    applicable = "It applies to other clusters only."
    for number in range(clusters):
        ref = cluster_ref(
            f"c{number:06d}", f"project-{number // 10:05d}", ("europe-west1", "us-central1")[number % 2]
        )
        sick = number % 20 == 0
        known = facts(ref, state="off" if sick else "on", block=number % 200)
        reports.append(
            cluster(ref, "ready" if sick else "working", (), facts_=known, folder=f"folders/{number % 7}")
        )
        for index, (rule_id, severity, _) in enumerate(RULES):
            if sick and index in (0, 3, 9):
                verdict = Verdict.UNKNOWN if index == 3 else Verdict.FAIL
                results.append(
                    result(
                        rule_id,
                        verdict,
                        ref,
                        evidence=known.visibility.evidence,
                        reasons=("The ip-masq-agent ConfigMap was not read. — kubectl get configmap",)
                        if verdict is Verdict.UNKNOWN
                        else (),
                    )
                )
                continue
            results.append(
                Result(
                    rule_id,
                    Verdict.PASS if index < 9 else Verdict.NOT_APPLICABLE,
                    severity,
                    ref,
                    None,
                    "Visibility is on." if index < 9 else applicable,
                    known.visibility.evidence if index % 2 else known.flow_logs.evidence,
                    (),
                    None,
                )
            )
    return report(reports, results)


def declared() -> Report:
    """`all_verdicts`, where Terraform declares the cluster that loses traffic, and perhaps a second time."""
    whole = all_verdicts()
    name = cluster_ref("checkout").name
    diff = "--- a/gke/main.tf\n+++ b/gke/main.tf\n@@ -14,1 +14,2 @@\n+  enable_intranode_visibility = true\n"
    places = (
        Declaration(
            name, "google_container_cluster.checkout", "configuration", "gke/main.tf", 12, 40, "update", diff
        ),
        Declaration(name, 'module.gke["eu"].google_container_cluster.this', "candidate", "gke/this.tf", 3, 9),
    )
    results = tuple(
        replace(one, declarations=places) if one.rule == "same-node-traffic-denied" else one
        for one in whole.results
    )
    clusters = tuple(
        replace(one, declarations=places[:1]) if one.resource.name == name else one for one in whole.clusters
    )
    return replace(whole, results=results, clusters=clusters)

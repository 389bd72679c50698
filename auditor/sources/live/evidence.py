"""Evidence from the Kubernetes API of each cluster: ip-masq-agent, its configuration, EgressNATPolicy.

Standard clusters are asked for the DaemonSets of kube-system and for the ConfigMaps that ip-masq-agent reads,
Autopilot clusters for their EgressNATPolicies. A cluster is asked at its DNS endpoint, where that takes
traffic from outside, and else at its IP endpoint, whose certificate must be of the cluster's own authority.
"""

from __future__ import annotations

import ipaddress
import re
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson

from auditor.model.inventory import CLUSTER, CONFIG_MAP, DAEMON_SET, EGRESS_NAT_POLICY, POD, Gap
from auditor.model.names import canonical, project_of
from auditor.sources import kubernetes
from auditor.sources.live import calls, causes
from auditor.sources.live.decode import Line, encoded
from auditor.sources.live.http import Deadline, FetchError, Reader
from auditor.sources.live.keep import Keep, pruned
from auditor.sources.live.limiter import StoppedError
from auditor.sources.live.retry import CallError
from auditor.sources.live.workers import each

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Sequence

    from auditor.sources.live.retry import Caller
    from auditor.sources.live.state import State

Object = dict[str, Any]

_AGENT = "ip-masq-agent"
_SYSTEM = "kube-system"
_DAEMON_SETS = f"/apis/apps/v1/namespaces/{_SYSTEM}/daemonsets"
_CONFIG_MAPS = f"/api/v1/namespaces/{_SYSTEM}/configmaps/"
_NAT_POLICIES = "/apis/networking.gke.io/v1/egressnatpolicies"
_PAGES = 1000
_ANSWERING = frozenset(("RUNNING", "RECONCILING", "DEGRADED"))

# What an answer holds besides (environment variables, annotations, managed fields) is not kept.
_IDENTITY: Keep = {"name": None, "namespace": None, "labels": None}
_POD_SPEC: Keep = {
    "affinity": None,
    "containers": {"name": None, "image": None, "command": None, "args": None, "volumeMounts": None},
    "hostNetwork": None,
    "nodeSelector": None,
    "volumes": {"name": None, "configMap": None},
}
KEPT: dict[str, Keep] = {
    "ConfigMap": {"metadata": _IDENTITY, "data": None, "binaryData": None},
    "DaemonSet": {
        "metadata": _IDENTITY,
        "spec": {"template": {"spec": _POD_SPEC}},
        "status": {"desiredNumberScheduled": None, "numberReady": None},
    },
    "EgressNATPolicy": {"metadata": _IDENTITY, "spec": None},
    "Pod": {"metadata": _IDENTITY, "spec": _POD_SPEC, "status": {"phase": None}},
}
"""What is kept of a Kubernetes object by kind."""

_DNS_NAME = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.gke\.goog")


@dataclass(frozen=True, slots=True)
class Target:
    """A cluster to ask. `certificate` is its authority as the API gives it: PEM in base64, or nothing."""

    name: str
    data: Object
    ancestors: list[str]
    certificate: str

    @property
    def autopilot(self) -> bool:
        """Whether it is an Autopilot cluster."""
        return _object(self.data, "autopilot").get("enabled") is True


@dataclass(slots=True)
class Found:
    """What one cluster gave: lines of the snapshot, the types that were listed to their end, gaps."""

    target: Target
    lines: list[Line] = field(default_factory=list)
    listed: set[str] = field(default_factory=set)
    gaps: list[Gap] = field(default_factory=list)


@dataclass(slots=True)
class EvidenceReader:
    """Asks clusters. `token` gives the caller's access token, `emulated` is True if there is none.

    `stopping` is set when the collection is interrupted, `stop` interrupts it.
    """

    state: State
    token: Callable[[], str]
    emulated: bool
    timeout: float
    at_once: int
    stopping: threading.Event
    stop: Callable[[], None]
    progress: Callable[[str], None]
    gaps: list[Gap] = field(default_factory=list)
    listed: list[tuple[str, frozenset[str]]] = field(default_factory=list)
    without_agent: set[str] = field(default_factory=set)

    def run(self) -> None:
        """Ask every cluster. Raises `StoppedError` when the collection is interrupted."""
        certificates = self.state.certificates()
        # What an interrupted collection found may be there no more.
        self.state.forget(tuple(kubernetes.KIND_OF))
        for target, found in each(self._cluster, self._targets(certificates), self.at_once, self.stop):
            self.state.replace(found.lines)
            self.gaps += found.gaps
            if found.listed:
                self.listed.append((target.name, frozenset(found.listed)))
            if not target.autopilot and DAEMON_SET not in found.listed:
                self.without_agent.add(canonical(target.name))

    def _targets(self, certificates: dict[str, str]) -> Iterator[Target]:
        for _, body in self.state.bodies(CLUSTER):
            asset = orjson.loads(body)
            data = _object(_object(asset, "resource"), "data")
            if (data.get("status") or "RUNNING") not in _ANSWERING:
                # No rule applies to it, and there may be no API to ask.
                continue
            yield Target(
                asset["name"],
                data,
                asset.get("ancestors") or [],
                certificates.get(asset["name"], ""),
            )

    def _cluster(self, target: Target) -> Found:
        if self.stopping.is_set():
            raise StoppedError
        self.progress(f"Kubernetes API of {target.name.rsplit('/', 1)[-1]}")
        found = Found(target)
        deadline = Deadline.after(self.timeout)
        try:
            readers = self._readers(target)
        except FetchError as error:
            self._missed(found, _wanted(target), error)
            return found
        failure = FetchError("it has no endpoint that could be asked")
        for base, context in readers:
            reader = Reader(base, self.token, context, proxies=not self.emulated)
            try:
                if target.autopilot:
                    self._nat_policies(found, reader, deadline)
                else:
                    self._agent(found, reader, deadline)
            except FetchError as error:
                failure = error
                if error.status:
                    # It is the right place, and it said no.
                    break
            else:
                return found
            finally:
                reader.close()
        self._missed(found, _wanted(target), failure)
        return found

    def _readers(self, target: Target) -> list[tuple[str, ssl.SSLContext | None]]:
        """The places to ask, the best first, each with the authority to trust (None: the public ones)."""
        places: list[tuple[str, ssl.SSLContext | None]] = []
        endpoints = _object(target.data, "controlPlaneEndpointsConfig")
        dns = _object(endpoints, "dnsEndpointConfig")
        name = dns.get("endpoint")
        # A token goes to hosts of Google's own domain, or to who proves to be the cluster.
        if (
            dns.get("allowExternalTraffic") is True
            and isinstance(name, str)
            and _DNS_NAME.fullmatch(name)
            and not self.emulated
        ):
            places.append((f"https://{name}", None))
        addresses = (
            # An emulator's clusters have no name that the public authorities would vouch for.
            name if self.emulated and dns.get("allowExternalTraffic") is True else None,
            _object(endpoints, "ipEndpointsConfig").get("publicEndpoint"),
            target.data.get("endpoint"),
            _object(target.data, "privateClusterConfig").get("publicEndpoint"),
        )
        hosts = [
            host
            for host in dict.fromkeys(one for one in addresses if isinstance(one, str) and one)
            if _is_address(host) and (not self.emulated or _is_here(host))
        ]
        if hosts:
            if not target.certificate:
                if not places:
                    raise FetchError("its certificate authority is not known")
                return places
            context = _context(target.certificate)
            places += [(f"https://{host}", context) for host in hosts]
        return places

    def _agent(self, found: Found, reader: Reader, deadline: Deadline) -> None:
        sets = [
            one
            for one in _items(reader, _DAEMON_SETS, "DaemonSet", deadline)
            if _AGENT in str(_object(one, "metadata").get("name")) or _runs_agent(one)
        ]
        for one in sets:
            self._keep(found, "DaemonSet", one)
        found.listed.add(DAEMON_SET)
        names = {_AGENT, *(name for one in sets for name in _config_maps(one))}
        try:
            for name in sorted(names):
                value = _config_map(reader, name, deadline)
                if value is not None:
                    self._keep(found, "ConfigMap", value)
        except FetchError as error:
            self._missed(found, (calls.CONFIG_MAP, CONFIG_MAP), error)
            return
        found.listed.add(CONFIG_MAP)

    def _nat_policies(self, found: Found, reader: Reader, deadline: Deadline) -> None:
        for one in _items(reader, _NAT_POLICIES, "EgressNATPolicy", deadline):
            self._keep(found, "EgressNATPolicy", one)
        found.listed.add(EGRESS_NAT_POLICY)

    def _keep(self, found: Found, kind: str, value: Object) -> None:
        found.lines.append(line_of(found.target.name, found.target.ancestors, kind, value))

    def _missed(self, found: Found, wanted: tuple[calls.Call, str], error: FetchError) -> None:
        call, asset_type = wanted
        found.gaps.append(
            Gap(
                found.target.name,
                asset_type,
                f"the Kubernetes API of the cluster could not be read: {error}",
                _remedy(found.target, call, error),
            )
        )


def line_of(cluster: str, ancestors: list[str], kind: str, value: Object) -> Line:
    """A Kubernetes object of a cluster as a line of a snapshot."""
    kept = pruned(value, KEPT[kind])
    kept["kind"], kept["apiVersion"] = kind, kubernetes.VERSIONS[kind]
    _, namespace, own = kubernetes.identity(kept)  # type: ignore[arg-type]  # pruned JSON is JSON
    asset_type = kubernetes.KINDS[kind]
    asset: Object = {
        "name": kubernetes.asset_name(cluster, kind, namespace, own),
        "assetType": asset_type,
        "resource": {"data": kept},
    }
    if ancestors:
        asset["ancestors"] = ancestors
    return Line(asset["name"], asset_type, encoded(asset), "")


def _wanted(target: Target) -> tuple[calls.Call, str]:
    return (calls.NAT_POLICIES, EGRESS_NAT_POLICY) if target.autopilot else (calls.DAEMON_SETS, DAEMON_SET)


def _remedy(target: Target, call: calls.Call, error: FetchError) -> str:
    project = project_of(canonical(target.name))
    if error.status in (401, 403):
        return f"{causes.grant(call, f'projects/{project}')}: it has {call.permission}"
    parts = canonical(target.name).split("/")
    return (
        "let the endpoint be reached from here, or turn on the DNS endpoint: `gcloud container clusters "
        f"update {quote(parts[-1])} --location={quote(parts[3])} --project={quote(project)} "
        "--enable-dns-access`; or print the objects with kubectl and give them with --kubernetes"
    )


def _object(parent: Object, key: str) -> Object:
    value = parent.get(key)
    return value if isinstance(value, dict) else {}


def _is_address(host: str) -> bool:
    return _is_here(host) or _ip(host) is not None


def _is_here(host: str) -> bool:
    ip = _ip(host)
    return host.partition(":")[0] == "localhost" or (ip is not None and ip.is_loopback)


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    text = re.sub(r":[0-9]{1,5}$", "", host) if host.count(":") == 1 or host.startswith("[") else host
    try:
        return ipaddress.ip_address(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None


def _context(certificate: str) -> ssl.SSLContext:
    """Trust in the cluster's own authority and in no other."""
    import base64
    import binascii

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        pem = base64.b64decode(certificate, validate=True).decode("ascii")
        context.load_verify_locations(cadata=pem)
    except (binascii.Error, ValueError, ssl.SSLError) as error:
        raise FetchError("its certificate authority cannot be read") from error
    return context


def _items(reader: Reader, path: str, kind: str, deadline: Deadline) -> list[Object]:
    """All items of a list, page by page. A kind that the cluster does not know has none."""
    found: list[Object] = []
    token = ""
    for _ in range(_PAGES):
        try:
            body = reader.get(f"{path}?continue={quote(token, safe='')}" if token else path, deadline)
        except FetchError as error:
            if error.status == 404 and kind == "EgressNATPolicy" and _is_kubernetes(error.body):
                return []
            raise
        value = _parsed(body)
        items = value.get("items")
        if value.get("kind") != f"{kind}List" or not isinstance(items, list | None):
            raise FetchError(f"its answer is no list of {kind} objects")
        for one in items or ():
            if not isinstance(one, dict) or not isinstance(_object(one, "metadata").get("name"), str):
                raise FetchError(f"its list of {kind} objects holds something else")
            found.append(one)
        token = _object(value, "metadata").get("continue") or ""
        if not isinstance(token, str) or not token:
            return found
    raise FetchError(f"its list of {kind} objects has no end")


def _config_map(reader: Reader, name: str, deadline: Deadline) -> Object | None:
    """A ConfigMap; None if there is none of that name."""
    try:
        value = _parsed(reader.get(f"{_CONFIG_MAPS}{quote(name, safe='')}", deadline))
    except FetchError as error:
        # The list of DaemonSets has shown that this is a Kubernetes API.
        if error.status == 404:
            return None
        raise
    if value.get("kind") != "ConfigMap" or _object(value, "metadata").get("name") != name:
        raise FetchError("its answer is no ConfigMap")
    value["metadata"].setdefault("namespace", _SYSTEM)
    return value


def _is_kubernetes(body: bytes) -> bool:
    """Whether an error comes from a Kubernetes API, and not from what stands in its place."""
    try:
        value = _parsed(body)
    except FetchError:
        return body.strip() == b"404 page not found"
    return value.get("kind") == "Status"


def _parsed(body: bytes) -> Object:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise FetchError("its answer is no JSON") from error
    if not isinstance(value, dict):
        raise FetchError("its answer is no JSON object")
    return value


def _pod_spec(daemon_set: Object) -> Object:
    return _object(_object(_object(daemon_set, "spec"), "template"), "spec")


def _runs_agent(daemon_set: Object) -> bool:
    containers = _pod_spec(daemon_set).get("containers")
    return isinstance(containers, list) and any(
        isinstance(one, dict) and _AGENT in str(one.get("image")) for one in containers
    )


def _config_maps(daemon_set: Object) -> list[str]:
    """The ConfigMaps that a DaemonSet mounts."""
    volumes = _pod_spec(daemon_set).get("volumes")
    names = [
        _object(one, "configMap").get("name")
        for one in (volumes if isinstance(volumes, list) else [])
        if isinstance(one, dict)
    ]
    return [name for name in names if isinstance(name, str) and re.fullmatch(r"[a-z0-9.-]{1,253}", name)]


@dataclass(slots=True)
class PodSearch:
    """Looks in Cloud Asset Inventory for Pods of ip-masq-agent: evidence that it runs, where no better is."""

    client: Any
    caller: Caller
    state: State
    emulated: bool
    gaps: list[Gap] = field(default_factory=list)

    def run(self, scopes: Sequence[str], clusters: set[str]) -> None:
        """Search the scopes for Pods of the clusters (by canonical reference)."""
        for scope in scopes:
            token = ""
            while True:
                try:
                    answer = self.caller(
                        lambda seconds, scope=scope, token=token: self._ask(scope, token, seconds)  # type: ignore[misc]
                    )
                except CallError as error:
                    if not (error.code == "UNIMPLEMENTED" and self.emulated):
                        reason, hint = causes.cause(calls.SEARCH_RESOURCES, scope, error)
                        self.gaps.append(
                            Gap(scope, POD, f"Pods of {_AGENT} could not be searched for: {reason}", hint)
                        )
                    break
                self._take(answer, clusters)
                token = answer.next_page_token
                if not token:
                    break

    def _ask(self, scope: str, token: str, seconds: float) -> Any:
        request = {
            "scope": scope,
            "query": f"name:{_AGENT}",
            "asset_types": [POD],
            "page_size": 500,
            "page_token": token,
            "read_mask": "name,assetType,labels,versionedResources",
        }
        pager = self.client.search_all_resources(request=request, retry=None, timeout=seconds)
        answer = next(pager.pages)
        return type(answer).pb(answer)

    def _take(self, answer: Any, clusters: set[str]) -> None:
        from google.protobuf import json_format

        lines: list[Line] = []
        for one in answer.results:
            cluster, cut, tail = one.name.partition("/k8s/")
            if not cut or canonical(cluster) not in clusters:
                continue
            namespace, own = kubernetes.from_name(tail)
            if namespace != _SYSTEM or not own.startswith(f"{_AGENT}-"):
                continue
            value: Object = {}
            if one.versioned_resources:
                value = json_format.MessageToDict(one.versioned_resources[0].resource)
            metadata = _object(value, "metadata")
            labels = metadata.get("labels") or dict(one.labels)
            value["metadata"] = {"name": own, "namespace": namespace, "labels": labels}
            lines.append(line_of(cluster, [], "Pod", value))
        self.state.replace(lines)

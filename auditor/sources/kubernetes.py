"""Kubernetes objects as evidence about a cluster: which are kept, and what a List of them proves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditor.model.inventory import CONFIG_MAP, DAEMON_SET, EGRESS_NAT_POLICY, POD

if TYPE_CHECKING:
    from auditor.model.evidence import Json
    from auditor.sources.parse import Object

KINDS = {"ConfigMap": CONFIG_MAP, "DaemonSet": DAEMON_SET, "Pod": POD, "EgressNATPolicy": EGRESS_NAT_POLICY}
"""The kinds that are evidence, with the asset type they have in Cloud Asset Inventory's naming."""

VERSIONS = {
    "ConfigMap": "v1",
    "DaemonSet": "apps/v1",
    "Pod": "v1",
    "EgressNATPolicy": "networking.gke.io/v1",
}
KIND_OF = {asset_type: kind for kind, asset_type in KINDS.items()}

_PLURAL = {
    "ConfigMap": "configmaps",
    "DaemonSet": "daemonsets",
    "Pod": "pods",
    "EgressNATPolicy": "egressnatpolicies",
}
_AGENT = "ip-masq-agent"
_SYSTEM = "kube-system"


@dataclass(frozen=True, slots=True)
class Read:
    """What one document of kubectl holds.

    `objects` are of kinds that are evidence. `listed` are the kinds of which it is a full list as far as
    evidence goes, `other` counts what is of no use here, `problem` says why the document proves less than
    it seems to.
    """

    objects: tuple[Object, ...]
    listed: frozenset[str] = frozenset()
    other: int = 0
    problem: str = ""


def is_object(value: Object) -> bool:
    """Whether a value is a Kubernetes object or a list of them."""
    return isinstance(value.get("apiVersion"), str) and isinstance(value.get("kind"), str)


def read(value: Object) -> Read:
    """What a document that kubectl printed proves.

    A list that holds objects of kube-system of some kind is taken as the list of all of that kind there, as
    `kubectl -n kube-system get KIND` prints it; so is any list of a kind without namespaces. A list without
    items names no kind (`kind: List`), and that of a kind with namespaces does not say which namespace was
    asked for: neither proves anything.
    """
    kind = str(value["kind"])
    items = value.get("items")
    if not kind.endswith("List") or "items" not in value:
        return _only([value])
    if not isinstance(items, list):
        if items is not None:
            return Read((), problem="its items are no list")
        items = []
    of_kind = kind.removesuffix("List")
    objects: list[Object] = []
    for item in items:
        if not isinstance(item, dict):
            return Read((), problem="one of its items is no object")
        if of_kind:
            # The API itself leaves kind and version out of a typed list's items.
            item.setdefault("kind", of_kind)
            item.setdefault("apiVersion", value["apiVersion"])
        objects.append(item)
    found = _only(objects)
    if found.problem:
        return found
    metadata = value.get("metadata")
    if isinstance(metadata, dict) and metadata.get("continue"):
        return Read(found.objects, other=found.other, problem="it is one page of a longer list")
    listed = {
        str(one["kind"])
        for one in found.objects
        if _metadata(one, "namespace") == _SYSTEM or one["kind"] == "EgressNATPolicy"
    }
    if of_kind == "EgressNATPolicy":
        listed.add(of_kind)
    problem = ""
    if not items and not listed:
        problem = "a list without items does not say which kind, or which namespace, was asked for"
    return Read(found.objects, frozenset(listed - {"Pod"}), found.other, problem)


def _only(objects: list[Object]) -> Read:
    kept: list[Object] = []
    problem = ""
    for one in objects:
        kind = one.get("kind")
        if isinstance(kind, str) and kind in KINDS:
            if not _metadata(one, "name"):
                problem = f"a {kind} in it has no name"
            elif is_kept(kind, one):
                kept.append(one)
    return Read(tuple(kept), other=len(objects) - len(kept), problem=problem)


def is_kept(kind: str, value: Object) -> bool:
    """Whether an object can be evidence: of the many Pods only those of an ip-masq-agent are."""
    return kind != "Pod" or _AGENT in _metadata(value, "name") or _runs_agent(value.get("spec"))


def _runs_agent(spec: Json) -> bool:
    containers = spec.get("containers") if isinstance(spec, dict) else None
    return isinstance(containers, list) and any(
        isinstance(one, dict) and _AGENT in str(one.get("image")) for one in containers
    )


def _metadata(value: Object, key: str) -> str:
    metadata = value.get("metadata")
    text = metadata.get(key) if isinstance(metadata, dict) else None
    return text if isinstance(text, str) else ""


def identity(value: Object) -> tuple[str, str, str]:
    """Kind, namespace and name."""
    return str(value.get("kind")), _metadata(value, "namespace"), _metadata(value, "name")


def asset_name(cluster: str, kind: str, namespace: str, name: str) -> str:
    """The full resource name of an object of the cluster, as Cloud Asset Inventory builds it."""
    inside = f"namespaces/{namespace}/" if namespace else ""
    return f"{cluster}/k8s/{inside}{_PLURAL[kind]}/{name}"


def from_name(tail: str) -> tuple[str, str]:
    """Namespace and name in what follows `/k8s/` in a full resource name."""
    parts = tail.split("/")
    if len(parts) > 2 and parts[0] == "namespaces":
        return parts[1], parts[-1]
    return "", parts[-1]

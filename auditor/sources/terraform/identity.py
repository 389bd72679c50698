"""Which resource a block of a plan or state stands for: canonical references from attributes.

What is not known is a placeholder that names the attribute, so that it joins with nothing else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from auditor.model import inventory as model
from auditor.model.deferred import after_apply, text_of
from auditor.model.names import canonical, last, project_of, region_of
from auditor.sources.inventory import with_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from auditor.model.evidence import Json
    from auditor.sources.terraform.document import Change, Plan

Object = dict[str, "Json"]

_ODD = re.compile(r"[/\s%?#]")

POLICIES = {
    "google_compute_firewall_policy": "hierarchical",
    "google_compute_firewall_policy_with_rules": "hierarchical",
    "google_compute_network_firewall_policy": "global",
    "google_compute_network_firewall_policy_with_rules": "global",
    "google_compute_region_network_firewall_policy": "regional",
    "google_compute_region_network_firewall_policy_with_rules": "regional",
}
RULES = {
    "google_compute_firewall_policy_rule": "hierarchical",
    "google_compute_network_firewall_policy_rule": "global",
    "google_compute_region_network_firewall_policy_rule": "regional",
}
ASSOCIATIONS = {
    "google_compute_firewall_policy_association": "hierarchical",
    "google_compute_network_firewall_policy_association": "global",
    "google_compute_region_network_firewall_policy_association": "regional",
}
KINDS = {
    "google_container_cluster": model.CLUSTER,
    "google_container_node_pool": model.NODE_POOL,
    "google_compute_network": model.NETWORK,
    "google_compute_subnetwork": model.SUBNETWORK,
    "google_compute_firewall": model.FIREWALL,
    "google_network_security_address_group": model.ADDRESS_GROUP,
    **dict.fromkeys((*POLICIES, *RULES, *ASSOCIATIONS), model.FIREWALL_POLICY),
}
_IDENTIFIERS = frozenset(("id", "self_link", "name", "network_id", "policy_id", "firewall_policy_id"))
# Arguments that Terraform shows as unknown where a block leaves them out, and of which the Compute API
# documents what that means: no direction is ingress, no destination ranges are any destination.
_DOCUMENTED = frozenset(
    (("google_compute_firewall", "direction"), ("google_compute_firewall", "destination_ranges"))
)


class Identity:
    """The references of one document's resources. `numbers` are project IDs by number."""

    def __init__(self, plan: Plan, numbers: Mapping[str, str]) -> None:
        self._plan = plan
        self._numbers = numbers
        self._by_address = {one.address: one for one in plan.changes}
        self._keys: dict[str, str] = {}

    def get(self, change: Change, values: Object | None = None) -> Callable[[str], Json]:
        """A function from an argument to its value: in `values`, or as planned."""
        stated = change.after if values is None else values

        def get(name: str) -> Json:
            value = (stated or {}).get(name)
            if name not in (stated or {}) and change.partial:
                value = after_apply(f"{change.address}.{name}")
            if (
                text_of(value) is not None
                and (change.type, name) in _DOCUMENTED
                and self._plan.configuration.states(change, name) is False
            ):
                return None
            return value

        return get

    def _text(self, change: Change, name: str, values: Object | None = None) -> str:
        """A string attribute; a placeholder that names the attribute where it is not known."""
        value = self.get(change, values)(name)
        return _segment(value) if isinstance(value, str) and value else placeholder(change, name)

    def project(self, change: Change, values: Object | None = None) -> str:
        """The project of a resource: its own argument, or that of its provider."""
        value = self.get(change, values)("project")
        if isinstance(value, str) and value:
            return project_of(with_id(f"projects/{_segment(value)}", self._numbers))
        if self._plan.configuration.states(change, "project") is False:
            # An argument that is left out is the provider's (Terraform provider documentation).
            provided = self._plan.configuration.provider(change, "project")
            if provided:
                return project_of(with_id(f"projects/{_segment(provided)}", self._numbers))
        for name in ("id", "self_link"):
            link = (change.after or change.before or {}).get(name)
            if isinstance(link, str) and project_of(canonical(link)):
                return project_of(with_id(canonical(link), self._numbers))
        return placeholder(change, "project")

    def _place(self, change: Change, name: str, values: Object | None) -> str:
        get = self.get(change, values)
        # Old releases of the provider had the place of a cluster under these names too.
        for argument in (name, "zone", "region") if name == "location" else (name,):
            value = get(argument)
            if isinstance(value, str) and value:
                return _segment(last(value.rstrip("/")))
        if self._plan.configuration.states(change, name) is False and name == "region":
            provided = self._plan.configuration.provider(change, name)
            if provided:
                return _segment(provided)
        return placeholder(change, name)

    def key(self, change: Change, values: Object | None = None) -> str:
        """The canonical reference of what a change declares; placeholders stand for what is not known."""
        if values is None and change.address in self._keys:
            return self._keys[change.address]
        kind = KINDS[change.type]
        if kind == model.FIREWALL_POLICY:
            found = self._policy_key(change, values)
        elif kind == model.NODE_POOL:
            found = f"{self.cluster_of(change, values)}/nodePools/{self._text(change, 'name', values)}"
        else:
            name, parent = self._text(change, "name", values), f"projects/{self.project(change, values)}"
            if kind == model.CLUSTER:
                found = f"{parent}/locations/{self._place(change, 'location', values)}/clusters/{name}"
            elif kind == model.SUBNETWORK:
                found = f"{parent}/regions/{self._place(change, 'region', values)}/subnetworks/{name}"
            elif kind == model.ADDRESS_GROUP:
                stated = self.get(change, values)("parent")
                parent = stated if isinstance(stated, str) and stated else parent
                found = f"{parent}/locations/{self._place(change, 'location', values)}/addressGroups/{name}"
            else:
                found = f"{parent}/global/{'networks' if kind == model.NETWORK else 'firewalls'}/{name}"
        found = with_id(canonical(found), self._numbers)
        if values is None:
            self._keys[change.address] = found
        return found

    def _policy_key(self, change: Change, values: Object | None) -> str:
        scope = POLICIES[change.type]
        if scope == "hierarchical":
            get = self.get(change, values)
            for name in ("name", "firewall_policy_id", "policy_id", "id"):
                value = get(name)
                if isinstance(value, str) and value:
                    return f"locations/global/firewallPolicies/{last(value)}"
            return f"locations/global/firewallPolicies/{placeholder(change, 'name')}"
        name = self._text(change, "name", values)
        place = self.scope(change, scope, values)
        return f"projects/{self.project(change, values)}/{place}/firewallPolicies/{name}"

    def scope(self, change: Change, scope: str, values: Object | None) -> str:
        """`global`, or `regions/R`, as a network policy's reference has it."""
        return "global" if scope == "global" else f"regions/{self._place(change, 'region', values)}"

    def reference(self, change: Change, name: str, kind: str, values: Object | None = None) -> Json:
        """An attribute that refers to another resource, as a canonical reference, or a deferred value."""
        value = self.get(change, values)(name)
        if isinstance(value, str) and value:
            return value
        if text_of(value) is not None and values is None:
            return self._referred(change, name, kind) or value
        return value

    def _referred(self, change: Change, name: str, kind: str) -> str | None:
        """The resource of a kind that the configuration takes an attribute from, as a canonical reference."""
        origin = self._plan.configuration.origin(change, name)
        target = self._by_address.get(origin[0]) if origin else None
        if origin and target and KINDS.get(target.type) == kind and origin[1] in _IDENTIFIERS:
            return self.key(target)
        return None

    def network(self, change: Change, project: str, values: Object | None = None) -> Json:
        """A network; a bare name is one of the resource's own project."""
        value = self.reference(change, "network", model.NETWORK, values)
        if isinstance(value, str):
            found = canonical(value)
            if found.startswith("projects/"):
                return found
            if project == placeholder(change, "project"):
                return after_apply(f"{change.address}.project")
            return f"projects/{project}/{found if '/' in found else f'global/networks/{found}'}"
        return value

    def cluster_of(self, change: Change, values: Object | None = None) -> str:
        """The cluster that a node pool is part of, as a canonical reference."""
        value = self.reference(change, "cluster", model.CLUSTER, values)
        if not isinstance(value, str):
            unknown = placeholder(change, "cluster")
            return f"projects/{self.project(change, values)}/locations/-/clusters/{unknown}"
        found = canonical(value)
        if found.count("/") >= 5:
            return with_id(found, self._numbers)
        if values is None:
            # Whatever is not known about it or the pool, e.g. their projects.
            referred = self._referred(change, "cluster", model.CLUSTER)
            if referred is not None and last(referred) == _segment(last(found)):
                return referred
        place = self._place(change, "location", values)
        if place == placeholder(change, "location"):
            # A pool is where its cluster is.
            inside = [
                key
                for one in self._plan.changes
                if one.type == "google_container_cluster" and one.after
                for key in (self.key(one),)
                if last(key) == last(found) and project_of(key) == self.project(change, values)
            ]
            if len(inside) == 1:
                return inside[0]
        return f"projects/{self.project(change, values)}/locations/{place}/clusters/{_segment(last(found))}"

    def subnetwork(self, change: Change, project: str, location: str) -> Json:
        """A cluster's subnetwork; a bare name is one of its own project and region."""
        value = self.reference(change, "subnetwork", model.SUBNETWORK)
        if not isinstance(value, str):
            return value
        found = canonical(value)
        if found.startswith("projects/"):
            return found
        if project == placeholder(change, "project"):
            return after_apply(f"{change.address}.project")
        if "/" in found:
            return f"projects/{project}/{found}"
        return f"projects/{project}/regions/{region_of(location)}/subnetworks/{found}"


def _segment(text: str) -> str:
    """Text as one segment of a reference; the names that Google Cloud allows stay as they are."""
    return _ODD.sub(lambda match: quote(match[0], errors="backslashreplace", safe=""), text) or "_"


def placeholder(change: Change, name: str) -> str:
    """What stands in a resource name for a part that only applying decides; no two resources share it."""
    return f"({change.address}.{name})".replace("/", "%2F")

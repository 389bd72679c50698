"""The ranges that a cluster's Pods draw their addresses from, and the block that each node gets of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from auditor.facts.view import fault, integer, message, text, texts
from auditor.model import deferred
from auditor.model.cidr import parse
from auditor.model.evidence import Evidence, Unknown
from auditor.model.facts import PodRange, Pods, PoolPods, UnresolvedRange

if TYPE_CHECKING:
    from auditor.facts.view import ClusterView, Object, Pool
    from auditor.model.cidr import Cidr, Family
    from auditor.model.evidence import Json

CLUSTER_DEFAULT = "cluster default"
_CLUSTER_IPV6 = "cluster IPv6 range"

# In requests a range may be a mask alone, for GKE to choose the address (container API, IPAllocationPolicy).
_MASK_ONLY = re.compile(r"/[0-9]{1,3}")

_DEFAULT_IPV4_BLOCK = 24
_IPV6_BLOCK = 112
_SMALLEST_MAX_PODS = 8


def derive(view: ClusterView) -> Pods:
    """Every range, with the pools that use it today.

    A pool draws from the range it states; else from the cluster's default range and from the additional
    ranges, among which GKE chooses (Terraform provider documentation, google_container_cluster,
    additional_pod_ranges_config). On Autopilot, where GKE makes the pools, the additional ranges are in use.
    """
    return _Derivation(view).pods()


class _Extra:
    """An additional range: its name, its subnetwork, and its CIDR if the subnetwork is known."""

    __slots__ = ("cidr", "name", "reason", "subnetwork")

    def __init__(self, name: str, subnetwork: str, cidr: Cidr | None, reason: str) -> None:
        self.name = name
        self.subnetwork = subnetwork
        self.cidr = cidr
        self.reason = reason


class _Used:
    """A range while it is being collected."""

    __slots__ = ("family", "in_use", "origin", "pools")

    def __init__(self, family: Family, origin: str) -> None:
        self.family: Family = family
        self.origin = origin
        self.pools: list[str] = []
        self.in_use = False


class _Derivation:
    def __init__(self, view: ClusterView) -> None:
        self.view = view
        self.used: dict[str, _Used] = {}
        self.plain: dict[str, tuple[tuple[str, ...], _Used]] = {}
        self.missing: dict[tuple[str, str], tuple[list[str], str]] = {}
        self.evidence: list[Evidence] = []
        self.unknowns: list[Unknown] = []
        self.extras: list[_Extra] = []
        self.dual_stack = False
        self.stack_known = True
        self.default: Cidr | None = None
        self.default_name = ""
        self.default_reason = ""

    def pods(self) -> Pods:
        view = self.view
        allocation = view.allocation
        if allocation is None:
            doubt = fault(view.data.get("ipAllocationPolicy"), "is not an object")
            self.default_reason = f"The cluster's `ipAllocationPolicy` {doubt}."
        else:
            self.default_name = text(allocation, "clusterSecondaryRangeName") or ""
            self._find_default(allocation)
            if "additionalPodRangesConfig" in allocation or "additionalIpRangesConfigs" in allocation:
                self._find_extras(allocation)
            self._find_dual_stack(allocation)
        if self.default is not None:
            self._add(self.default, CLUSTER_DEFAULT)
        for extra in self.extras:
            if extra.cidr is not None:
                self._add(extra.cidr, f"additional range {extra.name}")
        nodes = view.nodes()
        pools: list[PoolPods] = []
        if nodes is None:
            self.unknowns.append(Unknown("pods.pools", view.pools_problem, view.hint()))
            if self.default is not None:
                self.used[self.default.text].in_use = True
            elif self.default_reason:
                self._miss(
                    self.default_name or CLUSTER_DEFAULT, view.subnetwork or "", None, self.default_reason
                )
        else:
            for position, pool in enumerate(nodes):
                pools.append(self._pool(position, pool))
        if view.autopilot:
            for extra in self.extras:
                if extra.cidr is None:
                    self._miss(extra.name, extra.subnetwork, None, extra.reason)
                else:
                    self.used[extra.cidr.text].in_use = True
        unresolved = []
        for (name, subnetwork), (names, reason) in self.missing.items():
            unresolved.append(UnresolvedRange(name, subnetwork, tuple(names), reason))
            self.unknowns.append(Unknown("pods.unresolved", reason, view.hint_for(subnetwork)))
        return Pods(
            tuple(
                [
                    PodRange(cidr, one.family, one.origin, tuple(one.pools), one.in_use)
                    for cidr, one in self.used.items()
                ]
            ),
            tuple(pools),
            tuple(unresolved),
            tuple(self.evidence),
            tuple(self.unknowns),
        )

    def _add(self, cidr: Cidr, origin: str) -> _Used:
        one = self.used.get(cidr.text)
        if one is None:
            one = self.used[cidr.text] = _Used(cidr.family, origin)
        return one

    def _use(self, cidr: Cidr, origin: str, pool: str) -> str:
        one = self.used.get(cidr.text) or self._add(cidr, origin)
        one.in_use = True
        if not one.pools or one.pools[-1] != pool:
            one.pools.append(pool)
        return cidr.text

    def _miss(self, name: str, subnetwork: str, pool: str | None, reason: str) -> None:
        pools, _ = self.missing.setdefault((name, subnetwork), ([], reason))
        if pool is not None and pool not in pools:
            pools.append(pool)

    # What the cluster states

    def _find_default(self, allocation: Object) -> None:
        """The default IPv4 range: the field of today, its deprecated twins, or the name looked up."""
        view = self.view
        faults = []
        planned: str | None = deferred.text_of(allocation.get("clusterSecondaryRangeName"))
        for path, value in (
            ("ipAllocationPolicy.clusterIpv4CidrBlock", allocation.get("clusterIpv4CidrBlock")),
            ("ipAllocationPolicy.clusterIpv4Cidr", allocation.get("clusterIpv4Cidr")),
            ("clusterIpv4Cidr", view.data.get("clusterIpv4Cidr")),
        ):
            if value is None or value == "":
                continue
            cidr = parse(value) if isinstance(value, str) else None
            if cidr is not None and cidr.family == 4:
                self.default = cidr
                self.evidence.append(Evidence(view.asset, path, value))
                return
            planned = planned or deferred.text_of(value)
            if not _is_mask(value):
                faults.append(path)
        if self.default_name:
            self.default, self.default_reason = self._look_up(self.default_name, view.subnetwork)
        elif planned is not None:
            self.default_reason = f"The cluster's default Pod range is {planned}."
        elif faults:
            self.default_reason = f"The cluster's `{faults[0]}` is not an IPv4 range."
        else:
            self.default_reason = "The cluster states no default Pod range."

    def _find_extras(self, allocation: Object) -> None:
        view = self.view
        config = message(allocation, "additionalPodRangesConfig")
        names = None if config is None else texts(config, "podRangeNames")
        path = "ipAllocationPolicy.additionalPodRangesConfig"
        if names is None:
            self._unreadable(path, allocation.get("additionalPodRangesConfig"))
        else:
            self._add_extras(path, names, view.subnetwork)
        configs = allocation.get("additionalIpRangesConfigs")
        if configs is None:
            return
        if not isinstance(configs, list):
            self._unreadable("ipAllocationPolicy.additionalIpRangesConfigs", configs)
            return
        for position, one in enumerate(configs):
            path = f"ipAllocationPolicy.additionalIpRangesConfigs[{position}]"
            names = texts(one, "podIpv4RangeNames") if isinstance(one, dict) else None
            subnetwork = view.subnetwork_of(one) if isinstance(one, dict) else None
            if names is None or not subnetwork:
                self._unreadable(path, configs)
            else:
                self._add_extras(path, names, subnetwork)

    def _add_extras(self, path: str, names: tuple[str, ...], subnetwork: str | None) -> None:
        if names:
            self.evidence.append(Evidence(self.view.asset, path, list(names)))
        for name in names:
            cidr, reason = self._look_up(name, subnetwork)
            self.extras.append(_Extra(name, subnetwork or "", cidr, reason))

    def _unreadable(self, path: str, value: Json) -> None:
        self.extras.append(_Extra(path, "", None, f"The cluster's `{path}` {fault(value, 'is malformed')}."))

    def _find_dual_stack(self, allocation: Object) -> None:
        stack = allocation.get("stackType")
        block = allocation.get("subnetIpv6CidrBlock")
        if stack is not None and not isinstance(stack, str):
            self.stack_known = False
            doubt = fault(stack, "is not a string")
            self._miss("stackType", "", None, f"The cluster's `ipAllocationPolicy.stackType` {doubt}.")
        elif block not in (None, "") or (stack and "IPV6" in stack):
            self.dual_stack = True

    def _look_up(self, name: str, subnetwork: str | None) -> tuple[Cidr | None, str]:
        """The CIDR of a secondary range, or why it is not known."""
        if subnetwork is None:
            return None, f"The cluster does not name the subnetwork that defines the Pod range {name}."
        found = self.view.index.subnetwork(subnetwork)
        if found is None:
            return None, f"{subnetwork}, which defines the Pod range {name}, is not in the inventory."
        stated = found.secondary_ranges.get(name)
        if stated is None:
            planned = next((one for one in found.problems if deferred.is_about(one)), None)
            return None, planned or f"{subnetwork} has no secondary range {name}."
        cidr = parse(stated)
        if cidr is None or cidr.family != 4:
            return None, f"The secondary range {name} of {subnetwork} is not an IPv4 range."
        self.evidence.append(Evidence(found.asset, f"secondaryIpRanges[{name}].ipCidrRange", stated))
        return cidr, ""

    # What a pool states

    def _pool(self, position: int, pool: Pool) -> PoolPods:
        view = self.view
        name, config = pool.name, pool.network
        if config is None:
            doubt = fault(pool.data.get("networkConfig"), "is not an object")
            reason = f"The `networkConfig` of node pool {name} {doubt}."
            self._miss(f"node pool {name}", "", name, reason)
            return PoolPods(name, (), self._ipv4_block(pool.data, None), None, resolved=False)
        own = config.get("podIpv4CidrBlock")
        if own.__class__ is str and own in self.plain and not config.get("additionalPodNetworkConfigs"):
            # As the pool before it, which is the rule.
            shared, one = self.plain[own]
            one.pools.append(name)
            return PoolPods(name, shared, self._ipv4_block(pool.data, config), None, resolved=True)
        missing = len(self.missing)
        stated = view.subnetwork_of(config)
        cidr = parse(own) if isinstance(own, str) else None
        ranges: list[str] = []
        resolved = True
        if cidr is not None and cidr.family == 4:
            if cidr.text not in self.used:
                path = f"nodePools[{position}].networkConfig.podIpv4CidrBlock"
                self.evidence.append(Evidence(view.asset, path, own))
            ranges.append(self._use(cidr, f"pool {name}", name))
            if not self.dual_stack and self.stack_known and isinstance(own, str):
                self.plain[own] = ((cidr.text,), self.used[cidr.text])
        elif own is not None and own != "" and not _is_mask(own) and not _follows(own, config):
            doubt = fault(own, "is not an IPv4 range")
            reason = f"The `networkConfig.podIpv4CidrBlock` of node pool {name} {doubt}."
            self._miss(f"node pool {name}", "", name, reason)
            resolved = False
        else:
            resolved = self._named_or_shared(ranges, name, config, stated)
        ipv6_block = None
        if self.dual_stack:
            ipv6_block = _IPV6_BLOCK
            resolved = self._ipv6(ranges, name, stated) and resolved
        if config.get("additionalPodNetworkConfigs"):
            # Their Pods have an interface in another VPC network, with rules of its own.
            reason = f"Node pool {name} has additional Pod networks, which are not analysed."
            self._miss(f"additional Pod networks of node pool {name}", "", name, reason)
        constraint = pool.data.get("maxPodsConstraint") or view.data.get("defaultMaxPodsConstraint")
        if constraint is not None and not _is_stated(constraint):
            planned = deferred.within(constraint)
            if planned is not None:
                reason = f"How many Pods a node of pool {name} may have, and so its block, is {planned}."
                self._miss(f"node pool {name}", "", name, reason)
        resolved = resolved and self.stack_known and len(self.missing) == missing
        return PoolPods(name, tuple(ranges), self._ipv4_block(pool.data, config), ipv6_block, resolved)

    def _named_or_shared(self, ranges: list[str], name: str, config: Object, stated: str | None) -> bool:
        """The range the pool names, or those that it shares; False if one of them is not known."""
        view = self.view
        range_name = text(config, "podRange")
        if range_name is None:
            doubt = fault(config.get("podRange"), "is not a string")
            reason = f"The `networkConfig.podRange` of node pool {name} {doubt}."
            self._miss(f"node pool {name}", "", name, reason)
            return False
        subnetwork = view.subnetwork if stated is None else stated or None
        if range_name:
            if range_name == self.default_name and subnetwork == view.subnetwork and self.default is not None:
                ranges.append(self._use(self.default, CLUSTER_DEFAULT, name))
                return True
            cidr, reason = self._look_up(range_name, subnetwork)
            if cidr is None:
                self._miss(range_name, subnetwork or "", name, reason)
                return False
            ranges.append(self._use(cidr, f"pool {name}", name))
            return True
        resolved = True
        found = False
        # An alias range must be a secondary range of the node's own subnetwork, so that a pool which states
        # its subnetwork draws from the ranges there.
        if stated is None or stated == view.subnetwork:
            found = True
            if self.default is None:
                self._miss(
                    self.default_name or CLUSTER_DEFAULT, view.subnetwork or "", name, self.default_reason
                )
                resolved = False
            else:
                ranges.append(self._use(self.default, CLUSTER_DEFAULT, name))
        for extra in self.extras:
            if stated and extra.subnetwork not in (stated, ""):
                continue
            found = True
            if extra.cidr is None:
                self._miss(extra.name, extra.subnetwork, name, extra.reason)
                resolved = False
            elif extra.cidr.text not in ranges:
                ranges.append(self._use(extra.cidr, f"additional range {extra.name}", name))
        if not found:
            place = stated or "a subnetwork that cannot be read"
            reason = f"Node pool {name} is in {place}, and the cluster names no Pod range there."
            self._miss(f"node pool {name}", stated or "", name, reason)
        return resolved and found

    def _ipv6(self, ranges: list[str], name: str, stated: str | None) -> bool:
        """The IPv6 ranges of the pool's subnetwork, which nodes and Pods share; False if not known."""
        view = self.view
        subnetwork = view.subnetwork if stated is None else stated or None
        block = view.allocation.get("subnetIpv6CidrBlock") if view.allocation else None
        if block is not None and (stated is None or stated == view.subnetwork):
            cidr = parse(block) if isinstance(block, str) else None
            if cidr is not None and cidr.family == 6:
                if cidr.text not in self.used:
                    path = "ipAllocationPolicy.subnetIpv6CidrBlock"
                    self.evidence.append(Evidence(view.asset, path, block))
                ranges.append(self._use(cidr, _CLUSTER_IPV6, name))
                return True
        found = view.index.subnetwork(subnetwork) if subnetwork else None
        cidrs = [parse(one) for one in found.ipv6_ranges] if found else []
        if found is None or not cidrs:
            place = subnetwork or "The cluster's subnetwork"
            reason = f"{place} is not in the inventory, and so the IPv6 range of its Pods is not known."
            if found is not None:
                reason = f"{place} states no IPv6 range, although the cluster's Pods have IPv6 addresses."
            self._miss("IPv6", subnetwork or "", name, reason)
            return False
        resolved = True
        for stated_text, cidr in zip(found.ipv6_ranges, cidrs, strict=True):
            if cidr is None or cidr.family != 6:
                reason = f"An IPv6 range of {subnetwork} is malformed."
                self._miss("IPv6", subnetwork or "", name, reason)
                resolved = False
            elif cidr.text not in ranges:
                if cidr.text not in self.used:
                    self.evidence.append(Evidence(found.asset, "ipv6CidrRange", stated_text))
                ranges.append(self._use(cidr, f"IPv6 range of {found.name}", name))
        return resolved

    def _ipv4_block(self, pool: Object, config: Object | None) -> int:
        """The prefix length of a node's block: stated, or what the most Pods a node may have call for."""
        stated = pool.get("podIpv4CidrSize")
        if isinstance(stated, int) and stated.__class__ is not bool and 0 < stated <= 32:
            return stated
        constraint = message(pool, "maxPodsConstraint")
        most = integer(constraint, "maxPodsPerNode") if constraint else None
        if most is None:
            constraint = message(self.view.data, "defaultMaxPodsConstraint")
            most = integer(constraint, "maxPodsPerNode") if constraint else None
        if most is not None and most <= 1 << 20:
            return _block_for(most, doubled=not self._overprovisioning_off(config))
        size = integer(self.view.data, "nodeIpv4CidrSize")
        return size if size is not None and size <= 32 else _DEFAULT_IPV4_BLOCK

    def _overprovisioning_off(self, config: Object | None) -> bool:
        for parent in (config, self.view.allocation):
            setting = message(parent, "podCidrOverprovisionConfig") if parent else None
            if setting and setting.get("disable") is True:
                return True
        return False


def _block_for(most: int, *, doubled: bool) -> int:
    # At least twice as many addresses as Pods, unless that is turned off, in a power of two (GKE
    # documentation, 'Configure maximum Pods per node').
    wanted = max(most, _SMALLEST_MAX_PODS) * (2 if doubled else 1)
    return 32 - (wanted - 1).bit_length()


def _is_stated(constraint: Json) -> bool:
    return isinstance(constraint, dict) and constraint.get("maxPodsPerNode").__class__ is int


def _follows(own: Json, config: Object) -> bool:
    """Whether a plan leaves a pool's range open, and states the named range that it will be."""
    return deferred.text_of(own) is not None and isinstance(config.get("podRange"), str)


def _is_mask(value: Json) -> bool:
    return isinstance(value, str) and _MASK_ONLY.fullmatch(value) is not None

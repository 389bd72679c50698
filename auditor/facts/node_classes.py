"""What the firewall sees of a cluster's nodes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from auditor.facts import commands
from auditor.facts.view import fault, flag, message, no_network, text, texts
from auditor.model import deferred
from auditor.model.evidence import Evidence, Unknown
from auditor.model.facts import NodeClass, NodeClasses

if TYPE_CHECKING:
    from auditor.facts.view import ClusterView, Object, Pool

_HASH = re.compile(r"[0-9a-fA-F]{8}")
_TAG_VALUE = re.compile(r"tagValues/[0-9]+")

Identity = tuple[tuple[str, ...], str | None, tuple[str, ...] | None]
"""Network tags, service account, secure tags."""


def cluster_hash(identifier: object) -> str | None:
    """The eight hexadecimal characters by which GKE's rules and tags name a cluster, from its id."""
    digits = identifier[:8] if isinstance(identifier, str) else ""
    return digits.lower() if _HASH.fullmatch(digits) else None


def derive(view: ClusterView) -> NodeClasses:
    """One class for each distinct identity: tags, service account, secure tags, in network and region.

    Nodes without a service account of their own run as the default one of the Compute Engine service, named
    after the number of the cluster's project. Nodes of Autopilot clusters and of auto-provisioned pools also
    carry what nodePoolAutoConfig states (container v1, NodePoolAutoConfig).
    """
    nodes = view.nodes()
    identifier = view.data.get("id")
    evidence = [Evidence(view.asset, "id", identifier)]
    if nodes is None:
        unknown = Unknown("node_classes.classes", view.pools_problem, view.hint())
        return NodeClasses(None, tuple(evidence), (unknown,))
    derivation = _Derivation(view)
    pools_of: dict[Identity, list[str]] = {}
    tagged = False
    for pool in nodes:
        identity = derivation.identity(pool)
        if identity is None:
            # Tags that cannot be read leave no class to speak of: rules may or may not target these nodes.
            return NodeClasses(None, tuple(evidence), tuple(derivation.unknowns))
        tagged = tagged or bool(identity[0])
        pools_of.setdefault(identity, []).append(pool.name)
    if tagged:
        evidence.append(
            Evidence(view.asset, "nodePools[].config.tags", [list(identity[0]) for identity in pools_of])
        )
    unknowns = list(derivation.unknowns)
    network = view.network
    if network is None:
        reason = no_network(view)
        unknowns.append(Unknown("node_classes.classes[].network", reason, view.hint()))
    digest = cluster_hash(identifier)
    if digest is None:
        doubt = fault(identifier, "is absent")
        reason = f"The cluster's `id` {doubt}, and with it the network tag that GKE gives the nodes."
        unknowns.append(Unknown("node_classes.classes[].cluster_hash", reason, view.hint()))
    region = view.index.region(view.entry.location)
    cluster = view.entry.short_name
    classes = [
        NodeClass(tuple(pools), network, region, tags, cluster, digest, account, secure)
        for (tags, account, secure), pools in pools_of.items()
    ]
    return NodeClasses(tuple(classes), tuple(evidence), tuple(unknowns))


def _auto_provisioned(pool: Pool) -> bool | None:
    """Whether node auto-provisioning made the pool, and not Terraform, which plans it; None if malformed."""
    if deferred.within(pool.data.get("autoscaling")) is not None:
        return False
    autoscaling = message(pool.data, "autoscaling")
    return None if autoscaling is None else flag(autoscaling, "autoprovisioned")


class _Derivation:
    """The identities of one cluster's pools; what is the same for all of them is looked up once."""

    __slots__ = (
        "_default_account",
        "_no_secure_tags",
        "_plain",
        "auto_secure",
        "auto_tags",
        "unknowns",
        "view",
    )

    def __init__(self, view: ClusterView) -> None:
        self.view = view
        self.unknowns: list[Unknown] = []
        self.auto_tags: tuple[str, ...] | None = ()
        self.auto_secure: Object | None = None
        self._default_account: str | None = ""
        self._no_secure_tags: bool | None = None
        self._plain: dict[tuple[str, bool], Identity] = {}
        if view.autopilot or any(map(_auto_provisioned, view.pools or ())):
            config = message(view.data, "nodePoolAutoConfig")
            network_tags = None if config is None else message(config, "networkTags")
            self.auto_tags = None if network_tags is None else texts(network_tags, "tags")
            if self.auto_tags is None:
                reason = "The cluster's `nodePoolAutoConfig.networkTags` is malformed."
                self.unknowns.append(Unknown("node_classes.classes", reason, view.hint()))
            if config and config.get("resourceManagerTags") is not None:
                self.auto_secure = config

    def identity(self, pool: Pool) -> Identity | None:
        """What rules can target; None if it cannot be read."""
        config = pool.config
        autopilot = self.view.autopilot
        auto = True if autopilot else _auto_provisioned(pool)
        if autopilot is None or auto is None:
            # Then it is not known whether the nodes carry what nodePoolAutoConfig states.
            if autopilot is None:
                stated = self.view.data.get("autopilot")
                stated = stated.get("enabled") if isinstance(stated, dict) else stated
                reason = f"The cluster's `autopilot.enabled` {fault(stated, 'is malformed')}."
            else:
                reason = f"The `autoscaling.autoprovisioned` of node pool {pool.name} is malformed."
            self.unknowns.append(Unknown("node_classes.classes", reason, self.view.hint()))
            return None
        plain = ""
        if config and "tags" not in config and "resourceManagerTags" not in config:
            # Nothing but the account tells these pools apart.
            stated = config.get("serviceAccount")
            plain = stated if isinstance(stated, str) else ""
            if (plain, auto) in self._plain:
                return self._plain[plain, auto]
        identity = self._read(pool, auto=auto)
        if plain and identity is not None:
            self._plain[plain, auto] = identity
        return identity

    def _read(self, pool: Pool, *, auto: bool) -> Identity | None:
        config = pool.config
        name = pool.name
        tags = None if config is None else texts(config, "tags")
        if config is None or tags is None:
            stated = pool.data.get("config")
            stated = stated.get("tags") if isinstance(stated, dict) else stated
            reason = f"The `config.tags` of node pool {name} {fault(stated, 'cannot be read')}."
            self.unknowns.append(Unknown("node_classes.classes", reason, self.view.hint()))
            return None
        if auto:
            if self.auto_tags is None:
                return None
            tags += self.auto_tags
        if len(tags) > 1:
            tags = tuple(sorted(set(tags)))
        account, readable = self._account(pool, config)
        # An account of which nothing is known may be the target of any rule.
        secure = self._secure_tags(name, config, self.auto_secure if auto else None)
        return (tags, account, secure) if readable else None

    def _account(self, pool: Pool, config: Object) -> tuple[str | None, bool]:
        """The account, None if it is a default one of a project without known number; whether it is known."""
        account = text(config, "serviceAccount")
        if not account and not pool.data and self.view.autopilot:
            account = self._autopilot_account()
        if account is None:
            doubt = fault(config.get("serviceAccount"), "cannot be read")
            reason = f"The `config.serviceAccount` of node pool {pool.name} {doubt}."
            self.unknowns.append(Unknown("node_classes.classes", reason, self.view.hint()))
            return None, False
        if account not in ("", "default"):
            return account, True
        if self._default_account == "":
            self._default_account = self._compute_default_account()
        return self._default_account, True

    def _autopilot_account(self) -> str | None:
        """The account of the nodes that Autopilot makes, where the pools themselves are not on show."""
        autoscaling = message(self.view.data, "autoscaling")
        defaults = None if autoscaling is None else message(autoscaling, "autoprovisioningNodePoolDefaults")
        mirror = message(self.view.data, "nodeConfig")
        if defaults is None or mirror is None:
            return None
        accounts = {text(defaults, "serviceAccount"), text(mirror, "serviceAccount")} - {""}
        return "" if not accounts else accounts.pop() if len(accounts) == 1 else None

    def _compute_default_account(self) -> str | None:
        view = self.view
        number = view.index.project_number(view.entry.project, view.entry.ancestors)
        if number is not None:
            return f"{number}-compute@developer.gserviceaccount.com"
        reason = (
            f"The number of project {view.project}, which names its default service account, is not known."
        )
        hint = commands.describe_project(view.project)
        self.unknowns.append(Unknown("node_classes.classes[].service_account", reason, hint))
        return None

    def _secure_tags(self, name: str, config: Object, auto: Object | None) -> tuple[str, ...] | None:
        """The secure tags of a pool with those of nodePoolAutoConfig, if it holds for the pool."""
        own = config.get("resourceManagerTags")
        if own is None and auto is None:
            return self._unstated_secure_tags()
        values: set[str] = set()
        for parent in (config, auto):
            tags = message(parent, "resourceManagerTags") if parent is not None else {}
            mapping = None if tags is None else message(tags, "tags")
            if mapping is None:
                stated = parent.get("resourceManagerTags") if parent is not None else None
                reason = f"The `resourceManagerTags` of node pool {name} {fault(stated, 'cannot be read')}."
                self._doubt_tags(reason, self.view.hint())
                return None
            for key, value in mapping.items():
                if not isinstance(value, str) or not _TAG_VALUE.fullmatch(value):
                    reason = f"Node pool {name} states the secure tag {key}={value} by no permanent name."
                    self._doubt_tags(reason, commands.describe_tag_value(f"{key}/{value}"))
                    return None
                values.add(value)
        return tuple(sorted(values))

    def _doubt_tags(self, reason: str, hint: str) -> None:
        self.unknowns.append(Unknown("node_classes.classes[].secure_tags", reason, hint))

    def _unstated_secure_tags(self) -> tuple[str, ...] | None:
        """None of them if the project's TagBindings were read, for then the nodes' would be known."""
        if self._no_secure_tags is None:
            view = self.view
            gap = view.index.tag_bindings_gap(view.project)
            self._no_secure_tags = gap is None
            if gap is not None:
                why = gap.reason.rstrip(".")
                self._doubt_tags(
                    f"Node pools state no `resourceManagerTags`, and it is not known: {why}.", gap.hint
                )
        return () if self._no_secure_tags else None

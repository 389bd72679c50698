"""Facts and packs for the engine's tests."""

from __future__ import annotations

from dataclasses import replace
from textwrap import dedent
from typing import TYPE_CHECKING, Any

from auditor.engine.load import LoadedPack, load_pack
from auditor.engine.result import ResourceRef
from auditor.facts import readiness
from auditor.model.evidence import Evidence, Unknown
from auditor.model.facts import (
    ClusterFacts,
    ClusterNetwork,
    ClusterReadiness,
    FlowLogs,
    Masquerade,
    NodeClasses,
    PodPackets,
    Pods,
    PodTraffic,
    PoolVersion,
    Readiness,
    SubnetFlowLogs,
    Versions,
    Visibility,
    WindowsPools,
)
from auditor.model.traffic import ScopeTraffic

if TYPE_CHECKING:
    from pathlib import Path

NAME = "//container.googleapis.com/projects/shop/locations/europe-west1/clusters/checkout"
REF = ResourceRef(NAME, "container.googleapis.com/Cluster", "shop", "europe-west1")
DATA: dict[str, Any] = {
    "name": "checkout",
    "status": "RUNNING",
    "networkConfig": {"enableIntraNodeVisibility": True},
    "nodePools": [{"name": "a", "config": {"imageType": "COS"}}, {"name": "b", "config": {}}],
}

PACK = """\
name: own
title: A pack of our own
description: For tests.
parameters: {minimum_version: "1.20", share: 0.5, words: [a, b], nested: {deep: 1}}
"""

RULE = """\
id: {id}
title: A rule
severity: high
since: 1.0.0
description: Why.
applies_to: {{kind: cluster}}
checks:
  - expect: {expect}
    message: Broken on {{resource.short_name}}.
passing: All is well.
remediation: {{text: Mend it.}}
examples:
  pass: [{{name: good}}]
  fail: [{{name: bad}}]
"""


ALLOWED = PodPackets(
    everyday_denied=False,
    rare_denied=False,
    everyday_denials="",
    rare_denials="",
    unlogged=(),
    repairs=(),
    repair_commands=(),
    analysis=ScopeTraffic("allowed", {"tcp": "allowed"}, "allowed", "allowed", (), (), (), ()),
)


def facts(**changed: Any) -> ClusterFacts:
    """A healthy cluster's facts with some changed, and the readiness that follows from them."""
    seen = (Evidence(NAME, "networkConfig.enableIntraNodeVisibility", True),)
    whole = ClusterFacts(
        visibility=Visibility("on", "field", "netd", seen),
        versions=Versions("1.33.5-gke.100", (PoolVersion("a", "1.33.5-gke.100"),), seen),
        pods=Pods((), (), (), seen),
        node_classes=NodeClasses((), seen),
        masquerade=Masquerade("default SNAT", ("10.0.0.0/8",), (), seen),
        flow_logs=FlowLogs(
            (
                SubnetFlowLogs(
                    "//compute.googleapis.com/projects/shop/regions/europe-west1/subnetworks/nodes",
                    "nodes", "europe-west1", "shop", ("a",), True, 1.0, "INCLUDE_ALL_METADATA",
                    "INTERVAL_5_SEC", "",
                ),
            ),
            seen,
        ),
        network=ClusterNetwork(
            "projects/shop/global/networks/vpc", "shop", False, 1460, "AFTER_CLASSIC_FIREWALL", seen
        ),
        windows=WindowsPools((), seen),
        traffic=PodTraffic(ALLOWED, ALLOWED, seen),
        readiness=ClusterReadiness(None, None, Readiness("unknown", ()), ()),
    )  # fmt: skip
    whole = replace(whole, **changed)
    found = readiness.derive(whole.visibility, whole.versions, whole.windows, whole.masquerade, whole.traffic)
    return replace(whole, readiness=changed.get("readiness", found))


def unknown_visibility() -> Visibility:
    """A visibility that is not known, and why."""
    why = Unknown("visibility.state", "networkConfig is absent.", "export it again")
    return Visibility(None, "networkConfig is absent", None, (), (why,))


def write(folder: Path, **rules: str) -> Path:
    """A pack in a folder: rule files by id, `_` standing for `-`."""
    folder.mkdir(exist_ok=True)
    (folder / "pack.yaml").write_text(PACK, "utf-8")
    for name, text in rules.items():
        (folder / f"{name.replace('_', '-')}.yaml").write_text(dedent(text), "utf-8")
    return folder


def rule(identity: str = "my-rule", expect: str = 'visibility.state == "on"', **replaced: str) -> str:
    """The text of a small rule; keyword arguments replace lines by the key that they begin with."""
    lines = RULE.format(id=identity, expect=expect).splitlines()
    for key, text in replaced.items():
        start = next(n for n, line in enumerate(lines) if line.startswith(f"{key}:"))
        end = next((n for n in range(start + 1, len(lines)) if not lines[n].startswith(" ")), len(lines))
        lines[start:end] = dedent(text).splitlines()
    return "\n".join(lines) + "\n"


def pack(folder: Path, text: str) -> LoadedPack:
    """The pack with one rule, `my-rule`."""
    return load_pack(write(folder, my_rule=text))

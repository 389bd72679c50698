"""The inventory does not depend on order, files, containers, compression or envelope."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditor.sources import from_assets, load
from tests.sources import assets as make

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditor.sources.inventory import AssetInventory

TIMES = ["", "2024-05-01T00:00:00Z", "2024-05-01T00:00:01Z"]


def _everything(inventory: AssetInventory) -> dict[str, Any]:
    coverage = inventory.coverage
    return {
        "digest": inventory.digest,
        "counts": inventory.counts,
        "clusters": [inventory.decode(entry) for entry in inventory.clusters],
        "networks": list(inventory.networks.items()),
        "subnetworks": list(inventory.subnetworks.items()),
        "rules": list(inventory.firewall_rules.items()),
        "policies": inventory.policies,
        "ancestors": list(inventory.ancestors.items()),
        "numbers": list(inventory.project_numbers.items()),
        "read_time": inventory.read_time,
        "scope": inventory.scope,
        "gaps": [gap for gap in inventory.gaps if gap.scope.startswith(("//", "organ", "projects/"))],
        "exported": coverage.exported,
        "holes": {kind: set(places) for kind, places in coverage.holes.items()},
    }


@st.composite
def organisations(draw: st.DrawFn) -> list[make.Asset]:
    """Assets in which everything collides: few names, few times, two spellings, contradicting data."""
    assets = [one for one in make.organisation() if draw(st.booleans())]
    for _ in range(draw(st.integers(0, 12))):
        time = draw(st.sampled_from(TIMES))
        project = draw(st.sampled_from(["svc", "1234"]))
        place = draw(st.sampled_from(["locations", "zones"]))
        status = draw(st.sampled_from(["RUNNING", "ERROR"]))
        cluster = make.cluster(
            "a", project=project, location=f"{place}/europe-west1", time=time, status=status
        )
        kind = draw(st.sampled_from(["cluster", "pool", "rule", "network", "bare", "project"]))
        if kind == "cluster":
            assets.append(cluster)
        elif kind == "pool":
            name = draw(st.sampled_from(["default-pool", "x"]))
            assets.append(make.node_pool(cluster, name, time=time, version=draw(st.sampled_from(["1", "2"]))))
        elif kind == "rule":
            priority = draw(st.sampled_from([1, 2]))
            assets += make.in_host(make.firewall("r", time=time, priority=priority))
        elif kind == "network":
            assets.append({**make.network(mtu=draw(st.sampled_from([1460, 1500]))), "updateTime": time})
        elif kind == "bare":
            assets.append({key: value for key, value in cluster.items() if key != "resource"})
        else:
            chain = ["projects/1234", draw(st.sampled_from(["folders/1", "folders/2"])), make.ORGANIZATION]
            assets.append({**make.hierarchy()[2], "ancestors": chain, "updateTime": time})
    return assets or [make.cluster("a")]


@settings(max_examples=80, deadline=None)
@given(organisations(), st.randoms(use_true_random=False))
def test_the_order_of_assets_does_not_matter(assets: list[make.Asset], random: Any) -> None:
    expected = _everything(from_assets(assets))
    shuffled = list(assets)
    random.shuffle(shuffled)
    assert _everything(from_assets(shuffled)) == expected


def _content(assets: Sequence[make.Asset], container: str) -> bytes:
    if container == "lines":
        return make.ndjson(assets)
    if container == "page":
        return json.dumps({"assets": list(assets)}, indent=1).encode()
    return json.dumps(list(assets), indent=2 if container == "array" else None).encode()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(organisations(), st.data())
def test_files_containers_compression_and_envelopes_do_not_matter(
    assets: list[make.Asset], data: st.DataObject
) -> None:
    expected = _everything(from_assets(assets))
    parts: list[list[make.Asset]] = [[] for _ in range(data.draw(st.integers(1, 3)))]
    for one in assets:
        parts[data.draw(st.integers(0, len(parts) - 1))].append(
            data.draw(st.sampled_from([make.unchanged, make.to_snake, make.to_row]))(one)
        )
    with tempfile.TemporaryDirectory() as folder:
        sources = [
            make.write(
                Path(folder) / str(index),
                _content(part, data.draw(st.sampled_from(["lines", "array", "minified", "page"]))),
                compression=data.draw(st.sampled_from(["", "gz", "zst"])),
            )
            for index, part in enumerate(parts)
            if part
        ]
        together = load([folder]) if data.draw(st.booleans()) else load(sources)
    found = _everything(together)
    if not (expected["clusters"] or expected["networks"]):
        # Without any project the scope, and the gaps about it, are the file names.
        for facts in (found, expected):
            facts["scope"] = facts["gaps"] = None
    assert found == expected

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditor.engine.cel import Environment

if TYPE_CHECKING:
    from auditor.engine.reads import Reads


def environment() -> Environment:
    return Environment("cluster", {"minimum_version": "1.15"})


def leaves(reads: Reads) -> set[str]:
    inner = [*reads.fields.values(), *([reads.element] if reads.element else [])]
    found = {leaf for one in inner for leaf in leaves(one)}
    return found | {f"{reads.path}{'.*' if reads.whole else ''}"} if reads.whole or not inner else found


@pytest.mark.parametrize(
    ("expression", "paths"),
    [
        (
            "cluster.networkConfig.enableIntraNodeVisibility",
            {"cluster.networkConfig.enableIntraNodeVisibility"},
        ),
        ("cluster.nodePools.all(p, p.config.imageType != '')", {"cluster.nodePools.config.imageType"}),
        ("cluster.nodePools[0].name == 'a'", {"cluster.nodePools.name"}),
        ("size(cluster.nodePools) > 1", {"cluster.nodePools"}),
        (
            "cluster.nodePools.filter(p, p.status == 'RUNNING').map(q, q.name).join(',') == ''",
            {"cluster.nodePools.status", "cluster.nodePools.name"},
        ),
        (
            "cluster.?networkConfig.?datapathProvider.orValue('') == ''",
            {"cluster.networkConfig.datapathProvider"},
        ),
        ("cluster.resourceLabels['a'] == 'b'", {"cluster.resourceLabels.*"}),
        ("'a' in cluster.resourceLabels", {"cluster.resourceLabels.*"}),
        ("cluster.autopilot == cluster.autopilot", {"cluster.autopilot.*"}),
        (
            "(visibility.state == 'on' ? versions.pools : []).exists(x, x.name == 'a')",
            {"visibility.state", "versions.pools.name"},
        ),
        (
            "masquerade.uncovered.map(u, u.parts.map(x, x + '/')).all(l, l.size() > 1)",
            {"masquerade.uncovered.parts"},
        ),
        ("{'a': cluster.name}.a == 'x'", {"cluster.name"}),
        ("[versions.pools[0]].all(p, p.version == '1')", {"versions.pools.version"}),
        (
            "isAtLeast(versions.control_plane, org.minimum_version)",
            {"versions.control_plane", "org.minimum_version"},
        ),
        ("dyn(visibility).state == 'on'", {"visibility.*", "visibility.state"}),
        ("visibility.state.startsWith(network.network)", {"visibility.state", "network.network"}),
    ],
)
def test_an_expression_reads_just_these_paths(expression: str, paths: set[str]) -> None:
    compiled = environment().compile(expression, "any")
    assert {leaf for reads in compiled.reads.values() for leaf in leaves(reads)} == paths


def test_an_expression_about_an_element_reads_the_list_it_stands_in() -> None:
    env = environment()
    loop = env.loop("cluster.autopilot.enabled ? [] : versions.pools", "pool")
    compiled = env.compile("isAtLeast(pool.version, org.minimum_version)", "bool", loop)
    assert loop.origin == "versions.pools"
    assert {leaf for reads in compiled.reads.values() for leaf in leaves(reads)} == {
        "cluster.autopilot.enabled",
        "versions.pools.version",
        "org.minimum_version",
    }
    assert {leaf for reads in compiled.own.values() for leaf in leaves(reads)} == {
        "versions.pools.version",
        "org.minimum_version",
    }


def test_parameters_that_are_compared_as_versions_are_known() -> None:
    env = environment()
    env.compile("isAtLeast(versions.control_plane, org.minimum_version)", "bool")
    assert env.version_parameters == {"minimum_version"}


@pytest.mark.parametrize(
    ("value", "missing"),
    [
        ({}, ["versions.pools"]),
        ({"pools": []}, []),
        ({"pools": [{"version": "1.2"}, {}]}, ["versions.pools.version"]),
        ({"pools": [{"version": {}}]}, ["versions.pools.version"]),
    ],
)
def test_what_is_missing_is_told_by_its_path(value: object, missing: list[str]) -> None:
    reads = environment().compile("versions.pools.all(p, p.version == '1')", "bool").reads["versions"]
    assert list(reads.missing(value)) == missing

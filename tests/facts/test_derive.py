"""Facts as a whole: deterministic, in proportion to the input, and never an exception."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.facts.organisation import NETWORK, data, facts, kubernetes, pool

LEAVES: Any = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(
        ["10.0.0.0/8", "/14", "fd00::/64", "tagValues/1", "\ud800", NETWORK, "1.30.1-gke.2", "nodes"]
    ),
)
VALUES: Any = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)

FULL: dict[str, Any] = data(
    autopilot={"enabled": False},
    currentNodeVersion="1.30.1-gke.1",
    defaultMaxPodsConstraint={"maxPodsPerNode": 110},
    nodeIpv4CidrSize=24,
    nodePoolAutoConfig={
        "networkTags": {"tags": ["t"]},
        "resourceManagerTags": {"tags": {"tagKeys/1": "tagValues/1"}},
    },
    autoscaling={"autoprovisioningNodePoolDefaults": {"serviceAccount": "default"}},
    nodeConfig={"serviceAccount": "default"},
    ipAllocationPolicy={
        "clusterIpv4CidrBlock": "10.8.0.0/14",
        "clusterIpv4Cidr": "10.8.0.0/14",
        "clusterSecondaryRangeName": "pods",
        "stackType": "IPV4_IPV6",
        "subnetIpv6CidrBlock": "fd00::/64",
        "additionalPodRangesConfig": {"podRangeNames": ["pods-2"]},
        "additionalIpRangesConfigs": [{"subnetwork": "nodes", "podIpv4RangeNames": ["pods"]}],
    },
    networkConfig={
        "network": NETWORK,
        "subnetwork": "projects/shop-prod/regions/europe-west1/subnetworks/nodes",
        "datapathProvider": "ADVANCED_DATAPATH",
        "defaultSnatStatus": {"disabled": True},
    },
    nodePools=[
        pool("a", config={"tags": ["x"], "resourceManagerTags": {"tags": {"tagKeys/1": "tagValues/1"}}}),
        pool("b", networkConfig={"podRange": "pods-2", "subnetwork": "nodes", "podIpv4CidrBlock": "/20"}),
        pool("c", networkConfig={}),
    ],
)
EVIDENCE = (
    {
        "kind": "DaemonSet",
        "metadata": {"name": "ip-masq-agent", "namespace": "kube-system"},
        "spec": {
            "template": {
                "spec": {
                    "containers": [
                        {
                            "image": "ip-masq-agent:v2",
                            "args": ["--enable-ipv6"],
                            "volumeMounts": [{"name": "config", "mountPath": "/etc/config"}],
                        }
                    ],
                    "volumes": [
                        {
                            "name": "config",
                            "configMap": {
                                "name": "ip-masq-agent",
                                "items": [{"key": "config", "path": "ip-masq-agent"}],
                            },
                        }
                    ],
                }
            }
        },
        "status": {"desiredNumberScheduled": 2},
    },
    {
        "kind": "ConfigMap",
        "metadata": {"name": "ip-masq-agent", "namespace": "kube-system"},
        "data": {"config": "nonMasqueradeCIDRs: [10.0.0.0/8, 'fd00::/8']"},
    },
    {
        "kind": "Pod",
        "metadata": {"name": "ip-masq-agent-1", "namespace": "other", "labels": {"k8s-app": "ip-masq-agent"}},
        "spec": {"containers": [{"image": "ip-masq-agent"}]},
    },
    {
        "kind": "EgressNATPolicy",
        "metadata": {"name": "default"},
        "spec": {"action": "NoSNAT", "destinations": [{"cidr": "10.0.0.0/8"}]},
    },
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a value where another could stand."""
    found = [path] if path else []
    for key, inner in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        found += places(inner, (*path, key))
    return found


def put(value: Any, path: tuple[Any, ...], other: Any) -> Any:
    changed = json.loads(json.dumps(value))
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = other
    return changed


def assert_explained(found: Any) -> None:
    """Every None of a fact has its sentence."""
    for name in ("visibility", "versions", "masquerade", "flow_logs", "node_classes", "network", "windows"):
        fact = getattr(found, name)
        fields = [key for key, value in asdict(fact).items() if value is None]
        paths = " ".join(one.path for one in fact.unknowns)
        for field in fields:
            assert f"{name}.{field}" in paths or name in paths.split(), (name, field, fact)
        assert all(one.reason.endswith(".") and one.hint for one in fact.unknowns)
    assert all(one.reason.endswith(".") and one.hint for one in found.pods.unknowns)


@settings(max_examples=200, deadline=None)
@given(place=st.sampled_from(places(FULL)), other=VALUES, autopilot=st.booleans())
def test_no_value_anywhere_in_a_cluster_raises(place: tuple[Any, ...], other: Any, autopilot: bool) -> None:
    contents = put(put(FULL, ("autopilot", "enabled"), autopilot), place, other)
    found = facts(contents, evidence=kubernetes(*EVIDENCE, listed=("ConfigMap", "DaemonSet")))
    assert_explained(found)
    readiness = found.readiness
    assert readiness.told.reasons
    assert (readiness.state is None) == (readiness.reasons is None) == bool(readiness.unknowns)


@settings(max_examples=100, deadline=None)
@given(
    place=st.sampled_from(
        [path for path in places(list(EVIDENCE)) if path[1:] and path[1] not in ("kind", "metadata")]
    ),
    other=VALUES,
    autopilot=st.booleans(),
)
def test_no_value_anywhere_in_the_evidence_raises(
    place: tuple[Any, ...], other: Any, autopilot: bool
) -> None:
    objects = put(list(EVIDENCE), place, other)
    contents = put(FULL, ("autopilot", "enabled"), autopilot)
    assert_explained(facts(contents, evidence=kubernetes(*objects, listed=("ConfigMap", "DaemonSet"))))


@given(st.dictionaries(st.sampled_from(sorted(FULL)), VALUES))
def test_no_cluster_raises(contents: dict[str, Any]) -> None:
    assert_explained(facts(contents))


def test_the_same_input_gives_the_same_facts() -> None:
    evidence = kubernetes(*EVIDENCE, listed=("ConfigMap", "DaemonSet"))
    assert facts(FULL, evidence=evidence) == facts(json.loads(json.dumps(FULL)), evidence=evidence)


def test_facts_leave_the_data_as_it_was() -> None:
    before = json.dumps(FULL)
    facts(FULL, evidence=kubernetes(*EVIDENCE))
    assert json.dumps(FULL) == before

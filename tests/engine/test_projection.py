from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.engine.cel import Environment, UndecidedError
from auditor.engine.projection import ABSENT, of_fact, of_json, plain, text
from auditor.model.deferred import after_apply
from auditor.model.facts import ClusterNetwork, PoolVersion, Versions

ENVIRONMENT = Environment("cluster", {})
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
SURROGATES = st.text(st.characters(categories=["Cs", "L"]), max_size=8)


def projected(expression: str, cluster: Any) -> Any:
    return of_json(ENVIRONMENT.compile(expression, "any").reads["cluster"])(cluster)


def test_only_what_is_read_is_handed_over() -> None:
    cluster = {"name": "c", "status": "RUNNING", "nodePools": [{"name": "a", "version": "1", "config": {}}]}
    assert projected("cluster.nodePools.map(p, p.version)", cluster) == {"nodePools": [{"version": "1"}]}


def test_what_the_api_leaves_out_has_its_default() -> None:
    expression = (
        "[cluster.autopilot.enabled, cluster.name == '', cluster.currentNodeCount == 0,"
        " cluster.networkConfig.datapathProvider == 'LEGACY_DATAPATH', cluster.locations.size() == 0]"
    )
    assert projected(expression, {"networkConfig": {}, "name": None}) == {
        "autopilot": {"enabled": False},
        "name": "",
        "currentNodeCount": 0,
        "networkConfig": {"datapathProvider": "DATAPATH_PROVIDER_UNSPECIFIED"},
        "locations": [],
    }


def test_what_the_api_never_leaves_out_stays_absent() -> None:
    expression = (
        "cluster.networkConfig.enableIntraNodeVisibility && cluster.nodePools.all(p, p.config.tags == [])"
    )
    assert projected(expression, {}) == {}
    assert projected(expression, {"nodePools": [{}], "networkConfig": None}) == {"nodePools": [{}]}


def test_a_field_with_presence_of_its_own_stays_absent() -> None:
    assert projected("cluster.networkConfig.defaultEnablePrivateNodes", {"networkConfig": {}}) == {
        "networkConfig": {}
    }


def test_a_value_of_the_wrong_type_is_left_out_and_not_replaced_by_a_default() -> None:
    expression = "[cluster.name == '', cluster.autopilot.enabled, cluster.currentNodeCount == 1]"
    found = projected(expression, {"name": 5, "autopilot": "yes", "currentNodeCount": True})
    assert found == {}


def test_no_element_of_a_list_is_lost() -> None:
    found = projected(
        "cluster.nodePools.map(p, p.name)", {"nodePools": ["junk", {"name": "a"}, None, {"name": 7}]}
    )
    assert found == {"nodePools": [{}, {"name": "a"}, {}, {}]}


READERS = [
    "cluster.nodePools.size() == {size}",
    "cluster.nodePools == cluster.nodePools",
    "cluster.nodePools.all(p, p.name != 'x')",
    "cluster.nodePools.exists(p, p.name == 'a')",
    "cluster.locations.size() == {size}",
    "cluster.locations == cluster.locations",
    "!('x' in cluster.locations)",
    "cluster.locations.all(one, one != 'x')",
]


@pytest.mark.parametrize("reader", READERS)
def test_nothing_is_said_of_a_list_that_a_plan_does_not_state(reader: str) -> None:
    later = after_apply("google_container_cluster.c.node_pool")
    for value, size in ((later, 1), ([{"name": "a"}, later], 2), (["a", later], 2), ([later], 1)):
        expression = ENVIRONMENT.compile(reader.format(size=size), "any")
        cluster = {"nodePools": value, "locations": value}
        assert of_json(expression.reads["cluster"])(cluster) == {}
        with pytest.raises(UndecidedError):
            expression.value(ENVIRONMENT.activation({"cluster": {}}))


def test_a_list_of_texts_with_something_else_in_it_equals_nothing() -> None:
    values: list[Any] = [["a", 3], [None], [{}], [["a"]]]
    for value in values:
        assert projected("'x' in cluster.locations", {"locations": value}) == {}
    assert projected("'x' in cluster.locations", {"locations": ["a"]}) == {"locations": ["a"]}


@pytest.mark.parametrize("value", [7, ["x"], after_apply("google_container_cluster.c.resource_labels")])
def test_nothing_is_said_of_a_map_of_texts_with_something_else_in_it(value: Any) -> None:
    for reader in ("cluster.resourceLabels.env != 'prod'", "!('dev' in cluster.resourceLabels)"):
        assert projected(reader, {"resourceLabels": {"env": value, "team": "a"}}) == {}
        known = {"resourceLabels": {"env": "prod", "team": None}}
        assert projected(reader, known) == {"resourceLabels": {"env": "prod"}}


def test_an_unknown_field_of_a_fact_is_left_out() -> None:
    env = ENVIRONMENT
    reads = env.compile("versions.pools.all(p, p.version == versions.control_plane)", "bool").reads[
        "versions"
    ]
    fact = Versions(None, (PoolVersion("a", "1.2"), PoolVersion("b", None)), ())
    assert of_fact(reads)(fact) == {"pools": [{"version": "1.2"}, {}]}
    whole = env.compile("dyn(network).mtu == 1", "bool").reads["network"]
    assert of_fact(whole)(ClusterNetwork("n", None, True, 1460, "AFTER_CLASSIC_FIREWALL", ())) == {
        "network": "n",
        "shared": True,
        "mtu": 1460,
        "enforcement_order": "AFTER_CLASSIC_FIREWALL",
    }


@given(JSON)
def test_any_json_as_a_cluster_is_projected_without_an_error_and_evaluates(value: Any) -> None:
    expression = ENVIRONMENT.compile(
        "cluster.nodePools.all(p, p.config.imageType == '' || p.config.tags.size() == 0)"
        " && cluster.name != '' && cluster.resourceLabels.size() == 0 && dyn(cluster.autopilot) != 1",
        "bool",
    )
    cluster = {"nodePools": value, "name": value, "resourceLabels": value, "autopilot": value}
    project = of_json(expression.reads["cluster"])
    found = project(cluster)
    assert found is not ABSENT
    answer = expression.program.eval(ENVIRONMENT.activation({"cluster": found}))
    assert answer.type().name() in ("BOOL", "ERROR")
    assert project(value) is ABSENT or isinstance(value, dict)


@given(SURROGATES)
def test_text_is_always_text_that_cel_can_hold(value: str) -> None:
    text(value).encode("utf-8")
    assert text(text(value)) == text(value)
    assert plain({value: [value]}) == {text(value): [text(value)]}


def test_nesting_without_end_is_cut() -> None:
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    assert isinstance(plain(deep), list)

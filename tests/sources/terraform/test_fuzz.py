"""Whatever a Terraform document holds: it ends in an inventory, or in an error that says what is wrong."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.errors import AuditorError
from auditor.facts import Deriver
from auditor.sources.assemble import assemble
from auditor.sources.builder import Builder
from auditor.sources.recognise import Recogniser
from tests.sources.terraform import plans as make
from tests.sources.terraform.test_plan import CREATED, POLICIES

if TYPE_CHECKING:
    from collections.abc import Iterator

_KIND, _POLICY, _PART = POLICIES[0]
_RULE = {**_PART, "priority": 1, "direction": "EGRESS", "action": "deny", "match": [{"layer4_configs": [{}]}]}
_MAIN = {
    "name": "main", "project": "svc", "location": "europe-west1", "ip_allocation_policy": [{}],
    "node_pool": [{"name": "pool", "node_config": [{}]}],
}  # fmt: skip
_POOL = {"name": "pool", "cluster": "main", "project": "svc", "location": "europe-west1"}
_SUBNETWORK = {"name": "n", "project": "host", "region": "r", "log_config": [{}], "secondary_ip_range": [{}]}
_GROUP = {"name": "g", "parent": "projects/host", "location": "global", "items": [make.PODS]}
DOCUMENT = make.plan(
    make.DENY,
    make.change("google_container_cluster.new", CREATED, unknown={"node_pool": True}),
    make.change("google_container_cluster.main", _MAIN, actions=("update",), before={"node_pool": []}),
    make.change(
        "google_container_node_pool.p", {**_POOL, "cluster": "new", "node_config": [{"tags": ["a"]}]}
    ),
    make.change("google_container_node_pool.q", None, actions=("delete",), before=_POOL),
    make.change(f"{_KIND}.guard", _POLICY),
    make.change(f"{_KIND}_rule.d", _RULE),
    make.change(f"{_KIND}_rule.e", None, actions=("delete",), before=_RULE),
    make.change(f"{_KIND}_association.a", {**_PART, "name": "a", "attachment_target": make.NETWORK}),
    make.change("google_compute_network.n", {"name": "n", "project": "host"}),
    make.change("google_compute_subnetwork.n", _SUBNETWORK),
    make.change("google_network_security_address_group.g", _GROUP),
    configuration={
        "root_module": {
            "resources": [
                {
                    "address": "google_compute_firewall.deny_egress",
                    "provider_config_key": "google",
                    "expressions": {"network": {"references": ["module.a.b", "module.a"]}},
                }
            ],
            "module_calls": {"a": {"module": {"outputs": {"b": {"expression": {"references": ["x.y.id"]}}}}}},
        }
    },
)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    for key, one in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        yield from _paths(one, (*path, key))


PATHS = sorted(_paths(DOCUMENT), key=str)
JUNK: list[Any] = [
    None, True, 0, -1, 1.5, 10**25, "", "x", " ", "/", "a/b/c/d/e/f/g", "projects/p/global/networks/n", "(((",
    "\ud800", [], {}, [[]], [None], {"a": 1}, [{}],
]  # fmt: skip


@settings(max_examples=300)
@given(
    st.lists(st.tuples(st.sampled_from(PATHS), st.sampled_from(JUNK), st.booleans()), min_size=1, max_size=3)
)
def test_no_document_ends_in_a_crash(changes: list[tuple[tuple[Any, ...], Any, bool]]) -> None:
    document = copy.deepcopy(DOCUMENT)
    for path, junk, removed in changes:
        parent: Any = document
        for step in path[:-1]:
            inside = isinstance(parent, dict) or (isinstance(parent, list) and isinstance(step, int))
            missing = not inside or (step not in parent if isinstance(parent, dict) else step >= len(parent))
            parent = None if missing else parent[step]
        if isinstance(parent, dict) and removed:
            parent.pop(path[-1], None)
        elif isinstance(parent, dict) or (
            isinstance(parent, list) and isinstance(path[-1], int) and path[-1] < len(parent)
        ):
            parent[path[-1]] = junk
    builder = Builder()
    live, plan = Recogniser("live", builder), Recogniser("plan", builder)
    for number, asset in enumerate(make.live(), 1):
        live.line(number, asset, b"")
    try:
        plan.document(1, document)
        plan.end()
        inventory = assemble(builder, ("live", "plan"), complete=True)
    except AuditorError:
        return
    deriver = Deriver(inventory)
    for entry in inventory.clusters:
        cluster = inventory.decode(entry)
        if cluster.data is not None:
            deriver.cluster(cluster)

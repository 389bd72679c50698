"""Whatever a file holds, the outcome is an inventory or a `SourceError`."""

from __future__ import annotations

import json
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from auditor.errors import SourceError
from auditor.model import inventory as model
from auditor.sources import load
from auditor.sources.wording import USED
from tests.sources import assets as make

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.sources.inventory import AssetInventory

QUIET = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["\ud800", "projects/", "//", "{{x}}", "10.0.0.0/8", "kube-system", "1" * 5000]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def _config_map() -> make.Asset:
    name = f"{make.cluster('a')['name']}/k8s/namespaces/kube-system/configmaps/ip-masq-agent"
    data = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "kube-system"}}
    return make.asset(model.CONFIG_MAP, name, data)


def _group() -> make.Asset:
    name = "//networksecurity.googleapis.com/projects/host/locations/global/addressGroups/g"
    return make.asset(model.ADDRESS_GROUP, name, {"items": ["10.0.0.0/8"]})


def _values() -> list[Any]:
    """One value of every form that is known."""
    cluster = make.cluster("a")
    answer = {
        "firewalls": [make.api(make.firewall())],
        "firewallPolicys": [{"name": "7", "type": "HIERARCHY"}],
    }
    listed = {"kind": "compute#firewallList", "items": [make.api(make.firewall())]}
    objects = [_config_map()["resource"]["data"]]
    return [
        *make.organisation(),
        make.node_pool(cluster, "x"),
        _config_map(),
        _group(),
        {"clusters": [make.api(cluster)], "missingZones": ["z"]},
        {"assets": [make.firewall()], "nextPageToken": "x"},
        make.api(cluster),
        make.api(make.policy()),
        [make.api(make.subnetwork()), make.api(make.network())],
        answer,
        listed,
        {"apiVersion": "v1", "kind": "List", "items": objects},
        {"nodePools": [make.api(make.node_pool(cluster, "y"))]},
    ]


def _paths(value: Any) -> list[tuple[Any, ...]]:
    """Every place in a value."""
    found: list[tuple[Any, ...]] = [()]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found += [(key, *path) for path in _paths(inner)]
    return found


def _replaced(value: Any, path: tuple[Any, ...], change: Callable[[Any], Any]) -> Any:
    if not path:
        return change(value)
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = _replaced(value[path[0]], path[1:], change)
    return copy


def _instead(new: Any, _: Any) -> Any:
    return new


def _loaded(source: str) -> AssetInventory | SourceError:
    try:
        return load([source])
    except SourceError as error:
        return error


def _use(content: bytes) -> None:
    """Read a file, and everything that can be asked of the inventory."""
    with tempfile.TemporaryDirectory() as folder:
        source = make.write(Path(folder) / "f", content)
        found = _loaded(source)
    if isinstance(found, SourceError):
        assert found.message
        assert found.hint
        return
    inventory = found
    for entry in inventory.clusters:
        cluster = inventory.decode(entry)
        assert cluster.data is None or isinstance(cluster.data, dict)
    for kind in USED:
        for project in ("", "host", "svc"):
            if not inventory.coverage.read(kind, project):
                gap = inventory.coverage.why_not(kind, project)
                assert gap.reason
                assert gap.hint
    inventory.coverage.every_cluster_read()
    inventory.coverage.hierarchy_read("host")
    assert all(gap.scope and gap.reason and gap.hint for gap in inventory.gaps)
    assert all(isinstance(count, int) for count in inventory.counts.values())


@QUIET
@given(st.data())
def test_any_value_may_stand_anywhere(data: st.DataObject) -> None:
    values = _values()
    for _ in range(data.draw(st.integers(1, 3))):
        index = data.draw(st.integers(0, len(values) - 1))
        path = data.draw(st.sampled_from(_paths(values[index])))
        replacement = data.draw(JSON)
        values[index] = _replaced(values[index], path, partial(_instead, replacement))
    text = json.dumps(values, indent=data.draw(st.sampled_from([None, 2])))
    if data.draw(st.booleans()):
        text = "\n".join(json.dumps(value) for value in values)
    _use(text.encode("utf-8", "surrogatepass"))


@QUIET
@given(st.data())
def test_any_field_may_be_missing_or_be_a_list_of_one(data: st.DataObject) -> None:
    values = _values()
    index = data.draw(st.integers(0, len(values) - 1))
    path = data.draw(st.sampled_from(_paths(values[index])))
    change: Callable[[Any], Any] = data.draw(
        st.sampled_from(
            [lambda old: [old], lambda old: [old, old], lambda _: [], lambda _: {}, lambda _: None]
        )
    )
    values[index] = _replaced(values[index], path, change)
    _use(json.dumps(values).encode())


@QUIET
@given(
    st.sampled_from([None, 2, -1]),
    st.lists(
        st.tuples(
            st.integers(0, 10**6), st.sampled_from([b"", b"{", b"}", b'"', b"\n", b",", b"\xff", b"[", b"9"])
        ),
        min_size=1,
        max_size=4,
    ),
)
def test_any_byte_may_be_wrong(indent: int | None, edits: list[tuple[int, bytes]]) -> None:
    values = _values()
    text = json.dumps(values, indent=indent) if indent != -1 else "\n".join(map(json.dumps, values))
    content = bytearray(text.encode())
    for position, byte in edits:
        at = position % len(content)
        content[at : at + 1] = byte
    _use(bytes(content))


@QUIET
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
@example(b"\x1f\x8b")
@example(b"\x28\xb5\x2f\xfd")
@example(b"\x28\xb5\x2f\xfd\x00\x00\x00")
@example(b"kind: List\napiVersion: v1\nitems: 3\n")
@example(b"[[], {}, [{}], [[]]]")
@example(b"{}\n{}\n")
def test_a_file_may_hold_anything(content: bytes) -> None:
    _use(content)

"""The pipeline itself: the report does not depend on how the work is done."""

from __future__ import annotations

import gc
import os
import weakref
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from auditor import bundled, parallel, sources
from auditor.audit import audit
from auditor.engine.evaluate import Judge
from auditor.engine.load import find_packs, load_packs
from auditor.engine.waivers import Waivers
from benchmarks.generate import Shape, _Organisation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditor.engine.result import Report
    from auditor.sources.inventory import AssetInventory

JUDGE = Judge(load_packs(find_packs(bundled.rules())))
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def report(inventory: AssetInventory) -> Report:
    return audit(inventory, JUDGE, Waivers(), now=NOW, rules_digest="sha256:0")


def generated(shape: Shape) -> AssetInventory:
    return sources.from_assets([orjson.loads(line) for line in _Organisation(shape).lines()])


@pytest.mark.parametrize(
    "shape",
    [
        Shape(clusters=120, pools=3, networks=7, firewalls=1_200, policies=30, pools_as="assets"),
        Shape(clusters=90, pools=2, networks=2, firewalls=100, policies=0, pools_as="embedded"),
        None,
    ],
    ids=["GKE's rules", "shared networks", "demo"],
)
def test_several_processes_make_the_report_that_one_makes(
    monkeypatch: pytest.MonkeyPatch, shape: Shape | None
) -> None:
    inventory = sources.load(["demo"]) if shape is None else generated(shape)
    alone = report(inventory)
    forked: list[int] = []
    fork = os.fork

    def counted() -> int:
        forked.append(1)
        return fork()

    def in_three(items: Sequence[Any], _: int) -> list[Sequence[Any]]:
        third = len(items) // 3
        return [items[:third], items[third : 2 * third], items[2 * third :]]

    monkeypatch.setattr(os, "fork", counted)
    monkeypatch.setattr(parallel, "pieces", in_three)
    # A process that fails would leave its work to this one, with the same result.
    monkeypatch.setattr(parallel, "islice", lambda *_: pytest.fail("a process failed"))
    assert report(inventory) == alone
    assert len(forked) == 2
    assert any(one.rule == "shadowed-for-pods" for one in alone.results)


def test_nothing_keeps_the_inventory_once_the_report_is_made() -> None:
    inventory = generated(Shape(clusters=20, pools=2, networks=3, firewalls=100, policies=9, pools_as="both"))
    spool = weakref.ref(inventory.spool)
    was_on = gc.isenabled()
    gc.disable()
    try:
        made = report(inventory)
        del inventory
        assert spool() is None, "a cycle holds what was read in memory while reports are written"
    finally:
        if was_on:
            gc.enable()
    assert made.clusters

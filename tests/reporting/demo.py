"""The report of the demo organisation, as `scan demo` makes it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from auditor import bundled
from auditor.audit import audit, rules_digest
from auditor.engine.evaluate import Judge
from auditor.engine.load import find_packs, load_packs
from auditor.engine.waivers import Waivers
from auditor.sources import load

if TYPE_CHECKING:
    from auditor.engine.result import Report


def audited_demo() -> Report:
    packs = load_packs(find_packs(bundled.rules()))
    now = datetime(2026, 11, 22, tzinfo=UTC)
    return audit(load(("demo",)), Judge(packs), Waivers(), now=now, rules_digest=rules_digest(packs))

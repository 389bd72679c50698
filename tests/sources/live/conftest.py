"""An emulator for each test, named in the environment as users would."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.sources.live.emulator import Emulator
from tests.sources.live.organisation import organisation

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """A running emulator of a small organisation."""
    for variable in list(os.environ):
        if variable.endswith("_EMULATOR_HOST") or variable.lower().endswith("_proxy"):
            monkeypatch.delenv(variable)
    with Emulator(organisation(), page=10) as running:
        monkeypatch.setenv("CLOUD_ASSET_EMULATOR_HOST", running.address)
        monkeypatch.setenv("CONTAINER_EMULATOR_HOST", running.address)
        yield running

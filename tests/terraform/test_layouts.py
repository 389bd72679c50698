"""Resources are linked to the block that declares them, and never to another.

Each folder below `layouts` is a configuration, with the blocks that each resource belongs to: `FILE ADDRESS
CERTAINTY`. A resource with an empty list must not be linked at all.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from auditor.model.names import canonical
from auditor.terraform.mapping import mapper

if TYPE_CHECKING:
    from collections.abc import Iterator

LAYOUTS = Path(__file__).parent / "layouts"


def _cases() -> Iterator[object]:
    for folder in sorted(LAYOUTS.iterdir()):
        expected = yaml.safe_load((folder / "expected.yaml").read_text())
        for reference, blocks in expected.items():
            yield pytest.param(folder, reference, blocks, id=f"{folder.name}-{reference}")


def test_there_are_ten_layouts() -> None:
    assert len(list(LAYOUTS.iterdir())) == 10


@pytest.mark.parametrize(("folder", "reference", "blocks"), [*_cases()])
def test_a_resource_is_linked_to_its_block_alone(folder: Path, reference: str, blocks: list[str]) -> None:
    service = "container" if "/clusters/" in reference else "compute"
    found = mapper([str(folder)], {}, {}, canonical).declarations(f"//{service}.googleapis.com/{reference}")
    told = [f"{Path(one.file).relative_to(folder)} {one.address} {one.certainty}" for one in found]
    assert sorted(told) == sorted(blocks)
    for one in found:
        lines = Path(one.file).read_text().splitlines()
        name = one.address.rpartition(".")[2]
        header = lines[one.start_line - 1]
        assert f'"{name}"' in header or one.file.endswith(".json")
        assert lines[one.end_line - 1].strip().rstrip(",") in ("}", "} }", "}}")


@pytest.mark.parametrize("folder", sorted(LAYOUTS.iterdir()), ids=lambda one: one.name)
def test_everything_in_a_layout_can_be_read(folder: Path) -> None:
    found = mapper([str(folder)], {}, {}, canonical)
    assert found.configurations is not None
    assert found.configurations.gaps == []

"""Where the data that ships with the program is: rule packs, report templates, the demo organisation."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable


def _data(name: str) -> Traversable:
    inside = files("auditor") / "_data"
    if inside.is_dir():
        return inside / name
    return Path(__file__).resolve().parent.parent / name


def rules() -> Traversable:
    """The folder of rule packs."""
    return _data("rules")


def reports() -> Traversable:
    """The folder of report templates, styles and scripts."""
    return _data("reports")


def demo() -> Traversable:
    """The folder of the demo organisation: its snapshot and its waivers."""
    return files("auditor") / "demo"

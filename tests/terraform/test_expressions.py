"""Expressions have the value that Terraform gives them, or none: never another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.terraform.expressions import UNKNOWN, Evaluation, Partial, joined
from auditor.terraform.module import Files, Module
from auditor.terraform.syntax import Reader

if TYPE_CHECKING:
    from pathlib import Path

SCOPE = """\
variable "env" { default = "prod" }
variable "open" {}
variable "pools" {
  default = {
    b = { size = 2 }
    a = { size = 1 }
  }
}
locals {
  name  = "gke-${var.env}"
  zones = ["b", "c"]
  on    = true
}
resource "google_compute_network" "vpc" {
  project = "host"
  name    = "vpc"
}
resource "random_id" "x" {}
"""


@pytest.fixture
def value(tmp_path: Path) -> Any:
    """Evaluates an expression beside the scope."""

    def of(expression: str) -> Any:
        (tmp_path / "main.tf").write_text(f"{SCOPE}\nlocals {{\n  x = {expression}\n}}\n")
        files = Files(Reader())
        found = Module(files, str(tmp_path), {}).local("x")
        assert files.gaps == [], expression
        return found

    return of


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('"a\\n\\"b\\" \\u00e4 $${c}"', 'a\n"b" ä ${c}'),
        ("-1", UNKNOWN),
        ("12", 12),
        ("1.5", 1.5),
        ("null", None),
        ("(local.on)", True),
        ("!local.on", False),
        ('var.env == "prod"', True),
        ('var.env != "prod" || local.on', True),
        ("length(local.zones) > 1 && local.on", True),
        ("1 + 2", 3),
        ('local.on ? "yes" : var.open', "yes"),
        ('var.open ? "yes" : "no"', UNKNOWN),
        ("local.name", "gke-prod"),
        ('"${local.zones}"', ["b", "c"]),
        ('"${local.name}-${local.zones[1]}"', "gke-prod-c"),
        ("local.zones[2]", UNKNOWN),
        ('var.pools["a"].size', 1),
        ("var.pools.b.size", 2),
        ("[for k, v in var.pools : v.size]", [1, 2]),
        ("{ for k, v in var.pools : upper(k) => v.size if v.size > 1 }", {"B": 2}),
        ("{ for k, v in var.pools : k => v... }", UNKNOWN),
        ("[for z in local.zones : z if var.open]", UNKNOWN),
        ("{ (var.env) = 1, plain = 2, \"quoted\" : 3 }", {"prod": 1, "plain": 2, "quoted": 3}),
        ("keys(var.pools)", ["a", "b"]),
        ("values(var.pools)[0].size", 1),
        ('format("%s-%d%%", var.env, 3)', "prod-3%"),
        ('format("%05d", 3)', UNKNOWN),
        ('join("-", local.zones, ["d"])', "b-c-d"),
        ('replace(var.env, "/p.*/", "x")', UNKNOWN),
        ('replace(var.env, "prod", "x")', "x"),
        ('substr("abcdef", 1, 2)', "bc"),
        ('split(",", "a,b")[1]', "b"),
        ('trimsuffix("a.tf", ".tf")', "a"),
        ('lookup(var.pools, "z", "none")', "none"),
        ('lookup(var.pools, var.open, "none")', UNKNOWN),
        ("merge({ a = 1 }, { a = 2 }, null)", {"a": 2}),
        ('coalesce("", null, "x")', "x"),
        ('coalesce(var.open, "x")', UNKNOWN),
        ('flatten([["a"], [["b"]]])', ["a", "b"]),
        ('toset(["b", "a", "b"])', ["a", "b"]),
        ("toset([var.open])", UNKNOWN),
        ('element(["a", "b"], 3)', "b"),
        ('try(local.name, "x")', "gke-prod"),
        ('try(var.open, "x")', UNKNOWN),
        ("concat(local.zones, local.zones)", ["b", "c", "b", "c"]),
        ('yamldecode(file("x.yaml")).name', UNKNOWN),
        ("cidrsubnet(\"10.0.0.0/8\", 8, 1)", UNKNOWN),
        ("google_compute_network.vpc.name", "vpc"),
        ("google_compute_network.vpc.id", "projects/host/global/networks/vpc"),
        ("google_compute_network.vpc[0].id", UNKNOWN),
        ("google_compute_network.none.id", UNKNOWN),
        ("terraform.workspace", UNKNOWN),
        ("path.module", UNKNOWN),
        ("each.key", UNKNOWN),
        ("var.none", UNKNOWN),
        ("local.x", UNKNOWN),
        ("[for p in values(var.pools) : p.size][*]", [1, 2]),
        ("values(var.pools)[*].size", [1, 2]),
        ("<<-EOT\n    one\n      two ${var.env}\n    EOT\n", "one\n  two prod\n"),
    ],
)  # fmt: skip
def test_an_expression_has_its_value(value: Any, expression: str, expected: Any) -> None:
    found = value(expression)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("expression", "parts"),
    [
        ('"gke-${random_id.x.hex}"', ("gke-", None)),
        ('"${terraform.workspace}-${var.env}-${random_id.x.hex}"', (None, "-prod-", None)),
        ('join("-", ["a", var.open, "b"])', ("a-", None, "-b")),
        ('format("%s-%s", var.env, var.open)', ("prod-", None)),
        ('"${var.open}${var.open}"', (None,)),
    ],
)
def test_a_string_keeps_what_is_known_of_it(
    value: Any, expression: str, parts: tuple[str | None, ...]
) -> None:
    assert value(expression) == Partial(parts)


PIECES = st.lists(st.none() | st.text("ab-", max_size=3), max_size=5)


@given(PIECES, st.lists(st.text("ab-", max_size=3), min_size=5, max_size=5))
def test_a_partial_string_matches_whatever_fills_it(pieces: list[str | None], fill: list[str]) -> None:
    filled = "".join(fill[index] if one is None else one for index, one in enumerate(pieces))
    found = joined([UNKNOWN if one is None else one for one in pieces])
    assert found == filled if isinstance(found, str) else found.matches(filled)


@given(PIECES, st.text("ab-", max_size=8))
def test_a_partial_string_matches_nothing_else(pieces: list[str | None], text: str) -> None:
    found = joined([UNKNOWN if one is None else one for one in pieces])

    def fits(parts: list[str | None], rest: str) -> bool:
        if not parts:
            return not rest
        first, others = parts[0], parts[1:]
        if first is not None:
            return rest.startswith(first) and fits(others, rest[len(first) :])
        return any(fits(others, rest[start:]) for start in range(len(rest) + 1))

    expected = fits(list(pieces), text)
    assert (found == text if isinstance(found, str) else found.matches(text)) is expected


def test_an_evaluation_without_an_expression_has_no_value(tmp_path: Path) -> None:
    assert Evaluation(Module(Files(Reader()), str(tmp_path), {})).value(None) is None

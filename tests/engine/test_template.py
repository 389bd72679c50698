from __future__ import annotations

from typing import Any

import pytest

from auditor.engine.cel import Environment, Expression, ExpressionError, UndecidedError
from auditor.engine.template import compile_template

ENVIRONMENT = Environment("cluster", {"words": ["a", "b"], "none": [""]})


def value_of(values: dict[str, Any]) -> Any:
    def value(expression: Expression) -> Any:
        if expression.text not in values:
            raise UndecidedError(expression.text)
        return values[expression.text]

    return value


@pytest.mark.parametrize(
    ("text", "values", "message", "command"),
    [
        ("plain", {}, "plain", "plain"),
        ("{{braces}} {resource.name}", {"resource.name": "x y"}, "{braces} x y", "{braces} 'x y'"),
        ("--a={org.words}", {"org.words": ["a", "b c"]}, "--a=a, b c", "--a='a,b c'"),
        ("--a={org.words}", {"org.words": []}, "--a=none", "--a=''"),
        ("{network.mtu}", {"network.mtu": 1460.0}, "1460", "1460"),
        ("{network.mtu}", {}, "unknown", "unknown"),
        ("{{{'b}'}}}", {"'b}'": "b"}, "{b}", "{b}"),
        ("{visibility.basis == '}' ? 'a' : 'b'}", {"visibility.basis == '}' ? 'a' : 'b'": "b"}, "b", "b"),
        ("{{}}", {}, "{}", "{}"),
        ("x -{resource.name}", {"resource.name": "-y"}, "x --y", "x --y"),
    ],
)
def test_values_are_filled_in(text: str, values: dict[str, Any], message: str, command: str) -> None:
    template = compile_template(text, ENVIRONMENT)
    assert template.message(value_of(values)) == message
    assert template.command(value_of(values)) == command


def test_a_value_that_would_be_an_option_leaves_the_command_out() -> None:
    template = compile_template("gcloud delete {resource.name} --quiet", ENVIRONMENT)
    assert template.command(value_of({"resource.name": "--all"})).startswith("# left out")


@pytest.mark.parametrize(
    ("text", "offset"), [("ab {", 3), ("ab }", 3), ("a {resource.nam}", 12), ("{}", 0), ("{'x}", 0)]
)
def test_a_mistake_has_its_offset_in_the_text(text: str, offset: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_template(text, ENVIRONMENT)
    assert caught.value.offset == offset

"""Rules as text for people: pages, an index, a list for the terminal, and the schema for editors."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from auditor import bundled
from auditor.engine import schema as shapes
from auditor.engine.cel import FACTS, FUNCTIONS, Environment
from auditor.engine.rule import Rule
from auditor.reporting.markup import code, escape, fence, prose
from auditor.reporting.text import one_line, plural, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from auditor.engine.cel import Kind
    from auditor.engine.load import LoadedPack
    from auditor.engine.rule import Example, Pack
    from auditor.engine.schema import Shape

SCHEMA_URL: Final = "https://json-schema.org/draft/2020-12/schema"

_GROUPS: Final = (
    ("pass_", "Pass"),
    ("fail", "Fail"),
    ("not_applicable", "Not applicable"),
    ("unknown", "Unknown"),
)
_KINDS: Final[tuple[tuple[Kind, str], ...]] = (
    ("cluster", "Rules about clusters"),
    ("network", "Rules about VPC networks"),
)
_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
_PATH: Final = re.compile(r"\s*[A-Za-z_]\w*(?:\.\w+)*\s*", re.ASCII)
_BLANKS: Final = re.compile(r"\n{3,}")


def pages(packs: Sequence[LoadedPack]) -> dict[str, str]:
    """The documentation of the packs: Markdown by file name, `README.md` being the index."""
    found = {"README.md": index(packs), "variables.md": variables()}
    for pack in packs:
        for compiled in pack.rules:
            found[f"{compiled.rule.id}.md"] = page(compiled.rule, pack.pack)
    return found


def page(rule: Rule, pack: Pack) -> str:
    """The page of one rule, as Markdown. Nothing in the rule's texts becomes markup, save code spans."""
    text = _template().render(
        rule=rule,
        pack=pack,
        lowered=[check.lowered for check in rule.checks if check.lowered is not None],
        commands=[_with_placeholders(command) for command in rule.remediation.commands],
        groups=[
            (heading, [{"name": one.name, "yaml": _stated(one)} for one in examples])
            for name, heading in _GROUPS
            if (examples := getattr(rule.examples, name))
        ],
    )
    return _BLANKS.sub("\n\n", str(text)).strip() + "\n"


def index(packs: Sequence[LoadedPack]) -> str:
    """The index of all rules and parameters, as Markdown."""
    lines = [
        "# Rules",
        "",
        "Each page has the rule's reasons, its remedy, and examples that are run as tests.",
    ]
    lines += ["[Variables](variables.md) lists what the expressions of a rule may read."]
    for pack in packs:
        lines += ["", f"## {escape(pack.pack.title)}", "", prose(pack.pack.description), ""]
        lines += ["| Rule | Severity | Title |", "| --- | --- | --- |"]
        for compiled in pack.rules:
            rule = compiled.rule
            lines.append(f"| [{escape(rule.id)}]({rule.id}.md) | {rule.severity} | {escape(rule.title)} |")
        if pack.pack.parameters:
            lines += ["", "Parameters, which a configuration file may set:", ""]
            lines += ["| Parameter | Value |", "| --- | --- |"]
            for name, value in pack.pack.parameters.items():
                lines.append(f"| {code(name, cell=True)} | {code(json.dumps(value), cell=True)} |")
    return "\n".join(lines) + "\n"


def variables() -> str:
    """The variables and functions of expressions, as Markdown: every field of every fact, with its type."""
    lines = ["# Variables", ""]
    lines += [
        "What the expressions of a rule may read. A fact that is not known is absent: an expression that"
    ]
    lines += ["needs it cannot be decided, and the rule's verdict is `unknown`, with the reason.", ""]
    lines += [
        "`cluster` is the cluster as the GKE API's JSON has it, with its defaults where a field is left out:"
    ]
    lines += [
        "[Cluster](https://cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.clusters)."
    ]
    lines += [
        "`networkConfig`, `nodePools` and a pool's `config` are never left out by the API: without them the",
        "answer is unknown.",
    ]
    lines += ["`org` holds the parameters of the rule's pack.", ""]
    lines += ["Functions beyond CEL's own and its extensions for strings and optional values:", ""]
    lines += [
        f"- `{signature.partition(':')[0]}`:{signature.partition(':')[2]}" for signature in FUNCTIONS.values()
    ]
    for kind, title in _KINDS:
        environment = Environment(kind, {})
        lines += ["", f"## {title}", "", "| Variable | Type |", "| --- | --- |"]
        for name in ("resource", *shapes.facts(FACTS[kind])):
            for path, what in _fields(name, environment.shapes[name]):
                lines.append(f"| `{path}` | {what} |")
    return "\n".join(lines) + "\n"


def listing(packs: Sequence[LoadedPack], *, width: int = 100) -> str:
    """Every rule in one line: id, severity, title, cut to the width."""
    rules = [compiled.rule for pack in packs for compiled in pack.rules]
    column = max((len(rule.id) for rule in rules), default=0)
    lines = [f"{rule.id:<{column}}  {rule.severity:<8}  {one_line(rule.title)}" for rule in rules]
    lines = [line if len(line) <= width else f"{line[: width - 1]}…" for line in lines]
    return "\n".join([*lines, "", f"{plural(len(rules), 'rule')} in {plural(len(packs), 'pack')}"]) + "\n"


def shown(rule: Rule, pack: Pack, *, width: int = 100) -> str:
    """One rule in full, as plain text for the terminal."""
    lines = [f"{rule.id}   {rule.severity}   pack {pack.name}", "", *_wrapped(rule.title, width), ""]
    lines += [*_wrapped(rule.description, width), ""]
    if rule.applies_to.when is not None:
        lines += ["applies where", f"  {one_line(rule.applies_to.when)}", ""]
    lines.append("expects")
    for check in rule.checks:
        each = f"for each {check.as_} of {one_line(check.each)}: " if check.each is not None else ""
        where = f" (where {one_line(check.when)})" if check.when is not None else ""
        lines.append(f"  {each}{one_line(check.expect)}{where}")
    lines += ["", "remedy", *_wrapped(rule.remediation.text, width, "  ")]
    if rule.remediation.cost is not None:
        lines += _wrapped(rule.remediation.cost, width, "  ")
    lines += [f"  $ {one_line(_with_placeholders(command))}" for command in rule.remediation.commands]
    for name, values in (
        ("tags", rule.tags),
        ("also known as", rule.aliases),
        ("controls", [f"{name} {value}" for name, each in rule.controls.items() for value in each]),
        ("see", [reference.url for reference in rule.references]),
    ):
        if values:
            lines += ["", name, *(f"  {one_line(value)}" for value in values)]
    return "\n".join(lines) + "\n"


def schema() -> str:
    """The JSON schema of a rule file, for editors."""
    made = {
        "$schema": SCHEMA_URL,
        "title": "A rule of gke-auditor",
        **{key: value for key, value in Rule.model_json_schema().items() if key != "title"},
    }
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


def _template() -> Any:
    import jinja2

    # Markdown has no autoescape: each value in the template goes through a filter that makes it harmless.
    environment = jinja2.Environment(
        autoescape=False,  # noqa: S701
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "escape_markdown": escape,
        "prose": _prose_of_block,
        "code": code,
        "fence": fence,
        "link": lambda url: quote(url, safe=":/?#[]@!$&'()*+,;=%~-._"),
    }
    return environment.from_string((bundled.reports() / "rule.md.j2").read_text(encoding="utf-8"))


def _prose_of_block(text: str) -> str:
    return prose(text.strip())


def _with_placeholders(command: str) -> str:
    # `--project={resource.project}` reads as `--project=PROJECT`.
    def placeholder(found: re.Match[str]) -> str:
        if not _PATH.fullmatch(found[1]):
            return "VALUE"
        return found[1].strip().rsplit(".", 1)[-1].upper()

    return _PLACEHOLDER.sub(placeholder, command)


def _stated(example: Example) -> str:
    import yaml

    stated = example.model_dump(
        mode="json", exclude_unset=True, by_alias=True, exclude={"name", "says", "severity"}
    )
    if not stated:
        return ""
    return yaml.safe_dump(stated, sort_keys=False, allow_unicode=True, width=100).rstrip("\n")


def _fields(path: str, shape: Shape) -> Iterator[tuple[str, str]]:
    if isinstance(shape, shapes.Record):
        for name, inner in shape.fields.items():
            yield from _fields(f"{path}.{name}", inner)
    elif isinstance(shape, shapes.Listing) and isinstance(shape.element, shapes.Record):
        yield path, "list"
        yield from _fields(f"{path}[]", shape.element)
    else:
        yield path, _type_name(shape)


def _type_name(shape: Shape) -> str:
    if isinstance(shape, shapes.Scalar):
        if shape.words:
            return f"one of {', '.join(f'`{word}`' for word in shape.words)}"
        return {bool: "bool", int: "int", float: "double", str: "string"}[shape.type]
    if isinstance(shape, shapes.Listing):
        return f"list of {_type_name(shape.element)}"
    if isinstance(shape, shapes.Table):
        return f"map to {_type_name(shape.value)}"
    return "any"


def _wrapped(text: str, width: int, indent: str = "") -> list[str]:
    import textwrap

    return textwrap.wrap(
        one_line(visible(text)),
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_on_hyphens=False,
    )


def differing(expected: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """The names of the pages that differ, are missing or are left over."""
    return sorted(name for name in {*expected, *found} if expected.get(name) != found.get(name))

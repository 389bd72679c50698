"""The commands: alone in reading arguments, printing, and choosing the exit code."""

from __future__ import annotations

import os
import shutil
import sys
import traceback
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from auditor import __version__
from auditor.errors import AuditorError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from auditor.engine.evaluate import Judge
    from auditor.engine.load import LoadedPack
    from auditor.engine.result import Report
    from auditor.model.inventory import ClusterEntry

CLEAN, FINDINGS, CANNOT_RUN, GAPS = 0, 1, 2, 3
FORMATS = ("html", "sarif", "sarif-full", "ndjson", "json", "csv", "markdown", "junit")
_LISTED = 20
"""How many clusters an error offers to choose from."""
SEVERITIES = ("critical", "high", "medium", "low", "info")


def cli(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit with its code.

    0 clean, 1 findings at or above the threshold, 2 could not run, 3 unknown results or gaps and no such
    finding.
    """
    try:
        code = _commands.main(args=arguments, prog_name="gke-auditor", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        _say(error.format_message())
        code = CANNOT_RUN
    except click.ClickException as error:
        usage = getattr(error, "ctx", None)
        _say(f"error: {error.format_message()}")
        _say(f"hint: see `{usage.command_path if usage else 'gke-auditor'} --help`")
        code = CANNOT_RUN
    except AuditorError as error:
        _say(f"error: {_printable(str(error))}")
        _say(f"hint: {_printable(error.hint)}")
        code = CANNOT_RUN
    except (click.Abort, KeyboardInterrupt):
        _say("interrupted; no report was written")
        code = 130
    except BrokenPipeError:
        # Whoever read the output has seen enough. What Python flushes at exit must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = CLEAN
    except OSError as error:
        _say(f"error: the output cannot be written: {error.strerror or error}")
        _say("hint: see that there is room on the device, and run it again")
        code = CANNOT_RUN
    except Exception:  # noqa: BLE001 - a crash must not exit with 1, which means findings
        traceback.print_exc()
        _say("error: this is a bug in gke-auditor")
        _say("hint: please report it with the lines above and, if you can, the input that led to it")
        code = CANNOT_RUN
    sys.exit(code)


def _say(text: str) -> None:
    click.echo(text, err=True)


def _printable(text: str) -> str:
    """Text with what could steer a terminal made visible."""
    return "".join(
        c if c in "\n\t" or c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode()
        for c in text
    )


def _outputs(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    outputs = []
    for value in values:
        form, equals, path = value.partition("=")
        if not equals or not path:
            raise click.BadParameter(f"{value!r} is not FORMAT=PATH, e.g. html=report.html")
        if form not in FORMATS:
            raise click.BadParameter(f"{form!r} is no format; there are {', '.join(FORMATS)}")
        outputs.append((form, path))
    paths = [path for _, path in outputs]
    for path in paths:
        if paths.count(path) > 1:
            raise click.BadParameter(f"{path!r} is named twice; each report needs a file of its own")
    return tuple(outputs)


def _kubernetes(
    _: click.Context, __: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    pairs = []
    for value in values:
        cluster, equals, path = value.partition("=")
        if not equals or not cluster or not path:
            raise click.BadParameter(
                f"{value!r} is not CLUSTER=FILE, e.g. my-project/europe-west1/main=objects.yaml"
            )
        pairs.append((cluster, path))
    return tuple(pairs)


def _time(_: click.Context, __: click.Parameter, value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is not a time such as 2026-11-22 or 2026-11-22T10:00:00Z"
        ) from None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


@click.group(
    name="gke-auditor",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message="%(prog)s %(version)s")
def _commands() -> None:
    """Audit intra-node visibility across Google Kubernetes Engine fleets.

    Exit codes: 0 clean, 1 findings, 2 could not run, 3 ran with unknown results or gaps.
    """


def _selection(command: Callable[..., int]) -> Callable[..., int]:
    """The options that say which rules a command works with."""
    for option in reversed(
        (
            click.option(
                "--rules",
                "packs",
                metavar="DIR",
                multiple=True,
                help="A further folder of rules. Repeatable.",
            ),
            click.option("--rule", "only", metavar="ID", multiple=True, help="Only this rule. Repeatable."),
            click.option(
                "--skip-rule", "skip", metavar="ID", multiple=True, help="All but this rule. Repeatable."
            ),
            click.option(
                "--tag", "tags", metavar="TAG", multiple=True, help="Only rules with this tag. Repeatable."
            ),
            click.option(
                "--severity", type=click.Choice(SEVERITIES), help="Only rules at least this severe."
            ),
            click.option(
                "--config", metavar="FILE", help="Parameters, severities and defaults for these options."
            ),
        )
    ):
        command = option(command)
    return command


@_commands.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option(
    "--output",
    "outputs",
    multiple=True,
    metavar="FORMAT=PATH",
    callback=_outputs,
    help=f"Write a report; PATH - is standard output. Repeatable. Formats: {', '.join(FORMATS)}.",
)
@_selection
@click.option(
    "--waivers",
    "waivers_file",
    metavar="FILE",
    help="Accepted risks: rule, resource, reason, owner, expires.",
)
@click.option(
    "--fail-on", type=click.Choice(SEVERITIES), help="Lowest severity that makes exit code 1. Default: low."
)
@click.option(
    "--complete",
    is_flag=True,
    help="The sources hold every asset of every type read here, of the whole organisation.",
)
@click.option(
    "--kubernetes",
    "kubernetes",
    multiple=True,
    metavar="CLUSTER=FILE",
    callback=_kubernetes,
    help="Kubernetes objects of a cluster, as kubectl prints them. Repeatable.",
)
@click.option("--strict", is_flag=True, help="A malformed line or element is an error, not a gap.")
@click.option("--allow-unknown", is_flag=True, help="Unknown results and gaps do not make exit code 3.")
@click.option(
    "--now",
    metavar="TIME",
    callback=_time,
    help="The time that decides whether a waiver has expired. Default: the clock.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print no summary and no progress.")
def scan(
    sources: tuple[str, ...],
    outputs: tuple[tuple[str, str], ...],
    waivers_file: str | None,
    fail_on: str | None,
    kubernetes: tuple[tuple[str, str], ...],
    now: datetime | None,
    *,
    complete: bool,
    strict: bool,
    allow_unknown: bool,
    quiet: bool,
    **selection: object,
) -> int:
    """Evaluate the rules about inventories and report.

    SOURCE is a file or folder of Cloud Asset Inventory JSON (`gcloud asset list`, exports, API pages;
    also .gz and .zst), the JSON of `gcloud container clusters` or `gcloud compute` list and describe
    commands, or `demo`, the organisation that comes with the program. Several make one inventory.
    """
    from auditor.audit import audit, rules_digest
    from auditor.engine import waivers
    from auditor.reporting.console import summary
    from auditor.reporting.progress import ProgressBar
    from auditor.reporting.write import write_reports
    from auditor.sources import load

    chosen = _Selection(**selection)  # type: ignore[arg-type]  # click passes what _selection declares
    judge = chosen.judge()
    accepted = waivers.load(waivers_file, chosen.rules) if waivers_file else waivers.Waivers()
    with ProgressBar(enabled=not quiet) as bar:

        def audited() -> Report:
            # What was read is given up before the reports are written, which need memory of their own.
            inventory = load(
                sources, kubernetes=kubernetes, complete=complete, strict=strict, progress=bar.reading
            )
            total = len(inventory.clusters)
            return audit(
                inventory,
                judge,
                accepted,
                now=now or datetime.now(UTC),
                rules_digest=rules_digest(chosen.packs),
                progress=lambda count: bar.judging(count, total),
            )

        report = audited()
    written = write_reports(report, outputs)
    if not quiet:
        to_stdout = any(path == "-" for _, path in outputs)
        files = [(path, size, "") for path, size in written if path != "-"]
        summary(report, stream=sys.stderr if to_stdout else sys.stdout, written=files)
    return _exit_code(report, fail_on or chosen.config.fail_on or "low", allow_unknown=allow_unknown)


def _exit_code(report: Report, fail_on: str, *, allow_unknown: bool) -> int:
    from auditor.engine.result import Severity

    threshold = Severity(fail_on).rank
    if any(finding.severity.rank >= threshold for finding in report.findings):
        return FINDINGS
    if (report.summary["unknown"] or report.gaps) and not allow_unknown:
        return GAPS
    return CLEAN


class _Selection:
    """The rule packs that a command works with, and which of their rules."""

    def __init__(
        self,
        packs: tuple[str, ...] = (),
        only: tuple[str, ...] = (),
        skip: tuple[str, ...] = (),
        tags: tuple[str, ...] = (),
        severity: str | None = None,
        config: str | None = None,
    ) -> None:
        from auditor import bundled
        from auditor.engine import config as configuration
        from auditor.engine.load import find_packs, load_packs
        from auditor.engine.result import Severity

        self.config = configuration.load(config) if config else configuration.Config()
        folders = find_packs(bundled.rules())
        for folder in (*self.config.packs, *packs):
            folders += find_packs(Path(folder))
        self.packs = load_packs(folders)
        self.rules = tuple(compiled.rule for pack in self.packs for compiled in pack.rules)
        self.severities = configuration.severities(self.config, self.rules)
        self.parameters = configuration.parameters(self.config, self.packs)
        self.chosen = configuration.select(
            self.rules,
            only=only or self.config.rules,
            skip=(*self.config.skip_rules, *skip),
            tags=tags or self.config.tags,
            min_severity=Severity(severity) if severity else self.config.min_severity,
            severities=self.severities,
        )

    def chosen_packs(self) -> tuple[LoadedPack, ...]:
        """The packs, each with its chosen rules alone."""
        ids = {rule.id for rule in self.chosen}
        kept = (
            replace(pack, rules=tuple(one for one in pack.rules if one.rule.id in ids)) for pack in self.packs
        )
        return tuple(pack for pack in kept if pack.rules)

    def judge(self) -> Judge:
        """The chosen rules, ready to judge."""
        from auditor.engine.evaluate import Judge

        return Judge(
            self.packs,
            only={rule.id for rule in self.chosen},
            parameters=self.parameters,
            severities=self.severities,
        )


@_commands.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option(
    "--cluster", "name", required=True, metavar="NAME", help="Full resource name, or bare name if unique."
)
@click.option("--from", "source", required=True, metavar="IP", help="The address of the Pod that sends.")
@click.option(
    "--to", "destination", required=True, metavar="IP", help="The address of the Pod that receives."
)
@click.option("--protocol", required=True, metavar="P", help="tcp, udp, sctp, icmp, icmpv6, esp or ah.")
@click.option("--port", type=int, metavar="N", help="Destination port, for tcp, udp and sctp.")
@click.option(
    "--from-pool", metavar="POOL", help="Node pool of the sender, where its address leaves a choice."
)
@click.option("--to-pool", metavar="POOL", help="Node pool of the receiver, likewise.")
@click.option(
    "--complete", is_flag=True, help="The sources hold every asset of every type, of the whole organisation."
)
@click.option("--format", "form", type=click.Choice(("text", "json")), default="text", help="Default: text.")
def trace(
    sources: tuple[str, ...],
    name: str,
    source: str,
    destination: str,
    protocol: str,
    port: int | None,
    from_pool: str | None,
    to_pool: str | None,
    form: str,
    *,
    complete: bool,
) -> int:
    """Follow one packet between two Pods through the VPC firewall, rule by rule.

    Exits with 0 if it is allowed, 1 if it is denied, 3 if that cannot be told.
    """
    from auditor.facts import Deriver
    from auditor.firewall import trace as tracing
    from auditor.sources import load

    inventory = load(sources, complete=complete)
    cluster = inventory.decode(_cluster(inventory.clusters, name))
    if cluster.data is None:
        raise AuditorError(
            "the inventory holds no data about this cluster",
            hint="export it again with --content-type=resource",
            place=cluster.entry.name,
        )
    deriver = Deriver(inventory)
    facts = deriver.cluster(cluster)
    found = tracing.trace(
        deriver.analyzer, facts.pods, facts.node_classes,
        source, destination, protocol.lower(), port, from_pool, to_pool,
    )  # fmt: skip
    if form == "json":
        import orjson

        click.echo(orjson.dumps(tracing.trace_json(found), option=orjson.OPT_INDENT_2).decode())
    else:
        click.echo(_printable(tracing.trace_text(found)))
    return {"allowed": CLEAN, "denied": FINDINGS, "unknown": GAPS}[found.verdict]


def _cluster(clusters: Sequence[ClusterEntry], name: str) -> ClusterEntry:
    """The cluster by full resource name, `project/location/name`, or a bare name that is unique."""
    from auditor.model.names import canonical

    for entry in clusters:
        if name in (entry.name, f"{entry.project}/{entry.location}/{entry.short_name}") or (
            canonical(name) == entry.key
        ):
            return entry
    found = [entry for entry in clusters if entry.short_name == name]
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(entry.name for entry in found[:_LISTED])
        raise AuditorError(
            f"{len(found)} clusters have the name {name!r}", hint=f"give one of {listed}", place="--cluster"
        )
    known = ", ".join(sorted(f"{one.project}/{one.location}/{one.short_name}" for one in clusters)[:_LISTED])
    more = f" and {len(clusters) - _LISTED} more" if len(clusters) > _LISTED else ""
    raise AuditorError(
        f"no cluster {name!r} in the inventory",
        hint=f"there are {known}{more}" if known else "the inventory holds no cluster at all",
        place="--cluster",
    )


@_commands.command("check-sarif")
@click.argument("file", metavar="FILE")
def check_sarif(file: str) -> int:
    """Tell whether GitHub code scanning would accept a SARIF file.

    Offline. Exits with 0 if it would, and with 1 if not, with the reason and the remedy for each place.
    """
    import orjson

    from auditor.reporting import check_sarif as acceptance

    try:
        document = orjson.loads(Path(file).read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise AuditorError(
            f"cannot be read as JSON: {reason}", hint="give a SARIF 2.1.0 file", place=file
        ) from error
    violations = [*acceptance.check_name(file), *acceptance.check_sarif(document)]
    for violation in violations:
        click.echo(_printable(f"{violation.pointer or '/'}: {violation.text} [{violation.rule}]"))
        click.echo(_printable(f"  remedy: {violation.remedy}"))
    if not violations:
        click.echo(f"{_printable(file)}: GitHub code scanning would accept it")
        return CLEAN
    click.echo(f"{_printable(file)}: GitHub code scanning would not take it whole ({len(violations)} above)")
    return FINDINGS


@_commands.group()
def rules() -> None:
    """List, explain and test rules."""


@rules.command("list")
@_selection
def rules_list(**selection: object) -> int:
    """Print the rules, one a line."""
    from auditor.reporting.docs import listing

    chosen = _Selection(**selection)  # type: ignore[arg-type]  # click passes what _selection declares
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    click.echo(listing(chosen.chosen_packs(), width=width), nl=False)
    return CLEAN


@rules.command("show")
@click.argument("rule_id", metavar="ID")
@click.option("--rules", "packs", metavar="DIR", multiple=True, help="A further folder of rules. Repeatable.")
def rules_show(rule_id: str, packs: tuple[str, ...]) -> int:
    """Explain one rule."""
    from auditor.reporting.docs import shown

    chosen = _Selection(packs, only=(rule_id,))
    for pack in chosen.chosen_packs():
        for compiled in pack.rules:
            click.echo(shown(compiled.rule, pack.pack), nl=False)
    return CLEAN


@rules.command("test")
@click.argument("folder", metavar="[DIR]", required=False)
@click.option("-q", "--quiet", is_flag=True, help="Print the failures alone.")
def rules_test(folder: str | None, *, quiet: bool) -> int:
    """Run the examples of every rule in DIR, a rule pack or a folder of them. Default: the rules shipped."""
    from auditor import bundled
    from auditor.engine.load import find_packs, load_packs
    from auditor.examples import run

    packs = load_packs(find_packs(Path(folder) if folder else bundled.rules()))
    failed = passed = 0
    for outcome in run(packs):
        if outcome.problem:
            failed += 1
            _say(_printable(f"error: {outcome}"))
        else:
            passed += 1
            if not quiet:
                click.echo(_printable(str(outcome)))
    click.echo(f"{passed} examples as expected, {failed} not")
    return CANNOT_RUN if failed else CLEAN


@rules.command("docs")
@click.argument("folder", metavar="[DIR]", required=False)
@click.option("--output", default="docs/rules", metavar="DIR", help="Where to. Default: docs/rules.")
def rules_docs(folder: str | None, output: str) -> int:
    """Write a page for each rule in DIR, a rule pack or a folder of them, and an index of all."""
    from auditor import bundled
    from auditor.engine.load import find_packs, load_packs
    from auditor.reporting.docs import pages

    target = Path(output)
    for name, text in pages(load_packs(find_packs(Path(folder) if folder else bundled.rules()))).items():
        _write(target / name, text)
    return CLEAN


@rules.command("schema")
@click.option("--output", metavar="FILE", help="Where to. Default: standard output.")
def rules_schema(output: str | None) -> int:
    """Print the JSON Schema of a rule file, which editors complete and check with."""
    from auditor.reporting.docs import schema

    if output:
        _write(Path(output), schema())
    else:
        click.echo(schema(), nl=False)
    return CLEAN


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise AuditorError(
            f"cannot be written: {error.strerror}", hint="give another place with --output", place=str(path)
        ) from error
    click.echo(f"wrote {_printable(str(path))}")

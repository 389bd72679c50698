"""The commands: alone in reading arguments, printing, and choosing the exit code."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import traceback
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from auditor import __version__
from auditor.errors import AuditorError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from auditor.engine.evaluate import Judge
    from auditor.engine.load import LoadedPack
    from auditor.engine.result import Report
    from auditor.engine.rule import Rule
    from auditor.model.inventory import ClusterEntry
    from auditor.reporting.check_sarif import Violation
    from auditor.reporting.write import Incomplete
    from auditor.sources.inventory import AssetInventory

CLEAN, FINDINGS, CANNOT_RUN, GAPS = 0, 1, 2, 3
FORMATS = ("html", "sarif", "sarif-full", "ndjson", "json", "csv", "markdown", "junit")
DIFF_FORMATS = ("json", "markdown")
_LISTED = 20
"""How many clusters an error offers to choose from."""
SEVERITIES = ("critical", "high", "medium", "low", "info")


def cli(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit with its code, which `run` returns."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None, kept: list[object] | None = None) -> int:
    """Run one command to its last output, and return its exit code.

    0 clean, 1 findings at or above the threshold, 2 could not run, 3 unknown results or gaps and no such
    finding. What would only be taken apart when the command is done goes into `kept`, if that is given.
    """
    try:
        code: int = _commands.main(args=arguments, prog_name="gke-auditor", standalone_mode=False, obj=kept)
        sys.stdout.flush()
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
    return code


def _say(text: str) -> None:
    click.echo(text, err=True)


def _printable(text: str) -> str:
    """Text with what could steer a terminal made visible."""
    return "".join(
        c if c in "\n\t" or c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode()
        for c in text
    )


def _outputs(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    return _pairs(values, FORMATS)


def _diff_outputs(
    _: click.Context, __: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    return _pairs(values, DIFF_FORMATS)


def _pairs(values: tuple[str, ...], formats: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    outputs = []
    for value in values:
        form, equals, path = value.partition("=")
        if not equals or not path:
            raise click.BadParameter(f"{value!r} is not FORMAT=PATH, e.g. {formats[0]}=report.{formats[0]}")
        if form not in formats:
            raise click.BadParameter(f"{form!r} is no format; there are {', '.join(formats)}")
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
    "--baseline",
    "baseline_file",
    metavar="FILE",
    help="An earlier report (json, ndjson or sarif-full) to compare with.",
)
@click.option(
    "--history",
    "history_file",
    metavar="FILE",
    help="Record the scan in this file, which is made if it is not there. See `gke-auditor history`.",
)
@click.option(
    "--fail-on-new",
    is_flag=True,
    help="Only findings that are new or worse since the baseline make exit code 1.",
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
@click.option(
    "--terraform",
    "terraform",
    metavar="DIR",
    multiple=True,
    help="Link results to the Terraform configurations in a folder. Repeatable.",
)
@click.option(
    "--terraform-state",
    "states",
    metavar="FILE",
    multiple=True,
    help="What `terraform show -json` prints: says exactly which block declares what. Repeatable.",
)
@click.option("--strict", is_flag=True, help="A malformed line or element is an error, not a gap.")
@click.option("--allow-unknown", is_flag=True, help="Unknown results and gaps do not make exit code 3.")
@click.option(
    "--now",
    metavar="TIME",
    callback=_time,
    help="The time that decides whether a waiver has expired. Default: the clock.",
)
@click.option(
    "--sarif-shards",
    "shards",
    type=click.IntRange(2, 20),
    metavar="N",
    help="Write sarif=NAME.sarif as N files NAME.shard-01.sarif …, each project always in the same one.",
)
@click.option(
    "--sarif-incomplete",
    "incomplete",
    type=click.Choice(("refuse", "skip", "write")),
    help="What to do about a SARIF file that lacks what could not be read, and so would close alerts. "
    "Default: write the whole, refuse a shard.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print no summary and no progress.")
def scan(
    sources: tuple[str, ...],
    outputs: tuple[tuple[str, str], ...],
    waivers_file: str | None,
    baseline_file: str | None,
    history_file: str | None,
    fail_on: str | None,
    kubernetes: tuple[tuple[str, str], ...],
    terraform: tuple[str, ...],
    states: tuple[str, ...],
    now: datetime | None,
    shards: int | None,
    incomplete: Incomplete | None,
    *,
    complete: bool,
    strict: bool,
    allow_unknown: bool,
    fail_on_new: bool,
    quiet: bool,
    **selection: object,
) -> int:
    """Evaluate the rules about inventories and report.

    SOURCE is a file or folder of Cloud Asset Inventory JSON (`gcloud asset list`, exports, API pages;
    also .gz and .zst), a snapshot of `gke-auditor collect`, the JSON of `gcloud container clusters` or
    `gcloud compute` list and describe commands, a Terraform plan or state as `terraform show -json` prints
    it, a live scope (organizations/N, folders/N, projects/ID), or `demo`, the organisation that comes with
    the program. Several make one inventory; what a plan says outranks the rest.
    """
    from auditor.audit import audit, rules_digest
    from auditor.engine import waivers
    from auditor.reporting.console import summary
    from auditor.reporting.progress import ProgressBar
    from auditor.reporting.write import write_reports
    from auditor.sources import load

    if fail_on_new and baseline_file is None:
        raise click.UsageError("--fail-on-new needs --baseline FILE")
    if (shards or incomplete) and all(form != "sarif" for form, _ in outputs):
        option = "--sarif-shards" if shards else "--sarif-incomplete"
        raise click.UsageError(f"{option} needs --output sarif=PATH")
    chosen = _Selection(**selection)  # type: ignore[arg-type]  # click passes what _selection declares
    judge = chosen.judge()
    # Read before the scan, which takes longer: a wrong file is told at once.
    previous = None
    if baseline_file is not None:
        from auditor.reporting.previous import load as load_baseline

        previous = load_baseline(baseline_file)
    accepted = waivers.load(waivers_file, chosen.rules) if waivers_file else waivers.Waivers()
    with ProgressBar(enabled=not quiet) as bar:
        inventory = load(
            sources,
            kubernetes=kubernetes,
            complete=complete,
            strict=strict,
            progress=bar.reading,
            live=bar.collecting,
        )
        if history_file is not None and any(one.from_plan for one in inventory.planned.values()):
            raise AuditorError(
                "a scan of a Terraform plan is not recorded: it tells of what is not there yet",
                hint="leave out --history, or the plan",
                place="--history",
            )
        total = len(inventory.clusters)
        report = audit(
            inventory,
            judge,
            accepted,
            now=now or datetime.now(UTC),
            rules_digest=rules_digest(chosen.packs),
            progress=lambda count: bar.judging(count, total),
        )
        if terraform or states or inventory.planned:
            report = _declared(report, inventory, terraform, states, chosen.rules)
        if previous is not None:
            from auditor.engine.baseline import compare

            report = compare(report, previous, inventory.project_numbers)
        if history_file is not None:
            from auditor.history import record

            _, points = record(history_file, report, inventory.project_numbers)
            report = replace(report, history=points)
        del inventory  # the reports need memory of their own
    kept = click.get_current_context().obj
    if kept is not None:
        kept.append(report)
    written = write_reports(report, outputs, shards=shards, incomplete=incomplete)
    if not quiet:
        to_stdout = any(path == "-" for _, path in outputs)
        files = [(one.path, one.size, one.remark) for one in written if one.path != "-" and not one.skipped]
        summary(report, stream=sys.stderr if to_stdout else sys.stdout, written=files)
    for one in written:
        if one.skipped:
            _say(
                _printable(
                    f"note: {one.path} was left out, so that its alerts stay as they are: {one.remark}"
                )
            )
    return _exit_code(
        report, fail_on or chosen.config.fail_on or "low", allow_unknown=allow_unknown, only_new=fail_on_new
    )


def _declared(
    report: Report,
    inventory: AssetInventory,
    folders: Sequence[str],
    states: Sequence[str],
    rules: Sequence[Rule],
) -> Report:
    """The report with where Terraform declares things."""
    from datetime import date

    from auditor.terraform.annotate import annotate
    from auditor.terraform.mapping import addresses, mapper
    from auditor.terraform.state import references

    # Reports name files as they stand in the repository, which the working directory is part of.
    here = f"{Path.cwd()}{os.sep}"
    folders = [one.removeprefix(here) or "." for one in folders]
    exact = addresses(references(states, inventory.project_numbers))
    planned = {
        name: (one.address, "" if one.action == "keep" else one.action)
        for name, one in inventory.planned.items()
    }
    return annotate(
        report,
        mapper(folders, exact, planned, inventory.resolve),
        rules,
        date.fromisoformat(report.now[:10]),
    )


def _exit_code(report: Report, fail_on: str, *, allow_unknown: bool, only_new: bool) -> int:
    from auditor.engine.result import Severity

    threshold = Severity(fail_on).rank
    worse = report.comparison.worse if report.comparison is not None else frozenset()
    if any(
        finding.severity.rank >= threshold
        and (not only_new or finding.baseline == "new" or finding.fingerprint in worse)
        for finding in report.findings
    ):
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
@click.argument("scopes", nargs=-1, required=True, metavar="SCOPE...")
@click.option(
    "--output",
    metavar="SNAPSHOT",
    help="The file to write, compressed if it ends in .zst or .gz. Required unless --plan is given.",
)
@click.option("--resume", is_flag=True, help="Go on with a collection into SNAPSHOT that was interrupted.")
@click.option(
    "--plan", is_flag=True, help="Print which calls would be made, with which permissions; make none."
)
@click.option(
    "--kubernetes-evidence",
    is_flag=True,
    help="Ask each cluster's Kubernetes API about ip-masq-agent and EgressNATPolicy.",
)
@click.option(
    "--kubernetes-timeout",
    type=click.FloatRange(min=0.1),
    default=15.0,
    metavar="SECONDS",
    help="For one cluster. Default: 15.",
)
@click.option(
    "--kubernetes-at-once",
    type=click.IntRange(1, 256),
    default=16,
    metavar="N",
    help="Clusters asked at a time. Default: 16.",
)
@click.option(
    "--effective-firewalls",
    is_flag=True,
    help="Ask for the effective firewalls of networks whose policies cannot be read.",
)
@click.option(
    "--cluster-api",
    type=click.Choice(("auto", "always", "never")),
    default="auto",
    help="Compare with the Kubernetes Engine API, a call for each project with clusters. Default: auto, "
    "which is up to 500 projects.",
)
@click.option(
    "--rate",
    type=click.IntRange(min=1),
    default=95,
    metavar="N",
    help="Cloud Asset Inventory calls a minute at most. Default: 95, of a quota of 100.",
)
@click.option(
    "--cluster-rate",
    type=click.IntRange(min=1),
    default=1500,
    metavar="N",
    help="Kubernetes Engine API calls a minute at most. Default: 1500, of a quota of 3000.",
)
@click.option(
    "--quota-project", metavar="PROJECT", help="The project whose quota is used. Default: the credentials'."
)
@click.option("-q", "--quiet", is_flag=True, help="Print no summary and no progress.")
def collect(
    scopes: tuple[str, ...],
    output: str | None,
    *,
    resume: bool,
    plan: bool,
    quiet: bool,
    **rest: Any,
) -> int:
    """Read live scopes into one file, which `scan` reads offline.

    SCOPE is organizations/NUMBER, folders/NUMBER, projects/ID or projects/NUMBER. Only reading calls are
    made. Exits with 0 if everything was read, 3 if the snapshot has gaps, 2 if nothing could be read; then
    no snapshot is written. An interrupted collection leaves SNAPSHOT.partial beside it, for --resume.
    """
    from auditor.sources.live.collect import Options, Progress, partial
    from auditor.sources.live.collect import collect as run

    options = Options(scopes, **rest)
    if plan:
        from auditor.sources.live.plan import described

        click.echo(described(options), nl=False)
        return CLEAN
    if not output:
        raise click.UsageError("Missing option '--output'.")
    from auditor.reporting.progress import ProgressBar

    target = Path(os.path.realpath(output))
    if target.is_dir():
        raise AuditorError("is a folder", hint="name a file in it, e.g. snapshot.ndjson.zst", place=output)
    if not quiet and not resume and partial(target).exists():
        _say(f"note: the interrupted collection in {_printable(str(partial(target)))} is discarded")
    if threading.current_thread() is threading.main_thread():
        # Who ends the process in an orderly way (a container's host) interrupts it like Ctrl-C.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with ProgressBar(enabled=not quiet) as bar:
            done = run(options, target, resume=resume, progress=Progress(show=bar.collecting))
    except KeyboardInterrupt:
        _say("interrupted; no snapshot was written; the same command with --resume goes on from here")
        return 130
    if not quiet:
        if done.note:
            _say(f"note: {done.note}")
        for gap in done.header.gaps[:_LISTED]:
            _say(_printable(f"gap: {gap.scope}: {gap.reason}"))
            _say(_printable(f"  hint: {gap.hint}"))
        if len(done.header.gaps) > _LISTED:
            _say(f"and {len(done.header.gaps) - _LISTED} gaps more, which the report of a scan lists")
        gaps = f", {len(done.header.gaps)} gaps" if done.header.gaps else ""
        _say(f"wrote {_printable(output)}: {done.assets:,} assets, {done.size:,} bytes{gaps}")
    return GAPS if done.header.gaps else CLEAN


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
    from auditor.reporting.progress import ProgressBar
    from auditor.sources import load

    with ProgressBar(enabled=True) as bar:
        inventory = load(sources, complete=complete, live=bar.collecting)
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


@_commands.command()
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@click.option(
    "--output",
    "outputs",
    multiple=True,
    metavar="FORMAT=PATH",
    callback=_diff_outputs,
    help=f"Write what changed; PATH - is standard output. Repeatable. Formats: {', '.join(DIFF_FORMATS)}.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print nothing.")
def diff(old: str, new: str, outputs: tuple[tuple[str, str], ...], *, quiet: bool) -> int:
    """Tell what changed between two reports: verdicts, readiness, and packets denied or permitted.

    OLD and NEW are reports of `scan`: json (everything), ndjson or sarif-full (verdicts alone). Exits with 0
    if nothing got worse, 1 if something did, 3 if nothing did but something cannot be told any more.
    """
    from auditor.reporting import diff_formats
    from auditor.reporting.diff import compare
    from auditor.reporting.write import write_files

    found = compare(old, new)
    written = write_files(
        {
            "json": lambda: diff_formats.as_json(found),
            "markdown": lambda: diff_formats.markdown(found),
        },
        outputs,
    )
    if not quiet:
        to_stdout = any(path == "-" for _, path in outputs)
        click.echo(diff_formats.text(found), nl=False, err=to_stdout)
        for one in written:
            if one.path != "-":
                click.echo(f"wrote {_printable(one.path)}", err=to_stdout)
    effects = found.effects
    return FINDINGS if effects["worse"] else GAPS if effects["undecided"] else CLEAN


@_commands.command()
@click.argument("file", metavar="FILE")
@click.option("--format", "form", type=click.Choice(("text", "json")), default="text", help="Default: text.")
def history(file: str, form: str) -> int:
    """Tell what the scans recorded with `scan --history FILE` say together.

    Counts by verdict and readiness for each scan, the findings that are open and since when, and how long it
    took to fix the others.
    """
    from auditor.history import load
    from auditor.reporting import trend

    found = load(file)
    click.echo(trend.as_json(found).decode() if form == "json" else trend.text(found), nl=False)
    return CLEAN


@_commands.command("check-sarif")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
def check_sarif(files: tuple[str, ...]) -> int:
    """Tell whether GitHub code scanning would accept SARIF files, offline.

    FILE may be a folder, which stands for the files in it that end in .sarif. Several files are also checked
    together, as one upload. Exits with 0 if GitHub would accept them, and with 1 if not, with the reason and
    the remedy for each place.
    """
    from auditor.reporting import check_sarif as acceptance
    from auditor.upload import find, read

    documents = [(file, read(file)[1]) for file in find(files)]
    refused = 0
    for file, document in documents:
        found = [*acceptance.check_name(file), *acceptance.check_sarif(document)]
        refused += bool(found)
        _explain(found)
        for notice in acceptance.notices(document):
            click.echo(_printable(f"note: {notice}"))
        if found:
            click.echo(
                f"{_printable(file)}: GitHub code scanning would not take it whole ({len(found)} above)"
            )
        else:
            click.echo(f"{_printable(file)}: GitHub code scanning would accept it")
    together = acceptance.check_together(documents) if len(documents) > 1 else []
    _explain(together)
    if together:
        click.echo(f"GitHub code scanning would not take these files together ({len(together)} above)")
    return FINDINGS if refused or together else CLEAN


def _explain(violations: Sequence[Violation]) -> None:
    for violation in violations:
        click.echo(_printable(f"{violation.pointer or '/'}: {violation.text} [{violation.rule}]"))
        click.echo(_printable(f"  remedy: {violation.remedy}"))


@_commands.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "--repository",
    envvar="GITHUB_REPOSITORY",
    required=True,
    metavar="OWNER/REPO",
    help="Where alerts appear.",
)
@click.option(
    "--ref",
    envvar="GITHUB_REF",
    required=True,
    metavar="REF",
    help="Full Git reference, e.g. refs/heads/main.",
)
@click.option(
    "--commit",
    envvar="GITHUB_SHA",
    required=True,
    metavar="SHA",
    help="The commit at that reference, 40 digits; it must exist in the repository.",
)
@click.option(
    "--token-file",
    metavar="FILE",
    help="File with the access token. Default: the environment variable GITHUB_TOKEN.",
)
@click.option(
    "--api-url",
    envvar="GITHUB_API_URL",
    default="https://api.github.com",
    metavar="URL",
    help="For GitHub Enterprise Server: https://HOST/api/v3.",
)
@click.option(
    "--timeout",
    type=click.IntRange(1, 3600),
    default=300,
    metavar="SECONDS",
    help="How long to wait until GitHub has processed a file. Default: 300.",
)
@click.option(
    "--no-check", is_flag=True, help="Send the files also where check-sarif says that GitHub refuses."
)
@click.option("-q", "--quiet", is_flag=True, help="Print refusals and errors alone.")
def upload(
    files: tuple[str, ...],
    repository: str,
    ref: str,
    commit: str,
    token_file: str | None,
    api_url: str,
    timeout: int,
    *,
    no_check: bool,
    quiet: bool,
) -> int:
    """Upload SARIF files to GitHub code scanning and wait until they are processed.

    For schedulers outside GitHub Actions. FILE may be a folder, which stands for the files in it that end in
    .sarif; they are sent one after the other. The token needs write access to code scanning: the scope
    `security_events` of a classic token, "Code scanning alerts: write" of a fine-grained one.

    Options can also come from GITHUB_REPOSITORY, GITHUB_REF, GITHUB_SHA and GITHUB_API_URL. Exits with 0 if
    GitHub has processed every file, 1 if a file was refused, 2 if that could not be brought about.
    """
    from auditor import upload as uploading

    target = uploading.Target(repository, ref, commit, api_url)
    token = uploading.token(token_file, os.environ)
    refused = 0

    def told(outcome: uploading.Outcome) -> None:
        nonlocal refused
        refused += outcome.refused
        if outcome.refused:
            _say(_printable(f"refused: {outcome.file}: {outcome.text}"))
        elif not quiet:
            click.echo(_printable(f"{outcome.file}: {outcome.text}"))

    documents = uploading.load(files)
    if not no_check:
        violations = uploading.check(documents)
        for file, violation in violations:
            _say(
                _printable(
                    f"refused: {file}: {violation.pointer or '/'}: {violation.text} [{violation.rule}]"
                )
            )
            _say(_printable(f"  remedy: {violation.remedy}"))
        if violations:
            _say("nothing was sent")
            return FINDINGS
    uploading.send(documents, target, token, timeout=timeout, tell=told)
    return FINDINGS if refused else CLEAN


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
@click.argument("paths", metavar="[DIR]...", nargs=-1)
@click.option("-q", "--quiet", is_flag=True, help="Print the failures alone.")
def rules_test(paths: tuple[str, ...], *, quiet: bool) -> int:
    """Run the examples of every rule in DIR, a rule pack or a folder of them. Default: the rules shipped.

    DIR may also be a file of a pack, which stands for the whole pack.
    """
    from auditor import bundled
    from auditor.engine.load import find_packs, find_packs_of, load_packs
    from auditor.examples import run

    packs = load_packs(find_packs_of(map(Path, paths)) if paths else find_packs(bundled.rules()))
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

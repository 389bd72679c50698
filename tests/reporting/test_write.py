from __future__ import annotations

import errno
import io
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from auditor import parallel, reporting
from auditor.errors import AuditorError
from auditor.model.inventory import Gap
from auditor.reporting import FORMATS, sarif, write
from auditor.reporting.shards import shard_number
from auditor.reporting.write import write_reports
from tests.reporting import reports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from auditor.engine.result import Report


def everything_in(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Make the format `broken` write a little and then raise."""

    def install(error: BaseException) -> None:
        def render(_: Report) -> Iterator[bytes]:
            yield b"half"
            raise error

        monkeypatch.setattr(
            "auditor.reporting.write.FORMATS", MappingProxyType({**FORMATS, "broken": render})
        )

    return install


def test_each_report_is_written_and_measured(tmp_path: Path) -> None:
    outputs = [("json", str(tmp_path / "a.json")), ("csv", str(tmp_path / "b.csv"))]
    written = write_reports(reports.all_verdicts(), outputs)
    assert [(one.path, one.size) for one in written] == [
        (path, Path(path).stat().st_size) for _, path in outputs
    ]
    assert orjson.loads((tmp_path / "a.json").read_bytes())["schema"] == "gke-auditor/report/v1"


def test_missing_folders_are_created(tmp_path: Path) -> None:
    write_reports(reports.report(), [("json", str(tmp_path / "out/deep/a.json"))])
    assert list(everything_in(tmp_path)) == ["out/deep/a.json"]


def test_a_new_file_has_the_permissions_of_an_ordinary_file(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_reports(reports.report(), [("json", str(tmp_path / "a.json"))])
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.json").stat().st_mode) == 0o640


def test_an_existing_file_keeps_its_permissions(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    target.write_bytes(b"old")
    target.chmod(0o604)
    write_reports(reports.report(), [("json", str(target))])
    assert stat.S_IMODE(target.stat().st_mode) == 0o604
    assert target.read_bytes() != b"old"


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "latest.json"
    link.symlink_to("real/a.json")
    write_reports(reports.report(), [("json", str(link))])
    assert link.is_symlink()
    assert sorted(everything_in(tmp_path)) == ["latest.json", "real/a.json"]


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), RuntimeError("bug"), KeyboardInterrupt()]
)
def test_a_failure_leaves_every_file_as_it_was(
    tmp_path: Path, failing: Callable[[BaseException], None], error: BaseException
) -> None:
    (tmp_path / "a.json").write_bytes(b"old a")
    (tmp_path / "b.txt").write_bytes(b"old b")
    failing(error)
    outputs = [("json", str(tmp_path / "a.json")), ("broken", str(tmp_path / "b.txt"))]
    with pytest.raises(AuditorError if isinstance(error, OSError) else type(error)) as caught:
        write_reports(reports.report(), outputs)
    assert everything_in(tmp_path) == {"a.json": b"old a", "b.txt": b"old b"}
    if isinstance(caught.value, AuditorError):
        assert caught.value.place == str(tmp_path / "b.txt")
        assert "No space left" in caught.value.message


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let three processes write even a small report; the list has an item for each further process."""
    forked: list[int] = []
    fork = os.fork

    def counted() -> int:
        forked.append(1)
        return fork()

    monkeypatch.setattr(write, "_LARGE", 0)
    monkeypatch.setattr(parallel, "_cores", lambda: 3)
    monkeypatch.setattr(os, "fork", counted)
    return forked


@pytest.mark.parametrize("formats", [("html", "sarif", "ndjson", "csv"), ("sarif", "json", "markdown")])
def test_files_that_are_written_at_once_are_the_same(
    tmp_path: Path, formats: tuple[str, ...], request: pytest.FixtureRequest
) -> None:
    report = reports.all_verdicts()

    def written(folder: Path) -> tuple[list[str], list[int], dict[str, bytes]]:
        found = write_reports(report, [(form, str(folder / form)) for form in formats])
        return [Path(one.path).name for one in found], [one.size for one in found], everything_in(folder)

    before = written(tmp_path / "one")
    forked = request.getfixturevalue("at_once")
    assert written(tmp_path / "several") == before
    assert len(forked) == 2


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), ValueError("odd")])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_failure_of_any_process_leaves_every_file_as_it_was(
    tmp_path: Path,
    at_once: list[int],
    failing: Callable[[BaseException], None],
    error: Exception,
    place: int,
) -> None:
    outputs = [(form, str(tmp_path / form)) for form in ("html", "sarif", "csv")]
    for _, path in outputs:
        Path(path).write_text("old")
    before = everything_in(tmp_path)
    failing(error)
    outputs.insert(place, ("broken", str(tmp_path / "new")))
    with pytest.raises(AuditorError if isinstance(error, OSError) else ValueError) as told:
        write_reports(reports.all_verdicts(), outputs)
    assert everything_in(tmp_path) == before
    assert len(at_once) == 2
    if isinstance(error, OSError):
        assert str(told.value).startswith(str(tmp_path / "new"))


@pytest.fixture
def formats(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make formats of functions."""

    def install(**renderers: Callable[[Report], Iterator[bytes]]) -> None:
        monkeypatch.setattr(write, "FORMATS", MappingProxyType({**FORMATS, **renderers}))

    return install


def pid(_: Report) -> Iterator[bytes]:
    yield str(os.getpid()).encode()


@pytest.mark.usefixtures("at_once")
def test_the_page_is_written_here_and_others_beside_it(tmp_path: Path, formats: Callable[..., None]) -> None:
    formats(ndjson=pid, html=pid, csv=pid)
    write_reports(reports.report(), [(form, str(tmp_path / form)) for form in ("ndjson", "html", "csv")])
    found = everything_in(tmp_path)
    assert found["html"] == str(os.getpid()).encode()
    assert len(set(found.values())) == 3


def test_one_core_or_a_small_report_needs_no_other_process(
    tmp_path: Path, at_once: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = [(form, str(tmp_path / form)) for form in ("html", "csv")]
    with monkeypatch.context() as patch:
        patch.setattr(parallel, "_cores", lambda: 1)
        write_reports(reports.all_verdicts(), outputs)
    monkeypatch.setattr(write, "_LARGE", 1_000)
    write_reports(reports.all_verdicts(), outputs)
    assert at_once == []


@pytest.mark.usefixtures("at_once")
def test_a_file_whose_process_dies_is_written_here_from_its_beginning(
    tmp_path: Path, formats: Callable[..., None]
) -> None:
    here = os.getpid()

    def dying(_: Report) -> Iterator[bytes]:
        yield b"short" if os.getpid() == here else b"long" * 100_000
        if os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)

    formats(html=pid, csv=dying)
    written = write_reports(reports.report(), [(form, str(tmp_path / form)) for form in ("html", "csv")])
    assert everything_in(tmp_path) == {"csv": b"short", "html": str(here).encode()}
    assert written[1].size == 5


@pytest.mark.usefixtures("at_once")
def test_an_interruption_ends_the_other_process_and_leaves_nothing_behind(
    tmp_path: Path, formats: Callable[..., None]
) -> None:
    told, out = tmp_path / "pid", tmp_path / "out"

    def waiting(_: Report) -> Iterator[bytes]:
        yield b"half"
        told.with_suffix(".new").write_text(str(os.getpid()))
        told.with_suffix(".new").rename(told)
        time.sleep(600)

    def interrupted(_: Report) -> Iterator[bytes]:
        yield b"half"
        while not told.exists():
            time.sleep(0.01)
        raise KeyboardInterrupt

    formats(html=interrupted, csv=waiting)
    with pytest.raises(KeyboardInterrupt):
        write_reports(reports.report(), [(form, str(out / form)) for form in ("html", "csv")])
    assert everything_in(out) == {}
    with pytest.raises(ProcessLookupError):
        os.kill(int(told.read_text()), 0)


@pytest.mark.usefixtures("at_once")
def test_a_file_that_is_written_beside_others_keeps_its_permissions(tmp_path: Path) -> None:
    target = tmp_path / "csv"
    target.write_bytes(b"old")
    target.chmod(0o604)
    write_reports(reports.report(), [(form, str(tmp_path / form)) for form in ("html", "csv")])
    assert stat.S_IMODE(target.stat().st_mode) == 0o604
    assert target.read_bytes() != b"old"


def test_a_full_disk_is_an_error_with_a_hint() -> None:
    with pytest.raises(AuditorError, match="No space left on device") as caught:
        write_reports(reports.report(), [("json", "/dev/full")])
    assert "room" in caught.value.hint


def test_a_folder_is_no_target(tmp_path: Path) -> None:
    with pytest.raises(AuditorError, match="folder"):
        write_reports(reports.report(), [("json", str(tmp_path))])
    with pytest.raises(AuditorError, match="folder"):
        write_reports(reports.report(), [("json", "")])


def test_a_file_in_the_place_of_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"")
    with pytest.raises(AuditorError, match="cannot be written") as caught:
        write_reports(reports.report(), [("json", str(tmp_path / "out/a.json"))])
    assert caught.value.place == str(tmp_path / "out/a.json")


@pytest.mark.parametrize("name", ["a\0b", "x" * 5_000, "loop/a.json"])
def test_an_impossible_name_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(AuditorError):
        write_reports(reports.report(), [("json", f"{tmp_path}/{name}")])


def test_a_folder_without_write_permission_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("auditor.reporting.write.os.open", refused)
    with pytest.raises(AuditorError, match="Permission denied"):
        write_reports(reports.report(), [("json", str(tmp_path / "a.json"))])


def test_a_read_only_file_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.json").write_bytes(b"old")
    monkeypatch.setattr("auditor.reporting.write.os.access", lambda *_: False)
    with pytest.raises(AuditorError, match="read-only"):
        write_reports(reports.report(), [("json", str(tmp_path / "a.json"))])
    assert everything_in(tmp_path) == {"a.json": b"old"}


def test_two_reports_cannot_share_a_file(tmp_path: Path) -> None:
    outputs = [("json", str(tmp_path / "a")), ("csv", f"{tmp_path}/./a")]
    with pytest.raises(AuditorError, match="same file"):
        write_reports(reports.report(), outputs)
    assert everything_in(tmp_path) == {}


def test_an_unknown_format_names_the_known_ones() -> None:
    with pytest.raises(AuditorError) as caught:
        write_reports(reports.report(), [("pdf", "a.pdf")])
    assert "sarif-full" in caught.value.hint


def test_a_dash_is_standard_output(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    report = reports.all_verdicts()
    written = write_reports(report, [("ndjson", "-"), ("json", str(tmp_path / "a.json"))])
    out = capfdbinary.readouterr().out
    assert out == b"".join(FORMATS["ndjson"](report))
    assert [one.path for one in written] == ["-", str(tmp_path / "a.json")]
    assert written[0].size == len(out)


def test_standard_output_stays_empty_if_a_file_cannot_be_written(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    with pytest.raises(AuditorError):
        write_reports(reports.report(), [("json", "-"), ("json", str(tmp_path))])
    assert capfdbinary.readouterr().out == b""


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reader.start()
    write_reports(reports.report(), [("json", str(pipe))])
    reader.join()
    assert orjson.loads(received[0])["results"] == []
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_device_is_written_to_and_not_replaced() -> None:
    write_reports(reports.report(), [("json", "/dev/null")])
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_a_reader_that_stops_early_is_no_error() -> None:
    program = (
        "from tests.reporting import reports\n"
        "from auditor.reporting.write import write_reports\n"
        "(done,) = write_reports(reports.big(200), [('ndjson', '-')])\n"
        "print(tuple(done), file=__import__('sys').stderr)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(reporting.__file__).parents[2],
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b"('-', 0, '', False)\n"
    assert process.returncode == 0


def test_standard_output_that_is_no_terminal_gets_the_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    write_reports(reports.all_verdicts(), [("markdown", "-")])
    assert "·" in raw.getvalue().decode("utf-8")


# --- shards ---------------------------------------------------------------------------------------------


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def with_gap(scope: str) -> Report:
    lacking = Gap(scope, None, "Not read.", "Read it.")
    report = reports.all_verdicts()
    known = tuple(cluster for cluster in report.clusters if cluster.facts is not None)
    return replace(report, clusters=known, gaps=(lacking,))


def test_shards_are_files_of_their_own_beside_each_other(tmp_path: Path) -> None:
    report = replace(reports.all_verdicts(), gaps=())
    written = write_reports(report, [("sarif", str(tmp_path / "out/r.sarif"))], shards=3)
    assert names(tmp_path / "out") == ["r.shard-01.sarif", "r.shard-02.sarif", "r.shard-03.sarif"]
    assert [Path(one.path).name for one in written] == names(tmp_path / "out")
    assert sum(int(one.remark.split()[0]) for one in written) == 6
    runs = [orjson.loads(Path(one.path).read_bytes())["runs"][0] for one in written]
    assert sum(len(run["results"]) for run in runs) == 6


def test_other_formats_stay_whole_beside_shards(tmp_path: Path) -> None:
    report = replace(reports.all_verdicts(), gaps=())
    write_reports(
        report,
        [("sarif-full", str(tmp_path / "f.sarif")), ("sarif", str(tmp_path / "r.sarif"))],
        shards=2,
    )
    assert names(tmp_path) == ["f.sarif", "r.shard-01.sarif", "r.shard-02.sarif"]


def test_an_incomplete_shard_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    outputs = [("json", str(tmp_path / "a.json")), ("sarif", str(tmp_path / "r.sarif"))]
    with pytest.raises(AuditorError, match="1 shard of 20 would be incomplete") as caught:
        write_reports(with_gap("projects/sandbox"), outputs, shards=20)
    assert f"shard-{shard_number('sandbox', 20):02}: projects/sandbox: Not read." in str(caught.value)
    assert "--sarif-incomplete skip" in caught.value.hint
    assert "--sarif-incomplete write" in caught.value.hint
    assert names(tmp_path) == []


def test_an_incomplete_shard_can_be_left_out_and_an_old_one_does_not_stay(tmp_path: Path) -> None:
    lacking = f"r.shard-{shard_number('sandbox', 20):02}.sarif"
    (tmp_path / lacking).write_text("an upload would find this")
    written = write_reports(
        with_gap("projects/sandbox"), [("sarif", str(tmp_path / "r.sarif"))], shards=20, incomplete="skip"
    )
    assert len(names(tmp_path)) == 19
    assert lacking not in names(tmp_path)
    (skipped,) = [one for one in written if one.skipped]
    assert (Path(skipped.path).name, skipped.size) == (lacking, 0)
    assert "projects/sandbox" in skipped.remark


def test_an_incomplete_shard_can_be_written_all_the_same(tmp_path: Path) -> None:
    write_reports(
        with_gap("folders/77"), [("sarif", str(tmp_path / "r.sarif"))], shards=4, incomplete="write"
    )
    assert len(names(tmp_path)) == 4


@pytest.mark.parametrize("path", ["-", "out/r.json", "out/.sarif", "r.quality.sarif", "/dev/null"])
def test_shards_need_a_name_to_be_named_after(path: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AuditorError, match="several files cannot be named") as caught:
        write_reports(reports.report(), [("sarif", path)], shards=2)
    assert caught.value.place == path
    assert names(tmp_path) == []


def test_a_shard_that_another_report_is_written_to_is_refused(tmp_path: Path) -> None:
    outputs = [("sarif", str(tmp_path / "r.sarif")), ("json", str(tmp_path / "r.shard-02.sarif"))]
    with pytest.raises(AuditorError, match="the same file"):
        write_reports(reports.report(), outputs, shards=2)


def test_a_remark_says_how_many_results_a_sarif_file_has(tmp_path: Path) -> None:
    (written,) = write_reports(reports.all_verdicts(), [("sarif", str(tmp_path / "r.sarif"))])
    assert written.remark == "6 results"


def test_a_remark_says_what_github_will_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif, "SHOWN_RESULTS", 5)
    (written,) = write_reports(reports.all_verdicts(), [("sarif", str(tmp_path / "r.sarif"))])
    assert written.remark == "6 results, of which GitHub shows 5; try --sarif-shards 2"
    monkeypatch.setattr(sarif, "MAX_RESULTS", 4)
    (written,) = write_reports(reports.all_verdicts(), [("sarif", str(tmp_path / "r.sarif"))])
    assert written.remark.startswith("6 results, of which the mildest 2 are left out")
    assert written.remark.endswith("--sarif-shards 2")


def test_a_report_in_one_file_can_be_refused_or_left_out_as_well(tmp_path: Path) -> None:
    target = tmp_path / "r.sarif"
    outputs = [("sarif", str(target)), ("json", str(tmp_path / "a.json"))]
    lacking, whole = with_gap("folders/77"), replace(reports.all_verdicts(), gaps=())
    with pytest.raises(AuditorError, match=r"the file would be incomplete.*:\n  folders/77: Not read\.$"):
        write_reports(lacking, outputs, incomplete="refuse")
    assert names(tmp_path) == []
    assert not any(one.skipped for one in write_reports(lacking, outputs))
    assert [one.skipped for one in write_reports(lacking, outputs, incomplete="skip")] == [False, True]
    assert names(tmp_path) == ["a.json"]
    for policy in ("refuse", "skip", "write"):
        assert not any(one.skipped for one in write_reports(whole, outputs, incomplete=policy))


def test_standard_output_stays_empty_where_the_file_is_left_out(capfdbinary: Any) -> None:
    (written,) = write_reports(with_gap("folders/77"), [("sarif", "-")], incomplete="skip")
    assert written.skipped
    assert capfdbinary.readouterr().out == b""

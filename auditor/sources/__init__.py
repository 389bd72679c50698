"""Where an inventory comes from: files of many forms, live scopes, or assets in memory."""

from __future__ import annotations

import gc
from contextlib import ExitStack, contextmanager
from importlib.resources import as_file
from typing import TYPE_CHECKING, cast

import orjson

from auditor import bundled
from auditor.errors import SourceError
from auditor.model.inventory import Gap
from auditor.sources import files, in_parts
from auditor.sources.assemble import assemble
from auditor.sources.builder import Builder
from auditor.sources.coverage import ANY
from auditor.sources.recognise import Recogniser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from auditor.model.evidence import Json
    from auditor.sources.inventory import AssetInventory

DEMO = "demo"
"""The SOURCE that stands for the organisation which ships inside the package."""

_MANY = 10_000
_EVIDENCE = ("ConfigMap", "DaemonSet", "EgressNATPolicy")


def load(
    sources: Sequence[str],
    *,
    kubernetes: Sequence[tuple[str, str]] = (),
    complete: bool = False,
    strict: bool = False,
    progress: Callable[[int], None] | None = None,
    live: Callable[[int, int, str], None] | None = None,
) -> AssetInventory:
    """Read files, folders and live scopes into one inventory.

    `sources` are paths, `-` for standard input, `demo`, or live scopes such as `organizations/99`, which are
    read together as one snapshot; `live` is told of assets, pages and what is being read. `kubernetes` pairs
    a cluster (full resource name or `project/location/name`) with a file of what kubectl printed for it.
    `complete` is the user's word that the files hold every asset of the organisation. With `strict`, a
    malformed line or element is an error. `progress` is called about once a megabyte with the number of bytes
    read so far. Raises `SourceError` for a source that cannot be read to its end or parsed at all, and if
    none is of a known kind, and `AuditorError` for a live scope of which nothing can be read.
    """
    builder = Builder()
    with _collector_off(), ExitStack() as stack:
        done = 0

        def tick(count: int) -> None:
            if progress is not None:
                progress(done + count)

        seen: set[tuple[int, int] | str] = set()
        useful = False
        useless: SourceError | None = None
        for source in _ordered(sources):
            passed: list[tuple[str, str]] = []
            if isinstance(source, tuple):
                found = _collected(stack, source, live)
            elif source == DEMO:
                found = _demo(stack)
            else:
                found, passed = files.find(source)
            builder.gaps += [
                Gap(place, None, f"was passed over: it {why}", "give the file itself")
                for place, why in passed
            ]
            read_any = False
            failed: SourceError | None = None
            for file in found:
                same = files.identity(file)
                if same in seen:
                    read_any = True
                    continue
                seen.add(same)
                recogniser = Recogniser(file.label, builder, strict)
                try:
                    count = in_parts.read(file, recogniser, tick)
                    done += files.read(file, recogniser, tick) if count is None else count
                    recogniser.end()
                    read_any = useful = True
                except files.UnusableError as error:
                    if strict or (file.explicit and not isinstance(error, files.UnknownKindError)):
                        raise
                    failed = failed or error
                    if isinstance(error, files.EmptyFileError | files.BrokenFileError):
                        builder.hole(ANY, ANY, file.label)
                    builder.gaps.append(Gap(error.place or file.label, None, error.message, error.hint))
            if failed is not None and not read_any:
                if not isinstance(failed, files.UnknownKindError):
                    raise failed
                useless = useless or failed
        if useless is not None and not useful:
            raise useless
        for cluster, path in kubernetes:
            for file in files.find(path)[0]:
                recogniser = Recogniser(file.label, builder, strict=True, cluster=cluster)
                done += files.read(file, recogniser, tick)
                recogniser.end()
        return assemble(builder, tuple(dict.fromkeys(sources)), complete=complete)


def from_assets(
    assets: Iterable[dict[str, Json]],
    *,
    complete: bool = False,
    kubernetes_objects: Iterable[dict[str, Json]] | None = None,
    label: str = "assets",
) -> AssetInventory:
    """An inventory of assets in memory, in Cloud Asset Inventory's envelope, normalised like those of a file.

    `kubernetes_objects` are documents as kubectl prints them, of the only cluster; where they are given, they
    are all that kube-system holds of every kind that is evidence, None being that nobody asked. Raises
    `SourceError` if a value is no JSON or no asset.
    """
    builder = Builder()
    recogniser = Recogniser(label, builder, strict=True)
    recogniser.array()
    number = 0
    for number, asset in enumerate(assets, 1):
        recogniser.element(number, _copied(asset, f"{label}[element {number}]"))
    recogniser.end_of_array()
    for index, value in enumerate(kubernetes_objects or (), 1):
        place = f"{label}.kubernetes[element {index}]"
        builder.document(label, place, cast("dict[str, Json]", _copied(value, place)))
    recogniser.end()
    listed = _EVIDENCE if kubernetes_objects is not None else ()
    return assemble(builder, (label,), complete=complete, listed=listed)


def _copied(value: object, place: str) -> Json:
    try:
        return cast("Json", orjson.loads(orjson.dumps(value)))
    except (TypeError, ValueError) as error:
        raise SourceError(
            f"is no JSON: {error}", hint="give dicts as orjson.loads returns them", place=place
        ) from error


def _ordered(sources: Sequence[str]) -> list[str | tuple[str, ...]]:
    """The sources, all live scopes as one in the place of the first."""
    from auditor.sources.live.scope import is_live

    scopes = tuple(dict.fromkeys(source for source in sources if is_live(source)))
    found: list[str | tuple[str, ...]] = []
    for source in sources:
        if source not in scopes:
            found.append(source)
        elif scopes not in found:
            found.append(scopes)
    return found


def _collected(
    stack: ExitStack, scopes: tuple[str, ...], progress: Callable[[int, int, str], None] | None
) -> list[files.Input]:
    """A snapshot of live scopes, which is gone when the stack is closed."""
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from auditor.sources.live.collect import Options, Progress, collect

    folder = stack.enter_context(TemporaryDirectory(prefix="gke-auditor-"))
    path = Path(folder, "snapshot.ndjson.zst")
    told = Progress() if progress is None else Progress(show=progress)
    collect(Options(scopes), path, resume=False, progress=told)
    return [files.Input(", ".join(scopes), str(path), explicit=True)]


def _demo(stack: ExitStack) -> list[files.Input]:
    folder = bundled.demo()
    found = sorted(
        (entry for entry in folder.iterdir() if entry.name.startswith("organisation.ndjson")),
        key=lambda entry: entry.name,
    )
    if not found:
        raise SourceError(
            "the demo organisation is not part of this installation",
            hint="install gke-auditor from its wheel, or give a SOURCE of your own",
            place=DEMO,
        )
    path = stack.enter_context(as_file(found[0]))
    return [files.Input(DEMO, str(path), explicit=True)]


@contextmanager
def _collector_off() -> Iterator[None]:
    """Cyclic garbage collection is off: it would go over every asset kept so far, again and again."""
    was_on = gc.isenabled()
    before = gc.get_count()[0]
    gc.disable()
    try:
        yield
    finally:
        if gc.get_count()[0] - before > _MANY:
            # What was loaded stays to the end: let no later collection go over it.
            gc.freeze()
        if was_on:
            gc.enable()

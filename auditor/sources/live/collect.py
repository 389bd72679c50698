"""A collection: every listing and further call, in order, into a state on disk, and from there a snapshot."""

from __future__ import annotations

import gc
import gzip
import os
import threading
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import IO, TYPE_CHECKING, Any, Literal, cast

from auditor.errors import AuditorError
from auditor.model import inventory as model
from auditor.sources import snapshot, wording
from auditor.sources.live import calls, causes, outside
from auditor.sources.live.clusters import ClusterLister
from auditor.sources.live.effective import EffectiveReader
from auditor.sources.live.endpoints import Access, emulators
from auditor.sources.live.evidence import EvidenceReader, PodSearch
from auditor.sources.live.limiter import Limiter
from auditor.sources.live.listing import Lister, Listing
from auditor.sources.live.retry import Caller, CallError
from auditor.sources.live.scope import checked
from auditor.sources.live.state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from auditor.model.inventory import Gap

RATE = 95
"""ListAssets calls a minute unless told otherwise; the quota is 100 for each consumer project."""

CLUSTER_RATE = 1500
"""Calls of the Kubernetes Engine API a minute; the quota is 3,000, older projects have 600."""

ClusterApi = Literal["auto", "always", "never"]

_SEARCH_RATE = 300
_AT_ONCE = 12
_PAGES_AT_ONCE = 4
"""How many pages may be under way: each is some megabytes, and four keep up with the quota."""

_MANY_SCOPES = 5
"""With more scopes than this the types of a project are listed together: each call counts."""

_M_ARENA_MAX = -8  # malloc.h

_SETTLED = timedelta(seconds=60)
"""How old the moment is that a snapshot shows. Clocks differ, and the API refuses a time that is to come."""

_PAGE_TOKENS = timedelta(days=30)
"""How old an interrupted collection may be: Cloud Asset Inventory remembers 35 days."""


@dataclass(frozen=True, slots=True)
class Options:
    """What is collected, and how.

    `rate` and `cluster_rate` are calls a minute. `cluster_api` says whether the Kubernetes Engine API is
    asked too (`auto`: see `clusters.py`); `kubernetes_evidence` and `effective_firewalls` turn on what only
    they need.
    `kubernetes_timeout` is in seconds for each cluster, `kubernetes_at_once` the number of clusters asked
    at a time.
    """

    scopes: tuple[str, ...]
    rate: int = RATE
    cluster_rate: int = CLUSTER_RATE
    cluster_api: ClusterApi = "auto"
    kubernetes_evidence: bool = False
    kubernetes_timeout: float = 15.0
    kubernetes_at_once: int = 16
    effective_firewalls: bool = False
    quota_project: str | None = None

    def plan(self) -> dict[str, Any]:
        """What decides the content of the snapshot: a collection goes on only with the same."""
        return {
            "scopes": list(self.scopes),
            "cluster_api": self.cluster_api,
            "kubernetes_evidence": self.kubernetes_evidence,
            "effective_firewalls": self.effective_firewalls,
        }


@dataclass(frozen=True, slots=True)
class Collected:
    """What a collection came to: the snapshot's header, its size in bytes, how many assets it holds.

    `note` is a sentence about what was left out on purpose, or nothing.
    """

    header: snapshot.Header
    size: int
    assets: int
    note: str


@dataclass(slots=True)
class Progress:
    """Told how far a collection is: assets and pages so far, and what is being read. Threads share it."""

    show: Callable[[int, int, str], None] = field(default=lambda *_: None)
    _assets: int = 0
    _pages: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def pages_read(self, assets: int, pages: int, what: str) -> None:
        """A page has come."""
        with self._lock:
            self._assets, self._pages = assets, pages
            self.show(assets, pages, what)

    def doing(self, what: str) -> None:
        """Something other than a page is being read."""
        with self._lock:
            self.show(self._assets, self._pages, what)


def partial(output: Path) -> Path:
    """Where the state of a collection is kept until the snapshot is written."""
    return output.with_name(f"{output.name}.partial")


def collect(options: Options, output: Path, *, resume: bool, progress: Progress) -> Collected:
    """Collect into a snapshot; it is written whole or not at all.

    Raises `AuditorError` if nothing can be read or the snapshot cannot be written. When it is interrupted
    (KeyboardInterrupt) or cannot go on, its state stays beside the output, for `resume`.
    """
    scopes = tuple(dict.fromkeys(checked(scope) for scope in options.scopes))
    access = Access(emulators(), options.quota_project)
    access.check()
    path = partial(output)
    state = State.resume(path, options.plan()) if resume else None
    if state is not None and _age(state) > _PAGE_TOKENS:
        state.close()
        state = None
    if state is None:
        read_time = (datetime.now(UTC) - _SETTLED).strftime("%Y-%m-%dT%H:%M:%SZ")
        state = State.create(path, options.plan(), read_time)
    with _collecting_garbage():
        _share_one_heap()
        try:
            run = _Run(options, scopes, state, access, progress)
            try:
                header = run.header()
            finally:
                access.close()
            counts = state.counts()
            header = replace(header, counts=counts)
            size = _write(header, state, run.answers, output)
        except NothingReadableError:
            if state.counts():
                # An earlier run got further; what it read is worth keeping.
                state.close()
            else:
                state.discard()
            raise
        except BaseException:
            state.close()
            raise
    state.discard()
    return Collected(header, size, sum(counts.values()), run.note)


class NothingReadableError(AuditorError):
    """Not one asset type of one scope could be listed."""


def _age(state: State) -> timedelta:
    return datetime.now(UTC) - datetime.fromisoformat(state.read_time)


@contextmanager
def _collecting_garbage() -> Iterator[None]:
    """Cyclic garbage is collected, which a scan does without: every failed call leaves a cycle behind."""
    was_on = gc.isenabled()
    gc.enable()
    try:
        yield
    finally:
        if not was_on:
            gc.disable()


def _share_one_heap() -> None:
    """Have threads take memory from one heap: of its own, a thread keeps what a page took (glibc)."""
    import ctypes

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)


def listings(scope: str, scopes: int) -> list[Listing]:
    """The listings of one scope among so many."""
    if scope.startswith("projects/") and scopes > _MANY_SCOPES:
        return [Listing(scope, wording.USED)]
    # A stream for each type: they run side by side, and one that is refused takes no other along.
    return [Listing(scope, (kind,)) for kind in wording.USED]


class _Run:
    """One run of a collection, from its first call to the header of the snapshot."""

    def __init__(
        self, options: Options, scopes: tuple[str, ...], state: State, access: Access, progress: Progress
    ) -> None:
        self._options = options
        self._scopes = scopes
        self._state = state
        self._access = access
        self._progress = progress
        self._stopping = threading.Event()
        self._limiters: list[Limiter] = []
        self._gaps: list[Gap] = []
        self.answers: list[bytes] = []
        self.note = ""
        self._lister = Lister(
            access.assets(),
            self._caller(options.rate, _PAGES_AT_ONCE),
            state,
            threading.Lock(),
            certificates=options.kubernetes_evidence,
            progress=progress.pages_read,
        )

    def _caller(self, rate: int, at_once: int) -> Caller:
        limiter = Limiter(rate, at_once)
        self._limiters.append(limiter)
        return Caller(limiter, self._stopping)

    def header(self) -> snapshot.Header:
        """Read everything; what the snapshot says of itself."""
        try:
            return self._header()
        except BaseException:
            self._stop()
            raise

    def _header(self) -> snapshot.Header:
        scopes, lister = self._scopes, self._lister
        self._list([one for scope in scopes for one in listings(scope, len(scopes))])
        if not lister.read_any:
            raise self._nothing()
        if self._options.cluster_api != "never" and not (
            self._access.emulators.any and not self._access.emulators.container
        ):
            self._clusters()
        listed: list[tuple[str, frozenset[str]]] = []
        hierarchies: tuple[str, ...] = ()
        if not all(scope.startswith("organizations/") for scope in scopes):
            listed, hierarchies = self._outside()
        if self._options.kubernetes_evidence:
            listed += self._evidence()
        if self._options.effective_firewalls:
            self._effective(hierarchies)
        types = frozenset(kind for scope, kind in lister.complete if scope in scopes and kind in wording.USED)
        gaps = sorted(
            dict.fromkeys((*lister.gaps, *self._gaps)),
            key=lambda gap: (gap.scope, gap.asset_type or "", gap.reason, gap.hint),
        )
        return snapshot.Header(
            scopes=scopes,
            asset_types=types,
            read_time=self._state.read_time,
            gaps=tuple(gaps),
            listed=tuple(sorted(listed, key=lambda pair: (pair[0], sorted(pair[1])))),
            hierarchies=hierarchies,
        )

    def _list(self, wanted: Sequence[Listing]) -> None:
        if not wanted:
            return
        with ThreadPoolExecutor(min(_AT_ONCE, len(wanted)), thread_name_prefix="list") as pool:
            running = [pool.submit(self._lister.run, one) for one in wanted]
            try:
                done, _ = wait(running, return_when=FIRST_EXCEPTION)
                for one in done:
                    one.result()
            except BaseException:
                for one in running:
                    one.cancel()
                self._stop()
                raise

    def _stop(self) -> None:
        """Let every thread come to its end."""
        self._stopping.set()
        for limiter in self._limiters:
            limiter.stop()
        self._access.close()

    def _nothing(self) -> NothingReadableError:
        failures = sorted(
            self._lister.failures, key=lambda pair: (pair[1].code not in _TELLING, pair[0], pair[1].code)
        )
        scope, error = failures[0] if failures else (self._scopes[0], CallError("UNKNOWN", ""))
        reason, hint = causes.cause(calls.LIST_ASSETS, scope, error)
        return NothingReadableError(
            f"nothing could be read: {reason}", hint=hint, place=", ".join(self._scopes)
        )

    def _clusters(self) -> None:
        lister = ClusterLister(
            self._access.clusters(),
            self._caller(self._options.cluster_rate, _AT_ONCE),
            self._state,
            emulated=bool(self._access.emulators.container),
            always=self._options.cluster_api == "always",
            certificates=self._options.kubernetes_evidence,
            progress=self._progress.doing,
            stop=self._stop,
        )
        lister.run(self._scopes)
        self._gaps += lister.gaps
        self.note = lister.note

    def _outside(self) -> tuple[list[tuple[str, frozenset[str]]], tuple[str, ...]]:
        """Read what lies outside the scopes and matters: what was listed where, and which hierarchies."""
        lister = self._lister
        around = outside.surroundings(self._state, self._scopes)
        hosts = outside.hosts(around)
        self._list(hosts)
        listed = {
            scope: frozenset(kind for of, kind in lister.complete if of == scope)
            for scope in {one.scope for one in hosts}
        }
        hierarchies: list[str] = []
        above = outside.ancestors(self._state, around, self._scopes)
        self._list([outside.above(organization) for organization in above])
        for organization, folders in above.items():
            if (organization, model.FIREWALL_POLICY) in lister.complete:
                hierarchies.append(organization)
            else:
                # Not the whole, but each policy that is read tells what it denies.
                self._list([outside.of_folder(folder) for folder in folders])
        return [(scope, types) for scope, types in listed.items() if types], tuple(hierarchies)

    def _evidence(self) -> list[tuple[str, frozenset[str]]]:
        """Ask the clusters' own APIs; what was listed of which cluster."""
        reader = EvidenceReader(
            self._state,
            self._access.token,
            emulated=self._access.emulators.any,
            timeout=self._options.kubernetes_timeout,
            at_once=self._options.kubernetes_at_once,
            stopping=self._stopping,
            stop=self._stop,
            progress=self._progress.doing,
        )
        reader.run()
        self._gaps += reader.gaps
        if reader.without_agent:
            search = PodSearch(
                self._lister.client,
                self._caller(_SEARCH_RATE, 1),
                self._state,
                emulated=self._access.emulators.any,
            )
            search.run(self._scopes, reader.without_agent)
            self._gaps += search.gaps
        return reader.listed

    def _effective(self, hierarchies: tuple[str, ...]) -> None:
        """Ask for the effective firewalls of the networks whose policies were not read to their end."""
        reader = EffectiveReader(
            self._access.compute_base(),
            self._access.token,
            emulated=self._access.emulators.any,
            stop=self._stop,
            progress=self._progress.doing,
        )
        read = {
            *hierarchies,
            *(scope for scope, kind in self._lister.complete if kind == model.FIREWALL_POLICY),
        }
        self.answers += reader.run(outside.undecided(self._state, read))
        self._gaps += reader.gaps


_TELLING = frozenset(("PERMISSION_DENIED", "UNAUTHENTICATED"))


def _write(header: snapshot.Header, state: State, answers: Sequence[bytes], output: Path) -> int:
    """Write the snapshot beside its place, and put it there when it is whole; its size in bytes."""
    temporary = output.with_name(f".{output.name}.tmp")

    def lines() -> Iterator[tuple[str, bytes]]:
        yield from state.bodies()
        for answer in answers:
            yield "", answer

    try:
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            with os.fdopen(descriptor, "wb") as raw:
                with _compressed(raw, output.suffix) as stream:
                    for line in snapshot.write_lines(header, lines()):
                        stream.write(line)
                raw.flush()
                os.fsync(raw.fileno())
            size = temporary.stat().st_size
            temporary.replace(output)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise AuditorError(
            f"cannot be written: {error.strerror}",
            hint="make room there or see that you may write, and go on with --resume",
            place=str(output),
        ) from error
    return size


@contextmanager
def _compressed(raw: IO[bytes], suffix: str) -> Iterator[IO[bytes]]:
    """A stream that compresses as the ending says; the same input gives the same bytes."""
    if suffix == ".zst":
        import zstandard

        with zstandard.ZstdCompressor(level=3).stream_writer(raw, closefd=False) as stream:
            yield cast("IO[bytes]", stream)
    elif suffix == ".gz":
        with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=raw, mtime=0) as stream:
            yield cast("IO[bytes]", stream)
    else:
        yield raw

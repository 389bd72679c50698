from __future__ import annotations

import os
import pickle
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from auditor import parallel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@dataclass(frozen=True, slots=True)
class Item:
    number: int
    names: tuple[str, ...] = ()
    more: Item | None = None


@dataclass(frozen=True, slots=True)
class Lone:
    name: str


def all_of(work: Callable[[int], Iterator[Any]], count: int) -> list[Any]:
    with parallel.processes(work, count) as items:
        return list(items)


def test_items_come_in_order_from_a_process_for_each_piece() -> None:
    def work(piece: int) -> Iterator[tuple[int, int, Item]]:
        for number in range(3):
            yield os.getpid(), piece, Item(number, ("a", "\ud800"), Item(piece))

    found = all_of(work, 3)
    assert [(piece, item.number) for _, piece, item in found] == [(p, n) for p in range(3) for n in range(3)]
    assert all(item.more == Item(piece) and item.names == ("a", "\ud800") for _, piece, item in found)
    workers = {piece: pid for pid, piece, _ in found}
    assert len(set(workers.values())) == 3
    assert workers[0] == os.getpid()


def test_what_items_share_is_shared_and_any_dataclass_comes_back() -> None:
    def work(piece: int) -> Iterator[tuple[Lone, Lone]]:
        one = Lone(str(piece))
        yield one, one

    (_, (first, second)) = all_of(work, 2)
    assert first is second
    assert first == Lone("1")


def test_a_process_that_fails_leaves_the_rest_of_its_piece_to_this_one() -> None:
    here = os.getpid()

    def work(piece: int) -> Iterator[tuple[int, int, bool]]:
        yield piece, 0, os.getpid() == here
        if piece == 1 and os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)
        yield piece, 1, os.getpid() == here

    assert all_of(work, 3) == [
        (0, 0, True), (0, 1, True),
        (1, 0, False), (1, 1, True),
        (2, 0, False), (2, 1, False),
    ]  # fmt: skip


def test_items_are_taken_in_while_their_process_is_at_work(tmp_path: Path) -> None:
    taken = tmp_path / "taken"

    def work(piece: int) -> Iterator[int]:
        yield piece
        if piece:
            while not taken.exists():
                time.sleep(0.01)
            yield piece

    found: list[int] = []
    with parallel.processes(work, 2) as items:
        for item in items:
            found.append(item)
            if item:
                taken.touch()
    assert found == [0, 1, 1]


def test_nothing_is_done_twice_where_the_end_of_processes_is_ignored() -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    here = os.getpid()
    try:
        found = all_of(lambda piece: iter([(piece, os.getpid() == here)]), 3)
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert found == [(0, True), (1, False), (2, False)]


def test_an_item_of_any_length_comes_whole() -> None:
    long = "long" * (1 << 20)
    assert all_of(lambda piece: iter(["", long, "", long] if piece else []), 2) == ["", long, "", long]


def test_an_error_is_raised_here_whichever_process_meets_it() -> None:
    def work(piece: int) -> Iterator[int]:
        yield piece
        if piece == 1:
            raise ValueError("odd")

    with pytest.raises(ValueError, match="odd"):
        all_of(work, 2)


def test_without_processes_the_work_is_done_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> int:
        raise OSError("no more processes")

    monkeypatch.setattr(os, "fork", refused)
    assert all_of(lambda piece: iter([(piece, os.getpid())]), 2) == [(0, os.getpid()), (1, os.getpid())]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_no_process_outlives_an_interruption(tmp_path: Path, error: type[BaseException]) -> None:
    told = tmp_path / "pid"

    def work(piece: int) -> Iterator[int]:
        if piece:
            told.with_suffix(".new").write_text(str(os.getpid()))
            told.with_suffix(".new").rename(told)
            time.sleep(600)
        while not told.exists():
            time.sleep(0.01)
        yield piece
        raise error

    with pytest.raises(error):
        all_of(work, 2)
    with pytest.raises(ProcessLookupError):
        os.kill(int(told.read_text()), 0)


def test_this_process_does_more_where_it_takes_little_in(monkeypatch: pytest.MonkeyPatch) -> None:
    for cores in (2, 3, 4):
        monkeypatch.setattr(parallel, "_cores", lambda cores=cores: cores)
        first, *others = [len(piece) for piece in parallel.pieces(range(1_000_000), 1)]
        here = first + parallel._TAKING_IN * sum(others)
        assert here == pytest.approx(others[0] * (1 + parallel._HANDING_OVER), rel=1e-4)


def test_pieces_are_as_many_as_there_are_cores_and_enough_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "_cores", lambda: 3)
    assert parallel.pieces(range(9), 3) == [range(3), range(3, 6), range(6, 9)]
    pieces = parallel.pieces(range(1_000_000), 3)
    assert [*pieces[0], *pieces[1], *pieces[2]] == [*range(1_000_000)]
    assert len(pieces[1]) == pytest.approx(len(pieces[2]), abs=1)
    assert parallel.pieces(range(5), 3) == [range(5)]
    assert parallel.pieces([], 3) == [[]]
    monkeypatch.setattr(parallel, "_cores", lambda: 1)
    assert parallel.pieces(range(10), 3) == [range(10)]


def test_each_number_is_drawn_once_by_whichever_process() -> None:
    with parallel.Urn(parallel.Urn.MOST) as urn:
        drawn = all_of(lambda process: ((process, number) for number in urn), 3)
        assert [*urn] == []
    assert sorted(number for _, number in drawn) == [*range(parallel.Urn.MOST)]


def test_every_process_does_as_much_as_it_is_able_to() -> None:
    def work(process: int) -> Iterator[int]:
        for _ in urn:
            time.sleep(0 if process else 0.05)
            yield process

    with parallel.Urn(50) as urn:
        assert all_of(work, 2).count(0) < 10


def handed_over(value: Any) -> Any:
    (only,) = all_of(lambda process: iter([value] if process else []), 2)
    return only


def test_what_is_handed_over_together_is_unpickled_when_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    items = [Item(1, ("a",)), Item(2)]
    together = parallel.Together(items)
    here = [parallel.Later(together, number) for number in range(2)]
    # As it came, it is handed on.
    there = handed_over(handed_over(here))
    loads, loaded = pickle.loads, []

    def counted(data: bytes) -> Any:
        loaded.append(data)
        return loads(data)

    monkeypatch.setattr(pickle, "loads", counted)
    assert [one() for one in there] == items
    assert [one() for one in there] == items
    assert len(loaded) == 1
    assert there == here
    assert hash(there[0]) == hash(here[0])
    assert there[1] != here[0]
    assert there[0] != items[0]

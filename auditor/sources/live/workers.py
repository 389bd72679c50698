"""Work done side by side, with its results in order and only a little of it ahead of its use."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

Item = TypeVar("Item")
Result = TypeVar("Result")


def each(
    work: Callable[[Item], Result], items: Iterable[Item], at_once: int, stop: Callable[[], None]
) -> Iterator[tuple[Item, Result]]:
    """Each item with what `work` makes of it, in the order of the items.

    `stop` is called when anything fails or the caller is interrupted: it must let work that runs come to its
    end, which is waited for; what has not begun is not begun.
    """
    with ThreadPoolExecutor(at_once, thread_name_prefix="reader") as pool:
        ahead: deque[tuple[Item, Future[Result]]] = deque()
        try:
            for item in items:
                ahead.append((item, pool.submit(work, item)))
                if len(ahead) >= 2 * at_once:
                    first, future = ahead.popleft()
                    yield first, future.result()
            while ahead:
                first, future = ahead.popleft()
                yield first, future.result()
        except BaseException:
            stop()
            for _, future in ahead:
                future.cancel()
            raise

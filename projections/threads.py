"""
What blocks, for people who await: iterators of the storage layer as async iterators.

Everything below ``store.py`` blocks and runs on worker threads; nothing of it ever runs on an
event loop. A hop to a thread costs more than reading a line, so several come along with each.

Below: nothing. Above: catchup, store.
"""

from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any, TypeVar

import anyio.to_thread
from anyio.from_thread import check_cancelled

T = TypeVar("T")
Progress = Callable[[int, int, int], None]
"""Called with (runs done, runs in all, events read so far), on a worker thread."""


def stoppable(progress: Progress | None = None) -> Progress:
    """Progress that also ends a long reading, between two steps, once nobody waits for it."""

    def step(done: int, runs: int, events: int) -> None:
        check_cancelled()
        if progress is not None:
            progress(done, runs, events)

    return step


async def stream(
    make: Callable[[], Iterator[T]], weight: Callable[[T], int], weight_max: int
) -> AsyncGenerator[T, None]:
    """
    Items of a blocking iterator, fetched on worker threads about ``weight_max`` at a time.

    ``make`` runs on a thread too. Closing this iterator closes the other one.
    """
    source: Any = await anyio.to_thread.run_sync(make)

    def fetch() -> list[T]:
        found: list[T] = []
        total = 0
        for item in source:
            found.append(item)
            total += weight(item)
            if total >= weight_max:
                break
        return found

    try:
        while items := await anyio.to_thread.run_sync(fetch):
            for item in items:
                yield item
    finally:
        close = getattr(source, "close", None)
        if close is not None:
            close()

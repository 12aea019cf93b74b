"""
What blocks, for people who await: iterators of the storage layer as async iterators.

Everything below ``store.py`` blocks and runs on worker threads; nothing of it ever runs on an
event loop. A hop to a thread costs more than reading a line, so several come along with each.

Below: nothing. Above: catchup, store.
"""

import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextvars import ContextVar
from typing import Any, TypeVar

import anyio.to_thread
from anyio.from_thread import check_cancelled

T = TypeVar("T")
Progress = Callable[[int, int, int], None]
"""Called with (runs done, runs in all, events read so far), on a worker thread."""


class _Left(BaseException):
    """Nobody waits for this thread any more; seen by nobody."""


_left: ContextVar[threading.Event | None] = ContextVar("_left", default=None)


async def in_thread(work: Callable[[], T]) -> T:
    """
    Run ``work`` on a worker thread and wait for it; who is cancelled meanwhile stops it.

    Ctrl-C cancels a task of asyncio itself, past all scopes: its thread would go on alone, for as
    long as there is something to read, and keep the process from ending.
    """
    left = threading.Event()
    before = _left.set(left)
    try:
        return await anyio.to_thread.run_sync(work)
    finally:
        left.set()
        _left.reset(before)


def stoppable(progress: Progress | None = None) -> Progress:
    """Progress that also ends a long reading, between two steps, once nobody waits for it."""

    def step(done: int, runs: int, events: int) -> None:
        check_cancelled()
        left = _left.get()
        if left is not None and left.is_set():
            raise _Left
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

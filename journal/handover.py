"""
A writer that is opened on a thread, for a caller that may be cancelled meanwhile.

A native cancellation of asyncio does not wait for the thread, whatever shields the caller: the
lease would be held by nobody. Never opens anything itself.

Below: writer, workers. Above: journal.
"""

import threading
from collections.abc import Callable

import anyio.to_thread

from journal.workers import Workers
from journal.writer import Writer


async def take(make: Callable[[], Writer], workers: Workers) -> Writer:
    """Run ``make`` on a thread; when the caller is cancelled, what it opened is given back."""
    guard = threading.Lock()
    made: list[Writer] = []
    gone = threading.Event()

    def job() -> None:
        writer = make()
        with guard:
            wanted = not gone.is_set()
            if wanted:
                made.append(writer)
        if not wanted:
            writer.abandon()

    try:
        await anyio.to_thread.run_sync(job)
    except BaseException:
        with guard:
            gone.set()
            late = list(made)
        for writer in late:
            workers.soon(writer.abandon)
        raise
    return made[0]

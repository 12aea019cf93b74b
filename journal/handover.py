"""
A writer on its way between the threads that open and close it and a caller that may be gone.

A native cancellation of asyncio does not wait for a thread, whatever shields the caller: the lease
would be held by nobody. So whatever a thread opened for a caller that is gone is given back, and
what a caller began to leave is left. Never opens or writes anything itself.

Below: errors, receipt, writer, workers. Above: journal.
"""

import threading
from collections.abc import Callable, Generator
from functools import partial
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread

from journal.errors import StorageError, StorageErrorCode
from journal.receipt import Bridge
from journal.workers import Workers
from journal.writer import Writer

POLL_S = 0.02


async def take(make: Callable[[], Writer], leavers: Workers) -> Writer:
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

    await anyio.lowlevel.checkpoint_if_cancelled()  # cancelled before: nothing is opened or made
    try:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(job)
    except BaseException:
        with guard:
            gone.set()
            late = list(made)
        for writer in late:
            leavers.soon(writer.abandon)
        raise
    return made[0]


async def take_when_free(make: Callable[[bool], Writer], leavers: Workers, wait_s: float) -> Writer:
    """
    ``take``, again and again for ``wait_s`` seconds while somebody else holds the run.

    Waits on the loop: threads are for those who can go on, and a cancellation is not kept waiting.
    ``make`` hears whether it is asked for the last time.
    """
    deadline = anyio.current_time() + wait_s
    while True:
        last = anyio.current_time() >= deadline
        try:
            return await take(partial(make, last), leavers)
        except StorageError as failure:
            if last or failure.code is not StorageErrorCode.LOCKED:
                raise
        await anyio.sleep(POLL_S)


class Leaving:
    """A writer that is being left, from the moment this is made; await it, or do not."""

    def __init__(
        self, writer: Writer, leavers: Workers, bridge: Bridge, gone: Callable[[], None]
    ) -> None:
        """``gone`` is called on the loop when the writer has been left."""
        self._writer = writer
        self._bridge = bridge
        self._gone = gone
        self._done = bridge.new_event()
        self._failure: BaseException | None = None
        if writer.forked:  # a copy, in a child without threads: all of it is the parent's
            gone()
        else:
            leavers.soon(self._leave)

    def _leave(self) -> None:
        try:
            self._writer.leave()
        except BaseException as failure:  # noqa: BLE001 - raised to whoever waits
            self._failure = failure
        self._bridge.call(self._finish)

    def _finish(self) -> None:
        self._gone()
        self._done.set()

    def __await__(self) -> Generator[Any, None, None]:
        return self._wait().__await__()

    async def _wait(self) -> None:
        """Wait for the end; on a loop that is not the journal's, too. Raises what went wrong."""
        if self._writer.forked:
            return
        with anyio.CancelScope(shield=True):
            if self._bridge.is_here:
                await self._done.wait()
            else:
                await anyio.to_thread.run_sync(self._writer.leave)
                self._gone()  # the journal's loop may have ended
        if self._failure is not None:
            raise self._failure
        self._writer.raise_unseen()

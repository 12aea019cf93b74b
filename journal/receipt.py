"""
A receipt for events on their way to the disk, and the bridge that brings it back to the loop.

A worker thread completes receipts; the loop wakes who waits. asyncio and trio. Never writes.

Below: errors. Above: writer.
"""

import asyncio
import threading
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio.lowlevel

from journal.errors import StorageError

if TYPE_CHECKING:
    import trio


class Appended(NamedTuple):
    """Where events stand: first and last seq of one append, and the first line's timestamp."""

    first_seq: int
    last_seq: int
    timestamp: str


class Receipt:
    """
    What ``emit`` gives back: await it to wait until the events survive power loss.

    Awaiting gives an ``Appended``, or raises the ``StorageError`` that kept them from the disk;
    it also hurries them there. Await it on the loop that opened the journal, or not at all:
    a failure that nobody awaited surfaces when the run is left.
    """

    __slots__ = ("_done", "_error", "_event", "_hurry", "appended", "seen")

    def __init__(self, appended: Appended, hurry: Callable[[], None] | None = None) -> None:
        """``hurry`` has the events written now; without it they are on their way."""
        self.appended = appended
        self.seen = False
        self._hurry = hurry
        self._done = False
        self._error: StorageError | None = None
        self._event: asyncio.Event | trio.Event | None = None

    @property
    def durable(self) -> bool:
        """Whether the events are known to be on disk by now."""
        return self._done and self._error is None

    @property
    def error(self) -> StorageError | None:
        """Why the events did not get to the disk, once that is known."""
        return self._error

    def hurry(self) -> None:
        """Have the events written now, without waiting for them."""
        if self._hurry is not None:
            self._hurry()

    def complete(self, error: StorageError | None = None) -> bool:
        """Called by the worker; gives whether somebody waits on the loop."""
        self._error = error
        self._done = True
        return self._event is not None

    def wake(self) -> None:
        """Called on the loop, after ``complete``."""
        if self._event is not None:
            self._event.set()

    def __await__(self) -> Generator[Any, None, Appended]:
        return self.wait().__await__()

    async def wait(self) -> Appended:
        """Wait until the events are durable; see the class."""
        if self._done:
            await anyio.lowlevel.checkpoint()
        else:
            if self._event is None:
                self._event = _new_event()
            # Looked at again after the event is in place: the worker looks for it after it is done.
            if not self._done:
                self.hurry()
                await self._event.wait()
        if self._error is not None:
            self.seen = True
            raise self._error
        return self.appended


def _new_event() -> "asyncio.Event | trio.Event":
    """The loop's own: anyio's costs as much again, and every awaited append needs one."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        import trio

        return trio.Event()
    return asyncio.Event()


class Bridge:
    """The way from worker threads to the loop that opened the journal."""

    def __init__(self) -> None:
        try:
            self._call: Callable[..., object] = asyncio.get_running_loop().call_soon_threadsafe
        except RuntimeError:  # no asyncio here, so it is trio
            import trio

            self._call = trio.lowlevel.current_trio_token().run_sync_soon

        self._guard = threading.Lock()
        self._waiting: list[Receipt] = []

    def wake(self, receipts: Sequence[Receipt]) -> None:
        """Wake who waits for one of ``receipts``; a loop that has ended has nobody waiting."""
        with self._guard:
            called = bool(self._waiting)
            self._waiting.extend(receipts)
        if called:
            return  # the loop is on its way already: each call costs it a wake-up
        try:
            self._call(self._wake_all)
        except RuntimeError:
            return

    def _wake_all(self) -> None:
        with self._guard:
            receipts, self._waiting = self._waiting, []
        for receipt in receipts:
            receipt.wake()

"""
A receipt for events on their way to the disk, and the bridge that brings it back to the loop.

A worker thread completes receipts; the loop wakes who waits. asyncio and trio. Never writes.

Below: errors, losses. Above: intake, writer.
"""

import asyncio
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio.lowlevel

from journal.errors import StorageError, StorageErrorCode, storage_error
from journal.losses import Loss

if TYPE_CHECKING:
    import trio

    _Event = asyncio.Event | trio.Event


class Appended(NamedTuple):
    """Where events stand: first and last seq of one append, and the first line's timestamp."""

    first_seq: int
    last_seq: int
    timestamp: str


class Receipt:
    """
    What ``emit`` gives back: await it to wait until the events survive power loss.

    Awaiting gives an ``Appended``, or raises the ``StorageError`` that kept them from the disk;
    it also hurries them there. Await it on the loop that opened the journal, or not at all
    (``conflict`` on another one): a failure that nobody awaited surfaces when the run is left.
    """

    __slots__ = ("_bridge", "_done", "_event", "_hurry", "_loss", "appended")

    def __init__(
        self,
        appended: Appended,
        bridge: "Bridge | None" = None,
        hurry: Callable[[], None] | None = None,
    ) -> None:
        """
        ``bridge`` leads to the loop that may wait; not needed for what is done already.

        ``hurry`` has the events written now; without it they are on their way.
        """
        self.appended = appended
        self._bridge = bridge
        self._hurry = hurry
        self._done = False
        self._loss: Loss | None = None
        self._event: _Event | None = None

    @property
    def durable(self) -> bool:
        """Whether the events are known to be on disk by now."""
        return self._done and self._loss is None

    @property
    def error(self) -> StorageError | None:
        """Why the events did not get to the disk, once that is known."""
        return None if self._loss is None else self._loss.error

    @property
    def seen(self) -> bool:
        """Whether somebody has seen why the events did not get to the disk."""
        return self._loss is not None and self._loss.seen

    @seen.setter
    def seen(self, seen: bool) -> None:
        if self._loss is not None:
            self._loss.seen = seen

    def hurry(self) -> None:
        """Have the events written now, without waiting for them."""
        if self._hurry is not None:
            self._hurry()

    def complete(self, loss: Loss | None = None) -> bool:
        """Called by the worker; gives whether somebody waits on the loop."""
        self._loss = loss
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
        if self._done or self._bridge is None:
            await anyio.lowlevel.checkpoint()
        else:
            self._bridge.check_here("It is on its way all the same")
            if self._event is None:
                self._event = self._bridge.new_event()
            # Looked at again after the event is in place: the worker looks for it after it is done.
            if not self._done:
                self.hurry()
                await self._event.wait()
        if self._loss is not None:
            self._loss.seen = True
            raise self._loss.error
        return self.appended


class Bridge:
    """The way from worker threads to the loop that opened the journal."""

    def __init__(self) -> None:
        self._here: Callable[[], object]
        self._call: Callable[..., object]
        # The loop's own event: anyio's costs as much again, and every awaited append needs one.
        self.new_event: Callable[[], _Event]
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # no asyncio here, so it is trio
            import trio

            self._here, self.new_event = trio.lowlevel.current_trio_token, trio.Event
            self._call = trio.lowlevel.current_trio_token().run_sync_soon
        else:
            self._here, self.new_event = asyncio.get_running_loop, asyncio.Event
            self._call = loop.call_soon_threadsafe
        self._home = self._here()
        self._guard = threading.Lock()
        self._waiting: list[Receipt] = []

    @property
    def is_here(self) -> bool:
        """Whether this is the loop that opened the journal: no other is ever woken."""
        try:
            return self._here() is self._home
        except RuntimeError:
            return False

    def check_here(self, otherwise: str) -> None:
        """Raise ``conflict`` on another loop; ``otherwise`` says what came of the event."""
        if not self.is_here:
            raise storage_error(
                StorageErrorCode.CONFLICT,
                "the journal was opened on another event loop, and only there can one wait for "
                f"it. {otherwise}.",
                operation="append",
                reason="foreign_loop",
                next_action="await it there; elsewhere call run.emit(...)",
            )

    def call(self, function: Callable[[], None]) -> None:
        """Run ``function`` on the loop, from any thread; where it has ended, not at all."""
        with suppress(RuntimeError):
            self._call(function)

    def wake(self, receipts: Sequence[Receipt]) -> None:
        """Wake who waits for one of ``receipts``; a loop that has ended has nobody waiting."""
        with self._guard:
            called = bool(self._waiting)
            self._waiting.extend(receipts)
        if called:
            return  # the loop is on its way already: each call costs it a wake-up
        self.call(self._wake_all)

    def _wake_all(self) -> None:
        with self._guard:
            receipts, self._waiting = self._waiting, []
        for receipt in receipts:
            receipt.wake()

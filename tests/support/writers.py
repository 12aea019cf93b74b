"""Writers without an event loop: what a worker thread completes is waited for right here."""

import time
from collections.abc import Sequence

from journal.backends.memory import MemoryLog
from journal.draft import Draft, freeze
from journal.events.base import Event
from journal.events.run import RunCreated, RunStarted, WriterInfo
from journal.ids import RunId
from journal.log import Head
from journal.receipt import Appended, Bridge, Receipt
from journal.writer import Writer

WRITER = WriterInfo(host="host", pid=7, user="user", library="run-journal test")
CREATED = RunCreated(project="nightly", format=1, writer=WRITER)
OPENING: tuple[Event, ...] = (CREATED, RunStarted())
"""The first two events of any run."""


class SilentBridge(Bridge):
    """Nobody waits on a loop."""

    def __init__(self) -> None:
        """No loop is asked for."""

    def wake(self, receipts: Sequence[Receipt]) -> None:
        """Nobody sleeps."""


class ModelLog(MemoryLog):
    """Memory as the model of a store whose writers die: a crash leaves what was written whole."""

    def crash(self, run_id: RunId) -> None:
        """The writer is gone; it has told nobody."""
        with self._guard:
            self._runs[run_id].holder = None
            self._guard.notify_all()

    def forget(self, run_id: RunId, head: Head) -> None:
        """Back to ``head``: what stands behind it never reached the disk whole."""
        with self._guard:
            run = self._runs[run_id]
            del run.lines[head.seq :]
            del run.starts[head.seq :]
            run.head = head


def drafts(run_id: RunId, events: Sequence[Event], key: str | None = None) -> list[Draft]:
    """Freeze the events of one append."""
    return [
        freeze(run_id, event, key=key if number == 0 else None)
        for number, event in enumerate(events)
    ]


def settled(receipt: Receipt) -> Appended:
    """Wait, bounded, until a receipt is durable; raises its failure."""
    receipt.hurry()
    deadline = time.monotonic() + 120
    while not receipt.durable:
        if receipt.error is not None:
            receipt.seen = True
            raise receipt.error
        if time.monotonic() > deadline:
            raise TimeoutError("an append was never completed")
        time.sleep(0.0001)
    return receipt.appended


def append(writer: Writer, *events: Event, key: str | None = None) -> Appended:
    """Append and wait."""
    return settled(writer.submit(drafts(writer.run_id, events, key), key=key))

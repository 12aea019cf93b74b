"""
The decision desk of a writer: what is legal gets its place in line, at once.

Holds what was accepted and is not yet durable, and the state of the run as if it were. Decides
transitions, expected seqs and idempotency keys; never writes. Not locked: its writer sees to that.

Below: errors, limits, draft, lifecycle, checkpoint, receipt. Above: writer.
"""

from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from journal.checkpoint import KeyEntry, Memory, forget_old
from journal.draft import Clock, Draft, Stamp, body_digest
from journal.errors import StorageError, StorageErrorCode, located, storage_error
from journal.lifecycle import RunLifecycle, check, evolve
from journal.limits import (
    BATCH_BYTES_MAX,
    BATCH_LINES_MAX,
    QUEUE_BYTES_MAX,
    QUEUE_LINES_MAX,
)
from journal.receipt import Appended, Bridge, Receipt

Decide = Callable[[RunLifecycle], Sequence[Draft]]


class QueueFull(Exception):
    """The queue has no room now; ``last`` completes when there is some."""

    def __init__(self, last: Receipt) -> None:
        super().__init__()
        self.last = last


class Entry(msgspec.Struct, gc=False):
    """One append in the queue, and what is true of the run once it is durable."""

    stamps: list[Stamp]
    size_bytes: int
    receipt: Receipt
    state: RunLifecycle
    key: str | None
    patient: bool  # emitted: may wait for company


def stamp(
    drafts: Sequence[Draft], state: RunLifecycle, first_seq: int, clock: Clock
) -> tuple[list[Stamp], RunLifecycle]:
    """Give drafts their places, one after the other; raises ``conflict`` for what is illegal."""
    for draft in drafts:
        check(state, draft.phase, draft.event)
        state = evolve(state, draft.phase, draft.event)
    stamps = [Stamp(draft, seq, *clock.read()) for seq, draft in enumerate(drafts, first_seq)]
    return stamps, state


class Intake:
    """The queue of one run, and the run's state behind it."""

    def __init__(
        self,
        run_id: str,
        memory: Memory,
        now: Callable[[], float],
        hurry: Callable[[], None],
        bridge: Bridge,
    ) -> None:
        self._run_id = run_id
        self.state = memory.state
        self.seq = memory.seq
        self._keys: dict[str, KeyEntry | Entry] = dict(memory.keys)
        self._clock = Clock(now, memory.timestamp)
        self._hurry = hurry
        self._bridge = bridge
        self._queue: deque[Entry] = deque()
        self._lines = 0
        self._bytes = 0
        self.impatient = 0

    def __bool__(self) -> bool:
        """Whether anything waits to be written."""
        return bool(self._queue)

    @property
    def has_room(self) -> bool:
        """Whether less than half of the queue is used: then emitted events may wait a moment."""
        return self._lines < QUEUE_LINES_MAX // 2 and self._bytes < QUEUE_BYTES_MAX // 2

    def admit(
        self,
        decide: Sequence[Draft] | Decide,
        key: str | None,
        expected_seq: int | None,
        *,
        patient: bool,
    ) -> Receipt:
        """Decide one append and queue it; see ``Writer.submit``."""
        drafts = decide(self.state) if callable(decide) else decide
        if callable(decide) and not drafts:  # as things stand there is nothing to tell
            nothing = Receipt(Appended(self.seq + 1, self.seq, self._clock.last))
            nothing.complete()
            return nothing
        known = None if key is None else self._known(key, drafts)
        if known is not None:
            return known
        if expected_seq is not None and expected_seq != self.seq:
            raise self._refused(
                StorageErrorCode.CONFLICT,
                f"expected the log to end at line {expected_seq}, it ends at {self.seq}",
                "expected_seq",
            )
        size = self._check_size(drafts)
        try:
            stamps, state = stamp(drafts, self.state, self.seq + 1, self._clock)
        except StorageError as failure:
            raise located(
                failure,
                operation="append",
                run_id=self._run_id,
                seq=self.seq,
                next_action=f"journal show {self._run_id}",
            ) from failure
        last_seq = self.seq + len(stamps)
        place = Appended(self.seq + 1, last_seq, stamps[0].timestamp)
        receipt = Receipt(place, self._bridge, self._hurry if patient else None)
        entry = Entry(stamps, size, receipt, state, key, patient)
        self.state, self.seq = state, last_seq
        self._queue.append(entry)
        self._lines += len(stamps)
        self._bytes += size
        self.impatient += not patient
        if key is not None:
            self._keys[key] = entry
        return receipt

    def _known(self, key: str, drafts: Sequence[Draft]) -> Receipt | None:
        found = self._keys.get(key)
        if found is None:
            return None
        if isinstance(found, Entry):
            known, receipt = _digest(found), found.receipt
        else:
            known = found.digest
            place = Appended(found.first_seq, found.last_seq, found.timestamp)
            receipt = Receipt(place)
            receipt.complete()
        if known != body_digest(draft.middle for draft in drafts):
            first = receipt.appended.first_seq
            raise self._refused(
                StorageErrorCode.CONFLICT,
                f"the key {key!a} stands for another append, at line {first}",
                "key",
            )
        return receipt

    def _check_size(self, drafts: Sequence[Draft]) -> int:
        size = sum(draft.line_bytes_max for draft in drafts)
        if not drafts or len(drafts) > BATCH_LINES_MAX or size > BATCH_BYTES_MAX:
            raise self._refused(
                StorageErrorCode.LIMIT_EXCEEDED,
                f"an append holds 1 to {BATCH_LINES_MAX} events and {BATCH_BYTES_MAX} bytes, "
                f"not {len(drafts)} and {size}",
                "batch",
            )
        lines = self._lines + len(drafts)
        if self._queue and (lines > QUEUE_LINES_MAX or self._bytes + size > QUEUE_BYTES_MAX):
            raise QueueFull(self._queue[-1].receipt)
        return size

    def take_batch(self) -> list[Entry]:
        """
        What one sync may hold, out of the queue: bounded, at least one append.

        An append without a key never follows one with a key: on the line, a key reaches to the
        end of its batch or to the next key.
        """
        batch: list[Entry] = []
        lines = size = 0
        while self._queue:
            entry = self._queue[0]
            lines += len(entry.stamps)
            size += entry.size_bytes
            if batch and (lines > BATCH_LINES_MAX or size > BATCH_BYTES_MAX):
                break
            if batch and entry.key is None and batch[-1].key is not None:
                break
            batch.append(self._queue.popleft())
            self.impatient -= not entry.patient
        return batch

    def settle(self, batch: list[Entry], durable: Memory) -> None:
        """A batch is durable: make room, and keep its keys in short form."""
        for entry in batch:
            self._lines -= len(entry.stamps)
            self._bytes -= entry.size_bytes
            if entry.key is not None:
                kept = KeyEntry(*entry.receipt.appended, _digest(entry))
                self._keys[entry.key] = durable.keys[entry.key] = kept
                for old in forget_old(durable.keys):
                    del self._keys[old]

    def reset(self, batch: list[Entry], durable: Memory) -> list[Entry]:
        """A batch failed: back to what is durable. Gives all entries that were decided on top."""
        entries = [*batch, *self._queue]
        self._queue.clear()
        self._lines = self._bytes = self.impatient = 0
        for entry in entries:
            if entry.key is not None:
                del self._keys[entry.key]
        self.state, self.seq = durable.state, durable.seq
        return entries

    def _refused(self, code: StorageErrorCode, what: str, reason: str) -> StorageError:
        return storage_error(
            code,
            f"run {self._run_id}: {what}. Nothing was written.",
            operation="append",
            run_id=self._run_id,
            seq=self.seq,
            reason=reason,
            next_action=_NEXT[reason].format(run=self._run_id),
        )


_NEXT = {
    "expected_seq": "journal show {run}",
    "key": "give another key",
    "batch": "append fewer events at once, and at least one",
}


def _digest(entry: Entry) -> str:
    return body_digest(found.draft.middle for found in entry.stamps)

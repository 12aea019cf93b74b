"""
Group commit: what is decided at the call is written by a worker, one sync for all that waits.

``submit`` decides under a lock: is it legal, is it the expected seq, was this key seen; it gives
each event its seq and timestamp and queues it. A worker takes what is queued as one batch, writes
it, syncs, and completes the receipts. So an illegal append fails at once, and the order of a run
is the order of the calls, from whatever thread.

After a failed write nobody knows what is on disk: everything queued fails, and the writer is
closed for good. Only a full disk whose partial batch was cut off again lets it go on, from the
last durable state.

Below: errors, limits, draft, chain, log, lifecycle, checkpoint, receipt, workers. Above: run.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

import msgspec

from journal.chain import encode_batch, genesis
from journal.checkpoint import KeyEntry, Memory, encode_memory, forget_old, remember
from journal.draft import Clock, Draft, Stamp, body_digest
from journal.errors import StorageError, StorageErrorCode, storage_error
from journal.ids import RunId
from journal.lifecycle import RunLifecycle, check, evolve
from journal.limits import (
    BATCH_BYTES_MAX,
    BATCH_LINES_MAX,
    CHECKPOINT_EVENTS,
    QUEUE_BYTES_MAX,
    QUEUE_LINES_MAX,
)
from journal.log import EventLog, Lease
from journal.receipt import Appended, Bridge, Receipt
from journal.workers import Workers


class QueueFull(Exception):
    """The queue has no room now; ``last`` completes when there is some."""

    def __init__(self, last: Receipt) -> None:
        super().__init__()
        self.last = last


class _Entry(msgspec.Struct, gc=False):
    """One append in the queue, and what is true of the run once it is durable."""

    stamps: list[Stamp]
    size_bytes: int
    receipt: Receipt
    state: RunLifecycle
    key: str | None
    patient: bool  # emitted: may wait for company


class Writer:
    """The one writer of a run in this process. Safe from any thread, except ``close``."""

    def __init__(
        self,
        log: EventLog,
        lease: Lease,
        memory: Memory,
        *,
        workers: Workers,
        bridge: Bridge,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._log = log
        self.lease = lease
        self._durable = memory
        self._state = memory.state
        self._seq = memory.seq
        self._keys: dict[str, KeyEntry | _Entry] = dict(memory.keys)
        self._clock = Clock(now, memory.timestamp)
        self._workers = workers
        self._bridge = bridge
        self._guard = threading.Lock()
        self._queue: deque[_Entry] = deque()
        self._queued_lines = 0
        self._queued_bytes = 0
        self._impatient = 0
        self._busy = False
        self._idle = threading.Condition(self._guard)
        self._broken: StorageError | None = None
        self._closed = False
        self._unseen: list[Receipt] = []
        self._checkpoint_seq = memory.seq
        self._pid = os.getpid()

    @classmethod
    def create(
        cls,
        log: EventLog,
        run_id: RunId,
        drafts: Sequence[Draft],
        *,
        workers: Workers,
        bridge: Bridge,
        now: Callable[[], float] = time.time,
    ) -> "Writer":
        """Make a run whose first batch is ``drafts``; durable on return. Blocks."""
        clock = Clock(now)
        state = RunLifecycle()
        stamps = []
        for seq, draft in enumerate(drafts, 1):
            check(state, draft.phase, draft.event)
            state = evolve(state, draft.phase, draft.event)
            stamps.append(Stamp(draft, seq, *clock.read()))
        lines, link = encode_batch(genesis(run_id), stamps)
        lease = log.create(run_id, lines)
        memory = Memory(
            seq=len(lines),
            position=lease.head.position,
            hash=link,
            timestamp=clock.last,
            state=state,
        )
        return cls(log, lease, memory, workers=workers, bridge=bridge, now=now)

    @classmethod
    def open(
        cls,
        log: EventLog,
        run_id: RunId,
        wait_s: float,
        *,
        workers: Workers,
        bridge: Bridge,
        now: Callable[[], float] = time.time,
    ) -> "Writer":
        """Take a run's lease and bring back what is known of it. Blocks; see ``acquire``."""
        lease = log.acquire(run_id, wait_s)
        try:
            memory = remember(log, lease)
        except BaseException:
            log.release(lease)
            raise
        return cls(log, lease, memory, workers=workers, bridge=bridge, now=now)

    @property
    def run_id(self) -> RunId:
        """The run that is written."""
        return self.lease.run_id

    @property
    def state(self) -> RunLifecycle:
        """The lifecycle after all that was accepted, durable or not yet."""
        return self._state

    @property
    def seq(self) -> int:
        """The last seq that is durable."""
        return self._durable.seq

    def submit(
        self,
        decide: Sequence[Draft] | Callable[[RunLifecycle], Sequence[Draft]],
        *,
        key: str | None = None,
        expected_seq: int | None = None,
        patient: bool = False,
    ) -> Receipt:
        """
        Decide and queue one append; never blocks on a disk.

        ``decide`` is the drafts, or gives them for the state as it is when nobody else can
        change it. Raises ``conflict`` (transition, ``expected_seq``, ``key`` with another body),
        ``limit_exceeded`` (more than a batch), ``closed``; ``QueueFull`` when it must wait.
        """
        if self._pid != os.getpid():  # before the lock: a fork may have copied it locked
            raise self._refused(StorageErrorCode.CLOSED, "a forked process may not write", "forked")
        with self._guard:
            self._check_open()
            drafts = decide(self._state) if callable(decide) else decide
            if key is not None:
                known = self._known(key, drafts)
                if known is not None:
                    return known
            self._check_seq(expected_seq)
            entry = self._admit(drafts, key, patient)
            if not self._busy:
                if patient and self._has_room():
                    self._workers.delayed(self.hurry)
                else:
                    self._busy = True
                    self._workers.soon(self._drain)
            return entry.receipt

    def _known(self, key: str, drafts: Sequence[Draft]) -> Receipt | None:
        found = self._keys.get(key)
        if found is None:
            return None
        digest = body_digest(draft.middle for draft in drafts)
        if isinstance(found, _Entry):
            known = body_digest(stamp.draft.middle for stamp in found.stamps)
            receipt = found.receipt
        else:
            known = found.digest
            receipt = Receipt(
                Appended(found.first_seq, found.last_seq, found.timestamp), self.hurry
            )
            receipt.complete()
        if known != digest:
            raise self._refused(
                StorageErrorCode.CONFLICT,
                f"the key {key!a} stands for another append, at line {receipt.appended.first_seq}",
                "key",
            )
        return receipt

    def _check_seq(self, expected_seq: int | None) -> None:
        if expected_seq is not None and expected_seq != self._seq:
            raise self._refused(
                StorageErrorCode.CONFLICT,
                f"expected the log to end at line {expected_seq}, it ends at {self._seq}",
                "expected_seq",
            )

    def _admit(self, drafts: Sequence[Draft], key: str | None, patient: bool) -> _Entry:
        size = sum(draft.line_bytes_max for draft in drafts)
        if not drafts or len(drafts) > BATCH_LINES_MAX or size > BATCH_BYTES_MAX:
            raise self._refused(
                StorageErrorCode.LIMIT_EXCEEDED,
                f"an append holds 1 to {BATCH_LINES_MAX} events and {BATCH_BYTES_MAX} bytes, "
                f"not {len(drafts)} and {size}",
                "batch",
            )
        if self._queue and (
            self._queued_lines + len(drafts) > QUEUE_LINES_MAX
            or self._queued_bytes + size > QUEUE_BYTES_MAX
        ):
            raise QueueFull(self._queue[-1].receipt)
        state = self._state
        for draft in drafts:
            check(state, draft.phase, draft.event)
            state = evolve(state, draft.phase, draft.event)
        first = self._seq + 1
        stamps = [Stamp(draft, seq, *self._clock.read()) for seq, draft in enumerate(drafts, first)]
        receipt = Receipt(Appended(first, self._seq + len(drafts), stamps[0].timestamp), self.hurry)
        entry = _Entry(stamps, size, receipt, state, key, patient)
        self._state = state
        self._seq += len(drafts)
        self._queue.append(entry)
        self._queued_lines += len(drafts)
        self._queued_bytes += size
        self._impatient += not patient
        if key is not None:
            self._keys[key] = entry
        return entry

    def hurry(self) -> None:
        """Have what is queued written now. Never blocks on a disk."""
        with self._guard:
            if self._queue and not self._busy:
                self._busy = True
                self._workers.soon(self._drain)

    # -- on a worker thread ----------------------------------------------------------------

    def _drain(self) -> None:
        """Write batch after batch until nothing impatient waits. One thread at a time."""
        patience = False
        while True:
            with self._guard:
                if patience and not self._impatient and not self._closed and self._has_room():
                    if self._queue:
                        self._workers.delayed(self.hurry)
                    batch = []
                else:
                    batch = self._take_batch()
                if not batch:
                    self._busy = False
                    self._idle.notify_all()
                    return
                patience = True
            try:
                self._write(batch)
            except StorageError as failure:
                self._fail(batch, failure)
            except BaseException as failure:  # noqa: BLE001 - a receipt must never be left open
                self._fail(batch, self._broken_by(failure))
            else:
                self._acknowledge(batch)

    def _take_batch(self) -> list[_Entry]:
        """What one sync may hold: bounded, and an append without a key never follows one with."""
        queue = self._queue
        batch: list[_Entry] = []
        lines = size = 0
        while queue:
            entry = queue[0]
            lines += len(entry.stamps)
            size += entry.size_bytes
            if batch and (lines > BATCH_LINES_MAX or size > BATCH_BYTES_MAX):
                break
            if batch and entry.key is None and batch[-1].key is not None:
                break
            batch.append(queue.popleft())
            self._impatient -= not entry.patient
        return batch

    def _has_room(self) -> bool:
        return (
            self._queued_lines < QUEUE_LINES_MAX // 2 and self._queued_bytes < QUEUE_BYTES_MAX // 2
        )

    def _write(self, batch: list[_Entry]) -> None:
        stamps = [stamp for entry in batch for stamp in entry.stamps]
        lines, _ = encode_batch(self._durable.hash, stamps)
        head = self._log.append(self.lease, lines)
        durable = self._durable
        durable.seq, durable.position, durable.hash = head.seq, head.position, head.hash
        durable.timestamp = stamps[-1].timestamp
        durable.state = batch[-1].state

    def _acknowledge(self, batch: list[_Entry]) -> None:
        with self._guard:
            for entry in batch:
                self._queued_lines -= len(entry.stamps)
                self._queued_bytes -= entry.size_bytes
                if entry.key is not None:
                    self._keep_key(entry.key, entry)
        waiting = [entry.receipt for entry in batch if entry.receipt.complete()]
        if waiting:
            self._bridge.wake(waiting)
        if self._durable.seq - self._checkpoint_seq >= CHECKPOINT_EVENTS:
            self._put_checkpoint()

    def _keep_key(self, key: str, entry: _Entry) -> None:
        appended = entry.receipt.appended
        digest = body_digest(stamp.draft.middle for stamp in entry.stamps)
        kept = KeyEntry(*appended, digest)
        self._keys[key] = self._durable.keys[key] = kept
        forget_old(self._durable.keys)

    def _fail(self, batch: list[_Entry], failure: StorageError) -> None:
        """Fail all that waits: what came after the batch was decided on top of it."""
        with self._guard:
            entries = [*batch, *self._queue]
            self._queue.clear()
            self._queued_lines = self._queued_bytes = self._impatient = 0
            for entry in entries:
                if entry.key is not None:
                    self._keys.pop(entry.key, None)
            self._state, self._seq = self._durable.state, self._durable.seq
            if failure.info.details.reason != "cut_back":
                self._broken = failure
            # Kept until somebody has seen the failure: at the latest, whoever leaves the run.
            self._unseen.extend(entry.receipt for entry in entries)
        waiting = [entry.receipt for entry in entries if entry.receipt.complete(failure)]
        if waiting:
            self._bridge.wake(waiting)

    def _broken_by(self, failure: BaseException) -> StorageError:
        error = self._refused(
            StorageErrorCode.IO_ERROR, f"writing broke off ({type(failure).__name__})", "broken"
        )
        error.__cause__ = failure
        return error

    def _put_checkpoint(self) -> None:
        self._checkpoint_seq = self._durable.seq
        try:
            self._log.put_checkpoint(self.lease, encode_memory(self._durable))
        except StorageError:
            return  # derived: without it, the next opening reads more

    # -- reading its own log ---------------------------------------------------------------

    def lines(self) -> Iterator[bytes]:
        """The log's lines up to what is durable, for a check along the chain. Blocks."""
        return self._log.read(self.run_id, 0, self._durable.position)

    # -- leaving ---------------------------------------------------------------------------

    def close(self) -> None:
        """
        Write what is queued, checkpoint, give the lease back. Blocks; call once, on a worker.

        Raises the failure of an event that nobody has seen yet.
        """
        with self._guard:
            if self._closed:
                return
            self._closed = True
            while self._queue or self._busy:
                if not self._busy:
                    self._busy = True
                    self._workers.soon(self._drain)
                self._idle.wait()
        try:
            if self._broken is None and self._durable.seq > self._checkpoint_seq:
                self._put_checkpoint()
        finally:
            self._log.release(self.lease)
        if self._unseen and not any(receipt.seen for receipt in self._unseen):
            failure = self._unseen[0].error
            if failure is not None:
                raise failure

    def abandon(self) -> None:
        """Give the lease back after an opening that failed; what failed is on its way already."""
        with suppress(StorageError):
            self.close()

    def _check_open(self) -> None:
        if self._broken is not None:
            raise self._refused(
                StorageErrorCode.CLOSED, f"writing failed before ({self._broken.code})", "broken"
            ) from self._broken
        if self._closed:
            raise self._refused(StorageErrorCode.CLOSED, "the run was left", "left")

    def _refused(self, code: StorageErrorCode, what: str, reason: str) -> StorageError:
        return storage_error(
            code,
            f"run {self.run_id}: {what}. Nothing was written.",
            operation="append",
            run_id=self.run_id,
            seq=self._seq,
            backend=self._log.backend,
            reason=reason,
            next_action=f"journal resume {self.run_id}" if code == "closed" else None,
        )

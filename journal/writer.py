"""
Group commit: what is decided at the call is written by a worker, one sync for all that waits.

``submit`` has ``intake`` decide under a lock: is it legal, is it the expected seq, was this key
seen; each event gets its seq and timestamp and is queued. A worker takes what is queued as one
batch, writes it, syncs, and completes the receipts. So an illegal append fails at once, and the
order of a run is the order of the calls, from whatever thread.

After a failed write nobody knows what is on disk: everything queued fails, and the writer is
closed for good. Only a full disk whose partial batch was cut off again lets it go on, from the
last durable state.

Below: errors, limits, draft, chain, log, checkpoint, losses, receipt, intake, guard, workers, ids,
lifecycle, past, record. Above: recorder.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from journal.chain import encode_batch, genesis
from journal.checkpoint import Memory, encode_memory, remember
from journal.draft import Clock, Draft
from journal.errors import StorageError
from journal.guard import Guard
from journal.ids import RunId
from journal.intake import Decide, Entry, Intake, stamp
from journal.lifecycle import RunLifecycle
from journal.limits import CHECKPOINT_EVENTS
from journal.log import EventLog, Lease
from journal.losses import Losses, broken_off, refused
from journal.past import past_records
from journal.receipt import Bridge, Receipt
from journal.record import Record
from journal.workers import Workers


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
        self._intake = Intake(lease.run_id, memory, now, self.hurry, bridge)
        self._workers = workers
        self._bridge = bridge
        self._guard = Guard()
        self._idle = threading.Condition(self._guard.lock)
        self._busy = False
        self._broken: StorageError | None = None
        self._closed = False
        self._left = threading.Event()
        self._losses = Losses()
        self._checkpoint_seq = 0
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
        stamps, state = stamp(drafts, RunLifecycle(), 1, clock)
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
        force: bool = False,
    ) -> "Writer":
        """Take a run's lease and bring back what is known of it. Blocks; see ``acquire``."""
        lease = log.acquire(run_id, wait_s, force=force)
        try:
            memory, began = remember(log, lease)
        except BaseException:
            log.release(lease)
            raise
        writer = cls(log, lease, memory, workers=workers, bridge=bridge, now=now)
        # Where every opening ends in a crash, the way back to the last checkpoint grows with each.
        writer._checkpoint_seq = began
        return writer

    @property
    def run_id(self) -> RunId:
        """The run that is written."""
        return self.lease.run_id

    @property
    def state(self) -> RunLifecycle:
        """The lifecycle after all that was accepted, durable or not yet."""
        return self._intake.state

    @property
    def accepted_seq(self) -> int:
        """The last seq that was given out, durable or not yet."""
        return self._intake.seq

    @property
    def seq(self) -> int:
        """The last seq that is durable."""
        return self._durable.seq

    def submit(
        self,
        decide: Sequence[Draft] | Decide,
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
            self.check_open()
        with self._guard:
            self.check_open()
            receipt = self._intake.admit(decide, key, expected_seq, patient=patient)
            if not self._busy and self._intake:
                if patient and self._intake.has_room:
                    self._workers.delayed(self.hurry)
                else:
                    self._start()
            return receipt

    def hurry(self) -> None:
        """Have what is queued written now. Never blocks on a disk."""
        with self._guard:
            if self._intake and not self._busy:
                self._start()

    def _start(self) -> None:
        self._busy = True
        self._workers.soon(self._drain)

    # -- on a worker thread ----------------------------------------------------------------

    def _drain(self) -> None:
        """Write batch after batch until nothing impatient waits. One thread at a time."""
        batch = self._next_batch(first=True)
        while batch:
            try:
                self._write(batch)
            except StorageError as failure:
                self._fail(batch, failure)
            except BaseException as failure:  # noqa: BLE001 - a receipt must never be left open
                self._fail(batch, broken_off(self.lease, self._log.backend, failure))
            else:
                self._acknowledge(batch)
            batch = self._next_batch(first=False)

    def _next_batch(self, *, first: bool) -> list[Entry]:
        with self._guard:
            intake = self._intake
            waits = not first and not intake.impatient and intake.has_room and not self._closed
            if waits and intake:
                self._workers.delayed(self.hurry)
            batch = [] if waits else intake.take_batch()
            if not batch:
                self._busy = False
                self._idle.notify_all()
            return batch

    def _write(self, batch: list[Entry]) -> None:
        stamps = [stamp for entry in batch for stamp in entry.stamps]
        if stamps[0].seq != self._durable.seq + 1:
            raise RuntimeError("the queue has lost its place")  # never a gap on disk
        lines, _ = encode_batch(self._durable.hash, stamps)
        head = self._log.append(self.lease, lines)
        durable = self._durable
        durable.seq, durable.position, durable.hash = head.seq, head.position, head.hash
        durable.timestamp = stamps[-1].timestamp
        durable.state = batch[-1].state

    def _acknowledge(self, batch: list[Entry]) -> None:
        with self._guard:
            self._intake.settle(batch, self._durable)
        waiting = [entry.receipt for entry in batch if entry.receipt.complete()]
        if waiting:
            self._bridge.wake(waiting)
        if self._durable.seq - self._checkpoint_seq >= CHECKPOINT_EVENTS:
            self._put_checkpoint()

    def _fail(self, batch: list[Entry], failure: StorageError) -> None:
        """Fail all that waits: what came after the batch was decided on top of it."""
        with self._guard:
            receipts = [entry.receipt for entry in self._intake.reset(batch, self._durable)]
            if failure.info.details.reason != "cut_back":
                self._broken = failure
            # Kept until somebody has seen the failure: at the latest, whoever leaves the run.
            loss = self._losses.add(failure)
        waiting = [receipt for receipt in receipts if receipt.complete(loss)]
        if waiting:
            self._bridge.wake(waiting)

    def _put_checkpoint(self) -> None:
        self._checkpoint_seq = self._durable.seq
        try:
            self._log.put_checkpoint(self.lease, encode_memory(self._durable))
        except (StorageError, MemoryError):
            return  # derived: without it, the next opening reads more

    # -- reading its own log ---------------------------------------------------------------

    def lines(self) -> Iterator[bytes]:
        """The log's lines up to what is durable, for a check along the chain. Blocks."""
        return self._log.read(self.run_id, 0, self._durable.position)

    def past(self, first: Record) -> Iterator[Record]:
        """Of a fork, whose line 1 is ``first``, the records of its ancestors. Blocks."""
        return past_records(self._log, self.run_id, first)

    # -- leaving ---------------------------------------------------------------------------

    def close(self) -> None:
        """
        Write what is queued, checkpoint, give the lease back. Blocks; call it on a worker.

        Raises the failure of an event that nobody has seen yet.
        """
        self.leave()
        self.raise_unseen()

    def leave(self) -> None:
        """What ``close`` does, without a word about failures. Who comes second waits as well."""
        if self.forked:
            return  # all of it is the parent's
        with self._guard:
            first = not self._closed
            self._closed = True
        if not first:
            self._left.wait()
            return
        try:
            self._finish()
        finally:
            self._left.set()

    def _finish(self) -> None:
        with self._guard:
            while self._intake or self._busy:
                if not self._busy:
                    self._start()
                self._idle.wait()
        try:
            if self._broken is None and self._durable.seq > self._checkpoint_seq:
                self._put_checkpoint()
        finally:
            self._log.release(self.lease)

    def raise_unseen(self) -> None:
        """Raise the failure of an event that nobody has seen yet, once."""
        self._losses.raise_unseen()

    def abandon(self) -> None:
        """Give the lease back where nobody is there to hear of failures."""
        with suppress(StorageError):
            self.leave()

    @property
    def forked(self) -> bool:
        """Whether this is a copy, in a process that was forked off."""
        return self._pid != os.getpid()

    def check_here(self) -> None:
        """Raise ``conflict`` on a loop that nobody would wake; see ``Bridge``."""
        if self.forked:  # there is no telling which loop a child is on
            self.check_open()
        self._bridge.check_here("Nothing was written")

    def check_open(self) -> None:
        """Raise ``closed`` where nothing can be written any more."""
        if self.forked:
            raise self._refused("a forked process may not write", "forked")
        if self._broken is not None:
            why = f"writing failed before ({self._broken.code.value})"
            raise self._refused(why, "broken") from self._broken
        if self._closed:
            raise self._refused("the run was left", "left")

    def _refused(self, why: str, reason: str) -> StorageError:
        return refused(self.lease, self._log.backend, why, reason)

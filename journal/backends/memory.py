"""
The model of an event log: what every backend must do, without a disk.

Keeps lines in lists; goes away with the process. Never recovers, because it cannot be torn. Used
by ``journal.testing``, and as the model that the filesystem is checked against.

Below: errors, ids, chain, log, host. Above: journal, testing.
"""

import os
import threading
import time
from collections.abc import Collection, Iterator, Sequence

import msgspec

from journal.chain import hash_of
from journal.errors import StorageError, StorageErrorCode, storage_error
from journal.host import host_name
from journal.ids import RunId
from journal.log import Change, Changes, Extent, Head, HeadInfo, Lease, Oddity, Past


class _Run(msgspec.Struct):
    lines: list[bytes]
    starts: list[int]
    head: Head
    epoch: int
    holder: Lease | None
    robbed: list[Lease]
    checkpoint: bytes | None = None
    past: dict[RunId, list[bytes]] = {}


class MemoryLog:
    """An ``EventLog`` in memory. All of its methods are safe from any thread."""

    backend = "memory"

    def __init__(self) -> None:
        self._runs: dict[RunId, _Run] = {}
        self._feed: list[Change] = []
        self._guard = threading.Condition()

    def create(self, run_id: RunId, lines: Sequence[bytes], past: Past | None = None) -> Lease:
        """Make a run; see ``EventLog.create``."""
        kept = {}
        if past is not None:
            kept = {each.run_id: list(each.lines()) for each in past.ancestors}
            past.bring(None)
        with self._guard:
            if run_id in self._runs:
                raise _error(StorageErrorCode.CONFLICT, "create", run_id, "exists already")
            run = _Run([], [], Head(0, 0, ""), 1, None, [])
            run.holder = Lease(run_id=run_id, epoch=1, head=run.head)
            run.past = kept
            self._runs[run_id] = run
            self._extend(run, lines)
            self._feed.append(Change("opened", run_id))
            return run.holder

    def acquire(self, run_id: RunId, wait_s: float = 0.0, *, force: bool = False) -> Lease:
        """Take the lease; see ``EventLog.acquire``."""
        deadline = time.monotonic() + wait_s
        with self._guard:
            while (holder := self._get(run_id, "acquire").holder) is not None:
                left = deadline - time.monotonic()
                if left <= 0 and force:
                    self._get(run_id, "acquire").robbed.append(holder)
                    break
                if left <= 0:
                    raise _error(StorageErrorCode.LOCKED, "acquire", run_id, "has a writer")
                self._guard.wait(left)
            run = self._get(run_id, "acquire")
            run.epoch += 1
            run.holder = Lease(run_id=run_id, epoch=run.epoch, head=run.head)
            self._feed.append(Change("opened", run_id))
            return run.holder

    def append(self, lease: Lease, lines: Sequence[bytes]) -> Head:
        """Add a batch; see ``EventLog.append``."""
        with self._guard:
            run = self._runs.get(lease.run_id)
            if run is not None and _discard(run.robbed, lease):
                raise _error(StorageErrorCode.CONFLICT, "append", lease.run_id, "was taken over")
            if run is None or run.holder is not lease:
                raise _error(
                    StorageErrorCode.CLOSED, "append", lease.run_id, "is not held any more"
                )
            return self._extend(run, lines)

    def _extend(self, run: _Run, lines: Sequence[bytes]) -> Head:
        position = run.head.position
        for line in lines:
            run.starts.append(position)
            position += len(line)
        run.lines.extend(lines)
        digest = hash_of(lines[-1])
        run.head = Head(len(run.lines), position, digest)
        if run.holder is not None:
            run.holder.head = run.head
        return run.head

    def release(self, lease: Lease) -> None:
        """Give the lease back; see ``EventLog.release``."""
        with self._guard:
            run = self._runs.get(lease.run_id)
            if run is not None:
                _discard(run.robbed, lease)
            if run is not None and run.holder is lease:
                run.holder = None
                self._feed.append(Change("closed", lease.run_id))
                self._guard.notify_all()

    def head(self, run_id: RunId) -> HeadInfo:
        """Up to where readers may see; see ``EventLog.head``."""
        with self._guard:
            run = self._get(run_id, "head")
            return HeadInfo(
                head=run.head,
                epoch=run.epoch,
                host=host_name(),
                pid=os.getpid(),
                state="closed" if run.holder is None else "open",
                live=run.holder is not None,
            )

    def extent(self, run_id: RunId) -> Extent:
        """How long a log is; see ``EventLog.extent``."""
        with self._guard:
            run = self._get(run_id, "extent")
            return Extent(run.head.position, live=run.holder is not None)

    def torn_bytes(self, run_id: RunId) -> int:
        """Memory does not tear; see ``EventLog.torn_bytes``."""
        with self._guard:
            self._get(run_id, "torn_bytes")
            return 0

    def read(
        self, run_id: RunId, start: int = 0, stop: int | None = None, *, reverse: bool = False
    ) -> Iterator[bytes]:
        """Lines of a run; see ``EventLog.read``."""
        with self._guard:
            run = self._get(run_id, "read")
            end = run.head.position if stop is None else stop
            found = [
                line
                for line, place in zip(run.lines, run.starts, strict=True)
                if start <= place < end
            ]
        return reversed(found) if reverse else iter(found)

    def read_past(self, run_id: RunId, ancestor: RunId) -> Iterator[bytes]:
        """Lines of an ancestor; see ``EventLog.read_past``."""
        with self._guard:
            found = self._get(run_id, "read_past").past.get(ancestor)
        if found is None:
            what = f"keeps nothing of its ancestor {ancestor}"
            raise _error(StorageErrorCode.NOT_FOUND, "read_past", run_id, what)
        return iter(found)

    def runs(self, failures: list[StorageError] | None = None) -> Iterator[RunId]:
        """All runs."""
        with self._guard:
            return iter(list(self._runs))

    def changes(self, cursor: str | None) -> Changes:
        """The feed since ``cursor``."""
        with self._guard:
            end = str(len(self._feed))
            if cursor is None or not cursor.isdecimal() or int(cursor) > len(self._feed):
                return Changes((), end, everything=True)
            return Changes(tuple(self._feed[int(cursor) :]), end, everything=False)

    def oddities(self, run_id: RunId | None = None, told: Collection[str] = ()) -> Sequence[Oddity]:
        """Nothing lies beside a log in memory; see ``EventLog.oddities``."""
        with self._guard:
            if run_id is not None:
                self._get(run_id, "oddities")
            return ()

    def announced(self) -> Sequence[RunId]:
        """Runs that the feed says are there; see ``EventLog.announced``."""
        with self._guard:
            last = {change.run_id: change.what for change in self._feed}
        return [run_id for run_id, what in last.items() if what != "deleted"]

    def mend(self) -> str | None:
        """A feed in memory is not damaged; see ``EventLog.mend``."""
        return None

    def get_checkpoint(self, run_id: RunId) -> bytes | None:
        """The last checkpoint."""
        with self._guard:
            run = self._runs.get(run_id)
            return run.checkpoint if run else None

    def put_checkpoint(self, lease: Lease, body: bytes) -> None:
        """Replace the checkpoint."""
        with self._guard:
            self._get(lease.run_id, "put_checkpoint").checkpoint = body

    def delete(self, run_id: RunId) -> None:
        """Delete a run; see ``EventLog.delete``."""
        with self._guard:
            if self._get(run_id, "delete").holder is not None:
                raise _error(StorageErrorCode.LOCKED, "delete", run_id, "has a writer")
            del self._runs[run_id]
            self._feed.append(Change("deleted", run_id))

    def _get(self, run_id: RunId, operation: str) -> _Run:
        try:
            return self._runs[run_id]
        except KeyError:
            raise _error(StorageErrorCode.NOT_FOUND, operation, run_id, "does not exist") from None


def _discard(leases: list[Lease], lease: Lease) -> bool:
    """Take this very lease out of the list; gives whether it was there."""
    before = len(leases)
    leases[:] = [other for other in leases if other is not lease]
    return len(leases) < before


def _error(code: StorageErrorCode, operation: str, run_id: str, what: str) -> StorageError:
    return storage_error(
        code,
        f"run {run_id} {what}. Nothing was changed.",
        operation=operation,
        run_id=run_id,
        backend="memory",
        next_action="journal list" if code is StorageErrorCode.NOT_FOUND else None,
    )

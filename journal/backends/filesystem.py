"""
A folder per run, JSON Lines inside: the event log that people use.

    <store>/store.json  feed  runs/<yyyy>/<mm>/<dd>/<run_id>/{events.jsonl, head, lock, checkpoint}

Owns how a run appears (a whole folder is renamed into place) and what readers may see. Never
parses an event. Layout: docs/format.md.

Below: errors, limits, ids, files, log, recovery, feed, headfile, lease, looking, oddities, past,
refusals, runfolder, storefile, takeover, tree. Above: journal. Next to read: ``runfolder.py``
(make, lock, recover), ``lease.py`` (one append), then ``../recovery.py`` (what a crash may leave).
"""

import errno
import os
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from journal.backends import lease as leases
from journal.backends import looking, refusals, runfolder, takeover, tree
from journal.backends.feed import Feed
from journal.backends.headfile import FIRST_EPOCH
from journal.backends.lease import FileLease
from journal.backends.looking import opened
from journal.backends.oddities import Beside
from journal.backends.past import carry_past, opened_past, past_path
from journal.backends.refusals import BACKEND, place
from journal.backends.storefile import check_store, make_store
from journal.errors import StorageError, StorageErrorCode
from journal.files import Files, make_folders, read_small, replace_file
from journal.ids import RunId, run_id_folder
from journal.limits import CHECKPOINT_BYTES_MAX, LOCK_RETRY_S
from journal.log import Changes, Extent, Head, HeadInfo, Lease, Past
from journal.recovery import split_lines, split_lines_reverse


class FilesystemLog(Beside):
    """An ``EventLog`` in a folder. ``FilesystemLog.open(path)`` makes the store where needed."""

    backend = BACKEND

    def __init__(self, root: str, files: Files, now: Callable[[], float] = time.time) -> None:
        self.root = root
        self.files = files
        self._now = now
        self._feed = Feed(files, f"{root}/feed")
        self._durable: set[str] = set()

    @classmethod
    def open(
        cls, root: str | os.PathLike[str], *, create: bool = True, files: Files | None = None
    ) -> "FilesystemLog":
        """
        Open the store at ``root``; with ``create``, make it there where nothing is yet.

        Raises ``not_found`` without ``create``; ``validation_error`` for a folder that holds
        something else; ``unsupported_format`` for a store of a newer version.
        """
        files = files or Files()
        path = str(Path(root).absolute())
        with place("open", path=path):
            if create:
                make_store(files, path)
            check_store(files, path)
        return cls(path, files)

    def folder(self, run_id: RunId) -> str:
        """Where the run lies, whether or not it exists."""
        return f"{self.root}/runs/{run_id_folder(run_id)}"

    # -- writing ---------------------------------------------------------------------------

    def create(self, run_id: RunId, lines: Sequence[bytes], past: Past | None = None) -> Lease:
        """Make a run; see ``EventLog.create``."""
        with place("create", run_id):
            relative, _, _ = f"runs/{run_id_folder(run_id)}".rpartition("/")
            known = f"{self.root}/{relative}" in self._durable
            parent = make_folders(self.files, self.root, relative, self._durable)
            if not known:
                self._sweep(parent)
            if self.files.status_of(f"{parent}/{run_id}") is not None:
                raise refusals.already_there(run_id, f"{parent}/{run_id}")
            carry = partial(carry_past, self.files, past, self.folder) if past else None
            lease = runfolder.build(self.files, run_id, parent, lines, carry)
            try:
                self._publish(lease, f"{parent}/{run_id}")
                self._feed.tell("opened", run_id, self._now(), durable=True)
            except BaseException:
                leases.close(self.files, lease)
                raise
        return lease

    def _sweep(self, day: str) -> None:
        """Once per folder: what makers and deleters that died have left there."""
        with suppress(OSError, MemoryError, StorageError):
            tree.remove_half_made(self.files, day)
            for name in tree.half_deleted(self.files, day):
                self._finish_deletion(tree.deleted_run(name), [f"{day}/{name}"])

    def _publish(self, lease: FileLease, folder: str) -> None:
        """Give the run its name, durably: from here on it is there, whole, for everyone."""
        try:
            self.files.rename(lease.folder, folder)
        except OSError as failure:
            with suppress(OSError, MemoryError):
                self.files.remove_tree(lease.folder)
            if failure.errno in (errno.EEXIST, errno.ENOTEMPTY):  # made by somebody else meanwhile
                raise refusals.already_there(lease.run_id, folder) from failure
            raise
        lease.folder = folder
        self.files.fsync_dir(folder.rpartition("/")[0])
        # Only now: who meets the run before syncs its name itself before showing it.
        lease.epoch = FIRST_EPOCH
        leases.tell_head(self.files, lease, lease.head, "open")

    def acquire(self, run_id: RunId, wait_s: float = 0.0, *, force: bool = False) -> Lease:
        """Take the lease, through recovery; see ``EventLog.acquire``."""
        folder = self.folder(run_id)
        with place("acquire", run_id, folder):
            self._check_present(run_id, folder)
            patience_s = max(wait_s, LOCK_RETRY_S)
            lock_fd = self._lock(run_id, folder, patience_s, force=force)
            try:
                # Its maker may have died between giving the run its name and syncing that name.
                self.files.fsync_dir(folder.rpartition("/")[0])
                lease = runfolder.reopen(self.files, run_id, folder, lock_fd)
            except BaseException:
                self._let_go(lock_fd)
                raise
            try:
                self._feed.tell("opened", run_id, self._now(), durable=True)
            except BaseException:
                leases.close(self.files, lease)
                raise
        return lease

    def _lock(self, run_id: RunId, folder: str, wait_s: float, *, force: bool) -> int:
        try:
            lock_fd = runfolder.take_lock(self.files, run_id, folder, wait_s, "acquire")
        except StorageError as failure:
            if not force or failure.code is not StorageErrorCode.LOCKED:
                raise
            return takeover.seize(self.files, run_id, folder)
        try:
            if self.files.status(lock_fd).size:  # of a takeover that broke off
                takeover.finish(self.files, run_id, folder, lock_fd)
        except BaseException:
            self._let_go(lock_fd)
            raise
        return lock_fd

    def _let_go(self, lock_fd: int) -> None:
        with suppress(OSError, MemoryError):
            self.files.unlock(lock_fd)
        with suppress(OSError, MemoryError):
            self.files.close(lock_fd)

    def append(self, lease: Lease, lines: Sequence[bytes]) -> Head:
        """Add a batch; see ``EventLog.append``."""
        return leases.append(self.files, _own(lease), lines)

    def release(self, lease: Lease) -> None:
        """Give the lease back; see ``EventLog.release``."""
        if leases.release(self.files, _own(lease)):
            # Unsynced: without this line a reader looks once more than it had to.
            with suppress(OSError, MemoryError):
                self._feed.tell("closed", lease.run_id, self._now(), durable=False)

    def delete(self, run_id: RunId) -> None:
        """Delete a run; see ``EventLog.delete``."""
        folder = self.folder(run_id)
        with place("delete", run_id, folder):
            if left := self._half_deleted(run_id, folder):
                self._finish_deletion(run_id, left)
                return
            self._check_present(run_id, folder)
            lock_fd = runfolder.take_lock(self.files, run_id, folder, LOCK_RETRY_S, "delete")
            try:
                parent = folder.rpartition("/")[0]
                gone = f"{parent}/{tree.DELETED}{run_id}-{uuid.uuid4().hex[:8]}"
                self.files.rename(folder, gone)
                self._finish_deletion(run_id, [gone])
            finally:
                self._let_go(lock_fd)

    def _finish_deletion(self, run_id: RunId, gone: Sequence[str]) -> None:
        """
        Behind the rename: what is left of the run is there until all readers can know.

        Told only now: readers forget a run whose deletion was refused otherwise. A crash before
        leaves the renamed folder, which says ``deleted`` to whoever looks for the run.
        """
        self.files.fsync_dir(self.folder(run_id).rpartition("/")[0])
        self._feed.tell("deleted", run_id, self._now(), durable=True)
        for folder in gone:
            self.files.remove_tree(folder)

    # -- reading ---------------------------------------------------------------------------

    def head(self, run_id: RunId) -> HeadInfo:
        """Up to where readers may see; see ``EventLog.head``."""
        folder = self.folder(run_id)
        with place("head", run_id, folder):
            self._check_present(run_id, folder)
            return looking.head(self.files, run_id, folder)

    def extent(self, run_id: RunId) -> Extent:
        """How long a log is as it lies there; see ``EventLog.extent``."""
        folder = self.folder(run_id)
        with place("extent", run_id, folder):
            self._check_present(run_id, folder)
            return looking.extent(self.files, folder)

    def torn_bytes(self, run_id: RunId) -> int:
        """How much of the log's end was never acknowledged; see ``EventLog.torn_bytes``."""
        folder = self.folder(run_id)
        with place("torn_bytes", run_id, folder):
            self._check_present(run_id, folder)
            return looking.torn_bytes(self.files, run_id, folder)

    def read(
        self, run_id: RunId, start: int = 0, stop: int | None = None, *, reverse: bool = False
    ) -> Iterator[bytes]:
        """Lines of a run; see ``EventLog.read``."""
        end = self.head(run_id).head.position if stop is None else stop
        path = f"{self.folder(run_id)}/events.jsonl"
        split = split_lines_reverse if reverse else split_lines
        with place("read", run_id, path), opened(self.files, path) as fd:
            size = self.files.status(fd).size
            lines = split(partial(self.files.pread, fd), start, end)
            if size >= end:
                yield from lines
                return
            if not reverse:  # what is left is given first, so that verify can name a broken line
                yield from (line for line in lines if line.endswith(b"\n"))
            raise refusals.cut_off(run_id, self.folder(run_id), end, size)

    def read_past(self, run_id: RunId, ancestor: RunId) -> Iterator[bytes]:
        """Lines that a fork keeps of an ancestor; see ``EventLog.read_past``."""
        path = past_path(self.folder(run_id), ancestor)
        with place("read_past", run_id, path), opened_past(self.files, path) as fd:
            size = self.files.status(fd).size
            yield from split_lines(partial(self.files.pread, fd), 0, size)

    def runs(self, failures: list[StorageError] | None = None) -> Iterator[RunId]:
        """All runs in the store, oldest day first; see ``EventLog.runs``."""
        return tree.runs(self.files, f"{self.root}/runs", failures)

    def changes(self, cursor: str | None) -> Changes:
        """The feed since ``cursor``; see ``EventLog.changes``."""
        with place("changes", path=f"{self.root}/feed"):
            return self._feed.changes(cursor)

    def get_checkpoint(self, run_id: RunId) -> bytes | None:
        """The last checkpoint; see ``EventLog.get_checkpoint``."""
        path = f"{self.folder(run_id)}/checkpoint"
        with place("get_checkpoint", run_id, path):
            return read_small(self.files, path, CHECKPOINT_BYTES_MAX)

    def put_checkpoint(self, lease: Lease, body: bytes) -> None:
        """Replace the checkpoint; see ``EventLog.put_checkpoint``."""
        path = f"{_own(lease).folder}/checkpoint"
        with place("put_checkpoint", lease.run_id, path):
            replace_file(self.files, path, body, temporary=f"{path}.new", durable=False)

    def _check_present(self, run_id: RunId, folder: str) -> None:
        if self.files.status_of(f"{folder}/events.jsonl") is None:
            if self._half_deleted(run_id, folder):
                raise refusals.half_deleted(run_id, folder)
            gone = self.files.status_of(folder) is not None
            raise refusals.absent(run_id, folder, log_gone=gone)
        tree.check_way(self.files, self.root, folder)

    def _half_deleted(self, run_id: RunId, folder: str) -> list[str]:
        """What is left of a run whose folder lost its name, and whose deleter died."""
        day = folder.rpartition("/")[0]
        if self.files.is_folder(folder) or not self.files.is_folder(day):
            return []
        return [f"{day}/{name}" for name in tree.half_deleted(self.files, day, run_id)]


def _own(lease: Lease) -> FileLease:
    if not isinstance(lease, FileLease):
        raise TypeError("a lease of another backend")
    return lease

"""
A folder per run, JSON Lines inside: the event log that people use.

    <store>/store.json  feed  runs/<yyyy>/<mm>/<dd>/<run_id>/{events.jsonl, head, lock, checkpoint}

Owns the protocol of files: how a run appears (a whole folder is renamed into place), who may
write (``lock``), what readers may see (``head``), how a torn tail is set aside. Never parses an
event. Layout: docs/format.md.

Below: errors, limits, ids, files, chain, log, recovery, headfile, feed, lease. Above: journal.
Next to read: ``lease.py`` (one append), then ``../recovery.py`` (what a crash may leave).
"""

import os
import re
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from journal.backends import lease as leases
from journal.backends.feed import Feed
from journal.backends.headfile import HeadFile, encode_head, read_head
from journal.backends.lease import FileLease
from journal.backends.storefile import check_store, make_store
from journal.chain import Chain, hash_of
from journal.errors import StorageError, StorageErrorCode, from_system, storage_error
from journal.files import Files, make_folders, read_small, replace_file
from journal.ids import RunId, parse_run_id, run_id_folder
from journal.limits import CHECKPOINT_BYTES_MAX, LOCK_RETRY_S
from journal.log import Changes, Head, HeadInfo, Lease
from journal.recovery import (
    Read,
    Tail,
    classify,
    holds_hash,
    keep_aside,
    last_batch_start,
    split_lines,
    split_lines_reverse,
    untold,
)

_NUMBER = re.compile(r"[0-9]+")


class FilesystemLog:
    """An ``EventLog`` in a folder. ``FilesystemLog.open(path)`` makes the store where needed."""

    backend = "filesystem"

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
        with _place("open", path=path):
            if create:
                make_store(files, path)
            check_store(files, path)
        return cls(path, files)

    def folder(self, run_id: RunId) -> str:
        """Where the run lies, whether or not it exists."""
        return f"{self.root}/runs/{run_id_folder(run_id)}"

    # -- writing ---------------------------------------------------------------------------

    def create(self, run_id: RunId, lines: Sequence[bytes]) -> Lease:
        """Make a run; see ``EventLog.create``."""
        with _place("create", run_id):
            relative, _, _ = f"runs/{run_id_folder(run_id)}".rpartition("/")
            parent = make_folders(self.files, self.root, relative, self._durable)
            if self.files.status_of(f"{parent}/{run_id}") is not None:
                raise self._exists(run_id)
            temporary = f"{parent}/.new-{run_id}-{uuid.uuid4().hex[:8]}"
            lease = self._build(run_id, temporary, lines)
            try:
                self.files.rename(temporary, f"{parent}/{run_id}")
                lease.folder = f"{parent}/{run_id}"
                self.files.fsync_dir(parent)
                self._feed.tell("opened", run_id, self._now(), durable=True)
            except BaseException:
                lease.broken = "create_failed"
                leases.close(self.files, lease)
                raise
        return lease

    def _build(self, run_id: RunId, folder: str, lines: Sequence[bytes]) -> FileLease:
        """The whole folder under a name that no reader looks at, locked, and all of it synced."""
        files = self.files
        files.mkdir(folder)
        opened: list[int] = []

        def new(name: str) -> int:
            opened.append(files.create(f"{folder}/{name}"))
            return opened[-1]

        try:
            files.mkdir(f"{folder}/artifacts")
            lock_fd = new("lock")
            files.lock(lock_fd)
            log_fd = new("events.jsonl")
            files.write_all(log_fd, b"".join(lines))
            files.fdatasync(log_fd)
            head = Head(len(lines), sum(map(len, lines)), hash_of(lines[-1]))
            head_fd = self._open_head(folder)
            opened.append(head_fd)
            files.pwrite_all(head_fd, encode_head(head, 1, os.getpid(), "open"), 0)
            files.fdatasync(head_fd)
            files.fsync_dir(folder)
        except BaseException:
            for fd in opened:
                with suppress(OSError):
                    files.close(fd)
            with suppress(OSError):
                files.remove_tree(folder)
            raise
        return FileLease(
            run_id=run_id,
            epoch=1,
            head=head,
            folder=folder,
            log_fd=log_fd,
            head_fd=head_fd,
            lock_fd=lock_fd,
            pid=os.getpid(),
        )

    def acquire(self, run_id: RunId, wait_s: float = 0.0) -> Lease:
        """Take the lease, through recovery; see ``EventLog.acquire``."""
        folder = self.folder(run_id)
        with _place("acquire", run_id, folder):
            self._check_present(run_id, folder)
            lock_fd = self._lock(run_id, folder, max(wait_s, LOCK_RETRY_S))
            opened = [lock_fd]
            try:
                log_fd = self.files.open_append(f"{folder}/events.jsonl")
                opened.append(log_fd)
                found, tail = self._recover(run_id, folder)
                head_fd = self._open_head(folder)
                opened.append(head_fd)
                epoch = found.epoch + 1 if found else 2
                # Durable before anything is written: a stale "closed" would make a torn batch
                # look like damage.
                head = encode_head(tail.head, epoch, os.getpid(), "open")
                self.files.pwrite_all(head_fd, head, 0)
                self.files.fdatasync(head_fd)
                self._feed.tell("opened", run_id, self._now(), durable=True)
            except BaseException:
                with suppress(OSError):
                    self.files.unlock(lock_fd)
                for fd in opened:
                    with suppress(OSError):
                        self.files.close(fd)
                raise
        return FileLease(
            run_id=run_id,
            epoch=epoch,
            head=tail.head,
            recovered=untold(self.files, folder, tail.head.seq),
            folder=folder,
            log_fd=log_fd,
            head_fd=head_fd,
            lock_fd=lock_fd,
            pid=os.getpid(),
        )

    def _open_head(self, folder: str) -> int:
        path = f"{folder}/head"
        if self.files.status_of(path) is None:
            self.files.close(self.files.create(path))
            self.files.fsync_dir(folder)
        return self.files.open_rewrite(path)

    def _lock(self, run_id: RunId, folder: str, wait_s: float) -> int:
        """The lock of the file that lies there now: a replaced lock file would give two holders."""
        deadline = time.monotonic() + wait_s
        path = f"{folder}/lock"
        while True:
            if self.files.status_of(path) is None:
                with suppress(FileExistsError):
                    self.files.close(self.files.create(path))
            fd = self.files.open_rewrite(path)
            here = None
            if self.files.lock(fd):
                here = self.files.status_of(path)
                if here is not None and here.inode == self.files.status(fd).inode:
                    return fd
            self.files.close(fd)
            if time.monotonic() >= deadline:
                raise self._locked(run_id, "acquire")
            time.sleep(0.005)

    def _recover(self, run_id: RunId, folder: str) -> tuple[HeadFile | None, Tail]:
        """Make the log whole and durable before it is trusted; the lock is held."""
        files = self.files
        fd = files.open_rewrite(f"{folder}/events.jsonl")
        try:
            read: Read = partial(files.pread, fd)
            found, tail = self._classify(run_id, folder, fd, strict=True)
            if tail.torn_bytes:
                keep_aside(files, folder, read, tail)
                files.truncate(fd, tail.head.position)
            if tail.torn_bytes or found is None or found.state == "open":
                # What a dead process wrote may be in memory only, or on a bad sector: the last
                # batch is written once more, the same bytes in the same place, and synced.
                start = last_batch_start(read, tail.head)
                for position in range(start, tail.head.position, 2**20):
                    size = min(2**20, tail.head.position - position)
                    files.pwrite_all(fd, files.pread(fd, size, position), position)
                files.fdatasync(fd)
            return found, tail
        finally:
            files.close(fd)

    def _classify(
        self, run_id: RunId, folder: str, fd: int, *, strict: bool
    ) -> tuple[HeadFile | None, Tail]:
        """Where the log's last whole batch ends, from the watermark on, or else from line 1."""
        read: Read = partial(self.files.pread, fd)
        found = read_head(self.files, f"{folder}/head")
        size = self.files.status(fd).size
        head = found.head if found else Head(0, 0, "")
        if size == 0 or head.position > size or (found and not holds_hash(read, head)):
            raise self._short(run_id, folder, head, size)
        chain = Chain(run_id, head.seq, head.position, head.hash if found else None, strict=strict)
        closed = found is not None and found.state == "closed"
        return found, classify(chain, read, size, head.position, closed=closed)

    def append(self, lease: Lease, lines: Sequence[bytes]) -> Head:
        """Add a batch; see ``EventLog.append``."""
        return leases.append(self.files, _own(lease), lines)

    def release(self, lease: Lease) -> None:
        """Give the lease back; see ``EventLog.release``."""
        if leases.release(self.files, _own(lease)):
            # Unsynced: without this line a reader looks once more than it had to.
            with suppress(OSError):
                self._feed.tell("closed", lease.run_id, self._now(), durable=False)

    def delete(self, run_id: RunId) -> None:
        """Delete a run; see ``EventLog.delete``."""
        folder = self.folder(run_id)
        with _place("delete", run_id, folder):
            self._check_present(run_id, folder)
            lock_fd = self._lock(run_id, folder, LOCK_RETRY_S)
            try:
                self._feed.tell("deleted", run_id, self._now(), durable=True)
                parent = folder.rpartition("/")[0]
                gone = f"{parent}/.deleted-{run_id}-{uuid.uuid4().hex[:8]}"
                self.files.rename(folder, gone)
                self.files.fsync_dir(parent)
                self.files.remove_tree(gone)
            finally:
                self.files.unlock(lock_fd)
                self.files.close(lock_fd)

    # -- reading ---------------------------------------------------------------------------

    def head(self, run_id: RunId) -> HeadInfo:
        """Up to where readers may see; see ``EventLog.head``."""
        folder = self.folder(run_id)
        with _place("head", run_id, folder):
            self._check_present(run_id, folder)
            with self._reading(f"{folder}/events.jsonl") as fd:
                found = read_head(self.files, f"{folder}/head")
                if found is not None and found.of_this_boot:
                    size = self.files.status(fd).size
                    if found.head.position > size:
                        raise self._short(run_id, folder, found.head, size)
                    shown = found.head
                else:
                    # After a reboot, or on another host, the watermark may lag: whole batches.
                    found, tail = self._classify(run_id, folder, fd, strict=False)
                    shown = tail.head
            live = self.files.is_locked(f"{folder}/lock")
        return HeadInfo(
            head=shown,
            epoch=found.epoch if found else 1,
            host=found.host if found else "unknown",
            pid=found.pid if found else 0,
            state=found.state if found else "open",
            live=live,
        )

    def read(
        self, run_id: RunId, start: int = 0, stop: int | None = None, *, reverse: bool = False
    ) -> Iterator[bytes]:
        """Lines of a run; see ``EventLog.read``."""
        end = self.head(run_id).head.position if stop is None else stop
        path = f"{self.folder(run_id)}/events.jsonl"
        split = split_lines_reverse if reverse else split_lines
        with _place("read", run_id, path), self._reading(path) as fd:
            yield from split(partial(self.files.pread, fd), start, end)

    @contextmanager
    def _reading(self, path: str) -> Iterator[int]:
        fd = self.files.open_read(path)
        try:
            yield fd
        finally:
            self.files.close(fd)

    def runs(self) -> Iterator[RunId]:
        """All runs in the store, oldest day first."""
        with _place("runs", path=f"{self.root}/runs"):
            for year in self._numbers(f"{self.root}/runs"):
                for month in self._numbers(year):
                    for day in self._numbers(month):
                        for name in self.files.listdir(day):
                            with suppress(StorageError):
                                yield parse_run_id(name)

    def _numbers(self, path: str) -> list[str]:
        if not self.files.is_folder(path):
            return []
        return [f"{path}/{name}" for name in self.files.listdir(path) if _NUMBER.fullmatch(name)]

    def changes(self, cursor: str | None) -> Changes:
        """The feed since ``cursor``; see ``EventLog.changes``."""
        with _place("changes", path=f"{self.root}/feed"):
            return self._feed.changes(cursor)

    def get_checkpoint(self, run_id: RunId) -> bytes | None:
        """The last checkpoint; see ``EventLog.get_checkpoint``."""
        path = f"{self.folder(run_id)}/checkpoint"
        with _place("get_checkpoint", run_id, path):
            return read_small(self.files, path, CHECKPOINT_BYTES_MAX)

    def put_checkpoint(self, lease: Lease, body: bytes) -> None:
        """Replace the checkpoint; see ``EventLog.put_checkpoint``."""
        path = f"{_own(lease).folder}/checkpoint"
        with _place("put_checkpoint", lease.run_id, path):
            replace_file(self.files, path, body, temporary=f"{path}.new", durable=False)

    # -- refusals --------------------------------------------------------------------------

    def _check_present(self, run_id: RunId, folder: str) -> None:
        if self.files.status_of(f"{folder}/events.jsonl") is not None:
            return
        gone = self.files.status_of(folder) is not None
        what = "its folder is there, its log is gone" if gone else "does not exist"
        raise storage_error(
            StorageErrorCode.NOT_FOUND,
            f"run {run_id} {what}. Nothing was changed.",
            operation="open",
            run_id=run_id,
            backend=self.backend,
            path=folder,
            reason="log_gone" if gone else "no_such_run",
            next_action="restore events.jsonl from a backup" if gone else "journal list",
        )

    def _short(self, run_id: RunId, folder: str, head: Head, size: int) -> StorageError:
        what = (
            f"the log has {size} bytes, but {head.position} were acknowledged"
            if size < head.position or size == 0
            else f"line {head.seq} is not the one that was acknowledged there"
        )
        return storage_error(
            StorageErrorCode.CORRUPT,
            f"run {run_id} line {head.seq} (byte {head.position}): {what}. Nothing was changed.",
            operation="read",
            run_id=run_id,
            seq=head.seq,
            offset=head.position,
            backend=self.backend,
            path=f"{folder}/events.jsonl",
            reason="watermark",
            next_action=f"journal verify {run_id}",
        )

    def _locked(self, run_id: RunId, operation: str) -> StorageError:
        found = read_head(self.files, f"{self.folder(run_id)}/head")
        who = f"process {found.pid} on {found.host}" if found else "another process"
        return storage_error(
            StorageErrorCode.LOCKED,
            f"run {run_id} is being written by {who}. Nothing was changed.",
            operation=operation,
            run_id=run_id,
            backend=self.backend,
            path=f"{self.folder(run_id)}/lock",
            next_action="wait for it to end, or end it",
        )

    def _exists(self, run_id: RunId) -> StorageError:
        return storage_error(
            StorageErrorCode.CONFLICT,
            f"run {run_id} exists already. Nothing was changed.",
            operation="create",
            run_id=run_id,
            backend=self.backend,
            path=self.folder(run_id),
            next_action=f"journal resume {run_id}",
        )


def _own(lease: Lease) -> FileLease:
    if not isinstance(lease, FileLease):
        raise TypeError("a lease of another backend")
    return lease


@contextmanager
def _place(operation: str, run_id: str | None = None, path: str | None = None) -> Iterator[None]:
    """Name the place of an error of the system; nothing else leaves this module."""
    try:
        yield
    except (OSError, MemoryError) as failure:
        details: dict[str, Any] = {"path": path} if path else {}
        subject = f"run {run_id}" if run_id else f"store {path or ''}".strip()
        raise from_system(
            failure,
            f"{subject}: {operation} failed",
            operation=operation,
            run_id=run_id,
            backend="filesystem",
            next_action=f"journal verify {run_id}" if run_id else None,
            **details,
        ) from failure

"""
One run's folder: how it is made, locked, and made whole again before it is written.

Everything here is a sequence of file operations whose order matters; each order has its reason
beside it. Raises ``OSError`` and ``StorageError``.

Below: files, chain, log, recovery, headfile, lease, refusals, tree, ids. Above: filesystem.
"""

import errno
import os
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from journal.backends import refusals
from journal.backends.headfile import FIRST_EPOCH, UNPUBLISHED, HeadFile, read_head
from journal.backends.lease import FileLease, tell_head
from journal.backends.tree import NEW
from journal.chain import Chain, hash_of
from journal.files import Files, lies_at
from journal.ids import RunId
from journal.log import Head
from journal.recovery import (
    Read,
    Tail,
    check_last_batch,
    classify,
    holds_hash,
    keep_aside,
    last_batch,
    untold,
)

_BLOCK_BYTES = 1024 * 1024

_SWEEPERS_MAX = 16
"""How often a new folder may be swept away before its lock is held; each time by another."""


class _Swept(OSError):
    """Before a new folder's lock was held, somebody took it for a dead maker's: make another."""


def build(
    files: Files,
    run_id: RunId,
    day: str,
    lines: Sequence[bytes],
    carry: Callable[[str], None] | None = None,
) -> FileLease:
    """
    A whole run folder in ``day``, under a name that no reader looks at (``lease.folder``).

    ``carry`` puts a fork's past into the folder, durably. Who comes new to this day sweeps it
    once, and may do so in the moment before our lock: then it is made once more.
    """
    left = _SWEEPERS_MAX
    while True:
        folder = f"{day}/{NEW}{run_id}-{uuid.uuid4().hex[:8]}"
        try:
            return _build(files, run_id, folder, lines, carry)
        except _Swept:
            if not left:
                raise
            left -= 1


def _build(
    files: Files,
    run_id: RunId,
    folder: str,
    lines: Sequence[bytes],
    carry: Callable[[str], None] | None,
) -> FileLease:
    """
    A whole run folder at ``folder``, a name that no reader looks at: locked, and all of it synced.

    The lock is held before the name is public, so no one else ever opens a run half made.
    """
    files.mkdir(folder)
    opened: list[int] = []
    try:
        files.mkdir(f"{folder}/artifacts")
        opened.append(lock_fd := files.create(f"{folder}/lock"))
        if not files.lock(lock_fd) or files.status_of(f"{folder}/lock") is None:
            raise _Swept(errno.EAGAIN, "the folder of a new run was swept away")
        if carry is not None:
            carry(folder)  # under the lock: a half-made folder without a writer is swept away
        opened.append(log_fd := files.create(f"{folder}/events.jsonl"))
        files.write_all(log_fd, b"".join(lines))
        files.fdatasync(log_fd)
        head = Head(len(lines), sum(map(len, lines)), hash_of(lines[-1]))
        opened.append(head_fd := open_head(files, folder))
        lease = FileLease(
            run_id=run_id,
            epoch=UNPUBLISHED,
            head=head,
            folder=folder,
            log_fd=log_fd,
            head_fd=head_fd,
            lock_fd=lock_fd,
            pid=os.getpid(),
        )
        tell_head(files, lease, head, "open")
        files.fdatasync(head_fd)
        files.fsync_dir(folder)
    except BaseException:
        close_all(files, opened)
        with suppress(OSError, MemoryError):
            files.remove_tree(folder)
        raise
    return lease


def open_head(files: Files, folder: str) -> int:
    """``head`` open for writing in place; made where it is missing."""
    path = f"{folder}/head"
    if files.status_of(path) is None:
        files.close(files.create(path))
        files.fsync_dir(folder)
    return files.open_rewrite(path)


def close_all(files: Files, opened: Sequence[int]) -> None:
    """Close what was opened before something failed."""
    for fd in opened:
        with suppress(OSError, MemoryError):
            files.close(fd)


def take_lock(files: Files, run_id: RunId, folder: str, wait_s: float, operation: str) -> int:
    """
    The descriptor that holds the run's lock; raises ``locked`` after ``wait_s`` seconds.

    A lock file that was replaced would give two holders: what is locked must be what lies there.
    """
    deadline = time.monotonic() + wait_s
    path = f"{folder}/lock"
    while True:
        if files.status_of(path) is None:
            with suppress(FileExistsError):
                files.close(files.create(path))
        fd = files.open_rewrite(path)
        try:
            if files.lock(fd) and lies_at(files, path, fd):
                return fd
        except BaseException:
            files.close(fd)
            raise
        files.close(fd)
        if time.monotonic() >= deadline:
            found = read_head(files, f"{folder}/head")
            raise refusals.locked(run_id, folder, found, operation)
        time.sleep(0.005)


def reopen(files: Files, run_id: RunId, folder: str, lock_fd: int) -> FileLease:
    """
    Recover the log and take it over, under the lock that ``lock_fd`` holds.

    Who is stopped in here may wake after a takeover by force. That replaces the lock long before
    log and head: what was opened while the lock still lay there is not the new writer's.
    """
    opened: list[int] = []
    try:
        opened.append(log_fd := files.open_append(f"{folder}/events.jsonl"))
        opened.append(mending_fd := files.open_rewrite(f"{folder}/events.jsonl"))
        _check_held(files, run_id, folder, lock_fd)
        found, tail = recover(files, run_id, folder, mending_fd)
        opened.remove(mending_fd)
        files.close(mending_fd)
        opened.append(head_fd := open_head(files, folder))
        _check_held(files, run_id, folder, lock_fd)
        lease = FileLease(
            run_id=run_id,
            epoch=max(found.epoch, FIRST_EPOCH) + 1 if found else FIRST_EPOCH + 1,
            head=tail.head,
            recovered=untold(files, folder, tail.head.seq),
            folder=folder,
            log_fd=log_fd,
            head_fd=head_fd,
            lock_fd=lock_fd,
            pid=os.getpid(),
        )
        # Durable before anything is written: a stale "closed" would make a torn batch look like
        # damage.
        tell_head(files, lease, tail.head, "open")
        files.fdatasync(head_fd)
    except BaseException:
        close_all(files, opened)
        raise
    return lease


def _check_held(files: Files, run_id: RunId, folder: str, lock_fd: int) -> None:
    if not lies_at(files, f"{folder}/lock", lock_fd):
        raise refusals.locked(run_id, folder, read_head(files, f"{folder}/head"), "acquire")


def recover(files: Files, run_id: RunId, folder: str, fd: int) -> tuple[HeadFile | None, Tail]:
    """Make the log whole and durable before it is trusted; damage is raised and left alone."""
    read: Read = partial(files.pread, fd)
    found, tail = examine(files, run_id, folder, fd, strict=True)
    if tail.torn_bytes:
        keep_aside(files, folder, read, tail)
        files.truncate(fd, tail.head.position)
    if tail.torn_bytes or found is None or found.state == "open":
        # What a dead process wrote may be in memory only, or on a bad sector: the last batch is
        # written once more, the same bytes in the same place, and synced.
        start, _ = last_batch(read, tail.head)
        for position in range(start, tail.head.position, _BLOCK_BYTES):
            size = min(_BLOCK_BYTES, tail.head.position - position)
            files.pwrite_all(fd, files.pread(fd, size, position), position)
        files.fdatasync(fd)
    return found, tail


def examine(
    files: Files, run_id: RunId, folder: str, log_fd: int, *, strict: bool
) -> tuple[HeadFile | None, Tail]:
    """
    What ``head`` says, and where the last whole batch ends: from there on, else from line 1.

    Changes nothing. Raises ``corrupt`` and what ``recovery.classify`` raises. ``strict``, for who
    is going to write: the last acknowledged batch is walked as well.
    """
    read: Read = partial(files.pread, log_fd)
    found = read_head(files, f"{folder}/head")
    size = files.status(log_fd).size
    head = found.head if found else Head(0, 0, "")
    if size == 0 or head.position > size or (found and not holds_hash(read, head)):
        raise refusals.short(run_id, folder, head, size)
    if found and strict:
        check_last_batch(run_id, read, head)
    chain = Chain(run_id, head.seq, head.position, head.hash if found else None, strict=strict)
    closed = found is not None and found.state == "closed"
    return found, classify(chain, read, size, head.position, closed=closed)

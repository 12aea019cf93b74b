"""
One writer's hold on one run folder: the descriptors, the appends, the way out.

The order of every append: look that nobody else was here, write, sync, look again, overwrite
``head``, acknowledge. After a failed sync nothing is tried again, because the next sync would
succeed although the bytes are lost: the lease is broken until the run is acquired anew, through
recovery.

Below: errors, files, log, headfile, chain, limits. Above: filesystem.
"""

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Literal

from journal.backends.headfile import encode_head
from journal.chain import hash_of
from journal.errors import StorageError, StorageErrorCode, code_of, from_system, storage_error
from journal.files import Files, lies_at
from journal.limits import ALONE_CHECK_S, HEAD_BYTES
from journal.log import Head, Lease


class FileLease(Lease, kw_only=True):
    """A lease that holds open files. ``broken`` says why nothing can be appended any more."""

    folder: str
    log_fd: int
    head_fd: int
    lock_fd: int
    pid: int
    head_bytes: bytes = b""
    seen_alone_s: float = 0.0
    broken: str | None = None
    released: bool = False


def append(files: Files, lease: FileLease, lines: Sequence[bytes]) -> Head:
    """Add one batch; see ``EventLog.append``."""
    _check_usable(lease)
    try:
        _check_alone(files, lease)
        _write(files, lease, b"".join(lines))
        files.fdatasync(lease.log_fd)
        before = lease.head
        size = sum(map(len, lines))
        after = Head(before.seq + len(lines), before.position + size, hash_of(lines[-1]))
        # Whoever wrote at the same time put its lines where ours should stand, or behind them.
        if not (_is_whole(files, lease, after) and _was_in_place(files, lease)):
            raise _taken_over(lease, "The batch was not acknowledged")
        # Before the acknowledgement, so that a reader of this boot knows what was acknowledged.
        tell_head(files, lease, after, "open")
    except (OSError, MemoryError) as failure:
        lease.broken = f"{code_of(failure)}"
        raise from_system(
            failure,
            f"run {lease.run_id}: appending behind line {lease.head.seq} failed; what was "
            "acknowledged is untouched, and this writer is closed",
            operation="append",
            run_id=lease.run_id,
            seq=lease.head.seq + 1,
            offset=lease.head.position,
            backend="filesystem",
            path=f"{lease.folder}/events.jsonl",
            next_action=f"journal resume {lease.run_id}",
        ) from failure
    except StorageError:
        raise  # cut back: the log is as it was, the lease goes on; taken over: marked as such
    except BaseException:
        lease.broken = "interrupted"
        raise
    lease.head = after
    return after


def _check_usable(lease: FileLease) -> None:
    if lease.released or lease.broken or lease.pid != os.getpid():
        why = lease.broken or ("released" if lease.released else "forked")
        raise storage_error(
            StorageErrorCode.CLOSED,
            f"run {lease.run_id}: this writer is closed ({why}). Nothing was written.",
            operation="append",
            run_id=lease.run_id,
            backend="filesystem",
            reason=why,
            next_action=f"journal resume {lease.run_id}",
        )


def tell_head(files: Files, lease: FileLease, head: Head, state: Literal["open", "closed"]) -> None:
    """Overwrite ``head``, unsynced; the next batch must find it as it was written here."""
    data = encode_head(head, lease.epoch, lease.pid, state)
    files.pwrite_all(lease.head_fd, data, 0)
    lease.head_bytes = data


def _check_alone(files: Files, lease: FileLease) -> None:
    """
    A writer that slept through a takeover must notice before it writes.

    Bytes of somebody else it notices at once, and that the log lost its name, as in a takeover;
    another ``head`` or lock as often as is cheap.
    """
    if not (_is_whole(files, lease, lease.head) and _was_in_place(files, lease)):
        raise _taken_over(lease, "Nothing was written")


def _is_whole(files: Files, lease: FileLease, head: Head) -> bool:
    """Whether the log ends where ``head`` says, and still has a name."""
    found = files.status(lease.log_fd)
    return found.size == head.position and found.links > 0


def _was_in_place(files: Files, lease: FileLease) -> bool:
    """
    Whether all was in its place less than ``ALONE_CHECK_S`` ago.

    Asked before each batch and before its acknowledgement: who was stopped in between finds out.
    """
    now_s = time.monotonic()
    if now_s - lease.seen_alone_s < ALONE_CHECK_S:
        return True
    lease.seen_alone_s = now_s
    return _is_in_place(files, lease)


def _is_in_place(files: Files, lease: FileLease) -> bool:
    """Whether log and lock lie where they were opened, and ``head`` is as it was written here."""
    return files.pread(lease.head_fd, HEAD_BYTES, 0) == lease.head_bytes and all(
        lies_at(files, f"{lease.folder}/{name}", fd)
        for name, fd in (("events.jsonl", lease.log_fd), ("lock", lease.lock_fd))
    )


def _taken_over(lease: FileLease, what: str) -> StorageError:
    lease.broken = "taken_over"
    return storage_error(
        StorageErrorCode.CONFLICT,
        f"run {lease.run_id}: the log was changed by somebody else since line "
        f"{lease.head.seq}. {what}; this writer is closed.",
        operation="append",
        run_id=lease.run_id,
        seq=lease.head.seq,
        offset=lease.head.position,
        backend="filesystem",
        path=f"{lease.folder}/events.jsonl",
        reason="taken_over",
        next_action=f"journal verify {lease.run_id}",
    )


def _write(files: Files, lease: FileLease, data: bytes) -> None:
    """Write the batch; where the disk is full, cut off what was written of it."""
    try:
        files.write_all(lease.log_fd, data)
    except OSError as failure:
        if code_of(failure) is not StorageErrorCode.NO_SPACE:
            raise
        cut_back(files, lease)  # raises when it fails: then the writer is broken
        raise storage_error(
            StorageErrorCode.NO_SPACE,
            f"run {lease.run_id}: no space for {len(data)} bytes behind line "
            f"{lease.head.seq}. The partial batch was cut off again; the log is whole, and this "
            "writer goes on once there is space.",
            operation="append",
            run_id=lease.run_id,
            seq=lease.head.seq + 1,
            offset=lease.head.position,
            backend="filesystem",
            path=f"{lease.folder}/events.jsonl",
            reason="cut_back",
            next_action="free some space, then append again",
        ) from failure


def cut_back(files: Files, lease: FileLease) -> None:
    """Cut the log to the last acknowledged line and sync that. Raises ``OSError``."""
    fd = files.open_rewrite(f"{lease.folder}/events.jsonl")
    try:
        if files.status(fd).inode != files.status(lease.log_fd).inode:
            raise _taken_over(lease, "Nothing was written")  # what lies there now is not ours
        files.truncate(fd, lease.head.position)
        files.fdatasync(fd)
    finally:
        files.close(fd)


def release(files: Files, lease: FileLease) -> bool:
    """Mark the run closed where nothing is broken, and let go. Gives whether it was marked."""
    if lease.released:
        return False
    marked = False
    try:
        if not lease.broken and lease.pid == os.getpid():
            lease.seen_alone_s = 0.0  # once, so nothing is saved by not looking
            _check_alone(files, lease)
            tell_head(files, lease, lease.head, "closed")
            files.fdatasync(lease.head_fd)
            marked = True
    except (OSError, MemoryError) as failure:
        lease.broken = f"{code_of(failure)}"
    except StorageError:
        pass  # taken over: the other writer marks the run; lease.broken says so
    finally:
        close(files, lease)
    return marked


def close(files: Files, lease: FileLease) -> None:
    """Let go of lock and files, whatever state they are in."""
    lease.released = True
    opened = [lease.log_fd, lease.head_fd]
    if lease.pid == os.getpid():
        with suppress(OSError, MemoryError):
            files.unlock(lease.lock_fd)
        opened.append(lease.lock_fd)  # a forked child has closed its copy already
    for fd in opened:
        with suppress(OSError, MemoryError):
            files.close(fd)

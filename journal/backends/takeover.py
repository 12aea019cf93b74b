"""
Taking a run from a holder that is stopped, not dead: only by explicit force.

A dead holder leaves its lock to whoever comes; a stopped one keeps it, and may wake at any moment.
It must then find out before it writes, and whatever it was in the middle of must not reach the log.
So it is left behind with its files: a new lock, and copies of ``head`` and log, take their places.
Whoever breaks off in between leaves a lock that is not empty, and the next writer goes on with the
takeover first; an unused copy lies there until the run is deleted.

Below: files, limits, headfile, refusals, ids. Above: filesystem.
"""

import time
import uuid
from contextlib import suppress

from journal.backends import refusals
from journal.backends.headfile import read_head
from journal.files import Files, lies_at
from journal.ids import RunId
from journal.limits import ALONE_CHECK_S, READ_BYTES


def seize(files: Files, run_id: RunId, folder: str) -> int:
    """
    Put a lock of our own in the place of the holder's; gives the descriptor that holds it.

    On return the holder writes into files without a name, and no one believes it. Costs a copy of
    the log. Raises ``locked`` when somebody else seizes the run at the same time.
    """
    temporary = f"{folder}/lock-{uuid.uuid4().hex[:8]}"
    fd = files.create(temporary)
    try:
        if not files.lock(fd):
            raise refusals.locked(run_id, folder, None, "acquire")
        files.write_all(fd, b"taking over\n")
        files.rename(temporary, f"{folder}/lock")
        finish(files, run_id, folder, fd)
    except BaseException:
        with suppress(OSError, MemoryError):
            files.close(fd)
        with suppress(OSError, MemoryError):
            if files.status_of(temporary) is not None:
                files.unlink(temporary)
        raise
    return fd


def finish(files: Files, run_id: RunId, folder: str, lock_fd: int) -> None:
    """
    Leave the former holder behind, for who holds a lock that is not empty; then it is.

    Until then the former holder, who may be stopped or still at work, has log and head open, too.
    """
    files.fsync_dir(folder)
    # Until each look of the holder that found its own lock is too old for another batch or for an
    # acknowledgement. So all that it acknowledged is in the log before it is copied.
    time.sleep(2 * ALONE_CHECK_S)
    for name in ("head", "events.jsonl"):
        _supplant(files, run_id, folder, name, lock_fd)
    # Before the lock is empty: what is written to a copy without a durable name would be gone with
    # the power.
    files.fsync_dir(folder)
    files.truncate(lock_fd, 0)


def _supplant(files: Files, run_id: RunId, folder: str, name: str, lock_fd: int) -> None:
    """A synced copy under the same name, for a file that somebody else may still write to."""
    path = f"{folder}/{name}"
    if files.status_of(path) is None:
        return
    temporary = f"{path}-{uuid.uuid4().hex[:8]}"
    source = files.open_read(path)
    try:
        target = files.create(temporary)
        try:
            position = 0
            while data := files.pread(source, READ_BYTES, position):
                files.write_all(target, data)
                position += len(data)
            files.fdatasync(target)
        finally:
            files.close(target)
        if not lies_at(files, f"{folder}/lock", lock_fd):
            raise refusals.locked(run_id, folder, read_head(files, f"{folder}/head"), "acquire")
        files.rename(temporary, path)
    except BaseException:
        with suppress(OSError, MemoryError):
            if files.status_of(temporary) is not None:
                files.unlink(temporary)
        raise
    finally:
        files.close(source)

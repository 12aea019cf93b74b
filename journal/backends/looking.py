"""
What a reader may see of one run: up to its watermark, and nothing that could be taken back.

Changes no file; syncs what would otherwise be shown before it is durable. Raises ``OSError`` and
``StorageError``.

Below: files, log, headfile, refusals, runfolder, ids, errors. Above: filesystem.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from journal.backends import refusals, runfolder
from journal.backends.headfile import FIRST_EPOCH, UNPUBLISHED, read_head
from journal.errors import StorageError
from journal.files import Files
from journal.ids import RunId
from journal.log import Extent, HeadInfo


@contextmanager
def opened(files: Files, path: str) -> Iterator[int]:
    """A file open for reading."""
    fd = files.open_read(path)
    try:
        yield fd
    finally:
        with suppress(OSError):  # what was read was read; a generator's end has no one to tell
            files.close(fd)


def head(files: Files, run_id: RunId, folder: str) -> HeadInfo:
    """Up to where readers may see; see ``EventLog.head``."""
    # Before the head is read: who finds the lock free then reads the head that was left.
    live = files.is_locked(f"{folder}/lock")
    with opened(files, f"{folder}/events.jsonl") as fd:
        found = read_head(files, f"{folder}/head")
        if found is not None and found.of_this_boot:
            if found.epoch == UNPUBLISHED:  # what is shown must not vanish with the power
                files.fsync_dir(folder.rpartition("/")[0])
            size = files.status(fd).size
            if found.head.position > size:
                raise refusals.short(run_id, folder, found.head, size)
            shown = found.head
        else:
            # After a reboot, or on another host, the watermark may lag: whole batches.
            if found is None or not found.names_boot:  # they may be in memory only
                files.fdatasync(fd)
            found, tail = runfolder.examine(files, run_id, folder, fd, strict=False)
            shown = tail.head
    return HeadInfo(
        head=shown,
        epoch=max(found.epoch, FIRST_EPOCH) if found else FIRST_EPOCH,
        host=found.host if found else "unknown",
        pid=found.pid if found else 0,
        state=found.state if found else "open",
        live=live,
    )


def extent(files: Files, folder: str) -> Extent:
    """How long a log is as it lies there; see ``EventLog.extent``."""
    live = files.is_locked(f"{folder}/lock")
    with opened(files, f"{folder}/events.jsonl") as fd:
        return Extent(files.status(fd).size, live)


def torn_bytes(files: Files, run_id: RunId, folder: str) -> int:
    """How much of the log's end was never acknowledged; see ``EventLog.torn_bytes``."""
    with opened(files, f"{folder}/events.jsonl") as fd:
        try:
            _, tail = runfolder.examine(files, run_id, folder, fd, strict=True)
        except StorageError:
            if files.is_locked(f"{folder}/lock"):
                return 0  # half a batch on its way
            raise
    return 0 if files.is_locked(f"{folder}/lock") else tail.torn_bytes

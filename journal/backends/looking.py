"""
What a reader may see of one run: up to its watermark, and nothing that could be taken back.

Changes no file; syncs what would otherwise be shown before it is durable. Raises ``OSError`` and
``StorageError``.

Below: files, log, recovery, headfile, refusals, runfolder, ids, errors. Above: filesystem.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from journal.backends import refusals, runfolder
from journal.backends.headfile import FIRST_EPOCH, UNPUBLISHED, HeadFile, read_head
from journal.errors import StorageError
from journal.files import Files
from journal.ids import RunId
from journal.log import Extent, Head, HeadInfo
from journal.recovery import Tail

_LOOKS_MAX = 5
"""How often a log is looked at anew because a writer came to it or left it meanwhile."""


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
        found, shown = _shown(files, run_id, folder, fd)
    return HeadInfo(
        head=shown,
        epoch=max(found.epoch, FIRST_EPOCH) if found else FIRST_EPOCH,
        host=found.host if found else "unknown",
        pid=found.pid if found else 0,
        state=found.state if found else "open",
        live=live,
    )


def _shown(files: Files, run_id: RunId, folder: str, fd: int) -> tuple[HeadFile | None, Head]:
    found: HeadFile | None = None
    for _ in range(_LOOKS_MAX):
        found = read_head(files, f"{folder}/head")
        if found is not None and found.epoch == UNPUBLISHED:
            files.fsync_dir(folder.rpartition("/")[0])  # what is shown must not vanish
        if found is not None and found.of_this_boot:
            size = files.status(fd).size
            if found.head.position > size:
                raise refusals.short(run_id, folder, found.head, size)
            return found, found.head
        # After a reboot, or on another host, the watermark may lag: whole batches.
        tail = _examined(files, run_id, folder, fd, found, strict=False)
        if tail is not None:
            break
    else:
        _, tail = runfolder.examine(files, run_id, folder, fd, strict=False)
    if found is None or not found.names_boot:  # they may be in memory only
        files.fdatasync(fd)
    return found, tail.head


def _examined(
    files: Files,
    run_id: RunId,
    folder: str,
    fd: int,
    found: HeadFile | None,
    *,
    strict: bool,
) -> Tail | None:
    """
    Where the last whole batch ends; ``None`` if the head is no longer ``found``.

    Then a writer came meanwhile: what looks torn or damaged may be half of its batch, and what
    looks whole it may not have synced.
    """
    try:
        _, tail = runfolder.examine(files, run_id, folder, fd, strict=strict)
    except StorageError:
        if read_head(files, f"{folder}/head") != found:
            return None
        raise
    return tail if read_head(files, f"{folder}/head") == found else None


def extent(files: Files, folder: str) -> Extent:
    """How long a log is as it lies there; see ``EventLog.extent``."""
    live = files.is_locked(f"{folder}/lock")
    with opened(files, f"{folder}/events.jsonl") as fd:
        return Extent(files.status(fd).size, live)


def torn_bytes(files: Files, run_id: RunId, folder: str) -> int:
    """How much of the log's end was never acknowledged; see ``EventLog.torn_bytes``."""
    with opened(files, f"{folder}/events.jsonl") as fd:
        for _ in range(_LOOKS_MAX):
            # In this order: whoever takes the lock later tells the head before it writes.
            found = read_head(files, f"{folder}/head")
            if files.is_locked(f"{folder}/lock"):
                break
            tail = _examined(files, run_id, folder, fd, found, strict=True)
            if tail is not None:
                return tail.torn_bytes
    return 0  # half a batch on its way

"""
How the filesystem backend says no: where, what was left untouched, what to run next.

Below: errors, log, headfile. Above: runfolder, filesystem.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from journal.backends.headfile import HeadFile
from journal.errors import StorageError, StorageErrorCode, from_system, storage_error
from journal.log import Head

BACKEND = "filesystem"


@contextmanager
def place(operation: str, run_id: str | None = None, path: str | None = None) -> Iterator[None]:
    """Name the place of an error of the system; nothing but ``StorageError`` gets past this."""
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
            backend=BACKEND,
            next_action=f"journal verify {run_id}" if run_id else None,
            **details,
        ) from failure


def absent(run_id: str, folder: str, *, log_gone: bool) -> StorageError:
    """No such run; or its folder without its log, which is a loss and never made anew."""
    what = "its folder is there, its log is gone" if log_gone else "does not exist"
    return storage_error(
        StorageErrorCode.NOT_FOUND,
        f"run {run_id} {what}. Nothing was changed.",
        operation="open",
        run_id=run_id,
        backend=BACKEND,
        path=folder,
        reason="log_gone" if log_gone else "no_such_run",
        next_action="restore events.jsonl from a backup" if log_gone else "journal list",
    )


def half_deleted(run_id: str, folder: str) -> StorageError:
    """The run was deleted, by somebody who died before the feed was told."""
    return storage_error(
        StorageErrorCode.NOT_FOUND,
        f"run {run_id} was deleted, but whoever did so ended half-way. Nothing was changed.",
        operation="open",
        run_id=run_id,
        backend=BACKEND,
        path=folder,
        reason="deleted",
        next_action=f"journal delete --yes {run_id}",
    )


def no_folder(path: str) -> StorageError:
    """Something else lies where a folder of runs should: a file, or a link, which may lead away."""
    return storage_error(
        StorageErrorCode.CORRUPT,
        f"{path} is no folder of this store: it is a file or a link. It was not followed.",
        operation="runs",
        backend=BACKEND,
        path=path,
        reason="no_folder",
        next_action="move it away, or the folder that it leads to into its place",
    )


def cut_off(run_id: str, folder: str, wanted: int, size: int) -> StorageError:
    """The log ends before a position that it had reached already."""
    what = f"the log has {size} bytes, but {wanted} were acknowledged"
    return _lost(run_id, folder, None, wanted, f"(byte {size}): {what}")


def short(run_id: str, folder: str, head: Head, size: int) -> StorageError:
    """The log does not hold what was acknowledged."""
    if size < head.position or size == 0:
        return cut_off(run_id, folder, head.position, size)
    what = f"line {head.seq} (byte {head.position}): this is not the line that was acknowledged"
    return _lost(run_id, folder, head.seq, head.position, what)


def _lost(run_id: str, folder: str, seq: int | None, offset: int, what: str) -> StorageError:
    return storage_error(
        StorageErrorCode.CORRUPT,
        f"run {run_id} {what}. Nothing was changed.",
        operation="read",
        run_id=run_id,
        seq=seq,
        offset=offset,
        backend=BACKEND,
        path=f"{folder}/events.jsonl",
        reason="watermark",
        next_action=f"journal verify {run_id}",
    )


def locked(run_id: str, folder: str, found: HeadFile | None, operation: str) -> StorageError:
    """Somebody else holds the run; ``found`` says who, as far as its head tells."""
    who = f"process {found.pid} on {found.host}" if found else "another process"
    return storage_error(
        StorageErrorCode.LOCKED,
        f"run {run_id} is being written by {who}. Nothing was changed.",
        operation=operation,
        run_id=run_id,
        backend=BACKEND,
        path=f"{folder}/lock",
        next_action="wait for it to end, or end it; force=True takes it from one that is stopped",
    )


def already_there(run_id: str, folder: str) -> StorageError:
    """A run of that id is there already."""
    return storage_error(
        StorageErrorCode.CONFLICT,
        f"run {run_id} exists already. Nothing was changed.",
        operation="create",
        run_id=run_id,
        backend=BACKEND,
        path=folder,
        next_action=f"journal resume {run_id}",
    )

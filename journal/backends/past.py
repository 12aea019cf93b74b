"""
A fork's past in its own folder: ``ancestors/<run_id>.jsonl``, one file for each run it comes from.

Such a file is made whole before the fork has its name, and never changes. So a fork of the fork may
share it: a second name for the same bytes. The parent's own log is still growing or may be opened
again, and is therefore copied.

Below: files, limits, ids, log. Above: filesystem.
"""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from journal.files import Files
from journal.ids import RunId
from journal.limits import READ_BYTES
from journal.log import Ancestor, Past


def past_path(folder: str, ancestor: RunId) -> str:
    """Where the run in ``folder`` keeps the lines of an ancestor, whether or not it does."""
    return f"{folder}/ancestors/{ancestor}.jsonl"


@contextmanager
def opened_past(files: Files, path: str) -> Iterator[int]:
    """The file at ``path`` open to read. Where its folder is a link, it is not there."""
    folder = path.rpartition("/")[0]
    if not files.is_folder(folder):
        raise FileNotFoundError(errno.ENOENT, "no folder", folder)
    fd = files.open_read(path)
    try:
        yield fd
    finally:
        files.close(fd)


def carry_past(files: Files, past: Past, folder_of: Callable[[RunId], str], folder: str) -> None:
    """
    Put a past into ``folder``, a run that nobody sees yet; all of it is durable on return.

    Raises ``OSError``, and what reading the ancestors and bringing the artifacts raises.
    """
    files.mkdir(f"{folder}/ancestors")
    for ancestor in past.ancestors:
        path = past_path(folder, ancestor.run_id)
        if not _shared(files, ancestor, path, folder_of):
            _copy(files, ancestor, path)
    files.fsync_dir(f"{folder}/ancestors")
    past.bring(folder)
    files.fsync_dir(f"{folder}/artifacts")


def _shared(files: Files, ancestor: Ancestor, path: str, folder_of: Callable[[RunId], str]) -> bool:
    if ancestor.kept_by is None:
        return False
    # Whatever keeps the system from giving a second name (too many, another owner, a file system
    # that has none), the bytes can still be copied.
    with suppress(OSError):
        files.link(past_path(folder_of(ancestor.kept_by), ancestor.run_id), path)
        fd = files.open_read(path)
        try:
            files.fdatasync(fd)  # somebody may have copied it there, and not yet to the disk
        finally:
            files.close(fd)
        for _ in ancestor.lines():
            pass
        return True
    if files.status_of(path) is not None:
        files.unlink(path)
    return False


def _copy(files: Files, ancestor: Ancestor, path: str) -> None:
    fd = files.create(path)
    try:
        lines: list[bytes] = []
        size = 0
        for line in ancestor.lines():
            lines.append(line)
            size += len(line)
            if size >= READ_BYTES:
                files.write_all(fd, b"".join(lines))
                lines, size = [], 0
        files.write_all(fd, b"".join(lines))
        files.fdatasync(fd)
    finally:
        files.close(fd)

"""
The tree of days below ``runs/``: which runs lie there, and what makers and deleters left behind.

A link is never followed: it may lead out of the store. What cannot be looked at is told, not
skipped.

Below: errors, files, ids, refusals. Above: runfolder, filesystem.
"""

import re
from collections.abc import Iterator
from contextlib import suppress

from journal.backends import refusals
from journal.errors import StorageError
from journal.files import Files
from journal.ids import RunId, parse_run_id

NEW = ".new-"
"""How the name of a run folder begins that is not whole yet."""

DELETED = ".deleted-"
"""How the name of a run folder begins that is being removed."""

_NUMBER = re.compile(r"[0-9]+")


def check_way(files: Files, root: str, folder: str) -> None:
    """
    Refuse with ``corrupt`` a run that lies behind a link, anywhere on the way from ``root``.

    Whoever laid it would have us write, or delete, somewhere else.
    """
    way = folder
    while len(way) > len(root):
        if not files.is_folder(way):
            raise refusals.no_folder(way)
        way = way.rpartition("/")[0]


def runs(files: Files, root: str, failures: list[StorageError] | None) -> Iterator[RunId]:
    """All runs below ``root``, oldest day first; see ``EventLog.runs``."""
    with refusals.place("runs", path=root):
        if files.status_of(root) is None:
            return
    folders = [root]
    for _ in ("year", "month", "day"):
        folders = [
            f"{folder}/{name}"
            for folder in folders
            for name in _names(files, folder, failures)
            if _NUMBER.fullmatch(name)
        ]
    for day in folders:
        for name in _names(files, day, failures):
            with suppress(StorageError):
                yield parse_run_id(name)


def _names(files: Files, path: str, failures: list[StorageError] | None) -> list[str]:
    try:
        with refusals.place("runs", path=path):
            if not files.is_folder(path):
                raise refusals.no_folder(path)
            return files.listdir(path)
    except StorageError as failure:
        if failures is None:
            raise
        failures.append(failure)
        return []


def remove_half_made(files: Files, day: str) -> None:
    """Remove new runs whose maker died, so that nobody holds their lock. Raises ``OSError``."""
    for name in files.listdir(day):
        if not name.startswith(NEW) or files.status_of(f"{day}/{name}/lock") is None:
            continue
        fd = files.open_rewrite(f"{day}/{name}/lock")
        try:
            if files.lock(fd):
                files.remove_tree(f"{day}/{name}")
        finally:
            files.close(fd)


def half_deleted(files: Files, day: str, run_id: RunId | None = None) -> list[str]:
    """Names of folders, of one run or of all, left by whoever died while deleting them."""
    begin = DELETED if run_id is None else f"{DELETED}{run_id}-"
    return [name for name in files.listdir(day) if name.startswith(begin)]


def deleted_run(name: str) -> RunId:
    """The run that a name of ``half_deleted`` was."""
    return parse_run_id(name.removeprefix(DELETED).rpartition("-")[0])

"""Files that fail, die or say what they did at the n-th operation: one seam, any fault."""

import os
import signal
from collections.abc import Callable
from typing import Any

from journal.files import Files

OPERATIONS = [
    "create",
    "open_read",
    "close",
    "write",
    "pread",
    "fdatasync",
    "fsync_dir",
    "status",
    "status_of",
    "is_folder",
    "rename",
    "unlink",
    "mkdir",
    "listdir",
]


class WatchedFiles(Files):
    """Files that call ``before`` with a number from 1 and a name before each operation."""

    def __init__(self, before: Callable[[int, str], None]) -> None:
        self._before = before
        self.done: list[str] = []

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name not in OPERATIONS:
            return found

        def call(*arguments: Any) -> Any:
            self.done.append(name)
            self._before(len(self.done), name)
            return found(*arguments)

        return call


def failing(at: int, number: int, *, stays: bool = False) -> WatchedFiles:
    """Operation ``at`` fails with the errno ``number``; with ``stays``, all later ones too."""

    def before(count: int, name: str) -> None:
        if count == at or (stays and count > at and name != "close"):
            raise OSError(number, os.strerror(number))

    return WatchedFiles(before)


def dying(at: int) -> WatchedFiles:
    """The process gets SIGKILL right before operation ``at``."""

    def before(count: int, _: str) -> None:
        if count == at:
            os.kill(os.getpid(), signal.SIGKILL)

    return WatchedFiles(before)

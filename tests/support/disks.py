"""
Files with something wrong: an operation that fails, a disk that is full, a process that dies.

Each stands behind the one seam of the library (``journal.files.Files``), so that the real code runs
on a real folder and only the one operation behaves as told.
"""

import errno
import os
import threading
from collections.abc import Callable
from typing import Any

from journal.files import Files

OPERATIONS = frozenset(
    """
    create open_append open_rewrite open_read close write pwrite pread truncate fdatasync fsync_dir
    status status_of is_folder rename link unlink mkdir listdir remove_tree lock unlock is_locked
    """.split()
)
# What the system does by itself once a process is gone.
_AT_DEATH = frozenset({"close", "unlock"})


class Died(BaseException):
    """The process is gone from here on; nothing in the library may catch this and go on."""


class UnsyncedFiles(Files):
    """Syncs nothing: for tests that take a thousand steps and never lose power."""

    def fdatasync(self, fd: int) -> None:
        """The page cache is enough here."""

    def fsync_dir(self, path: str) -> None:
        """The page cache is enough here."""


class WatchedFiles(UnsyncedFiles):
    """
    Tells ``before`` of each operation: its number from 1, its name, its arguments.

    ``done`` are the names so far, ``open`` the descriptors that nobody has closed.
    """

    def __init__(self, before: Callable[[int, str, tuple[Any, ...]], None]) -> None:
        self._before = before
        self.done: list[str] = []
        self.open: set[int] = set()

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name not in OPERATIONS:
            return found

        def call(*arguments: Any) -> Any:
            self.done.append(name)
            try:
                self._before(len(self.done), name, arguments)
            except (OSError, MemoryError):
                if name == "close":  # a failed close closes all the same
                    found(*arguments)
                    self.open.discard(arguments[0])
                raise
            result = found(*arguments)
            if name == "create" or name.startswith("open_"):
                self.open.add(result)
            elif name == "close":
                self.open.discard(arguments[0])
            return result

        return call


def failing(at: int, failure: BaseException) -> WatchedFiles:
    """Operation ``at``, and no other, fails with ``failure``."""

    def before(count: int, name: str, _: tuple[Any, ...]) -> None:
        if count == at:
            raise failure

    return WatchedFiles(before)


class Trap(WatchedFiles):
    """The next ``operation`` after ``armed`` is set fails; ``sprung`` counts how often it did."""

    def __init__(self, operation: str, number: int) -> None:
        super().__init__(self._spring)
        self.operation = operation
        self.number = number
        self.armed = False
        self.sprung = 0

    def _spring(self, count: int, name: str, _: tuple[Any, ...]) -> None:
        if self.armed and name == self.operation:
            self.armed = False
            self.sprung += 1
            raise system_error(self.number)


def system_error(number: int) -> OSError:
    """An error of the system with its usual text."""
    return OSError(number, os.strerror(number))


class DyingFiles(WatchedFiles):
    """
    The process dies right before operation ``at``: nothing after it reaches the disk.

    Where that is a write, ``part`` of its bytes get there.
    """

    def __init__(self, at: int, part: float = 0.0) -> None:
        super().__init__(self._die)
        self._at = at
        self._part = part

    def _die(self, count: int, name: str, arguments: tuple[Any, ...]) -> None:
        if count == self._at and self._part and name in {"write", "pwrite"}:
            fd, data, *place = arguments
            some = data[: int(len(data) * self._part)]
            os.pwrite(fd, some, *place) if place else os.write(fd, some)
        if count == self._at or (count > self._at and name not in _AT_DEATH):
            raise Died

    def bury(self) -> None:
        """What the system does for a dead process: its descriptors go, and their locks too."""
        for fd in list(self.open):
            os.close(fd)
        self.open.clear()


class ShortFiles(Files):
    """Each write takes at most ``most`` bytes, as any write may."""

    def __init__(self, most: int) -> None:
        self._most = most

    def write(self, fd: int, data: bytes | memoryview) -> int:
        return super().write(fd, data[: self._most])

    def pwrite(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        return super().pwrite(fd, data[: self._most], offset)


class FullFiles(Files):
    """A disk with ``room`` bytes left for writes at the end of files; ``None`` is plenty."""

    def __init__(self, number: int = errno.ENOSPC) -> None:
        self.room: int | None = None
        self.number = number

    def write(self, fd: int, data: bytes | memoryview) -> int:
        if self.room is None:
            return super().write(fd, data)
        if self.room == 0:
            raise OSError(self.number, os.strerror(self.number))
        taken = super().write(fd, data[: self.room])
        self.room -= taken
        return taken


class GatedFiles(Files):
    """A disk whose syncs wait, bounded, while its gate is closed; ``begun``, ``synced`` count."""

    def __init__(self) -> None:
        self.begun = 0
        self.synced = 0
        self.gate = threading.Event()
        self.gate.set()

    def fdatasync(self, fd: int) -> None:
        self.begun += 1
        self.gate.wait(180)
        super().fdatasync(fd)
        self.synced += 1


class CountingFiles(Files):
    """Counts the bytes that are read."""

    def __init__(self) -> None:
        self.bytes_read = 0

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        data = super().pread(fd, size, offset)
        self.bytes_read += len(data)
        return data

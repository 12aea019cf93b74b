"""A store held in memory, read through the seam of the library: to damage it a million times."""

import errno
import os
from pathlib import Path

from journal.backends.filesystem import FilesystemLog
from journal.files import Files, FileStatus


class FrozenFiles(Files):
    """Files that are read, and never written; ``content`` maps paths to bytes."""

    def __init__(self, content: dict[str, bytes | bytearray]) -> None:
        self.content = content
        self.folders = {folder for path in content for folder in _folders(path)}
        self._opened: dict[int, str] = {}
        self._next = 1000

    def open_read(self, path: str) -> int:
        if path not in self.content:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        self._next += 1
        self._opened[self._next] = path
        return self._next

    def close(self, fd: int) -> None:
        del self._opened[fd]

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        return bytes(self.content[self._opened[fd]][offset : offset + size])

    def status(self, fd: int) -> FileStatus:
        return self._status(self._opened[fd])

    def status_of(self, path: str) -> FileStatus | None:
        if path in self.folders:
            return FileStatus(0, (0, 0))
        return self._status(path) if path in self.content else None

    def _status(self, path: str) -> FileStatus:
        return FileStatus(len(self.content[path]), (1, hash(path)))

    def is_folder(self, path: str) -> bool:
        return path in self.folders

    def listdir(self, path: str) -> list[str]:
        inside = [each for each in (*self.content, *self.folders) if each.startswith(f"{path}/")]
        return sorted({each[len(path) + 1 :].partition("/")[0] for each in inside})

    def is_locked(self, path: str) -> bool:
        return False

    def fdatasync(self, fd: int) -> None:
        """Nothing is ever lost here."""

    def fsync_dir(self, path: str) -> None:
        """Nothing is ever lost here."""


def _folders(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(2, len(parts))]


class FrozenStore:
    """A copy of the store at ``root``, in memory."""

    def __init__(self, root: Path) -> None:
        found = {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        self.root = str(root)
        self.files = FrozenFiles(dict(found))
        self.log = FilesystemLog.open(self.root, create=False, files=self.files)

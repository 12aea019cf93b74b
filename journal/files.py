"""
The only place of the write side that touches files.

One small class, so that a simulated disk can stand in: every call is one operation of the system
(``write_all`` and ``pwrite_all`` loop, because any write may be short). Raises ``OSError`` only;
callers say what it means with ``errors.from_system``. Never follows a symbolic link at the end of
a path, never opens what is no regular file, never makes anything that others can read.

Below: nothing. Above: recovery, backends, artifacts.
"""

import contextlib
import errno
import os
import shutil
import stat
import sys
from collections.abc import Callable
from typing import NamedTuple

_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW


class FileStatus(NamedTuple):
    """Size in bytes and identity of a file, and how many names it has: 0 after the last is gone."""

    size: int
    inode: tuple[int, int]
    links: int = 1


class Files:
    """Files of the operating system. A descriptor is an int; paths are absolute strings."""

    def create(self, path: str) -> int:
        """Make a new file (mode 0600), open for appending; ``FileExistsError`` if it is there."""
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | _FLAGS
        return _above_streams(os.open(path, flags, 0o600))

    def open_append(self, path: str) -> int:
        """Open for appending: every write goes to the end, whoever else writes."""
        return self._open_regular(path, os.O_WRONLY | os.O_APPEND)

    def open_rewrite(self, path: str) -> int:
        """Open for reading and writing in place."""
        return self._open_regular(path, os.O_RDWR)

    def open_read(self, path: str) -> int:
        """Open for reading."""
        return self._open_regular(path, os.O_RDONLY)

    def _open_regular(self, path: str, flags: int) -> int:
        # O_NONBLOCK: a FIFO in the place of a file must not make the open wait for a writer.
        fd = _above_streams(os.open(path, flags | _FLAGS | os.O_NONBLOCK))
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise OSError(errno.EINVAL, "not a regular file", path)
        return fd

    def close(self, fd: int) -> None:
        """Close a descriptor."""
        _locked.discard(fd)
        os.close(fd)

    def write(self, fd: int, data: bytes | memoryview) -> int:
        """One write; gives the number of bytes that were taken, which may be fewer."""
        return os.write(fd, data)

    def pwrite(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        """One write in place; may be short as well."""
        return os.pwrite(fd, data, offset)

    def write_all(self, fd: int, data: bytes) -> None:
        """Write everything: a short write is gone on with, whatever its length."""
        self._all(lambda rest, _: self.write(fd, rest), data)

    def pwrite_all(self, fd: int, data: bytes, offset: int) -> None:
        """Write everything in place, from ``offset`` on."""
        self._all(lambda rest, done: self.pwrite(fd, rest, offset + done), data)

    @staticmethod
    def _all(write: Callable[[bytes | memoryview, int], int], data: bytes) -> None:
        done = write(data, 0)
        while done < len(data):
            count = write(memoryview(data)[done:], done)
            if count == 0:
                raise OSError(errno.EIO, "a write took no byte")
            done += count

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        """Read up to ``size`` bytes at ``offset``; empty at the end of the file."""
        return os.pread(fd, size, offset)

    def truncate(self, fd: int, size: int) -> None:
        """Cut a file to ``size`` bytes."""
        os.ftruncate(fd, size)

    def fdatasync(self, fd: int) -> None:
        """Make content and size durable. After a failure nobody knows what is on disk."""
        if sys.platform == "darwin":  # pragma: no cover - macOS only
            import fcntl

            fcntl.fcntl(fd, fcntl.F_FULLFSYNC)  # fsync there leaves data in the drive's cache
        else:
            os.fdatasync(fd)

    def fsync_dir(self, path: str) -> None:
        """Make the names inside a folder durable: syncing a file does not."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def status(self, fd: int) -> FileStatus:
        """Size and identity of an open file."""
        found = os.fstat(fd)
        return FileStatus(found.st_size, (found.st_dev, found.st_ino), found.st_nlink)

    def status_of(self, path: str) -> FileStatus | None:
        """Size and identity of what lies at ``path``, or ``None`` if nothing does."""
        try:
            found = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return FileStatus(found.st_size, (found.st_dev, found.st_ino), found.st_nlink)

    def is_folder(self, path: str) -> bool:
        """Whether a folder (no link to one) lies at ``path``."""
        try:
            return stat.S_ISDIR(os.lstat(path).st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return False

    def rename(self, source: str, target: str) -> None:
        """Give another name, in one step; replaces a file, never a folder that holds anything."""
        os.rename(source, target)

    def link(self, source: str, target: str) -> None:
        """Give a second name; ``FileExistsError`` if it is taken."""
        os.link(source, target, follow_symlinks=False)

    def unlink(self, path: str) -> None:
        """Take a name away."""
        os.unlink(path)

    def mkdir(self, path: str) -> None:
        """Make a folder (mode 0700); its parent must exist."""
        os.mkdir(path, 0o700)

    def listdir(self, path: str) -> list[str]:
        """Names inside a folder, sorted."""
        return sorted(os.listdir(path))

    def remove_tree(self, path: str) -> None:
        """Delete a folder and all that is in it, maybe beside others who do; follows no link."""
        while self.is_folder(path):
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(path)

    def lock(self, fd: int) -> bool:
        """Take the exclusive lock of an open file if it is free; it goes with the descriptor."""
        from filelock import lock_descriptor  # late: 60 ms that a reader need not pay

        taken = lock_descriptor(fd, blocking=False)
        if taken:
            _locked.add(fd)
        return taken

    def unlock(self, fd: int) -> None:
        """Let go of the lock, also for a forked child that holds a copy of the descriptor."""
        from filelock import unlock_descriptor

        unlock_descriptor(fd)

    def is_locked(self, path: str) -> bool:
        """
        Whether somebody holds the lock of the file at ``path``; ``False`` if there is no file.

        Tries a shared lock for a moment: that disturbs no other probe, and a writer that meets
        it tries again for a while (``limits.LOCK_RETRY_S``).
        """
        import fcntl

        try:
            fd = self.open_read(path)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        else:
            fcntl.flock(fd, fcntl.LOCK_UN)  # a child that was forked just now holds a copy of it
        finally:
            self.close(fd)
        return False


def _above_streams(fd: int) -> int:
    """A daemon closes 0 to 2; what somebody prints must not get into the next file opened."""
    if fd > 2:
        return fd
    import fcntl

    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
    finally:
        os.close(fd)


_locked: set[int] = set()


def _close_locks() -> None:
    """A forked child has a copy of each lock, which would keep it when its parent is killed."""
    for fd in _locked:
        with contextlib.suppress(OSError):
            os.close(fd)
    _locked.clear()


os.register_at_fork(after_in_child=_close_locks)


def lies_at(files: Files, path: str, fd: int) -> bool:
    """Whether the open file is the one that lies at ``path``."""
    here = files.status_of(path)
    return here is not None and here.inode == files.status(fd).inode


def read_small(files: Files, path: str, bytes_max: int) -> bytes | None:
    """The whole of a small file, or ``None`` if it is missing or longer than ``bytes_max``."""
    try:
        fd = files.open_read(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        chunks, size = [], 0
        while chunk := files.pread(fd, bytes_max + 1 - size, size):
            chunks.append(chunk)
            size += len(chunk)
            if size > bytes_max:
                return None
        return b"".join(chunks)
    finally:
        files.close(fd)


def make_folders(files: Files, base: str, relative: str, durable: set[str]) -> str:
    """
    Make the folders of ``relative`` below ``base`` where they are missing, durably each.

    Gives the path of the innermost. Several processes may do so at once. ``durable`` remembers
    which names this process has synced itself: of a folder that another process made, nobody
    knows whether its name is on disk yet.
    """
    path = base
    for part in relative.split("/"):
        parent, path = path, f"{path}/{part}"
        if path in durable:
            continue
        if not files.is_folder(path):
            try:
                files.mkdir(path)
            except FileExistsError:
                if not files.is_folder(path):  # a link leads away: nothing is made behind it
                    raise NotADirectoryError(errno.ENOTDIR, "not a folder", path) from None
        files.fsync_dir(parent)
        durable.add(path)
    return path


def replace_file(files: Files, path: str, data: bytes, *, temporary: str, durable: bool) -> None:
    """
    Put ``data`` at ``path`` in one step: a reader sees the old file or the new one, whole.

    ``temporary`` is a path in the same folder that nobody else uses. ``durable``: also synced.
    """
    if files.status_of(temporary) is not None:
        files.unlink(temporary)
    fd = files.create(temporary)
    try:
        files.write_all(fd, data)
        if durable:
            files.fdatasync(fd)
    finally:
        files.close(fd)
    files.rename(temporary, path)
    if durable:
        files.fsync_dir(path.rpartition("/")[0])

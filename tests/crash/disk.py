"""
A simulated disk behind ``journal.files.Files``: what is in memory, and what of that is on disk.

A file has a cache, durable content and dirty chunks of 512 bytes; a sync makes content and size
durable and nothing else. Names live in folders, and only a sync of the folder makes them durable.
A sync that fails forgets what was dirty and keeps the cache, so that the next one succeeds although
the bytes never reached the disk: what Linux does.

The model assumes of hardware what SQLite calls power-safe overwrite: a torn write leaves alone the
bytes that it did not change. Without that no file can be appended to inside a sector.

States are copied by reference: contents are immutable. What a power loss leaves: ``losses.py``.
"""

import errno
import os
from collections.abc import Callable
from typing import Any, NamedTuple

from journal.files import Files, FileStatus

CHUNK = 512
ROOT_NODE = 1


class File(NamedTuple):
    """
    One file. ``dirty`` and ``stale`` are bit masks of chunks.

    ``stale``: a failed sync has forgotten them, so that cache and disk differ and no sync mends it.
    """

    cache: bytes = b""
    durable: bytes = b""
    dirty: int = 0
    stale: int = 0


class Folder(NamedTuple):
    """Names in a folder, as processes see them and as they are on disk. Never changed in place."""

    names: dict[str, int]
    durable: dict[str, int]


class NameChange(NamedTuple):
    """``name`` in ``folder`` becomes ``node`` (0: goes); where it was renamed, from ``source``."""

    folder: int
    name: str
    node: int
    source: tuple[int, str] | None = None


class Fail(Exception):
    """Raised by a watcher: the operation fails with ``number``, doing what a failed one does."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


Watch = Callable[[str, tuple[Any, ...]], int | None]
"""Called before each operation; raises ``Fail``, or gives how many bytes a write may take."""


def mask_of(start: int, stop: int) -> int:
    """The chunks that hold the bytes from ``start`` to ``stop``."""
    if stop <= start:
        return 0
    return (1 << ((stop - 1) // CHUNK + 1)) - (1 << (start // CHUNK))


def applied(names: dict[str, int], folder: int, change: NameChange) -> dict[str, int]:
    """The names of ``folder`` after ``change``."""
    changed = dict(names)
    if change.source is not None and change.source[0] == folder:
        changed.pop(change.source[1], None)
    if change.folder == folder:
        if change.node:
            changed[change.name] = change.node
        else:
            changed.pop(change.name, None)
    return changed


def _error(number: int, path: object = None) -> OSError:
    return OSError(number, os.strerror(number), *([path] if isinstance(path, str) else []))


class Disk(Files):
    """One disk and the processes on it. ``watch`` sees each operation before it happens."""

    def __init__(self) -> None:
        self.nodes: dict[int, File | Folder] = {ROOT_NODE: Folder({}, {})}
        self.pending: tuple[NameChange, ...] = ()
        self.opened: dict[int, tuple[int, str]] = {}
        self.locks: dict[int, int] = {}
        self.boot = 1
        self.version = 0
        self.watch: Watch | None = None
        self._places: dict[str, int] = {"": ROOT_NODE}  # paths that were found; a memory only
        self._named: dict[int, int] | None = None  # names of each node; a memory only
        self._next_node = ROOT_NODE + 1
        self._next_fd = 3

    def copy(self) -> "Disk":
        """The same disk, with the same processes on it; what happens to one spares the other."""
        other = Disk.__new__(Disk)
        other.__dict__.update(self.__dict__)
        other.nodes = dict(self.nodes)
        other.opened = dict(self.opened)
        other.locks = dict(self.locks)
        other._places = dict(self._places)
        other.watch = None
        return other

    def killed(self) -> "Disk":
        """All processes are gone, with their descriptors and locks; the system goes on."""
        other = self.copy()
        other.opened, other.locks = {}, {}
        return other

    def evicted(self) -> "Disk":
        """The same, and memory was short: clean pages are read from disk again, stale ones too."""
        other = self.killed()
        for number, node in self.nodes.items():
            if isinstance(node, File) and node.stale:
                data = bytearray(node.cache)
                for start in chunks_of(node.stale & ~node.dirty):
                    old = node.durable[start : start + CHUNK].ljust(CHUNK, b"\0")
                    data[start : start + CHUNK] = old[: len(data[start : start + CHUNK])]
                other.nodes[number] = node._replace(cache=bytes(data), stale=0)
        return other

    def seen(self) -> dict[int, bytes | dict[str, int]]:
        """What processes see of it, whatever of that is durable."""
        return {
            number: node.cache if isinstance(node, File) else node.names
            for number, node in self.nodes.items()
        }

    # -- what every operation goes through -------------------------------------------------

    def _step(self, name: str, *arguments: Any) -> int | None:
        if self.watch is None:
            return None
        try:
            return self.watch(name, arguments)
        except Fail as failure:
            subject = arguments[0] if arguments else None
            if name == "close":
                self._close(arguments[0])
            elif name == "fdatasync":
                self._forget(arguments[0])
            raise _error(failure.number, subject) from None

    def _forget(self, fd: int) -> None:
        number, _ = self._open_file(fd)
        node = self._file(number)
        self._put(number, node._replace(dirty=0, stale=node.stale | node.dirty))

    def _put(self, number: int, node: File | Folder) -> None:
        self.nodes[number] = node
        self.version += 1

    def _file(self, number: int) -> File:
        node = self.nodes[number]
        assert isinstance(node, File)
        return node

    def _folder(self, number: int) -> Folder:
        node = self.nodes[number]
        assert isinstance(node, Folder)
        return node

    def _open_file(self, fd: int) -> tuple[int, str]:
        try:
            return self.opened[fd]
        except KeyError:
            raise _error(errno.EBADF) from None

    def _find(self, path: str) -> int:
        found = self._places.get(path)
        if found is None:
            parent, _, name = path.rpartition("/")
            node = self.nodes[self._find(parent)]
            if type(node) is not Folder:
                raise _error(errno.ENOTDIR, path)
            found = node.names.get(name) if name else self._find(parent)
            if found is None:
                raise _error(errno.ENOENT, path)
            self._places[path] = found
        return found

    def _find_parent(self, path: str) -> tuple[int, str]:
        parent, _, name = path.rpartition("/")
        number = self._find(parent)
        if type(self.nodes[number]) is not Folder:
            raise _error(errno.ENOTDIR, path)
        return number, name

    def _change(self, change: NameChange) -> None:
        folders = {change.folder} | ({change.source[0]} if change.source else set())
        for number in folders:
            folder = self._folder(number)
            self.nodes[number] = folder._replace(names=applied(folder.names, number, change))
        self.pending = (*self.pending, change)
        self._places, self._named = {"": ROOT_NODE}, None
        self.version += 1

    def _open(self, number: int, mode: str) -> int:
        fd = self._next_fd
        self._next_fd += 1
        self.opened[fd] = (number, mode)
        return fd

    # -- the operations, as in journal/files.py --------------------------------------------

    def create(self, path: str) -> int:
        self._step("create", path)
        folder, name = self._find_parent(path)
        if name in self._folder(folder).names:
            raise _error(errno.EEXIST, path)
        return self._open(self._make(File(), folder, name), "append")

    def _make(self, node: File | Folder, folder: int, name: str) -> int:
        number = self._next_node
        self._next_node += 1
        self.nodes[number] = node
        self._change(NameChange(folder, name, number))
        return number

    def open_append(self, path: str) -> int:
        self._step("open_append", path)
        return self._open(self._find_file(path), "append")

    def open_rewrite(self, path: str) -> int:
        self._step("open_rewrite", path)
        return self._open(self._find_file(path), "rewrite")

    def open_read(self, path: str) -> int:
        self._step("open_read", path)
        return self._open(self._find_file(path, errno.EINVAL), "read")

    def _find_file(self, path: str, error: int = errno.EISDIR) -> int:
        number = self._find(path)
        if type(self.nodes[number]) is not File:
            raise _error(error, path)
        return number

    def close(self, fd: int) -> None:
        self._step("close", fd)
        self._close(fd)

    def _close(self, fd: int) -> None:
        number, _ = self._open_file(fd)
        if self.locks.get(number) == fd:
            del self.locks[number]
        del self.opened[fd]

    def write(self, fd: int, data: bytes | memoryview) -> int:
        room = self._step("write", fd, data)
        number, mode = self._writable(fd)
        assert mode == "append", "no file is written at a position of the descriptor's own"
        return self._write(number, data, len(self._file(number).cache), room)

    def pwrite(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        room = self._step("pwrite", fd, data, offset)
        number, mode = self._writable(fd)
        # Linux: pwrite on an O_APPEND descriptor appends, wherever it is told to write.
        place = len(self._file(number).cache) if mode == "append" else offset
        return self._write(number, data, place, room)

    def _writable(self, fd: int, error: int = errno.EBADF) -> tuple[int, str]:
        number, mode = self._open_file(fd)
        if mode == "read":
            raise _error(error)
        return number, mode

    def _write(self, number: int, data: bytes | memoryview, offset: int, room: int | None) -> int:
        taken = bytes(data) if room is None else bytes(data[:room])
        if not taken:
            return 0
        node, end = self._file(number), offset + len(taken)
        before = node.cache[:offset].ljust(offset, b"\0")
        touched = mask_of(min(offset, len(node.cache)), end)
        self._put(
            number,
            File(
                before + taken + node.cache[end:],
                node.durable,
                node.dirty | touched,
                node.stale & ~touched,
            ),
        )
        return len(taken)

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        self._step("pread", fd, size, offset)
        number, mode = self._open_file(fd)
        if mode == "append":
            raise _error(errno.EBADF)
        node = self.nodes[number]
        assert isinstance(node, File)
        return node.cache[offset : offset + size]

    def truncate(self, fd: int, size: int) -> None:
        self._step("truncate", fd, size)
        number, _ = self._writable(fd, errno.EINVAL)
        node = self._file(number)
        keep = mask_of(0, size)
        cut = node.cache[:size].ljust(size, b"\0")
        # Growing is never asked for; the page that a cut goes through is cleared behind it.
        self._put(number, File(cut, node.durable, node.dirty & keep, node.stale & keep))

    def fdatasync(self, fd: int) -> None:
        self._step("fdatasync", fd)
        number, _ = self._open_file(fd)
        node = self._file(number)
        durable = node.cache
        if node.stale:
            data = bytearray(durable)
            for start in chunks_of(node.stale):
                old = node.durable[start : start + CHUNK].ljust(CHUNK, b"\0")
                data[start : start + CHUNK] = old[: len(data[start : start + CHUNK])]
            durable = bytes(data)
        if durable != node.durable or node.dirty:
            self._put(number, File(node.cache, durable, 0, node.stale))

    def fsync_dir(self, path: str) -> None:
        self._step("fsync_dir", path)
        number = self._find(path)
        if type(self.nodes[number]) is not Folder:
            raise _error(errno.ENOTDIR, path)
        kept = []
        for change in self.pending:
            folders = {change.folder} | ({change.source[0]} if change.source else set())
            if number not in folders:
                kept.append(change)
                continue
            for each in folders:
                folder = self._folder(each)
                durable = applied(folder.durable, each, change)
                self.nodes[each] = folder._replace(durable=durable)
            self.version += 1
        self.pending = tuple(kept)

    def status(self, fd: int) -> FileStatus:
        self._step("status", fd)
        number, _ = self._open_file(fd)
        node = self.nodes[number]
        assert isinstance(node, File)
        return FileStatus(len(node.cache), (1, number), self._links(number))

    def _links(self, number: int) -> int:
        """How many names a file has, as processes see it."""
        if self._named is None:
            self._named = dict.fromkeys(self.nodes, 0)
            for node in self.nodes.values():
                if type(node) is Folder:
                    for inner in node.names.values():
                        self._named[inner] += 1
        return self._named[number]

    def status_of(self, path: str) -> FileStatus | None:
        self._step("status_of", path)
        try:
            number = self._find(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        node = self.nodes[number]
        return FileStatus(len(node.cache) if isinstance(node, File) else 4096, (1, number))

    def is_folder(self, path: str) -> bool:
        self._step("is_folder", path)
        try:
            return type(self.nodes[self._find(path)]) is Folder
        except (FileNotFoundError, NotADirectoryError):
            return False

    def rename(self, source: str, target: str) -> None:
        self._step("rename", source, target)
        parent = self._find_parent(source)
        folder, name = self._find_parent(target)
        number = self._find(source)
        if f"{target}/".startswith(f"{source}/") and target != source:
            raise _error(errno.EINVAL, target)
        if source.startswith(f"{target}/"):
            raise _error(errno.ENOTEMPTY, target)
        there = self._folder(folder).names.get(name)
        if there == number:
            return  # two names of one file: the system leaves both
        if there is not None:
            node = self.nodes[there]
            if isinstance(node, Folder) and type(self.nodes[number]) is File:
                raise _error(errno.EISDIR, target)
            if isinstance(node, Folder) and node.names:
                raise _error(errno.ENOTEMPTY, target)
            if isinstance(node, File) and type(self.nodes[number]) is Folder:
                raise _error(errno.ENOTDIR, target)
        self._change(NameChange(folder, name, number, parent))

    def link(self, source: str, target: str) -> None:
        self._step("link", source, target)
        number = self._find_file(source)
        folder, name = self._find_parent(target)
        if name in self._folder(folder).names:
            raise _error(errno.EEXIST, target)
        self._change(NameChange(folder, name, number))

    def unlink(self, path: str) -> None:
        self._step("unlink", path)
        self._find_file(path)
        self._change(NameChange(*self._find_parent(path), 0))

    def mkdir(self, path: str) -> None:
        self._step("mkdir", path)
        folder, name = self._find_parent(path)
        if name in self._folder(folder).names:
            raise _error(errno.EEXIST, path)
        self._make(Folder({}, {}), folder, name)

    def listdir(self, path: str) -> list[str]:
        self._step("listdir", path)
        node = self.nodes[self._find(path)]
        if not isinstance(node, Folder):
            raise _error(errno.ENOTDIR, path)
        return sorted(node.names)

    def remove_tree(self, path: str) -> None:
        """One step for each name that goes: a tree does not go at once."""
        for name in self.listdir(path):
            inner = f"{path}/{name}"
            if self.is_folder(inner):
                self.remove_tree(inner)
            else:
                self.unlink(inner)
        self._step("rmdir", path)
        self._change(NameChange(*self._find_parent(path), 0))

    def lock(self, fd: int) -> bool:
        self._step("lock", fd)
        number, _ = self._open_file(fd)
        return self.locks.setdefault(number, fd) == fd

    def unlock(self, fd: int) -> None:
        self._step("unlock", fd)
        number, _ = self._open_file(fd)
        if self.locks.get(number) == fd:
            del self.locks[number]

    def is_locked(self, path: str) -> bool:
        self._step("is_locked", path)
        try:
            return self._find_file(path, errno.EINVAL) in self.locks
        except FileNotFoundError:
            return False


def chunks_of(mask: int) -> list[int]:
    """Where the chunks of a mask begin."""
    starts, chunk = [], 0
    while mask:
        if mask & 1:
            starts.append(chunk * CHUNK)
        mask >>= 1
        chunk += 1
    return starts

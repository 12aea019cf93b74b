"""
What the simulated disk is made of: files, folders, chunks, and how each changes.

Owns what is in memory and what is durable; the operations that processes call are ``disk.py``.
"""

import errno
import os
from collections.abc import Callable
from typing import Any, NamedTuple, Self

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


def system_error(number: int, path: object = None) -> OSError:
    return OSError(number, os.strerror(number), *([path] if isinstance(path, str) else []))


def chunks_of(mask: int) -> list[int]:
    """Where the chunks of a mask begin."""
    starts, chunk = [], 0
    while mask:
        if mask & 1:
            starts.append(chunk * CHUNK)
        mask >>= 1
        chunk += 1
    return starts


class Medium:
    """The state of a disk and of the processes on it."""

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

    def copy(self) -> Self:
        """The same disk, with the same processes on it; what happens to one spares the other."""
        other = type(self).__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.nodes = dict(self.nodes)
        other.opened = dict(self.opened)
        other.locks = dict(self.locks)
        other._places = dict(self._places)
        other.watch = None
        return other

    def killed(self) -> Self:
        """All processes are gone, with their descriptors and locks; the system goes on."""
        other = self.copy()
        other.opened, other.locks = {}, {}
        return other

    def evicted(self) -> Self:
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
            raise system_error(failure.number, subject) from None

    def _close(self, fd: int) -> None:
        number, _ = self._open_file(fd)
        if self.locks.get(number) == fd:
            del self.locks[number]
        del self.opened[fd]

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
            raise system_error(errno.EBADF) from None

    def _find(self, path: str) -> int:
        found = self._places.get(path)
        if found is None:
            parent, _, name = path.rpartition("/")
            node = self.nodes[self._find(parent)]
            if type(node) is not Folder:
                raise system_error(errno.ENOTDIR, path)
            found = node.names.get(name) if name else self._find(parent)
            if found is None:
                raise system_error(errno.ENOENT, path)
            self._places[path] = found
        return found

    def _find_parent(self, path: str) -> tuple[int, str]:
        parent, _, name = path.rpartition("/")
        number = self._find(parent)
        if type(self.nodes[number]) is not Folder:
            raise system_error(errno.ENOTDIR, path)
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

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

from journal.files import Files, FileStatus
from tests.crash.medium import (
    CHUNK,
    File,
    Folder,
    Medium,
    NameChange,
    applied,
    chunks_of,
    mask_of,
    system_error,
)


class Disk(Medium, Files):
    """One disk and the processes on it. ``watch`` sees each operation before it happens."""

    # -- the operations, as in journal/files.py --------------------------------------------

    def create(self, path: str) -> int:
        self._step("create", path)
        folder, name = self._find_parent(path)
        if name in self._folder(folder).names:
            raise system_error(errno.EEXIST, path)
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
            raise system_error(error, path)
        return number

    def close(self, fd: int) -> None:
        self._step("close", fd)
        self._close(fd)

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
            raise system_error(error)
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
            raise system_error(errno.EBADF)
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
            raise system_error(errno.ENOTDIR, path)
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
            raise system_error(errno.EINVAL, target)
        if source.startswith(f"{target}/"):
            raise system_error(errno.ENOTEMPTY, target)
        there = self._folder(folder).names.get(name)
        if there == number:
            return  # two names of one file: the system leaves both
        if there is not None:
            node = self.nodes[there]
            if isinstance(node, Folder) and type(self.nodes[number]) is File:
                raise system_error(errno.EISDIR, target)
            if isinstance(node, Folder) and node.names:
                raise system_error(errno.ENOTEMPTY, target)
            if isinstance(node, File) and type(self.nodes[number]) is Folder:
                raise system_error(errno.ENOTDIR, target)
        self._change(NameChange(folder, name, number, parent))

    def link(self, source: str, target: str) -> None:
        self._step("link", source, target)
        number = self._find_file(source)
        folder, name = self._find_parent(target)
        if name in self._folder(folder).names:
            raise system_error(errno.EEXIST, target)
        self._change(NameChange(folder, name, number))

    def unlink(self, path: str) -> None:
        self._step("unlink", path)
        self._find_file(path)
        self._change(NameChange(*self._find_parent(path), 0))

    def mkdir(self, path: str) -> None:
        self._step("mkdir", path)
        folder, name = self._find_parent(path)
        if name in self._folder(folder).names:
            raise system_error(errno.EEXIST, path)
        self._make(Folder({}, {}), folder, name)

    def listdir(self, path: str) -> list[str]:
        self._step("listdir", path)
        node = self.nodes[self._find(path)]
        if not isinstance(node, Folder):
            raise system_error(errno.ENOTDIR, path)
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

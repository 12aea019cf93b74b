"""
The index file: opened, made, replaced when damaged, done without when it cannot be written.

``Index.use(work)`` is the only way in. ``work`` gets an open connection to a whole index of this
version and may be run again from its beginning, on an empty index or on one in memory, so it
must read all that it needs from the connection that it is given.

| what is found | what happens |
|---|---|
| no file, an empty one, an older version | made, or made anew in one transaction |
| damage, garbage, no regular file | replaced, -wal and -shm too, under ``index.lock``; a warning |
| a newer version | ``unsupported_format``; not touched |
| locked too long, read-only, no space | an index in memory for as long as this object lives |

A file is replaced by unlinking it: whoever has the old one open goes on in a file without a name,
and notices at its next ``use``. Nobody opens a new file beside an old -wal (that corrupts it):
the names are taken away under the lock, and an opener compares inodes before and after.

Below: schema, sqlitefile. Above: seals, rows, catchup, rebuild, verify.
"""

import contextlib
import errno
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

from journal.errors import StorageError, StorageErrorCode, from_system, storage_error
from projections import schema
from projections.sqlitefile import (
    BUSY_S,
    UNUSABLE,
    Connection,
    connect,
    identity,
    make_file,
    memory,
    no_file_among,
    parts,
    primary_code,
    remove,
)

T = TypeVar("T")


class IndexDamaged(Exception):
    """A row that does not parse: as bad as a page that does not."""


class _Unusable(Exception):
    """The file can be neither opened nor made; ``args[0]`` says why."""


_TROUBLE = (
    sqlite3.Error,
    IndexDamaged,
    schema.Foreign,
    OSError,
    MemoryError,
    OverflowError,  # a number that SQLite does not take back
    UnicodeDecodeError,  # SQLite's own message quotes what is no text
    _Unusable,
)


class Index:
    """The index of one store; ``path`` is ``None`` for one in memory. Safe from any thread."""

    def __init__(self, path: str | None, *, busy_s: float = BUSY_S) -> None:
        self.path = path
        self._path = path or ""  # where it matters, there is one
        self._busy_s = busy_s
        self._guard = threading.RLock()
        self._db: Connection | None = None
        self._inode: tuple[int, int] | None = None
        self._pid = os.getpid()
        self._held = False
        self._in_memory: Connection | None = None
        self.in_memory_because: StorageError | None = None
        self.replaced: str | None = None  # why a damaged file gave way to an empty one

    def use(self, work: Callable[[Connection], T], *, required: bool = False) -> T:
        """
        Run ``work`` on the index and give what it gives; see the module for what may happen.

        ``required``: the file itself is meant (rebuild), so what makes it unusable is raised:
        ``locked``, ``permission_denied``, ``no_space`` or ``io_error``.
        """
        self._refuse_fork()  # before the lock: a fork may have copied it locked
        with self._guard:
            if not self._path or (self._in_memory is not None and not required):
                return self._use_memory(work)
            unusable: StorageError | None = None
            for _ in range(3):
                try:
                    return _work(self._open(), work)
                except sqlite3.ProgrammingError:
                    raise  # a mistake in here, not in the file
                except _TROUBLE as failure:
                    self._drop()
                    unusable = self._why_unusable(failure)
                if unusable is not None:
                    if required:
                        raise unusable
                    break
            self.in_memory_because = unusable
            return self._use_memory(work)

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """
        Hold ``index.lock``: nobody else replaces or rebuilds the file. Raises ``locked``.

        May be taken again by the thread that holds it.
        """
        from filelock import FileLock, Timeout  # late: reading an index that is whole needs none

        if self._held:
            yield
            return
        lock = FileLock(
            f"{self._path.removesuffix('.sqlite')}.lock",
            timeout=self._busy_s,
            mode=0o600,
            thread_local=False,
            fallback_to_soft=False,
        )
        try:
            lock.acquire()
        except Timeout as failure:
            raise self._unusable(StorageErrorCode.LOCKED, failure) from failure
        except OSError as failure:
            raise from_system(failure, "the index cannot be locked", path=self._path) from failure
        self._held = True
        try:
            yield
        finally:
            self._held = False
            try:
                lock.release()
            except OSError as failure:
                message = "the index cannot be unlocked before this process ends"
                raise from_system(failure, message, path=self._path) from failure

    def close(self) -> None:
        """Close what is open; another ``use`` opens it again. In a forked child, does nothing."""
        if self._pid != os.getpid():
            return
        with self._guard:
            self._drop()
            self._close_memory()

    def _close_memory(self) -> None:
        if self._in_memory is not None:
            self._in_memory.close()
            self._in_memory = None

    # -- opening -----------------------------------------------------------------------------

    def _open(self) -> Connection:
        there = identity(self._path)
        if self._db is not None and there is not None and there == self._inode:
            return self._db
        self._drop()
        return self._connect()

    def _connect(self) -> Connection:
        for _ in range(10):
            if identity(self._path) is None:
                with self._alone():
                    make_file(self._path)
            before = identity(self._path)
            odd = no_file_among(self._path)
            if odd is not None:
                raise IndexDamaged(f"{odd} is no regular file")
            db = connect(self._path, self._busy_s)
            try:
                if schema.check(db, self._path):
                    if db.execute("PRAGMA journal_mode").fetchone() != ("wal",):
                        raise IndexDamaged(f"{self._path} is not a file that was made here")
                    schema.make(db, self._path)
                if before == identity(self._path):
                    self._db, self._inode = db, before
                    return db
            except BaseException:
                db.close()
                raise
            db.close()  # replaced meanwhile: it may have the old file and the -wal of the new one
        raise OSError(errno.EAGAIN, "it is replaced again and again", self._path)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            with self.exclusive():
                yield
        except StorageError as refused:
            if refused.code is StorageErrorCode.UNSUPPORTED_FORMAT:
                raise
            raise _Unusable(refused) from refused

    def _use_memory(self, work: Callable[[Connection], T]) -> T:
        try:
            return _work(self._memory(), work)
        except sqlite3.ProgrammingError:
            raise
        except _TROUBLE:
            if not self._path:
                raise
        # What was copied of the file is damaged as well: fold everything.
        self._close_memory()
        return _work(self._memory(copy=False), work)

    def _memory(self, *, copy: bool = True) -> Connection:
        if self._in_memory is None:
            db = memory()
            try:
                # What can still be read of the file need not be folded again.
                if copy and self._path and identity(self._path) is not None:
                    self._copy_into(db)
            except _TROUBLE:
                db.close()
                db = memory()
            schema.make(db, self._path or ":memory:")
            self._in_memory = db
        return self._in_memory

    def _copy_into(self, target: Connection) -> None:
        if no_file_among(self._path):
            return
        source = connect(self._path, 0.1, mode="ro")
        try:
            if not schema.check(source, self._path):
                source.backup(target)
        finally:
            source.close()

    def _drop(self) -> None:
        if self._db is not None:
            with contextlib.suppress(sqlite3.Error):  # of a damaged file even closing may fail
                self._db.close()
        self._db = self._inode = None

    # -- damage ------------------------------------------------------------------------------

    def _why_unusable(self, failure: Exception) -> StorageError | None:
        """What keeps the file from being used; ``None`` if it was damaged and is gone now."""
        code = primary_code(failure)
        if isinstance(failure, _Unusable):
            refused: StorageError = failure.args[0]
            return refused
        if isinstance(failure, OSError | MemoryError):
            return from_system(failure, "the index cannot be used", path=self._path)
        if code in UNUSABLE:
            return self._unusable(UNUSABLE[code], failure)
        found = identity(self._path)
        try:
            with self.exclusive():
                if found == identity(self._path):  # else somebody else was faster
                    for name in parts(self._path):
                        remove(name)
                    self._tell_replaced(_words(failure))
        except OSError as kept:
            return from_system(kept, "the damaged index cannot be replaced", path=self._path)
        except StorageError as locked:
            return locked
        return None

    def _tell_replaced(self, why: str) -> None:
        """Nothing is lost, and the logs are read again; but a disk that damages files is news."""
        import logging  # late: a whole index needs none

        self.replaced = why
        logging.getLogger(__name__).warning(
            "the index at %s was damaged (%s); it is made anew from the logs", self._path, why
        )

    def _unusable(self, code: StorageErrorCode, failure: BaseException) -> StorageError:
        return storage_error(
            code,
            f"the index at {self._path} cannot be used ({failure}). Nothing was changed.",
            operation="index",
            path=self._path,
            reason="index",
            next_action="try again when nobody else writes it; it is derived, and may be deleted",
        )

    def _refuse_fork(self) -> None:
        if self._pid != os.getpid():
            raise storage_error(
                StorageErrorCode.CLOSED,
                "this index was opened by the process that this one was forked from.",
                path=self._path,
                reason="forked",
                next_action="open the store anew after a fork",
            )


def _words(failure: Exception) -> str:
    """What was wrong, and nothing of the content: SQLite quotes what it cannot read."""
    if isinstance(failure, IndexDamaged | schema.Foreign):
        return str(failure)
    return getattr(failure, "sqlite_errorname", None) or type(failure).__name__


def _work(db: Connection, work: Callable[[Connection], T]) -> T:
    try:
        return work(db)
    finally:
        if db.in_transaction:
            with contextlib.suppress(sqlite3.Error):  # what broke it is on its way already
                db.execute("ROLLBACK")

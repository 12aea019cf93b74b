"""
One SQLite file: connected to, made whole before it has its name, taken away.

Below: schema. Above: sqlite.
"""

import os
import sqlite3
import stat
import uuid
from pathlib import Path
from urllib.parse import quote

from journal.errors import StorageErrorCode
from projections import schema

Connection = sqlite3.Connection

BUSY_S = 5.0
"""How long to wait for another process before going on in memory."""

UNUSABLE = {
    sqlite3.SQLITE_BUSY: StorageErrorCode.LOCKED,
    sqlite3.SQLITE_CANTOPEN: StorageErrorCode.PERMISSION_DENIED,
    sqlite3.SQLITE_FULL: StorageErrorCode.NO_SPACE,
    sqlite3.SQLITE_IOERR: StorageErrorCode.IO_ERROR,
    sqlite3.SQLITE_LOCKED: StorageErrorCode.LOCKED,
    sqlite3.SQLITE_NOMEM: StorageErrorCode.UNAVAILABLE,
    sqlite3.SQLITE_PERM: StorageErrorCode.PERMISSION_DENIED,
    sqlite3.SQLITE_PROTOCOL: StorageErrorCode.LOCKED,
    sqlite3.SQLITE_READONLY: StorageErrorCode.PERMISSION_DENIED,
}
"""Codes that say nothing against the file's content. Every other one is damage."""


def memory() -> Connection:
    """A connection to an empty database in memory."""
    return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)


def make_file(path: str) -> None:
    """
    Make the file whole under another name, then give it its own, if nobody else did.

    So nobody sees it half made, nor while WAL is being turned on, which two may not do at once.
    An old -wal that was left there would be applied to it: away with it first.
    """
    if identity(path) is not None:
        return
    temporary = f"{path}.{uuid.uuid4().hex}"
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    try:
        db = connect(temporary, BUSY_S)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            schema.make(db, path)
            # Closing would do this too, but not say that it failed: a file without its -wal is
            # half a file.
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            db.close()
        for name in parts(path)[1:]:
            remove(name)
        Path(temporary).rename(path)
    finally:
        for name in parts(temporary):
            remove(name)


def connect(path: str, busy_s: float, mode: str = "rw") -> Connection:
    """A connection to a file that is there. Raises ``sqlite3.Error``."""
    db = sqlite3.connect(
        f"file:{quote(os.fsencode(path))}?mode={mode}",
        uri=True,
        timeout=busy_s,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        # Never torn by a power loss; the last rows may be lost with it, and are folded again.
        db.execute("PRAGMA synchronous = NORMAL")
        # Damage is met as an error sooner; what a damaged schema says is not run.
        db.execute("PRAGMA cell_size_check = ON")
        db.execute("PRAGMA trusted_schema = OFF")
    except BaseException:
        db.close()
        raise
    return db


def parts(path: str) -> tuple[str, str, str]:
    """The file, and the two that SQLite keeps beside it."""
    return path, f"{path}-wal", f"{path}-shm"


def no_file_among(path: str) -> str | None:
    """
    Which of its parts is there, but is no regular file; ``None`` if all are.

    SQLite would write through a link, wherever it points, and never get done with a FIFO.
    """
    for name in parts(path):
        try:
            if not stat.S_ISREG(os.lstat(name).st_mode):
                return name
        except FileNotFoundError:
            continue
    return None


def check_whole(db: Connection) -> str | None:
    """
    What SQLite itself finds wrong between its tables and indexes, in short; ``None`` if nothing.

    It takes as long as reading the file, and says nothing about the values in a row.
    """
    found = [str(line) for (line,) in db.execute("PRAGMA integrity_check(1)")]
    return None if found == ["ok"] else " ".join(found[0].split())[:200]


def remove(path: str) -> None:
    """Take away whatever lies at ``path``; a folder that holds anything is moved aside."""
    place = Path(path)
    try:
        place.unlink()
    except FileNotFoundError:
        return
    except (IsADirectoryError, PermissionError):  # PermissionError: a folder, on macOS
        try:
            place.rmdir()
        except OSError:
            place.rename(f"{path}.damaged-{uuid.uuid4().hex[:8]}")


def identity(path: str) -> tuple[int, int] | None:
    """Which file lies there, whatever it is; ``None`` if none does."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def primary_code(failure: Exception) -> int | None:
    """SQLite's code without its finer part; ``None`` if SQLite did not say one."""
    code: int | None = getattr(failure, "sqlite_errorcode", None)
    if code is None or code == sqlite3.SQLITE_IOERR_SHORT_READ:  # cut: a page is not there
        return None
    return code & 0xFF

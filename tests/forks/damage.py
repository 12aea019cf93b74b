"""Ways to damage a run's files, and to see that nobody else did anything to them."""

import os
from pathlib import Path

from journal import Journal
from journal.backends.filesystem import FilesystemLog
from journal.ids import RunId


def folder_of(journal: Journal, run_id: str) -> Path:
    """The folder of a run on disk."""
    assert isinstance(journal.log, FilesystemLog)
    return Path(journal.log.folder(RunId(run_id)))


def flip(path: Path, offset: int, bit: int = 0) -> None:
    """Turn one bit of a file over."""
    data = bytearray(path.read_bytes())
    data[offset] ^= 1 << bit
    path.write_bytes(data)


def starts(log: bytes) -> list[int]:
    """Where each line of a log begins, and where the last one ends."""
    found = [0]
    for line in log.split(b"\n")[:-1]:
        found.append(found[-1] + len(line) + 1)
    return found


def trace(folder: Path) -> dict[str, tuple[bytes, int, int, int]]:
    """Every name below ``folder``: bytes, size, time of change of the content, and mode."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() else os.fsencode(path.name)
        name = str(path.relative_to(folder))
        found[name] = (content, status.st_size, status.st_mtime_ns, status.st_mode)
    return found

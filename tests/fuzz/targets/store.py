"""
A real run folder with one of its files replaced by any bytes, and everything that reads it.

Byte 0 says which file. Whoever reads or opens the run gets its records or a ``StorageError``; what
else lies in the folder is left as it was, and a log that was not touched loses nothing.
"""

import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeVar

from journal.backends.filesystem import FilesystemLog
from journal.errors import StorageError
from journal.events.run import RunCreated, RunStarted, WriterInfo
from journal.limits import FORMAT
from journal.workers import Workers
from journal.writer import Writer
from tests.support.disks import UnsyncedFiles
from tests.support.logs import StoredRun, read
from tests.support.writers import SilentBridge

T = TypeVar("T")
_FILES = ("head", "checkpoint", "lock", "events.jsonl", "feed", "store.json", "torn")
_WRITER = WriterInfo(host="h", pid=1, user="u", library="l")


class _Place:
    """A store with one finished run, and what its files hold when nobody has touched them."""

    def __init__(self) -> None:
        self._home = tempfile.TemporaryDirectory(prefix="fuzz-")
        self.root = Path(self._home.name, "store")
        self.run = StoredRun(self.root, UnsyncedFiles())
        opening = [RunCreated(project="p", format=FORMAT, writer=_WRITER), RunStarted()]
        self.run.lease = self.run.log.create(self.run.run_id, self.run.lines.of(opening))
        self.run.write(1, 3).close()
        self._write_checkpoint()
        self.sound = {p.relative_to(self.root): p.read_bytes() for p in self.files()}

    def _write_checkpoint(self) -> None:
        workers = Workers()
        writer = Writer.open(
            self.run.log, self.run.run_id, 0.0, workers=workers, bridge=SilentBridge()
        )
        writer.close()
        workers.close()

    def files(self) -> list[Path]:
        """Every file of the store."""
        return [path for path in self.root.rglob("*") if path.is_file()]

    def restore(self) -> None:
        """Make everything as it was."""
        shutil.rmtree(self.run.folder / "torn", ignore_errors=True)
        for path in self.files():
            if path.relative_to(self.root) not in self.sound:
                path.unlink()
        for name, content in self.sound.items():
            (self.root / name).write_bytes(content)

    def path_of(self, name: str) -> Path:
        """Where one of the files lies."""
        if name == "torn":
            (self.run.folder / "torn").mkdir(exist_ok=True)
            return self.run.folder / "torn" / f"{self.run.lines.seq}-{'0' * 64}"
        return (self.root if name in {"feed", "store.json"} else self.run.folder) / name


@cache
def _place() -> _Place:
    return _Place()


def damaged(data: bytes) -> None:
    """Put the input in the place of one file, then read and open the run in every way."""
    place = _place()
    name = _FILES[(data[:1] or b"\0")[0] % len(_FILES)]
    place.restore()
    place.path_of(name).write_bytes(data[1:])
    sound = place.sound[place.run.events.relative_to(place.root)]
    before = place.run.events.read_bytes()
    run_id = place.run.run_id
    log = attempt(lambda: FilesystemLog.open(place.root, create=False, files=UnsyncedFiles()))
    if log is None:
        return
    attempt(lambda: log.head(run_id))
    attempt(lambda: log.torn_bytes(run_id))
    attempt(lambda: list(log.read(run_id, reverse=True)))
    attempt(lambda: log.changes(None))
    attempt(lambda: log.get_checkpoint(run_id))
    attempt(lambda: read(log, run_id))
    assert place.run.events.read_bytes() == before, "reading changed the log"
    reopen(log, place.run)
    if name != "events.jsonl":
        assert place.run.events.read_bytes().startswith(sound), "a sound log lost something"


def reopen(log: FilesystemLog, run: StoredRun) -> None:
    """Open for writing and leave again: what is there then is a log that verifies."""
    workers = Workers()
    try:
        writer = attempt(
            lambda: Writer.open(log, run.run_id, 0.0, workers=workers, bridge=SilentBridge())
        )
        if writer is not None:
            writer.close()
            read(log, run.run_id)
    finally:
        workers.close()


def attempt(call: Callable[[], T]) -> T | None:
    """What the call gives; ``None`` where it is refused as it should be."""
    try:
        return call()
    except StorageError as refused:
        str(refused).encode()
        refused.info.model_dump_json()
        return None

"""Logs made by hand on a real store: chained batches, damage in place, what can be read back."""

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

from journal.backends.filesystem import FilesystemLog
from journal.chain import Chain, encode_batch, genesis
from journal.draft import Clock, Stamp, freeze
from journal.errors import StorageError
from journal.events.base import Event
from journal.events.log import LogEmitted
from journal.files import Files
from journal.ids import RunId, new_run_id
from journal.log import EventLog, Lease
from journal.record import Record

NOON = 1_795_348_800.0  # 2026-11-22T12:00:00Z


class Lines:
    """Makes the lines of one run, batch after batch, as the library would; writes nothing."""

    def __init__(self, run_id: RunId | None = None) -> None:
        self.run_id = run_id or new_run_id()
        self.seq = 0
        self.link = genesis(self.run_id)
        self._clock = Clock(self._tick)

    def _tick(self) -> float:
        return NOON + self.seq

    def batch(self, count: int = 1, *, text: str = "", key: str | None = None) -> list[bytes]:
        """The next batch: ``count`` log lines with ``text`` in each, ``key`` on the first."""
        events = [LogEmitted(name=f"n{self.seq + n}", data={"text": text}) for n in range(count)]
        return self.of(events, key=key)

    def of(self, events: Sequence[Event], *, key: str | None = None) -> list[bytes]:
        """The next batch, of these events."""
        stamps = []
        for number, event in enumerate(events):
            draft = freeze(self.run_id, event, key=key if number == 0 else None)
            self.seq += 1
            stamps.append(Stamp(draft, self.seq, *self._clock.read()))
        lines, self.link = encode_batch(self.link, stamps)
        return lines


class StoredRun:
    """A run in a store on disk, its files within reach."""

    def __init__(self, root: Path, files: Files | None = None) -> None:
        self.log = FilesystemLog.open(root, files=files)
        self.lines = Lines()
        self.run_id = self.lines.run_id
        self.lease: Lease | None = None

    @property
    def folder(self) -> Path:
        return Path(self.log.folder(self.run_id))

    @property
    def events(self) -> Path:
        return self.folder / "events.jsonl"

    def write(self, *counts: int) -> "StoredRun":
        """Append batches of so many lines; the first one makes the run."""
        for count in counts:
            batch = self.lines.batch(count)
            if self.lease is None:
                self.lease = self.log.create(self.run_id, batch)
            else:
                self.log.append(self.lease, batch)
        return self

    def close(self) -> "StoredRun":
        """Leave it in order: the head says closed."""
        assert self.lease is not None
        self.log.release(self.lease)
        return self

    def crash(self, unacknowledged: bytes = b"") -> "StoredRun":
        """Leave as a killed process does, ``unacknowledged`` written behind the last line."""
        assert self.lease is not None
        crash(self.lease)
        with self.events.open("ab") as log:
            log.write(unacknowledged)
        return self

    def recover(self) -> Lease:
        """Open it again; its lease."""
        self.lease = self.log.acquire(self.run_id)
        return self.lease

    def torn(self) -> list[Path]:
        """What was kept aside."""
        return sorted((self.folder / "torn").glob("*"))

    def read(self) -> list[Record]:
        """All lines, checked along the chain."""
        return read(self.log, self.run_id)


def of_another_boot(head: Path) -> None:
    """Make a head look as if this system had been started again since it was written."""
    words = head.read_bytes()[:-17].split(b" ")
    body = b" ".join(b"f" * 32 if len(word) == 32 else word for word in words)
    head.write_bytes(body + hashlib.sha256(body).hexdigest()[:16].encode() + b"\n")


def crash(lease: Lease) -> None:
    """Let go of a lease as the system does for a dead process: nothing is written any more."""
    from journal.backends import lease as leases
    from journal.backends.lease import FileLease

    assert isinstance(lease, FileLease)
    leases.close(Files(), lease)


def read(log: EventLog, run_id: RunId) -> list[Record]:
    """All lines of a run, checked along the chain."""
    chain = Chain(run_id, strict=True)
    return [chain.follow(line) for line in log.read(run_id)]


def code_of(call: object, *arguments: object) -> str:
    """The code of the ``StorageError`` that ``call`` raises; anything else goes through."""
    assert callable(call)
    try:
        call(*arguments)
    except StorageError as failure:
        return failure.code.value
    return "nothing was raised"


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file below ``folder``, byte for byte: to see that a refusal changed nothing."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def copied(store: Path, target: Path) -> Path:
    """A copy of a whole store, to damage it in another way."""
    shutil.copytree(store, target)
    return target

"""
What a process does while a fault hits it, and what is looked at afterwards: the write side.

Every line is known beforehand, so the oracle can say of each whether it was submitted.
"""

import hashlib
import resource
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from journal.artifacts.filesystem import FilesystemArtifacts
from journal.backends.filesystem import FilesystemLog
from journal.errors import StorageError
from journal.events.artifact import ArtifactPersisted
from journal.events.base import Event
from journal.events.log import LogEmitted, LogRecovered
from journal.ids import RunId
from journal.log import Lease
from tests.real.oracle import check_artifacts, check_writing, must
from tests.real.straced import Life, Tell
from tests.support.logs import Lines, StoredRun, crash
from tests.support.writers import OPENING

RUN = RunId("019aab5e-7c3b-7000-8000-000000000001")


class Scenario(Protocol):
    """One thing that a process does. ``prepare`` is done once, the rest for each fault."""

    threads: bool
    """Whether it starts threads: then which of them meets the fault is not known beforehand."""

    def prepare(self, store: Path) -> None:
        """Make what lies there before."""
        ...

    def live(self, store: Path, tell: Tell) -> None:
        """Do it, telling what was acknowledged."""
        ...

    def check(self, store: Path, life: Life) -> None:
        """Hold what is there now against the oracle; raises ``Violation``."""
        ...


def logs(count: int, text: str = "") -> list[Event]:
    """So many log events."""
    return [LogEmitted(name=f"line {number}", data={"text": text}) for number in range(count)]


class Story:
    """The batches of a run, known beforehand."""

    def __init__(self, *batches: Sequence[Event], run_id: RunId = RUN) -> None:
        lines = Lines(run_id)
        self.batches = [lines.of(batch) for batch in batches]

    @property
    def lines(self) -> list[bytes]:
        """All lines in order."""
        return [line for batch in self.batches for line in batch]


def acknowledged(life: Life) -> int:
    """Lines that the process knew to be durable."""
    return max([int(line.split()[1]) for line in life.told if line.startswith("ack ")], default=0)


class Creating:
    """Cases 1, 12 and 16: the life of a run, from an empty folder to its second closing."""

    threads = False

    def __init__(self) -> None:
        self.story = Story(OPENING, logs(1), logs(3, "x" * 300), logs(2))

    def prepare(self, store: Path) -> None:
        """Nothing is there."""

    def live(self, store: Path, tell: Tell) -> None:
        first, second, third, fourth = self.story.batches
        log = FilesystemLog.open(store)
        lease = log.create(RUN, first)
        try:
            tell(f"ack {lease.head.seq}")
            tell(f"ack {log.append(lease, second).seq}")
            log.put_checkpoint(lease, b"derived")
            tell(f"ack {log.append(lease, third).seq}")
        finally:
            log.release(lease)
        lease = log.acquire(RUN)
        try:
            tell(f"ack {log.append(lease, fourth).seq}")
        finally:
            log.release(lease)

    def check(self, store: Path, life: Life) -> None:
        if not check_writing(store, RUN, self.story.lines, acknowledged(life)):
            log = FilesystemLog.open(store)
            log.release(log.create(RUN, self.story.batches[0]))
            check_writing(store, RUN, self.story.lines, 2)


class CuttingBack:
    """Cases 13 and 14: an append that does not fit, the cut, and the same append with room."""

    threads = False

    def __init__(self) -> None:
        self.story = Story(OPENING, logs(2), logs(5, "y" * 700), logs(1))

    def prepare(self, store: Path) -> None:
        log = FilesystemLog.open(store)
        log.release(log.create(RUN, self.story.batches[0]))

    def live(self, store: Path, tell: Tell) -> None:
        _, second, third, fourth = self.story.batches
        log = FilesystemLog.open(store)
        lease = log.acquire(RUN)
        try:
            tell(f"ack {log.append(lease, second).seq}")
            self._too_much(log, lease, third)
            tell(f"ack {log.append(lease, third).seq}")
            tell(f"ack {log.append(lease, fourth).seq}")
        finally:
            log.release(lease)

    def _too_much(self, log: FilesystemLog, lease: Lease, batch: list[bytes]) -> None:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (lease.head.position + 1500, before[1]))
        try:
            log.append(lease, batch)
        except StorageError as failure:
            if failure.info.details.reason != "cut_back":
                raise
        else:
            raise RuntimeError("a write past the limit was taken")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    def check(self, store: Path, life: Life) -> None:
        records = check_writing(store, RUN, self.story.lines, acknowledged(life))
        must(records, "the run is gone")


class Publishing:
    """Cases 68, 71 and 73: artifacts stored, stored again, stored over a damaged one."""

    threads = False
    payloads = (b"first " * 900, b"first " * 900, b"damaged " * 700, b"")

    def __init__(self) -> None:
        self.digests = [hashlib.sha256(payload).hexdigest() for payload in self.payloads]
        told = [
            ArtifactPersisted(
                artifact_id=f"a{number}",
                role="report",
                format="binary",
                media_type="application/octet-stream",
                size_bytes=len(payload),
                sha256=self.digests[number],
            )
            for number, payload in enumerate(self.payloads)
        ]
        self.story = Story(OPENING, *([event] for event in told))

    def prepare(self, store: Path) -> None:
        log = FilesystemLog.open(store)
        log.release(log.create(RUN, self.story.batches[0]))
        damaged = b"Damaged " + self.payloads[2][8:]
        Path(log.folder(RUN), "artifacts", self.digests[2]).write_bytes(damaged)

    def live(self, store: Path, tell: Tell) -> None:
        log = FilesystemLog.open(store)
        artifacts = FilesystemArtifacts(log.root, log.files)
        lease = log.acquire(RUN)
        try:
            artifacts.sweep(RUN)
            for number, payload in enumerate(self.payloads):
                sink = artifacts.begin(RUN)
                sink.write(payload[:1000])
                sink.write(payload[1000:])
                sink.commit()
                tell(f"stored {number}")
                tell(f"ack {log.append(lease, self.story.batches[1 + number]).seq}")
        finally:
            log.release(lease)

    def check(self, store: Path, life: Life) -> None:
        records = check_writing(store, RUN, self.story.lines, acknowledged(life))
        check_artifacts(store, records)
        artifacts = FilesystemArtifacts(str(store))
        stored = [int(line.split()[1]) for line in life.told if line.startswith("stored ")]
        for number in stored:
            artifacts.check(RUN, self.digests[number], len(self.payloads[number]))
        for number, digest in enumerate(self.digests):
            # Under a digest's name lies that content, or the damage that lay there before.
            if digest in artifacts.digests(RUN) and number != 2:
                artifacts.check(RUN, digest, len(self.payloads[number]))
        artifacts.sweep(RUN)
        folder = Path(artifacts.location(RUN, self.digests[0])).parent
        left = {path.name for path in folder.iterdir()} - set(self.digests)
        must(not left, f"a sweep leaves {sorted(left)}")


class Recovering:
    """Cases 2, 3 and 82: a log with a torn tail is opened, and the loss told."""

    threads = False

    def __init__(self) -> None:
        self.torn = b"".join(Story(OPENING, logs(2), logs(9, "z" * 99)).batches[2])[:-200]
        self.kept_as = f"torn/4-{hashlib.sha256(self.torn).hexdigest()}"
        recovered = LogRecovered(
            bytes_set_aside=len(self.torn),
            sha256=hashlib.sha256(self.torn).hexdigest(),
            kept_as=self.kept_as,
        )
        self.story = Story(OPENING, logs(2), [recovered], logs(1))

    def prepare(self, store: Path) -> None:
        run = StoredRun(store)
        run.run_id = RUN
        first, second = self.story.batches[:2]
        run.lease = run.log.create(RUN, first)
        run.log.append(run.lease, second)
        crash(run.lease)
        with run.events.open("ab") as log:
            log.write(self.torn)

    def live(self, store: Path, tell: Tell) -> None:
        log = FilesystemLog.open(store)
        lease = log.acquire(RUN)
        try:
            tell(f"ack {lease.head.seq}")
            if [tail.kept_as for tail in lease.recovered] != [self.kept_as]:
                raise RuntimeError(f"recovered {lease.recovered}")
            tell(f"ack {log.append(lease, self.story.batches[2]).seq}")
            tell(f"ack {log.append(lease, self.story.batches[3]).seq}")
        finally:
            log.release(lease)

    def check(self, store: Path, life: Life) -> None:
        log = FilesystemLog.open(store)
        folder = Path(log.folder(RUN))
        if self.torn not in (folder / "events.jsonl").read_bytes():
            kept = (folder / self.kept_as).read_bytes()
            must(kept == self.torn, "the tail was cut before it was kept aside whole")
        check_writing(store, RUN, self.story.lines, max(4, acknowledged(life)))


class Deleting:
    """Case 1: a run goes as a whole, or stays as a whole."""

    threads = False

    def __init__(self) -> None:
        self.story = Story(OPENING, logs(4))

    def prepare(self, store: Path) -> None:
        log = FilesystemLog.open(store)
        lease = log.create(RUN, self.story.batches[0])
        log.append(lease, self.story.batches[1])
        log.release(lease)
        Path(log.folder(RUN), "artifacts", hashlib.sha256(b"a").hexdigest()).write_bytes(b"a")

    def live(self, store: Path, tell: Tell) -> None:
        FilesystemLog.open(store).delete(RUN)
        tell("deleted")

    def check(self, store: Path, life: Life) -> None:
        log = FilesystemLog.open(store)
        there = list(log.runs()) == [RUN]
        if "deleted" in life.told:
            must(not there, "a run that was deleted is there")
        if there:
            records = check_writing(store, RUN, None, len(self.story.lines))
            must(len(records) == len(self.story.lines), "half a run is left")
            log.delete(RUN)
        changes = log.changes(None)
        must(not changes.changes and not list(log.runs()), "something is left of the run")

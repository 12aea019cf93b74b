"""
What the world outside knows of a store, and whether a store that is opened agrees.

For every state: acknowledged ⊆ recovered ⊆ submitted, in order, byte for byte; opening twice gives
the same; nothing but ``StorageError`` escapes, and no opening is refused; nothing that a reader
was shown is gone without ``lease.recovered``; an artifact that a recovered line names is whole; a
checkpoint never makes ``remember`` wrong.
"""

from typing import NamedTuple, cast

from journal.artifacts.filesystem import FilesystemArtifacts
from journal.backends.filesystem import FilesystemLog
from journal.chain import Chain
from journal.checkpoint import remember
from journal.errors import StorageError
from journal.ids import RunId
from journal.log import EventLog, Lease
from tests.crash import world
from tests.crash.disk import Disk
from tests.crash.losses import Loss, Unsynced

ROOT = "/store"


class Artifact(NamedTuple):
    """Content that a line names: the log's position behind that line, digest, size."""

    end: int
    sha256: str
    size_bytes: int


class RunTruth(NamedTuple):
    """
    What is known of one run.

    ``exists``: ``no``, ``maybe`` (being made), ``yes``, ``going`` (being deleted).
    ``acknowledged`` is its log as far as that is known for sure; ``pending`` a batch behind it that
    was handed in and neither acknowledged nor refused. ``shown`` is up to which byte a reader was
    given it.
    ``checkpoints``: whether checkpoints were put. ``past``: the lines that a fork keeps.
    """

    run_id: RunId
    exists: str = "no"
    acknowledged: bytes = b""
    pending: bytes = b""
    shown: int = 0
    artifacts: tuple[Artifact, ...] = ()
    checkpoints: bool = False
    past: tuple[tuple[RunId, bytes], ...] = ()


class Truth(NamedTuple):
    """What is known of a store. ``cursor``: of a reader that saw the feed before any run."""

    store: str = "no"
    runs: tuple[RunTruth, ...] = ()
    cursor: str | None = None

    def with_run(self, run: RunTruth) -> "Truth":
        """The same with this run, in the place of what was known of it."""
        others = tuple(each for each in self.runs if each.run_id != run.run_id)
        return self._replace(runs=(*others, run))


class _WithoutCheckpoint:
    """The same log, its checkpoint lost."""

    def __init__(self, log: FilesystemLog) -> None:
        self.read = log.read

    def get_checkpoint(self, run_id: RunId) -> bytes | None:
        return None


def open_log(disk: Disk) -> FilesystemLog:
    """The store, made where it is missing: as every program opens it."""
    log = FilesystemLog.open(ROOT, files=disk)
    log._now = world.now
    return log


class Oracle:
    """
    Holds one disk against the truth; ``said`` are its complaints, one sentence each.

    ``old_head``: a sync of ``head`` failed and memory was short since, so that the disk's older one
    is read. Then readers may be shown less for now; who opens the run is given all the same.
    """

    def __init__(self, life: int, *, old_head: bool = False) -> None:
        self.life = life
        self.old_head = old_head
        self.said: list[str] = []

    def check(self, disk: Disk, truth: Truth, *, looking: bool = True) -> list[str]:
        """
        Look as a reader, open, lose power at once, open again. Consumes the disk.

        A reader may sync before it shows; without ``looking`` nobody helps who opens the run.
        """
        if looking:
            truth, disk = self.look(disk, truth)
        world.begin(self.life, disk.boot)
        try:
            log = open_log(disk)
            self._check_feed(log, truth)
            found = [self.recover(log, run) for run in truth.runs]
            again = Unsynced(disk.killed()).after(Loss(0, "o", 0))
            world.begin(self.life + 1, again.boot)
            second = open_log(again)
            for run, lease in zip(truth.runs, found, strict=True):
                if lease is not None:
                    self._check_again(second, run, lease)
        except StorageError as failure:
            self.said.append(f"the store is refused: {failure}")
        except Exception as failure:  # noqa: BLE001 - whatever escapes is what is looked for
            self.said.append(f"{type(failure).__name__} escapes: {failure}")
        return self.said

    def check_refused(self, disk: Disk, run: RunTruth) -> list[str]:
        """Damage in the last acknowledged batch: refused, and left as it was. Consumes the disk."""
        world.begin(self.life, disk.boot)
        log = open_log(disk)
        before = disk.seen()
        try:
            lease = log.acquire(run.run_id)
        except StorageError as failure:
            if failure.code in {"not_found", "locked", "io_error"}:
                self.said.append(f"damage is refused as something else: {failure}")
            if disk.seen() != before:
                self.said.append("damage was refused, and the disk was changed")
        else:
            self.said.append(
                f"damage is not refused: {lease.head.position} bytes of {len(run.acknowledged)}, "
                f"{len(lease.recovered)} torn"
            )
        try:
            chain = Chain(run.run_id)
            for line in log.read(run.run_id, 0, len(run.acknowledged)):
                chain.follow(line)
        except StorageError:
            return self.said
        self.said.append("a reader does not notice the damage")
        return self.said

    # -- as a reader -----------------------------------------------------------------------

    def look(self, disk: Disk, truth: Truth) -> tuple[Truth, Disk]:
        """
        What a reader is shown now, in another process: the truth with that added, and the disk.

        A reader may sync what it is going to show; it never changes what is there.
        """
        reader = disk.copy()
        world.begin(self.life, disk.boot)
        try:
            log = FilesystemLog.open(ROOT, create=False, files=reader)
        except StorageError as failure:
            if truth.store == "yes":
                self.said.append(f"a reader is refused the store: {failure}")
            return truth, disk
        try:
            listed = set(log.runs())
            for run in truth.runs:
                truth = self._look_at(log, truth, run, listed=run.run_id in listed)
        except StorageError as failure:
            self.said.append(f"a reader is refused: {failure}")
        except Exception as failure:  # noqa: BLE001 - whatever escapes is what is looked for
            self.said.append(f"{type(failure).__name__} escapes a reader: {failure}")
        if reader.version == disk.version:
            return truth, disk
        if reader.seen() != disk.seen():
            self.said.append("a reader changed what is on the disk")
        reader.opened, reader.locks = dict(disk.opened), dict(disk.locks)
        return truth, reader

    def _look_at(self, log: FilesystemLog, truth: Truth, run: RunTruth, *, listed: bool) -> Truth:
        if not listed:
            if run.exists == "yes":
                self.said.append("an acknowledged run is not listed")
            return truth
        if run.exists == "no":
            self.said.append("a run is listed that was never made, or was deleted")
            return truth
        shown = log.head(run.run_id).head.position
        data = b"".join(log.read(run.run_id, 0, shown))
        lags = self.old_head and run.acknowledged.startswith(data) and data.endswith(b"\n")
        if not lags:
            self._check_bytes("a reader is shown", run, data)
        if shown > run.shown:
            truth = truth.with_run(run._replace(shown=shown))
        return truth

    def _check_bytes(self, who: str, run: RunTruth, data: bytes) -> None:
        if data not in (run.acknowledged, run.acknowledged + run.pending):
            what = "other lines than were submitted"
            if len(data) < len(run.acknowledged):
                what = "less than was acknowledged"
            self.said.append(
                f"{who} {what}: {len(data)} bytes of {len(run.acknowledged)} acknowledged and "
                f"{len(run.pending)} pending"
            )

    # -- as a writer -----------------------------------------------------------------------

    def recover(self, log: FilesystemLog, run: RunTruth) -> Lease | None:
        """Acquire a run and hold what is recovered against what is known."""
        path = f"{log.folder(run.run_id)}/events.jsonl"
        before = log.files.status_of(path)
        try:
            lease = log.acquire(run.run_id)
        except StorageError as failure:
            if failure.code != "not_found" or run.exists == "yes":
                self.said.append(f"the run is refused: {failure}")
            elif run.exists == "maybe" and run.shown:
                self.said.append("a run that a reader was shown is gone")
            return None
        if run.exists == "no":
            self.said.append("a run is there that was never made, or was deleted")
            return lease
        self.check_lease(log, run, lease)
        torn = 0 if before is None else before.size - lease.head.position
        if torn > 0 and torn not in {tail.size_bytes for tail in lease.recovered}:
            self.said.append(f"{torn} bytes were cut off, and nobody is told")
        return lease

    def check_lease(self, log: FilesystemLog, run: RunTruth, lease: Lease) -> bytes:
        """Whether a lease that was just given stands where it may; gives the recovered log."""
        path = f"{log.folder(run.run_id)}/events.jsonl"
        data = b"".join(log.read(run.run_id, 0, lease.head.position))
        self._check_bytes("recovery gives", run, data)
        status = log.files.status_of(path)
        if status is None or status.size != lease.head.position:
            self.said.append(f"recovery leaves {status} where the head is {lease.head}")
        if (data.count(b"\n"), data[-67:-3].decode("ascii", "replace")) != (
            lease.head.seq,
            lease.head.hash,
        ):
            self.said.append(f"the head {lease.head} is not the last line")
        if len(data) < run.shown and not lease.recovered:
            self.said.append(f"a reader was shown {run.shown} bytes, {len(data)} are left")
        for artifact in run.artifacts:
            if artifact.end <= len(data):
                self._check_artifact(log, run, artifact)
        for ancestor, lines in run.past:
            if b"".join(log.read_past(run.run_id, ancestor)) != lines:
                self.said.append("a fork's past is not what it was made with")
        if run.checkpoints:
            with_it, without = (
                remember(log, lease)[0],
                remember(cast(EventLog, _WithoutCheckpoint(log)), lease)[0],
            )
            if with_it != without:
                self.said.append("the checkpoint makes the writer remember something else")
        return data

    def _check_artifact(self, log: FilesystemLog, run: RunTruth, artifact: Artifact) -> None:
        try:
            FilesystemArtifacts(ROOT, log.files).check(
                run.run_id, artifact.sha256, artifact.size_bytes
            )
        except StorageError as failure:
            self.said.append(f"an artifact that a line names: {failure}")

    def _check_feed(self, log: FilesystemLog, truth: Truth) -> None:
        """The feed tells a reader with an old cursor of every acknowledged run."""
        if truth.cursor is None:
            return
        changes = log.changes(truth.cursor)
        told = {change.run_id for change in changes.changes}
        for run in truth.runs:
            if run.exists == "yes" and not changes.everything and run.run_id not in told:
                self.said.append("the feed does not tell of an acknowledged run")

    def _check_again(self, log: FilesystemLog, run: RunTruth, first: Lease) -> None:
        second = log.acquire(run.run_id)
        if (second.head, second.recovered) != (first.head, first.recovered):
            self.said.append(
                f"opened twice: {first.head} and {len(first.recovered)} torn, then {second.head} "
                f"and {len(second.recovered)}"
            )
            return
        if second.epoch <= first.epoch:
            self.said.append(f"the epoch fell from {first.epoch} to {second.epoch}")

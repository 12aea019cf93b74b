"""
Lives with a real writer: group commit, idempotency keys, checkpoints, artifacts before events.

The same code as under ``Journal``, from ``Recorder`` down, on one thread: a job for a worker is
done on the loop, in the order in which it was handed in.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar, cast

import msgspec

from journal.artifacts.filesystem import FilesystemArtifacts
from journal.backends.filesystem import FilesystemLog
from journal.draft import freeze
from journal.errors import StorageError
from journal.events.base import Event
from journal.events.log import LogRecovered
from journal.events.run import RunCreated, RunStarted, WriterInfo, WriterOpened
from journal.fork import Forked, Store, fork
from journal.ids import RunId
from journal.limits import FORMAT
from journal.log import EventLog, Head, Lease, Past
from journal.receipt import Bridge
from journal.recorder import Place, Recorder
from journal.workers import Job, Workers
from journal.writer import Writer
from tests.crash import world
from tests.crash.keeping import KeepingLife
from tests.crash.life import RUNS, Step, events_of
from tests.crash.oracle import ROOT, Artifact, RunTruth

T = TypeVar("T")

_WRITER = WriterInfo(host="simulated", pid=world.PID, user="somebody", library="simulated")


class _OnTheLoop(Workers):
    """Workers without threads: the loop does their jobs, one after the other."""

    def __init__(self) -> None:
        """Start nothing."""

    def soon(self, job: Job) -> None:
        asyncio.get_running_loop().call_soon(job)

    def delayed(self, job: Job) -> None:
        self.soon(job)


class _Line(msgspec.Struct):
    event: str
    data: dict[str, Any]


class _Heard:
    """The log, with somebody who notes what is handed in and what is acknowledged."""

    def __init__(self, life: "WritingLife", log: FilesystemLog) -> None:
        self._life = life
        self._log = log

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    def create(self, run_id: RunId, lines: Sequence[bytes], past: Past | None = None) -> Lease:
        life = self._life
        life._know(life._run(run_id)._replace(exists="maybe", pending=b"".join(lines)))
        lease = self._log.create(run_id, lines, past)
        life._acknowledged(run_id)
        return lease

    def acquire(self, run_id: RunId, wait_s: float = 0.0, **how: bool) -> Lease:
        life, known = self._life, self._life._run(run_id)
        lease = self._log.acquire(run_id, wait_s, **how)
        life._took(known, lease)
        return lease

    def append(self, lease: Lease, lines: Sequence[bytes]) -> Head:
        life, known = self._life, self._life._run(RunId(lease.run_id))
        named = _named(lines, len(known.acknowledged))
        life._know(known._replace(pending=b"".join(lines), artifacts=(*known.artifacts, *named)))
        try:
            head = self._log.append(lease, lines)
        except StorageError as failure:
            if failure.info.details.reason == "cut_back":
                life._know(known)
            raise
        life._acknowledged(known.run_id)
        return head

    def put_checkpoint(self, lease: Lease, body: bytes) -> None:
        life = self._life
        life._know(life._run(RunId(lease.run_id))._replace(checkpoints=True))
        self._log.put_checkpoint(lease, body)


def _named(lines: Sequence[bytes], end: int) -> list[Artifact]:
    """The artifacts that these lines name; the first line begins at ``end``."""
    found = []
    for line in lines:
        end += len(line)
        if b'"event":"artifact_persisted"' in line:
            data = msgspec.json.decode(line, type=_Line).data
            found.append(Artifact(end, data["sha256"], data["size_bytes"]))
    return found


class WritingLife(KeepingLife):
    """A life that may also go through a writer: ``begin``, ``tell``, ``keep``, ``rejoin``, …"""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._runner: asyncio.Runner | None = None
        self._recorders: dict[RunId, Recorder] = {}
        self._keys: dict[str, int] = {}

    def live(self, steps: Sequence[Step]) -> None:
        try:
            super().live(steps)
        finally:
            if self._runner is not None:
                self._runner.close()

    # -- steps -----------------------------------------------------------------------------

    def begin(self, number: int) -> None:
        """Make run ``number`` with a writer."""
        run_id = RUNS[number]
        if self._log is None or self._run(run_id).exists != "no":
            return
        created = RunCreated(project="simulated", format=FORMAT, writer=_WRITER)
        drafts = [freeze(run_id, event) for event in (created, RunStarted())]
        self._join(run_id, lambda log, **how: Writer.create(log, run_id, drafts, **how))

    def rejoin(self, number: int) -> None:
        """Take the run again, and tell so: what was torn comes first."""
        run_id = RUNS[number]
        if self._log is None or self._run(run_id).exists == "no" or run_id in self._recorders:
            return
        self._join(run_id, lambda log, **how: Writer.open(log, run_id, 0.0, **how))
        recorder = self._recorders.get(run_id)
        if recorder is None:
            return
        lease = recorder.writer.lease
        opening: list[Event] = [WriterOpened(writer=_WRITER, epoch=lease.epoch, format=FORMAT)]
        opening += [
            LogRecovered(bytes_set_aside=tail.size_bytes, sha256=tail.sha256, kept_as=tail.kept_as)
            for tail in lease.recovered
        ]
        self._do(recorder.open(opening))

    def tell(self, number: int, key: str, *sizes: int) -> None:
        """Append with an idempotency key; doing it again gives the same place, or is new."""
        recorder = self._recorders.get(RUNS[number])
        if recorder is None:
            return
        appended = self._do(recorder.append(events_of(0, sizes), key=key))
        if appended is None:
            return
        if self._keys.setdefault(key, appended.first_seq) != appended.first_seq:
            self.said.append(f"what was acknowledged under the key {key} was appended once more")

    def tell_many(self, number: int, *sizes: int) -> None:
        """Emit events that nobody waits for, and await the last: they share a batch."""
        recorder = self._recorders.get(RUNS[number])
        if recorder is not None:
            self._do(_emitted(recorder, events_of(0, sizes)))

    def keep(self, number: int, size: int) -> None:
        """Store an artifact and tell it, as ``run.store`` does."""
        recorder = self._recorders.get(RUNS[number])
        if recorder is not None:
            how: dict[str, Any] = {"description": None, "format": None, "metadata": None}
            self._do(
                recorder.store(bytes(range(256)) * (size // 256), Place(), role="report", **how)
            )

    def leave(self, number: int) -> None:
        """Leave the run: what is queued is written, a checkpoint is put, the lease given back."""
        recorder = self._recorders.pop(RUNS[number], None)
        if recorder is not None:
            self._do(recorder.close())

    def fork(self, number: int, new: int, at: int) -> None:
        """Make a run that goes on from line ``at`` of another, with its artifacts."""
        if self._log is None or self._run(RUNS[new]).exists != "no":
            return
        parent = self._run(RUNS[number])
        lines = parent.acknowledged.split(b"\n")[:at]
        past = b"".join(line + b"\n" for line in lines)
        kept = [each._replace(end=1) for each in parent.artifacts if each.end <= len(past)]
        self._know(RunTruth(RUNS[new], artifacts=tuple(kept), past=((RUNS[number], past),)))
        artifacts = FilesystemArtifacts(ROOT, self.disk)
        store = Store(cast(EventLog, _Heard(self, self._log)), artifacts)
        self._call(_forked, store, Store(self._log, artifacts), RUNS[number], RUNS[new], at)

    # -- on the loop -----------------------------------------------------------------------

    def _join(self, run_id: RunId, writer: Callable[..., Writer]) -> None:
        made = self._do(self._joined(writer))
        if made is not None:
            artifacts = FilesystemArtifacts(ROOT, self.disk)
            new_id = iter(range(1000)).__next__
            self._recorders[run_id] = Recorder(
                made, artifacts, _leave, lambda: f"artifact-{new_id()}"
            )

    async def _joined(self, writer: Callable[..., Writer]) -> Writer:
        assert self._log is not None
        return writer(_Heard(self, self._log), workers=_OnTheLoop(), bridge=Bridge(), now=world.now)

    def _do(self, what: Coroutine[Any, Any, T]) -> T | None:
        if self._runner is None:
            self._runner = asyncio.Runner()
        return self._call(self._runner.run, what)


async def _emitted(recorder: Recorder, events: Sequence[Event]) -> None:
    receipts = [recorder.emit(event) for event in events]
    for receipt in receipts:
        await receipt


def _forked(store: Store, source: Store, run_id: RunId, new_id: RunId, at: int) -> Forked:
    return fork(store, source, run_id, new_id, at=at, now=world.now)


async def _leave(writer: Writer) -> None:
    writer.close()

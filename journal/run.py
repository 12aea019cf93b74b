"""
Run: the object most people touch.

``async with journal.run(project="nightly") as run:`` makes a run, and leaving the block ends it:
completed, failed (the exception goes on to the caller) or cancelled. Every transition is an event
that is durable before the next line of the caller's code runs.

Below: errors, ids, events, lifecycle, record, recorder, phase, artifacts, chain, interrupts,
receipt. Above: journal, pipeline. Next to read: ``journal.py``.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import anyio
import anyio.to_thread

from journal import interrupts
from journal.artifacts.codec import Payload
from journal.artifacts.store import ArtifactMetadata, ArtifactRole
from journal.chain import Chain
from journal.errors import StorageErrorCode, storage_error
from journal.events.artifact import ArtifactPersisted
from journal.events.base import ErrorInfo, Event, JsonObject, Level
from journal.events.log import AnnotationAdded
from journal.events.phase import PhaseBlocked, PhaseInputs, PhaseSkipped
from journal.events.run import RunCancelled, RunCompleted, RunFailed
from journal.ids import RunId, parse_name, parse_partition
from journal.lifecycle import FINISHED, RunLifecycle, expected_numbers
from journal.phase import Phase, error_of, record_exit
from journal.receipt import Appended, Receipt
from journal.record import Record
from journal.recorder import Decision, Place, Recorder, describe

Opener = Callable[[], Awaitable[Recorder]]
Locate = Callable[[RunId, str], str]


class Run:
    """
    One run, open for writing; made by ``Journal.run``, ``Journal.resume``, ``Journal.open_run``.

    Enter it once. ``run.id`` is known before; everything else needs the run to be entered.
    """

    def __init__(self, run_id: RunId, opener: Opener, locate: Locate, *, ends: bool = True) -> None:
        self.id = run_id
        self._opener = opener
        self._locate = locate
        self._ends = ends
        self._recorder: Recorder | None = None
        self._entered = False

    async def __aenter__(self) -> Self:
        """Create or open the run; durable on return, with the events that tell it."""
        if self._entered:
            raise self._misused("a run is entered once")
        self._entered = True
        self._recorder = await self._opener()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Record how the run ended, write what is queued, give the lease back."""
        try:
            if self._ends:
                error = error_of(failure, self._writing.clean)
                await record_exit(
                    self._writing, lambda state: self._ending(state, failure, error), failure
                )
        finally:
            await self.close(failure)

    def _ending(
        self, state: RunLifecycle, failure: BaseException | None, error: ErrorInfo | None
    ) -> list[Decision]:
        if state.status in FINISHED:
            return []  # somebody appended the end by hand
        counts = state.counts()
        event: Event
        if failure is None:
            event = RunCompleted(counts=counts)
        elif error is None:
            event = RunCancelled(reason=interrupts.reason(), counts=counts)
        else:
            event = RunFailed(error=error, counts=counts)
        return [Decision(None, event)]

    async def close(self, failure: BaseException | None = None) -> None:
        """Write what is queued and give the lease back, without an event that ends the run."""
        recorder = self._recorder
        if recorder is None:
            return
        try:
            await recorder.close()
        except Exception as error:
            if failure is None:
                raise
            failure.add_note(f"run-journal could not close the run: {error}")

    @property
    def _writing(self) -> Recorder:
        if self._recorder is None:
            raise self._misused("the run is not entered")
        return self._recorder

    def _misused(self, what: str) -> Exception:
        return storage_error(
            StorageErrorCode.CLOSED,
            f"run {self.id}: {what}. Nothing was written.",
            run_id=self.id,
            reason="not_entered",
            next_action="async with journal.run(...) as run:",
        )

    @property
    def seq(self) -> int:
        """The last seq that was given out: what ``expected_seq`` of the next append is."""
        return self._writing.writer.accepted_seq

    @property
    def durable_seq(self) -> int:
        """The last seq that is durable; behind ``seq`` while emitted events are on their way."""
        return self._writing.writer.seq

    @property
    def epoch(self) -> int:
        """How many times the run has been opened for writing, this time included."""
        return self._writing.writer.lease.epoch

    @property
    def state(self) -> RunLifecycle:
        """The lifecycle after everything accepted so far: statuses, revisions, attempts."""
        return self._writing.writer.state

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The parameters that the run was created with."""
        created = self.state.created
        return created.parameters if created else {}

    async def append(
        self,
        events: Event | Sequence[Event],
        *,
        phase: str | None = None,
        message: str | None = None,
        level: Level | None = None,
        actor: str | None = None,
        key: str | None = None,
        expected_seq: int | None = None,
    ) -> Appended:
        """
        Append one event, or several as one: all of them or none, in one batch.

        Durable on return. ``key`` makes it idempotent: the same key with the same events gives
        the first append's place and writes nothing (of the last 10,000 keys). ``expected_seq``
        is the seq after which it must come. A cancelled caller does not undo it: the events land,
        and the key resolves what happened.

        Raises ``validation_error`` and ``limit_exceeded`` (nothing written), ``conflict`` (an
        illegal transition, another seq, the key of another body), ``no_space`` (the run goes on
        once there is space), ``io_error`` (then the run is ``closed`` until it is resumed).
        """
        return await self._writing.append(
            events,
            phase=phase,
            message=message,
            level=level,
            actor=actor,
            key=key,
            expected_seq=expected_seq,
        )

    def emit(
        self,
        event: Event,
        *,
        phase: str | None = None,
        message: str | None = None,
        level: Level | None = None,
        actor: str | None = None,
    ) -> Receipt:
        """
        Queue an event that changes no lifecycle; never waits, from any thread.

        It is ordered with everything else, and durable with the next batch or within 50 ms; the
        receipt can be awaited. Raises ``validation_error`` at once, and ``limit_exceeded`` when
        the queue is full: await a receipt now and then.
        """
        return self._writing.emit(event, phase=phase, message=message, level=level, actor=actor)

    def log(
        self,
        level: Level,
        message: str,
        *,
        name: str | None = None,
        phase: str | None = None,
        **data: Any,
    ) -> Receipt:
        """Emit a line of an ordinary log as ``log_emitted``; ``data`` is plain JSON."""
        return self._writing.log(level, message, Place(phase), name, data)

    async def annotate(
        self, text: str, *, about: int | None = None, actor: str | None = None
    ) -> Appended:
        """Add a person's note or decision, about the event ``about`` where it is given."""
        return await self.append(AnnotationAdded(text=text, about=about), actor=actor)

    def phase(
        self,
        name: str,
        *,
        partition: str | None = None,
        inputs: PhaseInputs | None = None,
        will_retry: Callable[[BaseException], bool] = lambda failure: False,
    ) -> Phase:
        """
        ``async with run.phase("ingest") as phase:`` records how that phase goes.

        A phase that completed before begins its next revision, and what depended on the older one
        (``inputs.depends_on`` of later phases) is recorded as invalidated when it completes.
        """
        parse_name(name, "phase")
        if partition is not None:
            parse_partition(partition)
        return Phase(self._writing, name, partition, inputs, will_retry)

    async def skip(self, name: str, reason: str, *, partition: str | None = None) -> Appended:
        """Record that a phase need not run."""
        return await self._mark(
            name,
            partition,
            lambda revision: PhaseSkipped(revision=revision, reason=reason, partition=partition),
        )

    async def block(
        self,
        name: str,
        missing: Sequence[str],
        *,
        reason: str | None = None,
        partition: str | None = None,
    ) -> Appended:
        """Record that a phase cannot run, because ``missing`` is not there."""
        return await self._mark(
            name,
            partition,
            lambda revision: PhaseBlocked(
                revision=revision, missing=tuple(missing), reason=reason, partition=partition
            ),
        )

    async def _mark(
        self, name: str, partition: str | None, make: Callable[[int], Event]
    ) -> Appended:
        parse_name(name, "phase")
        if partition is not None:
            parse_partition(partition)

        def decide(state: RunLifecycle) -> list[Decision]:
            revision, _ = expected_numbers(state.phase(name, partition), PhaseSkipped)
            return [Decision(name, make(revision))]

        return await self._writing.decide(decide)

    async def store(
        self,
        payload: Payload,
        *,
        role: str = ArtifactRole.REPORT,
        description: str | None = None,
        format: str | None = None,  # noqa: A002 - the word of the vocabulary
        metadata: JsonObject | None = None,
    ) -> ArtifactMetadata:
        """Store an artifact of the run as a whole; see ``Phase.store``."""
        return await self._writing.store(
            payload,
            Place(),
            role=role,
            description=description,
            format=format,
            metadata=metadata,
        )

    async def find_artifacts(self, artifact_ids: Collection[str]) -> dict[str, ArtifactMetadata]:
        """What is known of these artifacts, read out of the run's own log. Durable ones only."""
        return await anyio.to_thread.run_sync(self._find_artifacts, set(artifact_ids))

    def _find_artifacts(self, wanted: set[str]) -> dict[str, ArtifactMetadata]:
        found: dict[str, ArtifactMetadata] = {}
        chain = Chain(self.id)
        for line in self._writing.writer.lines():
            record = chain.follow(line)
            if record.seq == 1:  # of a fork, the past comes first
                for each in self._writing.writer.past(record):
                    self._find(each, wanted, found)
            self._find(record, wanted, found)
        return found

    def _find(self, record: Record, wanted: set[str], found: dict[str, ArtifactMetadata]) -> None:
        event = record.data
        if isinstance(event, ArtifactPersisted) and event.artifact_id in wanted:
            found[event.artifact_id] = describe(
                event,
                run_id=self.id,
                phase=record.phase,
                timestamp=record.timestamp,
                seq=record.seq,
                location=self._locate(self.id, event.sha256),
                inherited_from=None if record.run_id == self.id else record.run_id,
            )

"""
Runs made of events for the tests of the read side, without the writer that people use.

A ``Writer`` puts events into any ``EventLog`` as valid lines; ``legal_runs`` makes random
sequences of events that ``journal.lifecycle`` allows.
"""

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from journal.chain import encode_batch
from journal.draft import Clock, Stamp, freeze
from journal.errors import StorageError
from journal.events import artifact, log, phase, run, step
from journal.events.base import ErrorInfo, Event
from journal.ids import RunId, new_run_id
from journal.lifecycle import RunLifecycle, check, evolve, expected_numbers
from journal.log import EventLog, Head, Lease
from journal.record import Record

WRITER = run.WriterInfo(host="host", pid=7, user="user", library="run-journal test")
ERROR = ErrorInfo(type="ValueError", message="no such word", traceback="Traceback: …")
DIGEST = "ab" * 32
Told = tuple[str | None, Event]
"""An event and the phase on its line."""


def created(**fields: Any) -> run.RunCreated:
    """The first event of a run."""
    return run.RunCreated(**{"project": "nightly", "format": 1, "writer": WRITER, **fields})


def stored(artifact_id: str, **fields: Any) -> artifact.ArtifactPersisted:
    """An artifact's event."""
    return artifact.ArtifactPersisted(
        **{
            "artifact_id": artifact_id,
            "role": "report",
            "format": "json",
            "media_type": "application/json",
            "size_bytes": 3,
            "sha256": DIGEST,
            **fields,
        }
    )


class Writer:
    """Puts events into a log, one batch per call, a second apart on a clock of its own."""

    def __init__(self, log: EventLog, run_id: str | None = None, now: float = 1.8e9) -> None:
        self.log = log
        self.run_id = RunId(run_id or new_run_id())
        self.now = now
        self.clock = Clock(self._tick)
        self.lease: Lease | None = None
        self.head: Head | None = None

    def _tick(self) -> float:
        self.now += 1.0
        return self.now

    def write(self, *events: Event | Told) -> "Writer":
        """Append one batch; the first one creates the run."""
        told = [each if isinstance(each, tuple) else (None, each) for each in events]
        head = self.head or Head(0, 0, "")
        from journal.chain import genesis

        stamps = []
        for number, (name, event) in enumerate(told, head.seq + 1):
            stamp, clock = self.clock.read()
            stamps.append(Stamp(freeze(self.run_id, event, phase=name), number, stamp, clock))
        lines, _ = encode_batch(head.hash or genesis(self.run_id), stamps)
        if self.head is None:
            self.lease = self.log.create(self.run_id, lines)
            self.head = self.lease.head
        else:
            if self.lease is None:
                self.lease = self.log.acquire(self.run_id)
            self.head = self.log.append(self.lease, lines)
        return self

    def close(self) -> "Writer":
        """Release the run; the next write acquires it again."""
        if self.lease is not None:
            self.log.release(self.lease)
            self.lease = None
        return self


def records(told: Sequence[Event | Told], run_id: str | None = None) -> list[Record]:
    """The same events as records, without a log."""
    from journal.backends.memory import MemoryLog
    from journal.chain import Chain

    log = MemoryLog()
    writer = Writer(log, run_id).write(*told)
    chain = Chain(writer.run_id)
    return [chain.follow(line) for line in log.read(writer.run_id)]


PHASES = ("ingest", "translate")
PARTITIONS = (None, "de", "a/b~c")
_STARTED, _NEUTRAL = "started", "neutral"


def _candidate(draw: st.DrawFn, state: RunLifecycle) -> Told:
    name = draw(st.sampled_from(PHASES))
    label = draw(st.sampled_from(PARTITIONS))
    kind = draw(st.sampled_from(_KINDS))
    if kind in _RUN:
        return None, _RUN[kind]
    if kind in _PLAIN:
        return draw(st.sampled_from([name, None])), _PLAIN[kind](label)
    revision, attempt = expected_numbers(state.phase(name, label), kind)
    return name, _PHASE[kind](revision, max(attempt, 1), label)


_RUN: dict[Any, Event] = {
    run.RunStarted: run.RunStarted(),
    run.RunResumed: run.RunResumed(),
    run.RunCompleted: run.RunCompleted(),
    run.RunFailed: run.RunFailed(error=ERROR),
    run.RunCancelled: run.RunCancelled(reason="Ctrl-C"),
    run.WriterOpened: run.WriterOpened(
        writer=WRITER, epoch=2, format=1, plan=(run.PlannedPhase(name="late"),)
    ),
}
_PHASE: dict[Any, Any] = {
    phase.PhaseStarted: lambda r, a, p: phase.PhaseStarted(
        revision=r,
        attempt=a,
        partition=p,
        inputs=phase.PhaseInputs(depends_on=(phase.PhaseRef(phase="ingest", revision=1),)),
    ),
    phase.PhaseCompleted: lambda r, a, p: phase.PhaseCompleted(
        revision=r, duration_s=1.5, partition=p, artifact_ids=("x",), summary={"n": 1}
    ),
    phase.PhaseFailed: lambda r, a, p: phase.PhaseFailed(
        revision=r, attempt=a, partition=p, error=ERROR, will_retry=True
    ),
    phase.PhaseCancelled: lambda r, a, p: phase.PhaseCancelled(
        revision=r, attempt=a, partition=p, reason="told to"
    ),
    phase.PhaseBlocked: lambda r, a, p: phase.PhaseBlocked(
        revision=r, missing=("ingest",), partition=p
    ),
    phase.PhaseSkipped: lambda r, a, p: phase.PhaseSkipped(
        revision=r, reason="not needed", partition=p
    ),
    phase.PhaseInvalidated: lambda r, a, p: phase.PhaseInvalidated(
        revision=r, because=phase.PhaseRef(phase="ingest", revision=2), partition=p
    ),
}
_PLAIN: dict[Any, Any] = {
    phase.PhaseProgress: lambda p: phase.PhaseProgress(done=1, total=2.5, partition=p),
    step.StepStarted: lambda p: step.StepStarted(step_id="s", name="call", partition=p),
    step.StepCompleted: lambda p: step.StepCompleted(
        step_id="s", name="call", duration_s=0.1, partition=p, usage=step.Usage(tokens_in=3)
    ),
    step.StepFailed: lambda p: step.StepFailed(step_id="s", name="call", error=ERROR, partition=p),
    artifact.ArtifactPersisted: lambda p: stored("x", partition=p),
    artifact.ArtifactDeleted: lambda p: artifact.ArtifactDeleted(
        artifact_id="x", sha256=DIGEST, reason="old"
    ),
    log.LogEmitted: lambda p: log.LogEmitted(name="hello"),
    log.AnnotationAdded: lambda p: log.AnnotationAdded(text="why?", about=1),
}
_KINDS = [*_RUN, *_PHASE, *_PLAIN, phase.PhaseStarted, phase.PhaseStarted, phase.PhaseCompleted]


@st.composite
def legal_runs(draw: st.DrawFn, max_events: int = 40) -> list[Told]:
    """The events of one run, in an order that the lifecycle allows; the first two are fixed."""
    plan = draw(
        st.sampled_from(
            [
                None,
                (
                    run.PlannedPhase(name="ingest"),
                    run.PlannedPhase(name="translate", after=("ingest",), partitions=("de", "fr")),
                ),
            ]
        )
    )
    told: list[Told] = [(None, created(plan=plan)), (None, run.RunStarted())]
    state = RunLifecycle()
    for name, event in told:
        state = evolve(state, name, event)
    for _ in range(draw(st.integers(0, max_events))):
        name, event = _candidate(draw, state)
        try:
            check(state, name, event)
        except StorageError:
            continue
        state = evolve(state, name, event)
        told.append((name, event))
    return told

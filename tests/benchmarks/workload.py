"""
What is written: runs of 374 events in seven phases, about 330 bytes a line.

The same shape as that of the peers' figures: per phase one start, 50 progress events, one
artifact and one completion; around them three events of the run. Longer runs go round the phases
again, each time as their next revision, so that the lifecycle allows every event.
"""

import itertools
from collections.abc import Iterator
from uuid import NAMESPACE_OID, uuid5

from journal.events.artifact import ArtifactPersisted
from journal.events.base import ErrorInfo, Event
from journal.events.phase import PhaseCompleted, PhaseProgress, PhaseStarted
from journal.events.run import (
    PlannedPhase,
    RunCompleted,
    RunCreated,
    RunFailed,
    RunStarted,
    WriterInfo,
)
from journal.limits import FORMAT

PHASES = ("ingest", "context", "pretranslation", "translate", "qa", "edit", "export")
PROGRESS_PER_PHASE = 50
EVENTS_PER_RUN = 374

Told = tuple[str | None, Event]
"""An event, and the phase that stands on its line."""

_DIGEST = "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8"


def beginning() -> list[Told]:
    """The two events that open a run."""
    created = RunCreated(
        project="localize",
        format=FORMAT,
        writer=WriterInfo(host="worker-1", pid=4242, user="build", library="run-journal 0.1.0"),
        parameters={"source": "ja", "targets": ["en"]},
        plan=tuple(PlannedPhase(name=name) for name in PHASES),
    )
    return [(None, created), (None, RunStarted())]


def one_round(revision: int = 1, progress: int = PROGRESS_PER_PHASE) -> list[Told]:
    """All phases once, from start to completion: 371 events by default."""
    return [told for phase in PHASES for told in one_phase(phase, revision, progress)]


def one_phase(name: str, revision: int, progress: int) -> list[Told]:
    """One phase from start to completion: three events, and its progress."""
    artifact_id = str(uuid5(NAMESPACE_OID, f"{name} {revision}"))
    stored = ArtifactPersisted(
        artifact_id=artifact_id,
        role="phase_output",
        format="jsonl",
        media_type="application/jsonl",
        size_bytes=123_456,
        sha256=_DIGEST,
    )
    steps: list[Event] = [
        PhaseStarted(revision=revision, attempt=1),
        *(
            PhaseProgress(done=done, total=progress, unit="lines")
            for done in range(1, progress + 1)
        ),
        stored,
        PhaseCompleted(revision=revision, duration_s=12.345, artifact_ids=(artifact_id,)),
    ]
    return [(name, event) for event in steps]


def ending(*, failed: bool = False) -> list[Told]:
    """The event that ends a run."""
    if failed:
        error = ErrorInfo(type="ValueError", message="translate: placeholder {name} is gone")
        return [(None, RunFailed(error=error))]
    return [(None, RunCompleted())]


def whole_run(*, failed: bool = False, progress: int = PROGRESS_PER_PHASE) -> list[Told]:
    """A run from its first event to its last."""
    return [*beginning(), *one_round(progress=progress), *ending(failed=failed)]


def rounds() -> Iterator[Told]:
    """Phases without end, as an open run goes through them."""
    for revision in itertools.count(1):
        yield from one_round(revision)

"""
The run that each golden log tells: every event of the vocabulary, in a legal order, with every key.

Ids and times are fixed, so the same story gives the same bytes as long as the format stands.
"""

import sys
from collections.abc import Iterator
from typing import Any, ClassVar

from journal.chain import encode_batch, genesis
from journal.draft import Clock, Stamp, freeze
from journal.events.artifact import ArtifactDeleted, ArtifactPersisted, ArtifactPersistFailed
from journal.events.base import ErrorInfo, Event, Level
from journal.events.log import AnnotationAdded, LogEmitted, LogRecovered, SnapshotRecorded
from journal.events.phase import (
    PhaseBlocked,
    PhaseCancelled,
    PhaseCompleted,
    PhaseFailed,
    PhaseInputs,
    PhaseInvalidated,
    PhaseProgress,
    PhaseRef,
    PhaseSkipped,
    PhaseStarted,
)
from journal.events.run import (
    CodeVersion,
    Counts,
    Parent,
    PlannedPhase,
    RunCancelled,
    RunCompleted,
    RunCreated,
    RunFailed,
    RunResumed,
    RunStarted,
    WriterInfo,
    WriterOpened,
)
from journal.events.step import StepCancelled, StepCompleted, StepFailed, StepStarted, Usage

RUN = "01a20285-29b3-7a11-8a5e-6c0d3b1f9e42"
OTHER = "01a20285-0000-7000-8000-000000000000"
BEGAN_S = 1_795_338_611.123456  # 2026-11-22T09:10:11.123456Z


class NoteMoved(Event, frozen=True, kw_only=True):
    """A user's event, in its second version: readers of the golden log do not know it."""

    event_name: ClassVar[str] = "golden.note_moved"
    event_version: ClassVar[int] = 2
    event_level: ClassVar[Level] = "debug"
    where: dict[str, float]


WRITER = WriterInfo(host="host-1", pid=4242, user="ann", library="run-journal 0.1.0")
CODE = CodeVersion(git_commit="0f" * 20, git_dirty=False, source_sha256="0a" * 32)
PLAN = (
    PlannedPhase(name="ingest"),
    PlannedPhase(name="translate", after=("ingest",), partitions=("de", "pt-BR")),
)
ERROR = ErrorInfo(
    type="journal.errors.StorageError",
    message='no_space: "disk" full \\ ünïcode \u2028 \U0001f4be.',
    code="no_space",
    details={"seq": 3, "path": "/data"},
    next_action="free some space",
    traceback="Traceback (most recent call last):\n  …\n",
)
INGEST_1 = PhaseRef(phase="ingest", revision=1)
Line = tuple[str | None, Event, dict[str, Any]]


def batches() -> Iterator[list[Line]]:
    """Yield the appends of the story, each one batch: (phase, event, what else the line says)."""
    yield [
        (
            None,
            RunCreated(
                project="nightly",
                format=1,
                writer=WRITER,
                external_id="ticket-17",
                parameters={"date": "2026-11-22", "n": 1.5, "big": 2**63, "none": None, "é": [[]]},
                plan=PLAN,
                target="pipeline.py:pipeline",
                code=CODE,
                parent=Parent(relation="child", run_id=OTHER, seq=7, hash="0b" * 32),
            ),
            {},
        ),
        (None, RunStarted(), {"key": "start"}),
    ]
    yield [("ingest", PhaseStarted(revision=1, attempt=1), {})]
    yield from _ingest()
    yield from _translate()
    yield from _stopped_and_resumed()
    yield from _the_end()


def _ingest() -> Iterator[list[Line]]:
    yield [
        ("ingest", PhaseProgress(done=10), {}),
        ("ingest", PhaseProgress(done=0.5, total=1.0, unit="GB"), {}),
        ("ingest", StepStarted(step_id="s1", name="fetch"), {}),
        ("ingest", StepCompleted(step_id="s1", name="fetch", duration_s=0.25), {}),
        (
            None,
            LogEmitted(
                logger="app",
                name="fetched",
                timestamp="2026-11-22T09:10:12+00:00",
                level="WARNING",
                data={"status": 200},
            ),
            {"message": "Fetched 10 lines.", "level": "warning"},
        ),
        (None, NoteMoved(where={"x": 0.1, "y": -1e-7}), {}),
    ]
    yield [
        (
            "ingest",
            ArtifactPersisted(
                artifact_id="01a20285-29b3-7000-8000-000000000001",
                role="phase_output",
                format="jsonl",
                media_type="application/x-ndjson",
                size_bytes=1024,
                sha256="0c" * 32,
                description="source lines",
                metadata={"lines": 10},
            ),
            {},
        )
    ]
    yield [
        (
            "ingest",
            PhaseCompleted(
                revision=1,
                duration_s=1.0625,
                artifact_ids=("01a20285-29b3-7000-8000-000000000001",),
                summary={"lines": 10},
            ),
            {"key": "ingest-1"},
        )
    ]


def _translate() -> Iterator[list[Line]]:
    inputs = PhaseInputs(
        artifact_ids=("01a20285-29b3-7000-8000-000000000001",), depends_on=(INGEST_1,)
    )
    de: dict[str, Any] = {"revision": 1, "attempt": 1, "partition": "de"}
    usage = Usage(tokens_in=12, tokens_out=14, cost_usd=0.000125, requests=1)
    yield [
        ("translate", PhaseStarted(**de, inputs=inputs), {}),
        ("translate", PhaseSkipped(revision=1, reason="is the source", partition="pt-BR"), {}),
    ]
    yield [
        (
            "translate",
            StepFailed(step_id="s2", name="call", error=ERROR, partition="de", usage=usage),
            {},
        ),
        (
            "translate",
            StepCancelled(step_id="s3", name="call", reason="told to stop", attempt=2),
            {},
        ),
        (
            "translate",
            ArtifactPersistFailed(
                artifact_id="01a20285-29b3-7000-8000-000000000002",
                role="report",
                format="csv",
                error=ERROR,
            ),
            {},
        ),
        ("translate", PhaseFailed(**de, error=ERROR, will_retry=True), {}),
    ]
    yield [("translate", PhaseStarted(revision=1, attempt=2, partition="de"), {})]
    yield [("translate", PhaseCompleted(revision=1, duration_s=2.0, partition="de"), {})]
    newer = PhaseInvalidated(
        revision=1, partition="de", because=PhaseRef(phase="ingest", revision=2)
    )
    yield [("ingest", PhaseStarted(revision=2, attempt=1), {})]
    yield [
        ("ingest", PhaseCompleted(revision=2, duration_s=0.5), {}),
        ("translate", newer, {}),
        ("translate", PhaseBlocked(revision=2, missing=("glossary",), partition="de"), {}),
    ]


def _stopped_and_resumed() -> Iterator[list[Line]]:
    again: dict[str, Any] = {"revision": 2, "attempt": 1, "partition": "de"}
    yield [("translate", PhaseStarted(**again), {})]
    yield [
        ("translate", PhaseCancelled(**again, reason="SIGTERM"), {}),
        (None, RunCancelled(reason="SIGTERM", counts=Counts(phases_completed=1)), {}),
    ]
    opened = WriterOpened(writer=WRITER, epoch=2, format=1, code=CODE, plan=PLAN)
    kept = LogRecovered(bytes_set_aside=99, sha256="0d" * 32, kept_as="torn/25-" + "0d" * 32)
    yield [(None, opened, {}), (None, kept, {}), (None, RunResumed(), {})]
    yield [(None, RunFailed(error=ERROR), {})]
    yield [(None, WriterOpened(writer=WRITER, epoch=3, format=1), {}), (None, RunResumed(), {})]


def _the_end() -> Iterator[list[Line]]:
    yield [
        (
            None,
            SnapshotRecorded(document="run_state", sha256="0e" * 32, full={"status": "running"}),
            {},
        ),
        (
            None,
            SnapshotRecorded(
                document="run_index",
                sha256="0f" * 32,
                patch=({"op": "replace", "path": "/status", "value": "running"},),
            ),
            {},
        ),
        (None, RunCompleted(counts=Counts(phases_completed=1, artifacts=1)), {}),
    ]
    yield [
        (None, AnnotationAdded(text="Looks fine.", about=3), {"actor": "ann@example.org"}),
        (
            None,
            ArtifactDeleted(
                artifact_id="01a20285-29b3-7000-8000-000000000001",
                sha256="0c" * 32,
                reason="superseded",
            ),
            {"actor": "ann@example.org", "key": "tidy-up"},
        ),
    ]


def lines() -> list[bytes]:
    """Return the log, line by line. The clock goes back once, in the middle."""
    made: list[bytes] = []
    above = genesis(RUN)
    readings = iter([BEGAN_S + 0.25 * n - (60 if n == 12 else 0) for n in range(100)])
    clock = Clock(lambda: next(readings))
    for batch in batches():
        stamps = [
            Stamp(freeze(RUN, event, phase=phase, **more), len(made) + n, *clock.read())
            for n, (phase, event, more) in enumerate(batch, 1)
        ]
        encoded, above = encode_batch(above, stamps)
        made += encoded
    return made


if __name__ == "__main__":
    sys.stdout.buffer.writelines(lines())

"""
The state of a run: its events become one picture again.

One small function per event class, found by the class. Which word an event leads to is looked up
in the tables of ``journal/lifecycle.py``, so that what people see and what writers decide by are
the same words. Bounded by phases and partitions: steps and log lines are counted, not kept.

Below: fold, run_fold (the structs), run_models (what comes out), run_present. Above: replay. This
is the last stop of the walk from the README; back to ``docs/format.md`` for the bytes that it is
made from.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from journal.events import artifact, log, phase, run, step
from journal.events.base import Event
from journal.events.registry import UnknownEvent
from journal.lifecycle import (
    INTERRUPTED,
    PENDING,
    PHASE_TRANSITIONS,
    RUN_TRANSITIONS,
    RUNNING,
    PhaseEvent,
)
from journal.limits import UNKNOWN_NAMES_MAX
from journal.record import Record
from projections import run_present
from projections.fold import Key
from projections.run_fold import (
    PartitionFold,
    RunFold,
    make,
    new_phase_keys,
    phase_keys,
    progress_keys,
    step_keys,
)
from projections.run_models import RunState

__all__ = ["RunState", "RunStateProjection"]


class RunStateProjection:
    """Folds a run's events into ``RunState``."""

    name = "run_state"
    version = 1
    handles = None

    def initial(self, run_id: str) -> RunFold:
        """Nothing is known but the id."""
        return RunFold(run_id=run_id)

    def apply(self, state: RunFold, record: Record) -> Sequence[Key]:
        """Go one event on."""
        state.seq = record.seq
        state.hash = record.hash
        state.timestamp = record.timestamp
        if not state.created_at:
            state.created_at = record.timestamp
        event = record.data
        handler = _HANDLERS.get(type(event))
        if handler is None:
            state.user_events += 1
            return _USER_EVENT
        return handler(state, record, event)

    def present(self, state: RunFold) -> RunState:
        """The model of it."""
        return run_present.run_state(state)


_USER_EVENT = ("/totals/user_events",)
_RUN_ENDS = ("/status", "/ended_at", "/duration_s", "/error", "/reason", "/phases")


# -- the run -------------------------------------------------------------------------------------


def _run_created(state: RunFold, record: Record, event: run.RunCreated) -> Sequence[Key]:
    if state.created is not None:
        _begin_anew(state, record)
    state.status = PENDING
    # The parts that are kept elsewhere (and may be replaced) are not kept twice.
    state.created = msgspec.structs.replace(event, plan=None, code=None)
    state.code, state.plan = event.code, event.plan
    state.writer, state.epoch = event.writer, 1
    return ("",)


def _begin_anew(state: RunFold, record: Record) -> None:
    """A fork's own beginning, behind its past: phases and totals stay, times and end do not."""
    state.created_at = record.timestamp
    state.started_at = state.ended_at = state.error = state.reason = None
    _interrupt(state)


def _writer_opened(state: RunFold, record: Record, event: run.WriterOpened) -> Sequence[Key]:
    state.writer, state.epoch = event.writer, event.epoch
    state.code = event.code or state.code
    state.plan = event.plan or state.plan
    return ("/writer", "/epoch", "/code", "/plan", "/phases")


def _run_goes_on(
    state: RunFold, record: Record, event: run.RunStarted | run.RunResumed
) -> Sequence[Key]:
    state.status = RUN_TRANSITIONS[type(event)][1] or state.status
    state.started_at = state.started_at or record.timestamp
    state.ended_at = state.error = state.reason = None
    if isinstance(event, run.RunResumed):
        _interrupt(state)
    return ("/started_at", *_RUN_ENDS)


def _run_ended(
    state: RunFold,
    record: Record,
    event: run.RunCompleted | run.RunFailed | run.RunCancelled,
) -> Sequence[Key]:
    state.status = RUN_TRANSITIONS[type(event)][1] or state.status
    state.ended_at = record.timestamp
    state.error = event.error if isinstance(event, run.RunFailed) else None
    state.reason = event.reason if isinstance(event, run.RunCancelled) else None
    if not isinstance(event, run.RunCompleted):
        _interrupt(state)
    return _RUN_ENDS


def _interrupt(state: RunFold) -> None:
    for partitions in state.phases.values():
        for found in partitions.values():
            if found.status == RUNNING:
                found.status = INTERRUPTED


# -- phases --------------------------------------------------------------------------------------


def _phase_moved(state: RunFold, record: Record, event: Any) -> Sequence[Key]:
    """What all events of a phase have in common; then what is special about this one."""
    name, label = record.phase or "", event.partition or ""
    keys = phase_keys(name, label)
    try:
        found = state.phases[name][label]
    except KeyError:
        found, keys = make(state, name, label), new_phase_keys(name)
    moved: PhaseEvent = event
    tried = found.attempt if moved.revision == found.revision else 0
    found.status = PHASE_TRANSITIONS[type(moved)][1]
    found.revision = moved.revision
    found.attempt = getattr(moved, "attempt", tried)
    _PHASE_DETAILS[type(moved)](found, record.timestamp, moved)
    return keys


def _phase_started(found: PartitionFold, now: str, event: phase.PhaseStarted) -> None:
    found.started_at, found.ended_at, found.duration_s = now, None, None
    found.error = found.reason = found.because = found.progress = found.summary = None
    found.will_retry = False
    found.missing = found.artifact_ids = ()
    found.depends_on = event.inputs.depends_on if event.inputs else ()


def _phase_completed(found: PartitionFold, now: str, event: phase.PhaseCompleted) -> None:
    found.ended_at, found.duration_s = now, event.duration_s
    found.artifact_ids, found.summary = event.artifact_ids, event.summary


def _phase_failed(found: PartitionFold, now: str, event: phase.PhaseFailed) -> None:
    found.ended_at = now
    found.error, found.will_retry = event.error, event.will_retry


def _phase_cancelled(found: PartitionFold, now: str, event: phase.PhaseCancelled) -> None:
    found.ended_at, found.reason = now, event.reason


def _phase_blocked(found: PartitionFold, now: str, event: phase.PhaseBlocked) -> None:
    found.missing, found.reason = event.missing, event.reason


def _phase_skipped(found: PartitionFold, now: str, event: phase.PhaseSkipped) -> None:
    found.missing, found.reason = (), event.reason


def _phase_invalidated(found: PartitionFold, now: str, event: phase.PhaseInvalidated) -> None:
    found.because = event.because


_PHASE_DETAILS: dict[type[Event], Callable[[PartitionFold, str, Any], None]] = {
    phase.PhaseStarted: _phase_started,
    phase.PhaseCompleted: _phase_completed,
    phase.PhaseFailed: _phase_failed,
    phase.PhaseCancelled: _phase_cancelled,
    phase.PhaseBlocked: _phase_blocked,
    phase.PhaseSkipped: _phase_skipped,
    phase.PhaseInvalidated: _phase_invalidated,
}


def _phase_progress(state: RunFold, record: Record, event: phase.PhaseProgress) -> Sequence[Key]:
    name, label = record.phase, event.partition or ""
    if name is None:
        return ()
    try:
        state.phases[name][label].progress = event
    except KeyError:
        make(state, name, label).progress = event
        return new_phase_keys(name)
    return progress_keys(name, label)


# -- what is counted -----------------------------------------------------------------------------


def _step_handler(what: str) -> Callable[[RunFold, Record, Any], Sequence[Key]]:
    """Count a step as ``what`` where it happened; ``present`` adds up the run's."""

    def apply(state: RunFold, record: Record, event: Any) -> Sequence[Key]:
        name, label = record.phase, event.partition or ""
        try:
            found = state.phases[name][label] if name is not None else state.outside
            keys = step_keys(name or "", label)
        except KeyError:
            found, keys = make(state, name or "", label), new_phase_keys(name or "")
        found.steps[what] = found.steps.get(what, 0) + 1
        usage: step.Usage | None = None if what == "started" else event.usage
        if usage is not None:
            found.usage.add(usage)
        return keys

    return apply


def _artifact_persisted(
    state: RunFold, record: Record, event: artifact.ArtifactPersisted
) -> Sequence[Key]:
    state.artifacts += 1
    state.artifact_bytes += event.size_bytes
    return ("/totals/artifacts", "/totals/artifact_bytes")


def _artifact_persist_failed(state: RunFold, record: Record, event: Event) -> Sequence[Key]:
    state.artifacts_failed += 1
    return ("/totals/artifacts_failed",)


def _artifact_deleted(state: RunFold, record: Record, event: Event) -> Sequence[Key]:
    state.artifacts_deleted += 1
    return ("/totals/artifacts_deleted",)


def _log_emitted(state: RunFold, record: Record, event: Event) -> Sequence[Key]:
    lines = state.log_lines
    lines[record.level] = lines.get(record.level, 0) + 1
    return ("/totals/log_lines",)


def _annotation_added(state: RunFold, record: Record, event: Event) -> Sequence[Key]:
    state.annotations += 1
    return ("/totals/annotations",)


def _log_recovered(state: RunFold, record: Record, event: Event) -> Sequence[Key]:
    state.tails_set_aside += 1
    return ("/totals/tails_set_aside",)


def _snapshot_recorded(state: RunFold, record: Record, event: Event) -> Sequence[Key]:
    return ()


def _unknown(state: RunFold, record: Record, event: UnknownEvent) -> Sequence[Key]:
    if "." in event.name:
        state.user_events += 1
    if not event.blocks:
        return _USER_EVENT
    if event.name not in state.unknown and len(state.unknown) < UNKNOWN_NAMES_MAX:
        state.unknown = (*state.unknown, event.name)
    return ("/complete", "/unknown", *_USER_EVENT)


_HANDLERS: dict[type[Event], Callable[[RunFold, Record, Any], Sequence[Key]]] = {
    run.RunCreated: _run_created,
    run.WriterOpened: _writer_opened,
    run.RunStarted: _run_goes_on,
    run.RunResumed: _run_goes_on,
    run.RunCompleted: _run_ended,
    run.RunFailed: _run_ended,
    run.RunCancelled: _run_ended,
    **dict.fromkeys(_PHASE_DETAILS, _phase_moved),
    phase.PhaseProgress: _phase_progress,
    step.StepStarted: _step_handler("started"),
    step.StepCompleted: _step_handler("completed"),
    step.StepFailed: _step_handler("failed"),
    step.StepCancelled: _step_handler("cancelled"),
    artifact.ArtifactPersisted: _artifact_persisted,
    artifact.ArtifactPersistFailed: _artifact_persist_failed,
    artifact.ArtifactDeleted: _artifact_deleted,
    log.LogEmitted: _log_emitted,
    log.AnnotationAdded: _annotation_added,
    log.LogRecovered: _log_recovered,
    log.SnapshotRecorded: _snapshot_recorded,
    UnknownEvent: _unknown,
}

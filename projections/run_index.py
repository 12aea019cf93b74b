"""
The index of runs: one short record per run, for lists.

Keeps of each phase only how it stands, so that it is cheap beside the run state. A run that
cannot be read has a record too, with status ``unreadable`` and the error: one bad run never hides
the others.

Below: fold, journal, times. Above: replay, sqlite.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from journal.errors import StorageError
from journal.events import artifact, run
from journal.events.base import ErrorInfo, Event
from journal.ids import RunId, run_id_time
from journal.lifecycle import (
    ABSENT,
    COMPLETED,
    FAILED,
    INTERRUPTED,
    PENDING,
    PHASE_TRANSITIONS,
    RUN_TRANSITIONS,
    RUNNING,
)
from journal.record import Record
from projections.fold import Key
from projections.times import seconds_between, stamp_of, time_of

UNREADABLE = "unreadable"

IndexStatus = Literal[
    "absent", "pending", "running", "completed", "failed", "cancelled", "unreadable"
]


class _Model(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class RunIndexError(_Model):
    """What went wrong, in short; the whole of it is in the run's state."""

    type: str = Field(description="class of the exception, or the code if the log is unreadable")
    message: str = Field(description="its text")


class RunIndexParent(_Model):
    """Where a run comes from."""

    relation: Literal["fork", "child"] = Field(description="how it belongs to its parent")
    run_id: str = Field(description="the parent")
    seq: int = Field(description="the parent's event at which it began")


class RunIndexRecord(_Model):
    """One run in a list. Counts of phases are per partition."""

    run_id: str = Field(description="the run")
    project: str | None = Field(description="its project; None if line 1 is not understood")
    status: IndexStatus = Field(description="how it stands; 'unreadable': see error")
    external_id: str | None = Field(None, description="id of the run elsewhere")
    created_at: datetime = Field(description="when it was created")
    updated_at: datetime = Field(description="when its last event was recorded")
    ended_at: datetime | None = Field(None, description="when it ended; None while it goes on")
    duration_s: float | None = Field(None, description="from first start to end, pauses too")
    seq: int = Field(description="number of its last event; 0 if none could be read")
    hash: str = Field(description="hash of that event's line; empty if none could be read")
    phases_total: int = Field(0, description="phases that are planned or were seen")
    phases_completed: int = Field(0, description="those of them that are completed")
    phases_failed: int = Field(0, description="those of them that are failed")
    artifacts: int = Field(0, description="artifacts stored, deleted ones included")
    error: RunIndexError | None = Field(None, description="why it failed or cannot be read")
    parent: RunIndexParent | None = Field(None, description="where it comes from")
    writer_gone: bool = Field(False, description="whether it did not end though nobody writes it")


class IndexFold(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A run's record while it is being folded."""

    run_id: str
    seq: int = 0
    hash: str = ""
    created_at: str = ""
    updated_at: str = ""
    status: str = ABSENT
    project: str | None = None
    external_id: str | None = None
    parent: run.Parent | None = None
    plan: tuple[run.PlannedPhase, ...] = ()
    started_at: str | None = None
    ended_at: str | None = None
    error: ErrorInfo | None = None
    phases: dict[str, dict[str, str]] = {}
    artifacts: int = 0


class RunIndexProjection:
    """Folds a run's events into ``RunIndexRecord``."""

    name = "run_index"
    version = 1
    handles = None

    def initial(self, run_id: str) -> IndexFold:
        """Nothing is known but the id."""
        return IndexFold(run_id=run_id)

    def apply(self, state: IndexFold, record: Record) -> Sequence[Key]:
        """Go one event on."""
        state.seq = record.seq
        state.hash = record.hash
        state.updated_at = record.timestamp
        if not state.created_at:
            state.created_at = record.timestamp
        handler = _HANDLERS.get(type(record.data))
        return () if handler is None else handler(state, record, record.data)

    def present(self, state: IndexFold) -> RunIndexRecord:
        """The record of a run that has had at least one event."""
        return _record(state, None)


def unreadable(run_id: RunId, state: IndexFold, error: StorageError) -> RunIndexRecord:
    """The record of a run whose log is refused; ``state`` is what was read before that."""
    if not state.created_at:
        text = stamp_of(run_id_time(run_id))
        state = msgspec.structs.replace(state, created_at=text, updated_at=text)
    return _record(state, error)


def _run_created(state: IndexFold, record: Record, event: run.RunCreated) -> Sequence[Key]:
    if state.project is not None:  # a fork's own beginning, behind its past
        state.created_at = record.timestamp
        state.started_at = state.ended_at = state.error = None
        _interrupt(state)
    state.status, state.project = PENDING, event.project
    state.external_id, state.parent = event.external_id, event.parent
    state.plan = event.plan or ()
    return ("",)


def _writer_opened(state: IndexFold, record: Record, event: run.WriterOpened) -> Sequence[Key]:
    state.plan = event.plan or state.plan
    return ("/phases_total", "/phases_completed", "/phases_failed")


def _run_moved(state: IndexFold, record: Record, event: Any) -> Sequence[Key]:
    state.status = RUN_TRANSITIONS[type(event)][1] or state.status
    going_on = isinstance(event, run.RunStarted | run.RunResumed)
    if going_on:
        state.started_at = state.started_at or record.timestamp
    state.ended_at = None if going_on else record.timestamp
    state.error = _short(event.error) if isinstance(event, run.RunFailed) else None
    if isinstance(event, run.RunResumed | run.RunFailed | run.RunCancelled):
        _interrupt(state)
    return ("/status", "/ended_at", "/duration_s", "/error")


def _interrupt(state: IndexFold) -> None:
    for partitions in state.phases.values():
        for label, status in partitions.items():
            if status == RUNNING:
                partitions[label] = INTERRUPTED


def _short(error: ErrorInfo) -> ErrorInfo:
    return ErrorInfo(type=error.type, message=error.message)


def _phase_moved(state: IndexFold, record: Record, event: Any) -> Sequence[Key]:
    partitions = state.phases.setdefault(record.phase or "", {})
    partitions[event.partition or ""] = PHASE_TRANSITIONS[type(event)][1]
    return ("/phases_total", "/phases_completed", "/phases_failed")


def _artifact_persisted(state: IndexFold, record: Record, event: Event) -> Sequence[Key]:
    state.artifacts += 1
    return ("/artifacts",)


_HANDLERS: dict[type[Event], Callable[[IndexFold, Record, Any], Sequence[Key]]] = {
    run.RunCreated: _run_created,
    run.WriterOpened: _writer_opened,
    run.RunStarted: _run_moved,
    run.RunResumed: _run_moved,
    run.RunCompleted: _run_moved,
    run.RunFailed: _run_moved,
    run.RunCancelled: _run_moved,
    **dict.fromkeys(PHASE_TRANSITIONS, _phase_moved),
    artifact.ArtifactPersisted: _artifact_persisted,
}


def _record(state: IndexFold, error: StorageError | None) -> RunIndexRecord:
    standing = _standing(state)
    parent = state.parent
    return RunIndexRecord.model_validate(
        {
            "run_id": state.run_id,
            "project": state.project,
            "status": state.status if error is None else UNREADABLE,
            "external_id": state.external_id,
            "created_at": time_of(state.created_at),
            "updated_at": time_of(state.updated_at),
            "ended_at": time_of(state.ended_at),
            "duration_s": seconds_between(state.started_at, state.ended_at),
            "seq": state.seq,
            "hash": state.hash,
            "phases_total": len(standing),
            "phases_completed": standing.count(COMPLETED),
            "phases_failed": standing.count(FAILED),
            "artifacts": state.artifacts,
            "error": _error(state.error, error),
            "parent": None if parent is None else _parent(parent),
        }
    )


def _parent(parent: run.Parent) -> RunIndexParent:
    return RunIndexParent(relation=parent.relation, run_id=parent.run_id, seq=parent.seq)


def _standing(state: IndexFold) -> list[str]:
    """The status of each phase and partition, planned or seen."""
    planned = {each.name: each.partitions or () for each in state.plan}
    found: list[str] = []
    for name in dict.fromkeys((*planned, *state.phases)):
        seen = state.phases.get(name, {})
        labels = dict.fromkeys((*planned.get(name, ()), *seen)) or {"": None}
        found += [seen.get(label, PENDING) for label in labels]
    return found


def _error(failed: ErrorInfo | None, refused: StorageError | None) -> RunIndexError | None:
    if refused is not None:
        return RunIndexError(type=refused.code.value, message=refused.info.message)
    return None if failed is None else RunIndexError(type=failed.type, message=failed.message)

"""
From the private struct to the model that people see; nothing is decided here but the order.

Below: run_models, run_fold, times. Above: run_state.
"""

from collections import Counter
from collections.abc import Iterable
from typing import TypeVar

import msgspec
from pydantic import BaseModel

from journal.events.base import ErrorInfo
from journal.events.phase import PhaseProgress, PhaseRef
from journal.events.run import PlannedPhase
from projections.run_fold import PartitionFold, RunFold, Used
from projections.run_models import (
    CodeState,
    Failure,
    LogLines,
    ParentState,
    PartitionState,
    PhaseState,
    PhaseStatus,
    PlannedPhaseState,
    Progress,
    ResultRef,
    RunState,
    StepCounts,
    Totals,
    UsageSum,
    WriterState,
)
from projections.times import seconds_between, time_of

_M = TypeVar("_M", bound=BaseModel)

# The first of these that some partition has is the word for the whole phase: what is under way,
# then what needs a person's eye, then what is still to come, then what is done.
_IN_ONE_WORD: tuple[PhaseStatus, ...] = (
    "running",
    "failed",
    "cancelled",
    "interrupted",
    "blocked",
    "invalidated",
    "pending",
    "completed",
    "skipped",
)


def run_state(state: RunFold) -> RunState:
    """The model of a run that has had at least one event."""
    created = state.created
    return RunState.model_validate(
        {
            "run_id": state.run_id,
            "seq": state.seq,
            "hash": state.hash,
            "timestamp": time_of(state.timestamp),
            "project": created.project if created else None,
            "status": state.status,
            "external_id": created.external_id if created else None,
            "parameters": created.parameters if created else {},
            "target": created.target if created else None,
            "code": _same(CodeState, state.code),
            "plan": None if state.plan is None else [_planned(each) for each in state.plan],
            "parent": _same(ParentState, created.parent if created else None),
            "created_at": time_of(state.created_at),
            "started_at": time_of(state.started_at),
            "ended_at": time_of(state.ended_at),
            "duration_s": seconds_between(state.started_at, state.ended_at),
            "error": failure(state.error),
            "reason": state.reason,
            "complete": not state.unknown,
            "unknown": list(state.unknown),
            "phases": [_phase(state, planned, name) for name, planned in _in_order(state)],
            "totals": _totals(state),
            "writer": _same(WriterState, state.writer),
            "epoch": state.epoch,
        }
    )


def failure(error: ErrorInfo | None) -> Failure | None:
    """An error's model."""
    return _same(Failure, error)


def _same(kind: type[_M], found: msgspec.Struct | None) -> _M | None:
    """A model with the same fields as a payload's part."""
    return None if found is None else kind(**msgspec.structs.asdict(found))


def _planned(each: PlannedPhase) -> PlannedPhaseState:
    labels = None if each.partitions is None else list(each.partitions)
    return PlannedPhaseState(name=each.name, after=list(each.after), partitions=labels)


def _in_order(state: RunFold) -> Iterable[tuple[str, PlannedPhase | None]]:
    """Each phase once: those of the plan, then the others as they appeared."""
    plan = {each.name: each for each in state.plan or ()}
    yield from plan.items()
    for name in state.phases:
        if name not in plan:
            yield name, None


def _phase(state: RunFold, planned: PlannedPhase | None, name: str) -> PhaseState:
    seen = state.phases.get(name, {})
    expected = planned.partitions or () if planned else ()
    labels = dict.fromkeys((*expected, *seen))
    partitions = [_partition(label, seen.get(label, _UNTOUCHED)) for label in labels]
    found = {each.status for each in partitions}
    status: PhaseStatus = "pending"
    for word in reversed(_IN_ONE_WORD):
        status = word if word in found else status
    return PhaseState(
        name=name,
        after=list(planned.after) if planned else [],
        planned=planned is not None,
        status=status,
        partitions=partitions,
    )


_UNTOUCHED = PartitionFold()


def _partition(label: str, found: PartitionFold) -> PartitionState:
    took = found.duration_s
    return PartitionState.model_validate(
        {
            "partition": label or None,
            "status": found.status,
            "revision": found.revision,
            "attempt": found.attempt,
            "progress": _progress(found.progress),
            "started_at": time_of(found.started_at),
            "ended_at": time_of(found.ended_at),
            "duration_s": seconds_between(found.started_at, found.ended_at)
            if took is None
            else took,
            "error": failure(found.error),
            "will_retry": found.will_retry,
            "missing": list(found.missing),
            "reason": found.reason,
            "because": _result(found.because),
            "depends_on": [_result(each) for each in found.depends_on],
            "artifact_ids": list(found.artifact_ids),
            "summary": found.summary,
            "steps": StepCounts(**found.steps),
            "usage": UsageSum(**msgspec.structs.asdict(found.usage)),
        }
    )


def _progress(event: PhaseProgress | None) -> Progress | None:
    if event is None:
        return None
    return Progress(done=event.done, total=event.total, unit=event.unit)


def _result(ref: PhaseRef | None) -> ResultRef | None:
    if ref is None:
        return None
    return ResultRef(phase=ref.phase, revision=ref.revision, partition=ref.partition)


def _totals(state: RunFold) -> Totals:
    steps, usage = Counter(state.outside.steps), Used()
    usage.add(state.outside.usage)
    for partitions in state.phases.values():
        for found in partitions.values():
            steps.update(found.steps)
            usage.add(found.usage)
    return Totals(
        events=state.seq,
        artifacts=state.artifacts,
        artifact_bytes=state.artifact_bytes,
        artifacts_failed=state.artifacts_failed,
        artifacts_deleted=state.artifacts_deleted,
        steps=StepCounts(**steps),
        usage=UsageSum(**msgspec.structs.asdict(usage)),
        log_lines=LogLines(**state.log_lines),
        annotations=state.annotations,
        user_events=state.user_events,
        tails_set_aside=state.tails_set_aside,
    )

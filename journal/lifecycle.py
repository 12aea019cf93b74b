"""
Which events may follow which: two tables and two pure functions.

``check(state, phase, event)`` raises ``conflict`` for an illegal transition; ``evolve`` gives the
state after a legal one. States are frozen: a writer whose disk fails goes back to the last one
that is durable by keeping a reference. The picture of the tables is ``docs/lifecycle.md``.

This is the write side's private fold, just enough to decide. What people look at is
``projections/run_state.py``, the next to read.

Below: errors, events, limits. Above: writer, run.
"""

from types import MappingProxyType

import msgspec

from journal.errors import StorageError, StorageErrorCode, storage_error
from journal.events import artifact, phase, run
from journal.events.base import Event
from journal.events.phase import PhaseRef
from journal.events.registry import UnknownEvent
from journal.limits import UNKNOWN_NAMES_MAX

PENDING, RUNNING, COMPLETED, FAILED, CANCELLED = (
    "pending",
    "running",
    "completed",
    "failed",
    "cancelled",
)
INTERRUPTED, BLOCKED, SKIPPED, INVALIDATED = "interrupted", "blocked", "skipped", "invalidated"
ABSENT = "absent"

FINISHED = frozenset({COMPLETED, FAILED, CANCELLED})
"""A finished run takes only ``writer_opened``, ``run_resumed`` and neutral events."""

RUN_TRANSITIONS: MappingProxyType[type[Event], tuple[frozenset[str], str | None]] = (
    MappingProxyType(
        {
            run.RunCreated: (frozenset({ABSENT}), PENDING),
            run.WriterOpened: (frozenset({PENDING, RUNNING, *FINISHED}), None),
            run.RunStarted: (frozenset({PENDING}), RUNNING),
            run.RunResumed: (frozenset({PENDING, RUNNING, *FINISHED}), RUNNING),
            run.RunCompleted: (frozenset({RUNNING}), COMPLETED),
            run.RunFailed: (frozenset({PENDING, RUNNING}), FAILED),
            run.RunCancelled: (frozenset({PENDING, RUNNING}), CANCELLED),
        }
    )
)
"""Event of a run -> the states it may happen in, and the state after (``None``: as before)."""

_IDLE = frozenset({PENDING, FAILED, CANCELLED, INTERRUPTED, BLOCKED, SKIPPED, INVALIDATED})
_STARTABLE = _IDLE | {COMPLETED}

PHASE_TRANSITIONS: MappingProxyType[type[Event], tuple[frozenset[str], str]] = MappingProxyType(
    {
        phase.PhaseStarted: (_STARTABLE, RUNNING),
        phase.PhaseCompleted: (frozenset({RUNNING}), COMPLETED),
        phase.PhaseFailed: (frozenset({RUNNING}), FAILED),
        phase.PhaseCancelled: (frozenset({RUNNING}), CANCELLED),
        phase.PhaseBlocked: (_IDLE, BLOCKED),
        phase.PhaseSkipped: (_IDLE, SKIPPED),
        phase.PhaseInvalidated: (frozenset({COMPLETED}), INVALIDATED),
    }
)
"""Event of a phase -> the phase's states it may happen in, and the state after."""

_DECISIVE = frozenset(
    {*RUN_TRANSITIONS, *PHASE_TRANSITIONS, artifact.ArtifactPersisted, UnknownEvent}
)
_NEW_REVISION = frozenset({COMPLETED, INVALIDATED})

PhaseEvent = (
    phase.PhaseStarted
    | phase.PhaseCompleted
    | phase.PhaseFailed
    | phase.PhaseCancelled
    | phase.PhaseBlocked
    | phase.PhaseSkipped
    | phase.PhaseInvalidated
)
PhaseKey = tuple[str, str | None]
"""A phase's name and its partition, or ``None`` where it has none."""


class PhaseStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One phase, per partition, as far as decisions need it."""

    status: str = PENDING
    revision: int = 1
    attempt: int = 0
    depends_on: tuple[PhaseRef, ...] = ()
    artifact_ids: tuple[str, ...] = ()


class RunLifecycle(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A run, as far as decisions need it. Bounded by phases and partitions, not by events."""

    status: str = ABSENT
    phases: dict[str, dict[str, PhaseStatus]] = {}  # partition "" stands for none
    artifacts: int = 0
    created: run.RunCreated | None = None
    code: run.CodeVersion | None = None
    plan: tuple[run.PlannedPhase, ...] | None = None
    unknown: tuple[str, ...] = ()

    def phase(self, name: str, partition: str | None = None) -> PhaseStatus:
        """The state of one phase; a phase that nobody named yet is pending."""
        return self.phases.get(name, {}).get(partition or "", _UNTOUCHED)

    def each_phase(self) -> list[tuple[PhaseKey, PhaseStatus]]:
        """All phases that something happened to, in the order in which that began."""
        return [
            ((name, label or None), found)
            for name, partitions in self.phases.items()
            for label, found in partitions.items()
        ]

    def counts(self) -> run.Counts:
        """How the phases stand, for the event that ends the run."""
        standing = [found.status for _, found in self.each_phase()]
        return run.Counts(
            phases_completed=standing.count(COMPLETED),
            phases_failed=standing.count(FAILED),
            phases_cancelled=standing.count(CANCELLED),
            phases_blocked=standing.count(BLOCKED),
            phases_skipped=standing.count(SKIPPED),
            artifacts=self.artifacts,
        )


_UNTOUCHED = PhaseStatus()


def check(state: RunLifecycle, name: str | None, event: Event) -> None:
    """
    Raise ``conflict`` when ``event`` of phase ``name`` may not follow ``state``; nothing changes.

    Lifecycle-neutral events (progress, steps, artifacts, log lines, notes, a user's own) pass in
    every state of a run that exists.
    """
    if state.unknown and not isinstance(event, UnknownEvent):
        raise _conflict(
            f"the log holds events that this version does not know ({', '.join(state.unknown)})",
            "upgrade run-journal, then resume",
            StorageErrorCode.UNSUPPORTED_FORMAT,
        )
    kind = type(event)
    rule = RUN_TRANSITIONS.get(kind)
    if rule is not None:
        if state.status not in rule[0]:
            raise _conflict(f"{event.event_name} may not follow while the run is {state.status}")
        if isinstance(event, run.RunCompleted):
            _refuse_running(state)
    elif state.status == ABSENT:
        raise _conflict(f"{event.event_name} may not come before run_created")
    elif kind in PHASE_TRANSITIONS and isinstance(event, PhaseEvent):
        _check_phase(state, name, event)


def _refuse_running(state: RunLifecycle) -> None:
    running = [key for key, found in state.each_phase() if found.status == RUNNING]
    if running:
        raise _conflict(f"run_completed may not come while {running[0][0]} is running")


def _check_phase(state: RunLifecycle, name: str | None, event: PhaseEvent) -> None:
    if name is None:
        raise _conflict(f"{event.event_name} needs a phase")
    if state.status != RUNNING:
        raise _conflict(f"{event.event_name} may not follow while the run is {state.status}")
    found = state.phase(name, event.partition)
    allowed, _ = PHASE_TRANSITIONS[type(event)]
    if found.status not in allowed:
        raise _conflict(f"{event.event_name} may not follow while {name} is {found.status}")
    revision, attempt = expected_numbers(found, event)
    if event.revision != revision:
        raise _conflict(f"{event.event_name} of {name} must be of revision {revision}")
    if getattr(event, "attempt", attempt) != attempt:
        raise _conflict(f"{event.event_name} of {name} must be of attempt {attempt}")


def expected_numbers(found: PhaseStatus, event: Event | type[Event]) -> tuple[int, int]:
    """
    The (revision, attempt) that ``event`` must carry for a phase that stands as ``found``.

    A completed or invalidated phase goes on as the next revision; a start is the next attempt of
    its revision, whatever stood between the two; every other event belongs to what is there.
    """
    kind = event if isinstance(event, type) else type(event)
    if found.status in _NEW_REVISION and kind is not phase.PhaseInvalidated:
        return found.revision + 1, 1
    if kind is not phase.PhaseStarted:
        return found.revision, found.attempt
    return found.revision, found.attempt + 1


def evolve(state: RunLifecycle, name: str | None, event: Event) -> RunLifecycle:
    """The state after ``event``. Pure, and total: what a log holds has happened, legal or not."""
    if type(event) not in _DECISIVE:
        return state
    rule = RUN_TRANSITIONS.get(type(event))
    if rule is not None:
        return _evolve_run(state, event, rule[1] or state.status)
    if isinstance(event, PhaseEvent):
        return _evolve_phase(state, name or "", event)
    if isinstance(event, artifact.ArtifactPersisted):
        return msgspec.structs.replace(state, artifacts=state.artifacts + 1)
    if isinstance(event, UnknownEvent) and event.blocks and event.name not in state.unknown:
        unknown = (*state.unknown, event.name)[:UNKNOWN_NAMES_MAX]
        return msgspec.structs.replace(state, unknown=unknown)
    return state


def _evolve_run(state: RunLifecycle, event: Event, status: str) -> RunLifecycle:
    state = msgspec.structs.replace(state, status=status)
    if isinstance(event, run.RunCreated):
        # A fork's own beginning comes behind its past: what was running there, nobody will end.
        created = msgspec.structs.replace(state, created=event, code=event.code, plan=event.plan)
        return _interrupt(created)
    if isinstance(event, run.WriterOpened):
        return msgspec.structs.replace(
            state, code=event.code or state.code, plan=event.plan or state.plan
        )
    if isinstance(event, run.RunResumed | run.RunFailed | run.RunCancelled):
        return _interrupt(state)
    return state


def _interrupt(state: RunLifecycle) -> RunLifecycle:
    """What was running when its run stopped is interrupted: nobody will tell how it ended."""
    phases = {
        name: {
            label: msgspec.structs.replace(found, status=INTERRUPTED)
            if found.status == RUNNING
            else found
            for label, found in partitions.items()
        }
        for name, partitions in state.phases.items()
    }
    return msgspec.structs.replace(state, phases=phases)


def _evolve_phase(state: RunLifecycle, name: str, event: PhaseEvent) -> RunLifecycle:
    before = state.phase(name, event.partition)
    tried = before.attempt if event.revision == before.revision else 0
    after = msgspec.structs.replace(
        before,
        status=PHASE_TRANSITIONS[type(event)][1],
        revision=event.revision,
        attempt=getattr(event, "attempt", tried),
    )
    if isinstance(event, phase.PhaseStarted):
        depends_on = event.inputs.depends_on if event.inputs else ()
        after = msgspec.structs.replace(after, depends_on=depends_on, artifact_ids=())
    elif isinstance(event, phase.PhaseCompleted):
        after = msgspec.structs.replace(after, artifact_ids=event.artifact_ids)
    partitions = {**state.phases.get(name, {}), event.partition or "": after}
    return msgspec.structs.replace(state, phases={**state.phases, name: partitions})


def invalidated_by(
    state: RunLifecycle, name: str, completed: phase.PhaseCompleted
) -> list[tuple[str, phase.PhaseInvalidated]]:
    """
    What no longer holds once ``completed`` (of phase ``name``) is in the log.

    Every completed phase that depended on an older revision of it, and in turn every one that
    depended on those, as (phase, event) in the order in which they are to be recorded. First the
    phase itself, where what it was made from was replaced while it ran.
    """
    cause = PhaseRef(phase=name, revision=completed.revision, partition=completed.partition)
    found: list[tuple[str, phase.PhaseInvalidated]] = []
    gone: set[PhaseKey] = set()
    for ref in state.phase(name, completed.partition).depends_on:
        newer = _replaced(state, ref)
        if newer is not None:
            event = phase.PhaseInvalidated(
                revision=completed.revision, because=newer, partition=completed.partition
            )
            found.append((name, event))
            break
    stale = [(cause.phase, cause.partition)]
    while stale:
        source = stale.pop(0)
        for key, status in state.each_phase():
            if status.status != COMPLETED or key in gone or key == (name, completed.partition):
                continue
            if any(_is_older(ref, source, cause) for ref in status.depends_on):
                gone.add(key)
                stale.append(key)
                event = phase.PhaseInvalidated(
                    revision=status.revision, because=cause, partition=key[1]
                )
                found.append((key[0], event))
    return found


def _replaced(state: RunLifecycle, ref: PhaseRef) -> PhaseRef | None:
    """What stands today in the place of ``ref``, where that is no longer the result it names."""
    today = state.phase(ref.phase, ref.partition)
    newer = today.status == COMPLETED and today.revision > ref.revision
    if newer or (today.status == INVALIDATED and today.revision >= ref.revision):
        return PhaseRef(phase=ref.phase, revision=today.revision, partition=ref.partition)
    return None


def _is_older(ref: PhaseRef, source: PhaseKey, cause: PhaseRef) -> bool:
    if (ref.phase, ref.partition) != source:
        return False
    return source != (cause.phase, cause.partition) or ref.revision < cause.revision


def _conflict(
    what: str,
    next_action: str | None = None,
    code: StorageErrorCode = StorageErrorCode.CONFLICT,
) -> StorageError:
    return storage_error(
        code, f"{what}. Nothing was written.", reason="transition", next_action=next_action
    )

"""Which events may follow which: every pair of state and event, and the numbers they carry."""

from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journal.errors import StorageError, StorageErrorCode
from journal.events.artifact import ArtifactPersisted
from journal.events.base import Event
from journal.events.phase import PhaseProgress, PhaseRef, PhaseStarted
from journal.events.registry import BUILT_IN, UnknownEvent
from journal.events.run import (
    CodeVersion,
    Counts,
    PlannedPhase,
    RunCreated,
    RunStarted,
    WriterOpened,
)
from journal.lifecycle import (
    FINISHED,
    PHASE_TRANSITIONS,
    RUN_TRANSITIONS,
    PhaseStatus,
    RunLifecycle,
    check,
    evolve,
    expected_numbers,
)
from tests.unit import payloads

CONFLICT = StorageErrorCode.CONFLICT
BY_NAME = {kind.event_name: kind for kind in BUILT_IN}

# What DESIGN and docs/lifecycle.md say, written down a second time: state -> event -> state.
RUN: dict[str, dict[str, str]] = {
    "absent": {"run_created": "pending"},
    "pending": {
        "writer_opened": "pending",
        "run_started": "running",
        "run_resumed": "running",
        "run_failed": "failed",
        "run_cancelled": "cancelled",
    },
    "running": {
        "writer_opened": "running",
        "run_resumed": "running",
        "run_completed": "completed",
        "run_failed": "failed",
        "run_cancelled": "cancelled",
    },
    "completed": {"writer_opened": "completed", "run_resumed": "running"},
    "failed": {"writer_opened": "failed", "run_resumed": "running"},
    "cancelled": {"writer_opened": "cancelled", "run_resumed": "running"},
}
AGAIN = {"phase_started": "running", "phase_blocked": "blocked", "phase_skipped": "skipped"}
PHASE: dict[str, dict[str, str]] = {
    "pending": AGAIN,
    "running": {
        "phase_completed": "completed",
        "phase_failed": "failed",
        "phase_cancelled": "cancelled",
    },
    "completed": {"phase_started": "running", "phase_invalidated": "invalidated"},
    "failed": AGAIN,
    "cancelled": AGAIN,
    "interrupted": AGAIN,
    "blocked": AGAIN,
    "skipped": AGAIN,
    "invalidated": AGAIN,
}
NEUTRAL = [kind for kind in BUILT_IN if kind not in {*RUN_TRANSITIONS, *PHASE_TRANSITIONS}]

run_pairs = [(state, kind) for state in RUN for kind in RUN_TRANSITIONS]
phase_pairs = [(state, kind) for state in PHASE for kind in PHASE_TRANSITIONS]


def name_of(value: object) -> str:
    """Name a parameter of a test."""
    return value.event_name if isinstance(value, type) and issubclass(value, Event) else str(value)


def running(**phases: PhaseStatus) -> RunLifecycle:
    """Return a running run whose phases (without partition) stand as given."""
    return RunLifecycle(
        status="running", phases={name: {"": status} for name, status in phases.items()}
    )


def event_of(kind: type[Event], found: PhaseStatus) -> Event:
    """Return an event of ``kind`` with the numbers that fit a phase that stands as ``found``."""
    revision, attempt = expected_numbers(found, kind)
    numbers = {"revision": revision, "attempt": attempt}
    fields = {name: numbers[name] for name in numbers if name in kind.__struct_fields__}
    return msgspec.structs.replace(payloads.example_of(kind), **fields)


def refused(state: RunLifecycle, phase: str | None, event: Event) -> StorageError:
    """Return the error with which ``event`` is refused."""
    with pytest.raises(StorageError) as caught:
        check(state, phase, event)
    assert "Nothing was written." in caught.value.info.message
    return caught.value


def told(*events: tuple[str | None, Event], state: RunLifecycle | None = None) -> RunLifecycle:
    """Return the state after these events, each of which must be legal."""
    state = state or RunLifecycle()
    for phase, event in events:
        check(state, phase, event)
        state = evolve(state, phase, event)
    return state


# ------------------------------------------------------------------------------- the tables


def test_the_tables_name_every_event_that_moves_something() -> None:
    """An event in no table would be neutral by accident."""
    assert {kind.event_name for kind in RUN_TRANSITIONS} == {e for row in RUN.values() for e in row}
    assert {kind.event_name for kind in PHASE_TRANSITIONS} == {
        event for row in PHASE.values() for event in row
    }
    assert {"completed", "failed", "cancelled"} == FINISHED


@pytest.mark.parametrize(("status", "kind"), run_pairs, ids=name_of)
def test_a_run_moves_as_the_table_says_and_no_other_way(status: str, kind: type[Event]) -> None:
    """Every state, every event: what is not in the table is a conflict and changes nothing."""
    given_state, event = RunLifecycle(status=status), payloads.example_of(kind)
    then = RUN[status].get(kind.event_name)
    if then is None:
        error = refused(given_state, None, event)
        assert (error.code, error.info.details.reason) == (CONFLICT, "transition")
        assert kind.event_name in str(error)
    else:
        assert told((None, event), state=given_state).status == then


@pytest.mark.parametrize(("status", "kind"), phase_pairs, ids=name_of)
def test_a_phase_moves_as_the_table_says_and_no_other_way(status: str, kind: type[Event]) -> None:
    """Every state, every event, with the right numbers: only the state decides."""
    found = PhaseStatus(status=status, revision=2, attempt=3)
    given_state, event = running(p=found), event_of(kind, found)
    then = PHASE[status].get(kind.event_name)
    if then is None:
        error = refused(given_state, "p", event)
        assert (error.code, error.info.details.reason) == (CONFLICT, "transition")
    else:
        assert told(("p", event), state=given_state).phase("p").status == then


@pytest.mark.parametrize("status", [status for status in RUN if status != "running"])
@pytest.mark.parametrize("kind", PHASE_TRANSITIONS, ids=name_of)
def test_a_phase_moves_only_while_its_run_is_running(status: str, kind: type[Event]) -> None:
    """A finished run takes only its reopening, its resumption and neutral events."""
    allowed, _ = PHASE_TRANSITIONS[kind]
    found = PhaseStatus(status=min(allowed))
    state = msgspec.structs.replace(running(p=found), status=status)
    assert refused(state, "p", event_of(kind, found)).code is CONFLICT


@pytest.mark.parametrize("kind", PHASE_TRANSITIONS, ids=name_of)
def test_a_phase_event_needs_a_phase(kind: type[Event]) -> None:
    """The line says where it happened; nowhere is no place."""
    assert refused(running(), None, payloads.example_of(kind)).code is CONFLICT


@pytest.mark.parametrize("status", RUN)
@pytest.mark.parametrize("kind", NEUTRAL, ids=name_of)
def test_a_neutral_event_passes_in_every_state_of_a_run_that_exists(
    status: str, kind: type[Event]
) -> None:
    """A note about a finished run, a late log line: facts that move nothing are always welcome."""
    state, event = RunLifecycle(status=status), payloads.example_of(kind)
    if status == "absent":
        assert refused(state, "p", event).code is CONFLICT
    else:
        after = told(("p", event), (None, event), state=state)
        assert (after.status, after.phases) == (status, {})


# ------------------------------------------------------------------------------- the numbers


@pytest.mark.parametrize(
    ("status", "kind", "numbers"),
    [
        ("pending", "phase_started", (2, 4)),
        ("failed", "phase_started", (2, 4)),
        ("cancelled", "phase_started", (2, 4)),
        ("interrupted", "phase_started", (2, 4)),
        ("blocked", "phase_started", (2, 4)),
        ("skipped", "phase_started", (2, 4)),
        ("completed", "phase_started", (3, 1)),
        ("invalidated", "phase_started", (3, 1)),
        ("running", "phase_completed", (2, 3)),
        ("running", "phase_failed", (2, 3)),
        ("running", "phase_cancelled", (2, 3)),
        ("completed", "phase_invalidated", (2, 3)),
        ("failed", "phase_blocked", (2, 3)),
        ("failed", "phase_skipped", (2, 3)),
        ("invalidated", "phase_skipped", (3, 1)),
        ("invalidated", "phase_blocked", (3, 1)),
    ],
)
def test_numbers_count_results_and_tries(status: str, kind: str, numbers: tuple[int, int]) -> None:
    """A revision counts results, an attempt counts tries inside one."""
    found = PhaseStatus(status=status, revision=2, attempt=3)
    assert expected_numbers(found, BY_NAME[kind]) == numbers


def test_a_phase_that_nobody_named_begins_at_one() -> None:
    """There is no event that makes a phase; the first that names it does."""
    assert expected_numbers(RunLifecycle().phase("new"), PhaseStarted) == (1, 1)


@pytest.mark.parametrize(("revision", "attempt"), [(1, 3), (3, 3), (2, 2), (2, 4)])
@pytest.mark.parametrize("kind", ["phase_failed", "phase_cancelled"])
def test_an_event_with_other_numbers_is_a_conflict(kind: str, revision: int, attempt: int) -> None:
    """It belongs to a try that is not the one that runs: a late worker, or a bug."""
    event = msgspec.structs.replace(
        payloads.example_of(BY_NAME[kind]), revision=revision, attempt=attempt
    )
    found = PhaseStatus(status="running", revision=2, attempt=3)
    assert refused(running(p=found), "p", event).code is CONFLICT


phase_events = st.sampled_from([*PHASE_TRANSITIONS])
moves = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["run_resumed", *PHASE_TRANSITIONS]))
)


@given(moves)
def test_no_try_has_the_numbers_of_an_earlier_one(
    wanted: list[tuple[str, str | type[Event]]],
) -> None:
    """Whatever stood between two starts (a block, a skip, a crash), they can be told apart."""
    state, seen = running(), dict.fromkeys("abc", (0, 0))
    for name, kind in wanted:
        found = state.phase(name)
        if isinstance(kind, str):
            state = told((None, payloads.example_of(BY_NAME[kind])), state=state)
        elif found.status in PHASE_TRANSITIONS[kind][0]:
            event = event_of(kind, found)
            state = told((name, event), state=state)
            if isinstance(event, PhaseStarted):
                assert (event.revision, event.attempt) > seen[name]
                seen[name] = (event.revision, event.attempt)


# ------------------------------------------------------------------------------- a run's story


def test_a_run_cannot_complete_while_a_phase_runs() -> None:
    """Nobody would ever tell how that phase ended."""
    state = running(p=PhaseStatus(status="running"), q=PhaseStatus(status="completed"))
    assert refused(state, None, payloads.example_of(BY_NAME["run_completed"])).code is CONFLICT


@pytest.mark.parametrize("kind", ["run_resumed", "run_failed", "run_cancelled"])
def test_what_was_running_is_interrupted_when_its_run_stops_or_goes_on(kind: str) -> None:
    """The process that ran it is gone; its next start is the next attempt."""
    ran = PhaseStatus(status="running", revision=2, attempt=1)
    state = running(p=ran, q=PhaseStatus(status="completed"))
    after = told((None, payloads.example_of(BY_NAME[kind])), state=state)
    assert after.phase("p") == msgspec.structs.replace(ran, status="interrupted")
    assert after.phase("q").status == "completed"
    assert expected_numbers(after.phase("p"), PhaseStarted) == (2, 2)


def test_reopening_alone_interrupts_nothing() -> None:
    """A person who opens a run to leave a note has not decided that it goes on."""
    state = running(p=PhaseStatus(status="running"))
    opened = payloads.example_of(WriterOpened)
    assert told((None, opened), state=state).phases == state.phases


def test_partitions_move_on_their_own() -> None:
    """One language fails, the other goes on."""
    state = running()
    for label in ("de", "ar"):
        event = PhaseStarted(revision=1, attempt=1, partition=label)
        state = told(("translate", event), state=state)
    failed = msgspec.structs.replace(
        payloads.example_of(BY_NAME["phase_failed"]), partition="de", revision=1, attempt=1
    )
    state = told(("translate", failed), state=state)
    assert [state.phase("translate", label).status for label in ("de", "ar", "fr", None)] == [
        "failed",
        "running",
        "pending",
        "pending",
    ]
    assert [key for key, _ in state.each_phase()] == [("translate", "de"), ("translate", "ar")]


def test_a_start_forgets_what_the_phase_had_and_takes_what_it_is_given() -> None:
    """Inputs and outputs belong to a revision, not to a name."""
    inputs = msgspec.convert({"depends_on": [{"phase": "in", "revision": 4}]}, type=dict)
    start = msgspec.convert({"revision": 2, "attempt": 1, "inputs": inputs}, PhaseStarted)
    had = PhaseStatus(status="completed", artifact_ids=("old",))
    state = told(("p", start), state=running(p=had))
    assert state.phase("p").depends_on == (PhaseRef(phase="in", revision=4),)
    assert state.phase("p").artifact_ids == ()
    done = msgspec.convert({"revision": 2, "duration_s": 1, "artifact_ids": ["new"]}, dict)
    state = told(("p", msgspec.convert(done, BY_NAME["phase_completed"])), state=state)
    assert state.phase("p").artifact_ids == ("new",)
    assert state.phase("p").depends_on == (PhaseRef(phase="in", revision=4),)


def test_a_reopening_replaces_code_and_plan_only_where_it_names_them() -> None:
    """What ran last is what the next resumption is compared with."""
    plan = (PlannedPhase(name="a"),)
    created = msgspec.structs.replace(payloads.example_of(RunCreated), plan=plan)
    state = told((None, created), (None, payloads.example_of(WriterOpened)))
    assert (state.created, state.code, state.plan) == (created, None, plan)
    newer = msgspec.structs.replace(
        payloads.example_of(WriterOpened), code=CodeVersion(git_commit="c"), plan=()
    )
    state = told((None, newer), state=state)
    assert state.code == CodeVersion(git_commit="c")


def test_counts_tell_how_the_phases_stand() -> None:
    """They are the run's last word about itself."""
    stands = ["completed", "completed", "failed", "cancelled", "blocked", "skipped", "invalidated"]
    state = running(**{f"p{n}": PhaseStatus(status=status) for n, status in enumerate(stands)})
    state = told(("p0", payloads.example_of(ArtifactPersisted)), state=state)
    assert state.counts() == Counts(
        phases_completed=2,
        phases_failed=1,
        phases_cancelled=1,
        phases_blocked=1,
        phases_skipped=1,
        artifacts=1,
    )


def test_a_writer_refuses_to_go_on_from_what_it_cannot_fold() -> None:
    """Case 36: a newer version recorded a fact of its own; nothing may be decided without it."""
    newer = UnknownEvent(name="phase_paused", version=1, raw=b"{}", unknown="name")
    state = evolve(running(), "p", newer)
    for event in (RunStarted(), PhaseProgress(done=1), payloads.example_of(WriterOpened)):
        error = refused(state, "p", event)
        assert error.code is StorageErrorCode.UNSUPPORTED_FORMAT
        assert "phase_paused" in str(error)


def test_a_users_unknown_event_stops_nobody() -> None:
    """Case 36: another team's plugin need not be installed to resume a run."""
    foreign = UnknownEvent(name="acme.sent", version=1, raw=b"{}", unknown="name")
    assert evolve(running(), None, foreign) == running()


@given(st.lists(st.tuples(st.none() | st.sampled_from("ab"), st.sampled_from(BUILT_IN))))
def test_evolve_is_total_and_leaves_the_old_state_alone(
    events: Iterable[tuple[str | None, type[Event]]],
) -> None:
    """What a log holds has happened, legal or not; and a writer whose disk fails goes back."""
    state = RunLifecycle()
    for phase, kind in events:
        before = msgspec.json.encode(state)
        after = evolve(state, phase, payloads.example_of(kind))
        assert msgspec.json.encode(state) == before
        assert msgspec.json.decode(msgspec.json.encode(after), type=RunLifecycle) == after
        state = after

"""Which events may follow which: every pair of state and event, and the numbers they carry."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journal.errors import StorageErrorCode
from journal.events.base import Event
from journal.events.phase import PhaseStarted
from journal.events.registry import BUILT_IN
from journal.lifecycle import (
    FINISHED,
    PHASE_TRANSITIONS,
    RUN_TRANSITIONS,
    PhaseStatus,
    RunLifecycle,
    expected_numbers,
)
from tests.unit import payloads
from tests.unit.told import BY_NAME, event_of, refused, running, told

CONFLICT = StorageErrorCode.CONFLICT

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

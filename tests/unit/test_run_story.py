"""What a run and its phases are after a few events, and what may come then."""

from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journal.errors import StorageErrorCode
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
from journal.lifecycle import PhaseStatus, RunLifecycle, evolve, expected_numbers
from tests.unit import payloads
from tests.unit.told import BY_NAME, refused, running, told

CONFLICT = StorageErrorCode.CONFLICT


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

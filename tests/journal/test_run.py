"""How a run and its phases are told: begun, ended, failed; and what that looks like in the log."""

from typing import TypeVar

import anyio
import pytest
from pydantic import BaseModel

from journal import Journal, StorageError, Usage
from journal.events.base import ErrorInfo, Event
from journal.events.phase import PhaseFailed, PhaseInputs, PhaseRef
from journal.events.run import PlannedPhase, RunCompleted, RunCreated, RunFailed
from journal.events.step import StepCompleted
from tests.journal.helpers import at_rest, events, last, note, records


class Parameters(BaseModel):
    """What somebody's pipeline is started with."""

    date: str
    limit: int = 3


E = TypeVar("E", bound=Event)


def payload(journal: Journal, run_id: str, kind: type[E]) -> E:
    """The last event of that class."""
    data = last(journal, run_id, kind.event_name).data
    assert isinstance(data, kind)
    return data


async def test_a_run_tells_its_life_in_order(journal: Journal) -> None:
    """Each transition is one event, durable before the caller's next line runs."""
    async with journal.run(project="nightly", parameters={"date": "2026-11-22"}) as run:
        assert events(journal, run.id) == ["run_created", "run_started"]
        async with run.phase("ingest") as phase:
            assert events(journal, run.id)[2:] == ["phase_started"]
            stored = await phase.store("some text")
            phase.summarize(lines=1)
        assert events(journal, run.id)[3:] == ["artifact_persisted", "phase_completed"]
    assert events(journal, run.id)[5:] == ["run_completed"]
    assert [record.seq for record in records(journal, run.id)] == [1, 2, 3, 4, 5, 6]
    assert {record.phase for record in records(journal, run.id)[2:5]} == {"ingest"}
    completed = last(journal, run.id, "phase_completed")
    assert b'"summary":{"lines":1}' in list(journal.log.read(run.id))[4]
    assert getattr(completed.data, "artifact_ids", None) == (stored.artifact_id,)
    assert at_rest(journal, run.id)


@pytest.mark.parametrize("parameters", [Parameters(date="today"), {"date": "today", "limit": 3}])
async def test_parameters_are_kept_as_plain_json(
    journal: Journal, parameters: Parameters | dict[str, object]
) -> None:
    """Whether they came as a model or as a dictionary; the same when the run is resumed."""
    plan = [PlannedPhase(name="ingest", partitions=("de",))]
    async with journal.run(
        project="nightly",
        parameters=parameters,
        external_id="ticket 7",
        plan=plan,
        target="pipeline.py:main",
    ) as run:
        assert run.parameters == {"date": "today", "limit": 3}
    async with journal.resume(run.id) as run:
        assert run.parameters == {"date": "today", "limit": 3}
        assert run.state.plan == tuple(plan)
    created = records(journal, run.id)[0].data
    assert isinstance(created, RunCreated)
    assert (created.external_id, created.target) == ("ticket 7", "pipeline.py:main")


async def test_an_exception_fails_phase_and_run_and_goes_on(journal: Journal) -> None:
    """The caller gets the very exception; the log gets type, message and traceback."""
    failure = ValueError("no such word")
    with pytest.raises(ValueError, match="no such word") as raised:
        async with journal.run(project="nightly") as run, run.phase("translate"):
            raise failure
    assert raised.value is failure
    assert not hasattr(failure, "__notes__")
    assert events(journal, run.id)[2:] == ["phase_started", "phase_failed", "run_failed"]
    for error in (
        payload(journal, run.id, PhaseFailed).error,
        payload(journal, run.id, RunFailed).error,
    ):
        assert (error.type, error.message) == ("ValueError", "no such word")
        assert error.traceback is not None
        assert "raise failure" in error.traceback
    assert payload(journal, run.id, RunFailed).counts is not None
    assert at_rest(journal, run.id)


async def test_a_failure_between_phases_fails_the_run_alone(journal: Journal) -> None:
    """What completed stays completed."""
    run = journal.run(project="nightly")

    async def work() -> None:
        async with run:
            async with run.phase("ingest"):
                pass
            raise KeyError("later")

    with pytest.raises(KeyError):
        await work()
    assert events(journal, run.id)[2:] == ["phase_started", "phase_completed", "run_failed"]


async def test_a_failed_phase_that_is_caught_does_not_fail_the_run(journal: Journal) -> None:
    """Whoever catches it decides; a second try is the next attempt of the same revision."""
    async with journal.run(project="nightly") as run:
        with pytest.raises(TimeoutError):
            async with run.phase("ingest", will_retry=lambda _: True):
                raise TimeoutError("slow")
        assert payload(journal, run.id, PhaseFailed).will_retry
        async with run.phase("ingest") as phase:
            assert (phase.revision, phase.attempt) == (1, 2)
    assert events(journal, run.id)[2:] == [
        "phase_started",
        "phase_failed",
        "phase_started",
        "phase_completed",
        "run_completed",
    ]


async def test_a_group_of_exceptions_fails_with_all_of_them(journal: Journal) -> None:
    """Task groups raise groups; the traceback names each."""

    async def fail(text: str) -> None:
        raise ValueError(text)

    run = journal.run(project="nightly")

    async def work() -> None:
        async with run, run.phase("ingest"), anyio.create_task_group() as tasks:
            tasks.start_soon(fail, "the first")
            tasks.start_soon(fail, "the second")

    with pytest.raises(ExceptionGroup):
        await work()
    error = payload(journal, run.id, RunFailed).error
    assert error.type == "ExceptionGroup"
    assert error.traceback is not None
    assert "the first" in error.traceback
    assert events(journal, run.id)[-2:] == ["phase_failed", "run_failed"]


async def test_a_phase_completed_again_is_a_new_revision_that_invalidates(journal: Journal) -> None:
    """Who depended on the older result is told so, in the same batch."""
    async with journal.run(project="nightly") as run:
        async with run.phase("ingest"):
            pass
        built_on = PhaseInputs(depends_on=(PhaseRef(phase="ingest", revision=1),))
        async with run.phase("translate", partition="de", inputs=built_on):
            pass
        async with run.phase("ingest") as phase:
            assert (phase.revision, phase.attempt) == (2, 1)
        assert run.state.phase("translate", "de").status == "invalidated"
    completed, invalidated = records(journal, run.id)[-3:-1]
    assert (completed.event, invalidated.event) == ("phase_completed", "phase_invalidated")
    assert completed.batch == invalidated.batch
    assert invalidated.phase == "translate"


async def test_partitions_run_side_by_side(journal: Journal) -> None:
    """Each has its own place in the lifecycle; one that fails leaves the others alone."""

    run = journal.run(project="nightly")

    async def work(label: str) -> None:
        async with run.phase("translate", partition=label) as phase:
            await phase.append(note(label))
            if label == "pt-BR":
                raise ValueError(label)

    async def work_on_all() -> None:
        async with run, anyio.create_task_group() as tasks:
            for label in ("de", "pt-BR", "日本語"):
                tasks.start_soon(work, label)

    with pytest.raises(ExceptionGroup):
        await work_on_all()
    statuses = {key[1]: found.status for key, found in run.state.each_phase()}
    assert statuses["pt-BR"] == "failed"
    assert set(statuses.values()) <= {"failed", "completed", "cancelled", "interrupted"}
    assert events(journal, run.id)[-1] == "run_failed"


async def test_steps_tell_their_end_and_add_up_their_usage(journal: Journal) -> None:
    """A step is a piece of work inside a phase; failing or cancelled, it says so."""
    async with journal.run(project="nightly") as run, run.phase("translate") as phase:
        async with phase.step("call model") as step:
            step.use(Usage(tokens_in=3, cost_usd=0.5))
            step.use(Usage(tokens_in=4, tokens_out=1, requests=2))
        with pytest.raises(OSError, match="gone"):
            async with phase.step("call model", attempt=2):
                raise OSError("gone")
        with anyio.CancelScope() as scope:
            async with phase.step("call model", attempt=3):
                scope.cancel()
                await anyio.sleep(60)
    assert [name for name in events(journal, run.id) if name.startswith("step_")] == [
        "step_started",
        "step_completed",
        "step_started",
        "step_failed",
        "step_started",
        "step_cancelled",
    ]
    usage = payload(journal, run.id, StepCompleted).usage
    assert usage == Usage(tokens_in=7, tokens_out=1, cost_usd=0.5, requests=2)


async def test_skipped_and_blocked_phases_are_told(journal: Journal) -> None:
    """A phase that did not run leaves a reason; a running one cannot be skipped."""
    async with journal.run(project="nightly") as run:
        await run.skip("qa", "nothing to check", partition="de")
        await run.block("export", ["translate"], reason="it failed")
        assert run.state.phase("qa", "de").status == "skipped"
        assert run.state.phase("export").status == "blocked"
        async with run.phase("edit"):
            with pytest.raises(StorageError) as raised:
                await run.skip("edit", "too late")
            assert raised.value.code == "conflict"
    assert events(journal, run.id)[2:4] == ["phase_skipped", "phase_blocked"]


async def test_a_run_whose_end_was_told_by_hand_is_left_as_it_is(journal: Journal) -> None:
    """Nothing is written on the way out, and nothing is raised."""
    async with journal.run(project="nightly") as run:
        await run.append(RunCompleted())
    assert events(journal, run.id)[2:] == ["run_completed"]


async def test_a_failure_after_the_end_was_told_by_hand_adds_nothing(journal: Journal) -> None:
    """The exception goes on; the log has its end already, for the phase as well."""
    run = journal.run(project="nightly")

    async def work() -> None:
        async with run, run.phase("ingest"):
            await run.append(RunFailed(error=ErrorInfo(type="ValueError", message="by hand")))
            raise ValueError("late")

    with pytest.raises(ValueError, match="late") as raised:
        await work()
    assert not hasattr(raised.value, "__notes__")
    assert events(journal, run.id)[2:] == ["phase_started", "run_failed"]


async def test_a_run_is_not_completed_while_a_phase_runs(journal: Journal) -> None:
    """The phase was forgotten; saying "completed" would be a lie."""
    run = await journal.run(project="nightly").__aenter__()
    await run.phase("ingest").__aenter__()
    with pytest.raises(StorageError) as raised:
        await run.__aexit__(None, None, None)
    assert raised.value.code == "conflict"
    assert events(journal, run.id) == ["run_created", "run_started", "phase_started"]
    assert at_rest(journal, run.id)


async def test_a_phase_runs_once_at_a_time(journal: Journal) -> None:
    """The second start of a running phase is a conflict, and the first one goes on."""
    async with journal.run(project="nightly") as run, run.phase("ingest"):
        with pytest.raises(StorageError) as raised:
            async with run.phase("ingest"):
                raise AssertionError("it started twice")
        assert raised.value.code == "conflict"
    assert events(journal, run.id)[2:] == ["phase_started", "phase_completed", "run_completed"]


@pytest.mark.parametrize("name", ["", "../x", "A", "a b", "con", "x" * 65, "a\0", "é"])
async def test_bad_names_are_refused_before_anything_is_written(
    journal: Journal, name: str
) -> None:
    """Case 76: projects, phases, roles; the store stays empty."""
    with pytest.raises(StorageError) as raised:
        journal.run(project=name)
    assert raised.value.code == "validation_error"
    assert list(journal.log.runs()) == []
    async with journal.run(project="nightly") as run:
        for use in (
            lambda: run.phase(name),
            lambda: run.emit(note(), phase=name),
        ):
            with pytest.raises(StorageError) as raised:
                use()
            assert raised.value.code == "validation_error"
        with pytest.raises(StorageError):
            await run.skip(name, "why")
    assert events(journal, run.id) == ["run_created", "run_started", "run_completed"]


async def test_a_run_is_entered_once_and_used_inside(journal: Journal) -> None:
    """Before and after, it says what to do instead of writing somewhere."""
    run = journal.run(project="nightly")
    with pytest.raises(StorageError) as raised:
        run.phase("ingest")
    assert raised.value.code == "closed"
    async with run:
        pass
    with pytest.raises(StorageError, match="entered once"):
        await run.__aenter__()
    with pytest.raises(StorageError) as raised:
        run.log("info", "too late")
    assert raised.value.code == "closed"
    with pytest.raises(StorageError) as raised:
        await run.append(note())
    assert raised.value.code == "closed"
    assert events(journal, run.id) == ["run_created", "run_started", "run_completed"]


async def test_notes_name_who_wrote_them_and_about_what(journal: Journal) -> None:
    """A person's decision is an event like any other, with its actor."""
    async with journal.run(project="nightly") as run:
        place = await run.annotate("looks wrong", about=1, actor="Ada")
    found = last(journal, run.id, "annotation_added")
    assert (found.seq, found.actor) == (place.first_seq, "Ada")
    assert found.time.isoformat() == place.timestamp.replace("Z", "+00:00")

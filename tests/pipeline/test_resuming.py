"""Going on where a run stopped: what is handed back, what runs again, and never one phase twice."""

from datetime import date

import anyio
import pytest
from pydantic import BaseModel, ConfigDict

from journal import Journal, Pipeline, Run, StorageError
from journal.events.phase import PhaseCancelled, PhaseStarted
from journal.events.run import RunCancelled, RunCreated, WriterOpened
from journal.testing import records
from tests.pipeline.helpers import (
    Parameters,
    Row,
    Seen,
    Total,
    Trouble,
    counted,
    events,
    story,
    three_phases,
    with_trouble,
)


async def fail(journal: Journal, pipeline: Pipeline) -> str:
    """Run a pipeline that is to fail; gives the run's id."""
    seen = Seen()
    with pytest.raises(ConnectionError):
        await pipeline.run(journal, Parameters(), on_run=seen)
    return seen.run_id


async def test_finished_phases_hand_back_their_artifact_instead_of_running(
    journal: Journal,
) -> None:
    """The point of it all: work that is done is not done again."""
    calls: list[str] = []
    pipeline = with_trouble(Trouble("translate fr"), calls)
    run_id = await fail(journal, pipeline)
    assert sorted(calls) == ["ingest", "translate de", "translate fr"]
    calls.clear()
    result = await pipeline.resume(journal, run_id)
    assert calls == ["translate fr", "report"]
    assert result.outputs["ingest"] == [Row(number=number) for number in range(3)]
    assert result.outputs["translate"] == {"de": Total(total=103), "fr": Total(total=103)}
    assert result.outputs["report"] == "de=103 fr=103"
    told = story(journal, run_id)
    assert told[-1] == "run_completed"
    assert counted(told, "completed") == 4


async def test_what_failed_goes_on_with_its_next_attempt(journal: Journal) -> None:
    """The log counts tries of a result, whichever process made them."""
    pipeline = with_trouble(Trouble("report"), [])
    run_id = await fail(journal, pipeline)
    await pipeline.resume(journal, run_id)
    started = [
        (line.data.revision, line.data.attempt)
        for line in records(journal, run_id)
        if isinstance(line.data, PhaseStarted) and line.phase == "report"
    ]
    assert started == [(1, 1), (1, 2)]


async def test_a_failed_stream_leaves_nothing_that_is_handed_back(journal: Journal) -> None:
    """An async generator that breaks after its last item has not returned."""
    calls: list[str] = []
    pipeline = with_trouble(Trouble("ingest"), calls)
    run_id = await fail(journal, pipeline)
    result = await pipeline.resume(journal, run_id)
    assert calls[:2] == ["ingest", "ingest"]
    assert len(result.outputs["ingest"]) == 3


async def test_resuming_a_completed_run_runs_nothing(journal: Journal) -> None:
    """It is how a script gets at the outputs once more."""
    calls: list[str] = []
    pipeline = with_trouble(Trouble(), calls)
    first = await pipeline.run(journal, Parameters())
    calls.clear()
    again = await pipeline.resume(journal, first.run_id)
    assert calls == []
    assert again.outputs == first.outputs


async def test_cancellation_is_recorded_and_the_run_goes_on_later(journal: Journal) -> None:
    """Ctrl-C in the middle is an ordinary way to stop."""
    calls: list[str] = []
    hang = True
    pipeline = Pipeline("cancels")

    @pipeline.phase()
    async def first() -> Total:
        calls.append("first")
        return Total(total=1)

    with anyio.CancelScope() as scope:

        @pipeline.phase(after=["first"], partitions=["a", "b"])
        async def second(first: Total, partition: str) -> str:
            calls.append(f"second {partition}")
            if hang and partition == "b":
                scope.cancel()
                await anyio.sleep_forever()
            return partition

        seen = Seen()
        await pipeline.run(journal, on_run=seen)
    assert scope.cancelled_caught
    assert len(events(journal, seen.run_id, RunCancelled)) == 1
    assert "b" in {each.partition for each in events(journal, seen.run_id, PhaseCancelled)}
    hang = False
    result = await pipeline.resume(journal, seen.run_id)
    assert result.outputs["second"] == {"a": "a", "b": "b"}
    assert calls.count("first") == 1


async def test_a_writer_that_was_left_without_a_word_is_gone_on_from(journal: Journal) -> None:
    """What a crash leaves: phases that started, and nothing that says how they ended."""
    calls: list[str] = []
    crash = True
    pipeline = Pipeline("crashes")
    runs: list[Run] = []

    @pipeline.phase()
    async def first() -> Total:
        calls.append("first")
        return Total(total=1)

    @pipeline.phase(after=["first"])
    async def second(first: Total) -> Total:
        calls.append("second")
        if crash:
            await runs[0].close()
            raise ConnectionError
        return Total(total=first.total + 1)

    with pytest.raises(ConnectionError):
        await pipeline.run(journal, on_run=runs.append)
    assert story(journal, runs[0].id)[-1] == "started second r1"
    crash = False
    result = await pipeline.resume(journal, runs[0].id)
    assert result.outputs["second"] == Total(total=2)
    assert calls == ["first", "second", "second"]


async def test_the_run_of_another_pipeline_is_left_alone(journal: Journal) -> None:
    """Resuming the wrong run must not mark it as failed."""
    run_id = (await three_phases([]).run(journal, Parameters())).run_id
    before = len(records(journal, run_id))
    with pytest.raises(StorageError) as caught:
        await with_trouble(Trouble(), []).resume(journal, run_id)
    assert caught.value.info.details.reason == "other_pipeline"
    assert len(records(journal, run_id)) == before


async def test_parameters_come_from_the_log_with_their_types(journal: Journal) -> None:
    """Whoever resumes need not remember them; a date comes back as a date, a tuple as a tuple."""

    class Dated(BaseModel):
        model_config = ConfigDict(strict=True, frozen=True)
        day: date
        tags: tuple[str, ...] = ()

    pipeline = Pipeline("dated", parameters=Dated)
    given: list[Dated] = []
    trouble = Trouble("day")

    @pipeline.phase()
    async def day(parameters: Dated) -> str:
        given.append(parameters)
        trouble.at("day")
        return parameters.day.isoformat()

    seen = Seen()
    with pytest.raises(ConnectionError):
        await pipeline.run(journal, Dated(day=date(2026, 11, 22), tags=("a",)), on_run=seen)
    result = await pipeline.resume(journal, seen.run_id)
    assert result.outputs["day"] == "2026-11-22"
    assert given[0] == given[1]


async def test_changed_code_is_refused_unless_it_is_allowed(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of a run by one version and half by another is a choice that somebody has to make."""
    calls: list[str] = []
    pipeline = with_trouble(Trouble("report"), calls)
    run_id = await fail(journal, pipeline)
    (created,) = events(journal, run_id, RunCreated)
    other = created.code.__class__(source_sha256="0" * 64)
    monkeypatch.setattr("journal.pipeline.code_version", lambda functions: other)
    calls.clear()
    with pytest.raises(StorageError) as caught:
        await pipeline.resume(journal, run_id)
    assert caught.value.info.details.reason == "code_changed"
    assert calls == []
    result = await pipeline.resume(journal, run_id, allow_changed=True)
    assert (calls, result.status) == (["report"], "completed")
    assert events(journal, run_id, WriterOpened)[-1].code == other

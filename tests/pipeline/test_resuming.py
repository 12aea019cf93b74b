"""Going on where a run stopped: what is handed back, what runs again, and never one phase twice."""

from collections.abc import AsyncIterator
from datetime import date

import anyio
import pytest
from pydantic import BaseModel, ConfigDict

from journal import Journal, Phase, Pipeline, Run, StorageError, StorageErrorCode
from journal.events.phase import PhaseCancelled, PhaseCompleted, PhaseSkipped, PhaseStarted
from journal.events.run import RunCancelled, RunCreated, WriterOpened
from tests.pipeline.helpers import (
    Parameters,
    Row,
    Seen,
    Total,
    counted,
    events,
    records,
    story,
    three_phases,
)


class Trouble:
    """Makes one phase or partition fail, once."""

    def __init__(self, *places: str) -> None:
        self.places = set(places)

    def at(self, place: str) -> None:
        if place in self.places:
            self.places.remove(place)
            raise ConnectionError(place)


def with_trouble(trouble: Trouble, calls: list[str]) -> Pipeline:
    """Ingest → translate (per language) → report; each may fail once, each call is noted."""
    pipeline = Pipeline("trouble", parameters=Parameters)

    @pipeline.phase()
    async def ingest(parameters: Parameters) -> AsyncIterator[Row]:
        calls.append("ingest")
        for number in range(parameters.rows):
            yield Row(number=number)
        trouble.at("ingest")

    @pipeline.phase(after=["ingest"], partitions=lambda parameters: parameters.languages)
    async def translate(phase: Phase, ingest: list[Row], partition: str) -> Total:
        calls.append(f"translate {partition}")
        await phase.store("notes on the way")
        trouble.at(f"translate {partition}")
        return Total(total=sum(row.number for row in ingest) + phase.revision * 100)

    @pipeline.phase(after=["translate"])
    async def report(translate: dict[str, Total]) -> str:
        calls.append("report")
        trouble.at("report")
        return " ".join(f"{label}={each.total}" for label, each in translate.items())

    return pipeline


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


async def test_redo_makes_the_next_revision_and_runs_what_was_made_from_the_older(
    journal: Journal,
) -> None:
    """A better dictionary for one phase must reach everything that was made from the old one."""
    calls: list[str] = []
    pipeline = with_trouble(Trouble(), calls)
    run_id = (await pipeline.run(journal, Parameters(languages=("de",)))).run_id
    calls.clear()
    await pipeline.resume(journal, run_id, redo=["ingest"])
    assert calls == ["ingest", "translate de", "report"]
    told = story(journal, run_id)
    redone = told[told.index("run_resumed") :]
    assert [entry for entry in redone if not entry.startswith("artifact")] == [
        "run_resumed",
        "started ingest r2",
        "completed ingest r2",
        "invalidated translate[de] r1",
        "invalidated report r1",
        "started translate[de] r2",
        "completed translate[de] r2",
        "started report r2",
        "completed report r2",
        "run_completed",
    ]


async def test_redo_of_one_partition_leaves_the_others_alone(journal: Journal) -> None:
    """One language was bad; the others cost as much."""
    calls: list[str] = []
    pipeline = with_trouble(Trouble(), calls)
    run_id = (await pipeline.run(journal, Parameters())).run_id
    calls.clear()
    result = await pipeline.resume(journal, run_id, redo=["translate[fr]"])
    assert calls == ["translate fr", "report"]
    assert result.outputs["report"] == "de=103 fr=203"


async def test_a_redo_that_fails_is_finished_by_an_ordinary_resume(journal: Journal) -> None:
    """Until the new revision is there, what was made from the old one is neither lost nor used."""
    calls: list[str] = []
    trouble = Trouble()
    pipeline = with_trouble(trouble, calls)
    run_id = (await pipeline.run(journal, Parameters(languages=("de",)))).run_id
    trouble.places.add("ingest")
    with pytest.raises(ConnectionError):
        await pipeline.resume(journal, run_id, redo=["ingest"])
    assert counted(story(journal, run_id), "blocked") == 0
    calls.clear()
    result = await pipeline.resume(journal, run_id)
    assert calls == ["ingest", "translate de", "report"]
    assert result.outputs["report"] == "de=203"


@pytest.mark.parametrize("redo", ["nobody", "translate[xx]"])
async def test_redo_of_what_does_not_exist_is_refused(journal: Journal, redo: str) -> None:
    """A slip of the pen must not look as if it had been done."""
    pipeline = with_trouble(Trouble(), [])
    run_id = (await pipeline.run(journal, Parameters())).run_id
    before = len(records(journal, run_id))
    with pytest.raises(StorageError) as caught:
        await pipeline.resume(journal, run_id, redo=[redo])
    assert caught.value.code is StorageErrorCode.VALIDATION_ERROR
    assert len(records(journal, run_id)) == before


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


async def test_a_skipped_phase_stays_skipped_whatever_its_rule_says_now(journal: Journal) -> None:
    """What came after it was made without it; a rule that asks for the weekday changes nothing."""
    weekend = True
    trouble = Trouble("last")
    calls: list[str] = []
    pipeline = Pipeline("skips", parameters=Parameters)

    @pipeline.phase(skip=lambda parameters: "weekend" if weekend else None)
    async def plain() -> str:
        calls.append("plain")
        return "plain"

    @pipeline.phase(partitions=["a"], skip=lambda parameters: "weekend" if weekend else None)
    async def parts() -> str:
        calls.append("parts")
        return "parts"

    @pipeline.phase(after=["plain", "parts"])
    async def last(plain: str | None, parts: dict[str, str] | None) -> str:
        trouble.at("last")
        return f"{plain} {parts}"

    seen = Seen()
    with pytest.raises(ConnectionError):
        await pipeline.run(journal, Parameters(), on_run=seen)
    weekend = False
    result = await pipeline.resume(journal, seen.run_id)
    assert (calls, result.outputs["last"]) == ([], "None None")
    assert len(events(journal, seen.run_id, PhaseSkipped)) == 2
    redone = await pipeline.resume(journal, seen.run_id, redo=["plain", "parts"])
    assert redone.outputs["last"] == "plain {'a': 'parts'}"


async def test_a_phase_that_was_skipped_for_lack_of_input_runs_once_there_is_some(
    journal: Journal,
) -> None:
    """Its reason is gone: a redo above it must reach it."""
    pipeline = Pipeline("grows")
    found: list[str] = []

    @pipeline.phase()
    async def discover() -> list[Row]:
        return [Row(number=int(each)) for each in found]

    @pipeline.phase(
        after=["discover"], partitions=lambda discover: [str(each.number) for each in discover]
    )
    async def read(partition: str) -> str:
        return partition

    @pipeline.phase(after=["read"])
    async def join(read: dict[str, str]) -> str:
        return "+".join(read.values())

    run_id = (await pipeline.run(journal)).run_id
    found[:] = ["1", "2"]
    assert (await pipeline.resume(journal, run_id)).outputs["join"] is None
    redone = await pipeline.resume(journal, run_id, redo=["discover"])
    assert redone.outputs["join"] == "1+2"
    found[:] = ["2"]
    fewer = await pipeline.resume(journal, run_id, redo=["discover"])
    assert fewer.outputs == {"discover": [Row(number=2)], "read": {"2": "2"}, "join": "2"}
    found[:] = ["2"]
    calm = len(events(journal, run_id, PhaseCompleted))
    assert (await pipeline.resume(journal, run_id)).outputs == fewer.outputs
    assert len(events(journal, run_id, PhaseCompleted)) == calm


async def test_a_phase_blocked_before_its_partitions_were_known_ends_clean(
    journal: Journal,
) -> None:
    """The mark on the whole phase must not stay blocked when all its partitions are done."""
    pipeline = Pipeline("late")
    trouble = Trouble("discover")

    @pipeline.phase()
    async def discover() -> str:
        trouble.at("discover")
        return "a"

    @pipeline.phase(after=["discover"], partitions=lambda discover: [discover])
    async def read(partition: str) -> str:
        return partition

    seen = Seen()
    with pytest.raises(ConnectionError):
        await pipeline.run(journal, on_run=seen)
    assert (await pipeline.resume(journal, seen.run_id)).outputs["read"] == {"a": "a"}
    last = story(journal, seen.run_id)
    assert last.index("blocked read r1") < last.index("skipped read r1")
    assert (await pipeline.resume(journal, seen.run_id)).outputs["read"] == {"a": "a"}


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

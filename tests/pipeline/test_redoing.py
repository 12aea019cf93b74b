"""Running finished phases again on purpose, and phases that were skipped or blocked before."""

import pytest

from journal import Journal, Pipeline, StorageError, StorageErrorCode
from journal.events.phase import PhaseCompleted, PhaseSkipped
from journal.testing import records
from tests.pipeline.helpers import (
    Parameters,
    Row,
    Seen,
    Trouble,
    counted,
    events,
    story,
    with_trouble,
)


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
    gone = [entry for entry in story(journal, run_id) if "read[1]" in entry]
    assert gone[-2:] == ["invalidated read[1] r1", "skipped read[1] r2"]
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

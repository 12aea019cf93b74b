"""What fails, what is blocked by it, what is skipped, and who hears of it."""

import traceback
from collections.abc import Awaitable, Callable

import pytest

from journal import Journal, Pipeline, StorageError, StorageErrorCode
from journal.events.artifact import ArtifactPersisted
from journal.events.phase import PhaseBlocked, PhaseSkipped
from journal.events.run import RunFailed
from journal.testing import records
from tests.pipeline.helpers import (
    Parameters,
    Row,
    Seen,
    Total,
    counted,
    events,
    story,
    three_phases,
)


async def test_a_single_failure_is_raised_as_it_is(journal: Journal) -> None:
    """Whoever debugs sees the line that raised, and whoever catches catches the class."""
    pipeline, seen = Pipeline("single"), Seen()

    @pipeline.phase()
    async def divide() -> None:
        raise ZeroDivisionError("this line") from LookupError("the cause")

    with pytest.raises(ZeroDivisionError) as caught:
        await pipeline.run(journal, on_run=seen)
    assert "in divide" in "".join(traceback.format_exception(caught.value))
    assert isinstance(caught.value.__cause__, LookupError)
    (failed,) = events(journal, seen.run_id, RunFailed)
    assert (failed.error.type, failed.error.message) == ("ZeroDivisionError", "this line")


async def test_several_failures_are_raised_together(journal: Journal) -> None:
    """None of them may hide another."""
    pipeline, seen = Pipeline("several"), Seen()

    @pipeline.phase(partitions=["a", "b", "c"])
    async def shard(partition: str) -> str:
        if partition == "b":
            return "done"
        raise ValueError(partition)

    with pytest.raises(ExceptionGroup, match="2 phases of several failed") as caught:
        await pipeline.run(journal, on_run=seen)
    assert sorted(map(str, caught.value.exceptions)) == ["a", "c"]
    assert counted(story(journal, seen.run_id), "completed shard[b]") == 1
    assert counted(story(journal, seen.run_id), "failed shard") == 2


async def test_what_depends_on_a_failure_is_blocked_and_the_rest_goes_on(journal: Journal) -> None:
    """One bad language must not cost the others their result."""
    pipeline, seen = Pipeline("blocks"), Seen()

    @pipeline.phase(partitions=["de", "fr"])
    async def translate(partition: str) -> str:
        if partition == "fr":
            raise ValueError("fr")
        return partition

    @pipeline.phase(after=["translate"], partitions=["de", "fr"])
    async def qa(translate: str) -> str:
        return translate

    @pipeline.phase(after=["qa", "translate"])
    async def report(qa: dict[str, str]) -> str:
        return "never"

    @pipeline.phase()
    async def aside() -> str:
        return "done"

    with pytest.raises(ValueError, match="fr"):
        await pipeline.run(journal, on_run=seen)
    told = story(journal, seen.run_id)
    assert counted(told, "completed qa[de]") == counted(told, "completed aside") == 1
    assert counted(told, "started qa[fr]") == counted(told, "started report") == 0
    blocked = [
        (each.partition, each.missing) for each in events(journal, seen.run_id, PhaseBlocked)
    ]
    assert blocked == [
        ("fr", ("translate [fr]",)),
        (None, ("qa [fr]", "translate [fr]")),
    ]
    assert told[-1] == "run_failed"


async def test_a_skip_rule_is_recorded_with_its_reason(journal: Journal) -> None:
    """A phase that is missing from the log without a word would look like a defect."""
    pipeline = Pipeline("skips", parameters=Parameters)

    @pipeline.phase(skip=lambda parameters: "too few rows" if parameters.rows < 3 else None)
    async def ingest() -> list[Row]:
        return [Row(number=1)]

    @pipeline.phase(after=["ingest"])
    async def does_without(ingest: list[Row] | None) -> str:
        return "none" if ingest is None else "some"

    @pipeline.phase(after=["ingest"], partitions=["a"])
    async def needs_it(ingest: list[Row]) -> str:
        return "never"

    @pipeline.phase(after=["needs_it"])
    async def needs_that(needs_it: dict[str, str]) -> str:
        return "never"

    @pipeline.phase(after=["needs_it"])
    async def only_later() -> str:
        return "done"

    result = await pipeline.run(journal, Parameters(rows=1))
    assert result.outputs == {
        "ingest": None,
        "does_without": "none",
        "needs_it": {"a": None},
        "needs_that": None,
        "only_later": "done",
    }
    reasons = {
        (line.phase, line.data.partition): line.data.reason
        for line in records(journal, result.run_id)
        if isinstance(line.data, PhaseSkipped)
    }
    assert reasons == {
        ("ingest", None): "too few rows",
        ("needs_it", "a"): "needs ingest, which was skipped",
        ("needs_that", None): "needs needs_it [a], which was skipped",
    }
    assert (await pipeline.run(journal, Parameters(rows=3))).outputs["needs_it"] == {"a": "never"}


async def test_no_partitions_means_skipped(journal: Journal) -> None:
    """Nothing to do is not the same as done, and not a failure either."""
    result = await three_phases([]).run(journal, Parameters(languages=()))
    reasons = [each.reason for each in events(journal, result.run_id, PhaseSkipped)]
    assert reasons == ["it has no partitions", "needs double, which was skipped"]
    assert result.outputs["double"] is None


async def test_partitions_that_cannot_be_told_fail_the_run(journal: Journal) -> None:
    """The function that finds them is code like any other."""
    pipeline, seen = Pipeline("late"), Seen()

    @pipeline.phase()
    async def discover() -> str:
        return "twice"

    @pipeline.phase(after=["discover"], partitions=lambda discover: [discover, discover])
    async def read(partition: str) -> str:
        return partition

    with pytest.raises(StorageError, match="named twice"):
        await pipeline.run(journal, on_run=seen)
    (blocked,) = events(journal, seen.run_id, PhaseBlocked)
    assert blocked.missing == ("partitions of read",)


async def test_a_late_partition_without_a_partner_is_named(journal: Journal) -> None:
    """Known only now, so it fails here and not when the pipeline is checked."""
    pipeline, seen = Pipeline("late"), Seen()

    @pipeline.phase()
    async def discover() -> str:
        return "b"

    @pipeline.phase(partitions=["a"])
    async def left(partition: str) -> str:
        return partition

    @pipeline.phase(after=["discover", "left"], partitions=lambda discover: ["a", discover])
    async def right(left: str) -> str:
        return left

    with pytest.raises(StorageError, match="left has no partition 'b'"):
        await pipeline.run(journal, on_run=seen)
    told = story(journal, seen.run_id)
    assert counted(told, "completed right[a]") == counted(told, "blocked right[b]") == 1


WRONG: dict[str, Callable[[], Awaitable[object]]] = {}


def wrong(function: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[object]]:
    WRONG[function.__name__] = function
    return function


class Special(Total):
    """Has a field that ``Total`` would not take back."""

    more: int = 0


@wrong
async def model() -> Total:
    return Row(number=1)  # type: ignore[return-value]


@wrong
async def subclass() -> Total:
    return Special(total=1)


@wrong
async def item() -> list[Row]:
    return [Row(number=1), Total(total=1)]  # type: ignore[list-item]


@wrong
async def text_for_rows() -> list[Row]:
    return "rows"  # type: ignore[return-value]


@wrong
async def none_for_text() -> str:
    return None  # type: ignore[return-value]


@wrong
async def something_for_nothing() -> None:
    return "something"  # type: ignore[return-value]


@pytest.mark.parametrize("name", WRONG)
async def test_a_value_of_another_type_than_annotated_is_refused(
    journal: Journal, name: str
) -> None:
    """On resume it could not be handed back, and nobody would be there who made it."""
    pipeline, seen = Pipeline("types"), Seen()
    pipeline.phase()(WRONG[name])
    with pytest.raises(StorageError) as caught:
        await pipeline.run(journal, on_run=seen)
    assert caught.value.code is StorageErrorCode.VALIDATION_ERROR
    assert caught.value.info.details.reason == "output_type"
    assert events(journal, seen.run_id, ArtifactPersisted) == []

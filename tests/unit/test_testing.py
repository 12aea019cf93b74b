"""The journal for other people's tests: the same log every time, and nothing left behind."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import BaseModel

from journal import Journal, StorageError, StorageErrorCode, parse_run_id
from journal.ids import run_id_time
from journal.testing import START, memory_journal, records


class Row(BaseModel):
    number: int


async def record_some(journal: Journal) -> list[str]:
    """A run with a phase, a step and an artifact; what its log says, without durations."""
    async with (
        journal.run(project="demo", parameters={"n": 1}) as run,
        run.phase("ingest") as phase,
    ):
        async with phase.step("call"):
            phase.progress(1, 2)
        await phase.store([Row(number=1)])
    return [
        f"{line.seq} {line.timestamp} {line.event} {line.run_id} "
        f"{getattr(line.data, 'artifact_id', '')}{getattr(line.data, 'step_id', '')}"
        for line in records(journal, run.id)
    ]


async def test_two_runs_of_a_test_say_the_same() -> None:
    """What differs from run to run cannot be compared with anything written down."""
    async with memory_journal() as first:
        one = await record_some(first)
    async with memory_journal() as second:
        two = await record_some(second)
    assert one == two
    assert one[0].startswith("1 2026-01-01T00:00:00.000000Z run_created 019b7")
    assert one[-1].split()[:3] == ["9", "2026-01-01T00:00:00.008000Z", "run_completed"]


async def test_ids_are_real_ones_of_the_moment_at_which_time_begins() -> None:
    """They pass every check that real ones pass, and later ones sort after earlier ones."""
    async with memory_journal() as journal:
        async with journal.run(project="demo") as first:
            pass
        async with journal.run(project="demo") as second:
            pass
    assert parse_run_id(first.id) < parse_run_id(second.id)
    assert run_id_time(first.id) == START
    assert first.id.endswith("-000000000001")


async def test_time_can_begin_at_another_moment() -> None:
    """Whoever tests what happens at the turn of the year says so."""
    new_year = datetime(2027, 1, 1, tzinfo=UTC) - timedelta(milliseconds=1)
    async with memory_journal(new_year) as journal, journal.run(project="demo") as run:
        pass
    stamps = [line.timestamp[:23] for line in records(journal, run.id)]
    assert stamps == [
        "2026-12-31T23:59:59.999",
        "2027-01-01T00:00:00.000",
        "2027-01-01T00:00:00.001",
    ]


async def test_a_moment_without_a_zone_is_refused() -> None:
    """It would be another one on every machine."""
    with pytest.raises(StorageError) as caught:
        async with memory_journal(datetime(2026, 1, 1)):  # noqa: DTZ001 - that is the point
            pass
    assert caught.value.code is StorageErrorCode.VALIDATION_ERROR


async def test_records_of_a_run_that_is_not_there_are_not_found() -> None:
    """A test with a wrong id must not pass because nothing is in an empty list."""
    async with memory_journal() as journal:
        with pytest.raises(StorageError) as caught:
            records(journal, "019b76da-a800-7000-8000-00000000abcd")
    assert caught.value.code is StorageErrorCode.NOT_FOUND

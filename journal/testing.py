"""
A journal in memory for the tests of your own code: fixed clock, fixed ids, nothing on a disk.

    async with memory_journal() as journal:
        result = await pipeline.run(journal)
    assert records(journal, result.run_id)[-1].event == "run_completed"

Time stands still but for one millisecond per event, and ids count up; so what a log says is the
same on every run of a test, but for what really differs: durations, and host and process of the
writer. Everything else is the real thing.

Below: everything of the write side. Above: your tests.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count

from journal.artifacts.memory import MemoryArtifacts
from journal.backends.memory import MemoryLog
from journal.chain import Chain
from journal.errors import StorageErrorCode, storage_error
from journal.ids import parse_run_id
from journal.journal import Journal
from journal.record import Record

START = datetime(2026, 1, 1, tzinfo=UTC)
"""When time begins in a test that does not say so itself."""

STEP_S = 0.001
"""How much later each event is than the one before, in seconds."""


@asynccontextmanager
async def memory_journal(start: datetime = START) -> AsyncIterator[Journal]:
    """
    An open journal that goes away with its block.

    Its first event is stamped ``start`` (with a zone; else ``validation_error``), each later one
    ``STEP_S`` after. Run, artifact and step ids are UUIDv7 of that moment, numbered from 1 in
    the order in which they were asked for.
    """
    if start.tzinfo is None:
        raise storage_error(
            StorageErrorCode.VALIDATION_ERROR,
            "start has no time zone. Nothing was opened.",
            reason="naive_time",
            next_action="datetime(..., tzinfo=UTC)",
        )
    journal = Journal(
        MemoryLog(), MemoryArtifacts(), now=fixed_clock(start), new_id=fixed_ids(start)
    )
    try:
        yield journal
    finally:
        await journal.close()


def fixed_clock(start: datetime = START) -> Callable[[], float]:
    """Seconds since 1970, from ``start`` on; each reading is ``STEP_S`` later. From any thread."""
    readings = count()
    first = start.timestamp()
    return lambda: first + next(readings) * STEP_S


def fixed_ids(start: datetime = START) -> Callable[[], str]:
    """Ids made at ``start``, counting from 1 in their last digits. From any thread."""
    numbers = count(1)
    made = f"{int(start.timestamp() * 1000):012x}"

    def new_id() -> str:
        return f"{made[:8]}-{made[8:]}-7000-8000-{next(numbers):012x}"

    return new_id


def records(journal: Journal, run_id: str) -> list[Record]:
    """
    All events of a run, in order, their hash chain checked. Blocks: it is for tests.

    Raises ``not_found``, and ``corrupt`` for a log that was tampered with.
    """
    parsed = parse_run_id(run_id)
    chain = Chain(parsed)
    return [chain.follow(line) for line in journal.log.read(parsed)]

"""Clocks that jump, of one host or of several: what a run and its readers make of them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from journal import Journal
from journal.artifacts.filesystem import FilesystemArtifacts
from journal.backends.filesystem import FilesystemLog
from projections import Projections
from tests.journal.helpers import note, records

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
READINGS = [
    NOON,
    datetime(1970, 1, 1, tzinfo=UTC),
    NOON + timedelta(hours=1),
    NOON - timedelta(days=400),
    datetime(9999, 12, 31, 23, tzinfo=UTC),
    NOON + timedelta(hours=2),
]


def journal_at(store: Path, clock: Iterator[datetime]) -> Journal:
    """A journal on a host whose clock reads what ``clock`` gives, and then stands still."""
    log = FilesystemLog.open(store)
    last = NOON

    def now() -> float:
        nonlocal last
        last = next(clock, last)
        return last.timestamp()

    return Journal(log, FilesystemArtifacts(log.root, log.files), now=now)


async def test_a_clock_that_jumps_changes_no_order(tmp_path: Path) -> None:
    """Case 56: readers, states and points in time go by the order of the log, whatever it reads."""
    journal = journal_at(tmp_path / "store", iter(READINGS * 3))
    async with journal.run(project="nightly") as run:
        for number in range(6):
            await run.append(note(f"note {number}"))
    found = records(journal, run.id)
    await journal.close()
    assert [record.seq for record in found] == list(range(1, len(found) + 1))
    assert [record.timestamp for record in found] == sorted(record.timestamp for record in found)
    texts = [getattr(record.data, "text", None) for record in found]
    assert [text for text in texts if text] == [f"note {number}" for number in range(6)]

    async with Projections.open(tmp_path / "store") as runs:
        assert (await runs.state(run.id)).status == "completed"
        assert (await runs.state(run.id, at=NOON)).seq < found[-1].seq
        assert await runs.verify() == []


async def test_hosts_that_disagree_about_the_time_write_one_run(tmp_path: Path) -> None:
    """Case 57: the second host is a day behind; its lines stand behind, what it read is kept."""
    ahead = journal_at(tmp_path / "store", iter([NOON]))
    async with ahead.run(project="nightly") as run:
        await run.append(note("by the host that is ahead"))
    await ahead.close()
    yesterday = NOON - timedelta(days=1)
    behind = journal_at(tmp_path / "store", iter([yesterday]))
    async with behind.resume(run.id) as again:
        await again.append(note("by the host that is behind"))
    found = records(behind, run.id)
    await behind.close()
    opened = next(record.seq for record in found if record.event == "writer_opened")
    late = found[opened - 1 :]
    assert all(record.clock is None for record in found[: opened - 1])
    assert all(record.timestamp >= found[0].timestamp for record in late)
    assert {record.clock for record in late} == {"2026-11-21T12:00:00.000000Z"}

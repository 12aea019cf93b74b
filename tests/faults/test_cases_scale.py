"""
Ten times as much takes the same memory, so that a million runs or ten million events do too.

Memory is what Python's own allocator counted at its highest; SQLite's cache has a bound of its own.
"""

import gc
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import anyio

from journal.backends.filesystem import FilesystemLog
from journal.follow import follow
from journal.ids import RunId
from projections import questions, reading
from projections.catchup import RUNS_PER_STEP, catch_up
from projections.inspect import check_index
from projections.sqlite import Index
from projections.verify import verify
from tests.benchmarks.generator import Generator

Work = Callable[[FilesystemLog, Index, RunId], None]


def read(log: FilesystemLog, index: Index, run_id: RunId) -> None:
    """Read a log line by line."""
    for _ in log.read(run_id):
        pass


def read_backwards(log: FilesystemLog, index: Index, run_id: RunId) -> None:
    """Read a log line by line, the last one first."""
    for _ in log.read(run_id, reverse=True):
        pass


def checked(log: FilesystemLog, index: Index, run_id: RunId) -> None:
    """Verify a log."""
    assert verify(log, None, None, [run_id]) == []


def indexed(log: FilesystemLog, index: Index, run_id: RunId) -> None:
    """Bring the index to what all logs say."""
    index.use(lambda db: catch_up(db, log))


def followed(log: FilesystemLog, index: Index, run_id: RunId) -> None:
    """Follow a run from its first event to its end."""

    async def all_of_it() -> int:
        count = 0
        async for _, record in follow(log, run_id):
            count = record.seq
        return count

    assert anyio.run(all_of_it) == log.head(run_id).head.seq


def answered(log: FilesystemLog, index: Index, run_id: RunId) -> None:
    """Fold a run up to its last event but one, as time travel does."""
    found = index.use(lambda db: reading.state(db, log, run_id, -1, lambda *_: None))
    assert found.seq == log.head(run_id).head.seq - 1


def compared(log: FilesystemLog, index: Index, run_id: RunId) -> None:
    """Hold every row of the index against the logs."""
    assert check_index(index, log, progress=lambda *_: None).findings == []


def listed(log: FilesystemLog, index: Index, run_id: RunId) -> None:
    """List the newest runs."""
    assert len(index.use(lambda db: list(questions.runs(db, limit=20)))) == 20


def peak_bytes(root: Path, *works: Work) -> list[int]:
    """The most memory that was held at once, during each of these in turn."""
    log, index = FilesystemLog.open(root), Index(str(root / "index.sqlite"))
    newest, peaks = list(log.runs())[-1], []
    for work in works:
        gc.collect()
        tracemalloc.start()
        try:
            work(log, index, newest)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    index.close()
    return peaks


def test_a_long_run_is_read_in_bounded_memory(tmp_path: Path) -> None:
    """Case 77: whoever reads a log holds some blocks of it, however long it is."""
    Generator(tmp_path / "short").long_run(1_500)
    run_id = Generator(tmp_path / "long").long_run(9_000)
    works = (read, read_backwards, followed, checked, indexed, answered, compared)
    short, long = (peak_bytes(tmp_path / name, *works) for name in ("short", "long"))
    size = FilesystemLog.open(tmp_path / "long").head(run_id).head.position
    for work, less, more in zip(works, short, long, strict=True):
        assert more < 1.5 * less + 200_000, work
        assert more < size / 2, work


def test_many_runs_are_indexed_and_listed_in_bounded_memory(tmp_path: Path) -> None:
    """Case 77: rows are committed a few hundred runs at a time, and a list holds what it shows."""
    Generator(tmp_path / "few").short_runs(RUNS_PER_STEP)
    Generator(tmp_path / "many").short_runs(3 * RUNS_PER_STEP)
    few, many = (peak_bytes(tmp_path / name, indexed, listed, compared) for name in ("few", "many"))
    for less, more in zip(few, many, strict=True):
        assert more < 1.5 * less + 200_000

"""How much is read: the tail of a long log to open it, and of all runs only those that moved."""

import os
from pathlib import Path

import pytest

from journal.backends.filesystem import FilesystemLog
from journal.ids import RunId
from journal.journal import Journal
from journal.limits import LINES_READ_BYTES
from projections.catchup import catch_up
from projections.sqlite import Index
from tests.benchmarks.generator import Generator
from tests.support.disks import CountingFiles

MANY = 20_000


def long_log(root: Path, events: int) -> RunId:
    """Return a run of that many events, closed by a real writer."""
    return Generator(root).long_run(events)


async def reopened(root: Path, run_id: RunId) -> None:
    """Open a run and leave it, so that its checkpoint stands at its end."""
    async with Journal.open(root) as journal, journal.open_run(run_id):
        pass


@pytest.mark.anyio
async def test_opening_a_long_log_costs_its_tail(tmp_path: Path) -> None:
    """Case 78: a run that goes on for a year must not take longer to open each day."""
    root = tmp_path / "store"
    run_id = long_log(root, MANY)
    await reopened(root, run_id)
    files = CountingFiles()
    log = FilesystemLog.open(root, files=files)
    lease = log.acquire(run_id)
    log.release(lease)
    assert lease.head.seq > MANY
    assert lease.head.position > 64 * LINES_READ_BYTES
    assert files.bytes_read < 4 * LINES_READ_BYTES


class LookingFiles(CountingFiles):
    """Remembers which logs are opened to be read."""

    def __init__(self) -> None:
        super().__init__()
        self.logs: list[str] = []

    def open_read(self, path: str) -> int:
        if path.endswith("/events.jsonl"):
            self.logs.append(os.path.dirname(path).rpartition("/")[2])
        return super().open_read(path)


@pytest.mark.anyio
async def test_a_look_at_a_warm_store_visits_only_the_runs_that_moved(tmp_path: Path) -> None:
    """Case 77: of a million runs at rest, none is opened because somebody lists the failed."""
    root = tmp_path / "store"
    runs = Generator(root).short_runs(30)
    files = LookingFiles()
    log = FilesystemLog.open(root, files=files)
    index = Index(str(root / "index.sqlite"))
    index.use(lambda db: catch_up(db, log))
    assert set(files.logs) == set(runs)

    files.logs.clear()
    index.use(lambda db: catch_up(db, log))
    assert files.logs == []

    await reopened(root, runs[7])
    index.use(lambda db: catch_up(db, log))
    assert set(files.logs) == {runs[7]}
    index.close()

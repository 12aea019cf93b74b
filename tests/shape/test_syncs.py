"""How often the disk is asked to sync: the one cost that no code can optimise away."""

from pathlib import Path

import anyio
import pytest

from journal.artifacts.filesystem import FilesystemArtifacts
from journal.backends.filesystem import FilesystemLog
from journal.events.log import LogEmitted
from journal.journal import Journal
from tests.support.disks import GatedFiles

pytestmark = pytest.mark.anyio


def open_on(files: GatedFiles, root: Path) -> Journal:
    """Return a journal whose every file operation goes through ``files``."""
    log = FilesystemLog.open(root, files=files)
    return Journal(log, FilesystemArtifacts(log.root, files))


def lines(count: int) -> list[LogEmitted]:
    """Return that many small events."""
    return [LogEmitted(name=f"line {number}") for number in range(count)]


@pytest.mark.parametrize("count", [1, 2, 374])
async def test_an_append_is_one_sync_however_many_events_it_holds(
    count: int, tmp_path: Path
) -> None:
    """A second one, for the watermark or for each line, would halve the rate."""
    files = GatedFiles()
    journal = open_on(files, tmp_path / "store")
    async with journal.run(project="shape") as run:
        before = files.synced
        await run.append(lines(count))
        assert files.synced - before == 1
    await journal.close()


async def test_appends_that_wait_together_share_one_sync(tmp_path: Path) -> None:
    """Group commit: what queued behind a sync goes with the next one, be it fifty appends."""
    files = GatedFiles()
    journal = open_on(files, tmp_path / "store")
    async with journal.run(project="shape") as run:
        before = files.begun
        files.gate.clear()
        async with anyio.create_task_group() as waiting:
            waiting.start_soon(run.append, lines(1))
            await anyio.wait_all_tasks_blocked()
            for event in lines(50):
                waiting.start_soon(run.append, event)
            await anyio.wait_all_tasks_blocked()
            files.gate.set()
        # One for what was queued when the worker looked, one for all that came behind it.
        assert files.begun - before <= 2
    await journal.close()


async def test_emitted_events_share_syncs_too(tmp_path: Path) -> None:
    """A thousand progress events are a handful of batches, not a thousand."""
    files = GatedFiles()
    journal = open_on(files, tmp_path / "store")
    async with journal.run(project="shape") as run:
        before = files.begun
        files.gate.clear()
        receipts = [run.emit(event) for event in lines(1000)]
        receipts[-1].hurry()
        files.gate.set()
        await receipts[-1]
        assert files.begun - before <= 2
    await journal.close()

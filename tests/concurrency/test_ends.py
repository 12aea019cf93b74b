"""Loops and programs that end in the middle: what was queued is written or refused, never stuck."""

import time
from pathlib import Path

import anyio
import pytest

from journal import Journal, Run
from journal.artifacts.filesystem import FilesystemArtifacts
from journal.backends.filesystem import FilesystemLog
from tests.journal.helpers import note
from tests.support.disks import GatedFiles
from tests.support.logs import read
from tests.support.processes import other

FORGETFUL = """
import sys
import anyio
from journal import Journal
from journal.artifacts.filesystem import FilesystemArtifacts
from journal.backends.filesystem import FilesystemLog
from tests.journal.helpers import note
from tests.support.disks import GatedFiles

files = GatedFiles()

async def forget():
    log = FilesystemLog.open(sys.argv[1], files=files)
    journal = Journal(log, FilesystemArtifacts(log.root, files))
    run = await journal.run(project="nightly").__aenter__()
    if sys.argv[3] == "stalled":
        files.gate.clear()
    for number in range(300):
        run.emit(note(str(number)))
    print(run.id, flush=True)
    kept.append((journal, run))

kept = []
anyio.run(forget, backend=sys.argv[2])
"""


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_program_that_ends_without_closing_has_written_what_it_emitted(
    tmp_path: Path, backend: str
) -> None:
    """Case 53: it promised "within 50 ms", and then there was no program any more."""
    with other(FORGETFUL, tmp_path / "store", backend, "well") as program:
        run_id = program.line()
        assert program.ended() == 0
    log = FilesystemLog.open(tmp_path / "store")
    assert [str(found) for found in log.runs()] == [run_id]
    for found in log.runs():
        assert len(read(log, found)) == 302
        assert not log.head(found).live


def test_a_program_on_a_stalled_disk_ends_all_the_same(tmp_path: Path) -> None:
    """Case 53: nothing of that was acknowledged, so nothing is lost that was promised."""
    began_s = time.monotonic()
    with other(FORGETFUL, tmp_path / "store", "asyncio", "stalled") as program:
        assert program.line()
        assert program.ended() == 0
    assert time.monotonic() - began_s < 100, "the gate would have opened by itself after 180"
    log = FilesystemLog.open(tmp_path / "store")
    for found in log.runs():
        lease = log.acquire(found)
        assert len(read(log, found)) in {2, 302}
        log.release(lease)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_loop_that_ends_under_callers_that_wait_is_no_hang(tmp_path: Path, backend: str) -> None:
    """Case 53: they are cancelled with their loop; what they had queued lands, once and whole."""
    files = GatedFiles()

    async def work() -> Run:
        log = FilesystemLog.open(tmp_path / "store", files=files)
        journal = Journal(log, FilesystemArtifacts(log.root, files))
        run = await journal.run(project="nightly").__aenter__()
        files.gate.clear()
        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(run.append, [note(f"{number} a"), note(f"{number} b")])
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
        return run

    run = anyio.run(work, backend=backend)
    files.gate.set()
    anyio.run(run.close, backend=backend)
    log = FilesystemLog.open(tmp_path / "store")
    texts = [getattr(record.data, "text", "") for record in read(log, run.id)][2:]
    pairs = list(zip(texts[::2], texts[1::2], strict=True))
    assert sorted(pairs) == sorted((f"{number} a", f"{number} b") for number in range(20))
    assert log.head(run.id).state == "closed"

"""Bugs that were found where no other test stood; docs/reliability.md lists them all."""

from pathlib import Path

import pytest

from journal.backends.filesystem import FilesystemLog
from journal.chain import SUFFIX_BYTES
from journal.events.log import LogEmitted
from tests.support.disks import UnsyncedFiles, WatchedFiles
from tests.support.logs import StoredRun, code_of, snapshot
from tests.support.processes import other


def test_who_opens_a_run_syncs_its_name_first(tmp_path: Path) -> None:
    """Case 9: its maker may have died between giving the name and syncing it."""
    run = StoredRun(tmp_path / "store").write(1, 2)
    run.crash()
    steps: list[tuple[str, str]] = []

    def before(_: int, name: str, arguments: tuple[object, ...]) -> None:
        if name in {"fsync_dir", "open_rewrite", "open_append"}:
            steps.append((name, str(arguments[0])))

    log = FilesystemLog.open(tmp_path / "store", files=WatchedFiles(before))
    steps.clear()
    log.release(log.acquire(run.run_id))
    told = next(n for n, (_, path) in enumerate(steps) if path.endswith("/feed"))
    assert ("fsync_dir", run.folder.parent.as_posix()) in steps[:told]


def test_a_text_like_a_later_batch_in_a_torn_line_is_torn(tmp_path: Path) -> None:
    """Cases 3 and 6: half a line ends somewhere in a payload, and that may look like anything."""
    run = StoredRun(tmp_path / "store", UnsyncedFiles()).write(2)
    payload = {"batch": [99, 1], "text": "x" * 200}
    (torn,) = run.lines.of([LogEmitted(name="odd", data=payload)])
    looks = torn.index(b'"batch":[99,1]') + len(b'"batch":[99,1]') + SUFFIX_BYTES
    assert looks < len(torn) - SUFFIX_BYTES
    cuts = [torn[:cut] for cut in range(looks - 3, looks + 4)]
    for cut in cuts:
        run.crash(cut)
        assert run.recover().head.seq == 2
    assert {kept.read_bytes() for kept in run.torn()} == {*cuts}


PHASES = """
import sys, anyio
from journal import Journal, Pipeline

pipeline = Pipeline("stops")

@pipeline.phase()
async def stop() -> None:
    raise KeyboardInterrupt

async def main() -> None:
    async with Journal.open(sys.argv[1]) as journal:
        await pipeline.run(journal)

try:
    anyio.run(main, backend=sys.argv[2])
except BaseException as failure:
    print(type(failure).__name__, flush=True)
"""


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_interrupt_inside_a_phase_ends_the_process(tmp_path: Path, backend: str) -> None:
    """A bare KeyboardInterrupt out of the root task would leave the threads of the loop behind."""
    with other(PHASES, tmp_path / "store", backend) as process:
        assert process.line() in {"KeyboardInterrupt", "BaseExceptionGroup"}
        assert process.ended() == 0


def test_a_lost_store_json_is_a_loss_and_no_new_store(tmp_path: Path) -> None:
    """Case 20: made anew, it would look as if there had never been a run."""
    run = StoredRun(tmp_path / "store").write(1).close()
    (tmp_path / "store/store.json").unlink()
    there = snapshot(tmp_path / "store")
    assert code_of(FilesystemLog.open, tmp_path / "store") == "corrupt"
    assert snapshot(tmp_path / "store") == there
    assert run.events.exists()

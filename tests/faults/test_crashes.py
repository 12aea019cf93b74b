"""Processes that die: before every operation in turn, and for real, by SIGKILL at any moment."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from journal.backends.filesystem import FilesystemLog
from journal.ids import RunId, parse_run_id
from tests.faults.test_disk_errors import Life, operations
from tests.support.disks import Died, DyingFiles, UnsyncedFiles
from tests.support.logs import StoredRun, code_of, copied, crash, read


def die(files: DyingFiles, call: object, *arguments: object) -> bool:
    """Whether the process died inside ``call``; if so, the system has taken back what it held."""
    assert callable(call)
    try:
        call(*arguments)
    except Died:
        return True
    finally:
        files.bury()
    return False


@pytest.mark.parametrize("part", [0.0, 0.5, 1.0])
def test_a_writer_may_die_before_any_operation(tmp_path: Path, part: float) -> None:
    """
    Case 1: creating the store and the run, appending, closing, opening again.

    ``part``: how much of a write gets to the disk, if the process dies in one.
    """
    for at in range(1, len(operations(tmp_path / "whole")) + 1):
        files = DyingFiles(at, part)
        life = Life(tmp_path / str(at), files)
        assert die(files, life.live)
        life.check_oracle()


def test_recovery_may_die_before_any_operation(tmp_path: Path) -> None:
    """Case 2: whoever comes next finds the same lines, and the tail kept whole."""
    run = StoredRun(tmp_path / "store", UnsyncedFiles()).write(2, 1)
    torn = b"".join(run.lines.batch(3))[:-100]
    run.crash(torn)
    whole = run.events.read_bytes()[: -len(torn)]
    died = True
    for at in range(1, 200):
        for part in (0.0, 0.7):
            store = copied(tmp_path / "store", tmp_path / f"store-{at}-{part}")
            files = DyingFiles(at, part)
            died = die(files, FilesystemLog(str(store), files).acquire, run.run_id)
            log = FilesystemLog(str(store), UnsyncedFiles())
            assert log.head(run.run_id).head.seq == 3
            lease = log.acquire(run.run_id)
            assert (lease.head.seq, [tail.size_bytes for tail in lease.recovered]) == (
                3,
                [len(torn)],
            )
            folder = Path(log.folder(run.run_id))
            assert (folder / lease.recovered[0].kept_as).read_bytes() == torn
            assert (folder / "events.jsonl").read_bytes() == whole
            crash(lease)
        if not died:
            assert at > 20
            return
    raise AssertionError("recovery never ended")


def test_a_deletion_may_die_before_any_operation(tmp_path: Path) -> None:
    """Case 1: the run is there as a whole, or not at all."""
    run = StoredRun(tmp_path / "store", UnsyncedFiles()).write(2, 1).close()
    for at in range(1, 100):
        store = copied(tmp_path / "store", tmp_path / f"store-{at}")
        files = DyingFiles(at)
        died = die(files, FilesystemLog(str(store), files).delete, run.run_id)
        log = FilesystemLog(str(store), UnsyncedFiles())
        if list(log.runs()):
            assert len(read(log, run.run_id)) == 3
            log.delete(run.run_id)
        assert code_of(log.head, run.run_id) == "not_found"
        if not died:
            return
    raise AssertionError("deleting never ended")


WRITER = """
import sys, anyio
from journal import Journal
from journal.events.log import AnnotationAdded

async def main():
    async with Journal.open(sys.argv[1]) as journal:
        opened = journal.resume(sys.argv[2]) if len(sys.argv) > 2 else journal.run(project="p")
        async with opened as run:
            print(run.id, run.seq, flush=True)
            async with anyio.create_task_group() as tasks:
                for name in range(3):
                    tasks.start_soon(write, run, name)

async def write(run, name):
    for number in range(10**9):
        text = f"{name} {number} " + "x" * (number * 37 % 3000)
        receipt = run.log("info", text[:1500])
        appended = await run.append([AnnotationAdded(text=text)] * (1 + number % 4))
        print(run.id, appended.last_seq, flush=True)
        await receipt

anyio.run(main, backend="asyncio")
"""


def killed(store: Path, arguments: list[str], after_s: float) -> tuple[RunId, int]:
    """Start a writer and kill it; its run, and the last seq that it saw acknowledged."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(store), *arguments], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        run_id, seq = writer.stdout.readline().split()
        time.sleep(after_s)
        writer.send_signal(signal.SIGKILL)
        whole = [line for line in writer.stdout if line.endswith("\n")]  # the last may be half
    return parse_run_id(run_id), max([int(seq), *(int(line.split()[1]) for line in whole)])


def test_every_acknowledged_line_survives_sigkill(tmp_path: Path) -> None:
    """Case 1: a real writer, killed at random moments, opened again, killed again."""
    moments = random.Random(20261122)
    run_id, acknowledged = killed(tmp_path / "store", [], 0.1)
    log = FilesystemLog.open(tmp_path / "store")
    for openings in range(1, 6):
        assert not log.head(run_id).live
        records = read(log, run_id)
        assert len(records) >= acknowledged > openings
        assert [record.seq for record in records] == list(range(1, len(records) + 1))
        found, acknowledged = killed(tmp_path / "store", [run_id], moments.uniform(0.0, 0.15))
        assert (found, list(log.runs())) == (run_id, [run_id])
    log.release(log.acquire(run_id))
    events = [record.event for record in read(log, run_id)]
    assert events.count("writer_opened") == events.count("run_resumed") == 5
    assert len(events) >= acknowledged

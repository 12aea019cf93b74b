"""Case 45: a forked child has a copy of everything, and the right to nothing."""

import os
import signal
from pathlib import Path

import pytest

from journal.backends.filesystem import FilesystemLog
from journal.events.log import AnnotationAdded
from journal.workers import Workers
from journal.writer import Writer
from tests.support.logs import Lines, StoredRun, code_of, read
from tests.support.processes import other
from tests.support.writers import OPENING, SilentBridge, drafts, settled


@pytest.fixture
def run(tmp_path: Path) -> StoredRun:
    return StoredRun(tmp_path / "store").write(2).close()


def test_a_forked_child_is_refused(run: StoredRun) -> None:
    """Case 45: it has a copy of everything, the lock too; and its end takes nothing away."""
    lease = run.recover()
    workers = Workers()
    pid = os.fork()
    if pid == 0:  # pragma: no cover - the child
        refused = code_of(run.log.append, lease, run.lines.batch())
        run.log.release(lease)
        os._exit(0 if refused == "closed" else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    workers.close()
    assert code_of(FilesystemLog.open(run.log.root).acquire, run.run_id) == "locked"
    assert run.log.append(lease, run.lines.batch()).seq == 3
    run.log.release(lease)
    assert run.log.head(run.run_id).state == "closed"


PARENT = """
import os, sys, time
from journal.backends.filesystem import FilesystemLog
log = FilesystemLog.open(sys.argv[1])
lease = log.acquire(sys.argv[2])
child = os.fork()
if child == 0:
    others = [open("/dev/null") for _ in range(5)]  # under the numbers that became free
    if len(sys.argv) > 3:
        log.release(lease)
    for other in others:
        os.fstat(other.fileno())  # still theirs
    os.write(1, b"at work\\n")
    time.sleep(120)
os.write(1, b"%d\\n" % child)
time.sleep(120)
"""


@pytest.mark.parametrize("way", [[], ["release"]], ids=["at work", "leaving"])
def test_a_forked_child_does_not_keep_the_run_of_a_killed_parent(
    run: StoredRun, way: list[str]
) -> None:
    """Cases 41 and 45: a pool of forked workers may live on; the run is free all the same."""
    with other(PARENT, run.log.root, run.run_id, *way) as parent:
        said = {parent.line(), parent.line()}
        child = int((said - {"at work"}).pop())
        try:
            assert "at work" in said
            assert code_of(run.log.acquire, run.run_id) == "locked"
            parent.signal(signal.SIGKILL)
            parent.ended()
            assert not run.log.head(run.run_id).live
            assert run.log.acquire(run.run_id).epoch == 3
        finally:
            os.kill(child, signal.SIGKILL)


def test_a_forked_child_gets_no_word_into_a_writers_queue(tmp_path: Path) -> None:
    """Case 45: the child's threads are gone, so nothing would ever write what it queues."""
    log = FilesystemLog.open(tmp_path / "store")
    run_id = Lines().run_id
    workers = Workers()
    writer = Writer.create(
        log, run_id, drafts(run_id, OPENING), workers=workers, bridge=SilentBridge()
    )
    words = drafts(run_id, [AnnotationAdded(text="mine")])
    pid = os.fork()
    if pid == 0:  # pragma: no cover - the child
        os._exit(0 if code_of(writer.submit, words) == "closed" else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert settled(writer.submit(words)).first_seq == 3
    writer.close()
    workers.close()


UNWINDING = """
import os, sys, time
import anyio
from journal import Journal, StorageError
from tests.journal.helpers import note

async def refused(call):
    try:
        await call()
    except StorageError as failure:
        if (failure.code, failure.info.details.reason) == ("closed", "forked"):
            return
    print("not refused", call, flush=True)

async def fork_inside(journal, run):
    async with run.phase("ingest") as phase:
        receipt = run.emit(note("parent: before"))
        child = os.fork()
        if child:
            return child
        await refused(lambda: run.append(note("child")))
        await refused(lambda: phase.store("child"))
        await refused(lambda: run.annotate("child"))
        await refused(journal.run(project="nightly").__aenter__)
        await refused(journal.open_run(run.id).__aenter__)
        await refused(lambda: journal.delete(run.id))
        if sys.argv[3] == "raises":
            raise ValueError("child")
        return 0

async def main():
    parent = os.getpid()
    try:
        async with Journal.open(sys.argv[1]) as journal, journal.run(project="nightly") as run:
            child = await fork_inside(journal, run)
            if child:
                deadline = time.monotonic() + 60
                while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0):
                    if time.monotonic() > deadline:
                        os.kill(child, 9)
                    await anyio.sleep(0.01)
                print("child", os.waitstatus_to_exitcode(ended[1]), flush=True)
                await run.append(note("parent: after"))
    except BaseException as failure:
        if os.getpid() == parent:
            raise
        expected = StorageError if sys.argv[3] == "returns" else ValueError
        os._exit(7 if type(failure) is expected else 1)
    print("parent is done", flush=True)

anyio.run(main, backend=sys.argv[2])
"""


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("how", ["returns", "raises"])
def test_a_forked_child_that_unwinds_through_a_run_leaves_it_to_its_parent(
    tmp_path: Path, backend: str, how: str
) -> None:
    """Case 45: it neither hangs nor writes, hears that it may not, and closes nothing."""
    with other(UNWINDING, tmp_path / "store", backend, how) as parent:
        assert parent.line() == "child 7"
        assert parent.line() == "parent is done"
        assert parent.ended() == 0
    log = FilesystemLog.open(tmp_path / "store")
    [run_id] = log.runs()
    assert [record.event for record in read(log, run_id)] == [
        "run_created",
        "run_started",
        "phase_started",
        "annotation_added",
        "phase_completed",
        "annotation_added",
        "run_completed",
    ]
    assert (log.head(run_id).state, log.head(run_id).live) == ("closed", False)
    assert list((Path(log.folder(run_id)) / "artifacts").iterdir()) == []

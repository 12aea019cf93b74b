"""Several writers of one run: one holds it, the others are told; and who wakes up too late."""

import errno
import os
import shutil
import signal
import threading
import time
from pathlib import Path

import pytest

from journal.backends.filesystem import FilesystemLog
from journal.errors import StorageError
from journal.events.log import AnnotationAdded
from journal.files import Files
from journal.limits import ALONE_CHECK_S
from journal.workers import Workers
from journal.writer import Writer
from tests.support.disks import Trap, UnsyncedFiles
from tests.support.logs import Lines, StoredRun, code_of, read
from tests.support.processes import other
from tests.support.writers import OPENING, SilentBridge, append, drafts, settled

HOLDER = """
import sys
from journal.backends.filesystem import FilesystemLog
log = FilesystemLog.open(sys.argv[1])
lease = log.acquire(sys.argv[2])
print(lease.epoch, flush=True)
sys.stdin.readline()
log.release(lease)
print("released", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def run(tmp_path: Path) -> StoredRun:
    return StoredRun(tmp_path / "store").write(2).close()


def test_the_writer_of_another_process_locks_the_run(run: StoredRun) -> None:
    """Case 40: refused after ``wait_s``, with who it is; free once it lets go."""
    with other(HOLDER, run.log.root, run.run_id) as holder:
        assert holder.line() == "2"
        with pytest.raises(StorageError, match=f"process {holder.pid} ") as raised:
            run.log.acquire(run.run_id, 0.2)
        assert (raised.value.code, raised.value.info.retryable) == ("locked", True)
        assert run.log.head(run.run_id).live
        holder.tell()
        assert run.log.acquire(run.run_id, 30.0).epoch == 3
        assert holder.line() == "released"


def test_a_killed_writer_leaves_the_run_free_at_once(run: StoredRun) -> None:
    """Case 41: the system lets go of the lock; nothing that the lock file holds decides."""
    with other(HOLDER, run.log.root, run.run_id) as holder:
        assert holder.line() == "2"
        (run.folder / "lock").write_text(f"{os.getpid()} held for ever")
        holder.signal(signal.SIGKILL)
        holder.ended()
        info = run.log.head(run.run_id)
        assert (info.live, info.state, info.pid) == (False, "open", holder.pid)
        assert run.log.acquire(run.run_id).epoch == 3


def test_a_stopped_writer_still_holds_the_run(run: StoredRun) -> None:
    """Case 42: it may go on at any moment; only force takes a run from a living process."""
    with other(HOLDER, run.log.root, run.run_id) as holder:
        assert holder.line() == "2"
        holder.signal(signal.SIGSTOP)
        assert code_of(run.log.acquire, run.run_id) == "locked"
        assert run.log.head(run.run_id).live
        holder.signal(signal.SIGCONT)
        holder.tell()
        assert holder.line() == "released"


def taken_over(run: StoredRun, how: str) -> None:
    """Somebody else takes the run, whatever its writer thinks."""
    if how == "the lock is replaced":
        (run.folder / "lock").unlink()
        (run.folder / "lock").touch(0o600)
    elif how == "the lock is gone":
        (run.folder / "lock").unlink()
    elif how == "the log is replaced":
        shutil.copy(run.events, run.folder / "copy")
        (run.folder / "copy").rename(run.events)
    elif how == "the log has grown":
        with run.events.open("ab") as log:
            log.write(b"x")
    elif how == "the log was cut":
        os.truncate(run.events, 10)
    else:
        (run.folder / "lock").unlink()
        forced = FilesystemLog.open(run.log.root)
        forced.release(forced.acquire(run.run_id))


@pytest.mark.parametrize(
    "how",
    [
        "the lock is replaced",
        "the lock is gone",
        "the log is replaced",
        "the log has grown",
        "the log was cut",
        "a later epoch",
    ],
)
def test_a_writer_that_was_taken_over_writes_nothing(run: StoredRun, how: str) -> None:
    """Cases 43 and 44: it wakes, looks, and refuses before a byte of it lands."""
    lease = run.recover()
    run.log.append(lease, run.lines.batch())
    taken_over(run, how)
    before, head = run.events.read_bytes(), (run.folder / "head").read_bytes()
    if how not in {"the log has grown", "the log was cut"}:  # those are seen at every append
        time.sleep(ALONE_CHECK_S)
    assert code_of(run.log.append, lease, run.lines.batch()) == "conflict"
    assert code_of(run.log.append, lease, run.lines.batch()) == "closed"
    run.log.release(lease)
    assert run.events.read_bytes() == before
    assert (run.folder / "head").read_bytes() == head


def test_a_writer_that_was_taken_over_marks_nothing_when_it_leaves(run: StoredRun) -> None:
    """Case 43: the head is the other one's by then; "closed" would be a lie."""
    lease = run.recover()
    run.log.append(lease, run.lines.batch())
    taken_over(run, "a later epoch")
    holder = FilesystemLog.open(run.log.root).acquire(run.run_id)
    head = (run.folder / "head").read_bytes()
    run.log.release(lease)
    assert (run.folder / "head").read_bytes() == head
    assert run.log.head(run.run_id).epoch == holder.epoch == 4


def test_the_lock_of_a_file_that_was_replaced_is_none(run: StoredRun) -> None:
    """Case 44: replaced between the open and the lock, it would give the run two holders."""

    class Late(Files):
        holder = -1

        def lock(self, fd: int) -> bool:
            if self.holder < 0:
                (run.folder / "lock").unlink()
                self.holder = self.create(str(run.folder / "lock"))
                assert super().lock(self.holder)
            return super().lock(fd)

    files = Late()
    assert code_of(FilesystemLog(run.log.root, files).acquire, run.run_id) == "locked"
    files.close(files.holder)
    assert run.log.acquire(run.run_id).epoch == 2


def test_a_busy_writer_notices_that_its_lock_was_replaced(run: StoredRun) -> None:
    """Case 44: however fast it appends, it looks again after a while."""
    lease = run.recover()
    taken_over(run, "the lock is replaced")

    def go_on() -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            run.log.append(lease, run.lines.batch())

    assert code_of(go_on) == "conflict"


def test_two_writers_that_collide_all_the_same_are_found_out(run: StoredRun) -> None:
    """Case 43: bytes that landed in spite of everything are seen, and never become events."""
    lease = run.recover()
    batch = run.lines.batch()
    with run.events.open("ab") as zombie:  # a writer that woke between its look and its write
        run.log.append(lease, batch)
        zombie.write(b"".join(batch))
    assert len(run.read()) == 3
    assert code_of(run.log.append, lease, run.lines.batch()) == "conflict"
    run.log.release(lease)
    stray = b"".join(batch)
    assert [tail.size_bytes for tail in run.recover().recovered] == [len(stray)]
    assert len(run.read()) == 3


def test_threads_get_one_total_order(tmp_path: Path) -> None:
    """Case 46: every append has its place, and each thread's own come in the order it made them."""
    log = FilesystemLog.open(tmp_path / "store")
    run_id = Lines().run_id
    workers = Workers()
    writer = Writer.create(
        log, run_id, drafts(run_id, OPENING), workers=workers, bridge=SilentBridge()
    )
    places: dict[int, list[int]] = {}

    def emit(thread: int) -> None:
        made = places[thread] = []
        for number in range(60):
            words = drafts(run_id, [AnnotationAdded(text=f"{thread} {number}")] * 2)
            made.append(writer.submit(words, patient=number % 3 > 0).appended.first_seq)

    threads = [threading.Thread(target=emit, args=[number]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close()
    workers.close()
    records = read(log, run_id)
    assert len(records) == 2 + 6 * 60 * 2
    for thread_number, made in places.items():
        assert made == sorted(made)
        for number, seq in enumerate(made):
            for record in records[seq - 1 : seq + 1]:
                assert isinstance(record.data, AnnotationAdded)
                assert record.data.text == f"{thread_number} {number}"
            assert records[seq - 1].batch == records[seq].batch


def test_half_a_line_is_not_there_yet(run: StoredRun) -> None:
    """Case 47: a reader meets a write on its way; that is no damage, and it is not shown."""
    lease = run.recover()
    batch = b"".join(run.lines.batch(2))
    for cut in range(0, len(batch), 50):
        with run.events.open("ab") as log:
            log.write(batch[:cut])
        assert run.log.head(run.run_id).head.seq == 2
        assert len(run.read()) == 2
        assert run.log.torn_bytes(run.run_id) == 0
        os.truncate(run.events, lease.head.position)
    run.log.release(lease)


def test_a_live_run_is_neither_recovered_nor_deleted(run: StoredRun) -> None:
    """Case 48: by another process, while its own goes on."""
    with other(HOLDER, run.log.root, run.run_id) as holder:
        assert holder.line() == "2"
        assert code_of(run.log.acquire, run.run_id) == "locked"
        assert code_of(run.log.delete, run.run_id) == "locked"
        assert len(run.read()) == 2


def test_of_two_recoveries_one_waits(tmp_path: Path) -> None:
    """Case 48: the lock comes first, so nobody cuts what another one is looking at."""
    run = StoredRun(tmp_path / "store", UnsyncedFiles()).write(2)
    run.crash(b"".join(run.lines.batch())[:50])
    codes: list[str] = []

    def recover() -> None:
        try:
            lease = FilesystemLog.open(run.log.root).acquire(run.run_id)
        except StorageError as failure:
            codes.append(failure.code.value)
        else:
            codes.append(f"{len(lease.recovered)} told")

    threads = [threading.Thread(target=recover) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == ["1 told", "locked", "locked", "locked"]


def test_a_full_queue_of_a_dead_disk_fails_as_a_whole(tmp_path: Path) -> None:
    """Case 10: what was decided on top of a lost batch is lost with it; then all is closed."""
    files = Trap("fdatasync", errno.EIO)
    log = FilesystemLog.open(tmp_path / "store", files=files)
    run_id = Lines().run_id
    workers = Workers()
    writer = Writer.create(
        log, run_id, drafts(run_id, OPENING), workers=workers, bridge=SilentBridge()
    )
    files.armed = True
    words = drafts(run_id, [AnnotationAdded(text="lost")])
    receipts = [writer.submit(words, patient=True) for _ in range(20)]
    assert code_of(settled, receipts[-1]) == "io_error"
    assert {receipt.error.code.value for receipt in receipts if receipt.error} == {"io_error"}
    assert code_of(append, writer, AnnotationAdded(text="more")) == "closed"
    assert (writer.seq, writer.state.status) == (2, "running")
    writer.close()
    workers.close()
    assert files.sprung == 1

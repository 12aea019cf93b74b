"""Taking a run from a writer that is stopped, not dead: whatever it was in the middle of."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import anyio
import pytest

from journal import Journal, StorageError
from journal.backends import filesystem, takeover
from journal.backends.filesystem import FilesystemLog
from journal.backends.memory import MemoryLog
from journal.files import Files
from journal.ids import RunId
from journal.limits import ALONE_CHECK_S
from journal.log import HeadInfo, Lease
from tests.journal.helpers import events, note
from tests.support.disks import Died, DyingFiles, FullFiles, UnsyncedFiles, WatchedFiles
from tests.support.logs import Lines, StoredRun, code_of
from tests.support.processes import other

STOPPED = """
import os, signal, sys
from journal.backends.filesystem import FilesystemLog
from journal.errors import StorageError
from journal.files import Files
from journal.ids import RunId
from tests.support.logs import Lines

class Stopping(Files):
    'Stops this process before or after the named operation of the second append.'
    armed = False
    def __getattribute__(self, name):
        found = super().__getattribute__(name)
        if name not in ("write", "fdatasync", "pwrite") or not self.armed:
            return found
        def call(*arguments):
            if sys.argv[3] == f"before {name}":
                self.stop()
            result = found(*arguments)
            if sys.argv[3] == f"after {name}":
                self.stop()
            return result
        return call
    def stop(self):
        self.armed = False
        print("stopping", flush=True)
        os.kill(os.getpid(), signal.SIGSTOP)

files = Stopping()
log = FilesystemLog.open(sys.argv[1], files=files)
lines = Lines(RunId(sys.argv[2]))
lease = log.create(lines.run_id, lines.batch(2))
log.append(lease, lines.batch(text="acknowledged"))
files.armed = True
if sys.argv[3] == "between":
    files.stop()
for _ in range(2):
    try:
        log.append(lease, lines.batch(text="late"))
        print("acknowledged", flush=True)
    except StorageError as failure:
        print(failure.code.value, flush=True)
log.release(lease)
print("left", flush=True)
"""

MOMENTS = ["between", "before write", "after write", "before fdatasync", "after fdatasync"]


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_stopped_writer_wakes_after_a_takeover_and_changes_nothing(
    tmp_path: Path, moment: str
) -> None:
    """Cases 40, 42 and 43: wherever in an append it was stopped, it is refused, and told so."""
    log = FilesystemLog.open(tmp_path / "store")
    lines = Lines()
    run_id = lines.run_id
    with other(STOPPED, log.root, run_id, moment) as holder:
        assert holder.line() == "stopping"
        until_stopped(holder.pid)
        assert code_of(log.acquire, run_id) == "locked"
        lease = log.acquire(run_id, force=True)
        assert lease.epoch == 2
        ours = behind(lease)
        log.append(lease, ours.batch(text="ours"))
        holder.signal(signal.SIGCONT)
        assert [holder.line() for _ in range(3)] == ["conflict", "closed", "left"]
        log.append(lease, ours.batch(text="ours again"))
        log.release(lease)
    said = [line.decode() for line in log.read(run_id)]
    assert sum("acknowledged" in line for line in said) == 1
    assert "ours" in said[-2]
    assert "ours again" in said[-1]
    assert log.head(run_id).state == "closed"
    assert not log.acquire(run_id).recovered


def behind(lease: Lease) -> Lines:
    """Lines that go on where a lease stands."""
    lines = Lines(lease.run_id)
    lines.seq, lines.link = lease.head.seq, lease.head.hash
    return lines


def until_stopped(pid: int) -> None:
    """A stopped process is one whose state says T; the signal alone takes a moment."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T":
            return
        time.sleep(0.002)
    raise TimeoutError("it did not stop")


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="tells no process states")
def test_force_is_not_needed_for_a_dead_writer(tmp_path: Path) -> None:
    """Case 41: then it is an ordinary opening; no file is copied."""
    run = StoredRun(tmp_path / "store").write(2).crash()
    inode = run.events.stat().st_ino
    assert run.log.acquire(run.run_id, force=True).epoch == 2
    assert run.events.stat().st_ino == inode


def test_a_writer_that_still_runs_is_refused_as_well(tmp_path: Path) -> None:
    """Case 43: force does not ask whether the holder is really stopped; nothing is lost if not."""
    run = StoredRun(tmp_path / "store").write(2)
    assert run.lease is not None
    forced = FilesystemLog.open(run.log.root).acquire(run.run_id, force=True)
    assert code_of(run.log.append, run.lease, run.lines.batch()) == "conflict"
    assert forced.head.seq == 2
    assert len(run.read()) == 2


def test_a_full_disk_does_not_make_a_late_writer_cut_somebody_elses_lines(tmp_path: Path) -> None:
    """Cases 13 and 43: it cuts its own partial batch off, and by then the log is not its own."""

    class Robbed(FullFiles):
        def write(self, fd: int, data: bytes | memoryview) -> int:
            if self.room == 0:
                taken.append(plain.acquire(run.run_id, force=True))
                plain.append(taken[0], run.lines.batch(3))
            return super().write(fd, data)

    files = Robbed()
    run = StoredRun(tmp_path / "store", files).write(2)
    plain = FilesystemLog.open(run.log.root)
    taken: list[Lease] = []
    lease, late = run.lease, Lines(run.run_id).batch()
    assert lease is not None
    files.room = 0
    assert code_of(run.log.append, lease, late) == "conflict"
    assert len(run.read()) == 5


def test_of_two_that_force_one_gets_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Case 40: who finds another lock in the place of its own has not got it."""
    run = StoredRun(tmp_path / "store").write(2)
    second: list[Lease | None] = []
    sleep = time.sleep

    def meanwhile(seconds: float) -> None:
        if not second and seconds == 2 * ALONE_CHECK_S:
            second.append(None)
            second[0] = FilesystemLog.open(run.log.root).acquire(run.run_id, force=True)
        sleep(seconds)

    monkeypatch.setattr(time, "sleep", meanwhile)
    assert code_of(lambda: run.log.acquire(run.run_id, force=True)) == "locked"
    assert len(run.read()) == 2
    assert sorted(path.name for path in run.folder.iterdir()) == [
        "artifacts",
        "events.jsonl",
        "head",
        "lock",
    ]


def test_a_takeover_that_dies_at_any_operation_leaves_a_run_that_can_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 1: killed before each of its operations; the next writer finds all that was told."""
    monkeypatch.setattr(takeover, "ALONE_CHECK_S", 0.0)  # the old writer does nothing here
    monkeypatch.setattr(filesystem, "LOCK_RETRY_S", 0.0)
    plain = StoredRun(tmp_path / "count").write(2)
    counting = WatchedFiles(lambda *_: None)
    FilesystemLog(plain.log.root, counting).acquire(plain.run_id, force=True)
    for at in range(1, len(counting.done) + 1):
        run = StoredRun(tmp_path / f"store{at}", UnsyncedFiles()).write(2, 1)
        dying = DyingFiles(at)
        with suppress(Died, StorageError):  # what the dead say does not matter
            FilesystemLog(run.log.root, dying).acquire(run.run_id, force=True)
        dying.bury()
        lease = run.log.acquire(run.run_id, force=True)
        assert len(run.read()) == 3
        run.log.release(lease)
        lease = run.log.acquire(run.run_id)
        assert lease.head.seq == 3
        run.log.release(lease)
        run.crash()  # lets go of the first writer's files


def test_a_takeover_that_broke_off_is_gone_on_with_by_the_next_writer(tmp_path: Path) -> None:
    """Cases 13 and 40: no room for copies; the holder, stopped in a batch, still has the log."""

    class Stopped(Files):
        armed = False

        def write(self, fd: int, data: bytes | memoryview) -> int:
            if self.armed:
                self.armed = False
                meanwhile()
            return super().write(fd, data)

    def meanwhile() -> None:
        full = FullFiles()
        full.room = 20  # for the mark in the lock, not for a copy
        forcing = FilesystemLog(run.log.root, full)
        assert code_of(lambda: forcing.acquire(run.run_id, force=True)) == "no_space"
        lease = plain.acquire(run.run_id)
        plain.append(lease, behind(lease).batch(text="ours"))
        plain.release(lease)

    files = Stopped()
    run = StoredRun(tmp_path / "store", files).write(2)
    plain = FilesystemLog.open(run.log.root)
    lease, late = run.lease, run.lines.batch(text="late")
    assert lease is not None
    files.armed = True
    assert code_of(run.log.append, lease, late) == "conflict"
    run.log.release(lease)
    head = plain.head(run.run_id)
    assert (head.head.seq, head.state) == (3, "closed")
    again = plain.acquire(run.run_id)  # was "corrupt": bytes behind the end of a closed log
    assert (again.head, again.recovered) == (head.head, ())
    assert (run.folder / "lock").stat().st_size == 0


@pytest.mark.parametrize("state", ["open", "closed"])
def test_who_is_stopped_while_it_opens_a_run_changes_nothing_after_a_takeover(
    tmp_path: Path, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cases 40 and 42: before each operation of an opening; it wrote an older head over ours."""
    monkeypatch.setattr(takeover, "ALONE_CHECK_S", 0.0)  # the old writer appends nothing yet
    monkeypatch.setattr(filesystem, "LOCK_RETRY_S", 0.0)
    done = _opened_with_a_takeover(tmp_path / "count", state, 0)
    for at in range(1, done + 1):
        _opened_with_a_takeover(tmp_path / f"store{at}", state, at)


def _opened_with_a_takeover(store: Path, state: str, at: int) -> int:
    """Take the run from somebody who stands before operation ``at`` under the lock."""
    run = StoredRun(store, UnsyncedFiles()).write(2)
    _ = run.close() if state == "closed" else run.crash()
    shown: list[HeadInfo] = []

    def before(count: int, name: str, _: object) -> None:
        if count == at and run.log.head(run.run_id).live:
            lease = run.log.acquire(run.run_id, force=True)
            run.log.append(lease, behind(lease).batch(3, text="ours"))
            run.log.release(lease)
            shown.append(run.log.head(run.run_id))

    files = WatchedFiles(before)
    stopped = FilesystemLog(run.log.root, files)
    with suppress(StorageError):
        late = stopped.acquire(run.run_id)
        if shown:
            assert code_of(stopped.append, late, behind(late).batch(text="late")) == "conflict"
        stopped.release(late)
    if shown:
        after = run.log.head(run.run_id)
        assert (after.head, after.state) == (shown[0].head, "closed"), f"operation {at}"
        assert len(run.read()) == 5
        assert not run.log.acquire(run.run_id).recovered
    return len(files.done)


async def test_a_run_is_resumed_by_force(tmp_path: Path) -> None:
    """Case 42: all the way up; the old writer's caller hears of it, and of nothing acknowledged."""
    async with Journal.open(tmp_path / "store") as old, Journal.open(tmp_path / "store") as new:
        late = await old.run(project="nightly").__aenter__()
        await late.append(note("acknowledged"))
        async with new.resume(late.id, force=True) as run:
            await anyio.sleep(ALONE_CHECK_S)
            with pytest.raises(StorageError) as raised:
                await late.append(note("late"))
            assert (raised.value.code, raised.value.info.details.reason) == (
                "conflict",
                "taken_over",
            )
            await late.close()
            assert run.epoch == 2
        assert events(new, late.id)[2:] == [
            "annotation_added",
            "writer_opened",
            "run_resumed",
            "run_completed",
        ]
        async with new.open_run(late.id, force=True) as free:
            assert free.epoch == 3


def test_memory_takes_over_as_the_filesystem_does(tmp_path: Path) -> None:
    """The model: told once that it was taken over, then closed; what it releases is nothing."""
    for log in (MemoryLog(), FilesystemLog.open(tmp_path / "store", files=Files())):
        lines = Lines()
        old = log.create(lines.run_id, lines.batch(2))
        new = log.acquire(RunId(lines.run_id), force=True)
        assert (new.epoch, new.head.seq) == (2, 2)
        late = lines.batch()
        assert code_of(log.append, old, late) == "conflict"
        assert code_of(log.append, old, late) == "closed"
        log.release(old)
        assert log.head(lines.run_id).live
        assert log.append(new, late).seq == 3

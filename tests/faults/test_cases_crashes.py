"""What is on disk, and what in memory only: a run's name, bytes of a dead writer, a dead disk."""

import errno
import os
from pathlib import Path

import anyio
import pytest

from journal.backends.filesystem import FilesystemLog
from journal.files import Files
from tests.journal.helpers import events, journal_on, note
from tests.support.disks import Died, GatedFiles, WatchedFiles, system_error
from tests.support.logs import Lines, StoredRun, code_of, crash, read


class CachedLog(Files):
    """
    A disk under a cache, for the log of one run: what no sync has reached is lost with the power.

    As Linux does it: after a sync that failed, the bytes count as clean although the disk does not
    have them, and the next sync succeeds without writing them.
    """

    def __init__(self) -> None:
        self.path = ""
        self.durable = bytearray()
        self.next_sync: BaseException | None = None
        self._dirty: list[tuple[int, int]] = []
        self._logs: set[int] = set()

    def _open_regular(self, path: str, flags: int) -> int:
        fd = super()._open_regular(path, flags)
        return self._opened(path, fd)

    def create(self, path: str) -> int:
        return self._opened(path, super().create(path))

    def _opened(self, path: str, fd: int) -> int:
        self._logs.discard(fd)
        if path.endswith("/events.jsonl"):
            self._logs.add(fd)
        return fd

    def write(self, fd: int, data: bytes | memoryview) -> int:
        taken = super().write(fd, data)
        end = os.fstat(fd).st_size
        return self._written(fd, end - taken, taken)

    def pwrite(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        return self._written(fd, offset, super().pwrite(fd, data, offset))

    def _written(self, fd: int, start: int, count: int) -> int:
        if fd in self._logs:
            self._dirty.append((start, start + count))
        return count

    def fdatasync(self, fd: int) -> None:
        if fd not in self._logs:
            return
        dirty, self._dirty = self._dirty, []
        failure, self.next_sync = self.next_sync, None
        if failure is not None:
            raise failure
        cached = Path(f"/proc/self/fd/{fd}").read_bytes()
        for start, stop in dirty:
            self.durable.extend(bytes(max(0, stop - len(self.durable))))
            self.durable[start:stop] = cached[start:stop]
        del self.durable[len(cached) :]

    def fsync_dir(self, path: str) -> None:
        """Names are another matter."""

    def lose_power(self, log: Path) -> None:
        """What was only in the cache is gone."""
        log.write_bytes(self.durable)


needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="reads through /proc")


@needs_proc
def test_after_a_failed_sync_nothing_that_was_shown_is_lost(tmp_path: Path) -> None:
    """Case 11: the next sync says yes to bytes that the disk does not have."""
    disk = CachedLog()
    run = StoredRun(tmp_path / "store", disk).write(1, 2)
    assert run.lease is not None
    disk.next_sync = system_error(errno.EIO)
    assert code_of(run.log.append, run.lease, run.lines.batch(3)) == "io_error"
    crash(run.lease)
    shown = [record.hash for record in run.read()]
    assert len(shown) == 3

    lease = run.recover()
    assert lease.head.seq == 6  # whole, though never acknowledged: it may stay, and is synced anew
    reopened = [record.hash for record in run.read()]
    crash(lease)
    disk.lose_power(run.events)

    assert reopened[:3] == shown
    assert [record.hash for record in run.read()] == reopened
    assert run.recover().head.seq == 6


@needs_proc
def test_bytes_of_a_dead_writer_are_synced_before_they_are_shown(tmp_path: Path) -> None:
    """Case 18: killed between write and sync; anyone can read them, no disk has them yet."""
    disk = CachedLog()
    run = StoredRun(tmp_path / "store", disk).write(1, 2)
    assert run.lease is not None
    disk.next_sync = Died()
    with pytest.raises(Died):
        run.log.append(run.lease, run.lines.batch(3))
    crash(run.lease)
    assert run.events.read_bytes().count(b"\n") == 6
    assert len(run.read()) == 3

    disk.next_sync = system_error(errno.EIO)
    assert code_of(run.log.acquire, run.run_id) == "io_error"
    assert len(run.read()) == 3  # not on disk, so not shown

    crash(run.recover())
    assert len(run.read()) == 6
    disk.lose_power(run.events)
    assert len(run.read()) == 6


def test_data_without_a_name_is_no_run(tmp_path: Path) -> None:
    """Case 9: the power fails before the name is on disk: nobody was told of the run."""
    lines = Lines()

    def before(_: int, name: str, arguments: tuple[object, ...]) -> None:
        if name == "fsync_dir" and str(arguments[0]) == day:
            raise Died

    store = tmp_path / "store"
    log = FilesystemLog.open(store)
    day = Path(log.folder(lines.run_id)).parent.as_posix()
    dying = FilesystemLog.open(store, files=WatchedFiles(before))
    with pytest.raises(Died):  # so it was not acknowledged
        dying.create(lines.run_id, lines.batch(2))
    (made,) = Path(day).iterdir()
    assert made.name == lines.run_id
    made.rename(made.with_name(f".new-{lines.run_id}-01234567"))  # the disk never had the name

    assert list(log.runs()) == []
    assert code_of(log.head, lines.run_id) == "not_found"
    assert code_of(log.acquire, lines.run_id) == "not_found"
    again = Lines(lines.run_id)
    log.release(log.create(lines.run_id, again.batch(2)))
    assert len(read(log, lines.run_id)) == 2


async def test_a_sync_that_hangs_acknowledges_nothing(tmp_path: Path) -> None:
    """Case 17: who waits may give up; the event is neither acknowledged nor shown until it ends."""
    disk = GatedFiles()
    store = tmp_path / "store"
    async with journal_on(store, disk) as journal, journal.run(project="nightly") as run:
        before = events(journal, run.id)
        disk.gate.clear()
        synced = disk.synced
        try:
            with anyio.move_on_after(0.05) as patience:
                await run.append(note("stuck"), key="k")
            receipt = run.log("info", "stuck as well")
            assert patience.cancelled_caught
            assert not receipt.durable
            assert events(journal, run.id) == before
            assert disk.synced == synced
        finally:
            disk.gate.set()
        await receipt
        assert (await run.append(note("stuck"), key="k")).first_seq == len(before) + 1
        assert events(journal, run.id) == [*before, "annotation_added", "log_emitted"]

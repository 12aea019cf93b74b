"""Operations that fail: what is refused, with which code, and what is on disk afterwards."""

import errno
import resource
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from journal.backends.filesystem import FilesystemLog
from journal.errors import StorageError
from journal.files import Files
from journal.ids import RunId
from journal.log import Lease
from tests.support.disks import (
    FullFiles,
    ShortFiles,
    Trap,
    UnsyncedFiles,
    WatchedFiles,
    failing,
    system_error,
)
from tests.support.logs import Lines, StoredRun, code_of, crash, read

FAILURES: dict[str, Callable[[], BaseException]] = {
    "EIO": partial(system_error, errno.EIO),
    "ENOSPC": partial(system_error, errno.ENOSPC),
    "EMFILE": partial(system_error, errno.EMFILE),
    "EACCES": partial(system_error, errno.EACCES),
    "MemoryError": MemoryError,
}
CODES = {
    "EIO": {"io_error"},
    "ENOSPC": {"no_space"},
    "EMFILE": {"unavailable"},
    "EACCES": {"permission_denied"},
    "MemoryError": {"unavailable"},
}


class Life:
    """The life of one run, up to the first refusal: what was submitted, what was acknowledged."""

    def __init__(self, root: Path, files: Files) -> None:
        self.root = root
        self.files = files
        self.lines = Lines(RunId("019aab5e-7c3b-7000-8000-000000000001"))
        self.submitted: list[bytes] = []
        self.acknowledged: list[bytes] = []
        self.refused = ""
        self._lease: Lease | None = None

    @property
    def run_id(self) -> RunId:
        return self.lines.run_id

    def live(self) -> "Life":
        try:
            self._live(FilesystemLog.open(self.root, files=self.files))
        except StorageError as failure:
            self.refused = failure.code.value
        return self

    def _live(self, log: FilesystemLog) -> None:
        try:
            self._lease = log.create(self.run_id, self._submit(2))
            self.acknowledged = list(self.submitted)
            self._append(log, 1)
            log.put_checkpoint(self._lease, b"checkpoint")
            self._append(log, 3)
            self._look(log)
        finally:
            if self._lease is not None:
                log.release(self._lease)
        self._lease = log.acquire(self.run_id)
        try:
            self._append(log, 2)
        finally:
            log.release(self._lease)

    def _submit(self, count: int) -> list[bytes]:
        batch = self.lines.batch(count)
        self.submitted += batch
        return batch

    def _append(self, log: FilesystemLog, count: int) -> None:
        assert self._lease is not None
        log.append(self._lease, self._submit(count))
        self.acknowledged = list(self.submitted)

    def _look(self, log: FilesystemLog) -> None:
        assert list(log.read(self.run_id)) == self.acknowledged
        assert log.head(self.run_id).live
        assert log.torn_bytes(self.run_id) == 0
        assert log.get_checkpoint(self.run_id) == b"checkpoint"
        assert list(log.runs()) == [self.run_id]
        log.changes(log.changes(None).cursor)

    def check_oracle(self) -> None:
        """Acknowledged ⊆ recovered ⊆ submitted, in order; opening twice gives the same."""
        log = FilesystemLog.open(self.root, files=UnsyncedFiles())
        if not list(log.runs()):
            assert self.acknowledged == []
            return
        lease = log.acquire(self.run_id)
        recovered = list(log.read(self.run_id))
        assert recovered[: len(self.acknowledged)] == self.acknowledged
        assert self.submitted[: len(recovered)] == recovered
        assert len(read(log, self.run_id)) == len(recovered)
        crash(lease)
        again = log.acquire(self.run_id)
        assert (again.head, again.recovered) == (lease.head, lease.recovered)
        assert list(log.read(self.run_id)) == recovered
        crash(again)


def operations(root: Path) -> list[str]:
    """The operations of one life, from opening the store on."""
    files = WatchedFiles(lambda *_: None)
    life = Life(root, files).live()
    assert (life.refused, life.acknowledged) == ("", life.submitted)
    assert files.open == set()
    return files.done


@pytest.mark.parametrize("name", FAILURES)
def test_whatever_fails_is_told_and_loses_nothing(tmp_path: Path, name: str) -> None:
    """
    Cases 10, 12, 13, 16: every operation of a run's life, failing once.

    Nothing but ``StorageError`` escapes, no descriptor leaks, and what was acknowledged is there.
    """
    done = operations(tmp_path / "whole")
    assert len(done) > 100
    for at in range(1, len(done) + 1):
        files = failing(at, FAILURES[name]())
        life = Life(tmp_path / str(at), files).live()
        operation = f"{at}: {done[at - 1]}"
        assert files.open == set(), operation
        # Some may fail unnoticed: what is derived, and what is let go of anyway.
        assert life.refused in {"", "closed", *CODES[name]}, operation
        life.check_oracle()


def test_a_failed_deletion_leaves_a_whole_run_or_none(tmp_path: Path) -> None:
    """Case 12: a reader never meets half of one."""
    for at in range(1, 60):
        files = failing(at, system_error(errno.EIO))
        run = StoredRun(tmp_path / str(at), UnsyncedFiles()).write(2, 1).close()
        code = code_of(FilesystemLog(run.log.root, files).delete, run.run_id)
        assert files.open == set()
        if list(run.log.runs()):
            assert code == "io_error"
            assert len(run.read()) == 3
            run.log.delete(run.run_id)
        assert code_of(run.log.head, run.run_id) == "not_found"
        if len(files.done) < at:
            return
    raise AssertionError("deleting never ended")


def test_a_failed_sync_is_final(tmp_path: Path) -> None:
    """Case 10: the next sync would succeed although the bytes are lost, so there is none."""
    files = Trap("fdatasync", errno.EIO)
    run = StoredRun(tmp_path / "store", files).write(1)
    assert run.lease is not None
    files.armed = True
    assert code_of(run.log.append, run.lease, run.lines.batch()) == "io_error"
    synced = files.done.count("fdatasync")
    for _ in range(3):
        assert code_of(run.log.append, run.lease, run.lines.batch()) == "closed"
    run.log.release(run.lease)
    assert files.done.count("fdatasync") == synced
    assert run.log.head(run.run_id).state == "open"  # nobody closed it in order
    assert [record.seq for record in run.read()] == [1]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_batch_that_finds_no_space_is_cut_off_again(tmp_path: Path, number: int) -> None:
    """Cases 13 and 14: at every byte; the log is as it was, and the writer goes on."""
    files = FullFiles(number)
    run = StoredRun(tmp_path / "store", files).write(1)
    assert run.lease is not None
    batch = run.lines.batch(2)
    whole, head = run.events.read_bytes(), run.lease.head
    for room in range(0, sum(map(len, batch)), 13):
        files.room = room
        with pytest.raises(StorageError) as raised:
            run.log.append(run.lease, batch)
        assert (raised.value.code, raised.value.info.details.reason) == ("no_space", "cut_back")
        assert (run.events.read_bytes(), run.lease.head) == (whole, head)
    files.room = None
    run.log.append(run.lease, batch)
    run.close()
    assert [record.seq for record in run.read()] == [1, 2, 3]


@pytest.mark.parametrize("operation", ["truncate", "fdatasync", "open_rewrite"])
def test_a_cut_that_fails_closes_the_writer(tmp_path: Path, operation: str) -> None:
    """Case 13: usable again only if the cut succeeded; the next opening sets the bytes aside."""

    class Full(Trap):
        full = False

        def write(self, fd: int, data: bytes | memoryview) -> int:
            if self.full and len(data) > 100:
                self.armed = True
                if len(data) < 400:
                    raise system_error(errno.ENOSPC)
                return super().write(fd, data[:100])
            return super().write(fd, data)

    files = Full(operation, errno.EIO)
    run = StoredRun(tmp_path / "store", files).write(1)
    assert run.lease is not None
    files.full = True
    assert code_of(run.log.append, run.lease, run.lines.batch(2)) == "io_error"
    assert files.sprung == 1
    files.full = False
    assert code_of(run.log.append, run.lease, run.lines.batch()) == "closed"
    run.log.release(run.lease)
    assert run.recover().head.seq == 1
    assert len(run.read()) == 1


LIMITED = """
import resource, signal, sys
from pathlib import Path
from journal.backends.filesystem import FilesystemLog
from journal.errors import StorageError
from tests.support.logs import StoredRun

run = StoredRun(Path(sys.argv[1])).write(3)
size = run.events.stat().st_size
batch = run.lines.batch(2)
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 200, resource.RLIM_INFINITY))
try:
    run.log.append(run.lease, batch)
except StorageError as failure:
    print(failure.code.value, run.events.stat().st_size - size)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(run.log.append(run.lease, batch).seq)
run.close()
print(len(run.read()))
"""


def test_a_real_limit_on_file_size_is_no_space(tmp_path: Path) -> None:
    """Case 14: EFBIG from the kernel, in the middle of a write that had begun."""
    said = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / "store")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.splitlines() == ["no_space 0", "5", "5"]


def test_running_out_of_descriptors_is_unavailable(tmp_path: Path) -> None:
    """Case 16: EMFILE from the kernel; what was open goes on, and later all of it works again."""
    run = StoredRun(tmp_path / "store").write(1)
    assert run.lease is not None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held: list[int] = []
    other = Lines()
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        with suppress(OSError):
            while True:
                held.append(Files().open_read(str(run.events)))
        assert code_of(run.log.create, other.run_id, other.batch()) == "unavailable"
        assert code_of(run.log.head, run.run_id) == "unavailable"
        assert run.log.append(run.lease, run.lines.batch()).seq == 2
    finally:
        for fd in held:
            Files().close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    run.write(1).close()
    assert len(run.read()) == 3
    assert list(run.log.runs()) == [run.run_id]


def life_of(root: Path, files: Files) -> dict[str, bytes]:
    """What one life leaves on disk, but for the heads and the feed, which name times."""
    Life(root, files).live().check_oracle()
    return {
        path.name: path.read_bytes()
        for path in root.rglob("*")
        if path.name in {"events.jsonl", "checkpoint"}
    }


@pytest.mark.parametrize("most", [1, 2, 3, 7, 76, 255, 256, 257, 1000])
def test_short_writes_are_gone_on_with(tmp_path: Path, most: int) -> None:
    """Case 15: any write may take fewer bytes than it was given."""
    whole = life_of(tmp_path / "whole", Files())
    assert len(whole) == 2
    assert life_of(tmp_path / "short", ShortFiles(most)) == whole


def test_a_write_may_be_short_at_every_length(tmp_path: Path) -> None:
    """Case 15: of a batch and of a head, whatever the first part is."""

    class FirstPart(UnsyncedFiles):
        first: int | None = None

        def write(self, fd: int, data: bytes | memoryview) -> int:
            part, self.first = self.first, None
            return super().write(fd, data[:part])

        def pwrite(self, fd: int, data: bytes | memoryview, offset: int) -> int:
            return super().pwrite(fd, data[: max(1, len(data) - len(self.done))], offset)

        def __init__(self) -> None:
            self.done: list[int] = []

        def close(self, fd: int) -> None:
            super().close(fd)
            self.done.append(fd)

    files = FirstPart()
    run = StoredRun(tmp_path / "store", files).write(1)
    length = len(run.lines.batch()[0])
    run = StoredRun(tmp_path / "other", files).write(1)
    for first in range(1, length + 1):
        files.first = first
        run.write(1)
    run.close()
    assert len(run.read()) == length + 1


def test_a_write_that_takes_nothing_is_an_error(tmp_path: Path) -> None:
    """Case 15: a loop that waits for a disk that takes no byte would never end."""
    run = StoredRun(tmp_path / "store", ShortFiles(100)).write(1)
    assert run.lease is not None
    run.log.files = ShortFiles(0)
    assert code_of(run.log.append, run.lease, run.lines.batch()) == "io_error"


def test_a_full_disk_still_lets_one_read(tmp_path: Path) -> None:
    """Case 19: reading writes nothing, so it needs no space."""
    files = FullFiles()
    run = StoredRun(tmp_path / "store", files).write(2, 3).close()
    files.room = 0
    assert code_of(run.log.acquire, run.run_id) == "no_space"
    log = FilesystemLog.open(tmp_path / "store", create=False, files=files)
    assert len(read(log, run.run_id)) == 5
    assert list(log.runs()) == [run.run_id]
    files.room = None
    assert log.acquire(run.run_id).head.seq == 5

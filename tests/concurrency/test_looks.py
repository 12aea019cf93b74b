"""A reader looks at a run in the very moment in which a writer comes to it, or leaves it."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from journal.backends import headfile
from journal.backends.filesystem import FilesystemLog
from journal.files import Files, FileStatus
from journal.log import Lease
from tests.support.disks import Died
from tests.support.logs import StoredRun


class Interrupted(Files):
    """Calls ``meanwhile`` once, before the size of a file is asked for, or a lock is."""

    def __init__(self, operation: str, meanwhile: Callable[[], None]) -> None:
        self._left = {operation: meanwhile}

    def status(self, fd: int) -> FileStatus:
        self._left.pop("status", lambda: None)()
        return super().status(fd)

    def is_locked(self, path: str) -> bool:
        self._left.pop("is_locked", lambda: None)()
        return super().is_locked(path)


class Unsynced(Files):
    """Once ``armed``, the process dies before the next sync, with ``part`` of a batch written."""

    def __init__(self, part: float) -> None:
        self.part = part
        self.armed = False

    def write(self, fd: int, data: bytes | memoryview) -> int:
        return super().write(fd, data[: int(len(data) * self.part)] if self.armed else data)

    def fdatasync(self, fd: int) -> None:
        if self.armed:
            raise Died
        super().fdatasync(fd)

    def write_all(self, fd: int, data: bytes) -> None:
        if not self.armed or self.part == 1.0:
            super().write_all(fd, data)
        else:
            self.write(fd, data)
            raise Died


@pytest.mark.parametrize("part", [0.5, 1.0])
def test_what_a_writer_has_not_synced_is_neither_shown_nor_called_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: float
) -> None:
    """Cases 11 and 47: the run is of an earlier boot, and resumed while a reader looks at it."""
    monkeypatch.setattr(headfile, "boot_id", lambda: "1" * 32)
    run = StoredRun(tmp_path / "store").write(2).close()
    monkeypatch.setattr(headfile, "boot_id", lambda: "2" * 32)
    held: list[Lease] = []

    def resume() -> None:
        files = Unsynced(part)
        log = FilesystemLog(run.log.root, files)
        held.append(log.acquire(run.run_id))
        files.armed = True
        with suppress(Died):
            log.append(held[0], run.lines.batch())

    assert FilesystemLog(run.log.root, Interrupted("status", resume)).head(run.run_id).head.seq == 2
    assert run.events.stat().st_size > held[0].head.position


def test_half_a_batch_of_a_writer_that_leaves_meanwhile_is_no_torn_tail(tmp_path: Path) -> None:
    """Case 47: verify told of a torn tail in a run that had ended well."""
    run = StoredRun(tmp_path / "store").write(2)
    batch = run.lines.batch()
    lease = run.lease
    assert lease is not None
    whole = run.events.stat().st_size
    with run.events.open("ab") as log:  # its first bytes, on their way
        log.write(batch[0][:50])

    def leave() -> None:
        os.truncate(run.events, whole)
        run.log.append(lease, batch)
        run.log.release(lease)

    reader = FilesystemLog(run.log.root, Interrupted("is_locked", leave))
    assert reader.torn_bytes(run.run_id) == 0
    assert (run.log.torn_bytes(run.run_id), run.log.head(run.run_id).head.seq) == (0, 3)


def test_a_child_that_is_forked_during_a_look_holds_no_lock(tmp_path: Path) -> None:
    """Case 45: its copy of the descriptor kept every writer from the run for as long as it ran."""
    run = StoredRun(tmp_path / "store").write(2).close()
    copies = []

    class Forking(Files):
        def close(self, fd: int) -> None:
            copies.append(os.dup(fd))  # what a fork leaves in the child
            super().close(fd)

    assert not Forking().is_locked(str(run.folder / "lock"))
    assert run.log.acquire(run.run_id).epoch == 2
    for fd in copies:
        os.close(fd)

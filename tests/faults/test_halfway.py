"""What a maker or deleter that died half-way leaves, and who puts it right."""

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from journal.backends import tree
from journal.backends.filesystem import FilesystemLog
from journal.errors import StorageError
from journal.ids import RunId
from journal.limits import ALONE_CHECK_S
from tests.support.disks import Died, DyingFiles, Trap, WatchedFiles
from tests.support.logs import Lines, StoredRun, code_of, copied, read


def reason_of(log: FilesystemLog, run_id: RunId) -> str | None:
    """Why there is no such run, or "" if there is."""
    try:
        log.head(run_id)
    except StorageError as failure:
        return failure.info.details.reason
    return ""


def test_a_refused_deletion_hides_nothing(tmp_path: Path) -> None:
    """Case 12: told before it is true, a reader would forget a run that is still there."""
    files = Trap("rename", errno.EACCES)
    run = StoredRun(tmp_path / "store", files).write(1).close()
    cursor = run.log.changes(None).cursor
    files.armed = True
    assert code_of(run.log.delete, run.run_id) == "permission_denied"
    assert run.log.changes(cursor).changes == ()
    assert len(run.read()) == 1


def test_whoever_deletes_again_finishes_a_deletion(tmp_path: Path) -> None:
    """Case 1: from the rename on the run is gone, and each later step is done by somebody."""
    whole = StoredRun(tmp_path / "store").write(2).close()
    half = 0
    for at in range(1, 40):
        store = copied(tmp_path / "store", tmp_path / str(at))
        cursor = FilesystemLog(str(store), WatchedFiles(lambda *_: None)).changes(None).cursor
        files = DyingFiles(at)
        try:
            FilesystemLog(str(store), files).delete(whole.run_id)
        except Died:
            files.bury()
        else:
            break
        log = FilesystemLog.open(store)
        reason = reason_of(log, whole.run_id)
        if reason == "":
            assert log.changes(cursor).changes == ()
            continue
        half += reason == "deleted"
        again = code_of(log.delete, whole.run_id)
        assert (reason, again) in (("deleted", "nothing was raised"), ("no_such_run", "not_found"))
        assert {change.what for change in log.changes(cursor).changes} == {"deleted"}
        assert list(Path(log.folder(whole.run_id)).parent.iterdir()) == []
    assert half > 3


def test_the_next_process_sweeps_what_dead_ones_left(tmp_path: Path) -> None:
    """Case 1: otherwise folders that nobody sees would pile up for ever."""
    run = StoredRun(tmp_path / "store").write(1).close()
    day = run.folder.parent
    gone = run.folder.rename(day / f"{tree.DELETED}{run.run_id}-12345678")
    half = day / f"{tree.NEW}{Lines().run_id}-12345678"
    half.mkdir()
    (half / "lock").write_bytes(b"")
    log = FilesystemLog.open(tmp_path / "store")
    cursor = log.changes(None).cursor
    new = Lines()
    log.release(log.create(new.run_id, new.batch()))
    assert not gone.exists()
    assert not half.exists()
    told = [(change.what, change.run_id) for change in log.changes(cursor).changes]
    assert told[0] == ("deleted", run.run_id)
    assert len(read(log, new.run_id)) == 1


def test_a_run_that_is_being_made_is_not_swept(tmp_path: Path) -> None:
    """Case 48: its maker holds its lock."""
    run = StoredRun(tmp_path / "store").write(1).close()
    half = run.folder.parent / f"{tree.NEW}{Lines().run_id}-12345678"
    half.mkdir()
    (half / "lock").write_bytes(b"")
    holder = (
        "import fcntl, sys\n"
        "fcntl.flock(lock := open(sys.argv[1]), fcntl.LOCK_EX)\n"
        "print(flush=True)\n"
        "input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(half / "lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        new = Lines()
        log = FilesystemLog.open(tmp_path / "store")
        log.release(log.create(new.run_id, new.batch()))
        assert half.exists()
        process.communicate(b"\n")


def test_a_reader_syncs_the_name_of_a_run_that_nobody_acknowledged(tmp_path: Path) -> None:
    """Case 18: what was shown must not vanish with the power, whoever showed it first."""
    syncs: list[str] = []

    def note(_: int, name: str, arguments: tuple[object, ...]) -> None:
        if name == "fsync_dir":
            syncs.append(str(arguments[0]))

    at, lines, log, store = 0, Lines(), FilesystemLog.open(tmp_path / "0"), tmp_path / "0"
    while not list(log.runs()):
        at, lines = at + 1, Lines()
        store = tmp_path / str(at)
        files = DyingFiles(at)
        log = FilesystemLog.open(store)
        try:
            FilesystemLog(str(store), files).create(lines.run_id, lines.batch())
        except Died:
            files.bury()
        else:
            raise AssertionError("no moment was found at which the name was not synced")
    reader = FilesystemLog(str(store), WatchedFiles(note))
    info = reader.head(lines.run_id)
    assert (info.head.seq, info.epoch, info.live) == (1, 1, False)
    day = os.path.dirname(log.folder(lines.run_id))
    assert syncs == [day]
    assert log.acquire(lines.run_id).epoch == 2
    syncs.clear()
    reader.head(lines.run_id)
    assert syncs == []


def test_lines_without_a_watermark_are_synced_before_they_are_shown(tmp_path: Path) -> None:
    """Case 18: without a head nobody knows whether the last batch was synced by its writer."""
    syncs: list[str] = []
    run = StoredRun(tmp_path / "store").write(1, 1).crash()
    (run.folder / "head").unlink()
    files = WatchedFiles(lambda _, name, __: syncs.append(name) if "sync" in name else None)
    assert FilesystemLog(str(tmp_path / "store"), files).head(run.run_id).head.seq == 2
    assert syncs == ["fdatasync"]


def test_lines_that_landed_beside_another_writers_are_not_acknowledged(tmp_path: Path) -> None:
    """Case 44: the lock was unlinked, another writer came in the middle of a write."""
    files = WatchedFiles(lambda *_: None)
    run = StoredRun(tmp_path / "store", files).write(1)
    batch = run.lines.batch()

    def intrude(_: int, name: str, __: tuple[object, ...]) -> None:
        if name == "fdatasync":
            with run.events.open("ab") as log:
                log.write(b"somebody else's\n")

    files._before = intrude
    assert run.lease is not None
    assert code_of(run.log.append, run.lease, batch) == "conflict"
    files._before = lambda *_: None
    assert code_of(run.log.append, run.lease, batch) == "closed"
    assert run.log.head(run.run_id).head.seq == 1


@pytest.mark.parametrize("what", ["replaced", "unlinked"])
def test_a_log_that_lost_its_name_is_not_written_on(tmp_path: Path, what: str) -> None:
    """Case 43: at the very next batch, however short ago the last one was."""
    run = StoredRun(tmp_path / "store").write(1, 1)
    content = run.events.read_bytes()
    run.events.unlink()
    if what == "replaced":
        run.events.write_bytes(content)
    assert run.lease is not None
    assert code_of(run.log.append, run.lease, run.lines.batch()) == "conflict"


def test_another_writers_head_is_noticed_after_a_rest(tmp_path: Path) -> None:
    """Case 43: whoever was not stopped for longer than that cannot have been taken over."""
    run = StoredRun(tmp_path / "store").write(1, 1)
    head = (run.folder / "head").read_bytes()
    with (run.folder / "head").open("r+b") as file:
        file.write(head.replace(b" open ", b" open!"))
    assert run.lease is not None
    time.sleep(ALONE_CHECK_S)
    assert code_of(run.log.append, run.lease, run.lines.batch()) == "conflict"


def test_containers_of_one_system_see_the_same_watermark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 18: another host name and the same boot: what is not acknowledged yet is not shown."""
    run = StoredRun(tmp_path / "store").write(1)
    with run.events.open("ab") as log:
        log.writelines(run.lines.batch())
    monkeypatch.setattr("journal.backends.headfile.host_name", lambda: "another-container")
    assert run.log.head(run.run_id).head.seq == 1

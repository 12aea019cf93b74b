"""What lies where a file of ours should be: links, pipes, folders, devices, holes, other modes."""

import os
import shutil
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from journal.backends.filesystem import FilesystemLog
from journal.errors import StorageError
from journal.limits import FEED_BYTES_MAX
from journal.log import EventLog
from tests.support.disks import CountingFiles
from tests.support.logs import Lines, StoredRun, code_of


def link(path: Path) -> None:
    real = path.with_name("elsewhere")
    path.rename(real)
    path.symlink_to(real)


def dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def device(path: Path) -> None:
    path.unlink()
    try:
        os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5))  # /dev/zero: endless
    except PermissionError:
        pytest.skip("only root makes devices")


STRANGERS: dict[str, Callable[[Path], None]] = {
    "a link": link,
    "a link to nowhere": dangling,
    "a pipe": pipe,
    "a folder": folder,
    "a device": device,
}


def bounded(call: Callable[[], object]) -> str:
    """The code that ``call`` is refused with; it must not hang, as an open of a pipe would."""
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(code_of(call)), daemon=True)
    thread.start()
    thread.join(20)
    return found[0] if found else "hangs"


@pytest.mark.parametrize("what", STRANGERS)
@pytest.mark.parametrize("name", ["events.jsonl", "head", "lock"])
def test_what_is_no_regular_file_is_refused(tmp_path: Path, name: str, what: str) -> None:
    """Case 38 and Security, links: never followed, waited for or written to, by nobody."""
    run = StoredRun(tmp_path / "store").write(2).close()
    STRANGERS[what](run.folder / name)
    before = os.lstat(run.folder / name)
    log = run.log
    assert bounded(lambda: log.acquire(run.run_id)) == "io_error"
    assert bounded(lambda: log.head(run.run_id)) == "io_error"
    if name == "events.jsonl":
        assert bounded(lambda: list(log.read(run.run_id, 0, 100))) == "io_error"
    if name == "lock":
        assert bounded(lambda: log.delete(run.run_id)) == "io_error"
    after = os.lstat(run.folder / name)
    assert (before.st_ino, before.st_mode) == (after.st_ino, after.st_mode)


@pytest.mark.parametrize("what", STRANGERS)
def test_a_checkpoint_that_is_no_file_stops_nobody(tmp_path: Path, what: str) -> None:
    """Case 38: derived, so whatever lies there, the log says more."""
    from journal.workers import Workers
    from journal.writer import Writer
    from tests.support.writers import SilentBridge

    run = StoredRun(tmp_path / "store").write(2).close()
    (run.folder / "checkpoint").write_bytes(b"")
    STRANGERS[what](run.folder / "checkpoint")
    workers = Workers()
    writer = Writer.open(run.log, run.run_id, 0.0, workers=workers, bridge=SilentBridge())
    assert writer.seq == 2
    writer.close()
    workers.close()


@pytest.mark.parametrize("what", STRANGERS)
def test_a_store_file_that_is_none_is_refused(tmp_path: Path, what: str) -> None:
    """Case 38: the file that makes a folder a store is not followed either."""
    StoredRun(tmp_path / "store").write(1).close()
    STRANGERS[what](tmp_path / "store" / "store.json")
    assert bounded(lambda: FilesystemLog.open(tmp_path / "store")) == "io_error"


@pytest.mark.parametrize("what", STRANGERS)
def test_a_feed_that_is_none_is_set_aside(tmp_path: Path, what: str) -> None:
    """Case 38: derived, so readers look at all runs, and the next writer makes it anew."""
    run = StoredRun(tmp_path / "store").write(1).close()
    STRANGERS[what](tmp_path / "store" / "feed")
    before = os.lstat(tmp_path / "store" / "feed")
    log = FilesystemLog.open(tmp_path / "store")
    assert log.changes(None).everything
    log.release(log.acquire(run.run_id))
    (aside,) = (tmp_path / "store").glob("feed.damaged-*")
    assert (before.st_ino, before.st_mode) == (os.lstat(aside).st_ino, os.lstat(aside).st_mode)
    told = log.changes(log.changes(None).cursor)
    assert (told.everything, log.changes(None).cursor != "") == (False, True)


@pytest.mark.parametrize("first", [b"", b"\n", b"garbage\n", b"\0" * 200])
def test_a_feed_with_a_damaged_first_line_is_set_aside(tmp_path: Path, first: bytes) -> None:
    """Case 38: without a generation no reader could keep its place in it, on any later visit."""
    run = StoredRun(tmp_path / "store").write(1).close()
    feed = tmp_path / "store" / "feed"
    feed.write_bytes(first + feed.read_bytes()[50:])
    log = FilesystemLog.open(tmp_path / "store")
    assert (log.changes(None).everything, log.changes(None).cursor) == (True, "")
    log.release(log.acquire(run.run_id))
    assert len(list((tmp_path / "store").glob("feed.damaged-*"))) == 1
    cursor = log.changes(None).cursor
    log.release(log.acquire(run.run_id))
    assert [change.what for change in log.changes(cursor).changes] == ["opened", "closed"]


def test_a_sparse_feed_takes_bounded_work(tmp_path: Path) -> None:
    """Case 39: a feed that claims a terabyte asks for a look at all runs, and is gone on with."""
    files = CountingFiles()
    run = StoredRun(tmp_path / "store", files).write(1)
    cursor = run.log.changes(None).cursor
    os.truncate(tmp_path / "store" / "feed", 1024**4)
    run.close()
    files.bytes_read = 0
    found = run.log.changes(cursor)
    assert found.everything
    run.log.release(run.recover())
    later = run.log.changes(found.cursor)
    assert [change.what for change in later.changes] == ["opened", "closed"]
    assert files.bytes_read < FEED_BYTES_MAX + 100_000


@pytest.mark.parametrize("kind", ["a link", "a file"])
@pytest.mark.parametrize("place", ["1999", "{year}/01", "{year}/{month}/00"])
def test_a_stranger_in_the_tree_of_days_is_told_and_hides_nothing(
    tmp_path: Path, place: str, kind: str
) -> None:
    """Case 38: a link is not followed out of the store, and the other runs are there."""
    run = StoredRun(tmp_path / "store").write(1).close()
    year, month, _ = run.folder.parent.parts[-3:]
    stranger = tmp_path / "store" / "runs" / place.format(year=year, month=month)
    if kind == "a link":
        stranger.symlink_to(run.folder.parent)
    else:
        stranger.write_bytes(b"")
    failures: list[StorageError] = []
    assert list(run.log.runs(failures)) == [run.run_id]
    assert [failure.info.details.path for failure in failures] == [str(stranger)]
    assert code_of(lambda: list(run.log.runs())) == "corrupt"


def test_runs_that_lie_behind_a_link_are_told_not_missed(tmp_path: Path) -> None:
    """Case 38: an empty list would say that there is nothing wrong."""
    run = StoredRun(tmp_path / "store").write(1).close()
    link(tmp_path / "store" / "runs")
    assert code_of(lambda: list(run.log.runs())) == "corrupt"
    new = Lines()
    log = FilesystemLog.open(tmp_path / "store")
    assert code_of(log.create, new.run_id, new.batch()) == "io_error"


@pytest.mark.parametrize("state", ["open", "closed", "no head"])
def test_a_sparse_log_of_ten_terabytes_takes_bounded_work(tmp_path: Path, state: str) -> None:
    """Case 39: a size costs nothing to claim, so nothing may be done for each byte of it."""
    files = CountingFiles()
    run = StoredRun(tmp_path / "store", files).write(2)
    run.close() if state == "closed" else run.crash()
    if state == "no head":
        (run.folder / "head").unlink()
    os.truncate(run.events, 10 * 1024**4)
    files.bytes_read = 0
    began = time.monotonic()
    assert code_of(run.log.acquire, run.run_id) == "limit_exceeded"  # one line, as far as one sees
    assert code_of(run.log.torn_bytes, run.run_id) == "limit_exceeded"
    if state == "no head":
        assert code_of(run.log.head, run.run_id) == "limit_exceeded"
    assert files.bytes_read < 3 * 17 * 1024**2
    assert time.monotonic() - began < 60
    assert run.events.stat().st_size == 10 * 1024**4


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_nothing_is_readable_by_others_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    """Case 81 and Security, modes: a log may hold what only its owner should see."""
    before = os.umask(umask)
    try:
        run = StoredRun(tmp_path / "store").write(1)
        assert run.lease is not None
        run.log.put_checkpoint(run.lease, b"body")
        run.crash(b"torn")
        run.log.release(run.recover())
    finally:
        os.umask(before)
    modes = {
        str(path.relative_to(tmp_path)): stat.S_IMODE(path.stat().st_mode)
        for path in [tmp_path / "store", *(tmp_path / "store").rglob("*")]
    }
    folders = {name for name in modes if (tmp_path / name).is_dir()}
    assert {modes[name] for name in folders} == {0o700}
    assert {modes[name] for name in modes.keys() - folders} == {0o600}
    assert any("torn/" in name for name in modes)
    assert any(name.endswith("checkpoint") for name in modes)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_another_user_is_denied(tmp_path: Path) -> None:
    """Case 81: and is told so, with the code for it."""
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents:
        if parent.stat().st_uid == 0 and parent.name.startswith("pytest"):
            parent.chmod(0o755)
    run = StoredRun(tmp_path / "store").write(1).close()
    script = (
        "import os, sys\n"
        "from journal.backends.filesystem import FilesystemLog\n"
        "from journal.errors import StorageError\n"
        "os.setuid(65534)\n"
        "try:\n"
        "    FilesystemLog.open(sys.argv[1], create=False)\n"
        "except StorageError as failure:\n"
        "    print(failure.code.value)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "store")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.split() == ["permission_denied"]
    assert run.log.head(run.run_id).state == "closed"


def test_a_store_in_the_place_of_a_file_is_refused(tmp_path: Path) -> None:
    """A file where the store or its folders should be: an error of ours, never of the system's."""
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(StorageError):
            FilesystemLog.open(path)
    run = StoredRun(tmp_path / "store").write(1).close()
    shutil.rmtree(tmp_path / "store" / "runs")
    (tmp_path / "store" / "runs").write_bytes(b"")
    log: EventLog = run.log
    assert code_of(log.head, run.run_id) == "not_found"
    assert code_of(lambda: list(log.runs())) == "corrupt"
    again = FilesystemLog.open(tmp_path / "store")
    assert code_of(again.create, run.lines.run_id, run.lines.batch()) == "io_error"

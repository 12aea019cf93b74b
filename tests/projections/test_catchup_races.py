"""Catching up while others write, read, delete or die at a bad moment."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from journal.backends.filesystem import FilesystemLog
from journal.errors import StorageErrorCode
from journal.events import run
from journal.log import Changes, EventLog, Head, HeadInfo
from projections import catchup, rows
from projections.sqlite import Index
from projections.sqlitefile import Connection, connect
from tests.projections.helpers import ERROR, Writer, created, stored
from tests.projections.indexes import Between, dump, fresh, kill, statuses, visit
from tests.rules.sources import ROOT
from tests.support.logs import of_another_boot


@pytest.mark.parametrize("moment", ["changes", "head", "read"])
@pytest.mark.parametrize("ending", ["closed", "killed", "writing"])
def test_no_line_is_lost_to_a_reader_that_comes_at_a_bad_moment(
    log: EventLog, index: Index, moment: str, ending: str
) -> None:
    """Case 63: a reader between feed line and log line must come back for the rest."""
    writer = Writer(log).write(created())

    def go_on() -> None:
        writer.write(run.RunStarted(), run.RunFailed(error=ERROR))
        if ending == "closed":
            writer.close()
        elif ending == "killed":
            kill(log, writer)

    visit(index, Between(log, moment, go_on))
    visit(index, log)
    assert dump(index) == fresh(log)
    assert list(statuses(index).values()) == ["failed"]


def test_a_line_between_the_end_and_the_lock_is_not_lost(log: EventLog, index: Index) -> None:
    """`head` reads the end, then asks about the lock: a writer may write, then die, in between."""
    writer = Writer(log).write(created())

    class Late(Between):
        def head(self, run_id: Any) -> HeadInfo:
            found: HeadInfo = self._log.head(run_id)
            if writer.lease is not None:
                writer.write(run.RunStarted())
                kill(log, writer)
                writer.lease = None
            return msgspec.structs.replace(found, live=False)

    visit(index, Late(log, "", None))
    visit(index, log)
    assert list(statuses(index).values()) == ["running"]
    assert index.use(rows.watched) == []


def test_a_batch_that_only_a_reboot_brings_to_light_is_not_missed(
    tmp_path: Path, index: Index
) -> None:
    """Case 63: its writer died between the write and the watermark; nobody will announce it."""
    log = FilesystemLog.open(tmp_path / "store")
    writer = Writer(log).write(created())
    head = Path(log.folder(writer.run_id)) / "head"
    before = head.read_bytes()
    writer.write(run.RunStarted())
    head.write_bytes(before)
    kill(log, writer)
    visit(index, log)
    assert list(statuses(index).values()) == ["pending"]
    of_another_boot(head)
    visit(index, log)
    assert list(statuses(index).values()) == ["running"]
    assert dump(index) == fresh(log)


@pytest.mark.parametrize("moment", ["changes", "head", "read"])
def test_a_run_deleted_under_a_reader_does_not_come_back(
    log: EventLog, index: Index, moment: str
) -> None:
    """A ghost in the list could never be deleted again."""
    writer = Writer(log).write(created()).close()
    visit(index, Between(log, moment, lambda: log.delete(writer.run_id)))
    visit(index, log)
    assert statuses(index) == {}


def test_a_run_deleted_a_moment_ago_is_not_shown_as_lost(log: EventLog, index: Index) -> None:
    """The feed says why it is gone; one more look there saves people a fright."""
    writer = Writer(log).write(created()).close()
    visit(index, log)
    writer.write(run.RunStarted()).close()
    visit(index, Between(log, "changes", lambda: log.delete(writer.run_id)))
    assert statuses(index) == {}


def test_the_feed_is_never_read_backwards(log: EventLog, tmp_path: Path) -> None:
    """A reader that was overtaken leaves the cursor where the faster one put it."""
    path = str(tmp_path / "index.sqlite")
    ours, theirs = Index(path, busy_s=0.5), Index(path, busy_s=0.5)
    writer = Writer(log).write(created()).close()
    visit(ours, log)
    writer.write(run.RunStarted())

    def overtake() -> None:
        writer.close()
        visit(theirs, log)

    visit(ours, Between(log, "changes", overtake))
    end = log.changes(None).cursor
    assert ours.use(rows.feed).cursor == theirs.use(rows.feed).cursor == end
    ours.close()
    theirs.close()


@pytest.mark.parametrize("moment", ["changes", "head", "read"])
def test_a_run_that_another_reader_forgot_does_not_come_back(
    log: EventLog, tmp_path: Path, moment: str
) -> None:
    """The feed tells a deletion once: whoever comes late must not put the rows back."""
    path = str(tmp_path / "index.sqlite")
    ours, theirs = Index(path, busy_s=0.5), Index(path, busy_s=0.5)
    writer = Writer(log).write(created()).close()

    def delete() -> None:
        log.delete(writer.run_id)
        visit(theirs, log)

    class Buffered(Between):
        def read(self, *args: Any) -> Iterator[bytes]:
            lines = list(self._log.read(*args))
            if moment == "read":
                delete()
            return iter(lines)

    visit(ours, Buffered(log, moment, delete))
    visit(ours, log)
    assert statuses(ours) == {}
    ours.close()
    theirs.close()


def test_what_another_reader_found_later_is_not_overwritten(log: EventLog, tmp_path: Path) -> None:
    """A list that was right a moment ago may not go back in time."""
    path = str(tmp_path / "index.sqlite")
    ours, theirs = Index(path, busy_s=0.5), Index(path, busy_s=0.5)
    writer = Writer(log).write(created())

    def go_on() -> None:
        writer.write(run.RunStarted())
        visit(theirs, log)
        stands.append(theirs.use(lambda db: rows.cursor(db, writer.run_id)))

    stands: list[Head] = []
    seen: list[int] = []
    keep_folds = rows.keep_folds

    def noting(db: Connection, found: Any, *, anew: bool) -> None:
        seen.append(found.at.seq)
        keep_folds(db, found, anew=anew)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "keep_folds", noting)
        visit(ours, Between(log, "head", go_on))
    assert seen == [2]
    assert ours.use(lambda db: rows.cursor(db, writer.run_id)) == stands[0]
    ours.close()
    theirs.close()


def test_two_readers_at_once_make_the_rows_of_one(log: EventLog, tmp_path: Path) -> None:
    """Case 63: another process that catches up in the middle of ours changes nothing."""
    path = str(tmp_path / "index.sqlite")
    ours, theirs = Index(path, busy_s=0.5), Index(path, busy_s=0.5)
    writers = [Writer(log).write(created(), ("p", stored(f"a{n}"))) for n in range(3)]
    for moment in ("changes", "head", "read"):
        visit(ours, Between(log, moment, lambda: visit(theirs, log)))
        for writer in writers:
            writer.write(("p", stored(f"{moment}-{writer.run_id}")))
    visit(ours, Between(log, "read", lambda: [w.close() for w in writers]))
    visit(ours, log)
    assert dump(ours) == dump(theirs) == fresh(log)
    ours.close()
    theirs.close()


def test_a_kill_between_two_steps_costs_only_that_step(
    log: EventLog, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 64: rows and cursors move together, so the next reader goes on where they stand."""
    monkeypatch.setattr(catchup, "LINES_PER_STEP", 4)
    writer = Writer(log).write(created(), *[("p", stored(f"a{n}")) for n in range(20)]).close()

    class Killed(BaseException):
        pass

    class Dying(Between):
        def __getattr__(self, name: str) -> Any:
            if name == "read":
                self._reads = getattr(self, "_reads", 0) + 1
                if self._reads == 3:
                    raise Killed
            return getattr(self._log, name)

    dying = Dying(log, "", None)
    dying.__dict__["_reads"] = 0
    with pytest.raises(Killed):
        visit(index, dying)
    assert index.use(lambda db: rows.cursor(db, writer.run_id)).seq == 8
    visit(index, log)
    assert dump(index) == fresh(log)


def test_a_feed_that_moves_all_the_time_does_not_hold_a_reader_up(
    log: EventLog, index: Index
) -> None:
    """Bounded rounds: a busy store is shown a moment old rather than never."""
    writer = Writer(log).write(created()).close()

    class Busy(Between):
        def changes(self, cursor: str | None) -> Changes:
            found = self._log.changes(cursor)
            index.use(lambda db: rows.move_feed(db, "elsewhere", rows.feed(db).token + 1))
            return found

    visit(index, Busy(log, "", None))
    visit(index, log)
    assert list(statuses(index)) == [writer.run_id]


KILLS = """
import os, signal, sys
from journal.backends.filesystem import FilesystemLog
from projections.catchup import catch_up
from projections.sqlite import Index
from tests.projections.helpers import Writer, created, stored
from tests.projections.indexes import dump, fresh, visit

log = FilesystemLog.open(sys.argv[1])
path = log.root + "/index.sqlite"
writers = [Writer(log).write(created(), ("p", stored(f"a{n}"))) for n in range(2)]

def look():
    index = Index(path, busy_s=0.5)
    visit(index, log)
    assert dump(index) == fresh(log)
    assert index.in_memory_because is None
    index.close()

def die_before(statement):
    def work(db):
        seen = iter(range(1, statement))
        db.set_trace_callback(lambda sql: next(seen, None) or os.kill(os.getpid(), signal.SIGKILL))
        catch_up(db, log)
    Index(path).use(work)
    os._exit(0)

look()
for statement in range(1, 1000):
    for writer in writers:
        writer.write(("p", stored(f"{statement}-{writer.run_id}")))
    if statement % 7 == 0:
        writers[0].close()
    child = os.fork()
    if child == 0:
        die_before(statement)
    ended = os.waitpid(child, 0)[1]
    look()
    if ended == 0:
        print(statement)
        break
"""


def test_a_kill_before_any_statement_loses_nothing(tmp_path: Path) -> None:
    """Case 64: whatever was committed is whole, and the next reader brings the rest."""
    done = subprocess.run(
        [sys.executable, "-c", KILLS, tmp_path / "store"], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20


def test_a_full_disk_leaves_the_index_behind_and_the_answer_right(
    log: EventLog, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 64: nobody who reads cares where the rows are."""
    visit(index, log)
    index.close()

    def full(path: str, busy_s: float, mode: str = "rw") -> Connection:
        db = connect(path, busy_s, mode)
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        db.execute(f"PRAGMA max_page_count = {pages}")
        return db

    writers = [Writer(log).write(created(parameters={"text": "x" * 9000})) for _ in range(9)]
    monkeypatch.setattr("projections.sqlite.connect", full)
    visit(index, log)
    assert index.in_memory_because is not None
    assert index.in_memory_because.code is StorageErrorCode.NO_SPACE
    assert len(statuses(index)) == len(writers)
    assert dump(index) == fresh(log)
    monkeypatch.undo()
    other = Index(index.path)
    visit(other, log)
    assert dump(other) == fresh(log)
    other.close()

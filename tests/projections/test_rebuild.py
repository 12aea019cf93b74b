"""Rebuilding: from the logs alone, beside what is in use, and whole whatever happens."""

import os
import signal
import sqlite3
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from journal.backends.filesystem import FilesystemLog
from journal.errors import StorageError, StorageErrorCode
from journal.events import run
from projections import questions
from projections.rebuild import rebuild
from projections.sqlite import Index
from tests.projections.helpers import Writer, created, stored
from tests.projections.indexes import Between, dump, fresh, statuses, visit


@pytest.fixture
def log(tmp_path: Path) -> FilesystemLog:
    found = FilesystemLog.open(tmp_path / "store")
    for number in range(5):
        Writer(found).write(created(), ("p", stored(f"a{number}"))).close()
    return found


@pytest.fixture
def index(log: FilesystemLog) -> Any:
    found = Index(f"{log.root}/index.sqlite", busy_s=0.5)
    visit(found, log)
    yield found
    found.close()


def names(log: FilesystemLog) -> set[str]:
    return {each.name for each in Path(log.root).glob("index*")}


def test_a_rebuilt_index_is_the_one_that_grew(index: Index, log: FilesystemLog) -> None:
    """Case 67: row for row; and nothing is left lying beside it."""
    before = dump(index)
    report = rebuild(index, log)
    assert (report.runs, report.events, report.artifacts, report.swapped) == (5, 10, 5, True)
    assert dump(index) == before == fresh(log)
    assert names(log) <= {"index.sqlite", "index.sqlite-wal", "index.sqlite-shm", "index.lock"}


def test_wrong_rows_are_gone(index: Index, log: FilesystemLog) -> None:
    """Case 60: what a rebuild is for."""
    index.use(lambda db: db.execute("UPDATE runs SET status = 'failed'").rowcount)
    index.use(lambda db: db.execute("DELETE FROM artifacts").rowcount)
    rebuild(index, log)
    assert dump(index) == fresh(log)


def test_a_folder_that_was_copied_in_is_seen(
    index: Index, log: FilesystemLog, tmp_path: Path
) -> None:
    """The feed tells nothing of it; a rebuild reads the disk."""
    other = FilesystemLog.open(tmp_path / "other")
    writer = Writer(other).write(created(project="other")).close()
    target = Path(log.folder(writer.run_id))
    target.parent.mkdir(parents=True, exist_ok=True)
    Path(other.folder(writer.run_id)).rename(target)
    visit(index, log)
    assert writer.run_id not in statuses(index)
    rebuild(index, log)
    assert statuses(index)[writer.run_id] == "pending"


def test_readers_go_on_while_the_index_is_rebuilt(index: Index, log: FilesystemLog) -> None:
    """Rows are swapped under them in one transaction; none sees an empty list."""
    other = Index(f"{log.root}/index.sqlite", busy_s=0.5)
    writer = Writer(log).write(created())
    seen: list[int] = []

    def progress(done: int, total: int, events: int) -> None:
        visit(other, log)
        seen.append(other.use(lambda db: len(questions.runs(db))))

    rebuild(index, log, progress=progress)
    writer.write(run.RunStarted()).close()
    visit(other, log)
    assert set(seen) == {6}
    assert dump(other) == dump(index) == fresh(log)
    other.close()


def test_what_was_folded_from_old_rows_is_not_written_over_new_ones(
    index: Index, log: FilesystemLog
) -> None:
    """A visit that began before the swap may go on from states that were wrong."""
    other = Index(f"{log.root}/index.sqlite", busy_s=0.5)
    writer = Writer(log).write(created(project="right"))
    visit(index, log)
    index.use(
        lambda db: (
            db.execute(
                "UPDATE states SET body = replace(body, 'right', 'wrong') WHERE run_id = ?",
                (writer.run_id,),
            ).rowcount
        )
    )
    writer.write(run.RunStarted())
    visit(index, Between(log, "head", lambda: rebuild(other, log)))
    assert dump(index) == fresh(log)
    writer.close()
    other.close()


def test_two_rebuilds_at_once_are_refused(index: Index, log: FilesystemLog) -> None:
    """The second one would do the same work for nothing."""
    from projections import rebuild as module

    other = Index(f"{log.root}/index.sqlite")
    with pytest.MonkeyPatch.context() as patch, other.exclusive():
        patch.setattr(module, "Index", partial(Index, busy_s=0.1))
        with pytest.raises(StorageError) as refused:
            rebuild(index, log)
    assert refused.value.code is StorageErrorCode.LOCKED


def test_a_newer_index_is_not_rebuilt_over(index: Index, log: FilesystemLog) -> None:
    """Case 61: refused at once, before the long work, and left alone."""
    index.close()
    path = Path(f"{log.root}/index.sqlite")
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    before = path.read_bytes()
    with pytest.raises(StorageError) as refused:
        rebuild(index, log)
    assert refused.value.code is StorageErrorCode.UNSUPPORTED_FORMAT
    assert path.read_bytes() == before


PROGRAM = """
import os, signal, sys
from journal.backends.filesystem import FilesystemLog
from projections import rebuild, rows, schema
from projections.sqlite import Index

root, moment = sys.argv[1:]
log = FilesystemLog.open(root, create=False)

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def progress(done, total, events):
    if moment == "folding" and done == 2:
        die()

swap = rebuild._swap

def dying_swap(db, beside):
    if moment == "before swap":
        die()
    if moment.startswith("at "):
        db.set_trace_callback(lambda sql: moment[3:] in sql and die())
    swap(db, beside)
    if moment == "after swap":
        die()

rebuild._swap = dying_swap
rebuild.rebuild(Index(root + "/index.sqlite"), log, progress=progress)
"""


@pytest.mark.parametrize(
    "moment",
    [
        "folding",
        "before swap",
        "at DELETE FROM main.runs",
        "at INSERT INTO main.artifacts",
        "at COMMIT",
        "after swap",
    ],
)
def test_a_kill_leaves_an_index_that_is_whole(
    moment: str, index: Index, log: FilesystemLog
) -> None:
    """Case 66: the old one or the new one, never a mixture; and the next rebuild just works."""
    before = dump(index)
    index.close()
    done = subprocess.run([sys.executable, "-c", PROGRAM, log.root, moment])
    assert done.returncode == -signal.SIGKILL
    again = Index(f"{log.root}/index.sqlite", busy_s=0.5)
    assert again.use(lambda db: db.execute("PRAGMA integrity_check").fetchone()) == ("ok",)
    assert dump(again) == before
    assert rebuild(again, log).runs == 5
    assert dump(again) == before
    assert again.in_memory_because is None
    assert "index.new.sqlite" not in os.listdir(log.root)
    again.close()

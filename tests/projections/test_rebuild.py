"""Rebuilding: from the logs alone, beside what is in use, and whole whatever happens."""

import os
import signal
import sqlite3
import subprocess
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journal.backends.filesystem import FilesystemLog
from journal.backends.memory import MemoryLog
from journal.errors import StorageError, StorageErrorCode
from journal.events import run
from projections import questions
from projections.rebuild import rebuild
from projections.sqlite import Index
from tests.projections.helpers import Told, Writer, created, legal_runs, stored
from tests.projections.indexes import Between, dump, execute, fresh, statuses, visit
from tests.rules.sources import ROOT


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


def test_whatever_else_is_in_the_file_does_not_outlive_a_rebuild(
    index: Index, log: FilesystemLog
) -> None:
    """Cases 59 and 60: a trigger would make wrong rows of right ones, for ever."""
    index.close()
    path = Path(f"{log.root}/index.sqlite")
    execute(path, "CREATE TRIGGER t AFTER INSERT ON runs BEGIN UPDATE runs SET status = 'x'; END")
    execute(path, "CREATE VIEW v AS SELECT * FROM runs")
    rebuild(index, log)
    assert dump(index) == fresh(log)
    kinds = index.use(lambda db: db.execute("SELECT DISTINCT type FROM sqlite_master").fetchall())
    assert {kind for (kind,) in kinds} == {"table", "index"}


def test_an_index_of_the_file_that_misses_a_row_is_mended(index: Index, log: FilesystemLog) -> None:
    """Cases 59 and 60: rows put in again would not mend the pages that lead to them."""
    path = Path(f"{log.root}/index.sqlite")
    (page,) = index.use(
        lambda db: db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'runs_by_status'")
    ).fetchone()
    index.close()
    content = bytearray(path.read_bytes())
    place = content.index(b"pending", (page - 1) * 4096, page * 4096)
    content[place] ^= 1
    path.write_bytes(content)
    rebuild(index, log)
    assert index.use(lambda db: len(questions.runs(db, status="pending"))) == 5
    assert index.use(lambda db: db.execute("PRAGMA integrity_check").fetchone()) == ("ok",)


@settings(max_examples=15)
@given(
    stories=st.lists(legal_runs(max_events=10), min_size=1, max_size=3),
    order=st.lists(st.integers(0, 4), max_size=40),
)
def test_rebuilt_at_any_moment_it_is_the_index_that_grew(
    stories: list[list[Told]], order: list[int]
) -> None:
    """Case 67: a file that was swapped now and then, one that only grew, and a fresh fold."""
    log, left = MemoryLog(), [list(told) for told in stories]
    writers = [Writer(log) for _ in stories]
    with TemporaryDirectory() as folder:
        grown, swapped = Index(f"{folder}/grown.sqlite"), Index(f"{folder}/swapped.sqlite")
        for choice in [*order, *[n for n, told in enumerate(left) for _ in told]]:
            if choice >= len(stories):
                visit(grown, log)
                if choice == 4:
                    rebuild(swapped, log)
                else:
                    visit(swapped, log)
            elif left[choice]:
                writers[choice].write(*left[choice][:3])
                del left[choice][:3]
            elif writers[choice].head:
                writers[choice].close()
        visit(grown, log)
        visit(swapped, log)
        assert dump(grown) == dump(swapped) == fresh(log)
        rebuild(grown, log)
        assert dump(grown) == fresh(log)
        grown.close()
        swapped.close()


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


KILLS = """
import os, signal, sqlite3, sys
from journal.backends.filesystem import FilesystemLog
from projections import rebuild
from projections.sqlite import Index
from tests.projections.helpers import Writer, created, stored
from tests.projections.indexes import dump, fresh, visit

log = FilesystemLog.open(sys.argv[1])
path = log.root + "/index.sqlite"
seen = 0

def count(sql):
    global seen
    seen += 1
    if seen == at:
        os.kill(os.getpid(), signal.SIGKILL)

class Watched(sqlite3.Connection):
    def __init__(self, place, **how):
        super().__init__(place, **how)
        if ".new." not in place:  # what is made beside is nobody's yet: see the moments below
            self.set_trace_callback(count)

connect = sqlite3.connect
writer = Writer(log).write(created())
for at in range(1, 1000):
    writer.write(("p", stored(f"x{at}")))
    look = Index(path)
    visit(look, log)
    before = dump(look)
    look.close()
    child = os.fork()
    if child == 0:
        sqlite3.connect = lambda *place, **how: connect(*place, **how, factory=Watched)
        rebuild.rebuild(Index(path), log)
        os._exit(0)
    ended = os.waitpid(child, 0)[1]
    look = Index(path)
    assert dump(look) == before == fresh(log), at
    assert look.use(lambda db: db.execute("PRAGMA integrity_check").fetchone()) == ("ok",), at
    assert look.in_memory_because is None and look.replaced is None, at
    look.close()
    if ended == 0:
        break
writer.close()
look = Index(path)
assert rebuild.rebuild(look, log).runs == 6
look.close()
print(at)
"""


def test_a_kill_before_any_statement_leaves_an_index_that_is_whole(
    index: Index, log: FilesystemLog
) -> None:
    """Case 66: the old rows or the new ones, never a mixture; and the next rebuild just works."""
    index.close()
    done = subprocess.run(
        [sys.executable, "-c", KILLS, log.root], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 25
    assert names(log) <= {"index.sqlite", "index.sqlite-wal", "index.sqlite-shm", "index.lock"}


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
    swap(db, beside)
    if moment == "after swap":
        die()

rebuild._swap = dying_swap
rebuild.rebuild(Index(root + "/index.sqlite"), log, progress=progress)
"""


@pytest.mark.parametrize("moment", ["folding", "before swap", "after swap"])
def test_a_kill_leaves_an_index_that_is_whole(
    moment: str, index: Index, log: FilesystemLog
) -> None:
    """Case 66: at the moments that count, with the file beside taken away by the next rebuild."""
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

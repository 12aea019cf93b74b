"""Rows that were made up, statements that fail: the answers come from the logs all the same."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from journal.backends.filesystem import FilesystemLog
from journal.backends.memory import MemoryLog
from journal.journal import Journal
from projections import questions
from projections.seals import sealed
from projections.sqlite import Index
from projections.store import Projections
from tests.projections.helpers import Writer, created, stored
from tests.projections.indexes import dump, fresh, look, visit
from tests.rules.sources import ROOT


@pytest.fixture
def log() -> MemoryLog:
    found = MemoryLog()
    for number in range(3):
        Writer(found).write(created(), ("p", stored(f"a{number}"))).close()
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "index.sqlite"


@pytest.fixture
def index(path: Path, log: MemoryLog) -> Iterator[Index]:
    found = Index(str(path), busy_s=0.3)
    visit(found, log)
    yield found
    found.close()


FORGED: dict[str, tuple[str, dict[str, Any]]] = {
    "a cursor before the beginning": ("cursors", {"seq": -5}),
    "a cursor of text": ("cursors", {"position": "far"}),
    "a state that is no state": ("states", {"body": b'{"run_id":"x","seq":"many"}'}),
    "a state whose times are none": ("states", {"body": b'{"run_id":"x","created_at":"then"}'}),
    "a record that is none": ("runs", {"body": b"{}"}),
    "a record of a blob": ("runs", {"project": b"\xff\xfe"}),
    "an artifact of text": ("artifacts", {"seq": "first"}),
    "an artifact that is none": ("artifacts", {"body": b"[]"}),
}


@pytest.mark.parametrize("row", FORGED)
def test_a_row_that_was_made_up_with_its_seal_is_no_traceback(
    row: str, path: Path, index: Index, log: MemoryLog
) -> None:
    """Case 60: whoever can write the file can seal a row; its types are looked at all the same."""
    table, fields = FORGED[row]
    runs = [each.run_id for each in index.use(questions.runs)]
    index.close()
    db = sqlite3.connect(path)
    found = db.execute(f"SELECT * FROM {table} WHERE run_id = ?", (runs[0],))
    names = [column for column, *_ in found.description]
    for old in found.fetchall():
        changed = dict(zip(names, old, strict=True)) | fields
        new = sealed(*[changed[name] for name in names[:-1]])
        db.execute(f"DELETE FROM {table} WHERE {names[0]} = ? AND {names[1]} = ?", old[:2])
        db.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(new))})", new)
    db.commit()
    db.close()
    writer = Writer(log, runs[0])
    writer.head = log.head(writer.run_id).head
    writer.write(created()).close()
    assert look(index, log) == look(Index(None), log)


class Failing(sqlite3.Connection):
    """A connection whose statement number ``at`` fails, counted over all of its kind."""

    at = 0
    code = sqlite3.SQLITE_FULL
    done = 0

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        self._count()
        return super().execute(sql, *values)

    def executemany(self, sql: str, rows: Any) -> sqlite3.Cursor:
        self._count()
        return super().executemany(sql, rows)

    def _count(self) -> None:
        Failing.done += 1
        if Failing.done == Failing.at:
            failure = sqlite3.OperationalError("as told")
            failure.sqlite_errorcode = Failing.code
            raise failure


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> type[Failing]:
    connect: Any = sqlite3.connect

    def instead(*place: Any, **how: Any) -> Any:
        kind = {} if place == (":memory:",) else {"factory": Failing}
        return connect(*place, **how, **kind)

    monkeypatch.setattr("projections.sqlitefile.sqlite3.connect", instead)
    Failing.done = Failing.at = 0
    return Failing


@pytest.mark.parametrize(
    "code", [sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CORRUPT]
)
@pytest.mark.parametrize("there", [True, False])
def test_whichever_statement_fails_the_answer_is_right(
    code: int, there: bool, path: Path, log: MemoryLog, failing: type[Failing]
) -> None:
    """
    Case 64: the disk is full, failing, locked or damaged at each statement in turn.

    Appending never touches the index: what was acknowledged is in the answer, and in the index
    once it can be written again.
    """
    failing.code = code
    writer = Writer(log).write(created())
    for at in range(1, 200):
        if not there:
            path.unlink(missing_ok=True)
        writer.write(("p", stored(f"x{at}")))
        failing.done, failing.at = 0, at
        index = Index(str(path), busy_s=0.1)
        found = look(index, log)
        assert any(f"x{at}" in each for each in found), at
        reached, failing.at = failing.done >= at, 0
        assert dump(index) == fresh(log)
        index.close()
        if not reached:
            break
    else:
        pytest.fail("there is no end of statements")
    assert at > 10
    again = Index(str(path))
    look(again, log)
    assert dump(again) == fresh(log)
    assert again.in_memory_because is None
    again.close()


LIMITED = """
import resource, sys
from journal.backends.memory import MemoryLog
from projections.sqlite import Index
from tests.projections.helpers import Writer, created, stored
from tests.projections.indexes import dump, fresh, look

log, limited = MemoryLog(), 0
writer = Writer(log).write(created())
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
for limit in [*range(0, 400_000, 20_000), most]:
    for number in range(8):
        writer.write(("p", stored(f"{limit}-{number}", description="x" * 2000)))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))
    index = Index(sys.argv[1], busy_s=0.1)
    assert any(f"{limit}-7" in each for each in look(index, log))
    assert dump(index) == fresh(log)
    limited += index.in_memory_because is not None
    because = index.in_memory_because
    index.close()
assert because is None
print(limited)
"""


def test_a_disk_that_takes_no_more_leaves_the_index_behind_and_the_answer_right(path: Path) -> None:
    """Case 64: the kernel itself refuses to let the file grow, at one size after the other."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, path], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 3


@pytest.mark.anyio
async def test_appends_are_acknowledged_whatever_is_wrong_with_the_index(
    tmp_path: Path, failing: type[Failing]
) -> None:
    """Case 64: reading folds; writing knows nothing of an index, and a reader can fail alone."""
    failing.code = sqlite3.SQLITE_IOERR
    root = tmp_path / "store"
    async with Journal.open(root) as journal, journal.run(project="nightly") as writing:
        for at in range(1, 40):
            failing.done, failing.at = 0, at
            async with Projections.of(journal) as runs:
                await writing.annotate(f"note {at}")
                (record,) = await runs.list()
                assert record.seq == writing.seq
    failing.at = 0
    index = Index(str(root / "index.sqlite"))
    store = FilesystemLog.open(root)
    visit(index, store)
    assert dump(index) == fresh(store)
    index.close()

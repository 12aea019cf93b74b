"""The index file: missing, damaged, old, new, locked or read-only, and never in anybody's way."""

import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from journal.backends.memory import MemoryLog
from journal.errors import StorageError, StorageErrorCode
from projections import rows, schema
from projections.replay import RUN_STATE
from projections.sqlite import Index
from tests.projections.helpers import Writer, created, stored
from tests.projections.indexes import dump, execute, fresh, look, visit


@pytest.fixture
def log() -> MemoryLog:
    found = MemoryLog()
    for number in range(50):
        Writer(found).write(created(), ("p", stored(f"a{number}"))).close()
    return found


@pytest.fixture
def path(tmp_path: Path, log: MemoryLog) -> Path:
    """An index that is up to date, checkpointed and closed."""
    index = Index(str(tmp_path / "index.sqlite"))
    visit(index, log)
    index.close()
    return tmp_path / "index.sqlite"


@pytest.fixture
def index(path: Path) -> Iterator[Index]:
    found = Index(str(path), busy_s=0.3)
    yield found
    found.close()


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "somebody's file").write_text("x")


def link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/nowhere/at/all")


def fifo(path: Path, suffix: str = "") -> None:
    place = path.with_name(path.name + suffix)
    place.unlink(missing_ok=True)
    os.mkfifo(place)


def foreign(path: Path) -> None:
    path.unlink()
    execute(path, "CREATE TABLE theirs (x)")


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "deleted": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "garbage": lambda path: path.write_bytes(b"\xa5garbage" * 4096),
    "cut in a page": lambda path: path.write_bytes(path.read_bytes()[:6000]),
    "cut to half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "zeros behind the header": lambda path: path.write_bytes(
        path.read_bytes()[:4096] + bytes(path.stat().st_size - 4096)
    ),
    "cut in the header": lambda path: path.write_bytes(path.read_bytes()[:50]),
    "a folder": folder,
    "a link into nowhere": link,
    "a FIFO": fifo,
    "a FIFO as -wal": lambda path: fifo(path, "-wal"),
    "a FIFO as -shm": lambda path: fifo(path, "-shm"),
    "a folder as -wal": lambda path: path.with_name("index.sqlite-wal").mkdir(),
    "a folder as -shm": lambda path: path.with_name("index.sqlite-shm").mkdir(),
    "a link as -wal": lambda path: path.with_name("index.sqlite-wal").symlink_to("/nowhere/at/all"),
    "another application's": foreign,
    "an index is missing": lambda path: execute(path, "DROP INDEX runs_by_status"),
    "a column too many": lambda path: execute(path, "ALTER TABLE runs ADD COLUMN more"),
    "a view too many": lambda path: execute(path, "CREATE VIEW some AS SELECT * FROM runs"),
    "a trigger": lambda path: execute(
        path,
        "CREATE TRIGGER lie AFTER INSERT ON runs BEGIN UPDATE runs SET status = 'failed'; END",
    ),
    "a table is missing": lambda path: execute(path, "DROP TABLE artifacts"),
    "a garbage -wal": lambda path: path.with_name("index.sqlite-wal").write_bytes(b"x" * 9000),
    "a garbage -shm": lambda path: path.with_name("index.sqlite-shm").write_bytes(b"x" * 40000),
    "records do not parse": lambda path: execute(path, "UPDATE runs SET body = X'7B'"),
    "text is not UTF-8": lambda path: execute(
        path, "INSERT INTO watch VALUES (CAST(X'ff' AS TEXT), 1)"
    ),
    "no cursor of the feed": lambda path: execute(path, "DELETE FROM meta"),
    "a cursor of the feed that is none": lambda path: execute(path, "UPDATE meta SET feed = X'00'"),
    "a token past 64 bit": lambda path: execute(path, f"UPDATE meta SET token = {2**63 - 1}"),
    "a run that no id names": lambda path: execute(
        path, "INSERT INTO watch VALUES ('../../../etc', 1)"
    ),
    "a record under another run's id": lambda path: execute(
        path, "UPDATE runs SET body = (SELECT body FROM runs LIMIT 1)"
    ),
    "an artifact that says another size": lambda path: execute(
        path, "UPDATE artifacts SET body = replace(body, '\"size_bytes\":3', '\"size_bytes\":4')"
    ),
    "a status that is no text": lambda path: execute(path, "UPDATE runs SET status = X'00'"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_index_is_made_anew(
    damage: str, path: Path, index: Index, log: MemoryLog
) -> None:
    """Cases 58, 59: it is derived, so the same rows come back and nobody has to do a thing."""
    before = look(index, log)
    index.close()
    DAMAGES[damage](path)
    assert look(index, log) == before
    assert dump(index) == fresh(log)
    assert index.in_memory_because is None
    assert path.is_file()


def test_a_link_beside_the_index_is_not_written_through(
    path: Path, index: Index, log: MemoryLog, tmp_path: Path
) -> None:
    """Security, links: SQLite follows them, and would write over what lies at the end of one."""
    outside = tmp_path / "outside"
    outside.write_text("somebody's")
    for name in ("index.sqlite", "index.sqlite-wal", "index.sqlite-shm"):
        index.close()
        place = path.with_name(name)
        place.unlink(missing_ok=True)
        place.symlink_to(outside)
        Writer(log).write(created()).close()
        look(index, log)
        assert outside.read_text() == "somebody's"
        assert not place.is_symlink()
    assert dump(index) == fresh(log)


def test_who_replaces_a_damaged_index_says_so_and_quotes_nothing(
    path: Path, index: Index, log: MemoryLog, caplog: pytest.LogCaptureFixture
) -> None:
    """Cases 59 and 84: nothing is lost, but a disk that damages files is news."""
    index.close()
    execute(path, "UPDATE runs SET project = CAST(X'7365637265742dff' AS TEXT)")
    look(index, log)
    (record,) = caplog.records
    assert str(path) in record.getMessage()
    assert "secret" not in record.getMessage()
    assert index.replaced is not None
    assert "secret" not in index.replaced


@pytest.mark.parametrize("damage", ["deleted", "a folder", "another application's"])
def test_an_index_replaced_while_it_is_open_is_noticed(
    damage: str, path: Path, index: Index, log: MemoryLog
) -> None:
    """A file without a name is nobody's index: the next use opens the one that has it."""
    look(index, log)
    DAMAGES[damage](path)
    writer = Writer(log).write(created()).close()
    assert any(writer.run_id in each for each in look(index, log))
    other = Index(str(path))
    assert dump(other) == dump(index) == fresh(log)
    other.close()


def test_a_replaced_file_does_not_meet_the_old_wal(path: Path, log: MemoryLog) -> None:
    """An old -wal beside a new file is applied to it by whoever opens it next: corrupt."""
    old = Index(str(path))
    Writer(log).write(created()).close()
    look(old, log)
    assert path.with_name("index.sqlite-wal").stat().st_size > 0
    path.write_bytes(b"garbage" * 1000)
    new = Index(str(path))
    look(new, log)
    old.close()
    again = Index(str(path))
    assert dump(again) == dump(new) == fresh(log)
    assert again.use(lambda db: db.execute("PRAGMA integrity_check").fetchone()) == ("ok",)
    new.close()
    again.close()


def test_an_older_schema_is_made_anew(path: Path, index: Index, log: MemoryLog) -> None:
    """Case 61: nothing is migrated, because everything can be folded again."""
    before = look(index, log)
    index.close()
    execute(path, "PRAGMA user_version = 0")
    execute(path, "DROP INDEX runs_newest")
    execute(path, "CREATE VIEW some AS SELECT * FROM runs")
    execute(path, "CREATE TABLE more (x)")
    assert look(index, log) == before
    assert dump(index) == fresh(log)
    assert index.replaced is None
    index.close()
    assert look(index, log) == before
    assert index.replaced is None


def test_an_older_projection_is_folded_anew(path: Path, index: Index, log: MemoryLog) -> None:
    """Case 61: what an older version folded may mean something else."""
    before = look(index, log)
    index.close()
    execute(path, "UPDATE projections SET version = 0 WHERE name = 'run_index'")
    execute(path, "UPDATE runs SET status = 'failed'")
    assert look(index, log) == before


@pytest.mark.parametrize(
    "newer",
    [
        f"PRAGMA user_version = {schema.SCHEMA_VERSION + 1}",
        f"UPDATE projections SET version = {RUN_STATE.version + 1} WHERE name = 'run_state'",
    ],
)
def test_a_newer_index_is_refused_and_left_alone(
    newer: str, path: Path, index: Index, log: MemoryLog
) -> None:
    """Case 61: an older program must not throw away what a newer one made."""
    execute(path, newer)
    before = path.read_bytes()
    with pytest.raises(StorageError) as refused:
        look(index, log)
    assert refused.value.code is StorageErrorCode.UNSUPPORTED_FORMAT
    assert refused.value.info.details.next_action
    index.close()
    assert path.read_bytes() == before


def test_a_locked_index_does_not_keep_anyone_from_reading(
    path: Path, index: Index, log: MemoryLog
) -> None:
    """Case 65: the logs are there; an index in memory answers as well."""
    writer = Writer(log).write(created()).close()
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    assert any(writer.run_id in each for each in look(index, log))
    assert index.in_memory_because is not None
    assert index.in_memory_because.code is StorageErrorCode.LOCKED
    assert dump(index) == fresh(log)
    holder.execute("ROLLBACK")
    holder.close()


def test_an_index_that_nobody_may_replace_does_not_keep_anyone_from_reading(
    path: Path, index: Index, log: MemoryLog
) -> None:
    """Case 65: a damaged file, and another process that holds the lock for replacing it."""
    path.write_bytes(b"garbage" * 1000)
    holder = Index(str(path))
    with holder.exclusive():
        assert look(index, log) == look(Index(None), log)
    assert path.read_bytes() == b"garbage" * 1000


def test_a_damaged_index_that_nobody_may_replace_is_not_believed_in_memory_either(
    path: Path, index: Index, log: MemoryLog
) -> None:
    """Cases 59 and 65: what can be read of the file is copied, and may be as damaged there."""
    before = look(index, log)
    index.close()
    for damage in ("records do not parse", "text is not UTF-8", "zeros behind the header"):
        DAMAGES[damage](path)
        holder, other = Index(str(path)), Index(str(path), busy_s=0.2)
        with holder.exclusive():
            assert look(other, log) == before
        assert other.in_memory_because is not None
        other.close()


@pytest.fixture
def read_only(path: Path) -> Iterator[Path]:
    """The folder, made immutable: even root may not write into it."""
    for place in (path, path.parent):
        if subprocess.run(["chattr", "+i", place], capture_output=True).returncode:
            pytest.skip("chattr +i does not work here")
    yield path
    for place in (path.parent, path):
        subprocess.run(["chattr", "-i", place], check=True)


@pytest.mark.parametrize("there", [True, False])
def test_a_read_only_store_is_read_all_the_same(
    there: bool, log: MemoryLog, request: pytest.FixtureRequest, path: Path
) -> None:
    """Case 65: a store on a DVD, or of another user, lists, with an index or without."""
    if not there:
        path.unlink()
        path.touch()
    request.getfixturevalue("read_only")
    index = Index(str(path), busy_s=0.3)
    writer = Writer(log).write(created()).close()
    assert any(writer.run_id in each for each in look(index, log))
    assert index.in_memory_because is not None
    with pytest.raises(StorageError):
        index.use(lambda db: rows.move_feed(db, "x", 1), required=True)
    index.close()


def test_many_openers_make_one_index(tmp_path: Path, log: MemoryLog) -> None:
    """Case 63: several first readers at once: one makes the file, all use it."""
    import threading

    path, found = str(tmp_path / "sub.sqlite"), []
    indexes = [Index(path) for _ in range(8)]
    threads = [
        threading.Thread(target=lambda each=each: found.append(look(each, log))) for each in indexes
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert all(each == found[0] and len(each) == 100 for each in found)
    for each in indexes:
        assert each.in_memory_because is None
        each.close()

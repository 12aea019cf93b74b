"""
Damage to the index: every column of every row, rows gone and rows made up, bits of its file.

What there is to damage is read out of the schema, so that a new column cannot be forgotten.
"""

import random
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from journal.backends.memory import MemoryLog
from journal.errors import StorageError
from journal.events import run
from journal.ids import RunId, new_run_id
from projections import questions, reading, schema
from projections.catchup import catch_up
from projections.inspect import check_index
from projections.sqlite import Index, IndexDamaged
from projections.sqlitefile import Connection, parts
from tests.projections.helpers import DIGEST, ERROR, Writer, created, stored
from tests.projections.indexes import Between, dump, visit


class Sample(NamedTuple):
    """A store with runs of all kinds, and an index that is up to date."""

    log: Any
    filled: Index
    runs: tuple[RunId, ...]
    going_on: Writer


def sample(path: str | None) -> Sample:
    """Runs that ended, that go on, that nobody writes any more, and one that cannot be read."""
    log = MemoryLog()
    ended = Writer(log).write(created(), run.RunStarted(), ("p", stored("a1")), ("p", stored("a2")))
    ended.write(run.RunFailed(error=ERROR)).close()
    other = Writer(log).write(created(project="other"), ("q", stored("a3", partition="de"))).close()
    going_on = Writer(log).write(created(), run.RunStarted())
    bad = Writer(log).write(created()).write(run.RunStarted()).close()
    damaged = _Damaged(log, bad.run_id)
    index = Index(path)
    visit(index, damaged)
    runs = tuple(each.run_id for each in (ended, other, going_on, bad))
    return Sample(damaged, index, runs, going_on)


class _Damaged(Between):
    """An event log in which the last line of one run is damaged."""

    def __init__(self, log: Any, run_id: str) -> None:
        super().__init__(log, "", None)
        self._bad = run_id

    def read(self, run_id: RunId, *places: int, **how: bool) -> Iterator[bytes]:
        for line in self._log.read(run_id, *places, **how):
            bad = run_id == self._bad and line.startswith(b'{"seq":2,')
            yield line.replace(b"_started", b"_starved") if bad else line


# -- rows ----------------------------------------------------------------------------------------


class Change(NamedTuple):
    """One statement that makes the index lie, and where."""

    table: str
    what: str
    statement: str
    values: tuple[object, ...]


def changes(db: Connection) -> Iterator[Change]:
    """Each column of each row set to several things that it is not; each row gone, each made up."""
    tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    assert set(tables) == {*schema.TABLES, "meta"}
    for table in tables:
        described = db.execute(f"PRAGMA table_info({table})").fetchall()
        columns = [name for _, name, *_ in described]
        key = [name for _, name, *_, place in described if place]
        where = " AND ".join(f"{name} = ?" for name in key)
        rows = db.execute(f"SELECT * FROM {table}").fetchall()
        assert rows, f"nothing to damage in {table}"
        for row in rows:
            here = dict(zip(columns, row, strict=True))
            named = tuple(here[name] for name in key)
            for name, value in here.items():
                for other in others(value):
                    yield Change(
                        table,
                        f"{name} of {named} is {other!r}",
                        f"UPDATE OR IGNORE {table} SET {name} = ? WHERE {where}",
                        (other, *named),
                    )
            yield Change(table, f"{named} gone", f"DELETE FROM {table} WHERE {where}", named)
            made_up = [new_run_id() if name == "run_id" else here[name] for name in columns]
            yield Change(
                table,
                f"{named} once more under another id",
                f"INSERT OR IGNORE INTO {table} VALUES ({', '.join('?' * len(columns))})",
                tuple(made_up),
            )


def others(value: object) -> list[object]:
    """Values of each type that are not this one."""
    if isinstance(value, int):
        return [value + 1, value - 1, -value - 2, 2**62, "many", b"\xff\xfe", 1.5]
    if isinstance(value, str):
        near = value[:-1] + chr(ord(value[-1]) ^ 1)
        return [near, "", value + "\0", value.upper() + "é", 7, value.encode(), b"\xff\xfe"]
    if isinstance(value, bytes):
        near_bytes = bytes([value[0] ^ 1]) + value[1:]
        return [near_bytes, value[:-1] + bytes([value[-1] ^ 1]), b"", b"{}", "text", 7]
    return ["x", 7, b"\xff"]


def made(index: Index, change: Change) -> bool:
    """Make the change; ``False`` if SQLite does not let it be made, or it changes nothing."""

    def work(db: Connection) -> bool:
        before = _all(db, change.table)
        db.execute(change.statement, change.values)
        return _all(db, change.table) != before

    try:
        return index.use(work)
    except sqlite3.IntegrityError:
        return False


def _all(db: Connection, table: str) -> list[str]:
    db.text_factory = bytes  # some of it may be no text any more
    try:
        return sorted(map(repr, db.execute(f"SELECT * FROM {table}")))
    finally:
        db.text_factory = str


DAMAGE = (IndexDamaged, schema.Foreign, sqlite3.DatabaseError)
"""What a file gives way to a new one for; an index in memory has no file, so it comes out."""


def findings(index: Index, log: Any) -> set[str]:
    """What ``verify`` says of the index and the logs; damage that it reports counts as one."""
    try:
        if index.use(lambda db: schema.check(db, "here")):
            return {"made anew when it is opened"}
        report = check_index(index, log, progress=lambda *_: None)
    except (*DAMAGE, StorageError) as failure:
        return {f"{type(failure).__name__}: {failure}"}
    return {each.message for each in report.findings}


def copy_of(index: Index) -> Index:
    """The same index, in memory, to damage it."""
    copy = Index(None)
    index.use(lambda source: copy.use(lambda target: _copy(source, target)))
    return copy


def _copy(source: Connection, target: Connection) -> None:
    target.execute("PRAGMA user_version")  # nothing is open in it
    source.backup(target)


# -- bits ----------------------------------------------------------------------------------------


def answers(db: Connection, log: Any, runs: tuple[RunId, ...]) -> list[str]:
    """What people are told: lists by all filters, states, artifacts by run, id and digest."""
    catch_up(db, log)
    found: list[Any] = [*questions.runs(db), *questions.runs(db, status="failed")]
    found += questions.runs(db, project="nightly", limit=2)
    for run_id in runs[:3]:
        found.append(reading.state(db, log, run_id, None, lambda *_: None))
        found += questions.artifacts(db, run_id)
    found += questions.artifacts_by_id(db, "a2")
    found += questions.artifacts_by_digest(db, DIGEST)
    return [each.model_dump_json() for each in found]


def flipped_bits(folder: Path, count: int, seed: int) -> tuple[Counter[str], list[str]]:
    """
    Random bits of the index file, each on a whole one: what came of it, and what should not have.

    ``right``: the answers are, and every row; ``found``: ``verify`` names or replaces it;
    ``replaced``: whoever asked did, and got the right answers; ``refused``: with a code.
    """
    whole = folder / "whole.sqlite"
    made_of = sample(str(whole))
    before = made_of.filled.use(lambda db: answers(db, made_of.log, made_of.runs))
    rows, said = dump(made_of.filled), findings(made_of.filled, made_of.log)
    made_of.filled.close()
    content, chosen = whole.read_bytes(), random.Random(seed)
    outcomes: Counter[str] = Counter()
    violations: list[str] = []
    for _ in range(count):
        bit = chosen.randrange(len(content) * 8)
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        path = folder / "flipped.sqlite"
        _put(path, flipped)
        try:
            outcome = _asked(Index(str(path), busy_s=0.3), made_of, before)
            _put(path, flipped)
            checked = _verified(Index(str(path), busy_s=0.3), made_of, rows, said)
        except (Exception, RecursionError) as failure:  # noqa: BLE001 - nothing may get out
            violations.append(f"bit {bit}: {type(failure).__name__}: {failure}")
            continue
        outcomes[outcome] += 1
        outcomes[f"verify: {checked}"] += 1
        if outcome == "wrong" and checked not in ("found", "replaced"):
            violations.append(f"bit {bit}: wrong answers, and verify says {checked}")
        if checked == "wrong":
            violations.append(f"bit {bit}: a wrong row that verify does not find")
    return outcomes, violations


def _put(path: Path, content: bytes | bytearray) -> None:
    for name in parts(str(path)):
        Path(name).unlink(missing_ok=True)
    path.write_bytes(content)


def _asked(index: Index, made_of: Sample, before: list[str]) -> str:
    try:
        now = index.use(lambda db: answers(db, made_of.log, made_of.runs))
    except StorageError:
        return "refused"
    finally:
        index.close()
    if now != before:
        return "wrong"
    return "right" if index.replaced is None else "replaced"


def _verified(index: Index, made_of: Sample, rows: dict[str, list[Any]], said: set[str]) -> str:
    try:
        report = check_index(index, made_of.log, progress=lambda *_: None)
        if index.replaced is not None or any(
            each.reason == "index_file" for each in report.findings
        ):
            return "replaced"
        if {each.message for each in report.findings} != said:
            return "found"
        visit(index, made_of.log)  # a name in the wrong place has it made anew, and filled now
        return "right" if dump(index) == rows else "wrong"
    except StorageError:
        return "refused"
    finally:
        index.close()

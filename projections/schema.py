"""
The tables of ``index.sqlite``, and what its header says about who made it.

Everything in there is derived: any other shape than this one is dropped and folded anew, but a
newer one is left alone. Times are text in the form of the log, which sorts as text. ``seal`` is a
digest of its row (``rows.seal``): SQLite itself notices hardly any flipped bit.

Below: replay (which projections there are). Above: sqlite, rows.
"""

import contextlib
import sqlite3
from functools import lru_cache
from typing import Final

from journal.errors import StorageErrorCode, storage_error
from projections.replay import PROJECTIONS

APPLICATION_ID: Final = 0x524A4958
"""``RJIX`` in the file's header: an index of a run journal, and of nobody else."""

SCHEMA_VERSION: Final = 2
"""Moves with the tables below and when a projection is added; a projection's own version moves with
what it folds to."""

_TABLES = """
-- One row. generation moves when everything is folded anew: what was read before it is worthless.
-- feed is the cursor in the store's feed; token moves with each reading of the feed.
CREATE TABLE meta (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    generation INTEGER NOT NULL, feed TEXT, token INTEGER NOT NULL);
CREATE TABLE projections (name TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID;

-- Runs that may have lines which are not in here yet, and at which reading of the feed that was.
CREATE TABLE watch (run_id TEXT PRIMARY KEY, token INTEGER NOT NULL) WITHOUT ROWID;

-- Up to where each run is in here, and its folds, to go on with.
CREATE TABLE cursors (
    run_id TEXT PRIMARY KEY,
    seq INTEGER NOT NULL, position INTEGER NOT NULL, hash TEXT NOT NULL,
    seal BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE states (
    run_id TEXT NOT NULL, projection TEXT NOT NULL, body BLOB NOT NULL, seal BLOB NOT NULL,
    PRIMARY KEY (run_id, projection));

-- body is the record as JSON; the other columns are what it is found by, newest first. Each of
-- the orders is an index, so that the newest 20 of a million cost 20 rows.
CREATE TABLE runs (
    run_id TEXT PRIMARY KEY,
    status TEXT NOT NULL, project TEXT, created_at TEXT NOT NULL, body BLOB NOT NULL,
    seal BLOB NOT NULL);
CREATE INDEX runs_newest ON runs (created_at DESC, run_id DESC);
CREATE INDEX runs_by_status ON runs (status, created_at DESC, run_id DESC);
CREATE INDEX runs_by_project ON runs (project, created_at DESC, run_id DESC);
CREATE INDEX runs_by_both ON runs (project, status, created_at DESC, run_id DESC);
CREATE INDEX runs_by_end ON runs (substr(run_id, -8));

CREATE TABLE artifacts (
    run_id TEXT NOT NULL, artifact_id TEXT NOT NULL, seq INTEGER NOT NULL,
    role TEXT NOT NULL, phase TEXT, partition TEXT, sha256 TEXT NOT NULL, body BLOB NOT NULL,
    seal BLOB NOT NULL, PRIMARY KEY (run_id, artifact_id));
CREATE INDEX artifacts_in_order ON artifacts (run_id, seq);
CREATE INDEX artifacts_by_id ON artifacts (artifact_id);
CREATE INDEX artifacts_by_digest ON artifacts (sha256);
"""

TABLES: Final = ("projections", "watch", "cursors", "states", "runs", "artifacts")
"""What a rebuild replaces; ``meta`` goes on."""


class Foreign(Exception):
    """The file is a database of something else, or half of one."""


def check(db: sqlite3.Connection, path: str) -> bool:
    """
    Look whether the tables are there and of this version; gives whether they must be made.

    Raises ``unsupported_format`` for an index of a newer version, ``Foreign`` for what is none,
    or has anything in it that was not made here: a trigger would go on changing every new row.
    """
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if application == 0 and version == 0:
        if _objects(db):
            raise Foreign("it was not made here")
        return True
    if application != APPLICATION_ID:
        raise Foreign("it was not made here")
    if version > SCHEMA_VERSION:
        raise _newer(path, f"schema {version}; this version knows {SCHEMA_VERSION}")
    if version < SCHEMA_VERSION:
        return True
    if _objects(db) != _expected():
        raise Foreign("its tables are not those that were made")
    stored = dict(db.execute("SELECT name, version FROM projections").fetchall())
    if not all(type(each) is int for each in stored.values()):
        raise Foreign("a version that is no number")
    for each in PROJECTIONS:
        if stored.get(each.name, 0) > each.version:
            raise _newer(path, f"{each.name} {stored[each.name]}; this one knows {each.version}")
    return stored != {each.name: each.version for each in PROJECTIONS}


def _objects(db: sqlite3.Connection) -> frozenset[tuple[str, str, str, str | None]]:
    """All that is defined in a database: tables, indexes, views, triggers, each as written."""
    return frozenset(db.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall())


@lru_cache(maxsize=1)
def _expected() -> frozenset[tuple[str, str, str, str | None]]:
    with contextlib.closing(sqlite3.connect(":memory:")) as db:
        db.executescript(_TABLES)
        return _objects(db)


def make(db: sqlite3.Connection, path: str) -> None:
    """
    Make the tables, empty, in place of whatever older ones there are. One transaction.

    Does nothing if another process was faster; then raises what ``check`` raises.
    """
    db.execute("BEGIN IMMEDIATE")
    try:
        if check(db, path):
            generation = _drop(db)
            for statement in _TABLES.split(";\n"):
                if statement.strip():
                    db.execute(statement)
            db.execute("INSERT INTO meta VALUES (1, ?, NULL, 0)", (generation + 1,))
            versions = [(each.name, each.version) for each in PROJECTIONS]
            db.executemany("INSERT INTO projections VALUES (?, ?)", versions)
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _drop(db: sqlite3.Connection) -> int:
    """Drop what is there; gives the generation that it was of."""
    found = [(kind, name) for kind, name, _, _ in _objects(db) if kind in ("table", "view")]
    generation = 0
    if ("table", "meta") in found:
        row = db.execute("SELECT max(generation) FROM meta").fetchone()
        generation = row[0] if type(row[0]) is int else 0
    for kind, name in found:  # indexes and triggers go with them
        quoted = name.replace('"', '""')
        db.execute(f'DROP {kind} "{quoted}"')
    return generation


def _newer(path: str, what: str) -> Exception:
    return storage_error(
        StorageErrorCode.UNSUPPORTED_FORMAT,
        f"the index at {path} was made by a newer version ({what}). Nothing was changed.",
        operation="open",
        path=path,
        reason="index_version",
        next_action="use the newer version of run-journal, or delete the index file",
    )

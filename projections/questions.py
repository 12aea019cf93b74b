"""
What people ask of the index: lists, records and artifacts, as models.

Read alone; every question is one statement that an index of the table answers.

Below: sqlite, artifact_index, run_index, sqlitefile, times. Above: resolve, rebuild, verify, store.
"""

from collections.abc import Iterator
from datetime import datetime

from pydantic import ValidationError

from journal.artifacts.store import ArtifactMetadata
from journal.ids import RunId
from projections.artifact_index import metadata_of
from projections.run_index import UNREADABLE, RunIndexRecord
from projections.sqlite import IndexDamaged
from projections.sqlitefile import Connection
from projections.times import stamp_of


def runs(
    db: Connection,
    status: str | None = None,
    project: str | None = None,
    since: datetime | None = None,
    limit: int | None = None,
) -> list[RunIndexRecord]:
    """Records, newest first by creation."""
    wanted = {
        "status = ?": status,
        "project = ?": project,
        "created_at >= ?": None if since is None else stamp_of(since),
    }
    given = {test: value for test, value in wanted.items() if value is not None}
    where = f"WHERE {' AND '.join(given)}" if given else ""
    rows = db.execute(
        f"SELECT body FROM runs {where} ORDER BY created_at DESC, run_id DESC LIMIT ?",
        (*given.values(), -1 if limit is None else limit),
    )
    return [_record(body) for (body,) in rows]


def run(db: Connection, run_id: str) -> RunIndexRecord | None:
    """One record."""
    row = db.execute("SELECT body FROM runs WHERE run_id = ?", (run_id,)).fetchone()
    return _record(row[0]) if row else None


def run_ids(db: Connection) -> Iterator[RunId]:
    """All runs that have a record."""
    for (run_id,) in db.execute("SELECT run_id FROM runs ORDER BY run_id"):
        yield RunId(run_id)


def named_like(db: Connection, text: str, most: int) -> list[RunId]:
    """Runs whose id begins with ``text`` (hex and dashes), or ends in it if it has 8 digits."""
    return [RunId(each) for each in _like(db, "runs", "run_id", text, most)]


def artifacts_named_like(db: Connection, text: str, most: int) -> list[str]:
    """Ids of artifacts, as ``named_like`` finds runs."""
    return _like(db, "artifacts", "artifact_id", text, most)


def _like(db: Connection, table: str, column: str, text: str, most: int) -> list[str]:
    found = db.execute(
        f"SELECT DISTINCT {column} FROM {table} WHERE {column} >= ? AND {column} < ? "
        f"ORDER BY {column} LIMIT ?",
        (text, text + "g", most),
    ).fetchall()
    if len(text) == 8:
        found += db.execute(
            f"SELECT DISTINCT {column} FROM {table} WHERE substr({column}, -8) = ? LIMIT ?",
            (text, most),
        ).fetchall()
    return list(dict.fromkeys(str(each) for (each,) in found))


def artifacts(
    db: Connection,
    run_id: str,
    role: str | None = None,
    phase: str | None = None,
    partition: str | None = None,
) -> list[ArtifactMetadata]:
    """Artifacts of a run, in the order of their events."""
    wanted = {"role = ?": role, "phase = ?": phase, "partition = ?": partition}
    given = {test: value for test, value in wanted.items() if value is not None}
    where = " AND ".join(("run_id = ?", *given))
    rows = db.execute(
        f"SELECT body FROM artifacts WHERE {where} ORDER BY seq", (run_id, *given.values())
    )
    return [_metadata(body) for (body,) in rows]


def artifacts_by_id(db: Connection, artifact_id: str) -> list[ArtifactMetadata]:
    """Artifacts of this id: one, unless several runs tell of it."""
    return _artifacts_where(db, "artifact_id = ?", artifact_id)


def artifacts_by_digest(db: Connection, sha256: str) -> list[ArtifactMetadata]:
    """Artifacts of any run that have this content."""
    return _artifacts_where(db, "sha256 = ?", sha256)


def _artifacts_where(db: Connection, test: str, value: str) -> list[ArtifactMetadata]:
    found = db.execute(f"SELECT body FROM artifacts WHERE {test} ORDER BY run_id, seq", (value,))
    return [_metadata(body) for (body,) in found]


def _record(body: bytes) -> RunIndexRecord:
    try:
        return RunIndexRecord.model_validate_json(body)
    except ValidationError as failure:
        raise IndexDamaged("a record does not parse") from failure


def _metadata(body: bytes) -> ArtifactMetadata:
    try:
        return metadata_of(body)
    except ValidationError as failure:
        raise IndexDamaged("an artifact does not parse") from failure


def counts(db: Connection) -> tuple[int, int, int, int]:
    """Runs, unreadable ones among them, events, artifacts."""
    runs, bad = db.execute(
        "SELECT count(*), count(*) FILTER (WHERE status = ?) FROM runs", (UNREADABLE,)
    ).fetchone()
    (events,) = db.execute("SELECT coalesce(sum(seq), 0) FROM cursors").fetchone()
    (artifacts,) = db.execute("SELECT count(*) FROM artifacts").fetchone()
    return runs, bad, events, artifacts

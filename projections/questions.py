"""
What people ask of the index: lists, records and artifacts, as models.

Read alone; every question is one statement that an index of the table answers. Raises
``IndexDamaged`` for a row that is not what was written, and where SQLite found another row than
was asked for.

Below: seals, sqlite, artifact_index, run_index, sqlitefile, times. Above: resolve, rebuild,
verify, store.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import TypeVar

from journal.artifacts.store import ArtifactMetadata
from journal.ids import RunId
from projections.artifact_index import metadata_of
from projections.run_index import UNREADABLE, RunIndexRecord
from projections.seals import opened, run_id_of
from projections.sqlite import IndexDamaged
from projections.sqlitefile import Connection
from projections.times import stamp_of

_RUN = "SELECT run_id, status, project, created_at, body, seal FROM runs"
_ARTIFACT = (
    "SELECT run_id, artifact_id, seq, role, phase, partition, sha256, body, seal FROM artifacts"
)

_MOST = 2**63 - 1  # what SQLite takes as a limit


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
        f"{_RUN} {where} ORDER BY created_at DESC, run_id DESC LIMIT ?",
        (*map(_asked, given.values()), -1 if limit is None else min(limit, _MOST)),
    )
    asked = {"status": status, "project": project}
    return [_as_asked(_record(row), **asked) for row in rows]


def run(db: Connection, run_id: str) -> RunIndexRecord | None:
    """One record."""
    row = db.execute(f"{_RUN} WHERE run_id = ?", (run_id,)).fetchone()
    return _record(row) if row else None


def run_ids(db: Connection) -> Iterator[RunId]:
    """All runs that any row in here tells of."""
    tables = ("runs", "cursors", "states", "artifacts", "watch")
    told = " UNION ".join(f"SELECT run_id FROM {table}" for table in tables)
    for (run_id,) in db.execute(f"{told} ORDER BY run_id"):
        yield run_id_of(run_id)


def named_like(db: Connection, text: str, most: int) -> list[RunId]:
    """Runs whose id begins with ``text`` (hex and dashes), or ends in it if it has 8 digits."""
    return [run_id_of(each) for each in _like(db, "runs", "run_id", text, most)]


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
    return _artifacts(db, "seq", run_id=run_id, role=role, phase=phase, partition=partition)


def artifacts_by_id(db: Connection, artifact_id: str) -> list[ArtifactMetadata]:
    """Artifacts of this id: one, unless several runs tell of it."""
    return _artifacts(db, "run_id, seq", artifact_id=artifact_id)


def artifacts_by_digest(db: Connection, sha256: str) -> list[ArtifactMetadata]:
    """Artifacts of any run that have this content."""
    return _artifacts(db, "run_id, seq", sha256=sha256)


def _artifacts(db: Connection, order: str, **wanted: str | None) -> list[ArtifactMetadata]:
    given = {column: value for column, value in wanted.items() if value is not None}
    where = " AND ".join(f"{column} = ?" for column in given)
    values = tuple(map(_asked, given.values()))
    rows = db.execute(f"{_ARTIFACT} WHERE {where} ORDER BY {order}", values)
    return [_as_asked(_metadata(row), **given) for row in rows]


def _asked(text: str) -> str | bytes:
    """A text with a lone surrogate stands in no log: asked for as a blob, which equals no text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return b""
    return text


_M = TypeVar("_M", RunIndexRecord, ArtifactMetadata)


def _as_asked(found: _M, **wanted: str | None) -> _M:
    """What was found, if SQLite found what it was asked for: its own indexes may be damaged."""
    for field, value in wanted.items():
        if value is not None and getattr(found, field) != value:
            raise IndexDamaged(f"a row of another {field} than was asked for")
    return found


def _record(row: tuple[object, ...]) -> RunIndexRecord:
    run_id, _, _, _, body = opened(row, str, str, str, str, bytes)
    try:
        found = RunIndexRecord.model_validate_json(body)
    except ValueError as failure:
        raise IndexDamaged("a record does not parse") from failure
    if found.run_id != run_id:
        raise IndexDamaged("a record of another run")
    return found


def _metadata(row: tuple[object, ...]) -> ArtifactMetadata:
    run_id, *_, body = opened(row, str, str, int, str, str, str, str, bytes)
    try:
        found = metadata_of(body)
    except ValueError as failure:
        raise IndexDamaged("an artifact does not parse") from failure
    if found.run_id != run_id:
        raise IndexDamaged("an artifact of another run")
    return found


def counts(db: Connection) -> tuple[int, int, int, int]:
    """Runs, unreadable ones among them, events, artifacts."""
    runs, bad = db.execute(
        "SELECT count(*), count(*) FILTER (WHERE status = ?) FROM runs", (UNREADABLE,)
    ).fetchone()
    # Not sum(): of what is no number it makes some, and past 64 bit it fails.
    events = sum(seq for (seq,) in db.execute("SELECT seq FROM cursors") if type(seq) is int)
    (artifacts,) = db.execute("SELECT count(*) FROM artifacts").fetchone()
    return runs, bad, events, artifacts

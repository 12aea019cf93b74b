"""
What stands in the index: every statement that reads or writes a row of it.

Knows which rows belong together (``keep``: cursor, states, record and artifacts of a run, in the
caller's transaction), and nothing about logs. Values travel as parameters only. What is read is
taken for what it should be only after its seal and its types were looked at.

Below: replay, seals, sqlite, artifact_index, run_fold, run_index, sqlitefile, times. Above:
catchup, rebuild, verify, store.
"""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TypeVar

import msgspec

from journal.ids import RunId
from journal.log import Head
from projections.artifact_index import ArtifactRow
from projections.replay import ARTIFACT_INDEX, BEGINNING, RUN_INDEX, RUN_STATE, RunFolds
from projections.run_fold import RunFold
from projections.run_index import IndexFold, RunIndexRecord
from projections.seals import are, decoding, opened, run_id_of, sealed
from projections.sqlite import IndexDamaged
from projections.sqlitefile import Connection
from projections.times import stamp_of

_S = TypeVar("_S")
_COUNT_MAX = 2**60  # nobody counts that far, and one more is still an integer of SQLite
_encode = msgspec.json.Encoder().encode


class Feed(NamedTuple):
    """Up to where the feed was read, and in which life of the index."""

    generation: int
    cursor: str | None
    token: int


@contextlib.contextmanager
def transaction(db: Connection) -> Iterator[None]:
    """All or nothing, and alone: other writers wait from here on."""
    db.execute("BEGIN IMMEDIATE")
    yield  # an error rolls back in Index.use, which knows what is left of the connection
    db.execute("COMMIT")


@contextlib.contextmanager
def snapshot(db: Connection | None) -> Iterator[None]:
    """What is read inside belongs together, whatever others write meanwhile; nobody waits."""
    if db is None:
        yield
        return
    db.execute("BEGIN")
    yield
    db.execute("COMMIT")


# -- what is to be visited -----------------------------------------------------------------------


def feed(db: Connection) -> Feed:
    """Where reading stands. Raises ``IndexDamaged`` if the row is gone, or no such row."""
    row = db.execute("SELECT generation, feed, token FROM meta WHERE one = 1").fetchone()
    if row is None or not are(row, int, str, int) or not _counts(row[0], row[2]):
        raise IndexDamaged("where the feed was read to is not known")
    return Feed(*row)


def _counts(*values: int | None) -> bool:
    return all(value is not None and 0 <= value < _COUNT_MAX for value in values)


def move_feed(db: Connection, cursor: str, token: int) -> None:
    """Remember up to where the feed was read."""
    db.execute("UPDATE meta SET feed = ?, token = ? WHERE one = 1", (cursor, token))


def watched(db: Connection, behind: str = "", most: int = -1) -> list[tuple[RunId, int]]:
    """Runs to visit, by id, with the token under which each is to be let go again."""
    found = db.execute(
        "SELECT run_id, token FROM watch WHERE run_id > ? ORDER BY run_id LIMIT ?", (behind, most)
    )
    return [(run_id_of(run), token) for run, token in found]


def count_watched(db: Connection) -> int:
    """How many runs are to be visited."""
    (count,) = db.execute("SELECT count(*) FROM watch").fetchone()
    return int(count)


def watch(db: Connection, runs: Iterable[str], token: int) -> None:
    """Put runs into the watch set, or renew their token."""
    db.executemany("INSERT OR REPLACE INTO watch VALUES (?, ?)", ((run, token) for run in runs))


def scan(db: Connection, found: Iterable[str]) -> None:
    """Note all runs that are on disk, aside: no other process waits for that."""
    db.execute("CREATE TEMP TABLE IF NOT EXISTS scanned (run_id TEXT PRIMARY KEY)")
    db.execute("BEGIN")
    db.execute("DELETE FROM temp.scanned")
    db.executemany("INSERT OR IGNORE INTO temp.scanned VALUES (?)", ((run,) for run in found))
    db.execute("COMMIT")


def watch_scanned(db: Connection, token: int) -> None:
    """Visit all that was scanned, and all that is in here and may be gone from disk."""
    db.execute("INSERT OR REPLACE INTO watch SELECT run_id, ? FROM runs", (token,))
    db.execute("INSERT OR REPLACE INTO watch SELECT run_id, ? FROM temp.scanned", (token,))


def is_watched(db: Connection, run_id: str, token: int | None = None) -> bool:
    """Whether a run is watched; with ``token``, whether nobody renewed or ended that since."""
    found = watch_token(db, run_id)
    return found is not None and token in (None, found)


def watch_token(db: Connection, run_id: str) -> int | None:
    """The token under which a run is watched; ``None`` if it is not."""
    row = db.execute("SELECT token FROM watch WHERE run_id = ?", (run_id,)).fetchone()
    return row[0] if row else None


def let_go(db: Connection, run_id: str) -> None:
    """Take a run out of the watch set."""
    db.execute("DELETE FROM watch WHERE run_id = ?", (run_id,))


# -- one run -------------------------------------------------------------------------------------


def cursor(db: Connection, run_id: str) -> Head:
    """Up to where the run is in here; ``BEGINNING`` if it is not. Raises ``IndexDamaged``."""
    row = db.execute(
        "SELECT run_id, seq, position, hash, seal FROM cursors WHERE run_id = ?", (run_id,)
    ).fetchone()
    if row is None:
        return BEGINNING
    with decoding("a cursor"):
        _, seq, position, digest = opened(row, str, int, int, str)
        if seq < 1 or position < 1:
            raise IndexDamaged("a cursor before the beginning")
    return Head(seq, position, digest)


def known_status(db: Connection, run_id: str) -> str | None:
    """The status in the run's record, or ``None`` if there is none."""
    row = db.execute("SELECT status FROM runs WHERE run_id = ?", (run_id,)).fetchone()
    return str(row[0]) if row else None


def run_state(db: Connection, run_id: str, at: Head) -> RunFold | None:
    """The stored state of a run, if it is whole and stands at ``at``."""
    found = _state(db, run_id, RUN_STATE.name, RunFold)
    return found if found is not None and (found.seq, found.hash) == (at.seq, at.hash) else None


def folds(db: Connection, run_id: RunId) -> RunFolds:
    """The run's folds, to go on with; from the beginning if any of them is missing or not whole."""
    at = cursor(db, run_id)
    state = run_state(db, run_id, at)
    index = _state(db, run_id, RUN_INDEX.name, IndexFold)
    if state is None or index is None or (index.seq, index.hash) != (at.seq, at.hash):
        return RunFolds.fresh(run_id)
    return RunFolds(run_id, at, state, index, ARTIFACT_INDEX.initial(run_id))


def _state(db: Connection, run_id: str, name: str, kind: type[_S]) -> _S | None:
    row = db.execute(
        "SELECT run_id, projection, body, seal FROM states WHERE run_id = ? AND projection = ?",
        (run_id, name),
    ).fetchone()
    if row is None:
        return None
    try:
        _, _, body = opened(row, str, str, bytes)
        with decoding("a state"):
            return msgspec.json.decode(body, type=kind)
    except IndexDamaged:
        return None  # the run is folded from its beginning


def keep_folds(db: Connection, found: RunFolds, *, anew: bool) -> None:
    """Write where a run's folds stand; ``anew``: they hold all artifacts, not only new ones."""
    run_id, at = found.run_id, found.at
    if at == BEGINNING:
        return  # not one line could be read
    if anew:
        db.execute("DELETE FROM artifacts WHERE run_id = ?", (run_id,))
    db.execute(
        "INSERT OR REPLACE INTO cursors VALUES (?, ?, ?, ?, ?)",
        sealed(run_id, at.seq, at.position, at.hash),
    )
    db.executemany("INSERT OR REPLACE INTO states VALUES (?, ?, ?, ?)", state_rows(found))
    came, went = found.artifacts.drain()
    db.executemany(
        "INSERT OR REPLACE INTO artifacts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        map(artifact_row, came),
    )
    db.executemany(
        "DELETE FROM artifacts WHERE run_id = ? AND artifact_id = ?", ((run_id, a) for a in went)
    )


def keep_record(db: Connection, record: RunIndexRecord) -> None:
    """Write a run's record."""
    db.execute("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?)", run_row(record))


def stands_written(db: Connection, record: RunIndexRecord) -> bool:
    """Whether the run's record is this one already."""
    return raw_run(db, record.run_id) == run_row(record)


def forget(db: Connection, run_id: str) -> None:
    """Delete all rows of a run."""
    for table in ("watch", "cursors", "states", "runs", "artifacts"):
        db.execute(f"DELETE FROM {table} WHERE run_id = ?", (run_id,))


def state_rows(found: RunFolds) -> tuple[tuple[Any, ...], ...]:
    """The states that are stored, as they are stored."""
    return (
        sealed(found.run_id, RUN_STATE.name, _encode(found.run_state)),
        sealed(found.run_id, RUN_INDEX.name, _encode(found.run_index)),
    )


def run_row(record: RunIndexRecord) -> tuple[Any, ...]:
    """A record as it is stored."""
    body = record.model_dump_json().encode()
    return sealed(record.run_id, record.status, record.project, stamp_of(record.created_at), body)


def artifact_row(row: ArtifactRow) -> tuple[Any, ...]:
    """An artifact as it is stored."""
    return sealed(
        row.run_id,
        row.artifact_id,
        row.seq,
        row.role,
        row.phase,
        row.partition,
        row.sha256,
        _encode(row),
    )


# -- rows as they stand, to be held against a fold -----------------------------------------------


def raw_run(db: Connection, run_id: str) -> tuple[object, ...] | None:
    """The row that ``run_row`` makes."""
    row: tuple[object, ...] | None = db.execute(
        "SELECT run_id, status, project, created_at, body, seal FROM runs WHERE run_id = ?",
        (run_id,),
    ).fetchone()
    return row


def raw_states(db: Connection, run_id: str) -> dict[object, tuple[object, ...]]:
    """Stored states by projection: the rows that ``state_rows`` makes."""
    found = db.execute(
        "SELECT run_id, projection, body, seal FROM states WHERE run_id = ?", (run_id,)
    )
    return {row[1]: row for row in found}


def raw_artifacts(db: Connection, run_id: str) -> Iterator[tuple[object, ...]]:
    """The rows that ``artifact_row`` makes."""
    yield from db.execute(
        "SELECT run_id, artifact_id, seq, role, phase, partition, sha256, body, seal "
        "FROM artifacts WHERE run_id = ? ORDER BY seq",
        (run_id,),
    )

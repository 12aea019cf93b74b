"""
The index anew: folded beside from the logs alone, then put in place in one transaction.

Copied, not renamed: a file that is renamed over an open WAL database meets the old -wal, and the
next opener applies one to the other. Inside the file SQLite itself sees to it that a reader has
either the old rows or the new ones, and a kill at any moment leaves the old index whole.
``index.lock`` keeps a second rebuild, and the replacing of a damaged file, out of the way;
readers go on meanwhile, and what they fold while rows are swapped under them is thrown away
(``generation``).

Below: catchup, sqlite, findings, questions, rows, schema, sqlitefile, threads. Above: store.
"""

import contextlib
import sqlite3
from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, Field

from journal.errors import StorageErrorCode, from_system, storage_error
from journal.log import EventLog
from projections import questions, rows, schema
from projections.catchup import catch_up
from projections.findings import Finding
from projections.sqlite import Index, IndexDamaged
from projections.sqlitefile import UNUSABLE, Connection, check_whole, primary_code, remove
from projections.threads import Progress


class RebuildReport(BaseModel):
    """What a rebuild or a comparison found."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    runs: int = Field(description="runs that were folded or compared")
    events: int = Field(description="their events")
    artifacts: int = Field(description="their artifacts")
    unreadable: int = Field(description="runs among them whose log is refused")
    swapped: bool = Field(description="whether the index was replaced")
    findings: list[Finding] = Field([], description="where a comparison found index and log apart")


def rebuild(index: Index, log: EventLog, *, progress: Progress | None = None) -> RebuildReport:
    """
    Fold all runs anew and put the result in the place of the index.

    Accepts every log as it stands now: what the index knew of lines that are lost is gone with
    it. Raises ``locked`` while another process rebuilds, and whatever keeps the file from being
    written (``permission_denied``, ``no_space``, ``io_error``, ``unsupported_format``).
    """
    if index.path is None:
        return index.use(lambda db: _in_place(db, log, progress))
    own = Index(index.path)
    beside = f"{index.path.removesuffix('.sqlite')}.new.sqlite"
    try:
        with own.exclusive():
            own.use(_look, required=True)  # a newer index is refused before the long work
            try:
                with _refusals(beside):
                    _remove(beside)
                    report = _fold_beside(beside, log, progress)
                own.use(lambda db: _swap(db, beside), required=True)
            finally:
                with contextlib.suppress(OSError):  # the next rebuild takes it away
                    _remove(beside)
        return report
    finally:
        own.close()


@contextlib.contextmanager
def _refusals(beside: str) -> Iterator[None]:
    """The file beside is written without ``Index.use``: say what keeps it from that."""
    try:
        yield
    except sqlite3.ProgrammingError:
        raise  # a mistake in here, not in the file
    except (sqlite3.Error, IndexDamaged) as failure:
        raise storage_error(
            UNUSABLE.get(primary_code(failure) or 0, StorageErrorCode.IO_ERROR),
            f"the new index at {beside} cannot be written ({failure}). The old one is untouched.",
            operation="rebuild",
            path=beside,
            reason="index",
            next_action="look at the disk, then journal rebuild",
        ) from failure
    except (OSError, MemoryError) as failure:
        message = "the new index cannot be written; the old one is untouched"
        raise from_system(failure, message, operation="rebuild", path=beside) from failure


def _look(db: Connection) -> None:
    """A file whose pages are damaged gives way to a new one: rows alone would not mend it."""
    wrong = check_whole(db)
    if wrong is not None:
        raise IndexDamaged(wrong)
    rows.feed(db)


def _fold_beside(beside: str, log: EventLog, progress: Progress | None) -> RebuildReport:
    db = sqlite3.connect(beside, isolation_level=None)
    try:
        # Nobody else knows this file, and after a crash it is thrown away.
        db.execute("PRAGMA journal_mode = MEMORY")
        db.execute("PRAGMA synchronous = OFF")
        schema.make(db, beside)
        catch_up(db, log, progress=progress)
        return report_of(db)
    finally:
        db.close()


def _swap(db: Connection, beside: str) -> None:
    db.execute("ATTACH ? AS built", (beside,))
    try:
        with rows.transaction(db):
            for table in schema.TABLES:
                db.execute(f"DELETE FROM main.{table}")
                db.execute(f"INSERT INTO main.{table} SELECT * FROM built.{table}")
            db.execute(
                "UPDATE main.meta SET generation = generation + 1, "
                "feed = (SELECT feed FROM built.meta), token = (SELECT token FROM built.meta)"
            )
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")
        db.execute("DETACH built")


def _in_place(db: Connection, log: EventLog, progress: Progress | None) -> RebuildReport:
    """An index in memory is nobody else's."""
    with rows.transaction(db):
        for table in schema.TABLES:
            if table != "projections":
                db.execute(f"DELETE FROM {table}")
        db.execute("UPDATE meta SET generation = generation + 1, feed = NULL")
    catch_up(db, log, progress=progress)
    return report_of(db)


def report_of(db: Connection, findings: list[Finding] | None = None) -> RebuildReport:
    """Count what is in an index."""
    runs, unreadable, events, artifacts = questions.counts(db)
    return RebuildReport(
        runs=runs,
        events=events,
        artifacts=artifacts,
        unreadable=unreadable,
        swapped=findings is None,
        findings=findings or [],
    )


def _remove(beside: str) -> None:
    for suffix in ("", "-journal", "-wal", "-shm"):
        remove(f"{beside}{suffix}")

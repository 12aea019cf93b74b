"""
What is asked of a store, answered on a worker thread: catch up, then look.

Each function takes an open index (``db``) and the logs; it may be run again on another index.

Below: catchup, questions, timetravel, replay, rows, run_index, run_state, seals, sqlitefile,
threads. Above: store.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from typing import TypeVar, get_args

from journal.artifacts.store import ArtifactMetadata, ArtifactStore
from journal.chain import Chain
from journal.errors import StorageError, StorageErrorCode, storage_error
from journal.ids import RunId
from journal.log import EventLog
from journal.record import Record
from projections import questions, rows
from projections.catchup import catch_up
from projections.replay import RUN_STATE, check_goes_on
from projections.run_index import IndexStatus, RunIndexRecord
from projections.run_state import RunState
from projections.seals import decoding
from projections.sqlitefile import Connection
from projections.threads import Progress
from projections.timetravel.at import Point, fold_to

T = TypeVar("T")

_GOING_ON = frozenset({"pending", "running"})
_SWAPS_MAX = 10  # rebuilds between a visit and its question


def check_question(status: str | None, since: datetime | None, limit: int | None) -> None:
    """Refuse with ``validation_error`` what would silently find nothing, or another thing."""
    if status is not None and status not in get_args(IndexStatus):
        raise _bad("status", f"no run has the status {status!r}", ", ".join(get_args(IndexStatus)))
    if limit is not None and limit < 0:
        raise _bad("limit", f"a limit of {limit} is none", "0 or more, or no limit")
    if since is not None and since.tzinfo is None:
        raise _bad("naive_time", f"{since.isoformat()} has no zone", "a time with its zone")


def _bad(reason: str, what: str, wanted: str) -> StorageError:
    return storage_error(
        StorageErrorCode.VALIDATION_ERROR, f"{what}; wanted: {wanted}.", reason=f"bad_{reason}"
    )


def list_runs(
    db: Connection,
    log: EventLog,
    status: str | None,
    project: str | None,
    since: datetime | None,
    limit: int | None,
    progress: Progress,
) -> list[RunIndexRecord]:
    """Records, newest first; those that go on say whether anybody still writes them."""
    found = caught_up(
        db, log, lambda: questions.runs(db, status, project, since, limit), progress=progress
    )
    return [
        each.model_copy(update={"writer_gone": True})
        if each.status in _GOING_ON and writer_gone(log, RunId(each.run_id))
        else each
        for each in found
    ]


def caught_up(
    db: Connection,
    log: EventLog,
    ask: Callable[[], T],
    *,
    only: RunId | None = None,
    progress: Progress | None = None,
) -> T:
    """
    Catch up, then ask for rows.

    What another process swaps in meanwhile was folded before: it may lack events that were shown
    already, so it is caught up with as well.
    """
    for _ in range(_SWAPS_MAX):
        generation = rows.feed(db).generation
        catch_up(db, log, only=only, progress=progress)
        with rows.snapshot(db):
            found = ask() if rows.feed(db).generation == generation else None
        if found is not None:
            return found
    return ask()


def writer_gone(log: EventLog, run_id: RunId) -> bool:
    """Whether nobody holds the run's lock; of a run that did not end: its writer died or left."""
    with suppress(StorageError):  # a run that cannot be read says so elsewhere
        return not log.head(run_id).live
    return False


def state(
    db: Connection, log: EventLog, run_id: RunId, at: Point | None, progress: Progress
) -> RunState:
    """The stored state where it stands at the head; else a fold of the log, checked."""
    head = log.head(run_id).head
    catch_up(db, log, only=run_id, progress=progress)
    known = rows.cursor(db, run_id)
    if known.seq >= head.seq and known != head:
        head = log.head(run_id).head  # it went on meanwhile; or lines are lost
    if known.seq:
        check_goes_on(run_id, known, head)
    if at is None and known.seq >= head.seq:
        stored = rows.run_state(db, run_id, known)
        if stored is not None:
            with decoding("a state"):
                return RUN_STATE.present(stored)
    return RUN_STATE.present(fold_to(log, run_id, head, at, known if known.seq else None))


def lines(
    log: EventLog, run_id: RunId, after: int, until: int | None
) -> Iterator[tuple[bytes, Record]]:
    """Lines with seq above ``after``, up to ``until`` or what is there now; checked from line 1."""
    head = log.head(run_id).head
    last = head.seq if until is None else min(until, head.seq)
    if after >= last:
        return
    chain = Chain(run_id)
    for line in log.read(run_id, 0, head.position):
        record = chain.follow(line)
        if record.seq > after:
            yield line, record
        if record.seq >= last:
            return


def artifacts(
    db: Connection,
    log: EventLog,
    store: ArtifactStore,
    find: Callable[[Connection], list[ArtifactMetadata]],
    only: RunId | None,
    progress: Progress,
) -> list[ArtifactMetadata]:
    """Artifacts, each with the place where its bytes lie."""
    found = caught_up(db, log, lambda: find(db), only=only, progress=progress)
    return [
        each.model_copy(update={"location": store.location(each.run_id, each.sha256)})
        for each in found
    ]

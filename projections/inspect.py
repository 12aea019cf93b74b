"""
The whole store under the eye of ``verify``: logs, artifacts, and the index as it lies there.

The index is looked at before anything catches it up: what is wrong with it must be seen, not
folded over.

Below: verify, rebuild, rows, run_index, sqlite, catchup, findings, sqlitefile, threads. Above:
store.
"""

from collections.abc import Sequence

from journal.artifacts.store import ArtifactStore
from journal.errors import StorageError, StorageErrorCode
from journal.ids import RunId
from journal.log import EventLog
from projections import rows
from projections.catchup import note_changes
from projections.findings import INDEX_BEHIND, Finding, finding_of
from projections.rebuild import RebuildReport, report_of
from projections.run_index import UNREADABLE
from projections.sqlite import Index, IndexDamaged
from projections.sqlitefile import Connection, check_whole, identity
from projections.threads import Progress
from projections.verify import verify

_LOOKS = 3


def check_store(
    log: EventLog,
    artifacts: ArtifactStore,
    index: Index,
    run_ids: Sequence[RunId] | None,
    progress: Progress,
) -> list[Finding]:
    """All findings; an index that cannot be looked at is one of them, and hides no other."""
    found: list[Finding] = []

    def look(db: Connection | None) -> list[Finding]:
        return verify(log, artifacts, db, run_ids, progress=progress)

    if not _is_there(index):
        return look(None)
    own = _own(index)
    try:
        own.use(lambda db: _prepare(db, log))
        found += own.use(lambda db: _still(db, log, look(db)))
    except StorageError as failure:
        if failure.code is not StorageErrorCode.UNSUPPORTED_FORMAT:
            raise
        found += [finding_of(failure, None), *look(None)]
    finally:
        if own is not index:
            own.close()
    if own.replaced is not None:
        found.insert(0, _was_damaged(own))
    return found


def check_index(index: Index, log: EventLog, *, progress: Progress) -> RebuildReport:
    """Hold every row against a fresh fold; nothing is changed but what the feed says."""
    if not _is_there(index):
        return RebuildReport(
            runs=0, events=0, artifacts=0, unreadable=0, swapped=False, findings=[]
        )
    own = _own(index)

    def look(db: Connection) -> RebuildReport:
        _prepare(db, log)
        found = verify(log, None, db, progress=progress, strict=False)
        return report_of(db, _still(db, log, found))

    try:
        report = own.use(look)
        if own.replaced is None:
            return report
        return report.model_copy(update={"findings": [_was_damaged(own), *report.findings]})
    finally:
        if own is not index:
            own.close()


def _prepare(db: Connection, log: EventLog) -> None:
    """What SQLite can tell by itself comes first: rows that no index of it leads to, and so on."""
    wrong = check_whole(db)
    if wrong is not None:
        raise IndexDamaged(wrong)
    note_changes(db, log)


def _still(db: Connection, log: EventLog, found: list[Finding]) -> list[Finding]:
    """Without the runs that went on while we looked: another reader may be at work on them."""
    return [
        each
        for each in found
        if each.reason != INDEX_BEHIND or _is_behind(db, log, RunId(each.run_id or ""))
    ]


def _is_behind(db: Connection, log: EventLog, run_id: RunId) -> bool:
    """
    Whether the index lacks something of a run, and nobody will look for it.

    The feed tells of a run before a line is written. So who finds that the index is behind, reads
    the feed, and finds the run neither there nor caught up with by then, has found a gap; once
    might be between two steps of another reader.
    """
    for _ in range(_LOOKS):
        status = rows.known_status(db, run_id)
        try:
            info = log.head(run_id)
            there = rows.cursor(db, run_id) == info.head and status not in (None, UNREADABLE)
        except (StorageError, IndexDamaged):  # a finding of its own
            return not rows.is_watched(db, run_id)
        if there and not info.live:
            return False
        note_changes(db, log)
        if rows.is_watched(db, run_id):
            return False
    return True


def _is_there(index: Index) -> bool:
    return index.path is None or identity(index.path) is not None


def _own(index: Index) -> Index:
    """Another connection: who looks for hours must not keep others from asking."""
    return index if index.path is None else Index(index.path)


def _was_damaged(index: Index) -> Finding:
    return Finding(
        code=StorageErrorCode.CORRUPT,
        path=index.path,
        reason="index_file",
        message=f"the index at {index.path} was damaged ({index.replaced}). It is derived, and an "
        "empty one lies there now, which the next list fills again.",
        next_action="journal list",
    )

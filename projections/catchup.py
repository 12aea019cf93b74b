"""
Reading catches up first: what a person sees is what the logs say.

One visit reads the feed, then each watched run from where its folds stand. It costs the runs that
moved, never all runs. A kill at any point loses nothing:

* The feed's cursor moves in the transaction that puts its runs into the watch set, and a run
  leaves that set only in the transaction that brings its rows to the end of its log.
* A run leaves only when no line can follow unannounced: its writer closed it, or nobody held its
  lock *before* its end was looked up. Whoever opens it later tells the feed first. (A reader that
  took the feed's word for the whole log would lose what is written a moment later.)
* Other processes may do the same at the same time: rows are kept only if the run still stands
  where they were folded from, and if nobody touched its place in the watch set.

A log that cannot be read, or no longer holds what was read of it before, becomes a record with
status ``unreadable``; it is never skipped and never smoothed over. It is looked at again at every
visit, from its last whole line on: somebody may have put the log back, and no feed tells of that.
A part of the store that cannot be looked at is told by a ``HiddenRunsWarning`` until it can.

Below: replay, rows, run_index, seals, sqlitefile, threads. Above: rebuild, timetravel, store.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import nullcontext

import msgspec

from journal.errors import StorageError, StorageErrorCode
from journal.ids import RunId
from journal.log import Changes, EventLog, Head, HeadInfo
from projections import rows
from projections.replay import BEGINNING, RUN_INDEX, RunFolds, check_goes_on
from projections.run_index import UNREADABLE, RunIndexRecord, unreadable
from projections.seals import decoding
from projections.sqlitefile import Connection
from projections.threads import Progress

LINES_PER_STEP = 50_000
"""Lines folded between two commits: what a kill makes somebody fold again."""

RUNS_PER_STEP = 200
"""Runs committed together: one commit costs about as much as ten short runs."""

_ROUNDS_MAX = 5
_VISITS_PER_PAGE = 1_000
_PARTS_MAX = 1_000  # of the feed, at one visit: more than any feed has


class HiddenRunsWarning(UserWarning):
    """A part of the store cannot be looked at: runs may lie there that no list shows."""


class _Visit(msgspec.Struct):
    """What reading one run brought, until it is committed."""

    run_id: RunId
    token: int
    before: Head
    rests: bool = False
    folds: RunFolds | None = None
    record: RunIndexRecord | None = None
    anew: bool = False
    lines: int = 0
    stranger: bool = False


def catch_up(
    db: Connection, log: EventLog, *, only: RunId | None = None, progress: Progress | None = None
) -> None:
    """
    Bring the index to what the logs say now; with ``only``, no other run is read.

    Raises errors of the feed and of SQLite; those of one run become its record.
    """
    for round_number in range(_ROUNDS_MAX):
        note_changes(db, log)
        count = rows.count_watched(db) if only is None else 1
        reading, done = _Reading(db, log, last_round=round_number > 0), -1
        for done, (run_id, token) in enumerate(_visits(db, only)):
            for events in reading.visit(run_id, token):
                if progress is not None:
                    progress(done, count, events)
        if done < 0:
            return
        reading.commit()
        if progress is not None:
            progress(done + 1, max(count, done + 1), reading.events)
        if reading.settled:
            return


def _visits(db: Connection, only: RunId | None) -> Iterator[tuple[RunId, int]]:
    """What is watched, some at a time: a cold start watches every run that there is."""
    if only is not None:
        token = rows.watch_token(db, only)
        if token is not None:
            yield only, token
        return
    behind = ""
    while page := rows.watched(db, behind, _VISITS_PER_PAGE):
        yield from page
        behind = page[-1][0]


def note_changes(db: Connection, log: EventLog) -> None:
    """Move what the feed says since last time into the watch set; forget what was deleted."""
    for _ in range(_PARTS_MAX):
        known = rows.feed(db)
        found = log.changes(known.cursor)
        if not found.changes and not found.everything:
            return
        hidden: list[StorageError] = []
        last = {change.run_id: change.what for change in found.changes}
        gone = [run for run, what in last.items() if what == "deleted" and _is_gone(log, run)]
        everything = found.everything or _names_strangers(db, found, gone)
        if everything:
            rows.scan(db, log.runs(hidden))
        with rows.transaction(db):
            if rows.feed(db) != known:
                continue  # somebody else was faster: look at what is new since then
            token = known.token + 1
            if everything:
                rows.watch_scanned(db, token)
            rows.watch(db, last, token)
            for run_id in gone:
                rows.forget(db, run_id)
            # What could not be looked at is looked for again at each visit.
            rows.move_feed(db, "" if hidden else found.cursor, token)
        for failure in hidden:
            warnings.warn(str(failure), HiddenRunsWarning, stacklevel=1)
        if everything:
            return


def _is_gone(log: EventLog, run_id: RunId) -> bool:
    """Whether a run that is told as deleted is: a flipped bit in the feed may name another one."""
    try:
        log.head(run_id)
    except StorageError as failure:
        return failure.code is StorageErrorCode.NOT_FOUND
    return False


def _names_strangers(db: Connection, found: Changes, gone: Sequence[RunId]) -> bool:
    """Whether a run is told as deleted that nobody told of before: a bit of its id is another."""
    told = {each.run_id for each in found.changes if each.what != "deleted"}
    return any(
        run_id not in told
        and rows.known_status(db, run_id) is None
        and not rows.is_watched(db, run_id)
        for run_id in gone
    )


class _Reading:
    """One round through the watch set. ``settled``: nothing asks for another round."""

    def __init__(self, db: Connection, log: EventLog, *, last_round: bool) -> None:
        self._db = db
        self._log = log
        self._last_round = last_round
        self._generation = rows.feed(db).generation
        self._pending: list[_Visit] = []
        self._lines = 0
        self.events = 0
        self.settled = True

    def visit(self, run_id: RunId, token: int) -> Iterator[int]:
        """
        Read a run to its end, committing now and then; what is left waits for ``commit``.

        Gives the number of events read in all, at each step: a place to show it, or to stop.
        """
        yield self.events
        visit = _Visit(run_id, token, rows.cursor(self._db, run_id))
        try:
            info = self._log.head(run_id)
            while not self._read(visit, info):
                self._add(visit)
                if not self.commit():
                    return
                yield self.events
                visit = _Visit(run_id, token, rows.cursor(self._db, run_id))
            visit.rests = self._may_rest(info, run_id)
        except StorageError as failure:
            known = rows.known_status(self._db, run_id) == UNREADABLE
            if failure.code is StorageErrorCode.NOT_FOUND and not self._last_round and not known:
                self.settled = False  # deleted just now? then the feed says so by the next round
                return
            folds = visit.folds or rows.folds(self._db, run_id)
            visit.record = unreadable(run_id, folds.run_index, failure)
            if failure.code is StorageErrorCode.NOT_FOUND and visit.before == BEGINNING:
                # Never seen: the feed may have meant another run, so all are looked for, once.
                visit.stranger = not known
            same = visit.folds is None or folds.at == visit.before
            if same and rows.stands_written(self._db, visit.record):
                return  # as bad as it was: nothing is written
        self._add(visit)

    def _read(self, visit: _Visit, info: HeadInfo) -> bool:
        """Fold up to the head, or one step towards it; gives whether the head is reached."""
        run_id, head = visit.run_id, info.head
        check_goes_on(run_id, visit.before, head)
        if visit.before == head and rows.known_status(self._db, run_id) not in (None, UNREADABLE):
            return True
        folds = rows.folds(self._db, run_id)
        start = folds.at.seq
        visit.anew = start == 0
        if visit.anew and visit.before.seq:
            folds.read(self._log, visit.before)  # the states were damaged, the cursor still holds
        visit.folds = folds  # not before: a log that lost that line must not move the cursor
        # A stored state that was made up may be sealed, and be nothing that can be gone on from.
        with decoding("a state") if start else nullcontext():
            reached = folds.read(self._log, head, lines_max=LINES_PER_STEP)
            visit.record = RUN_INDEX.present(folds.run_index)
        visit.lines = folds.at.seq - start
        self.events += visit.lines
        return reached

    def _may_rest(self, info: HeadInfo, run_id: RunId) -> bool:
        if info.state == "closed":
            return True
        if info.live:
            return False
        # Whoever held the lock a moment before it was asked about may have written behind the
        # head that was read; with nobody there, a second look sees the end. What its writer left
        # behind that end, not acknowledged, is shown after a reboot, and no feed will tell of it.
        return (
            self._log.head(run_id).head == info.head
            and self._log.extent(run_id).size_bytes == info.head.position
        )

    def _add(self, visit: _Visit) -> None:
        self._pending.append(visit)
        self._lines += visit.lines
        if len(self._pending) >= RUNS_PER_STEP or self._lines >= LINES_PER_STEP:
            self.commit()

    def commit(self) -> bool:
        """Write what is pending; gives whether all of it was still wanted."""
        pending, self._pending, self._lines = self._pending, [], 0
        wanted = True
        if any(visit.record is not None or visit.rests for visit in pending):
            with rows.transaction(self._db):
                same = rows.feed(self._db).generation == self._generation
                for visit in pending:
                    wanted = (same and self._write(visit)) and wanted
        self.settled = self.settled and wanted
        return wanted

    def _write(self, visit: _Visit) -> bool:
        db, run_id = self._db, visit.run_id
        if not rows.is_watched(db, run_id, visit.token):
            return False
        if rows.cursor(db, run_id) != visit.before:
            return False
        if visit.folds is not None:
            rows.keep_folds(db, visit.folds, anew=visit.anew)
        if visit.record is not None:
            rows.keep_record(db, visit.record)
        if visit.rests:
            rows.let_go(db, run_id)
        if visit.stranger:
            rows.move_feed(db, "", rows.feed(db).token)
            self.settled = False
        return True

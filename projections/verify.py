"""
Whether everything is as it was written: logs, artifacts, and the index beside them.

Each log is walked from line 1 with the strict rules; within one log the first broken line is
named, and the next log is looked at all the same. Artifacts are hashed against the events that
tell them, stored rows compared with a fresh fold of the log up to the line they stand at. (A
flipped bit in an index is mostly neither noticed by SQLite nor by its own integrity check.) What
lies beside a log is looked at, too. Changes nothing but what the feed says about deleted runs.

Below: beside, findings, logrules, replay, rows, artifact_index, questions, run_index, sqlite,
sqlitefile, threads. Above: rebuild, store.
"""

from collections.abc import Iterable, Iterator

from journal.artifacts.store import ArtifactStore
from journal.errors import StorageError, StorageErrorCode
from journal.ids import RunId
from journal.log import EventLog, Head, HeadInfo
from projections import beside, questions, rows
from projections.artifact_index import ArtifactRow
from projections.findings import (
    INDEX_BEHIND,
    Finding,
    artifact_finding,
    finding_of,
    index_finding,
)
from projections.logrules import owner_of
from projections.replay import BEGINNING, RUN_INDEX, RunFolds, check_goes_on
from projections.run_index import UNREADABLE
from projections.sqlite import IndexDamaged
from projections.sqlitefile import Connection
from projections.threads import Progress

_LINES_PER_STEP = 50_000
_NO_END = Head(2**62, 2**62, "")


def verify(
    log: EventLog,
    artifacts: ArtifactStore | None,
    db: Connection | None,
    run_ids: Iterable[RunId] | None = None,
    *,
    progress: Progress | None = None,
    strict: bool = True,
) -> list[Finding]:
    """
    All that is wrong with these runs, or with all runs; an empty list if nothing is.

    Without ``artifacts`` only logs and index are looked at, without ``db`` no index.
    """
    hidden: list[StorageError] = []
    if run_ids is None:
        known = set(questions.run_ids(db)) if db is not None else set()
        wanted = sorted({*log.runs(hidden), *known, *log.announced()})
    else:
        wanted = list(run_ids)
    found = [finding_of(failure, None) for failure in hidden]
    if run_ids is None and strict:
        found += beside.of_store(log)
    events = 0
    for done, run_id in enumerate(wanted):
        check = _RunCheck(log, artifacts, db, run_id, strict=strict)
        with rows.snapshot(db):
            for step in check.steps():
                if progress is not None:
                    progress(done, len(wanted), events + step)
        events += check.folds.at.seq
        found += check.found
    if progress is not None:
        progress(len(wanted), len(wanted), events)
    return found


class _RunCheck:
    """One run; ``found`` grows while ``steps`` is walked."""

    def __init__(
        self,
        log: EventLog,
        artifacts: ArtifactStore | None,
        db: Connection | None,
        run_id: RunId,
        *,
        strict: bool,
    ) -> None:
        self._log = log
        self._artifacts = artifacts
        self._db = db
        self._run_id = run_id
        self._strict = strict
        self.folds = RunFolds.fresh(run_id)
        # Before the head is: a checkpoint is never ahead of the log that it was made from.
        self._rules = beside.rules_for(log, run_id) if strict else None
        self.found: list[Finding] = []

    def steps(self) -> Iterator[int]:
        """Check everything; gives the number of lines read now and then."""
        db, run_id = self._db, self._run_id
        stands = self._stands()
        status = rows.known_status(db, run_id) if db is not None else None
        whole = behind = False
        try:
            info = self._head()
            head = info.head
            behind = info.live or stands != head
            yield from self._walk(min(stands.seq, head.seq), head)
            if db is not None:
                self._compare(db, stands, head)
            yield from self._walk(head.seq, head)
            whole = True
            self._check_tail()
            yield from self._check_beside(info)
        except StorageError as failure:
            self._refused(failure, known=status is not None)
        if self._rules is not None:
            self.found += beside.broken_rules(run_id, self._rules, self.folds.at.seq)
        # A run that is watched is read again at the next question: what could not be read for a
        # moment is no lie that stays.
        watched = db is not None and rows.is_watched(db, run_id)
        if whole and status == UNREADABLE and not watched and not self.found:
            self.found.append(index_finding(run_id, "the status 'unreadable'"))
        if db is not None:
            self._check_record_alone(db)
            unread = status in (None, UNREADABLE) or (whole and behind)
            if unread and not watched:
                what = "its absence" if status is None else "that nothing is left to be read"
                self.found.append(index_finding(run_id, what, reason=INDEX_BEHIND))
        yield from self._check_artifacts()

    def _stands(self) -> Head:
        """Up to where the run is in the index."""
        try:
            return rows.cursor(self._db, self._run_id) if self._db is not None else BEGINNING
        except IndexDamaged:
            self.found.append(index_finding(self._run_id, "the cursor"))
            return BEGINNING

    def _head(self) -> HeadInfo:
        """The log's end; where that is damaged, the first line that is broken is the error."""
        try:
            return self._log.head(self._run_id)
        except StorageError as failure:
            if failure.code is StorageErrorCode.NOT_FOUND:
                raise
            broken = self._first_broken_line()
            if broken is None:
                raise
            raise broken from failure

    def _first_broken_line(self) -> StorageError | None:
        try:
            self.folds.read(self._log, _NO_END, strict=self._strict, rules=self._rules)
        except StorageError as failure:
            if failure.info.details.seq is not None:
                return failure
        return None

    def _walk(self, seq: int, head: Head) -> Iterator[int]:
        while self.folds.at.seq < seq:
            lines = min(_LINES_PER_STEP, seq - self.folds.at.seq)
            self.folds.read(
                self._log, head, lines_max=lines, strict=self._strict, rules=self._rules
            )
            yield self.folds.at.seq

    def _check_tail(self) -> None:
        torn = beside.torn_tail(self._log, self._run_id, self.folds.at)
        if torn is not None:
            self.found.append(
                Finding(
                    code=StorageErrorCode.CORRUPT,
                    run_id=self._run_id,
                    seq=torn.seq + 1,
                    offset=torn.position,
                    reason="torn_tail",
                    message=f"run {self._run_id}: {torn.size_bytes} bytes behind line {torn.seq} "
                    f"(byte {torn.position}) were never acknowledged: a torn tail.",
                    next_action=f"journal repair {self._run_id}",
                )
            )

    def _check_beside(self, info: HeadInfo) -> Iterator[int]:
        if self._rules is None:
            return
        self.found += beside.beside_log(self._log, self._run_id, info, self._rules)
        if self._artifacts is not None and not info.live:
            told = {row.sha256 for row in self.folds.artifacts.came.values()}
            self.found += beside.orphans(self._artifacts, self._run_id, told)
        yield self.folds.at.seq

    def _refused(self, failure: StorageError, *, known: bool) -> None:
        run_id = self._run_id
        if failure.info.details.reason == "no_such_run" and (known or self._is_announced()):
            where, action = ("index", "rebuild") if known else ("feed", "repair")
            self.found.append(
                Finding(
                    code=failure.code,
                    run_id=run_id,
                    path=failure.info.details.path,
                    reason="log_gone",
                    message=f"run {run_id} is in the {where}, but gone from the store, and nobody "
                    "deleted it there. Restore its folder from a backup, or accept the loss.",
                    next_action=f"journal {action}",
                )
            )
        else:
            seq = self.folds.at.seq + 1
            self.found.append(self._misplaced(failure) or finding_of(failure, run_id, seq))

    def _is_announced(self) -> bool:
        return self._run_id in self._log.announced()  # still: a deletion tells the feed

    def _misplaced(self, failure: StorageError) -> Finding | None:
        """Line 1 that is whole, but another run's: the folder has a wrong name (case 80)."""
        details = failure.info.details
        if details.seq != 1 or details.reason != "hash":
            return None
        owner = owner_of(next(self._log.read(self._run_id, 0, _NO_END.position), b""))
        if owner is None:
            return None
        return Finding(
            code=failure.code,
            run_id=self._run_id,
            seq=1,
            offset=0,
            reason="folder_name",
            message=f"the folder of run {self._run_id} holds the log of run {owner}. Give it that "
            "name, in the folder of that run's day.",
            next_action="journal rebuild",
        )

    # -- the index -----------------------------------------------------------------------------

    def _compare(self, db: Connection, stands: Head, head: Head) -> None:
        """Hold what is stored against the fold, which stands where the rows say they stand."""
        run_id, folds = self._run_id, self.folds
        check_goes_on(run_id, stands, head)
        check_goes_on(run_id, stands, folds.at)
        stored = rows.raw_states(db, run_id)
        for row in () if stands == BEGINNING else rows.state_rows(folds):
            if stored.pop(row[1], None) != row:
                self.found.append(index_finding(run_id, f"the state {row[1]}", stands.seq))
        for name in stored:  # of no projection that there is
            self.found.append(index_finding(run_id, f"the state {ascii(name)[:80]}"))
        record = rows.raw_run(db, run_id)
        fresh = None if stands == BEGINNING else rows.run_row(RUN_INDEX.present(folds.run_index))
        if record != fresh and (record is None or record[1] != UNREADABLE):
            self.found.append(index_finding(run_id, "the record", stands.seq))
        self._compare_artifacts(db)

    def _check_record_alone(self, db: Connection) -> None:
        """The record of a run whose log is refused is no fold of it, but must agree with itself."""
        try:
            record = questions.run(db, self._run_id)
            whole = record is None or rows.run_row(record) == rows.raw_run(db, self._run_id)
        except IndexDamaged:
            whole = False
        if not whole and not any(each.reason == "index_row" for each in self.found):
            self.found.append(index_finding(self._run_id, "the record"))

    def _compare_artifacts(self, db: Connection) -> None:
        fresh = {row[1]: row for row in map(rows.artifact_row, self.folds.artifacts.came.values())}
        for row in rows.raw_artifacts(db, self._run_id):
            if fresh.pop(str(row[1]), None) != row:
                what = f"the artifact {str(row[1])[:80]}"
                self.found.append(index_finding(self._run_id, what))
        for artifact_id in fresh:
            what = f"the missing artifact {artifact_id[:80]}"
            self.found.append(index_finding(self._run_id, what))

    # -- artifacts -----------------------------------------------------------------------------

    def _check_artifacts(self) -> Iterator[int]:
        """Hash each content once, however many artifacts are made of it."""
        if self._artifacts is None:
            return
        checked: dict[tuple[str, int], StorageError | None] = {}
        for row in self.folds.artifacts.came.values():
            content = row.sha256, row.size_bytes
            if content not in checked:
                checked[content] = self._failure_of(row, self._artifacts)
                yield self.folds.at.seq
            failure = checked[content]
            if failure is not None:
                self.found.append(artifact_finding(failure, row))

    def _failure_of(self, row: ArtifactRow, artifacts: ArtifactStore) -> StorageError | None:
        try:
            artifacts.check(self._run_id, row.sha256, row.size_bytes)
        except StorageError as failure:
            return failure
        return None

"""
From a run's lines to its folds: streamed, every hash checked, from any line on.

Of a fork, the past that it carries is folded first: line 1 puts the fork's own name, time and
status on it, and all that follows goes on from there.

Owns the walk of one run: which projections there are, where they stand, and what it means when a
log no longer continues where they stand. Constant memory; keeps nothing anywhere.

Below: journal, artifact_index, fold, logrules, run_fold, run_index, run_state. Above: rows,
catchup, verify, timetravel.
"""

from collections.abc import Iterator
from itertools import chain as joined
from itertools import islice
from typing import Any

import msgspec

from journal.blocks import follow_many
from journal.chain import Chain
from journal.errors import StorageError, StorageErrorCode, storage_error
from journal.ids import RunId
from journal.log import EventLog, Head
from journal.past import past_records
from journal.record import Record
from projections.artifact_index import ArtifactFold, ArtifactIndexProjection
from projections.fold import Applier, Projection, S, fan_out
from projections.logrules import LogRules
from projections.run_fold import RunFold
from projections.run_index import IndexFold, RunIndexProjection
from projections.run_state import RunStateProjection

RUN_STATE = RunStateProjection()
RUN_INDEX = RunIndexProjection()
ARTIFACT_INDEX = ArtifactIndexProjection()

PROJECTIONS: tuple[Projection[Any, Any], ...] = (RUN_STATE, RUN_INDEX, ARTIFACT_INDEX)
"""What is kept up to date in the index, by name and version."""

BEGINNING = Head(0, 0, "")
"""Where a fold stands that has seen nothing."""


class RunFolds(msgspec.Struct):
    """The three folds of one run, and the line behind which they stand."""

    run_id: RunId
    at: Head
    run_state: RunFold
    run_index: IndexFold
    artifacts: ArtifactFold

    @classmethod
    def fresh(cls, run_id: RunId) -> "RunFolds":
        """Folds that have seen nothing."""
        return cls(
            run_id,
            BEGINNING,
            RUN_STATE.initial(run_id),
            RUN_INDEX.initial(run_id),
            ARTIFACT_INDEX.initial(run_id),
        )

    def read(
        self,
        log: EventLog,
        stop: Head,
        *,
        lines_max: int | None = None,
        strict: bool = False,
        rules: LogRules | None = None,
    ) -> bool:
        """
        Go on to ``stop``, or by ``lines_max`` lines; gives whether ``stop`` is reached.

        After an error the folds stand behind the last line that was whole and in its place.
        ``rules`` look at all that passes.
        Raises what ``Chain.follow`` and ``EventLog.read`` raise, and ``corrupt`` if the log does
        not hold ``stop`` or the line behind which the folds stand.
        """
        check_goes_on(self.run_id, self.at, stop)
        chain = Chain(
            self.run_id, self.at.seq, self.at.position, self.at.hash or None, strict=strict
        )
        lines = log.read(self.run_id, self.at.position, stop.position)
        if self.at == BEGINNING:
            lines = self._begin(log, lines, strict=strict, rules=rules)
        apply = self._apply()
        if rules is not None:
            lines = rules.lines(lines, self.at.seq + 1, self.at.position)
            apply = both(rules.record, apply)
        try:
            for record in follow_many(chain, islice(lines, lines_max)):
                apply(record)
        finally:
            if chain.seq != self.at.seq:
                self.at = Head(chain.seq, chain.position, chain.hash)
        if lines_max is not None and self.at.seq < stop.seq and self.at.position < stop.position:
            return False
        check_reached(self.run_id, self.at, stop)
        return True

    def _begin(
        self, log: EventLog, lines: Iterator[bytes], *, strict: bool, rules: LogRules | None
    ) -> Iterator[bytes]:
        """Fold what a fork goes on from; an error leaves the folds as if nothing was read."""
        past, lines = past_of(log, self.run_id, lines, strict=strict)
        apply = self._apply() if rules is None else both(rules.past, self._apply())
        try:
            for record in past:
                apply(record)
        except BaseException:
            fresh = RunFolds.fresh(self.run_id)
            self.run_state, self.run_index = fresh.run_state, fresh.run_index
            self.artifacts = fresh.artifacts
            raise
        return lines

    def _apply(self) -> Applier:
        return fan_out(
            (
                (RUN_STATE, self.run_state),
                (RUN_INDEX, self.run_index),
                (ARTIFACT_INDEX, self.artifacts),
            )
        )


def both(first: Applier, then: Applier) -> Applier:
    """One function that hands a record to two."""

    def apply(record: Record) -> None:
        first(record)
        then(record)

    return apply


def past_of(
    log: EventLog, run_id: RunId, lines: Iterator[bytes], *, strict: bool = False
) -> tuple[Iterator[Record], Iterator[bytes]]:
    """
    The records that come before ``lines``, which begin with line 1; and all of ``lines`` again.

    None but for a fork: see ``journal.past``. Raises what following line 1 raises.
    """
    first = next(lines, b"")
    if b"fork" not in first and b"\\" not in first:  # spares a second look at most lines 1
        return iter(()), joined((first,) if first else (), lines)
    record = Chain(run_id, strict=strict).follow(first)
    return past_records(log, run_id, record, strict=strict), joined((first,), lines)


def fold_log(projection: Projection[S, Any], log: EventLog, run_id: RunId, stop: Head) -> S:
    """
    One projection of a run from line 1 up to ``stop``, checked; the quickest way to a state.

    ``stop`` is behind line 1 at least. Raises what ``Chain.follow`` and ``EventLog.read`` raise,
    and ``corrupt`` if the log does not hold ``stop``.
    """
    chain, state = Chain(run_id), projection.initial(run_id)
    apply, handles = projection.apply, projection.handles
    past, lines = past_of(log, run_id, log.read(run_id, 0, stop.position))
    records: Iterator[Record] = joined(past, follow_many(chain, lines))
    if handles is not None:
        records = (record for record in records if type(record.data) in handles)
    for record in records:
        apply(state, record)
    check_reached(run_id, Head(chain.seq, chain.position, chain.hash), stop)
    return state


def walk(log: EventLog, run_id: RunId, stop: Head) -> Iterator[Record]:
    """All records of a run's own log up to ``stop``, checked from line 1 on."""
    chain = Chain(run_id)
    yield from follow_many(chain, log.read(run_id, 0, stop.position))
    check_reached(run_id, Head(chain.seq, chain.position, chain.hash), stop)


def check_goes_on(run_id: RunId, known: Head, head: Head) -> None:
    """
    Raise ``corrupt`` if a log that ends at ``head`` cannot be the one that was read to ``known``.

    Acknowledged lines that are gone are a loss: it is reported, never smoothed over (case 62).
    """
    if known.seq < head.seq and known.position < head.position:
        return
    if known.seq == head.seq and known.position == head.position and known.hash == head.hash:
        return
    if known == BEGINNING:
        return
    what = (
        f"this log ends at line {head.seq}, but was read up to line {known.seq} before"
        if known.seq > head.seq
        else f"line {known.seq} is not the one that was read before"
    )
    accepts = f"restore the log, or accept it as it is with journal rebuild (run {run_id})"
    raise _lost(run_id, known, what, accepts)


def check_same(run_id: RunId, known: Head, found: Head) -> None:
    """Raise ``corrupt`` if a line that was read before is another one now (case 62)."""
    if (known.position, known.hash) != (found.position, found.hash):
        check_goes_on(run_id, known, found)


def check_reached(run_id: RunId, at: Head, stop: Head) -> None:
    """Raise ``corrupt`` unless the walk ended exactly where the log says that it ends."""
    if at.seq == stop.seq and at.position == stop.position and at.hash == stop.hash:
        return
    raise _lost(run_id, at, f"line {stop.seq} is not there as it was acknowledged")


def _lost(run_id: RunId, at: Head, what: str, next_action: str | None = None) -> StorageError:
    return storage_error(
        StorageErrorCode.CORRUPT,
        f"run {run_id} line {at.seq} (byte {at.position}): {what}. Nothing was changed.",
        operation="read",
        run_id=run_id,
        seq=at.seq,
        offset=at.position,
        reason="log_lost_lines",
        next_action=next_action or f"journal verify {run_id}",
    )

"""
The state of a run at an event, at a time, or some events before the last.

Folds a checked prefix of the log; the past is never changed, so neither is an answer.

Below: replay, run_fold, times. Above: store.
"""

from datetime import datetime
from itertools import islice

from journal.blocks import follow_many
from journal.chain import Chain
from journal.errors import StorageError, StorageErrorCode, storage_error
from journal.ids import RunId
from journal.log import EventLog, Head
from projections.replay import RUN_STATE, check_same, past_of
from projections.run_fold import RunFold
from projections.times import stamp_of

Point = int | datetime
"""From 1: after that event; below 0: so many events before the last; a time: see ``fold_to``."""


def fold_to(
    log: EventLog, run_id: RunId, head: Head, at: Point | None, known: Head | None = None
) -> RunFold:
    """
    The state at ``at`` of a log that ends at ``head``; the last one if ``at`` is left out.

    A time means the last event that is stamped at or before it. ``known`` is a line that was read
    before: raises ``corrupt`` if it is another one now. Raises ``not_found`` for a point past the
    end or before the first event, ``validation_error`` for a time without a zone.
    """
    last_seq, last_stamp = _bounds(run_id, head, at)
    chain, state = Chain(run_id), RUN_STATE.initial(run_id)
    apply = RUN_STATE.apply
    past, lines = past_of(log, run_id, log.read(run_id, 0, head.position))
    for record in past:
        apply(state, record)
    began = False
    # Two legs, so that the line that was read before is looked at where the fold passes it.
    legs = (known.seq, last_seq) if known is not None and known.seq < last_seq else (last_seq,)
    for seq in legs:
        for record in follow_many(chain, islice(lines, seq - chain.seq)):
            if record.timestamp > last_stamp:
                lines = iter(())
                break
            apply(state, record)
            began = True
        if known is not None and chain.seq == known.seq:
            check_same(run_id, known, Head(chain.seq, chain.position, chain.hash))
    if not began:
        raise _no_such_point(run_id, "before its first event")
    return state


_NO_END = "9999-12-31T23:59:59.999999Z"


def _bounds(run_id: RunId, head: Head, at: Point | None) -> tuple[int, str]:
    """The last seq and the last timestamp that are wanted."""
    if at is None:
        return head.seq, _NO_END
    if isinstance(at, datetime):
        return head.seq, stamp_of(at)
    seq = at if at >= 0 else head.seq + at
    if not 1 <= seq <= head.seq:
        raise _no_such_point(run_id, f"event {seq} of {head.seq}")
    return seq, _NO_END


def _no_such_point(run_id: RunId, what: str) -> StorageError:
    return storage_error(
        StorageErrorCode.NOT_FOUND,
        f"run {run_id} has no such point: {what}.",
        operation="state",
        run_id=run_id,
        reason="no_such_point",
        next_action=f"journal events {run_id}",
    )

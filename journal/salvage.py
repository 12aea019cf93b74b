"""
What can be saved of a damaged run: a new run from the part of its log that verifies.

The log is walked from line 1 with the strict rules. All batches that are whole up to the first
line that is not become the past of a new run, by the same act as a fork (``fork.py``); the damaged
run stays exactly as it is, as evidence and for whoever has a backup. Never guesses, never skips:
behind the first broken line nothing is believed.

Below: errors, ids, events, chain, record, log, past, fork. Above: forking.
"""

import time
from collections.abc import Callable, Iterable

from pydantic import Field

from journal.chain import Chain
from journal.errors import StorageError, StorageErrorCode, storage_error
from journal.events.run import Parent
from journal.fork import Forked, Prefix, Store, go_on
from journal.ids import RunId
from journal.log import EventLog, Extent, Head
from journal.past import ancestry, check_pinned, in_past
from journal.record import Record

# What says that the bytes are not those that were written; io_error: the disk does not give them.
_DAMAGE = frozenset(
    {
        StorageErrorCode.CORRUPT,
        StorageErrorCode.IO_ERROR,
        StorageErrorCode.LIMIT_EXCEEDED,
        StorageErrorCode.SERIALIZATION_ERROR,
        StorageErrorCode.VALIDATION_ERROR,
    }
)

_NOTHING = Head(0, 0, "")


class Salvaged(Forked):
    """A run that goes on from what could be saved of a damaged one, and what could not be."""

    damaged: str = Field(description="the damaged run, which was not touched")
    code: StorageErrorCode = Field(strict=False, description="what kind of damage")
    because: str = Field(description="one sentence: where the damage is, and what")
    left_from_line: int = Field(description="the first line of the damaged run that was left")
    left_from_byte: int = Field(description="where that line starts in its log, in bytes")
    left_bytes: int = Field(description="bytes of its log from there to the end")
    untold: list[str] = Field(
        [], description="digests of artifacts that lie there, and that no saved event tells"
    )


class _Walk:
    """The whole batches from line 1 on, and what ended them."""

    def __init__(self, log: EventLog, run_id: RunId, extent: Extent) -> None:
        self._log = log
        self._run_id = run_id
        self.prefix = Prefix(run_id)
        self.failure: StorageError | None = None
        self._pins: tuple[Parent, ...] = ()
        try:
            self._follow(run_id, log.read(run_id, 0, extent.size_bytes))
        except StorageError as failure:
            if failure.code not in _DAMAGE:
                raise
            self.failure = failure

    def _follow(self, run_id: RunId, lines: Iterable[bytes], pin: Parent | None = None) -> None:
        """Apply the whole batches of one run; of an ancestor, all up to the line that is pinned."""
        chain = Chain(run_id, strict=True)
        batch: list[Record] = []
        for line in lines:
            record = chain.follow(line)
            if record.seq == 1 and pin is None:
                self._follow_past(record)
            batch.append(record)
            if chain.between_batches:
                self._take(run_id, batch, chain)
        if pin is not None:
            check_pinned(chain, pin)
            self._take(run_id, batch, chain)
            self._pins = (*self._pins, pin)

    def _follow_past(self, first: Record) -> None:
        for pin in ancestry(self._log, self._run_id, first):
            ancestor = RunId(pin.run_id)
            try:
                self._follow(ancestor, self._log.read_past(self._run_id, ancestor), pin)
            except StorageError as failure:
                raise in_past(self._run_id, ancestor, failure) from failure

    def _take(self, run_id: RunId, batch: list[Record], chain: Chain) -> None:
        prefix = self.prefix
        for each in batch:
            prefix.apply(each)
        batch.clear()
        prefix.run_id, prefix.ancestors = run_id, self._pins
        prefix.head = Head(chain.seq, chain.position, chain.hash)


def salvage(
    store: Store,
    source: Store,
    run_id: RunId,
    new_id: RunId,
    *,
    now: Callable[[], float] = time.time,
) -> Salvaged:
    """
    Make run ``new_id`` in ``store`` from what verifies of a damaged run of ``source``.

    Durable on return. Raises ``locked`` while the run is written, ``conflict`` for one that is not
    damaged, ``corrupt`` (reason ``nothing_to_salvage``) where not one batch verifies, ``not_found``
    where the run or its log is gone, and what making a run raises.
    """
    extent = source.log.extent(run_id)
    _check_unchanged(run_id, extent, extent)
    walk = _Walk(source.log, run_id, extent)
    damage = _damage(source.log, run_id, walk)
    # Who resumed it meanwhile found it sound: what the walk met was a torn tail.
    _check_unchanged(run_id, extent, source.log.extent(run_id))
    prefix = walk.prefix
    if prefix.head.seq == 0:
        raise _nothing(run_id, damage) from damage
    forked = go_on(store, source, prefix, new_id, now=now, spare=True)
    own = prefix.head if prefix.run_id == run_id else _NOTHING
    told = {event.sha256 for _, event in prefix.artifacts.values()}
    return Salvaged(
        **dict(forked),
        damaged=run_id,
        code=damage.code,
        because=damage.info.message,
        left_from_line=own.seq + 1,
        left_from_byte=own.position,
        left_bytes=max(0, extent.size_bytes - own.position),
        untold=[each for each in source.artifacts.digests(run_id) if each not in told],
    )


def _check_unchanged(run_id: RunId, before: Extent, now: Extent) -> None:
    if now.live or now != before:
        raise _refused(
            StorageErrorCode.LOCKED, run_id, "is being written", f"journal events {run_id} --follow"
        )


def _damage(log: EventLog, run_id: RunId, walk: _Walk) -> StorageError:
    """What is damaged. Raises ``conflict`` where the library itself can go on with the run."""
    failure, good = walk.failure, walk.prefix.head
    torn_bytes = 0
    try:
        acknowledged = log.head(run_id).head
        torn_bytes = log.torn_bytes(run_id)
    except StorageError as refused:
        if refused.code not in _DAMAGE:
            raise
        return failure or refused
    if failure is not None and (
        walk.prefix.run_id != run_id or good.position < acknowledged.position
    ):
        return failure
    if torn_bytes:
        what = f"is not damaged: {torn_bytes} bytes at its end were never acknowledged, a torn tail"
        raise _refused(StorageErrorCode.CONFLICT, run_id, what, f"journal repair {run_id}")
    raise _refused(StorageErrorCode.CONFLICT, run_id, "is not damaged", f"journal resume {run_id}")


def _refused(code: StorageErrorCode, run_id: RunId, what: str, next_action: str) -> StorageError:
    return storage_error(
        code,
        f"run {run_id} {what}. Nothing was changed.",
        operation="salvage",
        run_id=run_id,
        reason="live" if code is StorageErrorCode.LOCKED else "not_damaged",
        next_action=next_action,
    )


def _nothing(run_id: RunId, damage: StorageError) -> StorageError:
    details = damage.info.details
    return storage_error(
        damage.code,
        f"run {run_id}: there is nothing to salvage, not one batch of it verifies. "
        f"{damage.info.message}",
        operation="salvage",
        run_id=run_id,
        seq=details.seq,
        offset=details.offset,
        path=details.path,
        reason="nothing_to_salvage",
        next_action=f"restore its folder from a backup, then journal verify {run_id}",
    )

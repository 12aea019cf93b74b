"""
A fork's past: the runs it comes from, read out of its own folder and checked.

A fork's log begins at seq 1 with ``run_created``, whose ``parent`` pins a line of another run. All
lines up to that one lie beside the fork's own log, and those of the parent's parents, so that a
fork is whole wherever it is copied to. Whoever folds a run reads its past first; then line 1 puts
the run's own name, time and status on what was folded.

Nothing here writes: ``fork.py``.

Below: errors, ids, events, record, chain, blocks, log. Above: checkpoint, fork, run, projections.
"""

from collections.abc import Iterable, Iterator
from hashlib import sha256

from journal.blocks import follow_many
from journal.chain import SUFFIX_BYTES, Chain, genesis
from journal.errors import StorageError, StorageErrorCode, storage_error
from journal.events.run import Parent, RunCreated
from journal.ids import RunId, parse_run_id
from journal.log import EventLog
from journal.record import Record


def fork_of(record: Record) -> Parent | None:
    """The moment of another run that a run goes on from, by its first line."""
    event = record.data
    if record.seq == 1 and isinstance(event, RunCreated) and event.parent is not None:
        return event.parent if event.parent.relation == "fork" else None
    return None


def past_records(
    log: EventLog, run_id: RunId, first: Record, *, strict: bool = False
) -> Iterator[Record]:
    """
    The records of all ancestors, the oldest run first; none if ``first``, line 1, says no fork.

    Each run's lines are checked along its own chain, and against the line that its child pins.
    Raises ``corrupt`` and the codes of a malformed line, as errors of run ``run_id``.
    """
    for pin in ancestry(log, run_id, first):
        ancestor = RunId(pin.run_id)
        chain = Chain(ancestor, strict=strict)
        try:
            yield from follow_many(chain, _read(log, run_id, ancestor))
            check_pinned(chain, pin)
        except StorageError as failure:
            raise in_past(run_id, ancestor, failure) from failure


def ancestry(log: EventLog, run_id: RunId, first: Record) -> list[Parent]:
    """
    The lines that a run and its ancestors begin behind, the oldest run's first.

    Found from child to parent, by the first line of each. Raises what ``past_records`` raises.
    """
    found: list[Parent] = []
    seen = {run_id}
    parent = fork_of(first)
    while parent is not None:
        ancestor = _ancestor_of(run_id, parent)
        if ancestor in seen:
            raise _refused(run_id, ancestor, "it would be its own ancestor")
        seen.add(ancestor)
        found.append(parent)
        try:
            line = next(_read(log, run_id, ancestor), b"")
            parent = fork_of(Chain(ancestor).follow(line))
        except StorageError as failure:
            raise in_past(run_id, ancestor, failure) from failure
    return found[::-1]


def pinned_lines(pin: Parent, lines: Iterable[bytes]) -> Iterator[bytes]:
    """``lines``, which must be those that end in ``pin``: checked by hash alone, line by line."""
    link, seq, position = genesis(pin.run_id).encode(), 0, 0
    for line in lines:
        link = sha256(link + line[:-SUFFIX_BYTES]).hexdigest().encode()
        seq += 1
        if line[-SUFFIX_BYTES:] != b',"hash":"%b"}\n' % link:
            raise _another_end(pin, seq, position)
        position += len(line)
        yield line
    if link.decode() != pin.hash:
        raise _another_end(pin, seq, position)


def check_pinned(chain: Chain, pin: Parent) -> None:
    """Raise ``corrupt`` unless a walk ended in exactly the line that a child pins."""
    if (chain.seq, chain.hash) != (pin.seq, pin.hash):
        raise _another_end(pin, chain.seq, chain.position)


def _another_end(pin: Parent, seq: int, position: int) -> StorageError:
    return storage_error(
        StorageErrorCode.CORRUPT,
        f"run {pin.run_id} line {seq} (byte {position}): these lines do not end in line {pin.seq}, "
        "from which the fork goes on. Nothing was changed.",
        operation="read_past",
        run_id=pin.run_id,
        seq=seq,
        offset=position,
        reason="past",
        next_action=f"journal verify {pin.run_id}",
    )


def _read(log: EventLog, run_id: RunId, ancestor: RunId) -> Iterator[bytes]:
    try:
        yield from log.read_past(run_id, ancestor)
    except StorageError as failure:
        if failure.code is StorageErrorCode.NOT_FOUND:
            raise _refused(run_id, ancestor, "it is not there") from failure
        raise


def _ancestor_of(run_id: RunId, parent: Parent) -> RunId:
    try:
        return parse_run_id(parent.run_id)
    except StorageError as failure:
        raise _refused(run_id, parent.run_id, "that is no run id") from failure


def _refused(run_id: RunId, ancestor: str, what: str) -> StorageError:
    return storage_error(
        StorageErrorCode.CORRUPT,
        f"run {run_id}: its past in run {ancestor} cannot be read: {what}. Nothing was changed.",
        operation="read_past",
        run_id=run_id,
        path=f"ancestors/{ancestor}.jsonl",
        reason="past",
        next_action=f"journal verify {run_id}",
    )


def in_past(run_id: RunId, ancestor: RunId, failure: StorageError) -> StorageError:
    """An error of the fork: its own log is whole, but nothing can be folded onto what is not."""
    details = failure.info.details
    if details.run_id == run_id:
        return failure
    return storage_error(
        failure.code,
        f"run {run_id}, in its past: {failure.info.message}",
        operation="read_past",
        run_id=run_id,
        seq=details.seq,
        offset=details.offset,
        path=f"ancestors/{ancestor}.jsonl",
        reason="past",
        next_action=f"journal verify {run_id}",
    )

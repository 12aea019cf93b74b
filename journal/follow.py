"""
New events of a run as they become durable, written by this process or by another.

Looks at the head, which costs one small read; never holds a lock, never disturbs a writer.

Below: errors, limits, chain, ids, log, record. Above: nothing here; ``projections`` gives it to
people.
"""

from collections.abc import AsyncGenerator
from functools import partial

import anyio
import anyio.to_thread

from journal.chain import Chain
from journal.errors import StorageError
from journal.ids import RunId
from journal.limits import LINE_BYTES_MAX
from journal.log import EventLog, HeadInfo
from journal.record import Record

POLL_MIN_S = 0.01
POLL_MAX_S = 0.25
_LINES_MAX = 1_000
_BYTES_MAX = 4 * LINE_BYTES_MAX


async def follow(
    log: EventLog, run_id: RunId, after_seq: int = 0
) -> AsyncGenerator[tuple[bytes, Record], None]:
    """
    Every line after ``after_seq``, with its record, checked along the chain; then the new ones.

    Ends when the run rests: its writer closed it, or is gone. Raises ``not_found``, ``corrupt``
    and the codes of a malformed line. Leave it by closing the iterator, or by cancellation.
    """
    chain = Chain(run_id)
    pause_s = POLL_MIN_S
    while True:
        info = await anyio.to_thread.run_sync(log.head, run_id)
        if info.head.position > chain.position:
            pause_s = POLL_MIN_S
            for found in await anyio.to_thread.run_sync(partial(_next, log, chain, info)):
                if found[1].seq > after_seq:
                    yield found
        elif _rests(info):
            return
        else:
            await anyio.sleep(pause_s)
            pause_s = min(pause_s * 2, POLL_MAX_S)


def _next(log: EventLog, chain: Chain, info: HeadInfo) -> list[tuple[bytes, Record]]:
    """The next lines, at most so many that memory stays bounded however far behind we are."""
    found: list[tuple[bytes, Record]] = []
    size = 0
    for line in log.read(RunId(chain.run_id), chain.position, info.head.position):
        try:
            found.append((line, chain.follow(line)))
        except StorageError:
            if not found:
                raise
            break  # what stands above the damage is given first; the next look raises it
        size += len(line)
        if len(found) == _LINES_MAX or size >= _BYTES_MAX:
            break
    return found


def _rests(info: HeadInfo) -> bool:
    return not info.live

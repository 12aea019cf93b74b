"""
Small logs for tests: made by the library, or by hand with hashes that hold.

A log of ``lines_of`` is what the library writes. ``chained`` gives any body, however malformed, a
hash that fits: that is what another writer's bug looks like.
"""

import hashlib
from collections.abc import Iterable, Sequence

from journal.chain import Chain, encode_batch, genesis
from journal.draft import Clock, Stamp, freeze
from journal.errors import StorageError
from journal.events.base import Event
from journal.events.log import LogEmitted
from journal.ids import RunId

RUN = RunId("019aab5e-7c3b-7000-8000-000000000001")
OTHER_RUN = RunId("019aab5e-7c3b-7000-8000-000000000002")
NOON = 1_795_348_800.0  # 2026-11-22T12:00:00Z


def lines_of(
    batches: Iterable[Sequence[tuple[str | None, Event]]], run_id: RunId = RUN
) -> list[bytes]:
    """Return the lines that a writer makes of these batches of (phase, event), a second apart."""
    lines: list[bytes] = []
    above, seconds = genesis(run_id), iter(range(1_000_000))
    clock = Clock(lambda: NOON + next(seconds))
    for batch in batches:
        stamps = [
            Stamp(freeze(run_id, event, phase=phase), len(lines) + n, *clock.read())
            for n, (phase, event) in enumerate(batch, 1)
        ]
        made, above = encode_batch(above, stamps)
        lines += made
    return lines


def log_of(count: int, run_id: RunId = RUN) -> list[bytes]:
    """Return ``count`` log lines, one batch each."""
    return lines_of(([(None, LogEmitted(name=f"n{n}"))] for n in range(count)), run_id)


def chained(body: bytes, above: str = "") -> bytes:
    """Close ``body`` with a hash that continues ``above``, by default as line 1 of ``RUN``."""
    above = above or hashlib.sha256(b"run-journal/1 " + RUN.encode()).hexdigest()
    link = hashlib.sha256(above.encode() + body).hexdigest()
    return body + b',"hash":"' + link.encode() + b'"}\n'


def body_of(
    seq: int = 1, data: bytes = b"{}", batch: bytes = b"[1,1]", event: str = "log_emitted"
) -> bytes:
    """Return line ``seq`` up to its hash, with the given parts as they are."""
    return (
        b'{"seq":%d,"timestamp":"2026-11-22T12:00:00.000000Z","level":"info","event":"%b",'
        b'"run_id":"%b","phase":null,"message":"Log line.","data":%b,"batch":%b'
        % (seq, event.encode(), RUN.encode(), data, batch)
    )


def refusal(lines: Iterable[bytes], *, strict: bool = True) -> StorageError | None:
    """Walk ``lines`` from the start; return the error at the first that is refused."""
    chain = Chain(RUN, strict=strict)
    try:
        for line in lines:
            chain.follow(line)
    except StorageError as error:
        return error
    return None

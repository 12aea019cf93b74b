"""
What the end of a log is: whole, torn, or damaged; and how a torn end is set aside.

A crash can tear only what was not acknowledged: at most one batch, behind the watermark, with
nothing of a later batch behind it. Exactly that is *torn*; everything else that does not check is
*damage*, and damage is refused and left as it is. Never skips, never guesses, never resyncs.

Below: errors, limits, files, chain, log. Above: backends.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from io import BytesIO

import msgspec

from journal.chain import SUFFIX_BYTES, Chain, hash_of
from journal.errors import StorageError, StorageErrorCode, storage_error
from journal.files import Files, read_small
from journal.limits import (
    BATCH_LINES_MAX,
    LINE_BYTES_MAX_READ,
    LINES_READ_BYTES,
    TORN_TAIL_BYTES_MAX,
)
from journal.log import Head, TornTail

Read = Callable[[int, int], bytes]
"""``read(size, offset)`` gives up to ``size`` bytes; empty at the end."""

_BATCH = re.compile(rb'"batch":\[([0-9]{1,19}),[0-9]{1,19}\]\Z')


class Tail(msgspec.Struct, frozen=True):
    """Where the last whole batch ends, and how many torn bytes stand behind it."""

    head: Head
    torn_bytes: int


def split_lines(read: Read, start: int, stop: int) -> Iterator[bytes]:
    """
    Lines from ``start`` up to ``stop``, newline included; the last may lack it.

    Splits on the newline byte alone. Constant memory: a line over the readers' cap is given cut
    off, one byte past the cap, and then the iteration ends.
    """
    pieces: list[bytes] = []  # of a line that goes on in the next block
    held, position = 0, start
    while position < stop and held <= LINE_BYTES_MAX_READ:
        block = read(min(LINES_READ_BYTES, stop - position), position)
        if not block:
            break
        position += len(block)
        end = block.rfind(b"\n") + 1
        if end:
            lines = BytesIO(block[:end])  # splits on the newline byte alone, and copies each once
            if pieces:
                yield b"".join([*pieces, lines.readline()])
            yield from lines
            pieces, held, block = [], 0, block[end:]
        pieces.append(block)
        held += len(block)
    if held:
        yield b"".join(pieces)[: LINE_BYTES_MAX_READ + 1]


def split_lines_reverse(read: Read, start: int, stop: int) -> Iterator[bytes]:
    """The same lines, last one first."""
    pieces: list[bytes] = []  # of a line that begins in an earlier block, last one first
    held, position = 0, stop
    while position > start and held <= LINE_BYTES_MAX_READ:
        size = min(LINES_READ_BYTES, position - start)
        position -= size
        block = _read_all(read, position, size)
        end = block.rfind(b"\n") + 1
        if end:
            last = block[end:] + b"".join(reversed(pieces))
            if last:
                yield last
            begin = block.find(b"\n") + 1
            for line in reversed(block[begin:end].split(b"\n")[:-1]):
                yield line + b"\n"
            pieces, held, block = [], 0, block[:begin]
        pieces.append(block)
        held += len(block)
    if held:
        yield b"".join(reversed(pieces))[: LINE_BYTES_MAX_READ + 1]


def holds_hash(read: Read, head: Head) -> bool:
    """Whether a line with the head's hash ends where the head says."""
    wanted = b',"hash":"%b"}\n' % head.hash.encode()
    if head.position < SUFFIX_BYTES:
        return False
    return read(SUFFIX_BYTES, head.position - SUFFIX_BYTES) == wanted


def classify(chain: Chain, read: Read, size: int, acknowledged: int, *, closed: bool) -> Tail:
    """
    Walk from where ``chain`` stands (the end of a batch) to ``size``, the end of the log.

    ``acknowledged`` is the watermark's position, ``closed`` whether the last writer closed the
    run. Raises ``corrupt`` for damage, and the code of a line that is malformed though its chain
    holds. Reads at most one batch past the last whole one.
    """
    good = Head(chain.seq, chain.position, chain.hash)
    failure: StorageError | None = None
    for line in split_lines(read, chain.position, size):
        if line[-1:] != b"\n" and len(line) <= LINE_BYTES_MAX_READ:
            break
        try:
            chain.follow(line)
        except StorageError as error:
            failure = error
            break
        if chain.between_batches:
            good = Head(chain.seq, chain.position, chain.hash)
    torn = size - good.position
    if torn == 0:
        return Tail(good, 0)
    if failure is not None and failure.info.details.reason not in ("hash", None):
        raise failure  # the chain holds, so no crash did this: another writer's line
    if good.seq == 0:  # synced before the run had its name: no crash tears it
        raise failure or _damaged(chain, "the first batch is not whole")
    if good.position < acknowledged:
        raise failure or _damaged(chain, "the log ends inside an acknowledged batch")
    if closed:
        raise failure or _damaged(chain, "bytes stand behind the end of a closed log")
    if torn > TORN_TAIL_BYTES_MAX:
        raise failure or _damaged(chain, f"{torn} bytes that are no batch: more than a crash tears")
    _refuse_later_batch(chain, read, good, size)
    return Tail(good, torn)


def _refuse_later_batch(chain: Chain, read: Read, good: Head, size: int) -> None:
    """The next batch waits for the sync of this one, so behind a torn one there is none."""
    for line in split_lines(read, good.position, size):
        if not (line.endswith(b'"}\n') and line[-SUFFIX_BYTES:].startswith(b',"hash":"')):
            continue  # no whole line: what looks like a batch in it is somebody's text
        batch = _BATCH.search(line[:-SUFFIX_BYTES])
        if batch and int(batch[1]) > good.seq + 1:
            raise _damaged(chain, "a whole line of a later batch stands behind the damage")


def _damaged(chain: Chain, what: str) -> StorageError:
    return storage_error(
        StorageErrorCode.CORRUPT,
        f"run {chain.run_id} line {chain.seq + 1} (byte {chain.position}): {what}. Nothing was "
        "changed.",
        operation="recover",
        run_id=chain.run_id,
        seq=chain.seq + 1,
        offset=chain.position,
        reason="damaged",
        next_action=f"journal verify {chain.run_id}",
    )


def last_batch(read: Read, head: Head) -> tuple[int, int]:
    """Where the batch begins that ends at ``head``, and the seq of its first line; unchecked."""
    lines = split_lines_reverse(read, 0, head.position)
    line = next(lines, b"")
    batch = _BATCH.search(line[:-SUFFIX_BYTES])
    more = min(head.seq - int(batch[1]), BATCH_LINES_MAX) if batch else 0
    position = head.position - len(line)
    for _ in range(more):
        position -= len(next(lines, b""))
    return position, head.seq - max(0, more)


def check_last_batch(run_id: str, read: Read, head: Head) -> None:
    """
    Walk the batch that ends at ``head``: what a writer goes on from must be whole itself.

    A walk that begins at ``head`` sees only what stands behind it. Raises what ``Chain`` raises.
    """
    start, first_seq = last_batch(read, head)
    above = hash_of(read(SUFFIX_BYTES, start - SUFFIX_BYTES)) if start >= SUFFIX_BYTES else None
    chain = Chain(run_id, first_seq - 1, start, above, strict=True)
    for line in split_lines(read, start, head.position):
        chain.follow(line)
    if (chain.seq, chain.hash) != (head.seq, head.hash):
        raise _damaged(chain, "it is not the line that was acknowledged")


def keep_aside(files: Files, folder: str, read: Read, tail: Tail) -> None:
    """
    Copy the torn bytes to ``torn/<seq>-<sha256>`` in the run's folder, durably, before any cut.

    The seq is that of the last whole line: a kept tail whose seq is still the log's last has not
    been told by a ``log_recovered`` event yet (``untold``). Doing it again changes nothing.
    """
    data = _read_all(read, tail.head.position, tail.torn_bytes)
    torn = f"{folder}/torn"
    if not files.is_folder(torn):
        files.mkdir(torn)
    files.fsync_dir(folder)  # also of a folder that is there: a kill may have come before its sync
    path = f"{torn}/{tail.head.seq}-{hashlib.sha256(data).hexdigest()}"
    if files.status_of(path) is not None:
        files.unlink(path)  # a crash may have left it half
    fd = files.create(path)
    try:
        files.write_all(fd, data)
        files.fdatasync(fd)
    finally:
        files.close(fd)
    files.fsync_dir(torn)


def _read_all(read: Read, start: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        block = read(size - len(data), start + len(data))
        if not block:
            break
        data += block
    return data


def untold(files: Files, folder: str, seq: int) -> tuple[TornTail, ...]:
    """Tails that were set aside behind line ``seq`` and that no event tells yet."""
    torn = f"{folder}/torn"
    if not files.is_folder(torn):
        return ()
    found = []
    for name in files.listdir(torn):
        number, _, digest = name.partition("-")
        if number != str(seq):
            continue
        data = read_small(files, f"{torn}/{name}", TORN_TAIL_BYTES_MAX)
        if data is not None and hashlib.sha256(data).hexdigest() == digest:
            found.append(TornTail(len(data), digest, f"torn/{name}"))
    return tuple(found)

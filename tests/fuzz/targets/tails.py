"""
Whatever may stand behind a sound log, and what recovery makes of it.

Byte 0 says how many lines were acknowledged, byte 1 whether the run was closed, whether the lines
of the tail get hashes that fit, and where the walk begins. What is acknowledged is never lost,
what is not chained never taken, and no more is read than the tail is long.
"""

from journal.chain import SUFFIX_BYTES, Chain, genesis
from journal.errors import StorageError
from journal.events.log import LogEmitted
from journal.limits import LINES_READ_BYTES, TORN_TAIL_BYTES_MAX
from journal.recovery import Read, Tail, classify, last_batch, split_lines, split_lines_reverse
from tests.fuzz.targets.lines import chained_up, naively_whole
from tests.unit.lines import RUN, lines_of

_SIZES = (2, 1, 3)
LOG = lines_of([[(None, LogEmitted(name=f"n{n}"))] * size for n, size in enumerate(_SIZES)])
_ENDS = (0, 2, 3, 6)
"""Lines behind which a batch ends."""

_CLOSED, _CHAINED, _LATER = 1, 2, 4


class Reader:
    """Bytes as a file gives them, and how many of them were asked for."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.taken = 0

    def __call__(self, size: int, offset: int) -> bytes:
        assert 0 <= size <= LINES_READ_BYTES, "reads more at once than it says"
        assert offset >= 0
        found = self.data[offset : offset + size]
        self.taken += len(found)
        return found


def classified(data: bytes) -> None:
    """Classify the tail twice, then what recovery would leave; hold all that against the rules."""
    which, flags, tail = _parts(data)
    above = LOG[-1][-SUFFIX_BYTES + 9 : -3].decode()
    if flags & _CHAINED:
        *whole, rest = tail.split(b"\n")
        tail = b"".join(chained_up(whole, above)) + rest
    sound = b"".join(LOG)
    content = sound + tail
    acknowledged = len(b"".join(LOG[: _ENDS[which % len(_ENDS)]]))
    start = 3 if flags & _LATER and which % len(_ENDS) > 1 else 0
    closed = bool(flags & _CLOSED)
    found = outcome(content, start, acknowledged, closed=closed)
    again = outcome(content, start, acknowledged, closed=closed)
    assert str(found) == str(again), "twice the same question, two answers"
    split(content)
    if isinstance(found, StorageError):
        assert tail, "a sound log is refused"
        garbage = b',"hash":"' not in tail and len(tail) <= TORN_TAIL_BYTES_MAX
        assert closed or not garbage, "what a crash leaves is refused"
        return
    end = found.head.position
    assert end >= max(acknowledged, len(sound)), "an acknowledged line is lost"
    assert found.torn_bytes == len(content) - end
    assert not found.torn_bytes or not closed
    kept = content[:end].split(b"\n")
    assert kept.pop() == b"", "cut inside a line"
    assert len(kept) == found.head.seq
    assert naively_whole([line + b"\n" for line in kept], genesis(RUN)), "not chained, but taken"
    after = outcome(content[:end], start, acknowledged, closed=closed)
    assert isinstance(after, Tail)
    assert (after.head, after.torn_bytes) == (found.head, 0), "recovery leaves what needs recovery"
    begin, first = last_batch(Reader(content), found.head)
    assert 0 <= begin < end
    assert 1 <= first <= found.head.seq


def _parts(data: bytes) -> tuple[int, int, bytes]:
    which, flags = (*data[:2], 0, 0)[:2]
    return which, flags, data[2:]


def outcome(content: bytes, start: int, acknowledged: int, *, closed: bool) -> Tail | StorageError:
    """What the classifier says; it may read what lies behind ``start`` a few times, no more."""
    lines = LOG[:start]
    position = len(b"".join(lines))
    link = lines[-1][-SUFFIX_BYTES + 9 : -3].decode() if lines else None
    read = Reader(content)
    chain = Chain(RUN, start, position, link, strict=True)
    try:
        return classify(chain, read, len(content), acknowledged, closed=closed)
    except StorageError as failure:
        return failure
    finally:
        assert read.taken <= 2 * (len(content) - position) + 2 * LINES_READ_BYTES


def split(content: bytes) -> None:
    """Lines forwards and backwards are the same lines, and all of the bytes."""
    read: Read = Reader(content)
    forwards = list(split_lines(read, 0, len(content)))
    assert b"".join(forwards) == content
    assert forwards == list(split_lines_reverse(read, 0, len(content)))[::-1]
    assert all(line.find(b"\n") in {-1, len(line) - 1} for line in forwards)

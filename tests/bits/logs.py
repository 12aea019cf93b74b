"""
Damage to a finished log: every bit, every cut, lines moved, lines and blocks of elsewhere.

Each function gives how often it damaged the log, and a sentence for each damage that was not
refused as ``corrupt`` with the line named.
"""

import itertools
import random
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from journal.errors import StorageError
from journal.log import Head
from projections.replay import RUN_STATE, fold_log
from projections.verify import verify
from tests.bits.story import Told


class Outcome(NamedTuple):
    """How many damages there were, and those that were not told as they should be."""

    tried: int
    missed: list[str]

    @classmethod
    def sum_of(cls, outcomes: Iterable["Outcome"]) -> "Outcome":
        """Several in one."""
        found = list(outcomes)
        return cls(sum(each.tried for each in found), [m for each in found for m in each.missed])


def flipped_bits(run: Told, numbers: Iterable[int]) -> Outcome:
    """All bits of these lines (from 0), one at a time."""
    tried, missed = 0, []
    content = bytearray(run.whole)
    for number in numbers:
        start, end = run.stands[number].position, run.stands[number + 1].position
        # A newline that is none any more makes one line of two: so read to the end of the next.
        stop = run.stands[min(number + 2, len(run.lines))].position
        for place, shift in itertools.product(range(start, end), range(8)):
            content[place] ^= 1 << shift
            failure = run.walk(content, number, stop)
            content[place] ^= 1 << shift
            tried += 1
            if not _names(failure, number + 1):
                missed.append(f"bit {shift} of byte {place}: {failure}")
    return Outcome(tried, missed)


def flipped_under_verify(run: Told, bits_per_line: int, seed: int) -> Outcome:
    """Some bits of each line, through all that ``verify`` and replay do, from line 1 on."""
    chosen, missed = random.Random(seed), []
    content = bytearray(run.whole)
    head = run.store.log.head(run.run_id).head
    with run.holding(content):
        for number, _ in itertools.product(range(len(run.lines)), range(bits_per_line)):
            place = chosen.randrange(run.stands[number].position, run.stands[number + 1].position)
            shift = chosen.randrange(8)
            content[place] ^= 1 << shift
            found = verify(run.store.log, None, None, [run.run_id])
            if [(each.code, each.seq) for each in found] != [("corrupt", number + 1)]:
                missed.append(f"bit {shift} of byte {place}: verify says {found}")
            failure = _of_replay(run, head)
            if not _names(failure, number + 1):
                missed.append(f"bit {shift} of byte {place}: replay says {failure}")
            content[place] ^= 1 << shift
    return Outcome(bits_per_line * len(run.lines), missed)


def _of_replay(run: Told, head: Head) -> StorageError | None:
    try:
        fold_log(RUN_STATE, run.store.log, run.run_id, head)
    except StorageError as failure:
        return failure
    return None


def cut_off(run: Told, lengths: Iterable[int]) -> Outcome:
    """The log ends too early: the watermark knows, whoever asks for the head is told."""
    tried, missed = 0, []
    for length in lengths:
        tried += 1
        with run.holding(run.whole[:length]):
            try:
                head = run.store.log.head(run.run_id).head
            except StorageError as failure:
                if failure.code != "corrupt" or failure.info.details.reason != "watermark":
                    missed.append(f"cut to {length} bytes: {failure}")
            else:
                missed.append(f"cut to {length} bytes: shown up to line {head.seq}")
    return Outcome(tried, missed)


class Move(NamedTuple):
    """Lines as they stand now, and the number (from 0) of the first that is not in its place."""

    what: str
    lines: list[bytes]
    number: int


def moved_lines(run: Told, pairs: int, seed: int) -> Iterator[Move]:
    """Every line twice, every one left out, all neighbours swapped, and some pairs."""
    lines = run.lines
    for number in range(len(lines)):
        # The first of the two is in its place.
        yield Move(f"line {number + 1} twice", _insert(lines, number), number + 1)
        yield Move(f"line {number + 1} gone", [*lines[:number], *lines[number + 1 :]], number)
    chosen = random.Random(seed)
    swaps = [(number - 1, number) for number in range(1, len(lines))]
    swaps += [tuple(sorted(chosen.sample(range(len(lines)), 2))) for _ in range(pairs)]  # type: ignore[misc]
    for first, second in swaps:
        changed = [*lines]
        changed[first], changed[second] = lines[second], lines[first]
        yield Move(f"lines {first + 1} and {second + 1} swapped", changed, first)


def _insert(lines: list[bytes], number: int) -> list[bytes]:
    return [*lines[: number + 1], lines[number], *lines[number + 1 :]]


def spliced_lines(run: Told, other: Told) -> Iterator[Move]:
    """Each line and each batch of another run in the place of ours, and its whole file."""
    ours, theirs = run.lines, other.lines
    for number in range(min(len(ours), len(theirs))):
        lines = [*ours[:number], theirs[number], *ours[number + 1 :]]
        yield Move(f"line {number + 1} of another run", lines, number)
    for first, behind in other.batches():
        lines = [*ours[:first], *theirs[first:behind], *ours[behind:]]
        yield Move(f"batch {first + 1} to {behind} of another run", lines, min(first, len(ours)))
    for first, _ in other.batches()[1:]:
        lines = [*ours[:first], *theirs[first:]]
        yield Move(f"all from line {first + 1} on of another run", lines, min(first, len(ours)))
    yield Move("the file of another run", theirs, 0)


def moved(run: Told, moves: Iterable[Move]) -> Outcome:
    """Lines that are not where they were."""
    tried, missed = 0, []
    for what, lines, number in moves:
        content = b"".join(lines)
        tried += 1
        if number == len(run.lines) or len(content) <= run.stands[number].position:
            # Nothing that was shown is another: what is too much or gone, ``verify`` looks for.
            told = line_named(run, content)
            if told != ("corrupt", number + 1):
                missed.append(f"{what}: verify says {told}")
            continue
        failure = run.walk(content, number, min(len(content), len(run.whole)))
        if not _names(failure, number + 1):
            missed.append(f"{what}: {failure}")
    return Outcome(tried, missed)


def line_named(run: Told, content: bytes | bytearray) -> tuple[str, int | None]:
    """What ``verify`` says of a log that holds ``content``: code and line of its one finding."""
    with run.holding(content):
        found = verify(run.store.log, None, None, [run.run_id])
    assert len(found) < 2, found
    return (found[0].code.value, found[0].seq) if found else ("nothing", None)


def stale_blocks(run: Told, size: int) -> Outcome:
    """Each block of the file holds what it held before it was written, or what is above it."""
    tried, missed = 0, []
    for start in range(size, len(run.whole) - size, size):
        for block in (bytes(size), run.whole[start - size : start], run.whole[:size]):
            content = run.whole[:start] + block + run.whole[start + size :]
            if content == run.whole:
                continue
            tried += 1
            place = next(n for n in range(start, start + size) if content[n] != run.whole[n])
            number = run.line_at(place)
            failure = run.walk(content, number, len(content))
            if not _names(failure, number + 1):
                missed.append(f"a block of {size} bytes at {start}: {failure}")
    return Outcome(tried, missed)


def _names(failure: StorageError | None, seq: int) -> bool:
    """Whether it is a refusal that names this line."""
    return failure is not None and failure.code == "corrupt" and failure.info.details.seq == seq

"""Many lines at once give what the same lines give one by one: records, errors and all."""

import re
from collections.abc import Iterator, Sequence
from io import BytesIO
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journal.blocks import follow_many
from journal.chain import SUFFIX_BYTES, Chain, genesis, hash_of
from journal.errors import StorageError, StorageErrorCode, storage_error
from journal.events.base import Event
from journal.events.log import LogEmitted
from journal.events.registry import BUILT_IN
from journal.events.run import WriterInfo, WriterOpened
from journal.limits import FORMAT
from journal.record import Record
from tests.unit import payloads
from tests.unit.lines import OTHER_RUN, RUN, chained, lines_of
from tests.unit.test_malformed_lines import NOT_JSON, WRONG_SHAPE

Walked = tuple[list[Record], StorageError | None, tuple[int, int, str, str]]


def one_by_one(lines: Sequence[bytes], start: int) -> Walked:
    """Walk with ``Chain.follow``; return what it gave, what stopped it, and where it stands."""
    chain, found = chain_at(lines, start), list[Record]()
    try:
        for line in lines[start:]:
            found.append(chain.follow(line))
    except StorageError as error:
        return found, error, place(chain)
    return found, None, place(chain)


def at_once(lines: Sequence[bytes], start: int) -> Walked:
    """Return the same of ``follow_many``."""
    chain, found = chain_at(lines, start), list[Record]()
    try:
        found.extend(follow_many(chain, iter(lines[start:])))
    except StorageError as error:
        return found, error, place(chain)
    return found, None, place(chain)


def chain_at(lines: Sequence[bytes], start: int) -> Chain:
    """Return a walk that begins behind the first ``start`` lines."""
    if start == 0:
        return Chain(RUN)
    return Chain(RUN, start, sum(map(len, lines[:start])), hash_of(lines[start - 1]))


def place(chain: Chain) -> tuple[int, int, str, str]:
    """Return where a walk stands."""
    return chain.seq, chain.position, chain.hash, chain.timestamp


def agree(lines: Sequence[bytes], start: int = 0) -> StorageError | None:
    """Walk both ways, compare everything, and return what stopped them."""
    records, error, stands = one_by_one(lines, start)
    others, other, stood = at_once(lines, start)
    assert others == records
    assert (other and other.info) == (error and error.info)
    assert stood == stands
    return error


def rechained(bodies: Sequence[bytes]) -> list[bytes]:
    """Give bodies hashes that hold, as another writer's bug would."""
    lines: list[bytes] = []
    above = genesis(RUN)
    for body in bodies:
        lines.append(chained(body, above))
        above = hash_of(lines[-1])
    return lines


@settings(max_examples=40)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=30), st.data())
def test_a_sound_log_gives_the_same_records_from_any_line_on(
    sizes: list[int], data: st.DataObject
) -> None:
    """However events were grouped, and wherever inside a batch the walk begins."""
    told = st.one_of(*map(payloads.events, BUILT_IN))
    batches = [[(None, data.draw(told)) for _ in range(size)] for size in sizes]
    lines = lines_of(batches)
    assert agree(lines, data.draw(st.integers(0, len(lines) - 1))) is None


LOG = lines_of([[(None, LogEmitted(name=f"n{n}"))] * size for n, size in enumerate([1, 3, 9] * 4)])
BODIES = [line[:-SUFFIX_BYTES] for line in LOG]


@given(st.integers(0, sum(map(len, LOG)) - 1), st.integers(0, 7))
def test_any_flipped_bit_is_refused_at_the_same_line(place: int, bit: int) -> None:
    """The columns must not see less than the eye that goes from line to line."""
    data = bytearray(b"".join(LOG))
    data[place] ^= 1 << bit
    assert agree(BytesIO(data).readlines()) is not None


@pytest.mark.parametrize("at", [0, 1, 12, len(LOG) - 2])
@pytest.mark.parametrize("what", ["lost", "doubled", "swapped"])
def test_lines_in_another_order_are_refused_at_the_same_line(what: str, at: int) -> None:
    """Also with hashes that hold: another writer's numbers may be wrong."""
    other = {
        "lost": [*BODIES[:at], *BODIES[at + 1 :]],
        "doubled": [*BODIES[: at + 1], *BODIES[at:]],
        "swapped": [*BODIES[:at], BODIES[at + 1], BODIES[at], *BODIES[at + 2 :]],
    }[what]
    assert agree(rechained(other)) is not None


PLACE = BODIES[20].partition(b',"level"')[0]
STAMP = re.search(rb"2026-[^\"]*", PLACE)[0]  # type: ignore[index]
SPELLINGS = """
    2026-11-22T24:00:00.000000Z 2026-11-22T23:60:00.000000Z 2026-02-30T12:00:00.000000Z
    2026-11-22T12:00:00.000000z 2026-11-22t12:00:00.000000Z 2026-11-22T12:00:00,000000Z
    2026-11-22_12:00:00.000000Z 20261122T12:00:00.00000000Z 2026-W47-7T12:00:00.000000Z
    2026-11-22T12:00:00.00000Z 2026-11-22T12:00:00.0000000Z 2026-11-22T12:00:00.000+00:00
    2026-11-22T12:00:00.000000 0000-11-22T12:00:00.000000Z 2026-11-22T12:00:00.00000٣Z
    2026-11-22T12:00:00.000000ZZ 2026-11-22T12:00:00Z 2026-11-22
""".split()


@pytest.mark.parametrize("stamp", SPELLINGS)
def test_a_time_in_another_spelling_is_refused_at_the_same_line(stamp: str) -> None:
    """Python reads most of these; texts that do not sort as times do are none of ours."""
    bodies = [*BODIES]
    bodies[20] = bodies[20].replace(STAMP, stamp.encode(), 1)
    assert agree(rechained(bodies)) is not None


CHANGES = {
    "another run": (RUN.encode(), OTHER_RUN.encode()),
    "a batch of none": (b'"batch":[18,9]', b'"batch":[18,0]'),
    "a batch that begins elsewhere": (b'"batch":[18,9]', b'"batch":[17,9]'),
    "a longer batch": (b'"batch":[18,9]', b'"batch":[18,10]'),
    "a number that is none": (b'"seq":21', b'"seq":21.0'),
    "no level": (b'"level":"info",', b""),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_line_that_breaks_a_rule_is_refused_at_the_same_line(what: str) -> None:
    """Every rule of ``follow`` has its column."""
    bodies = [*BODIES]
    assert CHANGES[what][0] in bodies[20]
    bodies[20] = bodies[20].replace(*CHANGES[what], 1)
    assert agree(rechained(bodies)) is not None


@pytest.mark.parametrize("what", NOT_JSON | WRONG_SHAPE)
def test_a_malformed_line_is_refused_or_taken_as_follow_does(what: str) -> None:
    """Cases 28 to 36, between lines that are sound."""
    bad = (NOT_JSON | WRONG_SHAPE)[what].replace(b'"seq":1', b'"seq":14')
    agree(rechained([*BODIES[:13], bad.replace(b'"batch":[1,1]', b'"batch":[14,1]'), *BODIES[14:]]))


SPECIAL = {
    "a second clock": (b',"batch"', b',"clock":"2026-11-22T11:59:59.000000Z","batch"'),
    "a user's event": (b'"event":"log_emitted"', b'"event":"acme.sent"'),
    "an event of tomorrow": (b'"event":"log_emitted"', b'"event":"run_dreamt"'),
    "a payload of tomorrow": (b',"batch"', b',"v":2,"batch"'),
    "a key of tomorrow": (b',"batch"', b',"mood":"good","batch"'),
}


@pytest.mark.parametrize("what", SPECIAL)
def test_a_line_with_something_special_is_taken(what: str) -> None:
    """What the columns leave alone is not refused: it is looked at."""
    bodies = [*BODIES]
    bodies[20] = bodies[20].replace(*SPECIAL[what], 1)
    assert agree(rechained(bodies)) is None


def test_a_later_opening_is_looked_at() -> None:
    """From there on another format may hold."""
    writer = WriterInfo(host="h", pid=1, user="u", library="l")
    told: list[Event] = [LogEmitted()] * 12
    for number, error in ((FORMAT, None), (FORMAT + 1, StorageErrorCode.UNSUPPORTED_FORMAT)):
        opening = WriterOpened(writer=writer, epoch=2, format=number)
        lines = lines_of([[(None, event)] for event in (*told, opening, *told)])
        found = agree(lines)
        assert (found and found.code) == error


def test_strict_walks_look_at_every_line() -> None:
    """Verify and recovery ask for more than the columns know."""
    twice = BODIES[20].replace(b'"phase":null', b'"phase":null,"phase":null')
    lines = rechained([*BODIES[:20], twice, *BODIES[21:]])
    with pytest.raises(StorageError, match="line 21"):
        list(follow_many(Chain(RUN, strict=True), lines))


def test_a_plain_log_is_not_looked_at_line_by_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the columns would be nothing but a detour."""
    looked: list[bytes] = []
    follow = Chain.follow

    def counted(chain: Chain, line: bytes) -> Record:
        looked.append(line)
        return follow(chain, line)

    monkeypatch.setattr(Chain, "follow", counted)
    assert len(list(follow_many(Chain(RUN), LOG))) == len(LOG)
    assert looked == LOG[:1]


def test_what_was_read_before_a_failure_comes_first() -> None:
    """Who reads on later goes on behind the last line that was whole."""

    def lines() -> Iterator[bytes]:
        yield from LOG[:20]
        raise storage_error(StorageErrorCode.IO_ERROR, "the disk is gone.")

    chain = Chain(RUN)
    walk = follow_many(chain, lines())
    assert [record.seq for record in islice(walk, 20)] == list(range(1, 21))
    with pytest.raises(StorageError, match="gone"):
        next(walk)
    assert chain.seq == 20


def test_long_lines_do_not_pile_up() -> None:
    """A block ends with the line that fills it, so memory is bounded by the longest line."""
    long = LogEmitted(data={"x": "y" * 100_000})
    taken: list[bytes] = []

    def lines() -> Iterator[bytes]:
        for line in lines_of([[(None, long)] for _ in range(5)]):
            taken.append(line)
            yield line

    walk = follow_many(Chain(RUN), lines())
    for number in range(1, 6):
        next(walk)
        assert len(taken) == number

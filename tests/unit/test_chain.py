"""What is frozen, laid out and followed comes back equal; what is changed is refused."""

import hashlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journal.chain import SUFFIX_BYTES, Chain, encode_batch, genesis, middle_of
from journal.draft import Clock, Stamp, freeze
from journal.errors import StorageErrorCode
from journal.events.base import Event
from journal.events.log import LogEmitted
from journal.events.registry import BUILT_IN
from tests.unit import payloads
from tests.unit.lines import NOON, OTHER_RUN, RUN, chained, lines_of, log_of, refusal

CORRUPT = StorageErrorCode.CORRUPT

labels = st.none() | payloads.texts
keys = st.none() | st.text(min_size=1, max_size=60)
meta: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "phase": labels,
        "message": payloads.texts,
        "level": st.sampled_from(["debug", "info", "warning", "error"]),
        "actor": labels,
        "key": keys,
    },
)


@pytest.mark.parametrize("kind", BUILT_IN, ids=lambda kind: kind.event_name)
@settings(max_examples=25)
@given(data=st.data())
def test_an_event_comes_back_equal_whatever_its_payload(
    kind: type[Event], data: st.DataObject
) -> None:
    """A log is the only truth there is, so nothing may be lost or rounded on the way into it."""
    event, fields = data.draw(payloads.events(kind)), data.draw(meta)
    draft = freeze(RUN, event, **fields)
    (line,), last = encode_batch(genesis(RUN), [Stamp(draft, 1, *Clock(lambda: NOON).read())])
    record = Chain(RUN, strict=True).follow(line)
    assert record.data == event
    assert (record.event, record.hash, record.seq) == (kind.event_name, last, 1)
    assert {name: getattr(record, name) for name in fields} == fields
    assert line.count(b"\n") == 1
    assert len(line) <= draft.line_bytes_max
    assert middle_of(line) == draft.middle


@settings(max_examples=40)
@given(data=st.data())
def test_any_cut_into_batches_is_followed_to_the_same_chain(data: st.DataObject) -> None:
    """How appends were grouped under a sync is told by ``batch`` and must fit to the line."""
    sizes = data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=6))
    event = payloads.example_of(BUILT_IN[0])
    lines = lines_of([[(None, event)] * size for size in sizes])
    chain, between = Chain(RUN), []
    for line in lines:
        record = chain.follow(line)
        if chain.between_batches:
            between.append(record.seq)
    assert between == [sum(sizes[: n + 1]) for n in range(len(sizes))]
    assert chain.position == sum(map(len, lines))
    assert chain.seq == len(lines)


def test_a_line_is_laid_out_as_the_format_says() -> None:
    """Key order and the 76 bytes are what an independent reader relies on."""
    fields: dict[str, Any] = {"phase": "ingest", "actor": "ann", "key": "k1", "message": "Hi."}
    draft = freeze(RUN, payloads.example_of(BUILT_IN[2]), **fields)
    (line,), last = encode_batch("ab" * 32, [Stamp(draft, 12, "2026-11-22T12:00:00.000000Z", "c")])
    body, suffix = line[:-SUFFIX_BYTES], line[-SUFFIX_BYTES:]
    assert body == (
        b'{"seq":12,"timestamp":"2026-11-22T12:00:00.000000Z","level":"info",'
        b'"event":"run_started","run_id":"%b","phase":"ingest","message":"Hi.","data":{},'
        b'"actor":"ann","key":"k1","clock":"c","batch":[12,1]' % RUN.encode()
    )
    assert last == hashlib.sha256(b"ab" * 32 + body).hexdigest()
    assert suffix == b',"hash":"%b"}\n' % last.encode()


def test_line_one_continues_from_the_format_and_the_run() -> None:
    """Two runs with the same first event have different chains: a file cannot change its run."""
    assert genesis(RUN) == hashlib.sha256(f"run-journal/1 {RUN}".encode()).hexdigest()
    assert genesis(RUN) != genesis(OTHER_RUN)


# ------------------------------------------------------------------------------- damage


def _reads_on(line: bytes, above: Chain, below: bytes) -> StorageErrorCode | None:
    """What a reader says that meets ``line`` behind ``above`` and before ``below``."""
    chain = Chain(RUN, above.seq, above.position, above.hash)
    first, newline, _ = (line + below).partition(b"\n")
    error = None
    try:
        chain.follow(first + newline)
    except Exception as failure:  # noqa: BLE001 - case 21: nothing but StorageError may escape
        error = failure
    return getattr(error, "code", None)


def test_every_flipped_bit_of_a_log_is_corrupt() -> None:
    """Case 21, line level: all bits of a log of 30 lines, in batches of one to five lines."""
    kinds = [payloads.example_of(kind) for kind in BUILT_IN] + [
        payloads.example_of(BUILT_IN[0]) for _ in range(4)
    ]
    lines = lines_of(
        [[("p", event) for event in kinds[n : n + 1 + n % 5]] for n in (0, 1, 3, 6, 10, 11, 13)]
        + [[("p", event)] for event in kinds[16:]]
    )
    assert len(lines) == 30
    above, accepted = Chain(RUN), []
    for line, below in zip(lines, [*lines[1:], b""], strict=True):
        for place in range(len(line) * 8):
            flipped = bytearray(line)
            flipped[place // 8] ^= 1 << place % 8
            if _reads_on(bytes(flipped), above, below) is not CORRUPT:
                accepted.append((above.seq + 1, place))
        above.follow(line)
    assert accepted == []


@given(st.data())
def test_any_other_byte_in_any_place_is_corrupt(data: st.DataObject) -> None:
    """Damage is not always one bit: a block of zeros, an old block, a stray byte."""
    lines = log_of(4)
    whole = b"".join(lines)
    start = data.draw(st.integers(0, len(whole) - 1))
    new = data.draw(st.binary(min_size=1, max_size=20))
    damaged = whole[:start] + new + whole[start + len(new) :]
    pieces = [piece + b"\n" for piece in damaged.split(b"\n")]
    error = refusal(pieces)
    assert damaged == whole or (error is not None and error.code is CORRUPT)


@pytest.mark.parametrize(
    ("what", "order"),
    [
        ("duplicated", [0, 1, 1, 2, 3]),
        ("removed", [0, 2, 3]),
        ("swapped", [0, 2, 1, 3]),
        ("first removed", [1, 2, 3]),
        ("repeated from the start", [0, 1, 2, 3, 0]),
    ],
)
def test_lines_out_of_order_are_corrupt(what: str, order: list[int]) -> None:
    """Case 24: each line continues exactly one other, so none can be moved, lost or said twice."""
    lines = log_of(4)
    error = refusal([lines[n] for n in order])
    assert error is not None, what
    assert error.code is CORRUPT


@pytest.mark.parametrize("seq", [0, -1, 1, 3, 4, 2**63])
def test_a_seq_that_does_not_count_on_is_corrupt_though_the_chain_holds(seq: int) -> None:
    """Case 24: gap, repeat, zero, negative; another writer's line with a hash that fits."""
    first = log_of(1)[0]
    body = first[:-SUFFIX_BYTES].replace(b'"seq":1,', b'"seq":%d,' % seq)
    body = body.replace(b"[1,1]", b"[%d,1]" % seq)
    chain = Chain(RUN)
    above = chain.follow(first).hash
    error = refusal([first, chained(body, above)])
    assert error is not None
    assert (error.code, error.info.details.reason, error.info.details.seq) == (CORRUPT, "seq", 2)


def test_a_line_of_another_run_is_corrupt_in_every_place() -> None:
    """Case 26: a log names its run in every line and in its first hash."""
    ours, theirs = log_of(4), log_of(4, OTHER_RUN)
    for place in range(4):
        error = refusal([*ours[:place], theirs[place], *ours[place + 1 :]])
        assert error is not None
        assert error.code is CORRUPT
    assert refusal(theirs) is not None


@pytest.mark.parametrize("first", range(4))
def test_a_stale_block_of_the_same_run_is_corrupt(first: int) -> None:
    """Case 27: a sector that kept what stood there before, whole lines that were once valid."""
    now = log_of(4)
    before = lines_of([[(None, LogEmitted(name=f"o{n}"))] for n in range(4)])
    assert [len(line) for line in before] == [len(line) for line in now]
    for last in range(first + 1, 5):
        if (first, last) == (0, 4):
            continue  # all of it is old: a restored backup, which only an outside head can tell
        error = refusal([*now[:first], *before[first:last], *now[last:]])
        assert error is not None
        assert error.code is CORRUPT


def test_a_line_of_another_run_is_corrupt_though_the_chain_holds() -> None:
    """Case 26: even where somebody made the hash fit, the run id in the line does not."""
    foreign = log_of(1)[0][:-SUFFIX_BYTES].replace(RUN.encode(), OTHER_RUN.encode())
    error = refusal([chained(foreign)])
    assert error is not None
    assert (error.code, error.info.details.reason) == (CORRUPT, "run_id")


@pytest.mark.parametrize("batch", [b"[2,1]", b"[0,1]", b"[1,0]", b"[0,3]", b"[-1,5]"])
def test_a_batch_that_does_not_begin_here_is_corrupt(batch: bytes) -> None:
    """Recovery cuts whole batches; a line that lies about its batch would be cut wrongly."""
    body = log_of(1)[0][:-SUFFIX_BYTES].replace(b"[1,1]", batch)
    error = refusal([chained(body)])
    assert error is not None
    assert (error.code, error.info.details.reason) == (CORRUPT, "batch")


def test_a_line_that_leaves_its_batch_is_corrupt() -> None:
    """All lines of a batch say the same, or two readers would cut in two places."""
    event = payloads.example_of(BUILT_IN[2])
    lines = lines_of([[(None, event)] * 3])
    chain = Chain(RUN)
    above = chain.follow(lines[0]).hash
    body = lines[1][:-SUFFIX_BYTES].replace(b"[1,3]", b"[2,1]")
    error = refusal([lines[0], chained(body, above)])
    assert error is not None
    assert (error.code, error.info.details.reason) == (CORRUPT, "batch")


def test_a_refused_line_leaves_the_walk_where_it_was() -> None:
    """Recovery goes back to the last good line: a failed step must not count."""
    lines = log_of(3)
    chain = Chain(RUN)
    chain.follow(lines[0])
    before = (chain.seq, chain.position, chain.hash, chain.timestamp, chain.between_batches)
    assert _reads_on(lines[2], chain, b"") is CORRUPT
    with pytest.raises(Exception, match="hash does not match"):
        chain.follow(lines[2])
    assert (chain.seq, chain.position, chain.hash, chain.timestamp, True) == before
    assert chain.follow(lines[1]).seq == 2


def test_an_error_of_the_chain_says_where() -> None:
    """A person must find the line, and the command that looks at all of them."""
    lines = log_of(3)
    error = refusal([lines[0], lines[2]])
    assert error is not None
    details = error.info.details
    assert (details.run_id, details.seq, details.offset) == (RUN, 2, len(lines[0]))
    assert str(error).startswith(f"corrupt: run {RUN} line 2 (byte {len(lines[0])}): ")
    assert details.next_action == f"journal verify {RUN}"

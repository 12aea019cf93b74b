"""
Cases 28 to 36: lines whose chain holds, but which this library would never have written.

Somebody else's writer made them, so they are no damage: each has the code that says what is wrong.
"""

import json

import pytest

from journal.chain import Chain, genesis
from journal.errors import StorageError, StorageErrorCode
from journal.events.log import LogEmitted
from journal.events.registry import UnknownEvent
from journal.limits import LINE_BYTES_MAX_READ
from tests.unit.lines import RUN, body_of, chained, log_of, refusal

CORRUPT = StorageErrorCode.CORRUPT
SERIALIZATION = StorageErrorCode.SERIALIZATION_ERROR
VALIDATION = StorageErrorCode.VALIDATION_ERROR
LIMIT = StorageErrorCode.LIMIT_EXCEEDED
UNSUPPORTED = StorageErrorCode.UNSUPPORTED_FORMAT

GOOD = body_of()


def free(value: bytes) -> bytes:
    """Return a line that holds ``value`` in free JSON, where no type says what it must be."""
    return body_of(data=b'{"data":{"x":%b}}' % value)


def nested(levels: int) -> bytes:
    """Return a line that is ``levels`` deep; the line, its data and the free object are three."""
    return free(b"[" * (levels - 3) + b"]" * (levels - 3))


NOT_JSON = {
    "28 a byte that is no UTF-8": free(b'"\xff"'),
    "28 a surrogate in UTF-8": free(b'"\xed\xa0\x80"'),
    "28 an overlong NUL": free(b'"\xc0\x80"'),
    "28 a lone high surrogate, escaped": free(rb'"\ud800"'),
    "28 a lone low surrogate, escaped": free(rb'"\udc00"'),
    "28 a lone surrogate in a key": body_of(data=rb'{"data":{"\ud800":1}}'),
    "28 a BOM": b"\xef\xbb\xbf" + GOOD,
    "28 UTF-16": GOOD.decode().encode("utf-16"),
    "28 UTF-16 without BOM": GOOD.decode().encode("utf-16-le"),
    "28 a control character in a text": free(b'"\x01"'),
    "29 a duplicate key": body_of(data=b'{"data":{"a":1,"a":1}}'),
    "29 a duplicate key, spelled with an escape": body_of(data=rb'{"data":{"a":1,"\u0061":2}}'),
    "29 a duplicate field of the payload": body_of(data=b'{"name":"a","name":"b"}'),
    "29 a duplicate key of the line": GOOD.replace(b'"phase":null', b'"phase":null,"phase":null'),
    "29 a duplicate hash": GOOD + b',"hash":"00"',
    "30 NaN": free(b"NaN"),
    "30 Infinity": free(b"Infinity"),
    "30 -Infinity": free(b"-Infinity"),
    "30 1e999": free(b"1e999"),
    "30 -1e999": free(b"-1e999"),
    "34 half an object": GOOD[:-10],
    "34 an open list": b"[1,2",
}

WRONG_SHAPE = {
    "31 an integer past 64 bit": free(b"18446744073709551616"),
    "31 an integer below 64 bit": free(b"-9223372036854775809"),
    "31 an integer of 5,000 digits": free(b"9" * 5000),
    "31 an integer past 64 bit in a typed field": body_of(
        data=b'{"done":18446744073709551616}', event="phase_progress"
    ),
    "32 nested past 64": nested(65),
    "32 nested past what a parser bears": nested(100_000),
    "34 nothing": b"",
    "34 a scalar": b"5",
    "34 a text": b'"line"',
    "34 a list": b"[1,2]",
    "34 null": b"null",
    "34 trailing bytes": GOOD + b"}xx",
    "34 a whole object before the hash": GOOD + b"}",
    "34 two objects": GOOD + b"}" + GOOD,
    "34 data is a list": body_of(data=b"[]"),
    "34 data is null": body_of(data=b"null"),
    "34 a seq that is a text": GOOD.replace(b'"seq":1', b'"seq":"1"'),
    "34 a seq that is a fraction": GOOD.replace(b'"seq":1', b'"seq":1.5'),
    "34 a seq that is null": GOOD.replace(b'"seq":1', b'"seq":null'),
    "34 a level that is none": GOOD.replace(b'"level":"info"', b'"level":"loud"'),
    "34 a batch of one": body_of(batch=b"[1]"),
    "34 a batch of three": body_of(batch=b"[1,1,1]"),
    "34 no event": GOOD.replace(b'"event":"log_emitted",', b""),
    "34 no message": GOOD.replace(b'"message":"Log line.",', b""),
    "34 an event that is a number": GOOD.replace(b'"log_emitted"', b"7"),
    "34 a field that the event does not have": body_of(data=b'{"nonsense":1}'),
    "34 a field of another type": body_of(data=b'{"name":1}'),
    "34 a required field missing": body_of(data=b"{}", event="run_created"),
    "34 a number past its bound": body_of(data=b'{"done":-1}', event="phase_progress"),
    "34 a version of 0": GOOD.replace(b',"batch"', b',"v":0,"batch"'),
    "34 a time without a zone": GOOD.replace(b"00.000000Z", b"00.000000"),
    "34 a time without digits": GOOD.replace(b"00.000000Z", b"00Z"),
    "34 a time in other digits": GOOD.replace(b"2026", "٢٠٢٦".encode()),
    "34 the 31st of June": GOOD.replace(b"2026-11-22", b"2026-06-31"),
    "34 the year 0": GOOD.replace(b"2026", b"0000"),
    "34 hour 24": GOOD.replace(b"T12:", b"T24:"),
    "34 a clock that is no time": GOOD.replace(b',"batch"', b',"clock":"noon","batch"'),
}


def code_of(lines: list[bytes], *, strict: bool) -> StorageErrorCode | None:
    """Return the code with which ``lines`` are refused."""
    error = refusal(lines, strict=strict)
    return error.code if error else None


@pytest.mark.parametrize("what", NOT_JSON)
def test_what_does_not_parse_is_a_serialization_error(what: str) -> None:
    """Cases 28 to 30: verify and recovery refuse what parsers at hand take silently."""
    assert code_of([chained(NOT_JSON[what])], strict=True) is SERIALIZATION


@pytest.mark.parametrize("what", WRONG_SHAPE)
def test_what_parses_in_a_wrong_shape_is_a_validation_error(what: str) -> None:
    """Cases 31, 32 and 34: JSON, but not a line, or not one that every reader can hold."""
    assert code_of([chained(WRONG_SHAPE[what])], strict=True) is VALIDATION


@pytest.mark.parametrize("what", [*NOT_JSON, *WRONG_SHAPE])
def test_replay_agrees_with_verify_wherever_it_refuses(what: str) -> None:
    """Replay leaves out the rules on keys and numbers; it may not give another reason."""
    line = chained({**NOT_JSON, **WRONG_SHAPE}[what])
    quick, full = code_of([line], strict=False), code_of([line], strict=True)
    assert quick in {None, full}
    assert quick is not None or what[:2] in {"29", "31", "32"}


def test_the_unchanged_line_is_fine() -> None:
    """All of the above would prove nothing if the line that they change were refused as well."""
    assert refusal([chained(GOOD)]) is None


@pytest.mark.parametrize("strict", [True, False])
def test_a_line_over_the_cap_is_a_limit(strict: bool) -> None:
    """Case 33: refused by its length alone, before anything of it is hashed or parsed."""
    body = free(b'"%b"' % (b"x" * LINE_BYTES_MAX_READ))
    assert code_of([chained(body)], strict=strict) is LIMIT
    assert code_of([b"x" * (LINE_BYTES_MAX_READ + 1)], strict=strict) is LIMIT


def test_a_long_line_under_the_cap_is_read() -> None:
    """Case 33: other writers may have a higher bound than ours."""
    line = chained(free(b'"%b"' % (b"x" * (LINE_BYTES_MAX_READ - 1000))))
    assert LINE_BYTES_MAX_READ - 1000 < len(line) <= LINE_BYTES_MAX_READ
    assert refusal([line]) is None


@pytest.mark.parametrize(
    "damaged",
    [
        log_of(1)[0][:-1] + b"\r\n",
        log_of(1)[0] + b"x",
        b"\n",
        b"",
        b"null\n",
        log_of(1)[0].upper(),
        log_of(1)[0][:-3] + b"'}\n",
        log_of(1)[0].replace(b'"hash":', b'"hash": '),
    ],
)
def test_a_line_that_does_not_end_in_its_76_bytes_is_corrupt(damaged: bytes) -> None:
    """Cases 28 and 34: the suffix is compared byte by byte, so CRLF is a broken chain, no style."""
    assert code_of([damaged], strict=False) is CORRUPT


@pytest.mark.parametrize("depth", [4, 63, 64])
def test_nesting_up_to_the_bound_is_read(depth: int) -> None:
    """Case 32: the bound is 64 levels, the line itself included."""
    assert refusal([chained(nested(depth))]) is None


@pytest.mark.parametrize("number", [b"18446744073709551615", b"-9223372036854775808"])
def test_integers_of_64_bit_are_read(number: bytes) -> None:
    """Case 31: both edges can be held."""
    assert refusal([chained(free(number))]) is None


def test_brackets_inside_texts_are_no_nesting() -> None:
    """Case 32: a text of a thousand brackets is as flat as any other."""
    assert refusal([chained(free(json.dumps('["\\' * 1000).encode()))]) is None


@pytest.mark.parametrize("char", ["\u2028", "\u2029", "\x85", "\x1c", "\u200e", "\U0001f600"])
def test_what_other_splitters_take_for_a_line_break_is_text(char: str) -> None:
    """Case 35: a line ends at the newline byte and nowhere else."""
    line = chained(free(json.dumps(f"a{char}b", ensure_ascii=False).encode()))
    assert Chain(RUN, strict=True).follow(line).data == LogEmitted(data={"x": f"a{char}b"})


@pytest.mark.parametrize("name", ["acme.thing_done", "thing_done", "acme.Thing", "UNKNOWN"])
def test_an_unknown_event_is_kept_byte_for_byte(name: str) -> None:
    """Case 36: an older program shows what a newer one wrote, exactly as it stands."""
    raw = b'{ "b":1.50,"a":[1e2, "\\u00e9"] }'
    record = Chain(RUN, strict=True).follow(chained(body_of(data=raw, event=name)))
    assert isinstance(record.data, UnknownEvent)
    assert (record.event, record.data.raw, record.data.unknown) == (name, raw, "name")
    assert record.data.blocks is ("." not in name)


@pytest.mark.parametrize("raw", [b"[1]", b'"text"', b"7", b"null"])
def test_an_unknown_payload_may_be_any_json(raw: bytes) -> None:
    """Case 36: what is not understood is not judged either."""
    record = Chain(RUN).follow(chained(body_of(data=raw, event="acme.thing_done")))
    assert isinstance(record.data, UnknownEvent)
    assert record.data.raw == raw


def test_unknown_keys_of_a_line_are_ignored_and_hashed() -> None:
    """Case 36: optional keys may come without a new format; the chain covers them all the same."""
    body = GOOD.replace(b',"batch"', b',"colour":"red","batch"')
    assert refusal([chained(body)]) is None
    assert code_of([chained(body).replace(b"red", b"RED")], strict=False) is CORRUPT


CREATED = (
    b'{"project":"p","format":%d,"writer":{"host":"h","pid":1,"user":"u","library":"run-journal"}}'
)


def test_a_log_of_another_format_is_unsupported_not_damaged() -> None:
    """Case 36: whoever has an old program must be told to upgrade, not to fear for the data."""
    body = body_of(data=CREATED % 2, event="run_created")
    error = refusal([chained(body, genesis(RUN, 2))])
    assert isinstance(error, StorageError)
    assert (error.code, error.info.details.reason) == (UNSUPPORTED, "format")
    assert error.info.details.next_action == "upgrade run-journal"


def test_a_damaged_log_of_another_format_is_corrupt() -> None:
    """Case 36: the number alone excuses nothing; the chain must hold in that format."""
    line = chained(body_of(data=CREATED % 2, event="run_created"), genesis(RUN, 2))
    assert code_of([line.replace(b'"host":"h"', b'"host":"i"')], strict=True) is CORRUPT
    assert code_of([line.replace(b'"format":2', b'"format":3')], strict=True) is CORRUPT


@pytest.mark.parametrize("number", [0, 2, 99])
def test_a_log_that_goes_on_in_another_format_is_unsupported_from_there(number: int) -> None:
    """Case 36: each opening says its format, so an old reader stops before what it cannot know."""
    first = chained(body_of(data=CREATED % 1, event="run_created"))
    opened = CREATED.replace(b'"project":"p",', b'"epoch":2,') % number
    chain = Chain(RUN)
    above = chain.follow(first).hash
    line = chained(body_of(2, opened, b"[2,1]", "writer_opened"), above)
    error = refusal([first, line])
    assert error is not None
    assert (error.code, error.info.details.seq) == (UNSUPPORTED, 2)


def test_no_error_shows_what_the_line_holds() -> None:
    """Case 84: an error may be logged anywhere; the payload may be secret."""
    for body in [*NOT_JSON.values(), *WRONG_SHAPE.values()]:
        secret = body.replace(b'"message":"Log line."', b'"message":"hunter2"')
        error = refusal([chained(secret.replace(b'"x"', b'"hunter2"'))])
        assert error is None or "hunter2" not in repr(error) + error.info.model_dump_json()

"""What may enter a log: only values that come back as they were given; and when it was."""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journal.chain import Chain, encode_batch, genesis
from journal.draft import Clock, Stamp, body_digest, freeze, timestamp_of
from journal.errors import StorageError, StorageErrorCode
from journal.events.base import Event
from journal.events.log import LogEmitted
from journal.events.phase import PhaseCompleted, PhaseProgress, PhaseStarted
from journal.events.run import RunFailed, RunStarted
from journal.limits import KEY_BYTES_MAX, LINE_BYTES_MAX, MESSAGE_CHARS_MAX
from tests.unit import payloads
from tests.unit.lines import NOON, RUN

VALIDATION = StorageErrorCode.VALIDATION_ERROR


def refused(event: Event, **fields: Any) -> StorageError:
    """Return the error with which ``event`` is refused."""
    with pytest.raises(StorageError) as caught:
        freeze(RUN, event, **fields)
    return caught.value


def nested(levels: int) -> dict[str, Any]:
    """Return a value that makes the line ``levels`` deep; the line, data and field are three."""
    value: Any = {}
    for _ in range(levels - 3):
        value = {"a": value}
    return {} if levels < 3 else dict(value)


def cycle() -> dict[str, Any]:
    """Return a value that contains itself."""
    found: dict[str, Any] = {}
    found["again"] = [found]
    return found


LYING = {
    "NaN": math.nan,
    "Infinity": math.inf,
    "-Infinity": -math.inf,
    "a lone surrogate": "\ud800",
    "a surrogate pair in two": "\ud83d\ude00",
    "a lone surrogate as a key": {"\udfff": 1},
    "bytes": b"x",
    "a tuple": (1, 2),
    "a tuple deep inside": {"a": [{"b": ()}]},
    "a set": {1},
    "a date": datetime(2026, 11, 22, tzinfo=UTC),
    "a decimal": Decimal(1),
    "a UUID": UUID(int=1),
    "a path": Path("x"),
    "a struct": PhaseProgress(done=1),
    "an object": object(),
    "a function": print,
    "a key that is a number": {1: "a"},
    "a key that is None": {None: "a"},
    "two keys with one spelling": {1: "a", "1": "b"},
    "an integer past 64 bit": 2**64,
    "an integer below 64 bit": -(2**63) - 1,
    "an integer of 5,000 digits": 10**5000,
    "a cycle": cycle(),
    "raw JSON": msgspec.Raw(b"1"),
    "raw garbage": msgspec.Raw(b"}{"),
    "nesting past 64": nested(65),
    "nesting past any parser": nested(900),
}


@pytest.mark.parametrize("what", LYING)
def test_a_value_that_would_not_come_back_is_refused(what: str) -> None:
    """Case 37: JSON would change it in silence, and the log would say what nobody said."""
    error = refused(LogEmitted(data={"secret-key": LYING[what]}))
    assert (error.code, error.info.details.reason) == (VALIDATION, "not_representable")
    assert "Nothing was written" in str(error)
    assert "secret-key" not in repr(error)


@pytest.mark.parametrize("levels", [4, 63, 64])
def test_nesting_up_to_the_bound_is_taken(levels: int) -> None:
    """Case 32: writer and reader have one bound, so what is written can be verified."""
    assert freeze(RUN, LogEmitted(data=nested(levels))).middle


@pytest.mark.parametrize(
    "value", [2**64 - 1, -(2**63), 5e-324, 1.7976931348623157e308, -0.0, "\u2028\x00", "\U0010ffff"]
)
def test_a_value_at_an_edge_comes_back(value: object) -> None:
    """Cases 31 and 35: what JSON can hold is never refused for looking odd."""
    draft = freeze(RUN, LogEmitted(data={"x": value}))
    (line,), _ = encode_batch(genesis(RUN), [Stamp(draft, 1, timestamp_of(NOON), None)])
    record = Chain(RUN, strict=True).follow(line)
    assert record.data == LogEmitted(data={"x": value})


wrong: Any = "wrong"


@pytest.mark.parametrize(
    "make",
    [
        lambda: PhaseCompleted(revision=1, duration_s=wrong),
        lambda: PhaseCompleted(revision=1, duration_s=math.nan),
        lambda: PhaseCompleted(revision=0, duration_s=1.0),
        lambda: PhaseCompleted(revision=True, duration_s=1.0),
        lambda: PhaseStarted(revision=1, attempt=2**31 + 1),
        lambda: PhaseProgress(done=-1),
        lambda: PhaseProgress(done=2**64),
        lambda: RunFailed(error=wrong),
        lambda: LogEmitted(data=wrong),
        lambda: LogEmitted(name=cycle()),  # type: ignore[arg-type]
    ],
)
def test_a_field_of_a_wrong_type_is_refused(make: Callable[[], Event]) -> None:
    """Structs do not check what they are made of; the way into the log does."""
    assert refused(make()).code is VALIDATION


class Talkative(Event, frozen=True, kw_only=True):
    """An event whose sentence is whatever it was told."""

    event_name: ClassVar[str] = "unit.talkative"
    words: str

    def sentence(self, phase: str | None) -> str:
        """Say it, or fail."""
        return str(1 / 0) if self.words == "!" else self.words


def test_a_sentence_that_fails_is_refused() -> None:
    """A bug in a user's sentence is told as such, and does not tear the writer down."""
    error = refused(Talkative(words="!"))
    assert (error.code, "ZeroDivisionError" in str(error)) == (VALIDATION, True)
    assert freeze(RUN, Talkative(words="!"), message="Said otherwise.").middle


def test_a_sentence_is_cut_and_a_message_refused_past_the_bound() -> None:
    """The library may shorten its own words, not those of a caller."""
    long = "x" * (MESSAGE_CHARS_MAX + 1)
    middle = freeze(RUN, Talkative(words=long)).middle
    assert b'"message":"' + b"x" * (MESSAGE_CHARS_MAX - 1) + "…".encode() + b'"' in middle
    assert refused(RunStarted(), message=long).code is VALIDATION
    assert long[1:].encode() in freeze(RUN, RunStarted(), message=long[1:]).middle


@pytest.mark.parametrize(
    "fields",
    [
        {"key": ""},
        {"key": "k" * (KEY_BYTES_MAX + 1)},
        {"key": "\ud800"},
        {"actor": "\ud800"},
        {"phase": "\ud800"},
        {"message": "\ud800"},
        {"message": b"bytes"},
        {"level": "loud"},
        {"phase": 7},
    ],
)
def test_what_stands_beside_the_payload_is_checked_too(fields: dict[str, Any]) -> None:
    """Case 37: a line is refused as a whole or written as a whole."""
    assert refused(RunStarted(), **fields).code is VALIDATION


def test_a_key_is_bounded_in_bytes() -> None:
    """Ten thousand of them are kept in memory and in each checkpoint."""
    assert freeze(RUN, RunStarted(), key="é" * (KEY_BYTES_MAX // 2)).key
    assert refused(RunStarted(), key="é" * (KEY_BYTES_MAX // 2) + "x").code is VALIDATION


def test_a_line_over_the_bound_is_refused_with_the_way_out() -> None:
    """Case 33 for writers: longer text belongs in an artifact, and the error says so."""
    error = refused(LogEmitted(name="x" * LINE_BYTES_MAX))
    assert error.code is StorageErrorCode.LIMIT_EXCEEDED
    assert "phase.store()" in str(error)
    longest = freeze(RUN, LogEmitted(name="x" * (LINE_BYTES_MAX - 600)), message="")
    assert longest.line_bytes_max <= LINE_BYTES_MAX


def test_an_event_without_a_proper_name_is_refused() -> None:
    """An undotted name belongs to the vocabulary; a reader could never tell whose it is."""

    class Nameless(Event, frozen=True, kw_only=True):
        pass

    class Shouted(Event, frozen=True, kw_only=True):
        event_name: ClassVar[str] = "acme.Shouted"

    class Refined(RunStarted, frozen=True, kw_only=True):
        event_name: ClassVar[str] = "unit.refined"

    for kind in (Nameless, Shouted, Refined, Event):
        error = refused(kind())
        assert (error.code, error.info.details.reason) == (VALIDATION, "event_name")


def test_a_payload_version_below_one_is_refused() -> None:
    """A reader refuses it, so a writer must not write it."""

    class Early(Event, frozen=True, kw_only=True):
        event_name: ClassVar[str] = "unit.early"
        event_version: ClassVar[int] = 0

    assert refused(Early()).code is VALIDATION


def test_a_draft_does_not_change_with_what_it_was_made_of() -> None:
    """``emit`` returns at once: what the caller does with its dict afterwards is its own affair."""
    data = {"n": 1}
    draft = freeze(RUN, LogEmitted(data=data))
    data["n"] = 2
    assert b'{"n":1}' in draft.middle
    assert draft.event == LogEmitted(data={"n": 1})


@given(payloads.json_values)
def test_free_json_is_refused_or_comes_back(value: object) -> None:
    """There is no third way for any value at all."""
    draft = freeze(RUN, LogEmitted(data={"x": value}))
    assert msgspec.json.decode(b"{" + draft.middle + b"}")["data"]["data"] == {"x": value}


def test_a_digest_of_bodies_tells_where_each_ends() -> None:
    """A key stands for a whole append: two events are not one longer one."""
    assert body_digest([b"ab", b"c"]) != body_digest([b"a", b"bc"]) != body_digest([b"abc"])
    assert body_digest([b"ab", b"c"]) == body_digest(iter([b"ab", b"c"]))


# ------------------------------------------------------------------------------- clocks


def read_all(*seconds: float) -> list[tuple[str, str | None]]:
    """Return what one clock gives while the system's goes through ``seconds``."""
    given = iter(seconds)
    clock = Clock(lambda: next(given))
    return [clock.read() for _ in seconds]


def test_a_clock_that_goes_back_is_held_and_its_reading_kept() -> None:
    """Case 56: order is by seq alone, so time must not contradict it; nor is the truth lost."""
    assert read_all(NOON, NOON - 3600, NOON + 1) == [
        ("2026-11-22T12:00:00.000000Z", None),
        ("2026-11-22T12:00:00.000000Z", "2026-11-22T11:00:00.000000Z"),
        ("2026-11-22T12:00:01.000000Z", None),
    ]


def test_a_clock_at_1970_and_at_9999_is_told_as_it_reads() -> None:
    """Case 56: a dead battery or a fat finger shows in the log and stops nothing."""
    assert read_all(0.0, 253402300799.0, NOON) == [
        ("1970-01-01T00:00:00.000000Z", None),
        ("9999-12-31T23:59:59.000000Z", None),
        ("9999-12-31T23:59:59.000000Z", "2026-11-22T12:00:00.000000Z"),
    ]


def test_a_clock_that_stands_still_is_no_step_back() -> None:
    """Two events of one microsecond have one timestamp."""
    assert read_all(NOON, NOON) == [("2026-11-22T12:00:00.000000Z", None)] * 2


def test_a_reopened_run_goes_on_from_its_last_timestamp() -> None:
    """Case 57: the next writer may run on a host whose clock is behind."""
    clock = Clock(lambda: NOON, last="2027-01-01T00:00:00.000000Z")
    assert clock.read() == ("2027-01-01T00:00:00.000000Z", "2026-11-22T12:00:00.000000Z")


@given(st.lists(st.floats(allow_nan=False), min_size=1))
def test_timestamps_never_fall_whatever_the_clock_says(seconds: list[float]) -> None:
    """Case 56: and each is 27 characters that sort as text and parse as a time."""
    stamps = [stamp for stamp, _ in read_all(*seconds)]
    assert stamps == sorted(stamps)
    for stamp in stamps:
        assert len(stamp) == 27
        assert datetime.fromisoformat(stamp).tzinfo is not None


@given(st.integers(0, 2**41))
def test_a_timestamp_is_the_microsecond_that_was_read(microseconds: int) -> None:
    """Six digits always: text sorts as time does."""
    expected = f"1970-01-{1 + microseconds // 86_400_000_000:02d}T"
    assert timestamp_of(microseconds / 1e6)[:11] == expected
    assert round(datetime.fromisoformat(timestamp_of(microseconds / 1e6)).timestamp() * 1e6) == (
        microseconds
    )

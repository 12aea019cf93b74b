"""Models become lines of JSON and models again; what would not come back is refused."""

import math
import traceback
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, JsonValue, RootModel

from journal.artifacts.codec import decode
from journal.artifacts.models import decode_lines, encode_lines
from journal.errors import StorageError, StorageErrorCode
from journal.limits import LINE_BYTES_MAX_READ, READ_BYTES
from tests.artifacts.payloads import (
    LINE,
    LINE_JSON,
    SECRET,
    Area,
    Camel,
    Line,
    Loose,
    everything,
    refusal,
    texts,
    unchecked,
)

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64) | texts | st.floats(-1e300, 1e300),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
lines = st.builds(
    Line,
    number=st.integers(-(2**70), 2**70),
    text=texts,
    score=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    extra=json_values,
)


@pytest.mark.parametrize("item", [{"a": 1}, "text", None, b"x"])
def test_a_sequence_holds_models_only(item: Any) -> None:
    """The item is named, for a generator cannot be looked at again."""
    failure = refusal([LINE, item])
    assert failure.code is StorageErrorCode.VALIDATION_ERROR
    assert "item 2 is refused" in failure.info.message


CYCLE: list[Any] = []
CYCLE.append(CYCLE)
DEEP: list[Any] = []
for _ in range(400):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        [-math.inf],
        {"a": {"b": (math.nan,)}},
        "\ud800",
        {"\udfff": 1},
        b"\xff",
        object(),
        CYCLE,
        DEEP,
    ],
    # Named here: an id that holds an address is another one in each of two test processes.
    ids=[
        "nan",
        "infinity",
        "in a list",
        "deep inside",
        "surrogate",
        "surrogate key",
        "no utf-8",
        "no json type",
        "cycle",
        "too deep",
    ],
)
def test_a_value_that_json_would_change_or_not_hold_is_refused_case_37(value: Any) -> None:
    """pydantic writes NaN as null: the artifact would say that there was no value."""
    failure = refusal(Loose(value=value))
    assert failure.code is StorageErrorCode.VALIDATION_ERROR
    assert refusal([Loose(), Loose(value=value)]).code is StorageErrorCode.VALIDATION_ERROR


@pytest.mark.parametrize("written_as", ["null", "constants", "strings"])
def test_nan_is_refused_whatever_a_config_would_write_for_it_case_37(written_as: Any) -> None:
    """Of the three words that pydantic knows for it one lies, one is no JSON, one is a string."""

    class Sample(BaseModel):
        model_config = ConfigDict(ser_json_inf_nan=written_as)
        values: list[float | None]

    assert everything(Sample(values=[1.5, None])) == b'{"values":[1.5,null]}\n'
    assert refusal(Sample(values=[1.5, math.nan])).code is StorageErrorCode.VALIDATION_ERROR


@pytest.mark.parametrize(
    "model",
    [
        Area(side=2),
        unchecked(number="two", text="x"),
        unchecked(text="x"),
    ],
    ids=repr,
)
def test_a_model_that_would_not_come_back_is_refused(model: BaseModel) -> None:
    """A resumed run would find out only then, and have nothing to go on from."""
    failure = refusal(model)
    assert failure.code is StorageErrorCode.VALIDATION_ERROR
    assert "would not come back" in failure.info.message


def test_a_model_with_aliases_comes_back() -> None:
    """Whether a model writes names or aliases is its config's business."""
    content = everything(Camel(lineCount=3))
    assert content == b'{"line_count":3}\n'
    assert decode(content, "json", Camel) == Camel(lineCount=3)
    assert decode(b'{"lineCount":3}', "json", Camel) == Camel(lineCount=3)


def test_a_line_that_no_reader_would_take_is_not_written() -> None:
    """What a writer may write and what a reader takes are one number, checked at both ends."""
    failure = refusal([LINE, Line(number=2, text="x" * LINE_BYTES_MAX_READ)])
    assert failure.code is StorageErrorCode.LIMIT_EXCEEDED
    assert "item 2" in failure.info.message


def test_a_sequence_is_streamed() -> None:
    """The generator is asked for little more than what was passed on."""
    asked = 0

    def endless() -> Any:
        nonlocal asked
        while True:
            asked += 1
            yield Line(number=asked, text="x" * 1000)

    chunks = encode_lines(endless())
    first = next(chunks)
    assert READ_BYTES <= len(first) < READ_BYTES + 2000
    assert asked == first.count(b"\n")


@given(lines)
def test_a_model_comes_back_equal(line: Line) -> None:
    """The round trip, for any text and number that JSON can hold."""
    content = everything(line)
    assert content.count(b"\n") == 1
    assert decode(content, "json", Line) == line


@given(st.lists(lines, max_size=6))
def test_models_come_back_equal_and_in_order(models: list[Line]) -> None:
    """Case 35: one line each, whatever line separators of other worlds stand in the texts."""
    content = everything(models)
    assert content.count(b"\n") == len(models)
    assert decode(content, "jsonl", Line) == models


@given(st.lists(lines, max_size=4), st.integers(1, 50), st.booleans())
def test_lines_are_found_however_the_bytes_are_cut(
    models: list[Line], size: int, newline_at_end: bool
) -> None:
    """A file of somebody else's may lack the last newline, and chunks end anywhere."""
    content = everything(models)
    content = content if newline_at_end else content[:-1]
    chunks = [content[at : at + size] for at in range(0, len(content), size)]
    assert list(decode_lines(chunks, Line)) == models


def test_a_long_line_is_refused_in_constant_memory_case_33() -> None:
    """An endless line stops at the bound: the reader asks for no more chunks."""
    asked = 0

    def endless() -> Any:
        nonlocal asked
        while True:
            asked += 1
            yield b"x" * 100

    with pytest.raises(StorageError) as raised:
        list(decode_lines(endless(), Line, line_bytes_max=1000))
    assert raised.value.code is StorageErrorCode.LIMIT_EXCEEDED
    assert asked == 11
    assert len(list(decode_lines([LINE_JSON] * 3, Line, line_bytes_max=len(LINE_JSON)))) == 3


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", StorageErrorCode.SERIALIZATION_ERROR),
        (b"{", StorageErrorCode.SERIALIZATION_ERROR),
        (b'{"number":1,"text":"\xff"}', StorageErrorCode.SERIALIZATION_ERROR),
        (b'{"number":1,"text":"\\ud800"}', StorageErrorCode.SERIALIZATION_ERROR),
        (b"\xef\xbb\xbf{}", StorageErrorCode.SERIALIZATION_ERROR),
        (b"[" * 100_000, StorageErrorCode.SERIALIZATION_ERROR),
        (b"[]", StorageErrorCode.VALIDATION_ERROR),
        (b"null", StorageErrorCode.VALIDATION_ERROR),
        (b'{"number":"1","text":""}', StorageErrorCode.VALIDATION_ERROR),
        (b'{"number":1,"text":"","more":1}', StorageErrorCode.VALIDATION_ERROR),
    ],
)
def test_content_of_another_shape_is_told_apart_from_no_json(
    content: bytes, code: StorageErrorCode
) -> None:
    """Not JSON means that somebody else wrote it; another shape, that the model changed."""
    with pytest.raises(StorageError) as raised:
        decode(content, "json", Line)
    assert raised.value.code is code
    with pytest.raises(StorageError) as raised:
        decode(LINE_JSON + content + b"\n", "jsonl", Line)
    assert raised.value.code is code
    assert "line 2" in raised.value.info.message


class Notes(RootModel[dict[str, dict[str, Decimal]]]):
    """Its keys are data."""


@pytest.mark.parametrize(
    "action",
    [
        lambda: decode(f'{{"number":"{SECRET}","text":""}}'.encode(), "json", Line),
        lambda: decode(f'{{"number":1,"text":"","{SECRET}":1}}'.encode(), "json", Line),
        lambda: decode(f'{{"{SECRET}":{{"{SECRET}":"x"}}}}'.encode(), "json", Notes),
        lambda: decode(f'{{"number": {SECRET}'.encode(), "jsonl", Line),
        lambda: decode(SECRET.encode() + b"\xff", "txt"),
        lambda: everything(unchecked(number=SECRET, text="")),
        lambda: everything(Loose(value=SECRET + "\ud800")),
        lambda: everything(Loose(value={SECRET: math.nan})),
        lambda: everything(SECRET + "\ud800"),
    ],
)
def test_no_error_quotes_what_it_refuses_case_84(action: Any) -> None:
    """Errors go to logs and screens; so do their tracebacks, causes included."""
    with pytest.raises(StorageError) as raised:
        action()
    shown = [str(raised.value), repr(raised.value), raised.value.info.model_dump_json()]
    assert SECRET not in "".join(shown + traceback.format_exception(raised.value))


def test_an_error_names_the_models_own_fields() -> None:
    """Enough to mend the model, and nothing of the data."""
    with pytest.raises(StorageError, match=r"field number \(int_type\) and 1 more"):
        decode(b'{"number":"1","text":2}', "json", Line)
    with pytest.raises(StorageError, match=r"the value \(extra_forbidden\)"):
        decode(b'{"number":1,"text":"","x":2}', "json", Line)


def test_free_json_needs_a_model_that_says_so() -> None:
    """The advice of the refusal above works."""
    free = RootModel[dict[str, JsonValue]]({"a": [1, None, "x"]})
    assert decode(everything(free), "json", RootModel[dict[str, JsonValue]]) == free

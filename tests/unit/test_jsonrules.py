"""The rules of safe JSON agree with the parsers they correct."""

import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journal.errors import StorageErrorCode
from journal.jsonrules import (
    RuleBroken,
    check_depth,
    check_integers,
    check_strictly,
    has_long_number,
)
from journal.limits import DEPTH_MAX, INT_MAX, INT_MIN
from tests.unit import payloads


def broken(text: bytes) -> StorageErrorCode | None:
    """Return the code with which ``check_strictly`` refuses ``text``."""
    try:
        check_strictly(text)
    except RuleBroken as failure:
        return failure.code
    return None


@given(payloads.json_values)
def test_what_a_writer_may_write_passes_in_any_spelling(value: object) -> None:
    """Another writer may space, escape and order as it likes: that is not damage."""
    assert broken(msgspec.json.encode(value)) is None
    assert broken(json.dumps(value, indent=1, ensure_ascii=True).encode()) is None
    assert broken(json.dumps(value, ensure_ascii=False).encode()) is None


@given(st.text() | st.binary())
def test_any_bytes_are_judged(text: str | bytes) -> None:
    """Case 28: whatever stands there, the answer is yes or a rule, never another exception."""
    raw = text if isinstance(text, bytes) else text.encode("utf-8")
    if broken(raw) is None:
        json.loads(raw.decode("utf-8"))


def depth_of(value: Any) -> int:
    """Count how deep ``value`` is nested."""
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


deep = st.recursive(
    st.sampled_from(["[", '"', "\\", "]}", 0]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from('{"\\'), inner),
    max_leaves=30,
)


@given(deep, st.integers(0, DEPTH_MAX + 3))
def test_depth_is_counted_as_nesting_not_as_brackets(value: Any, more: int) -> None:
    """Case 32: brackets and quotes inside texts count for nothing."""
    for _ in range(more):
        value = [value]
    text = json.dumps([value, ["["] * DEPTH_MAX]).encode()
    code = broken(text)
    assert (code is None) is (max(1 + depth_of(value), 2) <= DEPTH_MAX)


def test_a_shallow_text_is_not_even_looked_at() -> None:
    """Case 32: the common line pays for counting two characters, no more."""
    check_depth(b'"' + b"[" * DEPTH_MAX)
    with pytest.raises(RuleBroken):
        check_depth(b"[" * (DEPTH_MAX + 1))


@given(st.integers(INT_MIN * 4, INT_MAX * 4))
def test_an_integer_is_kept_exactly_or_refused(number: int) -> None:
    """Case 31: parsers round silently past 64 bit, each in its own way."""
    fits = INT_MIN <= number <= INT_MAX
    assert (broken(b'{"x":[%d]}' % number) is None) is fits
    assert (broken(b'{"x": [%d]}' % number) is None) is fits


@given(st.text('0123456789eE.-"a٣', max_size=200))
def test_a_long_number_is_seen_wherever_it_stands(text: str) -> None:
    """Case 31: without nineteen digits in a row nothing is walked, so none may be overlooked."""
    encoded = text.encode()
    assert has_long_number(encoded) is (re.search(rb"[0-9]{19}", encoded) is not None)


def test_integers_are_found_wherever_they_stand() -> None:
    """Case 31: in lists, in objects, beside harmless long digits in texts and fractions."""
    check_integers(b"9" * 30, {"a": ["9" * 30, 1.5, None, True]})
    for value in ({"a": 2**64}, [[2**64]], (1, 2**64)):
        with pytest.raises(RuleBroken, match="64 bit"):
            check_integers(b"18446744073709551616", value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b'{"a":1,"a":2}', "a key stands twice in one object"),
        (b'{"x":{"a":1,"b":2,"\\u0061":3}}', "a key stands twice in one object"),
        (b"[NaN]", "NaN is not JSON"),
        (b"[1e999]", "a number past what a float holds"),
        (b"{} {}", "bytes stand behind a whole value"),
        (b"[1,]", "not JSON"),
        (b"\xff", "not JSON in UTF-8"),
        (b'["\\ud800"]', "not JSON in UTF-8"),
    ],
)
def test_a_rule_says_what_is_broken(text: bytes, says: str) -> None:
    """Cases 28 to 34: a person repairs another writer by these words."""
    with pytest.raises(RuleBroken, match=says):
        check_strictly(text)


def test_one_key_in_two_objects_is_no_duplicate() -> None:
    """Case 29: a key is unique inside its own object."""
    assert broken(b'[{"a": 1}, {"a": {"a": 1}}]') is None

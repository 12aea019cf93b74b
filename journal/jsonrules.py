"""
Which JSON is safe to keep for ever: depth, integers, duplicate keys, special numbers.

Every parser at hand is lenient somewhere (msgspec takes duplicate keys, json takes NaN), so the
rules stand here once. Writers apply ``check_depth`` and ``check_integers`` to what they encode;
``verify`` and recovery apply ``check_strictly`` to what they find. Raises ``RuleBroken``; callers
add the place.

Below: errors, limits. Above: events.registry, record.
"""

import json
import math
import re
from typing import Any, NoReturn

import msgspec

from journal.errors import StorageErrorCode
from journal.limits import DEPTH_MAX, INT_MAX, INT_MIN

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
# Digits as zeros, the rest as blanks: then a search for zeros finds a long number. A regular
# expression takes ten times as long, and this runs for every event.
_DIGITS_ONLY = bytes(0x30 if 0x30 <= byte <= 0x39 else 0x20 for byte in range(256))
_LONG_NUMBER = b"0" * 19


class RuleBroken(ValueError):
    """A rule of this file does not hold; ``code`` is the error code that fits."""

    def __init__(self, code: StorageErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def check_depth(text: bytes) -> None:
    """Refuse nesting past ``DEPTH_MAX``; constant memory, and almost free on ordinary text."""
    if not may_be_deep(text):
        return
    depth = 0
    for byte in _STRING.sub(b"", text):
        if byte in b"{[":
            depth += 1
            if depth > DEPTH_MAX:
                raise RuleBroken(
                    StorageErrorCode.VALIDATION_ERROR, f"nested more than {DEPTH_MAX} levels deep"
                )
        elif byte in b"}]":
            depth -= 1


def may_be_deep(text: bytes) -> bool:
    """Whether ``check_depth`` must look closer."""
    return text.count(b"{") + text.count(b"[") > DEPTH_MAX


def has_long_number(text: bytes) -> bool:
    """Whether 19 digits stand in a row anywhere: without, no integer in there is past 64 bit."""
    return _LONG_NUMBER in text.translate(_DIGITS_ONLY)


def check_integers(text: bytes, value: Any) -> None:
    """Refuse integers past 64 bit. ``text`` is ``value`` encoded: no long digits, no walk."""
    if has_long_number(text):
        _walk_integers(value)


def _walk_integers(value: Any) -> None:
    if isinstance(value, int):
        if not INT_MIN <= value <= INT_MAX:
            raise RuleBroken(StorageErrorCode.VALIDATION_ERROR, "an integer past 64 bit")
    elif isinstance(value, dict):
        for item in value.values():
            _walk_integers(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _walk_integers(item)


def check_strictly(text: bytes) -> None:
    """
    Apply every rule to bytes that somebody else may have written.

    Bytes that come out of decode and encode unchanged hold no duplicate key and no special
    number; only the others are parsed a second time, slowly, to say what is wrong with them.
    """
    check_depth(text)
    try:
        value = msgspec.json.decode(text)
        canonical = msgspec.json.encode(value) == text
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        canonical, value = False, None
    if canonical:
        check_integers(text, value)
    else:
        _parse_slowly(text)


def _parse_slowly(text: bytes) -> None:
    try:
        decoded = text.decode("utf-8")
        parsed = json.loads(
            decoded,
            object_pairs_hook=_unique,
            parse_constant=_special,
            parse_float=_finite,
            parse_int=_integer,
        )
        # A lone surrogate, escaped, passes json; it cannot be encoded again.
        json.dumps(parsed, ensure_ascii=False).encode("utf-8")
    except RuleBroken:
        raise
    except json.JSONDecodeError as failure:
        if failure.msg == "Extra data":  # JSON, but not one object: a scalar, a list, bytes behind
            raise RuleBroken(
                StorageErrorCode.VALIDATION_ERROR, "bytes stand behind a whole value"
            ) from failure
        raise RuleBroken(StorageErrorCode.SERIALIZATION_ERROR, "not JSON") from failure
    except (ValueError, RecursionError) as failure:
        raise RuleBroken(
            StorageErrorCode.SERIALIZATION_ERROR, f"not JSON in UTF-8: {type(failure).__name__}"
        ) from failure


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise RuleBroken(StorageErrorCode.SERIALIZATION_ERROR, "a key stands twice in one object")
    return found


def _special(word: str) -> NoReturn:
    raise RuleBroken(StorageErrorCode.SERIALIZATION_ERROR, f"{word} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise RuleBroken(StorageErrorCode.SERIALIZATION_ERROR, "a number past what a float holds")
    return number


def _integer(digits: str) -> int:
    if len(digits) > 20 or not INT_MIN <= int(digits) <= INT_MAX:
        raise RuleBroken(StorageErrorCode.VALIDATION_ERROR, "an integer past 64 bit")
    return int(digits)

"""JSON, read by the standard library with every rule on: what the fast paths must agree with."""

import json
import math
from typing import Any

from journal.limits import INT_MAX, INT_MIN


def parse_slowly(text: bytes) -> Any:
    """Parse, or raise ``AssertionError`` for what no strict reader may take."""
    try:
        found = json.loads(
            text.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_refused,
            parse_float=_finite,
            parse_int=_integer,
        )
        json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as failure:
        raise AssertionError(f"another parser refuses it: {failure}") from failure
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len(dict(pairs)) == len(pairs), "a key stands twice"
    return dict(pairs)


def _refused(word: str) -> Any:
    raise AssertionError(f"{word} is no JSON")


def _finite(digits: str) -> float:
    assert math.isfinite(float(digits)), "a number past what a float holds"
    return float(digits)


def _integer(digits: str) -> int:
    assert INT_MIN <= int(digits) <= INT_MAX, "an integer past 64 bit"
    return int(digits)

"""
What a step has worked through, in a unit that is the same on every machine.

A token is a run of letters and digits, or one punctuation mark. No model of any vendor counts
exactly so; the number says how much text went in and out, and the price is 0 because it is.

Below: models. Above: the pipeline's steps.
"""

import itertools
import re
from collections.abc import Iterable, Iterator
from typing import TypeVar

from localizing.models import Usage

# Bidi marks are invisible: they make no text longer to read.
_TOKEN = re.compile(r"\w+|[^\w\s\u202a-\u202e\u2066-\u2069]")
_Item = TypeVar("_Item")


def usage(read: Iterable[str], written: Iterable[str]) -> Usage:
    """The usage of a step that has read the texts of `read` and written those of `written`."""
    return Usage(
        tokens_in=sum(map(count_tokens, read)),
        tokens_out=sum(map(count_tokens, written)),
        cost_usd=0.0,
    )


def count_tokens(text: str) -> int:
    """The number of words and punctuation marks of `text`."""
    return sum(1 for _ in _TOKEN.finditer(text))


def batches(items: Iterable[_Item], size: int) -> Iterator[tuple[_Item, ...]]:
    """`items` in tuples of `size`, the last one shorter: one step's worth each."""
    if size < 1:
        raise ValueError(f"a batch of {size} would never end")
    iterator = iter(items)
    while batch := tuple(itertools.islice(iterator, size)):
        yield batch

"""
Whether a row of the index is what was written: its seal, its types, its ids.

Of the bits of an index file that flip, SQLite notices hardly any: the rows come back, and are
wrong. So each row that people are shown, or that a fold goes on from, ends in a digest of itself.
A row that was made up may be sealed all the same: its types are looked at as well, and a run id is
parsed before anything becomes a path. Only ``verify`` can tell whether a row says what the log
says.

Below: sqlite. Above: rows, questions.
"""

import contextlib
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

from journal.errors import StorageError
from journal.ids import RunId, parse_run_id
from projections.sqlite import IndexDamaged


def sealed(*columns: object) -> tuple[Any, ...]:
    """A row as it is stored: its columns, and behind them a digest of them all."""
    return *columns, _seal(columns)


def opened(row: tuple[object, ...], *kinds: type) -> tuple[Any, ...]:
    """The columns of a sealed row, without the seal, each of its kind or ``None``."""
    columns = row[:-1]
    if row[-1] != _seal(columns) or not are(columns, *kinds):
        raise IndexDamaged("a row is not what was written")
    return columns


def _seal(columns: tuple[object, ...]) -> bytes:
    # ascii() says the same on every version of Python. A body is long, so it goes in as it is.
    last = columns[-1]
    body = last if type(last) is bytes else ascii(last).encode()
    return blake2b(ascii(columns[:-1]).encode() + body, digest_size=16).digest()


def are(columns: tuple[object, ...], *kinds: type) -> bool:
    """Whether each column is of its kind, or ``None``."""
    if tuple(map(type, columns)) == kinds:
        return True
    return len(columns) == len(kinds) and all(
        each is None or type(each) is kind for each, kind in zip(columns, kinds, strict=True)
    )


def run_id_of(value: object) -> RunId:
    """A run id that stands in a row; it becomes the name of a folder."""
    try:
        return parse_run_id(value)
    except StorageError as failure:
        raise IndexDamaged("a run id that is none") from failure


@contextlib.contextmanager
def decoding(what: str) -> Iterator[None]:
    """
    Whatever goes wrong in here is the row's fault: it is damage, and no traceback.

    Nothing but the decoding of rows, or what is made of them alone, may stand inside.
    """
    try:
        yield
    except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError) as failure:
        raise IndexDamaged(f"{what} does not parse") from failure

"""
How runs and moments are named on the command line: ``RUN``, ``RUN@POINT``, ``--since``.

A point is the number of an event (``412``), a time with its zone (``2026-11-22T09:10:11Z``) or a
number of events before the last (``-3``). Only reads the words: whether there is such a run or
such an event is for ``Projections`` to say.

Below: text. Above: the commands that take a run.
"""

import re
from datetime import UTC, datetime

import click

from projections.cli.text import span

Point = int | datetime
"""From 1: that event; below 0: so many before the last; a time: the last event up to it."""

_SEQ = re.compile(r"-?[0-9]{1,19}")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})?"
)


def split_point(text: str) -> tuple[str, Point | None]:
    """
    ``RUN@POINT`` in its two parts; ``None`` without a point, and for ``@-0``: the last event.

    Raises ``click.BadParameter`` for a point that is none.
    """
    at = text.find("@", 1)  # the first character may be that of @latest
    if at < 0:
        return text, None
    return text[:at], parse_point(text[at + 1 :]) or None


def parse_point(text: str) -> Point:
    """A point; ``-0`` gives 0. Raises ``click.BadParameter``."""
    if _SEQ.fullmatch(text):
        number = int(text)
        if number == 0 and not text.startswith("-"):
            raise click.BadParameter("events count from 1.")
        return number
    return parse_time(text)


def parse_time(text: str) -> datetime:
    """A moment with its zone, as RFC 3339 writes it. Raises ``click.BadParameter``."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise click.BadParameter(
            f"{text!r} is no point: wanted the number of an event (412), a number of events "
            "before the last (-3) or a time with its zone (2026-11-22T09:10:11Z)."
        )
    if found[3] is None:
        raise click.BadParameter(f"{text!r} has no zone: add Z, or one such as +01:00.")
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as failure:
        raise click.BadParameter(f"{text!r} is no time: {failure}.") from failure


def as_point(ctx: click.Context, param: click.Parameter, value: str | None) -> Point | None:
    """Option callback: a point inside a run that is named elsewhere."""
    return None if value is None else parse_point(value)


def as_since(ctx: click.Context, param: click.Parameter, value: str | None) -> datetime | None:
    """Option callback: ``2h`` is two hours before now; everything else must be a time."""
    return None if value is None else parse_since(value)


def parse_since(text: str) -> datetime:
    """A moment in the past. Raises ``click.BadParameter``."""
    length = span(text)
    if length is None:
        if _TIME.fullmatch(text) is None:
            raise click.BadParameter(
                f"{text!r} is neither a time with its zone (2026-11-22T09:10:11Z) nor a length of "
                "time (30m, 2h, 3d)."
            )
        return parse_time(text)
    try:
        return datetime.now(UTC) - length
    except OverflowError as failure:
        raise click.BadParameter(f"{text!r} is too long ago.") from failure

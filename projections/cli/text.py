"""
Text for people: what is hostile made visible, what is long made short.

Pure functions; no clock, no terminal. Whatever comes out of a log may hold control characters,
escape sequences and marks that turn the writing direction around: on a terminal each of them is
written out (``\\x1b``, ``\\u202e``), so that nothing in a log can move the cursor, change colours
or make one text look like another; in JSON as JSON's own escapes. What goes into a pipe is left as
it is.

Below: nothing. Above: render, exits, every command.
"""

import re
import unicodedata
from datetime import datetime, timedelta

# Cc control, Cf format (bidi, zero width), Cs surrogate, Co private, Cn unassigned, Zl/Zp breaks.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})

# Letters that show nothing though Unicode does not call them control or format characters.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")

_MINUTE, _HOUR, _DAY, _WEEK = 60, 3_600, 86_400, 604_800
_UNITS = {"s": 1, "m": _MINUTE, "h": _HOUR, "d": _DAY, "w": _WEEK}
_SPAN = re.compile(r"([0-9]{1,6})([smhdw])")


def visible(text: str, keep: str = "") -> str:
    """
    ``text`` with every character written out that a terminal would obey or not show.

    Characters in ``keep`` pass (``"\\n\\t"`` for a traceback). Doing it twice changes nothing.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if _shows(char) or char in keep else _written_out(char) for char in text)


def visible_in_json(line: bytes) -> bytes:
    """
    A line of JSON with the same characters written as JSON's own escapes: it means the same.

    Outside of texts JSON holds none of them, so each stands in one.
    """
    text = line.decode("utf-8", "backslashreplace")
    if line.isascii() and text[:-1].isprintable():
        return line
    return "".join(
        char if _shows(char) or char == "\n" else _escaped(char) for char in text
    ).encode()


def _escaped(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def _shows(char: str) -> bool:
    return unicodedata.category(char) not in _HIDDEN and char not in _BLANK


def _written_out(char: str) -> str:
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def where(phase: str | None, partition: str | None) -> str:
    """``translate [de]``: how a phase and its partition are named everywhere."""
    name = phase or "-"
    return visible(name if partition is None else f"{name} [{partition}]")


def clip(text: str, chars_max: int) -> str:
    """``text``, or its beginning with an ellipsis that says so."""
    return text if len(text) <= chars_max else f"{text[: chars_max - 1]}…"


def duration(seconds: float | None) -> str:
    """A length of time in two units at most: ``0.42 s``, ``3 m 05 s``, ``2 d 04 h``."""
    if seconds is None:
        return "-"
    if seconds < 9.995:
        return f"{seconds:.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _HOUR:
        return f"{whole // _MINUTE} m {whole % _MINUTE:02} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02} m"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR:02} h"


def size(size_bytes: int) -> str:
    """A size in three digits at least: ``512 B``, ``1.23 kB``, ``45.6 MB``. One kB is 1,000 B."""
    if size_bytes < 1_000:
        return f"{size_bytes} B"
    scaled, unit = size_bytes / 1_000, "kB"
    for larger in ("MB", "GB", "TB"):
        if scaled < 999.5:
            break
        scaled, unit = scaled / 1_000, larger
    digits = 2 if scaled < 9.995 else 1 if scaled < 99.95 else 0
    return f"{scaled:.{digits}f} {unit}"


def amount(value: float) -> str:
    """A number as people write it: ``12,345`` or ``0.0421``."""
    return f"{value:,}" if float(value).is_integer() else f"{value:,.4g}"


def count(number: int, word: str) -> str:
    """``1 run``, ``2,535 events``."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def local(when: datetime) -> datetime:
    """A moment in the zone of this machine, if it lies in the years 1 to 9999 there."""
    try:
        return when.astimezone()
    except (OverflowError, ValueError):
        return when


def moment(when: datetime | None) -> str:
    """A moment in the zone of this machine, to the second."""
    return "-" if when is None else local(when).strftime("%Y-%m-%d %H:%M:%S %z")


def ago(when: datetime, now: datetime) -> str:
    """How long ago, in one unit; a date when it is more than a week, or lies ahead."""
    seconds = (now - when).total_seconds()
    if not -1 < seconds < _WEEK:
        return local(when).strftime("%Y-%m-%d")
    for letter, length in (("d", _DAY), ("h", _HOUR), ("m", _MINUTE)):
        if seconds >= length:
            return f"{int(seconds // length)} {letter} ago"
    return f"{max(int(seconds), 0)} s ago"


def span(text: str) -> timedelta | None:
    """``2h``, ``3d``, ``30s``, ``15m``, ``1w`` as a length of time; ``None`` if it is none."""
    found = _SPAN.fullmatch(text)
    return None if found is None else timedelta(seconds=int(found[1]) * _UNITS[found[2]])

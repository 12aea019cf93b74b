"""
Tables and lines for a terminal: shape as well as colour, and nothing cut off silently.

Takes the models that ``Projections`` gives and makes rich objects. Every text out of a log passes
``text.visible`` on its way; where something does not fit, it is wrapped or ends in an ellipsis.

Below: text. Above: listing, show, events, artifacts, verify.
"""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from projections.cli.text import visible

# Status -> the glyph that says it without colour, and the colour that says it without reading.
_LOOKS = {
    "completed": ("✓", "green"),
    "failed": ("✗", "bold red"),
    "cancelled": ("■", "yellow"),
    "running": ("▶", "cyan"),
    "pending": ("·", "dim"),
    "interrupted": ("!", "yellow"),
    "blocked": ("⊘", "yellow"),
    "skipped": ("»", "dim"),
    "invalidated": ("↺", "yellow"),
    "writer gone": ("!", "bold yellow"),
    "unreadable": ("?", "bold red"),
}

# How wide columns of a kind stay while the others still give way, in the order in which they do.
_GIVE_WAY = (("text", 24), ("name", 16), ("text", 14), ("name", 8), ("text", 1))

_GAP = 2
"""Between two columns."""

_HANG_MIN = 40
"""Fewer columns than this behind a prefix, and what is wrapped begins further left."""
_HANG = 8

_OF_LEVEL = {"debug": "dim", "info": "", "warning": "yellow", "error": "bold red"}


def status(word: str) -> Text:
    """A status as glyph and word."""
    glyph, style = _LOOKS.get(word, ("?", ""))
    return Text(f"{glyph} {visible(word)}", style=style, no_wrap=True)


def plain(text: str | None, style: str = "", keep: str = "") -> Text:
    """Text out of a log, made visible; nothing as a dash."""
    return Text("-", style="dim") if text is None else Text(visible(text, keep), style=style)


def level(word: str) -> Text:
    """The level of an event, in its colour."""
    return Text(f"{word:<7}", style=_OF_LEVEL.get(word, ""))


class Sheet:
    """
    A table without frames, one line per row.

    ``columns`` are (title, kind). Kinds are ``text`` and ``name``, which give way where the
    terminal is narrow and end in an ellipsis then; ``word`` and ``number`` (right-aligned), which
    are never cut: the terminal breaks the line before they are.
    """

    def __init__(self, columns: Sequence[tuple[str, str]]) -> None:
        self._columns = columns
        self._rows: list[list[Text]] = []

    def add_row(self, *cells: Text | str) -> None:
        """Add a row; strings are made visible."""
        self._rows.append([each if isinstance(each, Text) else plain(each) for each in cells])

    def fitted(self, width: int) -> Table:
        """The table for a terminal of so many columns."""
        made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
        made.padding = (0, _GAP - 1, 0, 0)
        for (title, kind), chars in zip(self._columns, self._widths(width), strict=True):
            made.add_column(
                title,
                width=chars,
                min_width=chars,
                justify="right" if kind == "number" else "left",
                no_wrap=True,
                overflow="ellipsis",
            )
        for row in self._rows:
            made.add_row(*row)
        return made

    def _widths(self, width: int) -> list[int]:
        widths = [
            max([len(title), *(row[at].cell_len for row in self._rows)])
            for at, (title, _) in enumerate(self._columns)
        ]
        room = width - _GAP * (len(widths) - 1)
        for kind, floor in _GIVE_WAY:
            giving = [at for at, column in enumerate(self._columns) if column[1] == kind]
            while sum(widths) > room and giving:
                widest = max(giving, key=lambda at: widths[at])
                if widths[widest] <= floor:
                    break
                widths[widest] -= 1
        return widths


def hanging(prefix: Text, text: Text, console: Console) -> Text:
    """``prefix`` and ``text``, wrapped between words; what goes on below is indented."""
    width, whole = console.width, prefix + text
    if whole.cell_len <= width:
        return whole
    indent = prefix.cell_len if width - prefix.cell_len >= _HANG_MIN else _HANG
    first = whole.wrap(console, width)[0]
    rest = whole[len(first) :]
    rest = rest[len(rest) - len(rest.plain.lstrip()) :]
    below = rest.wrap(console, max(width - indent, 1))
    return Text("\n").join([first, *(Text(" " * indent) + line for line in below)])


def facts(rows: Sequence[tuple[str, Text | str | None]]) -> Table:
    """A list of names and values; rows without a value are left out."""
    made = Table.grid(padding=(0, 2))
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in rows:
        if value is not None:
            made.add_row(name, plain(value) if isinstance(value, str) else value)
    return made

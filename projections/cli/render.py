"""
Tables and lines for a terminal: shape as well as colour, and nothing cut off silently.

Takes the models that ``Projections`` gives and makes rich objects. Every text out of a log passes
``text.visible`` on its way; where something does not fit, it folds or ends in an ellipsis.

Below: text, output. Above: listing, show, events, artifacts, verify.
"""

from collections.abc import Sequence

from rich import box
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

KEY_CHARS = {"RUN": 8, "ARTIFACT": 36}
"""How long the ids are that head a line."""

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


def one_line(text: str) -> Text:
    """Text for a last column: as much as fits, with an ellipsis where there is more."""
    return Text(visible(text), no_wrap=True, overflow="ellipsis")


def table(columns: Sequence[tuple[str, str]]) -> Table:
    """
    An empty table without frames. ``columns`` are (title, kind); kinds are ``text`` (the first to
    give way where the terminal is narrow), ``word``, ``number`` (right-aligned) and ``key``, which
    people copy: the terminal breaks the line before it is cut.
    """
    made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    made.padding = (0, 1, 0, 0)
    for title, kind in columns:
        made.add_column(
            title,
            justify="right" if kind == "number" else "left",
            no_wrap=kind != "text",
            min_width=KEY_CHARS.get(title) if kind == "key" else None,
            overflow="fold" if kind == "text" else "ellipsis",
        )
    return made


def facts(rows: Sequence[tuple[str, Text | str | None]]) -> Table:
    """A list of names and values; rows without a value are left out."""
    made = Table.grid(padding=(0, 2))
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in rows:
        if value is not None:
            made.add_row(name, plain(value) if isinstance(value, str) else value)
    return made

"""
A docstring -> its paragraphs, each with the line it starts on, code told from prose.

Code is what reStructuredText and doctest call so: a block that starts with `>>>`, and what stands
indented after a paragraph that ends in `::`. Indentation is layout, so each paragraph loses its
own margin; line breaks stay, since lists and tables need them.

Below: nothing. Above: extract.
"""

import inspect
import re
import textwrap
from collections.abc import Iterator
from typing import NamedTuple

_BREAK = re.compile(r"\n(?:[ \t]*\n)+")


class Paragraph(NamedTuple):
    """`line` counts from 0 at the docstring's own first line."""

    line: int
    text: str
    is_code: bool


def paragraphs(docstring: str) -> Iterator[Paragraph]:
    """The paragraphs of a docstring as the compiler hands it over, in order."""
    clean = inspect.cleandoc(docstring)
    line = _leading_blank_lines(docstring)
    literal_margin: int | None = None
    start = 0
    for found in [*_BREAK.finditer(clean), None]:
        text = clean[start : found.start() if found else len(clean)]
        margin = min((_indent(row) for row in text.splitlines() if row.strip()), default=0)
        if literal_margin is not None and margin <= literal_margin:
            literal_margin = None
        is_code = literal_margin is not None or text.lstrip().startswith(">>>")
        if text.strip():
            yield Paragraph(line, textwrap.dedent(text), is_code)
        if not is_code and text.rstrip().endswith("::"):
            literal_margin = margin
        if found:
            line += clean.count("\n", start, found.end())
            start = found.end()


def _leading_blank_lines(docstring: str) -> int:
    """How many lines cleandoc drops from the front."""
    rows = docstring.split("\n")
    return next((number for number, row in enumerate(rows) if row.strip()), 0)


def _indent(row: str) -> int:
    return len(row) - len(row.lstrip())

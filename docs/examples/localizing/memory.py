"""
Pretranslation: each text once, and in it the spans that must not be translated.

A text that the sources repeat is one unit with many source strings: it is translated once and
used for all of them. Two strings share a unit only if they are also formatted in the same style,
since the style decides what in the text is a placeholder.

Below: models, protect. Above: the pipeline's pretranslation phase.
"""

import hashlib
from collections.abc import Iterable, Iterator

from localizing.models import SourceString, Style, Unit
from localizing.protect import locked_spans


def unit_key(style: Style, text: str) -> str:
    """The identity of a unit: 16 hex digits, the same on every run."""
    return hashlib.sha256(f"{style}\0{text}".encode()).hexdigest()[:16]


def units(strings: Iterable[SourceString], names: Iterable[str] = ()) -> Iterator[Unit]:
    """
    The units of `strings`, in the order in which their texts first appear.

    `names` are the words to leave as they are, from the context phase.
    """
    groups: dict[tuple[Style, str], list[str]] = {}
    for string in strings:
        groups.setdefault((string.style, string.text), []).append(string.id)
    listed = frozenset(names)
    for (style, text), string_ids in groups.items():
        yield Unit(
            key=unit_key(style, text),
            style=style,
            text=text,
            locked=locked_spans(text, listed),
            string_ids=tuple(string_ids),
        )

"""
Translate: pseudo-localisation into an accented locale and a mirrored one.

Pseudo-locales show, before any translator is paid, which texts a program would break: `de-XA`
accents every letter and doubles vowels, German being about a third longer than English; `ar-XB`
sets every word in a right-to-left override and every line in a right-to-left isolate.

Two passes share all but two things. `naive` guesses placeholders with one short expression and
wraps the text as it comes, as such tools often do, and so it breaks some texts. `careful` keeps
what the grammar says, stays within a budget of length and wraps line by line. Deterministic.

Below: models, grammar. Above: edit, and the pipeline's translate phase.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from localizing.grammar import marks, pieces
from localizing.models import Span, Translation, Unit

RLI, PDI = "\u2067", "\u2069"
RLO, PDF = "\u202e", "\u202c"
# Each of these ends a paragraph of the bidirectional algorithm, and with it every open isolate.
LINE_END = re.compile("([\n\r\x1c\x1d\x1e\x85\u2029])")
STRETCH = 0.4

_WORD = re.compile(r"[A-Za-z]+")
_VOWELS = frozenset("aeiouyAEIOUY")
_ACCENTS = str.maketrans(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "äƀçďéƒĝĥîĵķļɱñöþɋřšţüṽŵẋýžÄƁÇĎÉƑĜĤÎĴĶĻṀÑÖÞɊŘŠŢÜṼŴẊÝŽ",
)
# The placeholders that come to mind: %s, %d, %(name)s, {name}, {}, $name.
_NAIVE_PLACEHOLDER = re.compile(r"%[sd]|%\(\w+\)[sd]|\{\w*\}|\$\w+")


@dataclass(frozen=True, slots=True)
class Locale:
    """A pseudo-locale. `opening` and `closing` stand around what was translated."""

    code: str
    opening: str
    closing: str
    is_rtl: bool


LOCALES = {
    locale.code: locale
    for locale in (
        Locale("de-XA", "⟦", "⟧", is_rtl=False),
        Locale("ar-XB", RLI, PDI, is_rtl=True),
    )
}


def naive(unit: Unit, locale: Locale) -> Translation:
    """The quick pass: right for most texts, and it does not know for which."""
    guessed = (found.span() for found in _NAIVE_PLACEHOLDER.finditer(unit.text))
    words = _Words(locale, stretch=len(unit.text))
    body = "".join(piece for piece, _ in words.render(unit.text, [*unit.locked, *guessed]))
    target = f"{locale.opening}{body}{locale.closing}"
    return Translation(key=unit.key, locale=locale.code, target=target, status="translated")


def careful(unit: Unit, locale: Locale) -> Translation:
    """The pass that keeps every placeholder, escape, locked span, line and edge."""
    kept = kept_spans(unit)
    words = _Words(locale, stretch=int(len(unit.text) * STRETCH))
    rendered = list(words.render(unit.text, kept))
    if not words.count:
        target = unit.text
    elif locale.is_rtl:
        target = "".join(_wrapped_lines(rendered, locale))
    else:
        target = _wrapped("".join(piece for piece, _ in rendered), locale)
    return Translation(key=unit.key, locale=locale.code, target=target, status="repaired")


def kept_spans(unit: Unit) -> list[Span]:
    """All of the unit's text that must come through unchanged."""
    return [*unit.locked, *((mark.start, mark.end) for mark in marks(unit.text, unit.style))]


class _Words:
    """Translates words, and counts them and the vowels that may still be doubled."""

    def __init__(self, locale: Locale, stretch: int) -> None:
        self._locale = locale
        self._stretch = stretch
        self.count = 0

    def render(self, text: str, kept: Iterable[Span]) -> Iterator[tuple[str, bool]]:
        """The pieces of `text`, those outside of `kept` translated: `(piece, is kept)`."""
        for piece, is_kept in pieces(text, kept):
            yield (piece if is_kept else _WORD.sub(self._translated, piece)), is_kept

    def _translated(self, found: re.Match[str]) -> str:
        self.count += 1
        word = found[0]
        if self._locale.is_rtl:
            return f"{RLO}{word}{PDF}"
        return self._doubled(word).translate(_ACCENTS)

    def _doubled(self, word: str) -> str:
        letters: list[str] = []
        for letter in word:
            letters.append(letter)
            if letter in _VOWELS and self._stretch > 0:
                letters.append(letter.lower())
                self._stretch -= 1
        return "".join(letters)


def _wrapped_lines(rendered: Iterable[tuple[str, bool]], locale: Locale) -> Iterator[str]:
    """Each line wrapped for itself, except where a kept piece runs over a line's end."""
    line, is_whole = "", True
    for piece, is_kept in rendered:
        if is_kept:
            line += piece
            is_whole = is_whole and not LINE_END.search(piece)
            continue
        head, *rest = LINE_END.split(piece)
        line += head
        for end, text in zip(rest[::2], rest[1::2], strict=True):
            yield _wrapped(line, locale) if is_whole else line
            yield end
            line, is_whole = text, True
    yield _wrapped(line, locale) if is_whole else line


def _wrapped(text: str, locale: Locale) -> str:
    """`text` between the locale's marks, the white space at its edges outside of them."""
    core = text.strip()
    if not core:
        return text
    start = text.index(core)
    return f"{text[:start]}{locale.opening}{core}{locale.closing}{text[start + len(core) :]}"

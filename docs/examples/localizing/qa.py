"""
Check a translation against its source: one `Finding` per rule it breaks.

Knows neither pass of `pseudo`: it looks at the two texts only, so it would judge a translator's
work by the same rules. A source that itself breaks a rule (a bidi mark that is never closed) is not
held against its translation.

Below: models, grammar, pseudo (its locales). Above: edit, and the pipeline's qa phase.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

from localizing.grammar import escapes, pieces, placeholders
from localizing.models import Finding, FindingCode, Translation, Unit
from localizing.pseudo import LINE_END, PDF, PDI, RLI, RLO, Locale, kept_spans

# Half as long again, and room for a short label to grow: what a layout is asked to bear.
LENGTH_FACTOR, LENGTH_EXTRA = 1.5, 12

_WORD = re.compile(r"[A-Za-z]{2,}")
_MIRRORED_WORD = re.compile(f"{RLO}[A-Za-z]+{PDF}")
_NO_BRACKET = re.compile(r"[^(){}\[\]]+")
_ISOLATES = {RLI: PDI, "\u2066": PDI, "\u2068": PDI}
_EMBEDDINGS = {RLO: PDF, "\u202a": PDF, "\u202b": PDF, "\u202d": PDF}
_CLOSED_BY = _ISOLATES | _EMBEDDINGS
_INVISIBLE = str.maketrans(dict.fromkeys([*_CLOSED_BY, PDI, PDF], ""))

_Fault = tuple[FindingCode, str]


class _Case(NamedTuple):
    unit: Unit
    target: str
    locale: Locale


def check(unit: Unit, translation: Translation, locale: Locale) -> list[Finding]:
    """All that is wrong with `translation`, in the order of the rules; an empty list if nothing."""
    case = _Case(unit, translation.target, locale)
    return [
        Finding(
            code=code,
            locale=locale.code,
            key=unit.key,
            string_id=unit.string_ids[0],
            detail=detail,
        )
        for rule in _RULES
        for code, detail in rule(case)
    ]


def is_balanced(text: str) -> bool:
    """Whether every bidi mark of `text` is closed on its own line, in the right order."""
    return all(_line_is_balanced(line) for line in LINE_END.split(text))


def length_max(source: str) -> int:
    """The number of visible characters that a translation of `source` may have."""
    return int(len(source.translate(_INVISIBLE)) * LENGTH_FACTOR) + LENGTH_EXTRA


def _placeholders(case: _Case) -> Iterator[_Fault]:
    expected = Counter(placeholders(case.unit.text, case.unit.style))
    found = Counter(placeholders(case.target, case.unit.style))
    if lost := expected - found:
        yield "placeholder_lost", _listed(lost)
    if added := found - expected:
        yield "placeholder_added", _listed(added)


def _escapes(case: _Case) -> Iterator[_Fault]:
    expected = Counter(escapes(case.unit.text, case.unit.style))
    found = Counter(escapes(case.target, case.unit.style))
    if expected != found:
        yield "escape_changed", f"lost {_listed(expected - found)}, new {_listed(found - expected)}"


def _brackets(case: _Case) -> Iterator[_Fault]:
    expected, found = (_NO_BRACKET.sub("", text) for text in (case.unit.text, case.target))
    if expected != found:
        yield "brackets_changed", f"expected {expected!r}, found {found!r}"


def _protected(case: _Case) -> Iterator[_Fault]:
    expected = Counter(case.unit.text[start:end] for start, end in case.unit.locked)
    lost = Counter({text: n for text, n in expected.items() if case.target.count(text) < n})
    if lost:
        yield "protected_changed", _listed(lost)


def _length(case: _Case) -> Iterator[_Fault]:
    visible, allowed = len(case.target.translate(_INVISIBLE)), length_max(case.unit.text)
    if visible > allowed:
        yield "too_long", f"{visible} characters where {allowed} are allowed"


def _bidi(case: _Case) -> Iterator[_Fault]:
    if is_balanced(case.unit.text) and not is_balanced(case.target):
        number = next(
            number
            for number, line in enumerate(LINE_END.split(case.target)[::2], 1)
            if not _line_is_balanced(line)
        )
        yield "bidi_unbalanced", f"line {number} leaves a mark open or closes one too many"


def _untranslated(case: _Case) -> Iterator[_Fault]:
    """Walk along what must be kept; between these pieces no plain word may be left."""
    bare = (lambda text: _MIRRORED_WORD.sub("", text)) if case.locale.is_rtl else str
    left, pos, rest = [], 0, bare(case.target)
    for piece, is_kept in pieces(case.unit.text, kept_spans(case.unit)):
        kept = bare(piece)
        # A piece that is not there is the finding of another rule.
        if is_kept and (found := rest.find(kept, pos)) >= 0:
            left.append(rest[pos:found])
            pos = found + len(kept)
    left.append(rest[pos:])
    if words := [word for text in left for word in _WORD.findall(text)]:
        yield "untranslated", _listed(Counter(words))


def _edges(case: _Case) -> Iterator[_Fault]:
    expected, found = _edge_space(case.unit.text), _edge_space(case.target)
    if expected != found:
        yield "edge_space_changed", f"expected {expected}, found {found}"


_RULES: tuple[Callable[[_Case], Iterator[_Fault]], ...] = (
    _placeholders,
    _escapes,
    _brackets,
    _protected,
    _length,
    _bidi,
    _untranslated,
    _edges,
)


def _line_is_balanced(line: str) -> bool:
    expected: list[str] = []
    for char in line:
        if char in _CLOSED_BY:
            expected.append(_CLOSED_BY[char])
        elif char in {PDI, PDF} and (not expected or expected.pop() != char):
            return False
    return not expected


def _edge_space(text: str) -> tuple[str, str]:
    core = text.strip()
    start = text.index(core)
    return text[:start], text[start + len(core) :]


def _listed(counts: Counter[str], most: int = 5) -> str:
    shown = [repr(text) for text in sorted(counts.elements())[:most]]
    more = counts.total() - len(shown)
    return (" ".join(shown) or "nothing") + (f" and {more} more" if more > 0 else "")

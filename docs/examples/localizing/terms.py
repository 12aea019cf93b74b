"""
Context: what recurs in several modules, and which names stay as they are.

Plain counting. A term counts if it stands in at least `MODULES_MIN` modules; over all sources terms
are ranked by the number of modules, within a module by its own count against how common the term
is elsewhere (tf-idf). An acronym is a word that is written in capitals more often than not: so
HTTP is one, and NOT is a shout.

Below: models, grammar, protect. Above: the pipeline's context phase.
"""

import heapq
import itertools
import keyword
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from localizing.grammar import marks, pieces
from localizing.models import Context, ModuleContext, SourceString, Term, TermKind
from localizing.protect import identifiers, locked_spans

MODULES_MIN = 3
PHRASE_WORDS_MAX = 3

_WORD = re.compile(r"[A-Za-z]+(?:[-'][A-Za-z]+)*")
_RUN = re.compile(r"[A-Za-z'\s-]+")
_KINDS: tuple[TermKind, ...] = ("word", "phrase", "identifier")
_STOP_TEXT = """
    a about above after again all also an and any are as at be because been before being below
    between both but by can cannot could did do does doing don't during e each either else every
    for from g get given has have having he her here how i if in into is isn't it its itself just
    may me more most must my no nor not now of off on once one only or other otherwise our out over
    own same set shall should so some such than that the their them then there these they this
    those through to too two under until up upon use used uses using very was we were what when
    where whether which while who will with without would you your
"""
_STOP_WORDS = frozenset(_STOP_TEXT.split())
_TermKey = tuple[TermKind, str]
_Key = TypeVar("_Key", _TermKey, str)


@dataclass(slots=True)
class _Tally:
    modules: int = 0
    count: int = 0


@dataclass(slots=True)
class TermCounts:
    """How often each term and each spelling stands in how many modules. Grows by `add_module`."""

    tallies: dict[_TermKey, _Tally] = field(default_factory=dict)
    capitals: dict[str, _Tally] = field(default_factory=dict)
    lower: Counter[str] = field(default_factory=Counter)
    modules: int = 0

    def add_module(self, strings: Iterable[SourceString]) -> None:
        """Count the strings of one module; all of them, or its modules are counted twice."""
        terms: Counter[_TermKey] = Counter()
        capitals: Counter[str] = Counter()
        for string in strings:
            terms.update(_terms(string))
            for word in _WORD.findall(string.text):
                if word.isupper() and len(word) > 1:
                    capitals[word] += 1
                elif word.islower():
                    self.lower[word] += 1
        self.modules += 1
        _add(self.tallies, terms)
        _add(self.capitals, capitals)


def by_module(strings: Iterable[SourceString]) -> Iterator[tuple[str, list[SourceString]]]:
    """`strings`, which stand in the order of their files, one module at a time."""
    for module, group in itertools.groupby(strings, key=lambda string: string.module):
        yield module, list(group)


def count_terms(modules: Iterable[tuple[str, Iterable[SourceString]]]) -> TermCounts:
    """The counts over all of `modules`, the shape that `by_module` gives."""
    counts = TermCounts()
    for _, strings in modules:
        counts.add_module(strings)
    return counts


def recurring(counts: TermCounts, top: int) -> tuple[Term, ...]:
    """Of each kind the `top` terms that stand in the most modules."""
    common = [
        Term(text=text, kind=kind, modules=tally.modules, count=tally.count)
        for (kind, text), tally in counts.tallies.items()
        if tally.modules >= MODULES_MIN
    ]
    return tuple(
        term
        for kind in _KINDS
        for term in heapq.nsmallest(
            top,
            (term for term in common if term.kind == kind),
            key=lambda term: (-term.modules, -term.count, term.text),
        )
    )


def untranslatable(counts: TermCounts) -> tuple[str, ...]:
    """Acronyms that recur, and Python's own constants."""
    acronyms = {
        word
        for word, tally in counts.capitals.items()
        if tally.modules >= MODULES_MIN and tally.count > counts.lower[word.lower()]
    }
    constants = {word for word in keyword.kwlist if word[0].isupper()}
    return tuple(sorted(acronyms | constants))


def module_context(
    module: str, strings: Iterable[SourceString], counts: TermCounts, top: int
) -> ModuleContext:
    """The size of `module` and the `top` recurring terms that tell most about it."""
    terms: Counter[_TermKey] = Counter()
    words = number = 0
    for string in strings:
        terms.update(_terms(string))
        words += len(_WORD.findall(string.text))
        number += 1

    def rank(item: tuple[_TermKey, int]) -> tuple[float, _TermKey]:
        key, count = item
        return -count * math.log((1 + counts.modules) / counts.tallies[key].modules), key

    common = (item for item in terms.items() if counts.tallies[item[0]].modules >= MODULES_MIN)
    best = heapq.nsmallest(top, common, key=rank)
    return ModuleContext(
        module=module,
        strings=number,
        words=words,
        terms=tuple(
            Term(text=text, kind=kind, modules=counts.tallies[kind, text].modules, count=count)
            for (kind, text), count in best
        ),
    )


def context(strings: Iterable[SourceString], *, top: int = 50, module_top: int = 8) -> Context:
    """Everything at once, for whoever needs no progress in between."""
    modules = list(by_module(strings))
    counts = count_terms(modules)
    return Context(
        terms=recurring(counts, top),
        names=untranslatable(counts),
        modules=tuple(module_context(name, group, counts, module_top) for name, group in modules),
    )


def _terms(string: SourceString) -> Iterator[_TermKey]:
    locked = locked_spans(string.text)
    for name in identifiers(string.text, locked):
        yield "identifier", name
    kept = [*locked, *((mark.start, mark.end) for mark in marks(string.text, string.style))]
    for piece, is_kept in pieces(string.text, kept):
        if not is_kept:
            yield from _words_and_phrases(piece)


def _words_and_phrases(text: str) -> Iterator[_TermKey]:
    # Punctuation ends a run: two words of different sentences make no phrase.
    for run in _RUN.findall(text):
        phrase: list[str] = []
        for word in _WORD.findall(run.lower()):
            if len(word) < 3 or word in _STOP_WORDS:
                phrase.clear()
                continue
            phrase = [*phrase[1 - PHRASE_WORDS_MAX :], word]
            yield "word", word
            for first in range(len(phrase) - 1):
                yield "phrase", " ".join(phrase[first:])


def _add(tallies: dict[_Key, _Tally], counts: Counter[_Key]) -> None:
    for key, count in counts.items():
        tally = tallies.setdefault(key, _Tally())
        tally.modules += 1
        tally.count += count

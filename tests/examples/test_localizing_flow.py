"""All seven phases in a row, on the small tree: what each hands to the next."""

import json
from pathlib import Path

import pytest
from localizing import memory, pseudo, terms
from localizing.edit import repair
from localizing.export import export_lines
from localizing.extract import extract
from localizing.models import ExportLine, FileStrings, SourceString, Unit
from localizing.pseudo import LOCALES
from localizing.qa import check
from localizing.usage import batches, count_tokens, usage


@pytest.fixture
def strings(sources: Path) -> list[SourceString]:
    """The source strings of the small tree."""
    return [s for f in extract(sources) if isinstance(f, FileStrings) for s in f.strings]


def module(name: str, *texts: str) -> list[SourceString]:
    """Strings of one module, for counting."""
    return [
        SourceString(
            id=f"{number:016x}",
            path=f"{name}.py",
            module=name,
            line=number + 1,
            kind="docstring",
            style="prose",
            text=text,
            placeholders=(),
            occurrences=1,
        )
        for number, text in enumerate(texts)
    ]


@pytest.mark.parametrize("code", sorted(LOCALES))
def test_the_seven_phases_deliver_every_string(strings: list[SourceString], code: str) -> None:
    """The naive pass has real defects here, and the delivered file has none."""
    locale = LOCALES[code]
    units = list(memory.units(strings, terms.context(strings).names))
    first = [pseudo.naive(unit, locale) for unit in units]
    findings = [check(unit, done, locale) for unit, done in zip(units, first, strict=True)]
    final = [
        repair(unit, done, found, locale)
        for unit, done, found in zip(units, first, findings, strict=True)
    ]
    assert 5 < sum(map(bool, findings)) < len(units)
    assert not any(check(unit, done, locale) for unit, done in zip(units, final, strict=True))
    lines = list(export_lines(strings, final))
    assert [line.id for line in lines] == [string.id for string in strings]
    assert [line.status for line in lines].count("repaired") >= sum(map(bool, findings))
    assert [ExportLine.model_validate_json(line.model_dump_json()) for line in lines] == lines


def test_repeated_texts_are_one_unit(strings: list[SourceString]) -> None:
    """Translated once, used for all: that is what a translation memory saves."""
    units = list(memory.units(strings))
    [shared] = [unit for unit in units if len(unit.string_ids) > 1]
    assert (shared.text, len(shared.string_ids)) == ("Holds an open file.", 2)
    assert sum(len(unit.string_ids) for unit in units) == len(strings)
    translated = [pseudo.careful(unit, LOCALES["de-XA"]) for unit in units]
    lines = list(export_lines(strings, translated))
    assert [line.module for line in lines if line.reused] == ["pack.messages"]


def test_a_text_in_two_styles_is_two_units() -> None:
    """`% s` is a placeholder in one of them and a per cent sign in the other."""
    [plain] = module("a", "100% sure")
    units = list(memory.units([plain, plain.model_copy(update={"style": "percent"})]))
    assert [unit.style for unit in units] == ["prose", "percent"]


def test_export_refuses_a_gap(strings: list[SourceString]) -> None:
    """A delivery that lacks a text must not look complete."""
    with pytest.raises(KeyError):
        list(export_lines(strings, []))


def test_context_lists_what_recurs_in_three_modules() -> None:
    """Twice may be chance, and a word in one module only is no common term."""
    sentence = "Open the source file with os.path over HTTP."
    groups = [module(name, sentence, "Alone in here, HTTP.") for name in "abc"]
    context = terms.context(
        [string for group in groups for string in group[: 1 + (group[0].module == "a")]]
    )
    found = {(term.kind, term.text): (term.modules, term.count) for term in context.terms}
    assert found["phrase", "source file"] == (3, 3)
    assert found["identifier", "os.path"] == (3, 3)
    assert ("word", "alone") not in found
    assert ("word", "the") not in found
    assert context.names == ("False", "HTTP", "None", "True")
    assert [(m.module, m.strings) for m in context.modules] == [("a", 2), ("b", 1), ("c", 1)]


def test_a_shouted_word_is_no_acronym() -> None:
    """NOT in capitals is still to be translated."""
    strings = [s for name in "abc" for s in module(name, "Do NOT do this.", "It is not so, not.")]
    assert "NOT" not in terms.context(strings).names


def test_context_and_units_do_not_wander(strings: list[SourceString]) -> None:
    """The same sources must give the same bytes, or a resumed run would differ from a whole one."""
    again = [SourceString.model_validate_json(s.model_dump_json()) for s in strings]
    assert terms.context(again) == terms.context(strings)
    units = list(memory.units(strings))
    assert list(memory.units(again)) == units
    assert [
        Unit.model_validate(json.loads(u.model_dump_json()), strict=False) for u in units
    ] == units


def test_usage_counts_words_and_marks_and_costs_nothing() -> None:
    """Bidi marks are invisible: a mirrored text is no more work than its source."""
    unit = next(memory.units(module("a", "Two words, and more.")))
    mirrored = pseudo.careful(unit, LOCALES["ar-XB"]).target
    assert count_tokens(unit.text) == count_tokens(mirrored) == 6
    spent = usage([unit.text], [mirrored])
    assert (spent.tokens_in, spent.tokens_out, spent.cost_usd) == (6, 6, 0.0)


def test_batches_hold_everything_in_order() -> None:
    """A step works on one batch; none may be lost at the end."""
    assert list(batches("abcde", 2)) == [("a", "b"), ("c", "d"), ("e",)]
    with pytest.raises(ValueError, match="never end"):
        list(batches("abc", 0))

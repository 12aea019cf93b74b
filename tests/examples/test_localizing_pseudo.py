"""The naive pass breaks some texts, qa finds which, edit repairs exactly those."""

import string
from collections import Counter

import pytest
from hypothesis import given
from localizing import pseudo
from localizing.edit import repair
from localizing.grammar import escapes, placeholders
from localizing.models import FindingCode, Style, Translation, Unit
from localizing.pseudo import LOCALES, PDF, PDI, RLI, RLO, Locale
from localizing.qa import check, is_balanced, length_max

from tests.examples import build

ACCENTED, MIRRORED = LOCALES["de-XA"], LOCALES["ar-XB"]


def codes(unit: Unit, target: str, locale: Locale = ACCENTED) -> list[FindingCode]:
    translation = Translation(key=unit.key, locale=locale.code, target=target, status="translated")
    return [finding.code for finding in check(unit, translation, locale)]


@given(build.units, build.locales)
def test_the_careful_pass_keeps_every_placeholder_and_escape(unit: Unit, locale: Locale) -> None:
    """Whatever the text: the program must be able to format it afterwards."""
    target = pseudo.careful(unit, locale).target
    for read in (placeholders, escapes):
        assert Counter(read(target, unit.style)) == Counter(read(unit.text, unit.style))


@given(build.units, build.locales)
def test_edit_after_the_naive_pass_leaves_nothing_to_find(unit: Unit, locale: Locale) -> None:
    """A finding that could not be repaired would come back in every run."""
    first = pseudo.naive(unit, locale)
    findings = check(unit, first, locale)
    edited = repair(unit, first, findings, locale)
    assert check(unit, edited, locale) == []
    assert (edited is first) == (not findings)


@given(build.units, build.locales)
def test_the_careful_pass_alone_leaves_nothing_to_find(unit: Unit, locale: Locale) -> None:
    """Also for texts in which the naive pass went unpunished."""
    assert check(unit, pseudo.careful(unit, locale), locale) == []


@pytest.mark.parametrize(
    ("style", "text", "expected"),
    [
        ("percent", "bad value %r", {"placeholder_lost"}),
        ("percent", "%(place)-10s is missing", {"placeholder_lost"}),
        ("brace", "cannot read {name!r}", {"placeholder_lost", "placeholder_added"}),
        ("brace", "set {{name}} first", {"untranslated"}),
        (
            "brace",
            "cannot read {build_date!r}",
            {"placeholder_lost", "placeholder_added", "untranslated"},
        ),
        ("dollar", "$who has ${amount} left of $$9", set()),
        ("prose", r"ends in \n or \t", {"escape_changed"}),
        ("prose", "trailing colon: ", {"edge_space_changed"}),
        ("percent", "open %s at %(line)d", set()),
        ("brace", "{} of {total}", set()),
        ("prose", "Just words.", set()),
    ],
)
def test_the_naive_pass_breaks_what_its_expression_does_not_know(
    style: Style, text: str, expected: set[FindingCode]
) -> None:
    """Real cases of real sources: not one is broken on purpose, and the simple ones are right."""
    unit = build.unit(text, style)
    assert set(codes(unit, pseudo.naive(unit, ACCENTED).target)) == expected


def test_the_naive_pass_leaves_an_isolate_open_at_a_line_end() -> None:
    """A line end closes every isolate, so the second line would run the wrong way."""
    unit = build.unit("First line.\nSecond line.")
    assert codes(unit, pseudo.naive(unit, MIRRORED).target, MIRRORED) == ["bidi_unbalanced"]
    assert pseudo.careful(unit, MIRRORED).target == (
        f"{RLI}{RLO}First{PDF} {RLO}line{PDF}.{PDI}\n{RLI}{RLO}Second{PDF} {RLO}line{PDF}.{PDI}"
    )


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("⟦Ţöö {x}⟧", ["placeholder_lost"]),
        ("⟦Ţöö %s {x} {x}⟧", ["placeholder_added", "brackets_changed"]),
        ("⟦Ţöö %s {x⟧", ["placeholder_lost", "brackets_changed"]),
        ("⟦Ţöö %s {x} " + "ä" * 40 + "⟧", ["too_long"]),
        ("⟦Ţöö %s {x} ƒîîļéé_ñääɱéé⟧", ["protected_changed"]),
        (f"⟦Ţöö %s {{x}}⟧{PDI}", ["bidi_unbalanced"]),
        ("⟦Too %s {x}⟧", ["untranslated"]),
        ("⟦Ţöö %s {x}⟧ ", ["edge_space_changed"]),
        ("⟦Ţöö {x} %s⟧", []),
    ],
)
def test_each_rule_finds_its_defect(target: str, expected: list[FindingCode]) -> None:
    """Judged by the texts alone, so a person's translation is held to the same rules."""
    locked = "protected_changed" in expected
    unit = build.unit("To %s {x} file_name" if locked else "To %s {x}")
    assert codes(unit, target) == expected


def test_a_defect_of_the_source_is_not_held_against_the_translation() -> None:
    """Nobody can balance in a translation what the source leaves open."""
    unit = build.unit(f"open {RLO}mark")
    assert check(unit, pseudo.careful(unit, MIRRORED), MIRRORED) == []


def test_accents_reach_every_letter() -> None:
    """A letter without an accent could not be told from a forgotten one."""
    unit = build.unit(" ".join(string.ascii_letters))
    target = pseudo.careful(unit, ACCENTED).target
    assert not set(target) & set(string.ascii_letters)


def test_a_sentence_grows_by_about_a_third() -> None:
    """So much longer than English is what a layout has to bear."""
    unit = build.unit("The number of files that could not be read is shown at the end of the run.")
    target = pseudo.careful(unit, ACCENTED).target
    assert 1.3 <= len(target) / len(unit.text) <= 1.4
    assert len(target) <= length_max(unit.text)


def test_a_text_without_words_stays_as_it_is() -> None:
    """Brackets around a bare placeholder would show nothing to anyone."""
    for locale in LOCALES.values():
        unit = build.unit("%s: {x} -- 12", "percent")
        assert pseudo.careful(unit, locale).target == unit.text


def test_locked_names_come_through_both_passes() -> None:
    """An option must read in the translation as it is typed."""
    unit = build.unit("Use --strict with HTTP and os.path, see ``a b``")
    for locale in LOCALES.values():
        for target in (pseudo.naive(unit, locale).target, pseudo.careful(unit, locale).target):
            assert all(name in target for name in ("--strict", "HTTP", "os.path", "``a b``"))


def test_balance_counts_order_and_lines() -> None:
    """An isolate closed on the next line is not closed."""
    assert is_balanced(f"{RLI}{RLO}a{PDF}{PDI}")
    assert not is_balanced(f"{RLI}{RLO}a{PDI}{PDF}")
    assert not is_balanced(f"{RLI}a\n{PDI}")

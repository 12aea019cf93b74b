"""What stands between a log and a terminal: hostile characters, lengths of time, sizes."""

import unicodedata
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.cli import text

NOW = datetime(2026, 11, 22, 9, 10, 11, tzinfo=UTC)
OBEYED = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}

any_text = st.text(st.characters(codec=None, exclude_categories=[]))


@given(any_text)
def test_nothing_that_a_terminal_obeys_gets_through(hostile: str) -> None:
    """An escape sequence out of a log could move the cursor and rewrite what was shown before."""
    shown = text.visible(hostile)
    assert {unicodedata.category(char) for char in shown} & OBEYED == set()


@given(any_text)
def test_what_was_made_visible_stays_as_it_is(hostile: str) -> None:
    """A text may pass two layers of the command; the second must not change it again."""
    once = text.visible(hostile)
    assert text.visible(once) == once


@given(any_text, any_text)
def test_texts_are_made_visible_piece_by_piece(left: str, right: str) -> None:
    """A stream that is cut anywhere must look the same as one that is not."""
    assert text.visible(left + right) == text.visible(left) + text.visible(right)


@given(st.text(st.characters(categories=["L", "N", "P", "S"], exclude_characters=text._BLANK)))
def test_letters_of_every_script_stay_readable(harmless: str) -> None:
    """Escaping what is harmless would make every log in another script unreadable."""
    assert text.visible(harmless) == harmless


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[2J", r"\x1b[2J"),
        ("a\rb\nc", r"a\x0db\x0ac"),
        ("user\u202egnp.exe", r"user\u202egnp.exe"),
        ("\u2066x\u2069", r"\u2066x\u2069"),
        ("zero\u200bwidth", r"zero\u200bwidth"),
        ("\x9b31m", r"\x9b31m"),
        ("\U000e0041", r"\U000e0041"),
        ("naïve, שלום, 日本語 ✓", "naïve, שלום, 日本語 ✓"),
    ],
)
def test_known_attacks_are_written_out(hostile: str, shown: str) -> None:
    """Security, terminal: control, ANSI and bidi characters are made visible."""
    assert text.visible(hostile) == shown


def test_a_traceback_keeps_its_lines() -> None:
    """A traceback on one line helps nobody; its other control characters are written out."""
    assert text.visible("a\n\tb\x1b", keep="\n\t") == "a\n\tb\\x1b"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "-"),
        (0, "0.00 s"),
        (0.4249, "0.42 s"),
        (9.996, "10.0 s"),
        (59.96, "1 m 00 s"),
        (185, "3 m 05 s"),
        (3_599.9, "1 h 00 m"),
        (7_260, "2 h 01 m"),
        (86_400 * 2 + 3_600 * 4, "2 d 04 h"),
    ],
)
def test_a_length_of_time_has_two_units_at_most(seconds: float | None, shown: str) -> None:
    """More digits than anyone compares are noise; no unit may show 60 of its parts."""
    assert text.duration(seconds) == shown


@pytest.mark.parametrize(
    ("size_bytes", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.00 kB"),
        (45_600, "45.6 kB"),
        (999_999, "1.00 MB"),
        (123_456_789, "123 MB"),
        (5 * 10**12, "5.00 TB"),
        (5 * 10**15, "5000 TB"),
    ],
)
def test_a_size_has_three_digits(size_bytes: int, shown: str) -> None:
    """Enough to tell two artifacts apart, short enough for a column."""
    assert text.size(size_bytes) == shown


@pytest.mark.parametrize(
    ("passed", "shown"),
    [
        (timedelta(milliseconds=-300), "0 s ago"),
        (timedelta(seconds=59), "59 s ago"),
        (timedelta(minutes=59), "59 m ago"),
        (timedelta(hours=23), "23 h ago"),
        (timedelta(days=6, hours=23), "6 d ago"),
    ],
)
def test_what_is_recent_is_told_by_its_age(passed: timedelta, shown: str) -> None:
    """People look for the run of ten minutes ago, not for 09:00:11."""
    assert text.ago(NOW - passed, NOW) == shown


def test_what_is_old_or_ahead_is_told_by_its_date() -> None:
    """A clock that runs ahead would otherwise make a run of "-3 hours ago"."""
    for when in (NOW - timedelta(days=8), NOW + timedelta(days=3)):
        assert text.ago(when, NOW) == when.astimezone().strftime("%Y-%m-%d")


@pytest.mark.parametrize(
    ("word", "length"),
    [
        ("30s", timedelta(seconds=30)),
        ("15m", timedelta(minutes=15)),
        ("2h", timedelta(hours=2)),
        ("3d", timedelta(days=3)),
        ("1w", timedelta(weeks=1)),
        ("2", None),
        ("h", None),
        ("-2h", None),
        ("2h30m", None),
        ("٢h", None),
    ],
)
def test_a_span_is_a_number_and_a_unit(word: str, length: timedelta | None) -> None:
    """`--since 2h`: what is no such word is tried as a time next."""
    assert text.span(word) == length

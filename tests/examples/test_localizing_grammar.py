"""Where placeholders, escapes and untouchable names start and end."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from localizing.grammar import escapes, marks, merged, pieces, placeholders
from localizing.models import Style
from localizing.protect import identifiers, locked_spans

from tests.examples import build


@pytest.mark.parametrize(
    ("style", "text", "expected"),
    [
        ("percent", "100% sure %(a)s", ["% s", "%(a)s"]),
        ("prose", "100% sure %(a)s", ["%(a)s"]),
        ("percent", "%-*.*f %(name(1))5d %c", ["%-*.*f", "%(name(1))5d", "%c"]),
        ("percent", "5%% of %s", ["%s"]),
        ("prose", "%Y-%m-%d but 5%off", ["%Y", "%m", "%d", "%o"]),
        ("brace", "{a!r:>{w}} {{x}} {}", ["{a!r:>{w}}", "{}"]),
        ("brace", "{d['}']} {', '.join(x)}", ["{d['}']}", "{', '.join(x)}"]),
        ("brace", "{never closes, {x}", ["{x}"]),
        ("prose", "{x.y[0]} {'a': 1} {not this}", ["{x.y[0]}"]),
        ("dollar", "$who has ${some} of $$x and $1", ["$who", "${some}"]),
    ],
)
def test_placeholders_are_those_of_the_style(style: Style, text: str, expected: list[str]) -> None:
    """A placeholder is what the program would replace; elsewhere only what must be one is."""
    assert placeholders(text, style) == expected


@given(st.lists(st.sampled_from("abc"), unique=True), st.text(alphabet="xyz {}.,", max_size=20))
def test_brace_fields_agree_with_the_formatter_of_python(fields: list[str], words: str) -> None:
    """The judge of the grammar is the function that will format the text."""
    text = "".join(f"{{{name}!r:>{{w}}}}" for name in fields)
    text += words.replace("{", "{{").replace("}", "}}")
    parsed = [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]
    assert [field[1:].partition("!")[0] for field in placeholders(text, "brace")] == parsed


def test_escapes_are_found_in_every_style() -> None:
    """A doubled sign and a backslash sequence stand for something else than themselves."""
    assert escapes(r"%% {{ }} $$ \n \x41 \N{DASH} \\ \[", "prose") == [
        *("%%", "{{", "}}", "$$", r"\n", r"\x41", r"\N{DASH}", r"\\"),
    ]


@given(build.texts, build.styles)
def test_marks_are_ordered_and_apart(text: str, style: Style) -> None:
    """Whoever cuts a text at its marks relies on it."""
    ends = [0]
    for mark in marks(text, style):
        assert ends[-1] <= mark.start < mark.end <= len(text)
        ends.append(mark.end)


@given(build.texts, st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), max_size=5))
def test_pieces_join_to_the_text(text: str, spans: list[tuple[int, int]]) -> None:
    """Nothing is lost or doubled where spans overlap."""
    kept = [(a, min(a + n, len(text))) for a, n in spans if a < len(text)]
    cut = list(pieces(text, kept))
    assert "".join(piece for piece, _ in cut) == text
    assert sum(len(piece) for piece, is_kept in cut if is_kept) == sum(
        end - start for start, end in merged(kept)
    )


@pytest.mark.parametrize(
    "name",
    [
        *("snake_case", "ValueError", "HTTPServer", "os.path.join", "f()", "--dry-run", "-x"),
        *(
            "`a b`",
            "``a b``",
            ":class:`Foo`",
            "https://a.org/b(c)/",
            "a@b.org",
            "<br/>",
            "/usr/lib",
        ),
        *("utf8", "__init__", "HTTP"),
    ],
)
def test_names_and_code_are_locked(name: str) -> None:
    """A translated option or class name sends the reader to something that is not there."""
    text = f"see {name}, please"
    assert [text[a:b] for a, b in locked_spans(text, build.NAMES)] == [name]


@pytest.mark.parametrize("text", ["well-known words", "and/or", "HTTPS None-such x", "it's - so"])
def test_words_are_not_locked(text: str) -> None:
    """What looks only a little like code is for the translator."""
    assert [text[a:b] for a, b in locked_spans(text, frozenset({"HTTP"}))] == []


def test_identifiers_leave_out_abbreviations() -> None:
    """`e.g` has the shape of a dotted name and would head every list of terms."""
    text = "e.g. os.path, `name` and close() or --x"
    assert identifiers(text, locked_spans(text)) == ["os.path", "name", "close"]


@pytest.mark.parametrize(
    "hostile", ["{", "{ ", "%(", "`a", "``", "<a ", "_", "a.", "{:", "\\N{", "a@", "%(a(", "{'"]
)
def test_a_hostile_text_is_read_in_linear_steps(hostile: str) -> None:
    """A source may hold anything; 200,000 characters of it must not hang the run (by its limit)."""
    text = hostile * (200_000 // len(hostile))
    for style in ("percent", "brace"):
        assert list(marks(text, style)) is not None
    assert locked_spans(text, build.NAMES) is not None

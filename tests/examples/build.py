"""Builders that the tests of this folder share: a unit of any text, and the strategies for it."""

from hypothesis import strategies as st
from localizing.memory import unit_key
from localizing.models import Style, Unit
from localizing.protect import locked_spans
from localizing.pseudo import LOCALES

NAMES = frozenset({"HTTP", "None"})

# Any text at all would rarely spell a placeholder, so what the grammars are made of is mixed in.
FRAGMENTS = st.sampled_from(
    [
        *"%{}$\\`'\"()[]<>:.!_-/@ \n\r\t\x85\u2029",
        *"sdrxzNUY0159éß\u202e\u202c\u2067\u2069⟦⟧",
        *("%s", "%(name)s", "%(a b)-5d", "%%", "% d", "%5.1f", "%Y-%m", "%*d", "{}", "{{", "}}"),
        *("{name!r:>{width}}", "{0[a].b}", "{x}", "{', '.join(x)}", "{'}'}", "$$", "$name"),
        *("${amount}", "\\n", "\\x41", "\\N{DASH}", "\\\\", "None", "HTTP", "snake_case", "a.b"),
        *("Value", "ValueError", "f()", "--option", "``code``", ":class:`X`", "https://a.b/c"),
        *("<tag x>", "/usr/lib", "utf8", "plain", "words", "aeiou" * 9, "e.g.", "a@b.org"),
    ]
)
texts = st.lists(st.one_of(FRAGMENTS, st.text(max_size=4)), max_size=14).map("".join)
styles = st.sampled_from(("percent", "brace", "dollar", "prose"))
locales = st.sampled_from(list(LOCALES.values()))
names = st.sampled_from((frozenset[str](), NAMES))


def unit(text: str, style: Style = "prose", listed: frozenset[str] = NAMES) -> Unit:
    """The unit that pretranslation would make of `text`."""
    return Unit(
        key=unit_key(style, text),
        style=style,
        text=text,
        locked=locked_spans(text, listed),
        string_ids=("0" * 16,),
    )


units = st.builds(unit, texts, styles, names)

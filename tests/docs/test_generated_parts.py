"""What the documentation lists is what the code has."""

import pytest

from journal.events.registry import BUILT_IN
from journal.lifecycle import PHASE_TRANSITIONS, RUN_TRANSITIONS
from tests.docs.events_table import parts
from tests.docs.render import PARTS, rendered
from tests.rules.sources import ROOT


def text_of(page: str) -> str:
    """Return the text of a page."""
    return (ROOT / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PARTS)
def test_generated_parts_are_up_to_date(page: str) -> None:
    """Rewrite them with: python -m tests.docs.render."""
    assert rendered(page, text_of(page)) == text_of(page)


def test_every_event_and_every_part_has_one_row() -> None:
    """A table that leaves one out would look just as complete."""
    text = text_of("docs/events.md")
    for kind in BUILT_IN:
        assert text.count(f"| `{kind.event_name}`<br>{kind.__name__} |") == 1
    for part in parts():
        assert text.count(f"\n| {part.__name__} |") == 1


def test_every_transition_is_drawn_and_told() -> None:
    """The picture is for the eye, the table for who must be sure."""
    text = text_of("docs/lifecycle.md")
    for kind in (*RUN_TRANSITIONS, *PHASE_TRANSITIONS):
        assert f"\n| `{kind.event_name}` | " in text
        assert f" {kind.event_name}" in "".join(text.split("```")[1::2])


def test_a_part_that_is_missing_from_a_page_is_noticed() -> None:
    """A page that lost its marks would never be rewritten again."""
    with pytest.raises(ValueError, match="generated parts"):
        rendered("docs/events.md", "# The events\n")

"""Every link inside the documentation leads somewhere."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import name_of, pages
from tests.rules.sources import ROOT

_LINK = re.compile(r"\[[^\]\n]*\]\(<?([^)\s>]+)>?\)")
_CODE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`[^`\n]*`")
_NOT_OURS = ("http://", "https://", "mailto:")
_LINE_NUMBER = re.compile(r"\.(py|md|toml|jsonl):[0-9]+|#L[0-9]+")


def prose_of(page: Path) -> str:
    """Return a page without its code."""
    return _INLINE.sub("", _CODE.sub("", page.read_text(encoding="utf-8")))


def anchors_of(page: Path) -> set[str]:
    """Return the anchors that a page's headings make, as the hosting sites do."""
    text = _CODE.sub("", page.read_text(encoding="utf-8"))
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
        for heading in re.findall(r"^#+ +(.+)$", text, re.MULTILINE)
    }


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_relative_link_leads_to_something(page: Path) -> None:
    """A page that was moved leaves its readers standing in the road."""
    dead = []
    for link in _LINK.findall(prose_of(page)):
        if link.startswith(_NOT_OURS):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        inside = target.is_relative_to(ROOT) and target.exists()
        if not inside or (anchor and target.suffix == ".md" and anchor not in anchors_of(target)):
            dead.append(link)
    assert dead == []


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_no_page_cites_a_line_number(page: Path) -> None:
    """Such a citation is wrong after the next commit, and nobody notices."""
    assert _LINE_NUMBER.findall(page.read_text(encoding="utf-8")) == []

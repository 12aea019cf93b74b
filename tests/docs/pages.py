"""
Finds the pages of the documentation and the code blocks in them.

A block is what stands between two fences. Its first word is the language; ``title="check.py"``
after it gives it a name, by which a test can ask for it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.rules.sources import ROOT

_FENCE = re.compile(r"(?P<indent> *)(?P<fence>`{3,}|~{3,})(?P<info>[^`]*)")
_TITLE = re.compile(r'title="([^"]+)"')


@dataclass(frozen=True)
class Block:
    """A fenced code block: where it stands, what it says it is, and its text."""

    line: int
    language: str
    title: str | None
    text: str


def pages() -> list[Path]:
    """Return every page that people read, by path; there may be more tomorrow."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return sorted(path for path in found if path.is_file())


def name_of(page: Path) -> str:
    """Name a page from the root of the project."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, language: str | None = None) -> list[Block]:
    """Return the code blocks of a page, or those of one language."""
    found = _blocks(page.read_text(encoding="utf-8"))
    return [block for block in found if language in {None, block.language}]


def _blocks(text: str) -> Iterator[Block]:
    opened: re.Match[str] | None = None
    start, lines = 0, list[str]()
    for number, line in enumerate(text.split("\n"), 1):
        fence = _FENCE.fullmatch(line)
        if opened is None:
            if fence:
                opened, start, lines = fence, number, []
        elif fence and fence["fence"].startswith(opened["fence"]) and not fence["info"].strip():
            yield _block(opened, start, lines)
            opened = None
        else:
            lines.append(line.removeprefix(opened["indent"]))
    if opened is not None:
        raise ValueError(f"the block that begins in line {start} has no end")


def _block(opened: re.Match[str], start: int, lines: list[str]) -> Block:
    language, _, rest = opened["info"].strip().partition(" ")
    title = _TITLE.search(rest)
    return Block(start, language, title[1] if title else None, "\n".join(lines) + "\n")

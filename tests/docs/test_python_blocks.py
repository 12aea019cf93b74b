"""Every Python block of the documentation runs, in the order of its page."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import blocks, name_of, pages

with_python = [page for page in pages() if blocks(page, "python")]


def program_of(page: Path) -> str:
    """Return the blocks of a page as one program, each line under its number in the page."""
    lines: list[str] = []
    for block in blocks(page, "python"):
        lines += [""] * (block.line - len(lines)) + block.text.splitlines()
    return "\n".join(lines) + "\n"


def test_there_are_pages_with_blocks() -> None:
    """If none were found, nothing below would check anything."""
    assert with_python


@pytest.mark.parametrize("page", with_python, ids=name_of)
def test_the_blocks_of_a_page_run(page: Path, tmp_path: Path) -> None:
    """One namespace, an empty folder, a process of its own; warnings are errors."""
    program = tmp_path / "page.py"
    program.write_text(program_of(page), encoding="utf-8")
    place = tmp_path / "here"
    place.mkdir()
    ran = subprocess.run(
        [sys.executable, "-W", "error", program],
        cwd=place,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, f"{name_of(page)} (same line numbers):\n{ran.stderr}"


def test_no_block_hides_behind_another_spelling() -> None:
    """``py`` and ``Python`` look the same on the page and would not be run."""
    odd = [
        f"{name_of(page)}:{block.line}"
        for page in pages()
        for block in blocks(page)
        if block.language.lower() in {"py", "python3", "pycon"}
        or (block.language != "python" and block.language.lower() == "python")
    ]
    assert odd == []

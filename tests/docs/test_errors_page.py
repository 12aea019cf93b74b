"""docs/errors.md: every code has its row, and the row is true."""

import errno
import re

from journal.errors import (
    RETRYABLE,
    StorageErrorCode,
    StorageErrorDetails,
    code_of,
)
from projections.cli.exits import EXIT_OF_CODE
from tests.rules.sources import ROOT

PAGE = (ROOT / "docs/errors.md").read_text(encoding="utf-8")


def rows() -> dict[str, list[str]]:
    """Return the rows of the table of codes: code -> the other cells."""
    found = [line.strip("| ").split(" | ") for line in PAGE.split("\n")]
    return {
        cells[0].strip("`"): cells[1:] for cells in found if len(cells) == 6 and "`" in cells[0]
    }


def test_every_code_has_its_row_and_no_other_has() -> None:
    """Whoever meets a code must find out what to do next."""
    assert list(rows()) == [code.value for code in StorageErrorCode]
    assert all(all(cells) for cells in rows().values())


def test_the_page_says_rightly_what_may_be_retried() -> None:
    """A retry loop is written from this page."""
    assert {cells[0] for cells in rows().values()} == {"yes", "no"}
    assert {code for code, cells in rows().items() if cells[0] == "yes"} == set(RETRYABLE)


def test_the_page_says_rightly_how_the_command_ends() -> None:
    """A script branches on it."""
    assert {code: int(cells[-1].split(" ")[0]) for code, cells in rows().items()} == EXIT_OF_CODE


def test_the_table_of_the_system_is_the_one_in_the_code() -> None:
    """Each errno that has a code of its own is named, and with that code."""
    said = {
        name: code
        for names, code in re.findall(r"^\| ((?:E[A-Z]+)[^|]*) \| `(\w+)` \|$", PAGE, re.MULTILINE)
        for name in re.findall(r"\bE[A-Z]+\b", names)
    }
    numbers = {getattr(errno, name): code for name, code in said.items()}
    for number in errno.errorcode:
        assert code_of(OSError(number, "x")) == numbers.get(number, "io_error")


def test_every_detail_is_named() -> None:
    """Programs read them by name."""
    last = PAGE[PAGE.index("## The details") :]
    assert re.findall(r"`(\w+)`", last.split(";")[0]) == list(StorageErrorDetails.model_fields)

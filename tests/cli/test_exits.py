"""Exit codes: one table, the same in the code, in the enumeration and in the documentation."""

import re

import pytest

from journal.errors import StorageErrorCode, storage_error
from projections.cli import exits
from projections.cli.settings import Settings
from tests.rules.sources import ROOT

ROW = re.compile(r"^\| `([a-z_]+)` \|.*\| ([0-9])(?: \(([0-9]): ([a-z_]+)\))? \|$", re.MULTILINE)


def test_every_code_has_an_exit_code() -> None:
    """A code without one would end in a KeyError instead of a message."""
    assert set(exits.EXIT_OF_CODE) == {code.value for code in StorageErrorCode}


def test_the_documentation_names_the_same_exit_codes() -> None:
    """Scripts are written from that page."""
    rows = ROW.findall((ROOT / "docs/errors.md").read_text(encoding="utf-8"))
    assert {code: int(number) for code, number, _, _ in rows} == exits.EXIT_OF_CODE
    finer = {(code, reason): int(number) for code, _, number, reason in rows if reason}
    assert finer == exits.EXIT_OF_REASON


def test_an_ambiguous_name_counts_as_not_found() -> None:
    """INTERFACES: exit 3 is "not found or ambiguous"; any other conflict is a failure."""
    ambiguous = storage_error(StorageErrorCode.CONFLICT, "two runs", reason="ambiguous")
    assert exits.exit_of(ambiguous) == exits.NOT_FOUND
    assert exits.exit_of(storage_error(StorageErrorCode.CONFLICT, "no")) == exits.FAILED


@pytest.mark.parametrize(
    ("action", "typed"),
    [
        ("journal verify 0199", "journal verify --store '/a store' 0199"),
        ("journal list", "journal list --store '/a store'"),
        ("free some space", "free some space"),
        ("journal", "journal"),
        (None, None),
    ],
)
def test_the_next_command_names_the_store_that_was_named(
    action: str | None, typed: str | None
) -> None:
    """Typed without --store it would look into another store and find nothing."""
    assert exits.next_command(action, Settings(store_given="/a store")) == typed
    assert exits.next_command(action, Settings()) == action


def test_an_error_names_place_cause_and_next_command(capsys: pytest.CaptureFixture[str]) -> None:
    """INTERFACES: code, cause, place and the next command; nothing of it can bend the terminal."""
    error = storage_error(
        StorageErrorCode.CORRUPT, "bad \x1b[2J line", run_id="0199", seq=4, next_action="journal x"
    )
    error.__cause__ = OSError("disk")
    exits.tell(error, Settings())
    assert capsys.readouterr().err.splitlines() == [
        r"journal: corrupt: bad \x1b[2J line",
        "  place: run 0199, line 4",
        "  cause: OSError: disk",
        "  next: journal x",
    ]


def test_a_defect_is_not_dressed_up_as_an_error() -> None:
    """An exception of the program itself keeps its traceback."""
    assert exits.report(KeyError("x"), Settings()) is None


def test_several_errors_at_once_are_told_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    """Two phases meet the same full disk in a task group: one message, not a tree of tracebacks."""
    full = storage_error(StorageErrorCode.NO_SPACE, "full")
    group = ExceptionGroup("both", [full, ExceptionGroup("again", [full, OSError(5, "bad disk")])])
    assert exits.report(group, Settings()) == exits.STORAGE
    said = capsys.readouterr().err
    assert said.count("no_space: full") == 1
    assert "bad disk" in said
    assert exits.report(ExceptionGroup("mixed", [full, KeyError("x")]), Settings()) is None

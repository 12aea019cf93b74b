"""Every file says what it is, and holds one thing."""

import ast

from tests.rules.sources import modules

FOLDERS = ("journal", "projections", "tests", "docs")

LINES_MAX = 330

# Path -> why it is longer. An entry that is no longer needed fails.
LONGER: dict[str, str] = {
    "tests/contract/test_event_log.py": "one contract, read as a whole by who writes a backend",
    "tests/faults/test_disk_errors.py": "one table of failing operations and what each leaves",
}


def test_no_file_holds_two_things() -> None:
    """Past this length a file usually does; a newcomer reads a short one to its end."""
    long = {m.path: m.text.count("\n") for m in modules(*FOLDERS) if m.text.count("\n") > LINES_MAX}
    assert {path: lines for path, lines in long.items() if path not in LONGER} == {}
    assert set(LONGER) <= set(long), "no longer long: take it off the list"


def test_every_module_says_what_it_is() -> None:
    """The first line of a file is how a newcomer finds the way."""
    silent = [m.path for m in modules(*FOLDERS) if not (ast.get_docstring(m.tree) or "").strip()]
    assert silent == []


def test_the_first_line_of_a_module_fits_on_one_line() -> None:
    """A list of first lines is the map of the house; a sentence cut in two is no entry in it."""
    cut = []
    for module in modules("journal", "projections"):
        first = (ast.get_docstring(module.tree) or "").partition("\n")[0]
        if first and first[-1] not in ".:!?)":
            cut.append(f"{module.path}: {first}")
    assert cut == []

"""docs/reliability.md: every case has a test that names it, every bug one that keeps it away."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from journal import Journal
from journal.errors import StorageErrorCode
from tests.docs import campaign_figures
from tests.docs.fault_cases import CASES, SECURITY
from tests.docs.fault_tests import fault_tests, found_in, numbers_of
from tests.docs.pages import blocks
from tests.docs.reliability_tables import bugs_found, without_tests
from tests.docs.test_guides import PROGRAM
from tests.rules.sources import ROOT, Module, modules, parse

RELIABILITY = ROOT / "docs/reliability.md"


def module(text: str) -> Module:
    """Return a file of tests that does not exist."""
    return parse("tests/faults/test_some.py", text)


def test_every_case_and_every_item_has_a_test_that_names_it() -> None:
    """A case without one is a belief."""
    assert without_tests(fault_tests()) == []


def test_no_test_names_a_case_that_does_not_exist() -> None:
    """It would count for nothing, and its author thinks that it does."""
    wrong = [
        f"{test.path}::{test.name}: {sorted(test.cases - CASES.keys())}"
        for test in fault_tests()
        if not test.cases <= CASES.keys()
    ]
    wrong += [
        f"{test.path}::{test.name}: {sorted(test.security - SECURITY.keys())}"
        for test in fault_tests()
        if not test.security <= SECURITY.keys() | {""}
    ]
    assert wrong == []


def test_the_cases_are_numbered_without_gaps() -> None:
    """Tests name numbers, so a number never changes its meaning; new ones go to the end."""
    assert list(CASES) == list(range(1, len(CASES) + 1))
    assert len(CASES) >= 85


def test_every_code_in_the_tables_is_one() -> None:
    """Somebody will search for it."""
    codes = {code.value for code in StorageErrorCode}
    said = {
        word
        for case in (*CASES.values(), *SECURITY.values())
        for word in re.findall(r"`([a-z]+_[a-z]+|corrupt|locked|conflict|closed)`", case.outcome)
    }
    assert said - codes <= {"log_recovered", "wait_s"}
    assert len(said & codes) > 8


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("21", {21}),
        ("21 and 45", {21, 45}),
        ("21, 23 and 45", {21, 23, 45}),
        ("58 to 61", {58, 59, 60, 61}),
        ("3, 5 to 7, and 9", {3, 5, 6, 7, 9}),
    ],
)
def test_numbers_are_read_as_people_write_them(text: str, numbers: set[int]) -> None:
    """One, several, a range, and all of that together."""
    assert numbers_of(text) == numbers


def test_a_test_says_its_case_where_its_docstring_begins_or_its_name_ends() -> None:
    """Anywhere else, a number is prose."""
    source = module(
        "async def test_a():\n"
        '    """Cases 3, 4 and 6 to 7, together: said so."""\n'
        "def test_b_cases_12_13():\n"
        '    """It says nothing.\n\n    Case 5: in a paragraph of its own."""\n'
        "class TestC:\n"
        '    def test_d(self):\n        """Security, terminal: shown."""\n'
        'def test_f():\n    """Cases 7 and 81 and Security, modes: both."""\n'
        'def test_e():\n    """As in case 9, where Case 8: is prose."""\n'
        'def helper():\n    """Case 1: of no test."""\n'
    )
    found = {test.name: ({*test.cases}, {*test.security}) for test in found_in(source)}
    assert found == {
        "test_a": ({3, 4, 6, 7}, set()),
        "test_b_cases_12_13": ({5, 12, 13}, set()),
        "test_d": (set(), {"terminal"}),
        "test_f": ({7, 81}, {"modes"}),
        "test_e": (set(), set()),
    }


def test_a_part_of_a_campaign_is_shown_and_replaces_no_test() -> None:
    """The campaigns are run by hand; what holds at every commit is what the tests hold."""
    source = parse("tests/real/scenarios.py", 'class Creating:\n    """Case 21: made."""\n')
    (part,) = found_in(source)
    assert (part.name, {*part.cases}, part.is_test) == ("Creating", {21}, False)
    assert "case 21" in without_tests([part])
    assert list(found_in(parse("tests/support/a.py", source.text))) == []


def test_a_file_about_one_thing_says_so_once() -> None:
    """Its tests may then say ``Security: …`` alone."""
    text = '"""Security, secrets: which texts."""\ndef test_a():\n    """Security: some."""\n'
    (found,) = found_in(module(text))
    assert found.security == {"secrets"}


def test_a_case_that_lost_its_test_is_noticed() -> None:
    """The table would look just as complete."""
    tests = [test for test in fault_tests() if 21 not in test.cases]
    assert "case 21" in without_tests(tests)


def test_every_bug_has_tests_and_every_test_is_there() -> None:
    """A reproduction that was renamed away keeps nothing."""
    there = {
        f"{test.path}::{test.name}" for module in modules("tests") for test in found_in(module)
    }
    named = [test for bug in bugs_found() for test in bug.tests]
    assert [test for test in named if test not in there] == []
    assert all(bug.tests and bug.what.endswith(".") and bug.found_by for bug in bugs_found())


TORTURE = (
    "some words\n"
    '{"crash_states": 1234567, "faults": 89, "mutants": 9, "mutants_caught": 9, "violations": 0, '
    '"not_run": ["loop mount: no root"]}\n'
)
FUZZ = '{"inputs": 1234567, "targets": ["lines", "arguments"], "violations": []}'
BITS = '{"tried": {"bits of a finished log": 1234567}, "missed": 0}'


@pytest.mark.parametrize(
    ("name", "printed", "says"),
    [
        ("torture", TORTURE, ("make torture", "1,234,567", "9 of 9", "loop mount: no root")),
        ("fuzz", FUZZ, ("python -m tests.fuzz", "1,234,567", "lines, arguments")),
        ("bits", BITS, ("python -m tests.bits", "1,234,567")),
    ],
)
def test_figures_stand_in_the_page_with_their_command(
    tmp_path: Path, name: str, printed: str, says: tuple[str, ...]
) -> None:
    """The last line that a campaign prints is read; all around the figures stays."""
    page = tmp_path / "page.md"
    begin, end = campaign_figures.marks(name)
    page.write_text(f"above\n{begin}\nbefore\n{end}\nbelow\n", encoding="utf-8")
    assert campaign_figures.put_into_page(printed, page) == name
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"above\n{begin}\n\n| `{says[0]}` |")
    assert text.endswith(f"\n{end}\nbelow\n")
    assert "before" not in text
    assert [said for said in says if said not in text] == []


@pytest.mark.parametrize(
    "printed",
    [
        TORTURE.replace('"violations": 0', '"violations": 1'),
        BITS.replace('"missed": 0', '"missed": 2'),
        FUZZ.replace("[]", '["a traceback"]'),
        '{"something": "else"}',
        "no JSON",
    ],
)
def test_figures_of_a_failure_are_none(tmp_path: Path, printed: str) -> None:
    """Nor are those of something else; the page stays as it is."""
    page = tmp_path / "page.md"
    text = "".join("\n".join(campaign_figures.marks(name)) for name in campaign_figures.CAMPAIGNS)
    page.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"figures|campaign|JSON"):
        campaign_figures.put_into_page(printed, page)
    assert page.read_text(encoding="utf-8") == text


def test_the_page_has_a_place_for_each_campaign() -> None:
    """One that cannot be shown would be run for nothing."""
    text = RELIABILITY.read_text(encoding="utf-8")
    for name in campaign_figures.CAMPAIGNS:
        begin, end = campaign_figures.marks(name)
        assert text.index(begin) < text.index(end)


def shell(folder: Path, script: str, **environment: str) -> str:
    """Run a script of the page as it stands, the command ``journal`` on the path."""
    (folder / "bin").mkdir(exist_ok=True)
    program = folder / "bin/journal"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(PROGRAM)} "$@"\n', encoding="utf-8")
    program.chmod(0o700)
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    ran = subprocess.run(
        ["/bin/sh", "-c", script],
        cwd=folder,
        env={**os.environ, **environment, "PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return ran.stdout + ran.stderr


async def test_a_pinned_head_shows_what_a_rollback_took(tmp_path: Path) -> None:
    """Case 85: the example of the page, with the real command; from inside all looks well."""
    scripts = {block.title: block.text for block in blocks(RELIABILITY, "sh")}
    store, backup = tmp_path / "store", tmp_path / "backup"
    async with Journal.open(store) as journal, journal.run(project="nightly") as run:
        pass
    shutil.copytree(store, backup)
    async with Journal.open(store) as journal, journal.resume(run.id):
        pass
    environment = {"RUN": run.id, "JOURNAL_STORE": str(store)}
    shell(tmp_path, scripts["pin"], **environment)
    async with Journal.open(store) as journal, journal.resume(run.id):
        pass
    assert shell(tmp_path, scripts["check"], **environment) == "still there\n"

    shutil.rmtree(store)
    backup.rename(store)

    assert shell(tmp_path, scripts["check"], **environment) == ""
    assert shell(tmp_path, "journal verify --json >found; echo $?", **environment) == "0\n"

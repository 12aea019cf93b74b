"""
The tables of ``docs/reliability.md``: cases and their tests, the security list, bugs of both kinds.

Which tests a case has is read out of the tests themselves (``fault_tests.py``).
"""

import tomllib
from collections.abc import Iterable, Sequence

import msgspec

from tests.crash.mutants import MUTANTS
from tests.docs.fault_cases import GROUPS, SECURITY
from tests.docs.fault_tests import FaultTest, fault_tests
from tests.rules.sources import ROOT

SHOWN_MAX = 3
_SHOWN_FIRST = ("crash", "real", "faults", "concurrency", "bits", "fuzz", "security", "journal")
"""Folders of tests: what is seen first is what goes deepest."""


class Bug(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was wrong, how that was found, and the tests that keep it from coming back."""

    what: str
    found_by: str
    tests: tuple[str, ...]


def bugs_found() -> list[Bug]:
    """Return the entries of ``bugs_found.toml``, in its order."""
    text = (ROOT / "tests/docs/bugs_found.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text)["bug"], type=list[Bug])


def cases_part() -> str:
    """Return a table per group of cases."""
    tests = fault_tests()
    tables = []
    for title, cases in GROUPS.items():
        rows = [
            f"| {number} | {case.happens} | {case.outcome} "
            f"| {_shown([test for test in tests if number in test.cases])} |"
            for number, case in cases.items()
        ]
        head = "| case | what happens | what the journal does | tests |\n|---|---|---|---|"
        tables.append(f"### {title}\n\n{head}\n" + "\n".join(rows) + "\n")
    return "\n".join(tables)


def security_part() -> str:
    """Return the table of the security list."""
    tests = fault_tests()
    rows = [
        f"| {word} | {case.happens} | {case.outcome} "
        f"| {_shown([test for test in tests if word in test.security])} |"
        for word, case in SECURITY.items()
    ]
    besides = [test for test in tests if "" in test.security]
    if besides:
        rows.append(f"| and besides |  |  | {_shown(besides)} |")
    return "| | against | what holds | tests |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"


def mutants_part() -> str:
    """Return the table of seeded bugs."""
    rows = [f"| `{name}` | {mutant.why} |" for name, mutant in MUTANTS.items()]
    return "| seeded bug | what is wrong then |\n|---|---|\n" + "\n".join(rows) + "\n"


def bugs_part() -> str:
    """Return the table of bugs."""
    rows = [
        f"| {bug.what} | {bug.found_by} | {'<br>'.join(_link(*_cut(test)) for test in bug.tests)} |"
        for bug in bugs_found()
    ]
    return "| what was wrong | found by | kept by |\n|---|---|---|\n" + "\n".join(rows) + "\n"


def _shown(tests: Sequence[FaultTest]) -> str:
    """Return links to a few tests: of as many files as can be, those that name the fewest cases."""
    ordered = sorted(tests, key=lambda test: (_rank(test.path), len(test.cases)))
    first_of_file = {test.path: test for test in reversed(ordered)}.values()
    first = [test for test in ordered if test in first_of_file]
    chosen = list(dict.fromkeys([*first, *ordered]))[:SHOWN_MAX]
    more = len(tests) - len(chosen)
    links = [_link(test.path, test.name) for test in chosen]
    return "<br>".join([*links, *([f"and {more} more"] if more else [])]) or "**none**"


def _rank(path: str) -> int:
    folder = path.split("/")[1]
    return _SHOWN_FIRST.index(folder) if folder in _SHOWN_FIRST else len(_SHOWN_FIRST)


def _link(path: str, name: str) -> str:
    return f"[`{name.removeprefix('test_')}`](../{path})"


def _cut(test: str) -> tuple[str, str]:
    path, _, name = test.partition("::")
    return path, name


def without_tests(tests: Iterable[FaultTest]) -> list[str]:
    """Return each case, and each item of the security list, that no test names."""
    known = [test for test in tests if test.is_test]
    missing = [
        f"case {number}"
        for group in GROUPS.values()
        for number in group
        if not any(number in test.cases for test in known)
    ]
    return missing + [
        f"security, {word}" for word in SECURITY if not any(word in test.security for test in known)
    ]

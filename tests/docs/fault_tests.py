"""
Finds the tests that say which case they cover.

A test says so where its docstring, or a paragraph of it, begins: ``Case 21: …``, ``Cases 21, 23 and
45: …``, ``Cases 58 to 67: …``, ``Security, terminal: …``, ``Case 81 and Security, modes: …``; or
where its name ends: ``test_…_case_21``, ``test_…_cases_12_13_16``. The words behind are free.

Parts of the campaigns of ``make torture`` say it in their docstrings too; they are shown beside the
tests. A file that is all about one item of the security list says so in its own docstring; its
tests then may say ``Security: …`` alone.
"""

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

from tests.rules.sources import Module, modules

_NAMED = re.compile(r"(?:\A|\n\n)Cases? (?P<numbers>[0-9]+(?:(?:,? and |, | to )[0-9]+)*)\b")
_SECURITY = re.compile(r"(?:\A|\n\n|\ACases? [0-9a-z, ]+ and )Security(?:, (?P<what>[a-z]+))?\b")
_IN_NAME = re.compile(r"_cases?((?:_[0-9]+)+)\Z")


CAMPAIGNS = frozenset({"crash", "real", "fuzz"})


class FaultTest(NamedTuple):
    """A test, and what it covers."""

    path: str
    name: str
    cases: frozenset[int]
    security: frozenset[str]
    """Words of the security list; an empty word where the docstring names none."""
    is_test: bool = True
    """Else a part of a campaign, which may run for minutes."""


def fault_tests() -> list[FaultTest]:
    """Return whatever names a case, in the order of files and lines."""
    found = [test for module in modules("tests") for test in found_in(module)]
    return [test for test in found if test.cases or test.security]


def found_in(module: Module) -> Iterator[FaultTest]:
    """Yield the tests of a file, or the parts of a campaign, with the cases that they name."""
    about = _security(ast.get_docstring(module.tree) or "")
    is_file_of_tests = module.name.rpartition(".")[2].startswith("test_")
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        text = ast.get_docstring(node) or ""
        is_test = is_file_of_tests and node.name.startswith("test_")
        if is_test or module.path.split("/")[1] in CAMPAIGNS:
            cases = _cases(node.name, text)
            security = _security(text)
            if about and security == {""}:
                security = about
            yield FaultTest(module.path, node.name, cases, security, is_test)


def _cases(name: str, text: str) -> frozenset[int]:
    cases: set[int] = set()
    for found in _NAMED.finditer(text):
        cases.update(numbers_of(found["numbers"]))
    if in_name := _IN_NAME.search(name):
        cases.update(int(number) for number in in_name[1].split("_") if number)
    return frozenset(cases)


def numbers_of(text: str) -> set[int]:
    """Return the numbers of ``21, 23 and 58 to 67``."""
    numbers: set[int] = set()
    for part in re.split(r",? and |, ", text):
        first, _, last = part.partition(" to ")
        numbers.update(range(int(first), int(last or first) + 1))
    return numbers


def _security(text: str) -> frozenset[str]:
    return frozenset(found["what"] or "" for found in _SECURITY.finditer(text))

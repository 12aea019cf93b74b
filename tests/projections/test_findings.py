"""
Every finding that there can be: the damage that makes it, its code and place, the command after it.

The list of reasons is read out of the source, so that a new one cannot come without its damage.
"""

import ast
import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import click
import pytest
from click.testing import CliRunner

from journal import Journal
from projections.cli.app import app
from projections.findings import Finding
from projections.store import Projections
from tests.forks.story import half_way
from tests.projections.damages import DAMAGES, Case, orphan
from tests.rules.sources import ROOT


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store, undamaged; made once."""
    root = tmp_path_factory.mktemp("whole") / ".journal"

    async def make() -> None:
        async with Journal.open(root) as journal:
            await journal.fork(await half_way(journal))
        async with Projections.open(root) as runs:
            assert await runs.verify() == []
            await runs.list()

    anyio.run(make)
    return root


@pytest.fixture
def case(whole: Path, tmp_path: Path) -> Case:
    """A copy of it, to be damaged."""
    shutil.copytree(whole, tmp_path / ".journal")
    return Case(tmp_path / ".journal")


def findings(case: Case) -> list[Finding]:
    """What verify says now."""

    async def look() -> list[Finding]:
        async with Projections.open(case.root) as runs:
            return await runs.verify()

    return anyio.run(look)


# Reasons in these modules that no finding has, and why.
NO_FINDING = {
    "json": "verify walks by the strict rules, which say more exactly what is wrong: rule",
    "no_such_run": "a run that nobody knows is not looked for",
    "upcast": "only where a class was given an upcaster that raises",
}


@pytest.mark.parametrize(
    ("reason", "damage"),
    [(reason, damage) for reason, made in DAMAGES.items() for damage in made],
    ids=[f"{reason} {n}" for reason, made in DAMAGES.items() for n, _ in enumerate(made)],
)
def test_each_damage_is_named_with_its_place_and_a_command_that_runs(
    case: Case, reason: str, damage: Callable[[Case], None]
) -> None:
    """Cases 20 to 36 and 80: whoever reads a finding knows where to look and what to type."""
    damage(case)
    found = findings(case)
    named = [each for each in found if each.reason == reason]
    assert named, found
    for each in found:
        place = (each.run_id, each.artifact_id, each.seq, each.offset, each.path)
        assert any(value is not None for value in place)
        assert each.message[-1] in ".:)", each.message
        assert parsed(each.next_action)
    ran = run(case, *shlex.split(named[0].next_action)[1:])
    assert ran.exit_code != 2, ran.output
    assert ran.exception is None or isinstance(ran.exception, SystemExit)


def run(case: Case, *arguments: str) -> Any:
    """The command, on the damaged store."""
    return CliRunner().invoke(app, ["--store", str(case.root), *arguments], prog_name="journal")


def parsed(command: str) -> bool:
    """Whether click takes the command as it stands, arguments and options included."""
    name, word, *rest = shlex.split(command)
    if command == "journal --version":
        return True
    found = app.get_command(click.Context(app), word)
    assert (name, found is None) == ("journal", False)
    assert found is not None
    with found.make_context(word, rest) as made:
        return isinstance(made, click.Context)


def test_in_the_terminal_and_as_json_a_finding_says_the_same(case: Case) -> None:
    """Code, place and next command, whoever reads them."""
    from io import StringIO

    from rich.console import Console

    from projections.cli import output
    from projections.cli.settings import Settings
    from projections.cli.verify import show_finding

    case.flip_line(4)
    orphan(case)
    ran = run(case, "verify")
    assert ran.exit_code == 1
    shown = StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Settings, "for_people", True)
        patch.setattr(output, "console", lambda: Console(file=shown, width=4000))
        for each in findings(case):
            show_finding(each, Settings())
    for each in map(json.loads, ran.stdout.splitlines()):
        assert each["code"] in shown.getvalue() or each["severity"] == "notice"
        for name in ("message", "run_id", "seq", "offset", "path", "next_action"):
            if each[name] is not None:
                action = each[name]
                if name == "next_action":
                    action = action.replace(f" --store {case.root}", "")
                assert str(action) in shown.getvalue()


def test_a_notice_alone_is_no_failure(case: Case) -> None:
    """Orphans take up space and hurt nobody: exit 0, and still somebody is told."""
    orphan(case)
    ran = run(case, "verify")
    assert ran.exit_code == 0
    assert json.loads(ran.stdout)["severity"] == "notice"


def test_every_reason_in_the_source_has_its_damage() -> None:
    """A finding that no test can make may be one that nobody gets, or one that nobody tested."""
    said = reasons(
        "projections/beside.py",
        "projections/findings.py",
        "projections/verify.py",
        "projections/inspect.py",
        "projections/logrules.py",
        "projections/replay.py",
        "journal/chain.py",
        "journal/past.py",
        "journal/recovery.py",
        "journal/backends/refusals.py",
        "journal/backends/oddities.py",
    )
    assert said - set(DAMAGES) - set(NO_FINDING) == set()


def reasons(*modules: str) -> set[str]:
    """Constants that become a ``reason``: by keyword, or as what the modules' own makers take."""
    found: set[str] = set()
    places = {"_error": 2, "_breach": 0, "Breach": 0, "Oddity": 0}
    for module in modules:
        for node in ast.walk(ast.parse((ROOT / module).read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            given = [keyword.value for keyword in node.keywords if keyword.arg == "reason"]
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            given += node.args[places[name] : places[name] + 1] if name in places else []
            for value in given:
                found |= {
                    each.value
                    for each in ast.walk(value)
                    if isinstance(each, ast.Constant) and isinstance(each.value, str)
                }
    return found - {"artifact_"}

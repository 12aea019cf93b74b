"""The group and its helps: complete, told once, and free until a command is invoked."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from projections.cli.app import COMMANDS, app
from tests.rules.sources import ROOT

PAGE = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
SECTION = re.compile(r"^## `journal ([a-z]+)`$(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
OPTION = re.compile(r"^\| ((?:`-[^`]*`(?:, )?)+) \|", re.MULTILINE)
# What `journal --help` may not load: each of these alone costs a large part of 120 ms.
HEAVY = {"anyio", "asyncio", "filelock", "journal.errors", "msgspec", "pydantic", "rich", "sqlite3"}

every_command = pytest.mark.parametrize("name", COMMANDS)


def command(name: str) -> click.Command:
    found = app.get_command(click.Context(app), name)
    assert found is not None
    return found


def own_options(found: click.Command) -> set[str]:
    """The names of a command's options, but for those that every command has."""
    options = [each for each in found.params if isinstance(each, click.Option)]
    return {name for each in options for name in each.opts} - {"--store", "--json", "--version"}


def loaded_by(*arguments: str) -> set[str]:
    program = (
        "import sys\nsys.argv[1:] = " + repr(list(arguments)) + "\n"
        "from projections.cli import main\n"
        "try:\n    main()\nfinally:\n    print(*sys.modules, file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return set(ran.stderr.split())


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ()])
def test_help_loads_nothing_heavy(arguments: tuple[str, ...]) -> None:
    """A help that takes half a second is not asked for; 120 ms are promised."""
    loaded = loaded_by(*arguments) if arguments else loaded_by("--help")
    assert loaded & HEAVY == set()
    assert not any(name.startswith("projections.cli.run") for name in loaded)


@pytest.mark.parametrize("name", ["list", "show", "events"])
def test_the_help_of_a_command_loads_neither_rich_nor_sqlite(name: str) -> None:
    """What a command needs is loaded when it works, not when it explains itself."""
    assert loaded_by(name, "--help") & {"rich", "sqlite3", "pydantic"} == set()


@every_command
def test_the_list_of_commands_says_what_the_command_says(name: str) -> None:
    """The list is written by hand, so that it need not import the commands."""
    found = command(name)
    assert found.name == name
    assert (found.help or "").strip().partition("\n")[0] == COMMANDS[name][1]


@every_command
def test_every_command_takes_the_common_options(name: str) -> None:
    """INTERFACES: --store before or after the verb, --version everywhere."""
    names = {opt for each in command(name).params for opt in each.opts}
    assert {"--store", "--json", "--version"} <= names
    ran = CliRunner().invoke(app, [name, "--version"])
    assert (ran.exit_code, ran.stdout.split()[0]) == (0, "run-journal")


def test_every_command_has_a_section_and_every_section_a_command() -> None:
    """A command without a page is not found; a page without a command is a promise broken."""
    assert [name for name, _ in SECTION.findall(PAGE)] == list(COMMANDS)


@pytest.mark.parametrize(("name", "section"), SECTION.findall(PAGE))
def test_the_page_names_each_option_and_no_other(name: str, section: str) -> None:
    """Both ways, so that neither can move alone; the example is one that the program takes."""
    documented = {
        spelling.strip("` ").split()[0]
        for row in OPTION.findall(section)
        for spelling in row.split(", ")
    }
    assert documented == own_options(command(name))
    example = re.search(r"```sh\njournal (.*)\n```", section)
    assert example is not None
    verb, *arguments = shlex.split(example[1])
    assert verb == name
    command(name).make_context(name, arguments, resilient_parsing=False)


def test_a_verb_that_does_not_exist_is_usage_with_a_hint() -> None:
    """Exit 2, and the nearest name: most wrong verbs are typing errors."""
    ran = CliRunner().invoke(app, ["lsit"])
    assert ran.exit_code == 2
    assert "Did you mean 'list'?" in ran.stderr


def test_the_bare_command_explains_itself() -> None:
    """Nobody types `journal` to see an error alone."""
    ran = CliRunner().invoke(app, [])
    assert "Commands:" in ran.stdout + ran.stderr


def test_the_page_stands_beside_the_others() -> None:
    """The README and the errors page link to it by this name."""
    assert (Path(ROOT) / "docs/commands.md").is_file()

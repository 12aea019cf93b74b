"""The public names: pinned, sorted, real, and free until they are used."""

import ast
import importlib
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import pytest

import journal
import projections
from tests.rules.sources import ROOT, parse

# What people import. A name is added here when it is added there, and leaves with a major version.
PINNED = {
    "journal": {
        "ArtifactFormat",
        "ArtifactMetadata",
        "ArtifactRole",
        "Event",
        "Journal",
        "Phase",
        "Pipeline",
        "Receipt",
        "Record",
        "Retry",
        "Run",
        "SecretsGuard",
        "StorageBatchError",
        "StorageError",
        "StorageErrorCode",
        "StorageErrorDetails",
        "StorageErrorInfo",
        "UnknownEvent",
        "Usage",
        "new_run_id",
        "parse_run_id",
    },
    "projections": {
        "Projection",
        "Projections",
        "RunIndexRecord",
        "RunState",
    },
}
HEAVY = {"click", "filelock", "msgspec", "pydantic", "rich", "sqlite3", "stamina"}

both = pytest.mark.parametrize("door", [journal, projections], ids=lambda door: door.__name__)


def imports_for_type_checkers(door: ModuleType) -> dict[str, str]:
    """Return name -> module as the TYPE_CHECKING block of a front door says it."""
    assert door.__file__
    tree = parse("door.py", Path(door.__file__).read_text(encoding="utf-8")).tree
    blocks = [
        n for n in tree.body if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"
    ]
    assert len(blocks) == 1
    return {
        alias.name: node.module or ""
        for node in blocks[0].body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


@both
def test_the_public_names_are_pinned(door: ModuleType) -> None:
    """A name that appears or goes by accident breaks someone's import."""
    assert set(door.__all__) == PINNED[door.__name__]
    assert door.__all__ == sorted(door.__all__)


@both
def test_type_checkers_and_the_interpreter_are_told_the_same(door: ModuleType) -> None:
    """The table serves the interpreter, the TYPE_CHECKING block mypy: they may not disagree."""
    assert imports_for_type_checkers(door) == door._HOMES
    assert set(door._HOMES) == set(door.__all__)


@both
def test_every_public_name_is_what_its_home_defines(door: ModuleType) -> None:
    """A name whose home does not have it would fail only when somebody first uses it."""
    checked = 0
    for name, home in door._HOMES.items():
        if not (ROOT / home.replace(".", "/")).with_suffix(".py").exists():
            continue
        assert getattr(door, name) is getattr(importlib.import_module(home), name)
        checked += 1
    assert checked or door is projections


@both
def test_no_public_name_is_also_a_module_of_the_package(door: ModuleType) -> None:
    """Importing the module would replace the name: what one gets would depend on who came first."""
    assert door.__file__
    neighbours = {path.stem for path in Path(door.__file__).parent.iterdir()}
    assert neighbours.isdisjoint(door.__all__)


@both
def test_a_name_that_is_not_there_is_an_attribute_error(door: ModuleType) -> None:
    """`hasattr` and `from journal import errors` rely on it."""
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        door.nonsense  # noqa: B018
    assert set(door.__all__) <= set(dir(door))


@both
def test_the_version_is_the_one_that_was_installed(door: ModuleType) -> None:
    """There is one place that says the version: pyproject.toml."""
    assert door.__version__ == version("run-journal")


@both
def test_importing_a_front_door_imports_nothing_heavy(door: ModuleType) -> None:
    """`journal --help` starts in 120 ms only while an import loads no more than it needs."""
    program = f"import sys, {door.__name__}; print(*sorted(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert {name.partition(".")[0] for name in loaded} & HEAVY == set()

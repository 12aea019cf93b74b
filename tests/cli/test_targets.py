"""What `journal run` runs: files, modules, packages, and what is refused before a run exists."""

import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from projections.cli import targets
from tests.cli.support import Command

ONE = """
from __future__ import annotations
from journal import Pipeline
from pydantic import BaseModel
from helper import NAME

class Row(BaseModel):
    text: str
    next: Row | None = None

pipeline = Pipeline(NAME)

@pipeline.phase()
async def make() -> Row:
    return Row(text="x", next=Row(text="y"))
"""


@pytest.fixture(autouse=True)
def own_modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test imports is forgotten after it."""
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in set(sys.modules) - before:
        if not name.startswith(("journal.", "projections.", "pydantic")):
            del sys.modules[name]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "helper.py").write_text("NAME = 'helped'\n")
    return tmp_path


def load(text: str, folder: Path) -> tuple[str, str]:
    """Load a target; gives the pipeline's name in its module, and its project."""
    name, pipeline = targets.load(targets.parse(text), [folder])
    return name, pipeline.project


@pytest.mark.parametrize("file", ["one.py", "queue.py", "my-pipeline.py", "sub/one.py"])
def test_a_file_is_imported_as_python_would(folder: Path, file: str) -> None:
    """Its folder comes first on the path, its models find each other, its name may be taken."""
    path = folder / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(ONE)
    (path.parent / "helper.py").write_text("NAME = 'helped'\n")
    assert load(file, folder) == ("pipeline", "helped")
    assert load(f"{path}:pipeline", folder) == ("pipeline", "helped")


def test_a_file_in_a_package_is_a_module_of_it(folder: Path) -> None:
    """Its relative imports work, and it is not loaded twice under two names."""
    package = folder / "house" / "rooms"
    package.mkdir(parents=True)
    (folder / "house" / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "names.py").write_text("NAME = 'roomy'\n")
    (package / "one.py").write_text(ONE.replace("from helper", "from .names"))
    assert load("house/rooms/one.py", folder) == ("pipeline", "roomy")
    assert "house.rooms.one" in sys.modules


def test_a_module_is_found_from_the_current_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `python -m` does."""
    monkeypatch.chdir(folder)
    (folder / "one.py").write_text(ONE)
    assert load("one:pipeline", folder) == ("pipeline", "helped")
    assert load("one", folder) == ("pipeline", "helped")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no target"),
        (":pipeline", "no target"),
        ("one.py:", "no target"),
        ("one.py:a.b", "no target"),
        ("missing.py", "no file"),
        ("missing:pipeline", "no module 'missing'"),
        ("one.missing:pipeline", "no module"),
        ("not a module", "neither a file nor"),
        ("one.py:other", "is not there; there is pipeline"),
        ("one.py:Row", "is no Pipeline"),
        ("two.py", "say which pipeline"),
        ("helper.py", "no Pipeline in it"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(folder: Path, text: str, said: str) -> None:
    """Exit 2 and a way on; nothing was recorded."""
    (folder / "one.py").write_text(ONE)
    (folder / "two.py").write_text(ONE + "another = Pipeline('other')\n")
    sys.path.insert(0, str(folder))
    with pytest.raises(click.BadParameter, match=said):
        load(text, folder)


@pytest.mark.parametrize("code", ["1 / 0", "import nowhere.to_be_found", "def broken(:"])
def test_a_target_that_raises_shows_its_own_lines(journal: Command, code: str) -> None:
    """Exit 1 with the traceback of that file, without ours; and no run."""
    (journal.folder / "bad.py").write_text(f"{code}\n")
    ran = journal("run", "bad.py")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "bad.py" in ran.stderr
    assert "targets.py" not in ran.stderr
    assert "importlib" not in ran.stderr
    assert not (journal.folder / ".journal").exists()


def test_a_target_is_recorded_so_that_it_is_found_again(folder: Path) -> None:
    """Relative to the folder of the store where it lies below that, else whole."""
    store = str(folder / "work" / ".journal")
    inside = targets.parse(str(folder / "work" / "sub" / "one.py"))
    assert targets.recorded(inside, "p", store) == "sub/one.py:p"
    outside = targets.parse(str(folder / "one.py"))
    assert targets.recorded(outside, "p", store) == f"{folder}/one.py:p"
    assert targets.recorded(targets.parse("a.b:p"), "p", store) == "a.b:p"

"""
What ``journal run`` runs: ``path.py:name`` or ``package.module:name``, found and imported.

A file is imported the way ``python FILE`` would: its folder first on ``sys.path``, under its own
name in ``sys.modules``, because pydantic looks there for the types that its models name. A file
inside a package is imported as a module of that package.

Written down, a file is relative to the folder that holds the store where it lies below it: so a
checkout that is moved with its store, or left for another folder, still resumes.

Below: nothing. Above: run.
"""

import importlib.util
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

import click

if TYPE_CHECKING:
    from journal.pipeline import Pipeline


class Target(NamedTuple):
    """A target as it was typed, cut in two: where the code is, and the pipeline's name in it."""

    place: str
    name: str | None

    @property
    def is_file(self) -> bool:
        """Whether the place is a path, not the name of a module."""
        return self.place.endswith(".py") or "/" in self.place or os.sep in self.place


class Broken(Exception):
    """The target's own code raised when it was imported; that exception is the cause."""


def parse(text: str) -> Target:
    """Cut a target in two. Raises ``click.BadParameter`` for what cannot be one."""
    place, colon, name = text.rpartition(":")
    if not colon:
        place, name = text, ""
    if not place or (colon and not name.isidentifier()):
        raise click.BadParameter(
            f"{text!r} is no target: wanted path.py:name or package.module:name."
        )
    return Target(place, name or None)


def load(target: Target, bases: Sequence[Path]) -> tuple[str, "Pipeline"]:
    """
    Import the pipeline; gives it and its name. A relative path is looked for in each of ``bases``.

    Raises ``click.BadParameter`` when it is not there, ``Broken`` when its own code raises.
    """
    module = _file(target, bases) if target.is_file else _module(target.place)
    return _pipeline_in(module, target)


def recorded(target: Target, name: str, store: str) -> str:
    """How a target is written down, so that ``resume`` finds it again."""
    if not target.is_file:
        return f"{target.place}:{name}"
    path = Path(target.place).absolute()
    home = home_of(store)
    if path.is_relative_to(home):
        return f"{path.relative_to(home).as_posix()}:{name}"
    return f"{path}:{name}"


def home_of(store: str) -> Path:
    """The folder that holds the store."""
    return Path(os.path.normpath(Path(store).absolute())).parent


def traceback_of(broken: Broken) -> str:
    """The target's own exception with its own frames: what its author needs, and nothing else."""
    told = traceback.TracebackException.from_exception(broken.__cause__ or broken)
    for each in (told, told.__cause__, told.__context__):
        if each is not None:
            each.stack[:] = [frame for frame in each.stack if not _is_machinery(frame.filename)]
    return "".join(told.format()).rstrip()


def _is_machinery(filename: str) -> bool:
    return filename == __file__ or "importlib" in filename


def _file(target: Target, bases: Sequence[Path]) -> ModuleType:
    places = [Path(os.path.normpath(base / target.place)) for base in bases]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise click.BadParameter(f"there is no file {str(places[0])!r}.")
    folder, name = path.parent, path.stem
    while (folder / "__init__.py").is_file():
        folder, name = folder.parent, f"{folder.name}.{name}"
    _put_first(str(folder))
    if "." in name:
        return _imported(name.removesuffix(".__init__"))
    return _imported_file(path, name)


def _imported_file(path: Path, name: str) -> ModuleType:
    """A file of its own. A name that is taken (``test.py``, ``queue.py``) is not taken again."""
    taken = sys.modules.get(name)
    if taken is not None or not name.isidentifier():
        if taken is not None and getattr(taken, "__file__", None) == str(path):
            return taken
        name = "journal_target_" + "".join(c if c.isalnum() else "_" for c in name)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise click.BadParameter(f"{str(path)!r} is no Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as failure:
        del sys.modules[name]
        raise Broken(str(path)) from failure
    return module


def _module(name: str) -> ModuleType:
    if not all(part.isidentifier() for part in name.split(".")):
        raise click.BadParameter(f"{name!r} is neither a file nor the name of a module.")
    _put_first(str(Path.cwd()))
    return _imported(name)


def _imported(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError as failure:
        if failure.name is not None and f"{name}.".startswith(f"{failure.name}."):
            raise click.BadParameter(f"there is no module {failure.name!r}.") from failure
        raise Broken(name) from failure
    except Exception as failure:
        raise Broken(name) from failure


def _put_first(folder: str) -> None:
    if folder not in sys.path:
        sys.path.insert(0, folder)


def _pipeline_in(module: ModuleType, target: Target) -> tuple[str, "Pipeline"]:
    from journal.pipeline import Pipeline

    found = {name: each for name, each in vars(module).items() if isinstance(each, Pipeline)}
    if target.name is not None:
        if target.name in found:
            return target.name, found[target.name]
        what = "is no Pipeline" if hasattr(module, target.name) else "is not there"
        raise click.BadParameter(f"{target.name!r} in {target.place!r} {what}; {_there_is(found)}.")
    if len({id(each) for each in found.values()}) != 1:
        raise click.BadParameter(f"say which pipeline of {target.place!r}; {_there_is(found)}.")
    return next(iter(found.items()))


def _there_is(found: "dict[str, Pipeline]") -> str:
    return f"there is {', '.join(sorted(found))}" if found else "there is no Pipeline in it"

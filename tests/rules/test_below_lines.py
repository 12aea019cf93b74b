"""What a module's docstring says stands below it is what the module imports."""

import ast
import re

import pytest

from tests.rules.sources import Module, imported_modules, modules, parse

_BELOW = re.compile(r"\bBelow: (.*?)(?:\.\s+Above:|\.\s+Next|\.?\s*\Z)", re.DOTALL)
_ASIDE = re.compile(r" *\([^)]*\)")
_SOURCES = modules("journal", "projections")
_KNOWN = {module.name for module in _SOURCES}


def listed(module: Module) -> list[str] | None:
    """Return the names of the docstring's ``Below:``, or ``None`` where it says "everything"."""
    said = _BELOW.search(ast.get_docstring(module.tree) or "")
    text = " ".join(_ASIDE.sub("", said[1]).split()) if said else "nothing"
    if text.startswith("everything"):
        return None
    return [] if text == "nothing" else re.split(r"[,;] ", text)


def resolved(module: Module, name: str) -> str | None:
    """Return the module or folder that a name means: beside this one, in its package, or whole."""
    folder = module.name.rpartition(".")[0]
    package = module.name.partition(".")[0]
    for home in (f"{folder}.", f"{package}.", ""):
        if f"{home}{name}" in _KNOWN and f"{home}{name}" != module.name:
            return f"{home}{name}"
    return None


def disagreements(module: Module) -> list[str]:
    """Say what is listed but not imported, and what is imported but not listed."""
    names = listed(module)
    if names is None:
        return []
    package = module.name.partition(".")[0]
    imported = {
        name for _, name in imported_modules(module) if name in _KNOWN and name != module.name
    }
    meant = {name: resolved(module, name) for name in names}
    invented = [
        f"{module.path}: lists {name}, which it does not import"
        for name, target in meant.items()
        if not any(_covers(target, each) for each in imported)
    ]
    left_out = [
        f"{module.path}: imports {each}, which it does not list"
        for each in sorted(imported)
        if each.startswith(f"{package}.")
        and not any(_covers(each, other) for other in _KNOWN - {each})  # a folder is no module
        and not any(_covers(target, each) for target in meant.values())
    ]
    return invented + left_out


def _covers(target: str | None, module: str) -> bool:
    return target is not None and f"{module}.".startswith(f"{target}.")


@pytest.mark.parametrize("module", _SOURCES, ids=lambda module: module.path)
def test_below_says_what_is_imported(module: Module) -> None:
    """A reader follows these lines; one that is stale leads into the wrong file."""
    if not module.path.endswith("__init__.py"):
        assert disagreements(module) == []


@pytest.mark.parametrize(
    ("below", "wrong"),
    [
        ("errors, limits", 0),
        ("nothing", 2),
        ("errors", 1),
        ("errors, limits, files", 1),
        ("errors, limits, the weather", 1),
        ("everything of the write side", 0),
    ],
)
def test_a_stale_line_is_seen(below: str, wrong: int) -> None:
    """The rule above would be worth nothing if it passed whatever it cannot read."""
    imports = "from journal import errors\nfrom journal.limits import FORMAT\n"
    text = f'"""\nA module.\n\nBelow: {below}. Above: chain.\n"""\n{imports}'
    assert len(disagreements(parse("journal/sneaky.py", text))) == wrong

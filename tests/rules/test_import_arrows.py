"""One arrow between the packages and layers inside each, wherever an import hides."""

import subprocess
import sys
import tomllib

import pytest

from tests.rules.sources import ROOT, Module, imported_modules, modules, parse


def read_side_imports(module: Module) -> list[str]:
    """Say where a module reaches for the read side."""
    return [
        module.at(node, f"imports {name}")
        for node, name in imported_modules(module)
        if name.split(".")[0] == "projections"
    ]


def test_the_write_side_never_imports_the_read_side() -> None:
    """A log must be written and checked by code that has no idea how it will be looked at."""
    found = [line for module in modules("journal") for line in read_side_imports(module)]
    assert found == []


@pytest.mark.parametrize(
    "hiding_place",
    [
        "import projections",
        "from projections.fold import fold",
        "def late():\n    from projections import Projections",
        "def late():\n    import projections.store as store",
        "from importlib import import_module\nimport_module('projections')",
        "HOMES = {'Projections': 'projections.store'}",
        "if TYPE_CHECKING:\n    from projections import RunState",
    ],
)
def test_the_arrow_is_seen_wherever_it_hides(hiding_place: str) -> None:
    """The rule above would be worth nothing if an import inside a function got past it."""
    assert read_side_imports(parse("journal/sneaky.py", hiding_place)) != []


def test_no_import_is_relative() -> None:
    """A reader, and the rule above, see from one line which layer an import reaches."""
    found = [
        module.at(node, "relative import")
        for module in modules("journal", "projections")
        for node, name in imported_modules(module)
        if getattr(node, "level", 0)
    ]
    assert found == []


def test_the_import_contracts_hold() -> None:
    """The layers of pyproject.toml are the map of the house; imports inside functions count."""
    checked = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command as lint; lint()",
            "--no-cache",
            "--no-logo",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "0 broken" in checked.stdout


def layered_modules() -> set[str]:
    """Return each module that the layer contracts of pyproject.toml name."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return {
        f"{container}.{name.strip(' ()')}"
        for contract in config["tool"]["importlinter"]["contracts"]
        for container in contract.get("containers", [])
        for layer in contract["layers"]
        for name in layer.replace("|", ":").split(":")
    }


def test_every_module_stands_in_a_layer() -> None:
    """A module that no contract names may import anything: give it a place in pyproject.toml."""
    layers = layered_modules()
    homeless = [
        module.path
        for module in modules("journal", "projections")
        if not module.path.endswith("__init__.py")
        and not any(f"{module.name}.".startswith(f"{layer}.") for layer in layers)
    ]
    assert homeless == []

"""Security, dependencies: few, pinned, licensed and whole; and bandit finds nothing."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import Distribution, distribution

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.rules.sources import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PINS: dict[str, str] = {
    canonicalize_name(pin.name): str(pin.specifier).removeprefix("==")
    for line in (ROOT / "tests/constraints.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
    for pin in [Requirement(line)]
}
DIRECT_MAX = 10


def needed(*names: str) -> dict[str, Distribution]:
    """Return all that these distributions need, transitively, as it is installed here."""
    found: dict[str, Distribution] = {}
    todo = [Requirement(name) for name in names]
    while todo:
        wanted = todo.pop()
        name = canonicalize_name(wanted.name)
        if name in found or (wanted.marker and not wanted.marker.evaluate({"extra": ""})):
            continue
        found[name] = distribution(wanted.name)
        todo += map(Requirement, found[name].requires or ())
    return found


RUNTIME = needed(*PROJECT["project"]["dependencies"])


def test_dependencies_are_few() -> None:
    """Security: each one is code that runs with the rights of the pipeline."""
    assert len(PROJECT["project"]["dependencies"]) < DIRECT_MAX
    assert len(RUNTIME) < 2 * DIRECT_MAX + 5


@pytest.mark.parametrize("name", sorted(RUNTIME))
def test_a_dependency_is_installed_as_it_is_pinned(name: str) -> None:
    """Security: what was tested is what runs; a dependency of a dependency is one, too."""
    assert PINS[name] == RUNTIME[name].version


@pytest.mark.parametrize("name", sorted(RUNTIME))
def test_a_dependency_has_a_licence(name: str) -> None:
    """Security: code without a licence may not be used, and nobody answers for it."""
    told = RUNTIME[name].metadata
    classifiers = told.get_all("Classifier") or []
    licences = [each for each in classifiers if each.startswith("License ::")]
    assert licences or told.get_all("License-Expression") or told.get_all("License")


def test_what_is_developed_with_is_pinned_as_well() -> None:
    """Security: a tool of the gate runs on the developer's machine."""
    tools = needed(*PROJECT["project"]["optional-dependencies"]["dev"])
    assert {n: d.version for n, d in tools.items() if PINS.get(n) != d.version} == {}


def test_nothing_names_an_index_or_an_address() -> None:
    """Security: where packages come from is the installer's own choice."""
    for path in ("pyproject.toml", "tests/constraints.txt", "Makefile", ".ci/run"):
        text = (ROOT / path).read_text(encoding="utf-8")
        assert not re.search(r"index-url|find-links|trusted-host|https?://|git\+", text), path


def test_bandit_finds_nothing() -> None:
    """Security: what it skips is looked at by tests beside this one."""
    command = [sys.executable, "-m", "bandit", "--quiet", "--configfile", "pyproject.toml"]
    ran = subprocess.run(
        [*command, "--recursive", "journal", "projections"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    assert PROJECT["tool"]["bandit"] == {"skips": ["B404", "B603", "B607", "B608"]}
    marks = [
        path.name
        for folder in ("journal", "projections")
        for path in (ROOT / folder).rglob("*.py")
        if "nosec" in path.read_text(encoding="utf-8")
    ]
    assert marks == []


def test_the_gate_looks_for_weaknesses() -> None:
    """Security: a check that nobody has to run is not run."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (gate,) = re.findall(r"^all: (.*)$", makefile, re.MULTILINE)
    assert "security" in gate.split()
    assert "audit" not in gate.split(), "it asks a service, and the gate runs without a network"
    assert "S" in PROJECT["tool"]["ruff"]["lint"]["select"]

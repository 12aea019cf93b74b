"""What pyproject.toml and the constraints promise to a machine that has neither of us."""

import re
import tomllib

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.rules.sources import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONSTRAINTS = (ROOT / "tests/constraints.txt").read_text(encoding="utf-8").splitlines()
PIN = re.compile(r"[A-Za-z0-9_.-]+==[0-9A-Za-z.!+]+( ; python_version [<>=]+ \"[0-9.]+\")?")


def test_constraints_are_exact_versions_and_nothing_else() -> None:
    """Security, dependencies: an address or a path in there would tie all to one machine."""
    odd = [line for line in CONSTRAINTS if not line.startswith("#") and not PIN.fullmatch(line)]
    assert odd == []


def test_every_dependency_is_pinned_within_its_declared_range() -> None:
    """Security, dependencies: without a pin two gates would run on two different things."""
    pins = {
        canonicalize_name(pin.name): str(pin.specifier).removeprefix("==")
        for pin in (Requirement(line) for line in CONSTRAINTS if not line.startswith("#"))
    }
    declared = [
        *PROJECT["build-system"]["requires"],
        *PROJECT["project"]["dependencies"],
        *PROJECT["project"]["optional-dependencies"]["dev"],
    ]
    for requirement in map(Requirement, declared):
        assert requirement.specifier, f"{requirement} says no lower bound"
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)])


def test_both_packages_say_that_they_are_typed() -> None:
    """Without the marker a type checker ignores every annotation of the library."""
    for package in ("journal", "projections"):
        assert (ROOT / package / "py.typed").read_bytes() == b""

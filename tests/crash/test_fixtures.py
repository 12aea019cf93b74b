"""States that showed a bug once, made again from their names in every test run."""

from pathlib import Path

import pytest

from tests.crash import world
from tests.crash.mutants import MUTANTS, planted
from tests.crash.states import violations

FIXTURES = Path(__file__).parent / "fixtures"
FOUND = [
    line for line in (FIXTURES / "found.txt").read_text().split("\n") if line and line[0] != "#"
]
SEEDED = [line.split(" ") for line in (FIXTURES / "mutants.txt").read_text().split("\n") if line]


@pytest.mark.parametrize("state", FOUND + [state for _, state in SEEDED])
def test_a_state_that_once_showed_a_bug_is_sound(state: str) -> None:
    """A failing state is kept; its name holds all that it takes to see it again."""
    with world.simulated():
        assert violations(state) == []


@pytest.mark.parametrize(("mutant", "state"), SEEDED)
def test_a_state_that_showed_a_seeded_bug_still_shows_it(mutant: str, state: str) -> None:
    """So the state is the one that was meant (else: python -m tests.crash.hunting)."""
    with world.simulated(), planted(MUTANTS[mutant]):
        assert violations(state)


def test_every_seeded_bug_has_its_state() -> None:
    """A new bug comes with a state that shows it."""
    assert {mutant for mutant, _ in SEEDED} == set(MUTANTS)

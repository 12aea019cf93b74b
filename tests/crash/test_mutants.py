"""The test of the tests: each seeded bug must be seen by the campaign that guards against it."""

import pytest

from tests.crash import world
from tests.crash.hunting import caught, sound
from tests.crash.mutants import MUTANTS


@pytest.mark.parametrize("name", MUTANTS)
def test_a_seeded_bug_is_caught(name: str) -> None:
    """A campaign that misses a bug which was put there would miss one that was not."""
    with world.simulated():
        assert caught(MUTANTS[name])


@pytest.mark.parametrize("name", MUTANTS)
def test_without_the_bug_the_same_campaign_finds_nothing(name: str) -> None:
    """What is caught is the bug, not the way of looking."""
    with world.simulated():
        assert sound(MUTANTS[name]) == []

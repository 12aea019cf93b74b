"""
Power losses and kills, everywhere: every life in ``scripts.py``, ended after every operation.

``make torture`` does the same with every byte and far more second lives.
"""

import pytest

from tests.crash import world
from tests.crash.campaign import Campaign, Count, Plan
from tests.crash.scripts import SCRIPTS

STATES = 100_000
"""At least so many distinct states are opened in every test run."""

SHARE = 10_100
"""Of one script; the scripts have more states than that."""

PLAN = Plan(step=24, second=20, second_step=48, states_max=SHARE)
FAULTS = Plan(step=128, second_step=256, second=1000, faulted=2, fault_every=47)


def run(kind: str, script: str, plan: Plan) -> Count:
    with world.simulated():
        campaign = Campaign(plan)
        getattr(campaign, kind)(script)
    return campaign.count


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_crash_after_any_operation_loses_nothing(script: str) -> None:
    """
    Cases 1, 2, 3, 4, 5, 7, 9, 11 and 18: power loss and kill, also in the recovery from one.

    Acknowledged ⊆ recovered ⊆ submitted, opened twice the same, and nothing shown is gone.
    """
    count = run("crashes", script, PLAN)
    assert count.violations == []
    assert count.states >= SHARE


def test_the_states_of_a_test_run_add_up() -> None:
    """A share that is made smaller must be noticed."""
    assert SHARE * len(SCRIPTS) >= STATES


@pytest.mark.parametrize("script", SCRIPTS)
def test_an_error_at_any_operation_loses_nothing(script: str) -> None:
    """
    Cases 10, 11, 12, 13 and 15: EIO, ENOSPC and short writes, then a crash or another opening.

    Each error happens once, or from there on for good.
    """
    count = run("faults", script, FAULTS)
    assert count.violations == []
    assert count.faults >= 8
    assert count.states > 250


@pytest.mark.parametrize("script", ["append", "reopen"])
def test_damage_in_what_was_acknowledged_is_refused_after_any_kill(script: str) -> None:
    """Cases 11 and 22: the watermark tells damage from a torn tail, whenever the kill came."""
    count = run("flips", script, Plan(step=8))
    assert count.violations == []
    assert count.faults > 250

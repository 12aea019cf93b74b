"""
Campaigns that look for one seeded bug, and end at the first sign of it.

``python -m tests.crash.hunting > tests/crash/fixtures/mutants.txt`` keeps those signs.
"""

import sys

from tests.crash import world
from tests.crash.campaign import Campaign, Count, Plan
from tests.crash.mutants import MUTANTS, Mutant, planted

PLAN = Plan(step=64, second=20, second_step=128, faulted=6)


def caught(mutant: Mutant) -> tuple[str, str] | None:
    """The first state that shows the bug, and what is wrong with it."""
    with planted(mutant):
        found = _hunt(mutant).violations
    return found[0] if found else None


def sound(mutant: Mutant) -> list[tuple[str, str]]:
    """What the same campaign says about the library as it is, up to where it saw the bug."""
    with planted(mutant):
        seen = _hunt(mutant)
    return _hunt(mutant, states_max=seen.states + seen.faults + 1).violations


def _hunt(mutant: Mutant, states_max: int | None = None) -> Count:
    plan = Plan(
        step=PLAN.step,
        second=1_000_000 if mutant.faults else PLAN.second,
        second_step=PLAN.second_step,
        faulted=PLAN.faulted,
        states_max=states_max,
    )
    campaign = Campaign(plan, stop_at_first=True)
    for script in mutant.crashes:
        campaign.crashes(script)
    for script in mutant.faults:
        campaign.faults(script, mutant.failing)
    for script in mutant.flips:
        campaign.flips(script)
    return campaign.count


def main() -> None:
    """Print the fixtures: for each seeded bug a state that shows it."""
    for name, mutant in MUTANTS.items():
        with world.simulated():
            found = caught(mutant)
        sys.stdout.write(f"{name} {found[0] if found else ''}\n")


if __name__ == "__main__":
    main()

"""
The long campaign on the simulated disk: every byte, every script, then random ones without end.

Work is cut into units that know nothing of each other; a seed gives the same units in the same
order. Each process keeps two units' worth at most of what it has seen, so memory stays bounded.
"""

import itertools
import multiprocessing
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

from tests.crash import world
from tests.crash.campaign import Campaign, Count, Plan
from tests.crash.hunting import caught
from tests.crash.mutants import MUTANTS
from tests.crash.scripts import SCRIPTS
from tests.torture.tally import Tally

UNIT_STATES = 20_000
"""Of one unit at most: some ten seconds."""

PARTS = 4
"""So many units share the moments of a written script, and the errors in it."""

NONE = 1_000_000_000
"""After one of so many disks another life begins: after none."""


class Unit(NamedTuple):
    """A part of the campaign: what is done with which script, and how much of it."""

    kind: str
    script: str
    plan: Plan


def units(seed: int) -> Iterator[Unit]:
    """First all there is of the written scripts, then random scripts, without end."""
    for script in SCRIPTS:
        for part in range(PARTS):
            yield Unit("crashes", script, Plan(step=1, second=NONE, seed=seed, part=(part, PARTS)))
        yield Unit("flips", script, Plan(step=1, seed=seed))
    for script in SCRIPTS:
        for part in range(PARTS):
            plan = Plan(step=16, second_step=96, second=400, seed=seed, part=(part, PARTS))
            yield Unit("faults", script, plan)
        second = Plan(step=24, second=20, second_step=24, seed=seed, states_max=UNIT_STATES)
        yield Unit("crashes", script, second)
    for number in itertools.count(seed * 100_000):
        plan = Plan(step=16, second=50, second_step=24, seed=number, states_max=UNIT_STATES)
        yield Unit("crashes", f"random{number}", plan)
        if number % 4 == 0:
            plan = Plan(step=128, second_step=256, faulted=6, fault_every=5, seed=number)
            yield Unit("faults", f"random{number}", plan)


def work(unit: Unit) -> Count:
    """Do one unit, in a process of its own."""
    with world.simulated():
        campaign = Campaign(unit.plan)
        getattr(campaign, unit.kind)(unit.script)
    return campaign.count


def mutants() -> Tally:
    """Plant each seeded bug, and look whether the campaign catches it."""
    tally = Tally()
    for name, mutant in MUTANTS.items():
        with world.simulated():
            found = caught(mutant)
        tally.mutants += 1
        if found is None:
            tally.violations.append(f"the seeded bug {name} is not caught: {mutant.why}")
        else:
            tally.mutants_caught += 1
    return tally


def run(*, seconds: float, states: int, seed: int, jobs: int = 2) -> Tally:
    """
    Look at ``states`` states at least, or as many as there is time for.

    What was written by hand comes first. Says on stderr how far it is.
    """
    began_s = time.monotonic()
    tally, images = Tally(), 0
    queue = units(seed)
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        going = [pool.apply_async(work, (next(queue),)) for _ in range(jobs + 1)]
        told_s = began_s
        while going:
            ready = [each for each in going if each.ready()]
            going = [each for each in going if each not in ready]
            for each in ready:
                count = each.get()
                images += count.images
                tally += _tallied(count)
            passed_s = time.monotonic() - began_s
            if tally.crash_states < states and passed_s < seconds:
                going += [pool.apply_async(work, (next(queue),)) for _ in ready]
            if time.monotonic() - told_s >= 10 or not going:
                told_s = time.monotonic()
                _say(tally, images, passed_s)
            if not ready:
                time.sleep(0.05)
    if tally.crash_states < states:
        what = f"{states - tally.crash_states} of {states} crash states: no time for them"
        tally.not_run.append(f"simulated disk: {what} in {seconds:.0f} s")
    return tally


def _tallied(count: Count) -> Tally:
    return Tally(
        crash_states=count.states,
        faults=count.faults,
        violations=[f"{name}: {what}" for name, what in count.violations],
    )


def _say(tally: Tally, images: int, passed_s: float) -> None:
    sys.stderr.write(
        f"simulated disk: {tally.crash_states:,} states ({images:,} different disks), "
        f"{tally.faults:,} faults, {len(tally.violations)} violations, {passed_s:.0f} s\n"
    )

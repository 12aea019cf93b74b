"""
All drills by name: what each needs of the machine, and how heavy it is.

``python -m tests.real.drills NAME [--seed N] [--seconds S] [--small] [--only FAULT …]`` runs one in
this process and prints its tally as JSON; ``campaign.py`` starts these, so that a drill that mounts
has mounts of its own.
"""

import argparse
import sys
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from tests.real.bounds import bound_rounds
from tests.real.full import fill_rounds
from tests.real.injecting import SCENARIOS, inject
from tests.real.killed import kill_rounds, power_rounds
from tests.real.places import place_rounds
from tests.real.terms import Terms
from tests.torture.tally import Tally


class Drill(NamedTuple):
    """``needs`` of the machine; ``weight``: about the seconds that it takes of one quiet core."""

    run: Callable[[Terms], Tally]
    needs: tuple[str, ...]
    weight: float


def _killing(terms: Terms) -> Tally:
    return kill_rounds(terms, runs=8 if terms.small else 64, rounds=1 if terms.small else 5)


def _losing_power(kind: str) -> Callable[[Terms], Tally]:
    def run(terms: Terms) -> Tally:
        runs, rounds = (4, 1) if terms.small else (16, 12)
        return power_rounds(terms, kind, runs=runs, rounds=rounds)

    return run


_WEIGHTS = {
    "creating": 13,
    "cutting-back": 7,
    "publishing": 10,
    "recovering": 8,
    "repairing": 22,
    "deleting": 3,
    "rebuilding": 70,
    "catching-up": 23,
    "making-index": 42,
    "journaling": 18,
}

DRILLS: dict[str, Drill] = {
    **{name: Drill(inject, ("strace",), _WEIGHTS[name]) for name in SCENARIOS},
    "killing": Drill(_killing, (), 14),
    "losing-power": Drill(_losing_power("ext4"), ("loop", "mkfs.ext4"), 24),
    "losing-power-xfs": Drill(_losing_power("xfs"), ("loop", "mkfs.xfs"), 24),
    "filling": Drill(fill_rounds, ("mounts",), 2),
    "bounding": Drill(bound_rounds, ("linux",), 20),
    "refusing": Drill(place_rounds, ("root", "mounts"), 2),
}


def main() -> int:
    """Run one drill as the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m tests.real.drills")
    parser.add_argument("name", choices=DRILLS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--only", action="append", default=[])
    given = parser.parse_args()
    terms = Terms(given.name, given.seed, given.seconds, given.small, tuple(given.only))
    tally = DRILLS[given.name].run(terms)
    sys.stdout.write(msgspec.json.encode(tally).decode() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

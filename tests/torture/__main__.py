"""
``make torture``: everything that is too long for every test run; under ten minutes on two cores.

Prints what is wrong on stderr, one sentence each, and one line of JSON last: what was counted.
Ends with 1 if anything is wrong, or if a seeded bug was missed.
"""

import argparse
import sys
import time

import msgspec

from tests.crash import torture as simulated
from tests.real import campaign as real
from tests.torture.tally import Tally


def main() -> int:
    """Run the campaigns one after the other, and tell."""
    options = _options()
    began_s = time.monotonic()
    tally = simulated.mutants()
    _say(f"seeded bugs: {tally.mutants_caught} of {tally.mutants} caught")
    if not options.only_simulated:
        tally += real.run(budget_s=options.seconds * 3 / 8, seed=options.seed)
        _say(f"real faults: {tally.faults:,}, {time.monotonic() - began_s:.0f} s so far")
    tally += simulated.run(
        seconds=options.seconds - (time.monotonic() - began_s),
        states=options.states,
        seed=options.seed,
        jobs=options.jobs,
    )
    return tell(tally)


def tell(tally: Tally) -> int:
    """Print what was counted; gives the code to end with."""
    for violation in tally.violations:
        _say(violation)
    for what in tally.not_run:
        _say(f"not run: {what}")
    counted = msgspec.structs.asdict(tally)
    counted["violations"] = len(tally.violations)
    sys.stdout.write(msgspec.json.encode(counted).decode() + "\n")
    return 1 if tally.violations or tally.mutants_caught < tally.mutants else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--seconds", type=float, default=540.0, help="for all of it (default: 540)")
    parser.add_argument("--states", type=int, default=1_000_000, help="crash states to look at")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other random lives")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default: 2)")
    parser.add_argument(
        "--only-simulated", action="store_true", help="leave the faults on real disks out"
    )
    return parser.parse_args()


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())

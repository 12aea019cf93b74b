"""``python -m tests.real [DRILL …]``: the campaign of real faults alone, its tally as JSON."""

import argparse
import sys
import time

import msgspec

from tests.real import campaign
from tests.real.drills import DRILLS
from tests.torture.tally import Tally


def main() -> int:
    """Run what is named, or all; exit with 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.real")
    parser.add_argument("names", nargs="*", metavar="DRILL", help=", ".join(DRILLS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=150.0, help="for all of them together")
    parser.add_argument("--only", action="append", default=[], help="of one drill: KILL:write:7")
    given = parser.parse_args()
    unknown = sorted(set(given.names) - set(DRILLS))
    if unknown:
        parser.error(f"no such drill: {', '.join(unknown)}")
    begun_s = time.monotonic()
    tally = Tally()
    if given.only:
        for name in given.names:
            tally += campaign.drill(name, seed=given.seed, only=tuple(given.only))
    else:
        tally = campaign.run(budget_s=given.seconds, seed=given.seed, names=tuple(given.names))
    sys.stderr.write(f"{time.monotonic() - begun_s:.0f} s\n")
    sys.stdout.write(msgspec.json.encode(tally).decode() + "\n")
    return 1 if tally.violations else 0


if __name__ == "__main__":
    sys.exit(main())

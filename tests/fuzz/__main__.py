"""
``python -m tests.fuzz``: a million hostile inputs, and one line of JSON about them.

Ends with 1 if anything but ``StorageError`` came out, or an invariant of a target broke. What
broke it is kept under ``tests/corpus/``. ``--coverage`` looks for inputs that reach new code, with
atheris where that is installed.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator

from tests.fuzz import campaign, guided
from tests.fuzz.targets import TARGETS


def main() -> int:
    """Read the arguments, run the campaign, print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--target", action="append", choices=list(TARGETS), default=[])
    parser.add_argument("--processes", type=int, default=min(os.cpu_count() or 1, 8))
    parser.add_argument("--portion", type=int, help="only these many inputs of one seed, in here")
    parser.add_argument("--coverage", action="store_true", help="guided by atheris")
    parser.add_argument("--seconds", type=int, default=60, help="per target, with --coverage")
    given = parser.parse_args()
    if given.coverage:
        return guided.all_of(given.target or list(TARGETS), given.seconds)
    outcomes: Iterator[campaign.Outcome]
    if given.portion is not None:
        todo = [campaign.Portion(name, given.seed, given.portion) for name in given.target]
        outcomes = (campaign.work(portion) for portion in todo)
    else:
        todo = campaign.portions(given.inputs, given.seed, given.target)
        outcomes = campaign.campaign(todo, given.processes)
    began, tried, violations = time.monotonic(), 0, dict[str, str]()
    for number, outcome in enumerate(outcomes, 1):
        tried += outcome.inputs
        violations = outcome.violations | violations
        rate = tried / (time.monotonic() - began)
        line = f"{number} of {len(todo)} portions, {tried:,} inputs, {rate:,.0f}/s, "
        print(f"{line}{len(violations)} violations", file=sys.stderr)
    names = given.target or list(TARGETS)
    print(json.dumps({"inputs": tried, "targets": names, "violations": list(violations.values())}))
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())

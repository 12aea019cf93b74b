"""
Everything that is flipped, cut, moved and swapped, without samples: ``python -m tests.bits``.

Prints a line for each part (how many damages, how many were not told as they should be), and at
the end one line of JSON. Ends with 1 if anything was missed. About four minutes on one core.
"""

import json
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bits import indexes, logs
from tests.bits.logs import Outcome
from tests.bits.story import Told, told

INDEX_BITS = 5_000
SEED = 2026


def say(text: str) -> None:
    """One line, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def parts(run: Told, other: Told, folder: Path) -> dict[str, Callable[[], Outcome]]:
    """What is done, by name."""
    return {
        "bits of a finished log": lambda: logs.flipped_bits(run, range(len(run.lines))),
        "of them through verify and replay": lambda: logs.flipped_under_verify(run, 5, SEED),
        "lengths of it": lambda: logs.cut_off(run, range(len(run.whole))),
        "lines doubled, gone, swapped": lambda: logs.moved(
            run, logs.moved_lines(run, 20_000, SEED)
        ),
        "lines, batches and rests of another run": lambda: logs.moved(
            run, logs.spliced_lines(run, other)
        ),
        "blocks of older content": lambda: Outcome.sum_of(
            logs.stale_blocks(run, size) for size in (64, 512, 4096)
        ),
        "bits of the index's file": lambda: _of_index(folder),
    }


def _of_index(folder: Path) -> Outcome:
    outcomes, violations = indexes.flipped_bits(folder, INDEX_BITS, SEED)
    for what, count in sorted(outcomes.items()):
        say(f"  {what:>18}: {count:,}")
    return Outcome(INDEX_BITS, violations)


def main() -> int:
    """Do it all."""
    logging.disable()  # each index that gives way to a new one is news, elsewhere
    found: dict[str, Outcome] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run, other = told(folder / "store")
        say(f"a log of {len(run.lines)} lines, {len(run.whole):,} bytes")
        for what, work in parts(run, other, folder).items():
            began = time.monotonic()
            outcome = found[what] = work()
            took_s = time.monotonic() - began
            say(f"{what}: {outcome.tried:,} tried, {len(outcome.missed)} missed ({took_s:.0f} s)")
            for each in outcome.missed[:20]:
                say(f"  {each}")
    missed = sum(len(each.missed) for each in found.values())
    say(json.dumps({"tried": {what: each.tried for what, each in found.items()}, "missed": missed}))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

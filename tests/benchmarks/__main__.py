"""
Run the benchmarks: `make bench`, or `python -m tests.benchmarks --only P1,P5`.

Prints a table, writes build/bench.json, and with `--write-page` the figures of docs/performance.md.
"""

import argparse
import tempfile
from pathlib import Path

from tests.benchmarks import machine, report
from tests.benchmarks.measures import MEASURES
from tests.benchmarks.settings import Settings
from tests.benchmarks.timing import say

_ROOT = Path(__file__).resolve().parents[2]
_PAGE = _ROOT / "docs/performance.md"


def main() -> None:
    """Measure, show, keep. A missed target is said, not failed: this is no test."""
    given = _parser().parse_args()
    wanted = given.only.split(",") if given.only else list(MEASURES)
    if unknown := set(wanted) - set(MEASURES):
        _parser().error(f"no measure {', '.join(sorted(unknown))}; there are {', '.join(MEASURES)}")
    given.dir.mkdir(parents=True, exist_ok=True)
    about = machine.describe(given.dir)
    rows: list[report.Row] = []
    with tempfile.TemporaryDirectory(prefix="bench-", dir=given.dir) as folder:
        settings = Settings(Path(folder), given.repeats, given.seconds, given.runs, given.events)
        for name in wanted:
            say(f"{name} …")
            rows += MEASURES[name](settings)
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_bytes(report.as_json(rows))
    report.show(rows, about)
    if given.write_page:
        report.put_into_page(_PAGE, report.as_markdown(rows, about))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--only", help=f"some of {', '.join(MEASURES)}, with commas between")
    parser.add_argument("--dir", type=Path, default=_ROOT / "build", help="on the disk to measure")
    parser.add_argument("--repeats", type=int, default=5, help="rounds whose median counts")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of one timed part")
    parser.add_argument("--runs", type=int, default=10_000, help="runs in the store that is listed")
    parser.add_argument("--events", type=int, default=100_000, help="events that are replayed")
    parser.add_argument("--json", type=Path, default=_ROOT / "build/bench.json")
    parser.add_argument("--write-page", action="store_true", help="put it into docs/performance.md")
    return parser


if __name__ == "__main__":
    main()

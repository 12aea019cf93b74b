"""
Puts the figures of ``make torture`` into docs/reliability.md.

    make torture | tee build/torture.txt
    python -m tests.docs.torture_figures build/torture.txt

Reads the last line that the campaign printed, which is JSON, from a file or from stdin.
"""

import sys
from pathlib import Path

import msgspec

from tests.benchmarks import machine
from tests.rules.sources import ROOT
from tests.torture.tally import Tally

BEGIN, END = "<!-- torture: begin -->", "<!-- torture: end -->"
PAGE = ROOT / "docs/reliability.md"


class _Line(msgspec.Struct):
    """The last line of ``make torture``: of violations it says how many."""

    crash_states: int
    faults: int = 0
    mutants: int = 0
    mutants_caught: int = 0
    violations: int = 0
    not_run: list[str] = []


def told(text: str) -> Tally:
    """Read the last line of a campaign. Raises ``ValueError`` if it found violations."""
    line = msgspec.json.decode(text.strip().rpartition("\n")[2], type=_Line)
    if line.violations:
        raise ValueError(f"{line.violations} violations: figures of a failure are none")
    return Tally(
        crash_states=line.crash_states,
        faults=line.faults,
        mutants=line.mutants,
        mutants_caught=line.mutants_caught,
        not_run=line.not_run,
    )


def as_markdown(tally: Tally, where: str) -> str:
    """Return the figures as a table, and what the machine did not allow."""
    rows = (
        (
            "crash states: disks that lost power, opened again and held against the oracle",
            f"{tally.crash_states:,}",
        ),
        ("faults: errors and kills put into real operations", f"{tally.faults:,}"),
        (
            "seeded bugs, and how many of them were caught",
            f"{tally.mutants_caught} of {tally.mutants}",
        ),
        ("violations of the oracle", f"{len(tally.violations)}"),
    )
    table = [
        "| `make torture` | figure |",
        "|---|---|",
        *(f"| {what} | {said} |" for what, said in rows),
    ]
    left_out = "; ".join(tally.not_run) or "nothing"
    return "\n".join([where, "", *table, "", f"Not run on that machine: {left_out}.", ""])


def put_into_page(tally: Tally, page: Path = PAGE) -> None:
    """Replace the figures of the page. Raises ``ValueError`` where it has no place for them."""
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page.name} has no {BEGIN} … {END}")
    figures = as_markdown(tally, machine.describe(ROOT))
    page.write_text(f"{before}{BEGIN}\n{figures}{END}{after}", encoding="utf-8")


def main() -> None:
    """Read what a campaign printed, and rewrite the page."""
    put_into_page(told(Path(sys.argv[1]).read_text() if sys.argv[1:] else sys.stdin.read()))


if __name__ == "__main__":
    main()

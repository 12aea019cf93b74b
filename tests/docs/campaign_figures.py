"""
Puts the figures of the long campaigns into docs/reliability.md, each beside its command.

    make torture | tee build/torture.txt            (about ten minutes)
    python -m tests.bits | tee build/bits.txt       (about two)
    python -m tests.fuzz | tee build/fuzz.txt       (about four)
    python -m tests.docs.campaign_figures build/torture.txt build/bits.txt build/fuzz.txt

Of what a campaign printed the last line is read, which is JSON; by its keys it says which one it
was. Without files: from stdin. Figures of a campaign that found something wrong are none.
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from tests.benchmarks import machine
from tests.rules.sources import ROOT

PAGE = ROOT / "docs/reliability.md"

Rows = list[tuple[str, str]]


class Campaign(NamedTuple):
    """``key`` names its line among others, ``bad`` counts in it what must be none."""

    command: str
    key: str
    bad: str
    rows: Callable[[dict[str, Any]], Rows]


def _torture(line: dict[str, Any]) -> Rows:
    return [
        (
            "crash states: stores opened again after a kill or a power loss",
            f"{line['crash_states']:,}",
        ),
        ("faults: errors and kills that were put into operations", f"{line['faults']:,}"),
        ("seeded bugs that were caught", f"{line['mutants_caught']} of {line['mutants']}"),
        ("violations of the promise", f"{line['violations']}"),
        ("not run on that machine", "; ".join(line["not_run"]) or "nothing"),
    ]


def _bits(line: dict[str, Any]) -> Rows:
    tried = [(what, f"{count:,}") for what, count in line["tried"].items()]
    return [*tried, ("of all these not told as they should be", f"{line['missed']}")]


def _fuzz(line: dict[str, Any]) -> Rows:
    return [
        ("inputs made of hostile pieces", f"{line['inputs']:,}"),
        ("what they were given to", ", ".join(line["targets"])),
        ("anything but `StorageError`, or another promise broken", f"{len(line['violations'])}"),
    ]


CAMPAIGNS = {
    "torture": Campaign("make torture", "crash_states", "violations", _torture),
    "bits": Campaign("python -m tests.bits", "tried", "missed", _bits),
    "fuzz": Campaign("python -m tests.fuzz", "inputs", "violations", _fuzz),
}


def put_into_page(printed: str, page: Path = PAGE) -> str:
    """
    Put the figures of what a campaign printed into their place; gives the campaign's name.

    Raises ``ValueError`` where it found something wrong, is none that is known, or the page has no
    place for it.
    """
    line = msgspec.json.decode(printed.strip().rpartition("\n")[2], type=dict[str, Any])
    name = next((each for each in CAMPAIGNS if CAMPAIGNS[each].key in line), None)
    if name is None:
        raise ValueError(f"no campaign prints {sorted(line)}")
    campaign = CAMPAIGNS[name]
    if line[campaign.bad]:
        raise ValueError(f"{campaign.bad}: {line[campaign.bad]}; figures of a failure are none")
    table = [f"| `{campaign.command}` | |", "|---|---|"]
    table += [f"| {what} | {said} |" for what, said in campaign.rows(line)]
    where = machine.describe(ROOT).rpartition(", load")[0]
    _replace(page, name, ["", *table, "", f"On {where}.", ""])
    return name


def marks(name: str) -> tuple[str, str]:
    """Return the comments between which a campaign's figures stand."""
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"


def _replace(page: Path, name: str, lines: Sequence[str]) -> None:
    text = page.read_text(encoding="utf-8")
    begin, end = marks(name)
    before, found, rest = text.partition(begin)
    _, ended, after = rest.partition(end)
    if not found or not ended:
        raise ValueError(f"{page.name} has no {begin} … {end}")
    section = "\n".join([begin, *lines, end])
    page.write_text(before + section + after, encoding="utf-8")


def main() -> None:
    """Read what campaigns printed, and rewrite the page."""
    printed = [Path(name).read_text(encoding="utf-8") for name in sys.argv[1:]]
    for text in printed or [sys.stdin.read()]:
        sys.stdout.write(f"figures of {put_into_page(text)} rewritten\n")


if __name__ == "__main__":
    main()

"""
What was measured, as rows: a table for people, JSON for programs, a section of the page.

Figures are rounded to four digits: the fifth is noise.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from tests.benchmarks.timing import Figure, Rounds, Sample, median, ratio

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
OURS, RAW = "run-journal", "raw"

Figures = dict[str, float]


class Row(msgspec.Struct, kw_only=True, frozen=True):
    """
    One line of the table, under an id that stays.

    ``value`` is to reach ``target`` from the side that ``better`` names; without a target it is
    for orientation. ``beside`` holds what was measured in the same rounds, by who and which.
    """

    id: str
    what: str
    value: float
    target: float | None
    unit: str
    better: Literal["higher", "lower"]
    met: bool | None
    beside: dict[str, Figures]


def row(
    number: str,
    what: str,
    value: float,
    unit: str,
    beside: dict[str, Figures],
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    better: Literal["higher", "lower"] = "lower",
) -> Row:
    """A row that knows whether its target is met."""
    met = None
    if at_least is not None:
        better, met = "higher", value >= at_least
    elif at_most is not None:
        better, met = "lower", value <= at_most
    return Row(
        id=number,
        what=what,
        value=rounded(value),
        target=at_least if at_least is not None else at_most,
        unit=unit,
        better=better,
        met=met,
        beside={
            who: {name: rounded(each) for name, each in figures.items()}
            for who, figures in beside.items()
        },
    )


def rounded(value: float) -> float:
    """Four digits that count."""
    return float(f"{value:.4g}")


def rates(rounds: Rounds, rate: Figure, *, of_raw: Figure | None = None) -> dict[str, Figures]:
    """What to put beside a ratio of rates: each one's rate, latencies, and ratio to raw."""
    of_raw = of_raw or rate
    return {
        who: {
            "events_per_s": median(rounds, who, rate),
            "p50_us": median(rounds, who, lambda sample: sample.p50_us),
            "p99_us": median(rounds, who, lambda sample: sample.p99_us),
            "of_raw": ratio(rounds, who, RAW, of_raw),
        }
        for who in rounds
    }


def speed_p50(sample: Sample) -> float:
    """How fast the call in the middle was: the higher, the better."""
    return 1 / sample.p50_us


def as_json(rows: Sequence[Row]) -> bytes:
    """The rows as one list."""
    return msgspec.json.format(msgspec.json.encode(list(rows)), indent=2) + b"\n"


Cells = list[list[str]]


def as_markdown(rows: Sequence[Row], machine: str) -> str:
    """Two tables: the targets, and all that was measured beside them."""
    tables = ["\n".join(_markdown(table)) for table in (_targets(rows), _figures(rows))]
    return "\n\n".join([machine, *tables]) + "\n"


def show(rows: Sequence[Row], machine: str) -> None:
    """The same two tables on standard output."""
    from rich.console import Console
    from rich.table import Table

    console = Console(markup=False, highlight=False)
    console.print(machine)
    for title, *lines in (_targets(rows), _figures(rows)):
        table = Table()
        for name, each in zip(title, lines[0], strict=True):
            table.add_column(name, justify="right" if _is_number(each) else "left")
        for cells in lines:
            table.add_row(*cells)
        console.print(table)


def _targets(rows: Sequence[Row]) -> Cells:
    table = [["", "what", "value", "target", "met"]]
    for each in rows:
        sign = "≥" if each.better == "higher" else "≤"
        target = "–" if each.target is None else f"{sign} {each.target:g}"
        met = {True: "yes", False: "**no**", None: "–"}[each.met]
        table.append([each.id, each.what, f"{shown(each.value)} {each.unit}", target, met])
    return table


def _figures(rows: Sequence[Row]) -> Cells:
    beside = [(each.id, who, figures) for each in rows for who, figures in each.beside.items()]
    names = list(dict.fromkeys(name for _, _, figures in beside for name in figures))
    table = [["", "who", *(name.replace("_per_", "/").replace("_", " ") for name in names)]]
    for number, who, figures in beside:
        cells = (shown(figures[name]) if name in figures else "" for name in names)
        table.append([number, who, *cells])
    return table


def _markdown(table: Cells) -> list[str]:
    title, *lines = [f"| {' | '.join(cells)} |" for cells in table]
    return [title, "|---" * len(table[0]) + "|", *lines]


def _is_number(cell: str) -> bool:
    return cell[:1].isdigit()


def shown(value: float) -> str:
    """A number as people read it: thousands apart, no digits that do not count."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def put_into_page(page: Path, section: str) -> None:
    """Replace what stands between the two markers of a page. Raises ``ValueError`` without them."""
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page.name} has no {BEGIN} … {END}")
    page.write_text(f"{before}{BEGIN}\n{section}{END}{after}", encoding="utf-8")

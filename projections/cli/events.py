"""
``journal events``: the events of a run themselves, as they stand in the log or one per line.

In a pipe the log's own bytes go through unchanged, so ``sha256sum`` and ``cmp`` agree with the
file. Every line is checked along the chain before it is shown.

Below: settings, points, filters, output, render, exits, text, store. Above: app.
"""

import re
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

import click

from projections.cli import exits, output
from projections.cli.points import Point, as_point
from projections.cli.settings import Settings, common, pass_settings
from projections.cli.text import where

if TYPE_CHECKING:
    from journal.ids import RunId
    from journal.record import Record
    from projections.cli.filters import Filter
    from projections.store import Projections

Show = Callable[[bytes, "Record"], None]


def _pattern(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
    try:
        return None if value is None else re.compile(value)
    except re.error as failure:
        raise click.BadParameter(f"{value!r} is no regular expression: {failure}.") from failure


@click.command("events")
@click.argument("run", metavar="RUN")
@click.option("--from", "first", metavar="A", callback=as_point, help="From this point on.")
@click.option("--to", "last", metavar="B", callback=as_point, help="Up to this point, included.")
@click.option(
    "--type", "types", metavar="T", multiple=True, help="Only this event; phase_* works too."
)
@click.option("--phase", "phases", metavar="P", multiple=True, help="Only events of this phase.")
@click.option(
    "--grep",
    "pattern",
    metavar="RE",
    callback=_pattern,
    help="Only where message or data hold this regular expression.",
)
@click.option("--follow", is_flag=True, help="Go on with new events until the run rests.")
@click.option("--tail", metavar="N", type=click.IntRange(min=0), help="Only the last N of them.")
@common
@pass_settings
def events(
    settings: Settings,
    run: str,
    first: Point | None,
    last: Point | None,
    types: tuple[str, ...],
    phases: tuple[str, ...],
    pattern: re.Pattern[str] | None,
    follow: bool,
    tail: int | None,
) -> None:
    """
    Print the events of a run; follow them as they come.

    In a pipe: the log's own lines, byte for byte. A and B are numbers of events, times with their
    zone, or -N for N before the last. --type and --phase may be given more than once. --follow
    ends when the run ends or its writer is gone.
    """
    import anyio

    from projections.cli.filters import Filter, unknown_types

    wanted = Filter(first, last, types, phases, pattern)
    shown = anyio.run(_print, settings, run, wanted, follow, tail)
    strange = unknown_types(types)
    if not shown and strange:
        exits.say(f"No event is called {strange[0]!r}; docs/events.md has the names.")


async def _print(
    settings: Settings, name: str, wanted: "Filter", follow: bool, tail: int | None
) -> int:
    """Print what is wanted; gives how many lines that were."""
    from projections.store import Projections

    show = _for_people() if settings.for_people else _as_it_stands(follow)
    async with Projections.open(settings.store) as runs:
        run_id = await runs.resolve(name)
        head = await runs.head(run_id)
        wanted = wanted.at(head.seq)
        shown = 0
        after = wanted.after
        if tail is not None:
            last_ones: deque[tuple[bytes, Record]] = deque(maxlen=tail)
            async for found in _wanted(runs, run_id, wanted, after, head.seq):
                last_ones.append(found)
            after = head.seq
            for line, record in last_ones:
                show(line, record)
                shown += 1
        if follow or tail is None:
            until = None if follow else head.seq
            async for line, record in _wanted(runs, run_id, wanted, after, until):
                show(line, record)
                shown += 1
        output.flush()
    return shown


async def _wanted(
    runs: "Projections", run_id: "RunId", wanted: "Filter", after: int, until: int | None
) -> AsyncIterator[tuple[bytes, "Record"]]:
    """Lines behind ``after`` that pass; up to ``until``, or for as long as the run goes on."""
    async for line, record in runs.lines(run_id, after=after, until=until):
        if wanted.ends_before(record):
            return
        if wanted.passes(record):
            yield line, record


def _as_it_stands(at_once: bool) -> Show:
    def show(line: bytes, record: "Record") -> None:
        output.write(line)
        if at_once:
            output.flush()

    return show


def _for_people() -> Show:
    from rich.text import Text

    from projections.cli import render

    console = output.console()

    def show(line: bytes, record: "Record") -> None:
        text = Text()
        text.append(f"{record.seq:>6}  ", "dim")
        text.append(record.time.astimezone().strftime("%H:%M:%S.%f")[:-3] + "  ", "dim")
        text.append_text(render.level(record.level))
        text.append("  ")
        text.append_text(render.plain(f"{record.event:<18}  ", "bold"))
        if record.phase is not None:
            partition = getattr(record.data, "partition", None)
            text.append(f"{where(record.phase, partition)}  ", "cyan")
        console.print(render.hanging(text, render.plain(record.message), console), soft_wrap=True)

    return show


COMMANDS = {"events": events}

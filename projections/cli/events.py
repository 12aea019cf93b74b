"""
``journal events``: the events of a run themselves, as they stand in the log or one per line.

In a pipe the log's own bytes go through unchanged, so ``sha256sum`` and ``cmp`` agree with the
file. Every line is checked along the chain before it is shown.

Below: settings, points, filters, meter, output, render, exits, text, store. Above: app.
"""

import re
import warnings
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

import click

from projections.cli import exits, output
from projections.cli.points import Point, as_point
from projections.cli.settings import Settings, common, pass_settings
from projections.cli.text import clip, local, where

if TYPE_CHECKING:
    from journal.ids import RunId
    from journal.record import Record
    from projections.cli.filters import Filter
    from projections.store import Projections

Show = Callable[[bytes, "Record"], None]

_PATTERN_CHARS_SHOWN = 80
_TAIL_MAX = 2**31
"""No log that fits into memory has so many lines: more is all of them."""


def compiled(text: str) -> re.Pattern[str]:
    """A regular expression. Raises ``click.BadParameter`` for what is none that Python takes."""
    shown = clip(text, _PATTERN_CHARS_SHOWN)
    try:
        with warnings.catch_warnings():  # of spellings that a later Python reads otherwise
            warnings.simplefilter("ignore")
            return re.compile(text)
    except re.error as failure:
        raise click.BadParameter(f"{shown!r} is no regular expression: {failure}.") from failure
    except (RecursionError, OverflowError, MemoryError) as failure:
        raise click.BadParameter(f"{shown!r} is more than Python can compile.") from failure


def _pattern(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
    return None if value is None else compiled(value)


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
    from projections.cli.meter import catching_up
    from projections.store import Projections

    show = _for_people() if settings.for_people else _as_it_stands(follow)
    async with Projections.open(settings.store) as runs:
        with catching_up(runs):
            run_id = await runs.resolve(name)
        head = await runs.head(run_id)
        wanted = wanted.at(head.seq)
        if isinstance(wanted.first, int) and wanted.first > head.seq and not follow:
            raise _no_such_point(run_id, wanted.first, head.seq)
        shown = 0
        after = wanted.after
        if tail is not None:
            last_ones: deque[tuple[bytes, Record]] = deque(maxlen=min(tail, _TAIL_MAX))
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


def _no_such_point(run_id: str, seq: int, last_seq: int) -> Exception:
    """Nothing printed would say "no event is like that", of events that are not there yet."""
    from journal.errors import StorageErrorCode, storage_error

    return storage_error(
        StorageErrorCode.NOT_FOUND,
        f"run {run_id} has events 1 to {last_seq}; there is no event {seq} to begin with.",
        operation="events",
        run_id=run_id,
        reason="no_such_point",
        next_action=f"journal events {run_id} --tail 10",
    )


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
        output.write_line(line)
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
        text.append(local(record.time).strftime("%H:%M:%S.%f")[:-3] + "  ", "dim")
        text.append_text(render.level(record.level))
        text.append("  ")
        text.append_text(render.plain(f"{record.event:<18}  ", "bold"))
        if record.phase is not None:
            partition = getattr(record.data, "partition", None)
            text.append(f"{where(record.phase, partition)}  ", "cyan")
        console.print(render.hanging(text, render.plain(record.message), console), soft_wrap=True)

    return show


COMMANDS = {"events": events}

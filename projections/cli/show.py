"""
``journal show``: the state of a run, now or at an earlier moment.

Below: settings, points, output, render; the store. Above: app.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from projections.cli import exits, output
from projections.cli.points import Point, split_point
from projections.cli.settings import Settings, common, pass_settings
from projections.cli.text import ago, amount, duration, moment, size, visible

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from projections.run_models import PartitionState, RunState, UsageSum


@click.command("show")
@click.argument("run", metavar="RUN[@POINT]")
@common
@pass_settings
def show(settings: Settings, run: str) -> None:
    """
    Show the state of a run, now or at an earlier moment.

    RUN@412 is the state after event 412, RUN@-3 three events before the last, and
    RUN@2026-11-22T09:10:11Z after the last event stamped at or before then. Exits with 3 when
    there is no such run or no such moment.
    """
    import anyio

    name, point = split_point(run)
    state, gone = anyio.run(_find, settings.store, name, point)
    if settings.for_people:
        _show(state, gone, settings)
    else:
        output.write_json(state)


async def _find(store: str, name: str, point: Point | None) -> tuple["RunState", bool]:
    from projections.store import Projections

    async with Projections.open(store) as runs:
        run_id = await runs.resolve(name)
        state = await runs.state(run_id, at=point)
        return state, await runs.writer_gone(run_id)


def _show(state: "RunState", gone: bool, settings: Settings) -> None:
    from projections.cli import render

    console = output.console()
    console.print(render.facts(list(_header(state, gone))))
    if state.phases:
        console.print()
        console.print(_phases(state))
    console.print()
    console.print(render.facts(list(_totals(state))))
    if state.error is not None:
        console.print()
        console.print(render.plain(f"{state.error.type}: {state.error.message}", "bold red"))
        if state.error.traceback:
            console.print(render.plain(state.error.traceback.rstrip("\n"), "dim", keep="\n"))
    following = _next(state, gone)
    if following:
        exits.say(f"Next: {exits.next_command(following, settings)}")


def _header(state: "RunState", gone: bool) -> Iterator[tuple[str, "Text | str | None"]]:
    from projections.cli import render

    now = datetime.now(UTC)
    yield "run", state.run_id
    yield "project", state.project
    going_on = state.ended_at is None
    yield "status", render.status("writer gone" if gone and going_on else state.status)
    yield "reason", state.reason
    yield "created", f"{moment(state.created_at)} ({ago(state.created_at, now)})"
    yield "ended", None if going_on else moment(state.ended_at)
    yield "took", duration(state.duration_s) if state.duration_s is not None else None
    yield "event", f"{state.seq}, {moment(state.timestamp)}"
    yield "target", state.target
    yield "parameters", _parameters(state)
    if state.parent is not None:
        yield "parent", f"{state.parent.relation} of {state.parent.run_id}@{state.parent.seq}"
    if state.external_id is not None:
        yield "external id", state.external_id
    if state.writer is not None:
        writer = state.writer
        yield "writer", f"{writer.user}, process {writer.pid} on {writer.host}, {writer.library}"
    if not state.complete:
        yield "incomplete", f"this version does not know: {', '.join(state.unknown)}"


def _parameters(state: "RunState") -> str | None:
    """As `-p` would take them."""
    import json

    values = {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in state.parameters.items()
    }
    return ", ".join(f"{name}={value}" for name, value in values.items()) or None


def _phases(state: "RunState") -> "Table":
    from projections.cli import render

    table = render.table(
        [
            ("PHASE", "text"),
            ("STATUS", "word"),
            ("PROGRESS", "number"),
            ("TRY", "number"),
            ("TOOK", "number"),
            ("ARTIFACTS", "number"),
            ("", "text"),
        ]
    )
    for phase in state.phases:
        parts = phase.partitions
        if [each.partition for each in parts] != [None]:
            done = sum(each.status == "completed" for each in parts)
            table.add_row(
                render.plain(phase.name),
                render.status(phase.status),
                f"{done}/{len(parts)}" if parts else "",
                *[""] * 4,
            )
        for each in parts:
            label = phase.name if each.partition is None else f"  {each.partition}"
            table.add_row(
                visible(label),
                render.status(each.status),
                _progress(each),
                _try(each),
                duration(each.duration_s) if each.duration_s is not None else "",
                str(len(each.artifact_ids) or ""),
                render.plain(_remark(each)),
            )
    return table


def _progress(each: "PartitionState") -> str:
    progress = each.progress
    if progress is None:
        return ""
    total = "" if progress.total is None else f"/{amount(progress.total)}"
    unit = f" {progress.unit}" if progress.unit else ""
    return visible(f"{amount(progress.done)}{total}{unit}")


def _try(each: "PartitionState") -> str:
    """The attempt, and the revision where it is not the first."""
    newer = f"r{each.revision}." if each.revision > 1 else ""
    return f"{newer}{each.attempt}" if each.attempt else ""


def _remark(each: "PartitionState") -> str:
    if each.error is not None:
        return f"{each.error.type}: {each.error.message}"
    if each.missing:
        return f"missing: {', '.join(each.missing)}"
    if each.because is not None and each.status == "invalidated":
        return f"{each.because.phase} has revision {each.because.revision}"
    return each.reason or ""


def _totals(state: "RunState") -> Iterator[tuple[str, str | None]]:
    totals = state.totals
    yield "events", amount(totals.events)
    yield "artifacts", f"{amount(totals.artifacts)}, {size(totals.artifact_bytes)}"
    steps = totals.steps
    if steps.started:
        failed = f", {amount(steps.failed)} failed" if steps.failed else ""
        yield "steps", f"{amount(steps.completed)} of {amount(steps.started)} done{failed}"
    yield "usage", _usage(totals.usage)
    lines = totals.log_lines
    bad = [f"{n} {word}" for n, word in ((lines.warning, "warning"), (lines.error, "error")) if n]
    yield "log lines", f"{', '.join(bad)}" if bad else None
    yield "notes", amount(totals.annotations) if totals.annotations else None
    yield "torn tails", amount(totals.tails_set_aside) if totals.tails_set_aside else None


def _usage(usage: "UsageSum") -> str | None:
    parts = [
        f"{amount(value)} {word}"
        for value, word in (
            (usage.requests, "requests"),
            (usage.tokens_in, "tokens in"),
            (usage.tokens_out, "tokens out"),
        )
        if value
    ]
    if usage.cost_usd:
        parts.append(f"{usage.cost_usd:.4f} USD")
    return ", ".join(parts) or None


def _next(state: "RunState", gone: bool) -> str | None:
    """What people do with a run that stopped before it was done."""
    stopped = state.status in {"failed", "cancelled"} or (gone and state.ended_at is None)
    return f"journal resume {state.run_id}" if stopped and state.target else None


COMMANDS = {"show": show}

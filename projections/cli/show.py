"""
``journal show``: the state of a run, now or at an earlier moment.

Below: settings, points, meter, output, render, exits, text, run_models, store. Above: app.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import click

from projections.cli import exits, output
from projections.cli.points import Point, split_point
from projections.cli.settings import Settings, common, pass_settings
from projections.cli.text import ago, amount, duration, moment, size, visible, where

if TYPE_CHECKING:
    from rich.text import Text

    from journal.errors import StorageError
    from projections.cli.render import Sheet
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
    found = anyio.run(_find, settings.store, run, name, point)
    if settings.for_people:
        _show(found, settings)
    else:
        output.write_json(found.state)


class Found(NamedTuple):
    """A state, the number of the run's last event, and whether nobody will go on from the state."""

    state: "RunState"
    last_seq: int
    abandoned: bool


async def _find(store: str, typed: str, name: str, point: Point | None) -> Found:
    from journal.errors import StorageError
    from projections.cli.meter import catching_up
    from projections.store import Projections

    async with Projections.open(store) as runs:
        with catching_up(runs):
            run_id = await runs.resolve(name)
            try:
                state = await runs.state(run_id, at=point)
            except StorageError as failure:
                if failure.info.details.reason == "no_such_point":
                    raise _no_such_point(typed, (await runs.head(run_id)).seq, failure) from None
                raise
            gone = await runs.writer_gone(run_id)
            last_seq = max((await runs.head(run_id)).seq, state.seq)
    # An earlier moment was followed by others: whoever wrote then, died later, if at all.
    return Found(state, last_seq, gone and state.ended_at is None and state.seq == last_seq)


def _no_such_point(typed: str, last_seq: int, failure: "StorageError") -> "StorageError":
    """The same error in the words of who asked."""
    from journal.errors import storage_error

    details = failure.info.details.model_dump(exclude_none=True)
    return storage_error(
        failure.code,
        f"there is no moment {typed[-80:]!r}: run {details['run_id']} has events 1 to {last_seq}, "
        "and a time must not lie before the first.",
        **details,
    )


def _show(found: Found, settings: Settings) -> None:
    from projections.cli import render

    state = found.state
    console = output.console()
    console.print(render.facts(list(_header(found))))
    if state.phases:
        console.print()
        console.print(_phases(state, found.abandoned).fitted(console.width), soft_wrap=True)
        for line in _other_errors(state):
            console.print(render.plain(line, "red"))
    console.print()
    console.print(render.facts(list(_totals(state))))
    if state.error is not None:
        console.print()
        console.print(render.plain(f"{state.error.type}: {state.error.message}", "bold red"))
        if state.error.traceback:
            console.print(render.plain(state.error.traceback.rstrip("\n"), "dim", keep="\n"))
    following = _next(state, found.abandoned)
    if following:
        exits.say(f"Next: {exits.next_command(following, settings)}")


def _header(found: Found) -> Iterator[tuple[str, "Text | str | None"]]:
    from projections.cli import render

    state, now = found.state, datetime.now(UTC)
    yield "run", state.run_id
    yield "project", state.project
    going_on = state.ended_at is None
    yield "status", render.status("writer gone" if found.abandoned else state.status)
    yield "reason", state.reason
    yield "created", f"{moment(state.created_at)} ({ago(state.created_at, now)})"
    yield "ended", None if going_on else moment(state.ended_at)
    yield "took", duration(state.duration_s) if state.duration_s is not None else None
    yield "event", f"{state.seq} of {found.last_seq}, {moment(state.timestamp)}"
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


def _phases(state: "RunState", abandoned: bool) -> "Sheet":
    from projections.cli import render

    table = render.Sheet(
        [
            ("PHASE", "name"),
            ("STATUS", "word"),
            ("PROGRESS", "number"),
            ("ATTEMPT", "number"),
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
                phase.name,
                render.status(_standing(phase.status, abandoned)),
                f"{done}/{len(parts)}" if parts else "",
                *[""] * 4,
            )
        for each in parts:
            label = phase.name if each.partition is None else f"  {each.partition}"
            table.add_row(
                label,
                render.status(_standing(each.status, abandoned)),
                _progress(each),
                _attempt(each),
                duration(each.duration_s) if each.duration_s is not None else "",
                str(len(each.artifact_ids) or ""),
                _remark(each),
            )
    return table


def _standing(status: str, abandoned: bool) -> str:
    """How a phase stands; one that was running when its writer died runs no more."""
    return "interrupted" if abandoned and status == "running" else status


def _progress(each: "PartitionState") -> str:
    progress = each.progress
    if progress is None:
        return ""
    total = "" if progress.total is None else f"/{amount(progress.total)}"
    unit = f" {progress.unit}" if progress.unit else ""
    return visible(f"{amount(progress.done)}{total}{unit}")


def _attempt(each: "PartitionState") -> str:
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


def _other_errors(state: "RunState") -> list[str]:
    """Errors that the table may have cut, but for the one that stands on the page in full."""
    own = state.error and (state.error.type, state.error.message)
    return [
        f"{where(phase.name, each.partition)}: {_remark(each)}"
        for phase in state.phases
        for each in phase.partitions
        if each.error is not None and (each.error.type, each.error.message) != own
    ]


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


def _next(state: "RunState", abandoned: bool) -> str | None:
    """What people do with a run that stopped before it was done."""
    stopped = state.status in {"failed", "cancelled"} or abandoned
    return f"journal resume {state.run_id}" if stopped and state.target else None


COMMANDS = {"show": show}

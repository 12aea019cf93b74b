"""
``journal list``: the runs of a store, newest first.

Below: settings, points, meter, output, render, exits, text, run_index, store. Above: app.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from projections.cli import output
from projections.cli.points import as_since
from projections.cli.settings import Settings, common, pass_settings
from projections.cli.text import ago, clip, duration

if TYPE_CHECKING:
    from projections.run_index import RunIndexRecord

ERROR_CHARS = 100
"""How much of an error a list shows; `journal show` has all of it."""

STATUSES = ("pending", "running", "completed", "failed", "cancelled", "unreadable")


@click.command("list")
@click.option("--status", type=click.Choice(STATUSES), help="Only runs that stand like this.")
@click.option("--project", metavar="P", help="Only runs of this project.")
@click.option(
    "--since", metavar="T", callback=as_since, help="Only runs made since: a time, or 2h, 3d."
)
@click.option("-n", "limit", metavar="N", type=click.IntRange(min=1), help="At most N runs.")
@common
@pass_settings
def list_runs(
    settings: Settings,
    status: str | None,
    project: str | None,
    since: datetime | None,
    limit: int | None,
) -> None:
    """
    List the runs of the store, newest first.

    The first column is what the other commands take as RUN. "writer gone" is a run that nobody
    ended: its process died, and `journal resume` goes on with it. Exits with 0, also when there
    is no store yet.
    """
    import anyio

    found = anyio.run(_find, settings.store, status, project, since, limit)
    if settings.for_people:
        _show(found, settings, asked=bool(status or project or since))
        return
    for record in found:
        output.write_json(record)


async def _find(
    store: str, status: str | None, project: str | None, since: datetime | None, limit: int | None
) -> list["RunIndexRecord"]:
    from projections.cli.meter import catching_up
    from projections.store import Projections

    async with Projections.open(store) as runs:
        with catching_up(runs):
            return await runs.list(status=status, project=project, since=since, limit=limit)


def _show(found: list["RunIndexRecord"], settings: Settings, *, asked: bool) -> None:
    from projections.cli import render
    from projections.cli.exits import say

    if not found:
        say(
            f"No run in {settings.store} is like that."
            if asked
            else f"No runs in {settings.store}."
        )
        return
    now = datetime.now(UTC)
    table = render.Sheet(
        [
            ("RUN", "word"),
            ("PROJECT", "name"),
            ("STATUS", "word"),
            ("STARTED", "word"),
            ("TOOK", "number"),
            ("PHASES", "number"),
            ("ARTIFACTS", "number"),
            ("ERROR", "text"),
        ]
    )
    for record in found:
        table.add_row(
            record.run_id[-8:],
            render.plain(record.project),
            render.status(standing(record)),
            ago(record.created_at, now),
            duration(_took_s(record, now)),
            f"{record.phases_completed}/{record.phases_total}",
            str(record.artifacts),
            _error(record),
        )
    console = output.console()
    console.print(table.fitted(console.width), soft_wrap=True)


def standing(record: "RunIndexRecord") -> str:
    """How a run stands, in one or two words: a dead writer does not end its run."""
    return "writer gone" if record.writer_gone else record.status


def _took_s(record: "RunIndexRecord", now: datetime) -> float | None:
    """From start to end; so far, where it goes on."""
    if record.status == "running" and not record.writer_gone:
        return max((now - record.created_at).total_seconds(), 0)
    return record.duration_s


def _error(record: "RunIndexRecord") -> str:
    error = record.error
    return "" if error is None else clip(f"{error.type}: {error.message}", ERROR_CHARS)


COMMANDS = {"list": list_runs}

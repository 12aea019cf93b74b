"""
``journal delete``: runs with all their files.

Asks on a terminal; everywhere else nobody can answer, so ``--yes`` must be said beforehand.

Below: settings, exits, journal, store. Above: app.
"""

import sys
from typing import TYPE_CHECKING

import click

from projections.cli import exits
from projections.cli.settings import Settings, common, pass_settings

if TYPE_CHECKING:
    from journal.ids import RunId


@click.command("delete")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@common
@pass_settings
def delete(settings: Settings, runs: tuple[str, ...], yes: bool) -> None:
    """
    Delete runs with all their files.

    Nothing is deleted unless every RUN is found. A run that is being written is left alone, and
    the command exits with 4. There is no way back.
    """
    import anyio

    if not yes and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.UsageError("there is no terminal to ask on: say --yes to delete.")
    found = anyio.run(_resolve, settings.store, runs)
    if not yes:
        _ask(found)
    code = anyio.run(_delete, settings, found)
    if code:
        raise click.exceptions.Exit(code)


async def _resolve(store: str, names: tuple[str, ...]) -> list["RunId"]:
    from projections.store import Projections

    async with Projections.open(store) as runs:
        return list(dict.fromkeys([await runs.resolve(name) for name in names]))


def _ask(found: list["RunId"]) -> None:
    for run_id in found:
        exits.say(f"  {run_id}")
    what = "this run" if len(found) == 1 else f"these {len(found)} runs"
    if not click.confirm(f"Delete {what} with all files?", err=True):
        exits.say("Nothing was deleted.")
        raise click.exceptions.Exit(exits.FAILED)


async def _delete(settings: Settings, found: list["RunId"]) -> int:
    """Delete each; one that cannot be deleted does not keep the others. Gives the exit code."""
    from journal.errors import StorageError
    from journal.journal import Journal

    code = exits.SUCCESS
    async with Journal.open(settings.store, create=False) as journal:
        for run_id in found:
            try:
                await journal.delete(run_id)
            except StorageError as failure:
                exits.tell(failure, settings)
                code = code or exits.exit_of(failure)
            else:
                exits.note(f"Deleted {run_id}.", settings)
    return code


COMMANDS = {"delete": delete}

"""
``journal head``: seq and hash of the last event.

A log that was cut at the end of a line looks whole; only who knows where it ended can tell. This
line is what to keep elsewhere for that.

Below: settings, output, store. Above: app.
"""

from typing import TYPE_CHECKING

import click

from projections.cli import output
from projections.cli.settings import Settings, common, pass_settings

if TYPE_CHECKING:
    from journal.log import Head


@click.command("head")
@click.argument("run", metavar="RUN")
@common
@pass_settings
def head(settings: Settings, run: str) -> None:
    """
    Print seq and hash of the last event: what to pin elsewhere.

    One line, `SEQ HASH`. The hash covers every event before it.
    """
    import anyio

    run_id, found = anyio.run(_find, settings.store, run)
    if settings.json:
        import json

        pinned = {"run_id": run_id, "seq": found.seq, "hash": found.hash}
        output.write(json.dumps(pinned).encode() + b"\n")
    else:
        output.write(f"{found.seq} {found.hash}\n".encode())


async def _find(store: str, name: str) -> tuple[str, "Head"]:
    from projections.store import Projections

    async with Projections.open(store) as runs:
        run_id = await runs.resolve(name)
        return run_id, await runs.head(run_id)


COMMANDS = {"head": head}

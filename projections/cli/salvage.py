"""
``journal salvage``: a new run from all that verifies of a damaged one.

The damaged run is never touched; what could not be saved of it is said.

Below: settings, output, exits, text, journal, store. Above: app.
"""

import json
import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from projections.cli import exits, output
from projections.cli.settings import Settings, common, pass_settings
from projections.cli.text import count, size, visible, where

if TYPE_CHECKING:
    from journal.salvage import Salvaged


@click.command("salvage")
@click.argument("run", metavar="RUN")
@click.option("--into", metavar="DIR", help="Make the new run in this store, made where needed.")
@common
@pass_settings
def salvage(settings: Settings, run: str, into: str | None) -> None:
    """
    Make a new run from all that verifies of a damaged one.

    Every whole batch up to the first damaged line becomes the past of a new run, with the
    artifacts that are whole; `journal resume` goes on with it. The damaged run stays exactly as it
    is. Exits with 1 for a run that is not damaged or has nothing to salvage, and with 4 while
    another process writes it.
    """
    import anyio

    done = anyio.run(_salvage, settings.store, run, into)
    action = exits.next_command(_next(done), settings if into is None else Settings(into, into))
    if settings.for_people:
        output.write(f"{done.run_id}\n".encode())
        output.flush()
        for line in _sentences(done):
            exits.say(line)
        exits.say(f"  next: {action}")
    else:
        body = {**done.model_dump(mode="json"), "next_action": action}
        output.write(json.dumps(body).encode() + b"\n")


async def _salvage(store: str, name: str, into: str | None) -> "Salvaged":
    from journal.journal import Journal
    from projections.store import Projections

    async with Projections.open(store) as runs:
        run_id = await runs.resolve(name)
    async with Journal.open(store, create=False) as journal:
        if into is None:
            return await journal.salvage(run_id)
        async with Journal.open(into) as other:
            return await other.salvage(run_id, source=journal)


def _sentences(done: "Salvaged") -> Iterator[str]:
    yield (
        f"Run {done.run_id} goes on from event {done.seq} of run {done.parent}, with "
        f"{count(done.artifacts, 'artifact')}. Run {done.damaged} was not touched."
    )
    yield f"  damage: {visible(done.because)}"
    left = size(done.left_bytes) if done.left_bytes else "nothing"
    yield f"  left behind: {left}, from line {done.left_from_line} (byte {done.left_from_byte})"
    for each in done.lost:
        place = where(each.phase, each.partition)
        yield f"  lost: artifact {each.artifact_id} of {place}: {each.code.value}"
    if done.untold:
        what = count(len(done.untold), "artifact")
        yield f"  left behind: {what} that no saved event tells of: {', '.join(done.untold)}"


def _next(done: "Salvaged") -> str:
    """Go on; what lost its artifacts is to be done again."""
    again = {
        each.phase if each.partition is None else f"{each.phase}[{each.partition}]": None
        for each in done.lost
        if each.phase is not None
    }
    redo = "".join(f" --redo {shlex.quote(place)}" for place in again)
    return f"journal resume {done.run_id}{redo}"


COMMANDS = {"salvage": salvage}

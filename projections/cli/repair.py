"""
``journal repair``: set aside the torn tail that a crash left.

Opening a run for writing does that by itself; this does it alone, and says beforehand what it
would do. Damage is refused: nothing is repaired by guessing.

Below: settings, output, journal, text, store. Above: app.
"""

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

from projections.cli import output
from projections.cli.settings import Settings, common, pass_settings
from projections.cli.text import size, visible

if TYPE_CHECKING:
    from journal.ids import RunId
    from journal.journal import Journal
    from projections.store import Projections


@dataclass
class Repair:
    """What was found behind the last acknowledged line, and where it was put."""

    run_id: str
    torn_bytes: int
    dry_run: bool
    kept_as: str | None = None


@click.command("repair")
@click.argument("run", metavar="RUN")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")
@common
@pass_settings
def repair(settings: Settings, run: str, dry_run: bool) -> None:
    """
    Set aside the torn tail that a crash left.

    What was half written when the crash came was never acknowledged. Its bytes are kept in the
    run's folder, and an event tells that. Exits with 1 for damage, which is left as it is, and
    with 4 while another process writes the run.
    """
    import anyio

    done = anyio.run(_repair, settings.store, run, dry_run)
    if settings.for_people:
        output.write(f"{_sentence(done)}\n".encode())
    else:
        output.write(json.dumps(asdict(done)).encode() + b"\n")


async def _repair(store: str, name: str, dry_run: bool) -> Repair:
    import anyio.to_thread

    from journal.journal import Journal
    from projections.store import Projections

    async with Projections.open(store) as runs:
        run_id = await runs.resolve(name)
        async with Journal.open(store, create=False) as journal:
            info = await anyio.to_thread.run_sync(journal.log.head, run_id)
            if info.live:
                raise _live(run_id)
            # Opening for writing looks at the end alone. Damage further up is no crash's doing, and
            # a run that holds some is not to be written to.
            async for _ in runs.records(run_id):
                pass
            torn_bytes = await anyio.to_thread.run_sync(journal.log.torn_bytes, run_id)
            done = Repair(run_id, torn_bytes, dry_run)
            if torn_bytes and not dry_run:
                done.kept_as = await _set_aside(journal, runs, run_id, info.head.seq)
    return done


async def _set_aside(
    journal: "Journal", runs: "Projections", run_id: "RunId", last_seq: int
) -> str | None:
    """Open the run for writing, which recovers it; gives what the event says."""
    from journal.events.log import LogRecovered

    async with journal.open_run(run_id):
        pass
    kept_as = None
    async for record in runs.records(run_id, after=last_seq):
        if isinstance(record.data, LogRecovered):
            kept_as = record.data.kept_as
    return kept_as


def _live(run_id: "RunId") -> Exception:
    from journal.errors import StorageErrorCode, storage_error

    return storage_error(
        StorageErrorCode.LOCKED,
        f"run {run_id} is being written: its end is not torn, it is on its way. Nothing was "
        "changed.",
        operation="repair",
        run_id=run_id,
        next_action=f"journal events {run_id} --follow",
    )


def _sentence(done: Repair) -> str:
    if not done.torn_bytes:
        return f"Run {done.run_id}: nothing to repair."
    if done.dry_run:
        return f"Run {done.run_id}: a torn tail of {size(done.torn_bytes)} would be set aside."
    kept = visible(done.kept_as or "torn/")
    return f"Run {done.run_id}: a torn tail of {size(done.torn_bytes)} was set aside as {kept}."


COMMANDS = {"repair": repair}

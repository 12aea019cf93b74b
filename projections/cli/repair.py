"""
``journal repair``: set aside the torn tail that a crash left, and make good what lies beside a log.

Opening a run for writing does that by itself, but for a checkpoint that is wrong; this does it
alone, and says beforehand what it would do. Damage is refused: nothing is repaired by guessing.

Below: beside, settings, output, findings, journal, text, store, projections.verify. Above: app.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import click

from projections.cli import output
from projections.cli.settings import Settings, common, pass_settings
from projections.cli.text import size, visible

if TYPE_CHECKING:
    from journal.ids import RunId
    from journal.journal import Journal
    from journal.log import EventLog
    from projections.findings import Finding
    from projections.store import Projections


@dataclass
class Repair:
    """
    What was found, and what was done or would be. ``run_id`` is ``None`` for the store.

    ``heals`` are the reasons of the findings that are made good; ``gone`` are runs that the feed
    announces and that are not there.
    """

    run_id: str | None
    dry_run: bool
    torn_bytes: int = 0
    from_line: int | None = None
    from_byte: int | None = None
    would_keep_as: str | None = None
    kept_as: str | None = None
    heals: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)


@click.command("repair")
@click.argument("run", metavar="[RUN]", required=False)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")
@common
@pass_settings
def repair(settings: Settings, run: str | None, dry_run: bool) -> None:
    """
    Set aside the torn tail that a crash left.

    What was half written when the crash came was never acknowledged. Its bytes are kept in the
    run's folder, and an event tells that. A head that is damaged and a checkpoint that does not
    agree with the log are made anew, too; without RUN, the feed of the store. Exits with 1 for
    damage, which is left as it is (`journal salvage`), and with 4 while another process writes.
    """
    import anyio

    done = anyio.run(_repair, settings.store, run, dry_run)
    if settings.for_people:
        output.write("".join(f"{line}\n" for line in _sentences(done)).encode())
    else:
        output.write(json.dumps(asdict(done)).encode() + b"\n")


async def _repair(store: str, name: str | None, dry_run: bool) -> Repair:
    from anyio.to_thread import run_sync

    from journal.journal import Journal
    from projections.store import Projections

    async with Journal.open(store, create=False) as journal, Projections.open(store) as runs:
        if name is None:
            return await run_sync(_mend, journal.log, dry_run)
        run_id = await runs.resolve(name)
        if (await run_sync(journal.log.extent, run_id)).live:
            raise _live(run_id)
        found = await run_sync(_findings, journal.log, run_id)
        done = await run_sync(_plan, journal.log, run_id, found, dry_run)
        if done.heals and not dry_run:
            if "checkpoint" in done.heals:
                await run_sync(_forget_checkpoint, journal.log, run_id)
            done.kept_as = await _open(journal, runs, run_id, (done.from_line or 1) - 1)
    return done


def _findings(log: "EventLog", run_id: "RunId") -> list["Finding"]:
    """
    What opening the run makes good. Raises the first thing that it does not: damage.

    Opening for writing looks at the end alone. Damage further up is no crash's doing, and a run
    that holds some is not to be written to.
    """
    from journal.errors import storage_error
    from projections.verify import verify

    found = []
    for each in verify(log, None, None, [run_id]):
        if each.next_action.startswith("journal repair"):
            found.append(each)
        elif each.severity == "damage" and not each.next_action.startswith("journal events"):
            raise storage_error(
                each.code,
                each.message,
                operation="repair",
                run_id=run_id,
                seq=each.seq,
                offset=each.offset,
                path=each.path,
                reason=each.reason,
                next_action=each.next_action,
            )
    return found


def _plan(log: "EventLog", run_id: "RunId", found: Sequence["Finding"], dry_run: bool) -> Repair:
    from projections.beside import torn_tail

    done = Repair(run_id, dry_run, heals=[each.reason for each in found])
    torn = torn_tail(log, run_id, log.head(run_id).head)
    if torn is not None:
        end = torn.position + torn.size_bytes
        tail = hashlib.sha256(b"".join(log.read(run_id, torn.position, end))).hexdigest()
        done.torn_bytes = torn.size_bytes
        done.from_line, done.from_byte = torn.seq + 1, torn.position
        done.would_keep_as = f"torn/{torn.seq}-{tail}"
    return done


def _forget_checkpoint(log: "EventLog", run_id: "RunId") -> None:
    """With an empty one, the next opening reads the log from line 1, and makes another."""
    lease = log.acquire(run_id)
    try:
        log.put_checkpoint(lease, b"")
    finally:
        log.release(lease)


async def _open(journal: "Journal", runs: "Projections", run_id: "RunId", after: int) -> str | None:
    """Open the run for writing, which recovers it; gives what the event says."""
    from journal.events.log import LogRecovered

    async with journal.open_run(run_id):
        pass
    kept_as = None
    async for record in runs.records(run_id, after=after):
        if isinstance(record.data, LogRecovered):
            kept_as = record.data.kept_as
    return kept_as


def _mend(log: "EventLog", dry_run: bool) -> Repair:
    """What is wrong with the store itself: its feed."""
    done = Repair(None, dry_run, heals=[odd.reason for odd in log.oddities()])
    there = set(log.runs())
    done.gone = [run_id for run_id in log.announced() if run_id not in there]
    if (done.heals or done.gone) and not dry_run:
        done.kept_as = log.mend()
    return done


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


_WHAT = {
    "head_missing": "its head, which is missing,",
    "head_damaged": "its head, which is damaged,",
    "checkpoint": "its checkpoint, which does not agree with the log,",
    "tail_untold": "an event that tells of a tail that was set aside before",
    "feed_missing": "the feed, which is missing,",
    "feed_damaged": "the feed, which is damaged,",
}


def _sentences(done: Repair) -> Iterator[str]:
    subject = f"Run {done.run_id}" if done.run_id else "The store"
    if not (done.heals or done.gone):
        yield f"{subject}: nothing to repair."
    would, was = ("would be", "would be") if done.dry_run else ("was", "were")
    if done.torn_bytes:
        kept = visible(done.kept_as or done.would_keep_as or "torn/")
        yield (
            f"{subject}: a torn tail of {size(done.torn_bytes)}, from line {done.from_line} (byte "
            f"{done.from_byte}), {would} set aside as {kept} in the run's folder."
        )
    for reason in done.heals:
        if reason in _WHAT:
            yield f"{subject}: {_WHAT[reason]} {would} made anew."
    if done.gone:
        yield f"{subject}: the loss of {', '.join(done.gone)} {was} accepted: the feed begins anew."
    if done.run_id is None and done.kept_as:
        yield f"{subject}: the old feed is kept as {visible(done.kept_as)}."


COMMANDS = {"repair": repair}

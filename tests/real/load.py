"""
A writer under load, and a reader that follows it: processes that are made to be killed.

``python -m tests.real.load write STORE RUNS`` opens so many runs at once (those that are there
are resumed) and writes until it is killed or refused. ``… watch STORE`` shows all that it can
read, again and again. Both tell on stdout, in lines, what they know.
"""

import os
import sys
import traceback
from itertools import count
from pathlib import Path

import anyio

from journal.backends.filesystem import FilesystemLog
from journal.errors import StorageError
from journal.events.log import AnnotationAdded
from journal.journal import Journal
from journal.run import Run
from projections.store import Projections

EVERY = 5
"""One turn in so many stores an artifact."""


def tell(line: str) -> None:
    """Out at once: what was told before a kill was told."""
    os.write(1, f"{line}\n".encode())


async def write(store: Path, runs: int) -> None:
    """Open so many runs, and write to all of them at once."""
    async with Journal.open(store) as journal:
        there = list(FilesystemLog.open(store).runs())[:runs]
        opened = [journal.resume(run_id) for run_id in there]
        opened += [journal.run(project="load") for _ in range(runs - len(there))]
        async with anyio.create_task_group() as tasks:
            for number, run in enumerate(opened):
                tasks.start_soon(_write_run, run, number)


async def _write_run(opened: Run, number: int) -> None:
    async with opened as run:
        begun = f"{run.id}-{run.seq}"
        tell(f"ack {run.id} {run.seq}")
        for turn in count():
            receipt = run.log("info", f"{begun} {turn}.0", text="x" * (turn * 37 % 900))
            notes = [AnnotationAdded(text=f"{begun} {turn}.{part}") for part in (1, 2)]
            appended = await run.append(notes)
            tell(f"ack {run.id} {appended.last_seq}")
            await receipt
            if turn % EVERY == number % EVERY:
                stored = await run.store(os.urandom(1 + turn * 997 % 20_000))
                tell(f"stored {run.id} {stored.sha256} {stored.size_bytes}")
                tell(f"ack {run.id} {stored.seq}")


async def watch(store: Path) -> None:
    """Show what can be read, run after run, again and again."""
    seen: dict[str, int] = {}
    async with Projections.open(store) as runs:
        while True:
            for found in await runs.list():
                if found.status == "unreadable":
                    tell(f"unreadable {found.run_id} {found.error}")
                after = seen.get(found.run_id, 0)
                async for record in runs.records(found.run_id, after=after):
                    tell(f"shown {record.run_id} {record.seq} {record.hash}")
                    seen[record.run_id] = record.seq


def main() -> int:
    """Do as told; whatever is no ``StorageError`` is told as ``escaped``."""
    what, store, *rest = sys.argv[1:]
    try:
        if what == "write":
            anyio.run(write, Path(store), int(rest[0]))
        else:
            anyio.run(watch, Path(store))
    except BaseException as failure:  # noqa: BLE001 - that anything escapes is what is looked for
        wrong = [each for each in _leaves(failure) if not isinstance(each, StorageError)]
        for each in wrong:
            last = "".join(traceback.format_exception(each)).strip().replace("\n", " | ")
            tell(f"escaped {last[-1500:]}")
        if not wrong:
            tell(f"refused {_leaves(failure)[0]}")
    return 0


def _leaves(failure: BaseException) -> list[BaseException]:
    if isinstance(failure, BaseExceptionGroup):
        return [leaf for each in failure.exceptions for leaf in _leaves(each)]
    return [failure]


if __name__ == "__main__":
    sys.exit(main())

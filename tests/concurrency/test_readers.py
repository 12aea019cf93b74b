"""Readers in other processes while a run is written and its index made anew."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import anyio
import pytest

from journal import Journal, StorageError
from journal.backends.filesystem import FilesystemLog
from journal.log import EventLog
from projections import Projections, reading, rows, schema
from projections.catchup import catch_up
from projections.sqlitefile import Connection
from tests.journal.helpers import events, note
from tests.support.processes import Other, other

LOG_READER = """
import sys
from journal.backends.filesystem import FilesystemLog
from journal.chain import Chain
from journal.ids import parse_run_id
run_id = parse_run_id(sys.argv[2])
log = FilesystemLog.open(sys.argv[1])
seen = looks = 0
print("ready", flush=True)
while True:
    info = log.head(run_id)
    chain = Chain(run_id, strict=True)
    for line in log.read(run_id, 0, info.head.position):
        chain.follow(line)
    assert (chain.seq, chain.hash) == (info.head.seq, info.head.hash), (chain.seq, info)
    assert chain.seq >= seen, "taken back"
    seen, looks = chain.seq, looks + 1
    if info.state == "closed":
        break
print("read", seen, looks, flush=True)
"""

STATE_READER = """
import sys
import anyio
from projections import Projections
async def main():
    seen = looks = 0
    async with Projections.open(sys.argv[1]) as found:
        print("ready", flush=True)
        while True:
            [row] = await found.list()
            state = await found.state(sys.argv[2])
            assert row.status == "running" or row.status == state.status, row
            assert state.complete and state.seq >= row.seq >= seen, (state.seq, row.seq, seen)
            assert state.totals.annotations + 2 >= state.seq - 1
            seen, looks = row.seq, looks + 1
            if state.status == "completed":
                break
    print("read", state.seq, looks, flush=True)
anyio.run(main)
"""

REBUILDER = """
import sys
import anyio
from journal import StorageError
from projections import Projections
async def main():
    times = 0
    async with Projections.open(sys.argv[1]) as found:
        print("ready", flush=True)
        while (await found.state(sys.argv[2])).status != "completed":
            try:
                await found.rebuild()
            except StorageError as failure:
                assert failure.code == "locked", failure
            times += 1
    print("read", 0, times, flush=True)
anyio.run(main)
"""


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_readers_see_a_growing_prefix_and_never_damage(
    store: Path, anyio_backend: str
) -> None:
    """Case 47: half lines, torn heads, an index swapped under them: none of it is ever shown."""
    programs = [LOG_READER, LOG_READER, STATE_READER, STATE_READER, REBUILDER]
    with ExitStack() as stack:
        async with Journal.open(store) as journal, journal.run(project="nightly") as run:
            readers = [stack.enter_context(other(text, store, run.id)) for text in programs]
            for reader in readers:
                assert await line_of(reader) == "ready"
            for number in range(150):
                batch = [note(f"{number} {'x' * 4_000}")] * (number % 4 + 1)
                await run.append(batch)
                run.emit(note(str(number)))
        said = [(await line_of(reader)).split() for reader in readers]
    last = len(events(journal, run.id))
    assert [(word, int(seq)) for word, seq, _ in said] == [("read", last)] * 4 + [("read", 0)]
    assert all(int(looks) >= 1 for _, _, looks in said)


async def line_of(process: Other) -> str:
    """Its next line, bounded."""
    with anyio.fail_after(120):
        return await anyio.to_thread.run_sync(process.line, abandon_on_cancel=True)


HOLDER = """
import sys
import anyio
from journal import Journal
async def main():
    async with Journal.open(sys.argv[1]) as journal, journal.open_run(sys.argv[2]):
        print("open", flush=True)
        await anyio.to_thread.run_sync(sys.stdin.readline)
    print("left", flush=True)
anyio.run(main)
"""


async def test_a_run_open_elsewhere_is_neither_repaired_nor_deleted(journal: Journal) -> None:
    """Case 48: locked, for whoever would change it; and not one byte of it changes."""
    async with journal.run(project="nightly") as run:
        pass
    with other(HOLDER, journal.log.root, run.id) as holder:  # type: ignore[attr-defined]
        assert await line_of(holder) == "open"
        before = events(journal, run.id)
        for call in (
            journal.resume(run.id).__aenter__,
            journal.open_run(run.id, wait_s=0.3).__aenter__,
            lambda: journal.delete(run.id),
        ):
            with pytest.raises(StorageError) as raised:
                await call()
            assert (raised.value.code, raised.value.info.retryable) == ("locked", True)
        assert events(journal, run.id) == before
        holder.tell()
        assert await line_of(holder) == "left"
    async with journal.resume(run.id) as again:
        assert again.epoch == 3
    await journal.delete(run.id)


async def test_an_older_index_swapped_in_behind_a_visit_is_caught_up_with(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 47: a rebuild that began earlier ends just then; what was shown is shown again."""
    async with journal.run(project="nightly") as run:
        await run.store("text")
    swaps: list[int] = []

    def and_then_swapped(db: Connection, log: EventLog, **options: Any) -> None:
        catch_up(db, log, **options)
        if len(swaps) % 2 == 0:
            with rows.transaction(db):  # as a rebuild that has folded nothing yet would
                for table in schema.TABLES:
                    db.execute(f"DELETE FROM {table}")
                db.execute("UPDATE meta SET generation = generation + 1, feed = NULL")
        swaps.append(1)

    monkeypatch.setattr(reading, "catch_up", and_then_swapped)
    assert isinstance(journal.log, FilesystemLog)
    async with Projections.open(journal.log.root) as found:
        assert [row.run_id for row in await found.list()] == [run.id]
        assert len(await found.artifacts(run.id)) == 1
        assert await found.resolve(run.id[-8:]) == run.id
    assert len(swaps) == 6

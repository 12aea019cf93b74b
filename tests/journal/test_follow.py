"""Following a run: every line once, as it becomes durable, until the run rests."""

import signal
from contextlib import aclosing
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from journal import Journal, StorageError, new_run_id
from journal.backends.filesystem import FilesystemLog
from journal.chain import Chain
from journal.files import Files
from journal.follow import _BYTES_MAX, _next, follow
from journal.ids import parse_run_id
from tests.journal.helpers import events, note
from tests.support.logs import StoredRun
from tests.support.processes import Other, other

TALKER = """
import sys, anyio
from journal import Journal

async def main():
    async with Journal.open(sys.argv[1]) as journal:
        async with journal.run(project="nightly") as run:
            print(run.id, flush=True)
            for line in sys.stdin:
                place = await run.annotate(line.strip())
                print(place.last_seq, flush=True)

anyio.run(main)
"""


async def names(journal: Journal, run_id: str, after_seq: int = 0) -> list[str]:
    """All that following gives, to its end."""
    found = []
    with anyio.fail_after(120):
        async for line, record in follow(journal.log, parse_run_id(run_id), after_seq):
            assert line.endswith(record.hash.encode() + b'"}\n')
            found.append(record.event)
    return found


async def test_a_run_at_rest_is_given_to_its_end(journal: Journal) -> None:
    """All of it, or what stands behind a seq; then the iteration ends."""
    async with journal.run(project="nightly") as run:
        await run.append([note()] * 2500)
    everything = events(journal, run.id)
    assert await names(journal, run.id) == everything
    for after in (0, 1, 2, 1000, 2502, 2503, 9999):
        assert await names(journal, run.id, after) == everything[after:]


async def test_new_events_come_as_they_are_written(journal: Journal) -> None:
    """In the same process: each exactly once, in order, up to the last one."""
    found: list[int] = []
    started = anyio.Event()

    async def watch(run_id: str) -> None:
        async for _, record in follow(journal.log, parse_run_id(run_id)):
            found.append(record.seq)
            started.set()

    with anyio.fail_after(120):
        async with anyio.create_task_group() as tasks, journal.run(project="nightly") as run:
            tasks.start_soon(watch, run.id)
            await started.wait()
            for _ in range(100):
                await run.append(note())
    assert found == list(range(1, 104))


async def test_the_writer_of_another_process_is_followed(store: Path) -> None:
    """What it acknowledged is seen; when it ends, so does the iteration."""
    async with Journal.open(store) as journal:
        with other(TALKER, store) as writer:
            run_id = await anyio.to_thread.run_sync(writer.line)
            found = await converse(journal, writer, run_id)
            assert found == ["run_created", "run_started", "one", "two", "three"]
            writer.process.communicate()
        assert (await names(journal, run_id))[-1] == "run_completed"


async def converse(journal: Journal, writer: Other, run_id: str) -> list[str]:
    """Say three words, each after the one before was seen."""
    words = iter(["one", "two", "three"])
    found: list[str] = []
    with anyio.fail_after(120):
        async with aclosing(follow(journal.log, parse_run_id(run_id))) as lines:
            async for _, record in lines:
                found.append(getattr(record.data, "text", record.event))
                if len(found) == 5:
                    break
                if len(found) >= 2:
                    writer.tell(next(words))
    return found


async def test_following_ends_when_the_writer_has_died(store: Path) -> None:
    """Nobody would ever write the next line; what was acknowledged was given."""
    async with Journal.open(store) as journal:
        found: list[str] = []

        async def watch(run_id: str) -> None:
            found.extend(await names(journal, run_id))

        with other(TALKER, store) as writer, anyio.fail_after(120):
            run_id = await anyio.to_thread.run_sync(writer.line)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(watch, run_id)
                writer.tell("one")
                await anyio.to_thread.run_sync(writer.line)
                writer.signal(signal.SIGKILL)
        assert found == ["run_created", "run_started", "annotation_added"]


class Meanwhile(Files):
    """Its run's writer writes on and leaves, right before ``moment`` comes for the n-th time."""

    def __init__(self, run: StoredRun, moment: str, times: int) -> None:
        self.run = run
        self.moment = moment
        self.left = times

    def _reach(self, moment: str) -> None:
        if moment == self.moment:
            self.left -= 1
            if self.left == 0:
                self.run.write(1, 1).close()

    def is_locked(self, path: str) -> bool:
        self._reach("the lock")
        return super().is_locked(path)

    def open_read(self, path: str) -> int:
        self._reach(path.rpartition("/")[2])
        return super().open_read(path)


@pytest.mark.parametrize("moment", ["the lock", "head", "events.jsonl"])
@pytest.mark.parametrize("times", [1, 2, 3])
async def test_the_last_events_are_never_missed(tmp_path: Path, moment: str, times: int) -> None:
    """Whenever the writer leaves between two looks, of which one was at the old state."""
    run = StoredRun(tmp_path / "store").write(1)
    files = Meanwhile(run, moment, times)
    log = FilesystemLog(run.log.root, files)
    found = [record.seq async for _, record in follow(log, run.run_id)]
    assert found == [1, 2, 3]
    assert files.left <= 0


async def test_damage_is_told_where_it_is_met(journal: Journal, store: Path) -> None:
    """The lines above it are given; it is never skipped."""
    async with journal.run(project="nightly") as run:
        await run.append([note()] * 5)
    path = next(store.glob("runs/*/*/*/*/events.jsonl"))
    content = path.read_bytes()
    lines = content.splitlines(keepends=True)
    place = len(b"".join(lines[:4])) + 40
    path.write_bytes(content[:place] + b"~" + content[place + 1 :])
    lines_given = follow(journal.log, run.id)
    found = [(await anext(lines_given))[1].seq for _ in range(4)]
    assert found == [1, 2, 3, 4]
    with pytest.raises(StorageError) as raised:
        await anext(lines_given)
    assert (raised.value.code, raised.value.info.details.seq) == ("corrupt", 5)


async def test_a_run_that_is_not_there_cannot_be_followed(journal: Journal) -> None:
    """Neither before nor after it was."""
    with pytest.raises(StorageError) as raised:
        await names(journal, new_run_id())
    assert raised.value.code == "not_found"


async def test_leaving_early_leaves_nothing_open(journal: Journal) -> None:
    """By break, or by cancellation while it waits."""
    async with journal.run(project="nightly") as run:
        async with aclosing(follow(journal.log, run.id)) as lines:
            async for _ in lines:
                break
        with anyio.move_on_after(0.05) as scope:
            await names(journal, run.id)
        assert scope.cancelled_caught
        await run.append(note())


async def test_long_lines_are_handed_on_a_few_at_a_time(journal: Journal) -> None:
    """A thousand lines of a megabyte are a gigabyte: memory is bound by bytes as well."""
    async with journal.run(project="nightly") as run:
        for number in range(12):
            await run.append(note(f"{number} " + "x" * 900_000))
    info = journal.log.head(run.id)
    chain, sizes = Chain(run.id), []
    while chain.position < info.head.position:
        sizes.append(sum(len(line) for line, _ in _next(journal.log, chain, info)))
    assert len(sizes) >= 3
    assert max(sizes) < _BYTES_MAX + 1_000_000
    assert sum(sizes) == info.head.position

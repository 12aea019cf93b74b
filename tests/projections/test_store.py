"""What people open to read: answers, refusals, and nothing made that was not there."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from journal.backends.filesystem import FilesystemLog
from journal.errors import StorageErrorCode
from journal.events import run
from journal.journal import Journal
from journal.testing import memory_journal
from projections.store import Projections
from tests.projections.asking import refusal, run_note, write

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["memory", "filesystem"])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A journal and its reader, on both backends."""

    @asynccontextmanager
    async def both() -> AsyncIterator[tuple[Journal, Projections]]:
        if request.param == "memory":
            async with memory_journal() as journal, Projections.of(journal) as runs:
                yield journal, runs
        else:
            path = tmp_path / "store"
            async with Journal.open(path) as journal, Projections.open(path) as runs:
                yield journal, runs

    return both


@pytest.fixture
def log(tmp_path: Path) -> FilesystemLog:
    return FilesystemLog.open(tmp_path / "store")


async def test_a_reader_sees_each_event_that_was_acknowledged(opener: Any) -> None:
    """What `append` returned for is in the next answer, whatever the index held before."""
    async with opener() as (journal, runs), journal.run(project="nightly") as writing:
        for number in range(5):
            await writing.append(run_note(number))
            state = await runs.state(writing.id)
            assert (state.seq, state.hash) == (writing.seq, (await runs.head(writing.id)).hash)
            assert state.totals.annotations == number + 1


async def test_a_whole_run_as_people_look_at_it(opener: Any) -> None:
    """List, state, artifacts and events of one run agree with each other."""
    async with opener() as (journal, runs):
        parameters = {"date": "2026-11-22"}
        async with (
            journal.run(project="nightly", parameters=parameters) as writing,
            writing.phase("ingest", partition="de") as phase,
        ):
            stored = await phase.store("hello", description="a greeting")
        (record,) = await runs.list()
        state = await runs.state(writing.id)
        assert (record.status, record.seq, record.hash) == (state.status, state.seq, state.hash)
        assert (record.artifacts, state.parameters) == (1, {"date": "2026-11-22"})
        (found,) = await runs.artifacts(writing.id, phase="ingest", partition="de")
        assert found == await runs.artifact(stored.artifact_id)
        assert [found] == await runs.artifact_by_digest(stored.sha256)
        assert await runs.artifacts(writing.id, role="export") == []
        assert [chunk async for chunk in runs.open_artifact(stored.artifact_id)] == [b"hello"]
        assert await journal.load(found) == "hello"
        events = [each.event async for each in runs.records(writing.id)]
        assert (events[0], events[-1], len(events)) == ("run_created", "run_completed", state.seq)


async def test_events_between_two_numbers(opener: Any) -> None:
    """`after` is left out, `until` is in; past the end there is nothing."""
    async with opener() as (journal, runs):
        async with journal.run(project="nightly") as writing:
            for number in range(8):
                await writing.append(run_note(number))

        async def seqs(**bounds: int) -> list[int]:
            return [each.seq async for each in runs.records(writing.id, **bounds)]

        assert await seqs(after=3, until=6) == [4, 5, 6]
        assert await seqs(after=9) == [10, 11]
        assert await seqs(after=99) == []
        assert await seqs(until=99) == await seqs()
        raw = b"".join([line async for line, _ in runs.lines(writing.id, until=99)])
        assert raw == b"".join(journal.log.read(writing.id))


async def test_following_gives_each_event_once_and_ends_with_the_run(opener: Any) -> None:
    """A screen that follows a run shows what the log says, no more and no less."""
    async with opener() as (journal, runs):
        seen: list[str] = []

        async def follow(run_id: str) -> None:
            seen.extend([each.event async for each in runs.follow(run_id, after=1)])

        async with anyio.create_task_group() as tasks, journal.run(project="nightly") as writing:
            tasks.start_soon(follow, writing.id)
            for number in range(3):
                await writing.append(run_note(number))
        assert seen == ["run_started", *["annotation_added"] * 3, "run_completed"]


async def test_without_its_index_a_store_says_the_same(log: FilesystemLog) -> None:
    """Case 58: `rm index.sqlite` costs a moment and changes not one byte of any answer."""
    writers = write(log)
    async with Projections.open(log.root) as runs:

        async def answers() -> list[str]:
            found = [each.model_dump_json() for each in await runs.list()]
            found += [(await runs.state(each.run_id)).model_dump_json() for each in writers]
            for each in writers:
                found += [str(part) for part in await runs.artifacts(each.run_id)]
            return found

        before = await answers()
        Path(f"{log.root}/index.sqlite").unlink()
        assert await answers() == before
        for name in Path(log.root).glob("index.sqlite*"):
            name.unlink()
        assert await answers() == before
        Path(f"{log.root}/index.sqlite").write_bytes(b"garbage")
        assert await answers() == before


async def test_a_log_rolled_back_at_rest_is_reported(log: FilesystemLog, tmp_path: Path) -> None:
    """Case 62: nobody announced it, the feed is silent, and asking still notices."""
    (writer,) = write(log, 1)
    folder = Path(log.folder(writer.run_id))
    backup = shutil.copytree(folder, tmp_path / "backup")
    writer.write(run.RunResumed()).close()
    async with Projections.open(log.root) as runs:
        await runs.list()
        shutil.rmtree(folder)
        shutil.move(backup, folder)
        for at in (None, 1, -1):
            refused = await refusal(runs.state(writer.run_id, at=at))
            assert refused.code is StorageErrorCode.CORRUPT
            assert "rebuild" in (refused.info.details.next_action or "")
        await runs.rebuild()
        assert (await runs.state(writer.run_id)).status == "failed"


async def test_a_reader_that_nobody_waits_for_stops(log: FilesystemLog) -> None:
    """Ctrl-C in a long reading ends it at the next run, and leaves the index whole."""
    write(log, 6)
    seen: list[int] = []
    async with Projections.open(log.root) as runs:
        with anyio.CancelScope() as scope:

            def progress(done: int, total: int, events: int) -> None:
                seen.append(done)
                if done == 2:
                    anyio.from_thread.run_sync(scope.cancel)

            await runs.verify(progress=progress)
        assert scope.cancelled_caught
        assert max(seen) == 2
        assert len(await runs.list()) == 6


async def test_many_questions_at_once_are_all_answered(log: FilesystemLog) -> None:
    """One connection serves them all; none sees half of another's work."""
    writers = write(log, 4)
    found: list[Any] = []
    async with Projections.open(log.root) as runs, anyio.create_task_group() as tasks:

        async def ask(question: Callable[[], Awaitable[Any]]) -> None:
            found.append(await question())

        for writer in writers * 3:
            tasks.start_soon(ask, runs.list)
            tasks.start_soon(ask, lambda writer=writer: runs.state(writer.run_id))
    assert len(found) == 24
    assert all(len(each) == 4 for each in found if isinstance(each, list))

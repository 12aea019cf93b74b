"""What people open to read: answers, refusals, and nothing made that was not there."""

import shutil
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from journal.backends.filesystem import FilesystemLog
from journal.errors import StorageError, StorageErrorCode
from journal.events import run
from journal.ids import new_run_id
from journal.journal import Journal
from journal.testing import memory_journal
from projections.sqlite import Index
from projections.store import Projections
from tests.projections.helpers import ERROR, Writer, created

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


async def refusal(call: Awaitable[Any]) -> StorageError:
    with pytest.raises(StorageError) as refused:
        await call
    return refused.value


async def test_a_reader_sees_each_event_that_was_acknowledged(opener: Any) -> None:
    """What `append` returned for is in the next answer, whatever the index held before."""
    async with opener() as (journal, runs), journal.run(project="nightly") as writing:
        for number in range(5):
            await writing.append(run_note(number))
            state = await runs.state(writing.id)
            assert (state.seq, state.hash) == (writing.seq, (await runs.head(writing.id)).hash)
            assert state.totals.annotations == number + 1


def run_note(number: int) -> Any:
    from journal.events.log import AnnotationAdded

    return AnnotationAdded(text=f"note {number}")


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


@pytest.fixture
def log(tmp_path: Path) -> FilesystemLog:
    return FilesystemLog.open(tmp_path / "store")


def write(log: FilesystemLog, count: int = 6) -> list[Writer]:
    """Runs of two projects, every third one failed, created a day apart."""
    writers = []
    for number in range(count):
        writer = Writer(log, now=1.8e9 + 86_400 * number)
        writer.write(created(project=("odd", "even")[number % 2]), run.RunStarted())
        ending = run.RunCompleted() if number % 3 else run.RunFailed(error=ERROR)
        writers.append(writer.write(ending).close())
    return writers


async def test_lists_are_newest_first_by_creation_and_filtered(log: FilesystemLog) -> None:
    """Status, project, time and limit, alone and together."""
    writers = write(log)
    ids: list[str] = [each.run_id for each in writers]
    async with Projections.open(log.root) as runs:

        async def listed(**wanted: Any) -> list[int]:
            return [ids.index(each.run_id) for each in await runs.list(**wanted)]

        since = datetime.fromtimestamp(1.8e9 + 86_400 * 2, UTC)
        assert await listed() == [5, 4, 3, 2, 1, 0]
        assert await listed(limit=2) == [5, 4]
        assert await listed(limit=0) == []
        assert await listed(status="failed") == [3, 0]
        assert await listed(project="even") == [5, 3, 1]
        assert await listed(project="even", status="failed", limit=5) == [3]
        assert await listed(since=since) == [5, 4, 3, 2]
        assert await listed(since=since, status="completed", project="odd") == [4, 2]
        assert await listed(project="nobody's") == []


def explain(question: str, db: sqlite3.Connection) -> list[Any]:
    return db.execute(f"EXPLAIN QUERY PLAN {question}").fetchall()


async def test_every_list_is_answered_by_an_index_of_its_own(log: FilesystemLog) -> None:
    """The newest 20 of a million must cost 20 rows: no scan, no sort."""
    write(log, 1)
    async with Projections.open(log.root) as runs:
        await runs.list()
    index = Index(f"{log.root}/index.sqlite")
    for where in (
        "",
        "WHERE status = 'failed'",
        "WHERE project = 'a'",
        "WHERE project = 'a' AND status = 'b'",
        "WHERE status = 'b' AND created_at > 'c'",
    ):
        question = f"SELECT body FROM runs {where} ORDER BY created_at DESC, run_id DESC LIMIT 20"
        plan = index.use(partial(explain, question))
        (step,) = [each[3] for each in plan]
        assert "USING INDEX runs_" in step
        assert "TEMP B-TREE" not in step
    index.close()


@pytest.mark.parametrize(
    "question",
    [{"status": "faild"}, {"limit": -1}, {"since": datetime(2026, 11, 22)}],  # noqa: DTZ001
)
async def test_a_question_without_sense_is_refused(question: Any, tmp_path: Path) -> None:
    """An empty list would say that there are no such runs."""
    async with Projections.open(tmp_path) as runs:
        refused = await refusal(runs.list(**question))
    assert refused.code is StorageErrorCode.VALIDATION_ERROR


async def test_of_a_store_that_is_not_there_lists_are_empty(tmp_path: Path) -> None:
    """Looking makes nothing; naming a run in it is an error, and a store made later is seen."""
    path = tmp_path / "none"
    async with Projections.open(path) as runs:
        assert await runs.list() == []
        assert await runs.artifacts(new_run_id()) == []
        asked: list[Awaitable[Any]] = [
            runs.state(new_run_id()),
            runs.head(new_run_id()),
            runs.resolve("@latest"),
            runs.artifact("x"),
            runs.verify(),
            runs.rebuild(),
        ]
        for call in asked:
            assert (await refusal(call)).code is StorageErrorCode.NOT_FOUND
        assert not path.exists()
        writers = write(FilesystemLog.open(path), 1)
        assert [each.run_id for each in await runs.list()] == [writers[0].run_id]


async def test_a_run_that_is_not_there_is_not_found(log: FilesystemLog) -> None:
    """The error names the run and what to do next."""
    write(log, 1)
    gone = new_run_id()
    async with Projections.open(log.root) as runs:
        for call in (runs.state(gone), runs.head(gone), runs.resolve(gone)):
            refused = await refusal(call)
            assert refused.code is StorageErrorCode.NOT_FOUND
            assert gone in refused.info.message
            assert refused.info.details.next_action
        with pytest.raises(StorageError, match="artifact 'nothing'"):
            await runs.artifact("nothing")


async def test_a_run_is_named_in_every_way_that_people_name_it(log: FilesystemLog) -> None:
    """The list shows the last eight characters; the first ones of an id are a clock."""
    writers = write(log)
    first = writers[0].run_id
    async with Projections.open(log.root) as runs:
        assert await runs.resolve(first) == first
        assert await runs.resolve(first.upper()) == first
        assert await runs.resolve(first[-8:]) == first
        assert await runs.resolve("@latest") == writers[-1].run_id
        assert await runs.resolve("@latest-failed") == writers[3].run_id
        shared = await refusal(runs.resolve(first[:6]))
        assert (shared.code, shared.info.details.reason) == (
            StorageErrorCode.CONFLICT,
            "ambiguous",
        )
        for text in ("ffffffff", "", "@last", "%", "_" * 36, first + "0", "../../etc"):
            assert (await refusal(runs.resolve(text))).code is StorageErrorCode.NOT_FOUND
    alone = first[: next(n for n in range(36) if not writers[1].run_id.startswith(first[:n]))]
    async with Projections.open(log.root) as runs:
        assert await runs.resolve(alone) == first


async def test_a_run_whose_writer_died_says_so(log: FilesystemLog) -> None:
    """A run that will not end by itself must not look like one that goes on, closed or not."""
    from journal.backends import lease as leases

    alive, dead = (Writer(log).write(created(), run.RunStarted()) for _ in range(2))
    ended = Writer(log).write(created(), run.RunStarted(), run.RunCompleted()).close()
    left = Writer(log).write(created(), run.RunStarted()).close()
    leases.close(log.files, dead.lease)  # type: ignore[arg-type]
    async with Projections.open(log.root) as runs:
        found = {each.run_id: each.writer_gone for each in await runs.list()}
        assert found == {
            alive.run_id: False,
            dead.run_id: True,
            ended.run_id: False,
            left.run_id: True,
        }
        assert await runs.writer_gone(dead.run_id)
        assert not await runs.writer_gone(alive.run_id)
    alive.close()


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


async def test_one_unreadable_run_hides_no_other(log: FilesystemLog) -> None:
    """It is in the list with its error; asking for it raises that error."""
    writers = write(log, 3)
    path = Path(log.folder(writers[1].run_id)) / "events.jsonl"
    lines = path.read_bytes().replace(b'"event":"run_started"', b'"event":"run_startld"')
    path.write_bytes(lines)
    async with Projections.open(log.root) as runs:
        found = await runs.list()
        assert [each.status for each in found] == ["completed", "unreadable", "failed"]
        assert found[1].project == "even"
        assert found[1].error is not None
        assert (found[1].error.type, found[1].seq) == ("corrupt", 1)
        assert "line 2" in found[1].error.message
        refused = await refusal(runs.state(writers[1].run_id))
        assert (refused.code, refused.info.details.seq) == (StorageErrorCode.CORRUPT, 2)
        assert (await runs.state(writers[1].run_id, at=1)).status == "pending"
        assert (await runs.state(writers[0].run_id)).status == "failed"
        assert len(await runs.list(status="unreadable")) == 1


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


STATES: list[tuple[Any, int | StorageErrorCode]] = [
    (1, 1),
    (4, 4),
    (-1, 3),
    (-3, 1),
    (0, StorageErrorCode.NOT_FOUND),
    (5, StorageErrorCode.NOT_FOUND),
    (-4, StorageErrorCode.NOT_FOUND),
    (timedelta(seconds=1), 1),
    (timedelta(seconds=2.999_999), 2),
    (timedelta(seconds=3), 3),
    (timedelta(days=9), 4),
    (timedelta(seconds=0.999_999), StorageErrorCode.NOT_FOUND),
]


@pytest.mark.parametrize(("at", "wanted"), STATES)
async def test_the_state_at_any_point(
    at: Any, wanted: int | StorageErrorCode, log: FilesystemLog
) -> None:
    """A seq, so many events before the last, or the last event stamped at or before a time."""
    writer = Writer(log).write(created(), run.RunStarted()).write(*[run_note(n) for n in (1, 2)])
    point = datetime.fromtimestamp(1.8e9, UTC) + at if isinstance(at, timedelta) else at
    async with Projections.open(log.root) as runs:
        if isinstance(wanted, int):
            assert (await runs.state(writer.run_id, at=point)).seq == wanted
        else:
            assert (await refusal(runs.state(writer.run_id, at=point))).code is wanted
    writer.close()


async def test_a_time_without_a_zone_is_no_moment(log: FilesystemLog) -> None:
    """Guessing the zone would show the state of another hour."""
    (writer,) = write(log, 1)
    async with Projections.open(log.root) as runs:
        naive = datetime(2026, 11, 22)  # noqa: DTZ001
        refused = await refusal(runs.state(writer.run_id, at=naive))
        assert refused.code is StorageErrorCode.VALIDATION_ERROR
        other = datetime.fromtimestamp(1.8e9 + 1).astimezone()
        assert (await runs.state(writer.run_id, at=other)).seq == 1


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

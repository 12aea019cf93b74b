"""Lists: which runs, in which order, and what is said of those that are not well."""

import sqlite3
from collections.abc import Awaitable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from journal.backends.filesystem import FilesystemLog
from journal.errors import StorageError, StorageErrorCode
from journal.events import run
from journal.ids import new_run_id
from projections.sqlite import Index
from projections.store import Projections
from tests.projections.asking import refusal, write
from tests.projections.helpers import Writer, created

pytestmark = pytest.mark.anyio


@pytest.fixture
def log(tmp_path: Path) -> FilesystemLog:
    return FilesystemLog.open(tmp_path / "store")


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

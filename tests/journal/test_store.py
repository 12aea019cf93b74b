"""Opening a store, making one, and deleting what is in it."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import anyio
import pytest

from journal import Journal, StorageError
from journal.backends.filesystem import FilesystemLog
from journal.log import Change
from tests.journal.helpers import events
from tests.support.logs import snapshot


async def refused(path: Path, *, create: bool = True) -> StorageError:
    """The error that opening is refused with; the folder stays as it was."""
    before = snapshot(path) if path.is_dir() else {}
    with pytest.raises(StorageError) as raised:
        async with Journal.open(path, create=create):
            raise AssertionError("it was opened")
    assert (snapshot(path) if path.is_dir() else {}) == before
    return raised.value


async def test_a_store_is_made_where_nothing_is(tmp_path: Path) -> None:
    """Folders above it included; opened again it is the same store."""
    path = tmp_path / "a" / "b" / "store"
    async with Journal.open(path):
        pass
    made = snapshot(path)
    assert set(made) == {"store.json", "feed"}
    async with Journal.open(str(path)), Journal.open(path, create=False):
        pass
    assert snapshot(path) == made


async def test_an_empty_folder_becomes_a_store(tmp_path: Path) -> None:
    """Somebody made the place; nothing in it could be harmed."""
    async with Journal.open(tmp_path) as journal, journal.run(project="nightly") as run:
        pass
    assert events(journal, run.id)[-1] == "run_completed"


async def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    """A typing error must not scatter a store among somebody's files."""
    (tmp_path / "thesis.txt").write_text("years of work")
    assert (await refused(tmp_path)).code == "validation_error"
    assert (await refused(tmp_path, create=False)).code == "not_found"


async def test_a_missing_store_is_not_found_and_not_made(tmp_path: Path) -> None:
    """Who only wants to read must not leave a folder behind."""
    failure = await refused(tmp_path / "nowhere", create=False)
    assert (failure.code, failure.info.details.reason) == ("not_found", "no_store")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b'{"format":"run-journal/2","store_id":"x"}\n', "unsupported_format"),
        (b'{"format":"run-journal/1"}\n', "serialization_error"),
        (b"", "serialization_error"),
        (b"\xff\xfe", "serialization_error"),
        (b"[]", "serialization_error"),
        (b"[" * 5000, "serialization_error"),
        (b" " * 100_000, "serialization_error"),
    ],
)
async def test_a_store_that_cannot_be_understood_is_refused(
    tmp_path: Path, content: bytes, code: str
) -> None:
    """Case 36: a newer version's store is told apart from a damaged file; neither is touched."""
    async with Journal.open(tmp_path / "store"):
        pass
    (tmp_path / "store" / "store.json").write_bytes(content)
    assert (await refused(tmp_path / "store")).code == code
    assert (await refused(tmp_path / "store", create=False)).code == code


def test_a_store_may_be_made_by_many_at_once(tmp_path: Path) -> None:
    """Everyone gets a store that works, and it is one and the same."""
    for number in range(5):
        path = tmp_path / str(number)
        together = threading.Barrier(6)

        def make(path: Path = path, together: threading.Barrier = together) -> str:
            together.wait()
            log = FilesystemLog.open(path)
            return log.changes(None).cursor.partition(":")[0]

        with ThreadPoolExecutor(6) as pool:
            generations = {future.result() for future in [pool.submit(make) for _ in range(6)]}
        assert len(generations) == 1
        assert set(snapshot(path)) == {"store.json", "feed"}


async def test_a_deleted_run_is_gone_with_all_its_files(journal: Journal, store: Path) -> None:
    """The feed keeps that it was there; the others stay."""
    async with journal.run(project="nightly") as run, run.phase("ingest") as phase:
        await phase.store("text")
        cursor = journal.log.changes(None).cursor
        with pytest.raises(StorageError) as raised:
            await journal.delete(run.id)
        assert raised.value.code == "locked"
    async with journal.run(project="nightly") as other:
        pass
    await journal.delete(run.id)
    with pytest.raises(StorageError) as raised:
        await journal.delete(run.id)
    assert raised.value.code == "not_found"
    assert list(journal.log.runs()) == [other.id]
    assert not [name for name in snapshot(store) if run.id in name]
    assert journal.log.changes(cursor).changes[-1] == Change("deleted", run.id)


async def test_a_lost_feed_is_made_anew_and_asks_for_a_scan(journal: Journal, store: Path) -> None:
    """It is derived: without it, readers look at all runs once."""
    old = journal.log.changes(None).cursor
    (store / "feed").unlink()
    assert journal.log.changes(old).everything
    async with journal.run(project="nightly") as run:
        found = journal.log.changes(old)
        assert found.everything
        again = journal.log.changes(found.cursor)
        assert (again.changes, again.everything) == ((), False)
    assert journal.log.changes(found.cursor).changes == (Change("closed", run.id),)


async def test_a_torn_line_of_the_feed_spoils_no_other(journal: Journal, store: Path) -> None:
    """Each line stands between two newlines, so a torn one is a line of its own."""
    cursor = journal.log.changes(None).cursor
    with (store / "feed").open("ab") as feed:
        feed.write(b'\n{"what":"opened","run_id":"01')
    torn = journal.log.changes(cursor)
    assert (torn.changes, torn.everything) == ((), False)
    async with journal.run(project="nightly") as run:
        pass
    wanted = (Change("opened", run.id), Change("closed", run.id))
    assert journal.log.changes(cursor).changes == wanted
    assert journal.log.changes(torn.cursor).changes == wanted


async def test_foreign_lines_of_the_feed_tell_nothing(journal: Journal, store: Path) -> None:
    """Case 76: a path in the place of an id goes nowhere."""
    cursor = journal.log.changes(None).cursor
    with (store / "feed").open("ab") as feed:
        feed.write(b'\n{"what":"opened","run_id":"../../etc","at":"now"}\n\xff\n5\nnull\n\n[]\n')
        feed.write(b'\n{"what":"closed"}\n' + b"x" * 300_000 + b"\n")
    assert journal.log.changes(cursor).changes == ()
    async with journal.run(project="nightly") as run:
        pass
    assert {change.run_id for change in journal.log.changes(cursor).changes} == {run.id}


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_one_store_serves_one_loop_after_the_other(tmp_path: Path, backend: str) -> None:
    """Nothing of a loop that has ended is left in the module."""

    async def work() -> str:
        async with Journal.open(tmp_path / "store") as journal:
            async with journal.run(project="nightly") as run:
                await run.log("info", "hello")
            return run.id

    made = [anyio.run(work, backend=backend) for _ in range(2)]
    assert sorted(FilesystemLog.open(tmp_path / "store").runs()) == sorted(made)

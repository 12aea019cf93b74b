"""Verify names rows that say something else than the log, and survives any index."""

import sqlite3
from pathlib import Path

import pytest
from anyio import to_thread

from journal.backends.filesystem import FilesystemLog
from journal.errors import StorageErrorCode
from journal.events import run
from projections.inspect import check_index
from projections.sqlite import Index
from projections.store import Projections
from tests.projections.helpers import Writer, created, stored
from tests.projections.indexes import Between, visit
from tests.projections.verified import Store

pytestmark = pytest.mark.anyio
CORRUPT, NOT_FOUND = StorageErrorCode.CORRUPT, StorageErrorCode.NOT_FOUND


ROWS = {
    "a record's status": "UPDATE runs SET status = 'failed' WHERE run_id = ?",
    "a record's body": "UPDATE runs SET body = replace(body, '\"seq\":', '\"seq\":1') "
    "WHERE run_id = ?",
    "a record's project": "UPDATE runs SET project = 'another' WHERE run_id = ?",
    "no record": "DELETE FROM runs WHERE run_id = ?",
    "an artifact's size": "UPDATE artifacts SET body = replace(body, ':5,', ':6,') "
    "WHERE run_id = ?",
    "an artifact's phase": "UPDATE artifacts SET phase = NULL WHERE run_id = ?",
    "no artifacts": "DELETE FROM artifacts WHERE run_id = ?",
    "a state": "UPDATE states SET body = replace(body, 'completed', 'cancelled') "
    "WHERE run_id = ? AND projection = 'run_state'",
    "no state": "DELETE FROM states WHERE run_id = ? AND projection = 'run_index'",
    "a cursor's hash": "UPDATE cursors SET hash = replace(hash, 'a', 'b') WHERE run_id = ?",
    "a cursor that is ahead": "UPDATE cursors SET seq = seq + 1 WHERE run_id = ?",
    "a cursor inside a line": "UPDATE cursors SET seq = 2, position = position - 9 "
    "WHERE run_id = ?",
    "marked unreadable": "UPDATE runs SET status = 'unreadable' WHERE run_id = ?",
}


@pytest.mark.parametrize("row", ROWS)
async def test_a_wrong_row_is_named(row: str, store: Store) -> None:
    """Case 60: an index can lie without an error; only the log can tell."""
    store.sql(ROWS[row], store.run_id)
    found = await store.verify()
    assert found
    assert {each.run_id for each in found} == {store.run_id}
    assert all("rebuild" in (each.next_action or "") for each in found)
    async with Projections.open(store.root) as runs:
        checked = await runs.rebuild(check=True)
        assert [each.run_id for each in checked.findings] == [each.run_id for each in found]
        assert not checked.swapped
        await runs.rebuild()
        assert (await runs.rebuild(check=True)).findings == []
    assert await store.verify() == []


async def test_a_row_of_a_run_that_never_was_is_named(store: Store) -> None:
    """Case 60: as good as a run that vanished."""
    store.sql(
        "UPDATE runs SET run_id = '01a1a2a3-0000-7000-8000-000000000000' WHERE run_id = ?",
        store.run_id,
    )
    found = {(each.run_id, each.code, each.reason) for each in await store.verify()}
    assert ("01a1a2a3-0000-7000-8000-000000000000", NOT_FOUND, "log_gone") in found
    assert (store.run_id, CORRUPT, "index_behind") in found


async def test_a_run_that_vanished_is_named(store: Store) -> None:
    """Case 20: the index knows it, the disk does not, and the feed tells of no deletion."""
    store.folder.rename(store.root / "elsewhere")
    (found,) = await store.verify()
    assert (found.code, found.run_id, found.reason) == (NOT_FOUND, store.run_id, "log_gone")


async def test_a_deleted_run_is_not_missed(store: Store) -> None:
    """Also where nobody has listed the store since."""
    store.log.delete(store.run_id)  # type: ignore[arg-type]
    assert await store.verify() == []


async def test_a_run_that_the_index_has_not_seen_yet_is_no_finding(store: Store) -> None:
    """The next reading catches up; a run that was copied in by hand needs a rebuild."""
    Writer(store.log).write(created()).close()
    assert await store.verify() == []


@pytest.mark.parametrize("moment", ["changes", "runs", "head", "extent", "read"])
@pytest.mark.parametrize("ending", ["goes on", "closed", "opened and closed", "new run"])
async def test_what_others_do_meanwhile_is_no_finding(
    moment: str, ending: str, tmp_path: Path
) -> None:
    """A line, and a reader that brings it into the same index, while verify looks at both."""
    log = FilesystemLog.open(tmp_path / "store")
    path = str(tmp_path / "store/index.sqlite")
    ours, theirs = Index(path), Index(path)
    writer = Writer(log).write(created())
    if ending == "opened and closed":
        writer.close()
    visit(ours, log)

    def act() -> None:
        if ending == "new run":
            Writer(log).write(created(), run.RunStarted()).close()
        writer.write(run.RunStarted(), ("p", stored("a1")))
        if ending != "goes on":
            writer.close()
        visit(theirs, log)

    between = Between(log, moment, act)
    report = await to_thread.run_sync(lambda: check_index(ours, between, progress=lambda *_: None))
    assert report.findings == []
    ours.close()
    theirs.close()


async def test_a_damaged_index_is_a_finding_and_no_obstacle(store: Store) -> None:
    """Case 59: malformed, so it does not pass silently; derived, so nothing is lost."""
    (store.root / "index.sqlite").write_bytes(b"garbage" * 1000)
    (found,) = await store.verify()
    assert (found.code, found.reason) == (CORRUPT, "index_file")
    assert await store.verify() == []


async def test_a_newer_index_is_a_finding_and_no_obstacle(store: Store) -> None:
    """Case 61: logs and artifacts are verified all the same."""
    (store.folder / "artifacts" / store.sha256).unlink()
    db = sqlite3.connect(store.root / "index.sqlite")
    db.execute("PRAGMA user_version = 99")
    db.close()
    codes = [each.code for each in await store.verify()]
    assert codes == [StorageErrorCode.UNSUPPORTED_FORMAT, NOT_FOUND, NOT_FOUND]


async def test_verify_makes_no_index(tmp_path: Path) -> None:
    """It looks; making things is for those who read."""
    root = tmp_path / "store"
    Writer(FilesystemLog.open(root)).write(created()).close()
    async with Projections.open(root) as runs:
        assert await runs.verify() == []
        assert (await runs.rebuild(check=True)).runs == 0
    assert not (root / "index.sqlite").exists()

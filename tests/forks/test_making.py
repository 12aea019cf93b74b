"""A fork appears whole or not at all, and is whole wherever its folder is copied to."""

import contextlib
import errno
import shutil
from pathlib import Path

import anyio
import pytest

from journal import Journal
from journal.artifacts.filesystem import FilesystemArtifacts
from journal.backends.filesystem import FilesystemLog
from journal.errors import StorageError, StorageErrorCode
from journal.files import Files
from journal.fork import Store, fork
from journal.ids import RunId, new_run_id
from journal.salvage import salvage
from projections import Projections
from tests.forks.damage import flip, folder_of, starts, trace
from tests.forks.story import half_way
from tests.support.disks import Died, DyingFiles, UnsyncedFiles, WatchedFiles, failing
from tests.support.logs import code_of

ANYIO = pytest.mark.anyio


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunId, RunId]:
    """A store with a run and a fork of it, which is what is forked again."""
    root = tmp_path_factory.mktemp("told") / "store"

    async def make() -> tuple[RunId, RunId]:
        async with Journal.open(root) as journal:
            run_id = await half_way(journal)
            return run_id, RunId((await journal.fork(run_id)).run_id)

    return root, *anyio.run(make)


def store_on(root: Path, files: Files) -> Store:
    log = FilesystemLog.open(root, create=False, files=files)
    return Store(log, FilesystemArtifacts(log.root, files))


def operations(root: Path, run_id: RunId) -> int:
    """How many operations the making of a fork takes."""
    files = WatchedFiles(lambda count, name, arguments: None)
    fork(store_on(root, files), store_on(root, UnsyncedFiles()), run_id, new_run_id())
    return len(files.done)


def made_up(name: str) -> OSError:
    """An error of the system."""
    return OSError(getattr(errno, name), "made up")


@pytest.mark.parametrize("how", ["EIO", "ENOSPC", "death"])
def test_whatever_fails_a_fork_is_whole_or_not_there(
    told: tuple[Path, RunId, RunId], tmp_path: Path, how: str
) -> None:
    """Cases 1, 12 and 13: at each operation in turn; the parent and its fork stay as they are."""
    root, run_id, parent = told
    shutil.copytree(root, tmp_path / "store")
    root = tmp_path / "store"
    quiet = store_on(root, UnsyncedFiles())
    old = {each: trace(Path(quiet.log.folder(each))) for each in (run_id, parent)}  # type: ignore[attr-defined]
    for at in range(1, operations(root, parent) + 1):
        new_id = new_run_id()
        files = DyingFiles(at, 0.5) if how == "death" else failing(at, made_up(how))
        with contextlib.suppress(StorageError, Died):
            fork(store_on(root, files), quiet, parent, new_id)
        if isinstance(files, DyingFiles):
            files.bury()
        if code_of(quiet.log.head, new_id) == "not_found":
            continue
        made = fork(quiet, quiet, new_id, new_run_id())  # reads all of its past, and its artifacts
        assert (made.ancestors, made.artifacts) == (3, 1)
    for each, before in old.items():
        after = trace(Path(quiet.log.folder(each)))  # type: ignore[attr-defined]
        assert after == before


@ANYIO
async def test_a_fork_alone_in_another_store_is_whole(tmp_path: Path) -> None:
    """A run is one folder: copied without its parent it lists, replays, verifies and goes on."""
    async with Journal.open(tmp_path / "store") as journal:
        forked = await journal.fork(await half_way(journal))
        folder = folder_of(journal, forked.run_id)
        async with Projections.of(journal) as runs:
            state = await runs.state(forked.run_id)
            listed = next(r for r in await runs.list() if r.run_id == forked.run_id)
    async with Journal.open(tmp_path / "alone") as alone:
        shutil.copytree(folder, folder_of(alone, forked.run_id))
        async with Projections.of(alone) as runs:
            assert [each.run_id for each in await runs.list()] == [forked.run_id]
            assert await runs.list() == [listed]
            assert await runs.state(forked.run_id) == state
            assert await runs.verify() == []
            (stored,) = await runs.artifacts(forked.run_id)
            assert await alone.load(stored) == "first words"
        async with alone.resume(forked.run_id) as run:
            assert run.state.phase("ingest").status == "completed"


@ANYIO
@pytest.mark.parametrize("how", ["flipped", "cut", "longer", "gone", "led away"])
async def test_damage_in_the_past_is_named_and_refused(tmp_path: Path, how: str) -> None:
    """Cases 21 and 24: nothing is folded onto a past that is not the one that was pinned."""
    async with Journal.open(tmp_path / "store") as journal:
        run_id = await half_way(journal)
        forked = await journal.fork(run_id)
        path = folder_of(journal, forked.run_id) / f"ancestors/{run_id}.jsonl"
        past = path.read_bytes()
        path.unlink()
        if how == "led away":  # the same bytes, but outside of the run's folder
            path.parent.rmdir()
            path.parent.symlink_to(tmp_path)
        if how != "gone":
            path.write_bytes(past[: starts(past)[-2]] if how == "cut" else past)
        if how == "flipped":
            flip(path, starts(past)[2] + 40)
        if how == "longer":
            path.write_bytes(past + past)
        async with Projections.open(tmp_path / "store") as runs:
            (found,) = await runs.verify()
            assert (found.reason, found.run_id) == ("past", forked.run_id)
            assert found.path == f"ancestors/{run_id}.jsonl"
            assert found.next_action == f"journal salvage {forked.run_id}"
            if how == "flipped":
                assert (found.seq, found.offset) == (3, starts(past)[2])
            with pytest.raises(StorageError):
                await runs.state(forked.run_id)
            status = {each.run_id: each.status for each in await runs.list()}
            assert status == {run_id: "running", forked.run_id: "unreadable"}
        with pytest.raises(StorageError) as raised:
            async with journal.resume(forked.run_id):
                pass
        assert raised.value.code is StorageErrorCode.CORRUPT


def test_a_parent_on_a_medium_that_cannot_be_written_is_only_read(
    told: tuple[Path, RunId, RunId],
) -> None:
    """No lock, no file, no time of it changes: all that is asked of its files is to be read."""
    root, _, parent = told
    reading = {
        "open_read", "pread", "close", "status", "status_of", "is_folder", "listdir", "is_locked"
    }  # fmt: skip
    files = WatchedFiles(lambda count, name, arguments: None)
    target = store_on(root, UnsyncedFiles())
    fork(target, store_on(root, files), parent, new_run_id())
    events = Path(target.log.folder(parent)) / "events.jsonl"  # type: ignore[attr-defined]
    whole = events.read_bytes()
    events.write_bytes(whole + whole)
    try:
        salvage(target, store_on(root, files), parent, new_run_id())
    finally:
        events.write_bytes(whole)
    assert set(files.done) <= reading

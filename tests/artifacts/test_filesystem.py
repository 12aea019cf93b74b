"""Artifacts as files: names, modes, order of operations, what may lie in the way."""

import errno
import os
import stat
import tracemalloc
from pathlib import Path

import pytest

from journal.artifacts.filesystem import FilesystemArtifacts
from journal.artifacts.store import StoredBytes
from journal.errors import StorageError, StorageErrorCode
from journal.files import Files
from journal.ids import RunId, new_run_id, run_id_folder
from tests.artifacts.faults import failing

SHA_OF_ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.fixture
def run_id() -> RunId:
    return new_run_id()


@pytest.fixture
def folder(tmp_path: Path, run_id: RunId) -> Path:
    made = tmp_path / "runs" / run_id_folder(run_id) / "artifacts"
    made.mkdir(parents=True)
    return made


@pytest.fixture
def store(tmp_path: Path, folder: Path) -> FilesystemArtifacts:
    return FilesystemArtifacts(str(tmp_path))


def put(store: FilesystemArtifacts, run_id: RunId, content: bytes = b"abc") -> StoredBytes:
    sink = store.begin(run_id)
    sink.write(content)
    return sink.commit()


def test_content_lies_in_the_runs_folder_under_its_digest(
    store: FilesystemArtifacts, run_id: RunId, folder: Path
) -> None:
    """A run is one folder: `sha256sum artifacts/*` checks it without any of our code."""
    stored = put(store, run_id)
    assert stored.location == str(folder / SHA_OF_ABC)
    assert [path.name for path in folder.iterdir()] == [SHA_OF_ABC]
    assert (folder / SHA_OF_ABC).read_bytes() == b"abc"


def test_nobody_else_may_read_an_artifact_case_81(
    store: FilesystemArtifacts, run_id: RunId, folder: Path
) -> None:
    """Artifacts may hold what their run was trusted with, whatever the umask says."""
    folder.rmdir()
    before = os.umask(0)
    try:
        put(store, run_id)
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / SHA_OF_ABC).stat().st_mode) == 0o600


def test_an_unknown_run_is_not_made_by_storing_into_it(
    store: FilesystemArtifacts, tmp_path: Path
) -> None:
    """A folder without a log would be a run that nobody started."""
    stranger = new_run_id()
    with pytest.raises(StorageError, match="the run is not in the store") as raised:
        store.begin(stranger)
    assert raised.value.code is StorageErrorCode.NOT_FOUND
    assert raised.value.info.details.next_action == "journal list"
    assert not (tmp_path / "runs" / run_id_folder(stranger)).exists()


def test_content_is_synced_before_it_has_its_name_and_the_name_before_it_is_told(
    tmp_path: Path, folder: Path, run_id: RunId
) -> None:
    """An event that names an artifact must never be more durable than the artifact."""
    files = failing(0, 0)
    put(FilesystemArtifacts(str(tmp_path), files), run_id)
    steps = [name for name in files.done if name in {"write", "fdatasync", "rename", "fsync_dir"}]
    assert steps == ["fsync_dir", "write", "fdatasync", "rename", "fsync_dir"]


def test_content_that_is_there_is_synced_before_it_is_told_again(
    tmp_path: Path, store: FilesystemArtifacts, folder: Path, run_id: RunId
) -> None:
    """Whoever put it there may have died, or merely copied it, before it was durable."""
    put(store, run_id)
    files = failing(0, 0)
    put(FilesystemArtifacts(str(tmp_path), files), run_id)
    assert files.done.count("fdatasync") == 2
    assert "rename" not in files.done
    assert files.done[-1] == "fsync_dir"


def test_a_short_write_is_gone_on_with_case_15(tmp_path: Path, folder: Path, run_id: RunId) -> None:
    """Every write there is may take fewer bytes than it was given."""

    class ShortFiles(Files):
        def write(self, fd: int, data: bytes | memoryview) -> int:
            return super().write(fd, data[:3])

    store = FilesystemArtifacts(str(tmp_path), ShortFiles())
    stored = put(store, run_id, b"longer than three bytes")
    assert store.read_all(run_id, stored.sha256, 23) == b"longer than three bytes"


def _symlink(place: Path, elsewhere: Path) -> None:
    elsewhere.write_bytes(b"abc")
    place.symlink_to(elsewhere)


def _fifo(place: Path, _: Path) -> None:
    os.mkfifo(place)


def _folder(place: Path, _: Path) -> None:
    place.mkdir()


@pytest.mark.parametrize("lay", [_symlink, _fifo, _folder])
def test_only_a_regular_file_is_read_case_38(
    store: FilesystemArtifacts, run_id: RunId, folder: Path, tmp_path: Path, lay: object
) -> None:
    """A link leads out of the store, a FIFO makes its reader wait for ever."""
    assert callable(lay)
    lay(folder / SHA_OF_ABC, tmp_path / "elsewhere")
    for read in (store.read_all, store.check):
        with pytest.raises(StorageError) as raised:
            read(run_id, SHA_OF_ABC, 3)
        assert raised.value.code is StorageErrorCode.IO_ERROR
        assert raised.value.info.details.path == str(folder / SHA_OF_ABC)


@pytest.mark.parametrize("lay", [_symlink, _fifo])
def test_what_is_no_file_gives_way_to_the_content_case_38(
    store: FilesystemArtifacts, run_id: RunId, folder: Path, tmp_path: Path, lay: object
) -> None:
    """The name is the content's own; what a link points to is left alone."""
    assert callable(lay)
    elsewhere = tmp_path / "elsewhere"
    lay(folder / SHA_OF_ABC, elsewhere)
    assert put(store, run_id).replaced
    assert store.read_all(run_id, SHA_OF_ABC, 3) == b"abc"
    assert (folder / SHA_OF_ABC).lstat().st_nlink == 1
    assert not elsewhere.exists() or elsewhere.read_bytes() == b"abc"


def test_a_folder_in_the_way_is_refused_and_kept_case_38(
    store: FilesystemArtifacts, run_id: RunId, folder: Path
) -> None:
    """Nothing of ours makes a folder there; whoever did may want it."""
    (folder / SHA_OF_ABC / "theirs").mkdir(parents=True)
    with pytest.raises(StorageError) as raised:
        put(store, run_id)
    assert raised.value.code is StorageErrorCode.IO_ERROR
    assert [path.name for path in folder.iterdir()] == [SHA_OF_ABC]
    assert (folder / SHA_OF_ABC / "theirs").is_dir()


def test_an_artifacts_folder_that_is_a_link_is_refused_case_38(
    store: FilesystemArtifacts, run_id: RunId, folder: Path, tmp_path: Path
) -> None:
    """Reading and writing would go wherever it points."""
    folder.rmdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / SHA_OF_ABC).write_bytes(b"abc")
    folder.symlink_to(elsewhere)
    for ask in (
        lambda: store.begin(run_id),
        lambda: store.read_all(run_id, SHA_OF_ABC, 3),
        lambda: list(store.digests(run_id)),
        lambda: store.remove(run_id, SHA_OF_ABC),
        lambda: store.sweep(run_id),
    ):
        with pytest.raises(StorageError, match=r"no folder|not a folder") as raised:
            ask()
        assert raised.value.code is StorageErrorCode.IO_ERROR
    assert [path.name for path in elsewhere.iterdir()] == [SHA_OF_ABC]


def test_a_sparse_file_of_a_terabyte_is_refused_unread_case_39(
    store: FilesystemArtifacts, run_id: RunId, folder: Path
) -> None:
    """Its size gives it away, so the work is bound by what was told, not by what lies there."""
    stored = put(store, run_id)
    os.truncate(stored.location, 2**40)
    with pytest.raises(StorageError) as raised:
        store.read_all(run_id, stored.sha256, 3)
    assert raised.value.code is StorageErrorCode.CORRUPT
    assert put(store, run_id).replaced
    assert os.stat(stored.location).st_size == 3


def test_other_names_in_the_folder_are_no_artifacts(
    store: FilesystemArtifacts, run_id: RunId, folder: Path
) -> None:
    """An editor's backup or a half copy of rsync must not be taken for content."""
    stored = put(store, run_id)
    for name in (".DS_Store", stored.sha256.upper(), f".{stored.sha256}.Xq2", "README", "a" * 63):
        (folder / name).write_bytes(b"abc")
    assert list(store.digests(run_id)) == [stored.sha256]
    assert store.sweep(run_id) == 0


def test_a_shortage_says_nothing_about_the_file_that_is_there_case_16(
    tmp_path: Path, store: FilesystemArtifacts, folder: Path, run_id: RunId
) -> None:
    """Out of descriptors while checking an older copy: the copy is not therefore damaged."""
    inode = os.stat(put(store, run_id).location).st_ino

    class NoDescriptors(Files):
        def open_read(self, path: str) -> int:
            raise OSError(errno.EMFILE, "Too many open files", path)

    with pytest.raises(StorageError) as raised:
        put(FilesystemArtifacts(str(tmp_path), NoDescriptors()), run_id)
    assert raised.value.code is StorageErrorCode.UNAVAILABLE
    assert raised.value.info.retryable
    assert [(path.name, path.stat().st_ino) for path in folder.iterdir()] == [(SHA_OF_ABC, inode)]


def test_a_large_artifact_passes_through_little_memory_case_75(
    store: FilesystemArtifacts, run_id: RunId
) -> None:
    """What goes for 24 MiB goes for 5 GiB: memory is bound by the chunk."""
    chunk = bytes(2**18)
    tracemalloc.start()
    try:
        sink = store.begin(run_id)
        for _ in range(96):
            sink.write(chunk)
        stored = sink.commit()
        store.check(run_id, stored.sha256, stored.size_bytes)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert stored.size_bytes == 96 * 2**18
    assert peak < 2**21

"""What every artifact store must do when a run takes content over from another one."""

from pathlib import Path

import pytest

from journal.artifacts.filesystem import FilesystemArtifacts
from journal.artifacts.memory import MemoryArtifacts
from journal.artifacts.store import ArtifactStore, Content, StoredBytes
from journal.errors import StorageError, StorageErrorCode
from journal.ids import RunId, new_run_id
from tests.contract.artifact_subjects import SUBJECTS, Subject


@pytest.fixture(params=SUBJECTS)
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Subject:
    return SUBJECTS[request.param](tmp_path)


def stored(store: ArtifactStore, run_id: RunId, data: bytes) -> StoredBytes:
    sink = store.begin(run_id)
    sink.write(data)
    return sink.commit()


def content(store: ArtifactStore, run_id: RunId, made: StoredBytes) -> Content:
    return Content(store=store, run_id=run_id, sha256=made.sha256, size_bytes=made.size_bytes)


def test_adopted_content_outlives_the_run_it_came_from(subject: Subject) -> None:
    """A fork has its artifacts, whatever becomes of its parent."""
    store, old, new = subject.store, subject.new_run(), subject.new_run()
    made = stored(store, old, b"words")
    store.adopt(new, content(store, old, made))
    store.remove(old, made.sha256)
    assert store.read_all(new, made.sha256, made.size_bytes) == b"words"
    assert list(store.digests(new)) == [made.sha256]


@pytest.mark.parametrize("size", [0, 1, 3 * 1024 * 1024 // 4])
def test_content_of_another_store_is_copied(subject: Subject, tmp_path: Path, size: int) -> None:
    """Where it cannot be shared, its bytes are taken, checked."""
    other, old, new = MemoryArtifacts(), new_run_id(), subject.new_run()
    made = stored(other, old, b"x" * size)
    subject.store.adopt(new, content(other, old, made))
    assert subject.store.read_all(new, made.sha256, size) == b"x" * size


def test_damaged_content_is_not_adopted(subject: Subject) -> None:
    """Case 70: damage is refused where it is met, and does not spread."""
    store, old, new = subject.store, subject.new_run(), subject.new_run()
    made = stored(store, old, b"words")
    subject.damage(old, made.sha256, b"wordz")
    with pytest.raises(StorageError) as raised:
        store.adopt(new, content(store, old, made))
    assert raised.value.code is StorageErrorCode.CORRUPT
    assert list(store.digests(new)) == []


def test_content_that_is_gone_is_not_adopted(subject: Subject) -> None:
    """Case 69: nothing is made up for it."""
    store, old, new = subject.store, subject.new_run(), subject.new_run()
    made = stored(store, old, b"words")
    store.remove(old, made.sha256)
    with pytest.raises(StorageError) as raised:
        store.adopt(new, content(store, old, made))
    assert raised.value.code is StorageErrorCode.NOT_FOUND
    assert list(store.digests(new)) == []


def test_a_file_that_cannot_be_shared_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another file system, another owner, too many names: the fork is made all the same."""
    subject = SUBJECTS["filesystem"](tmp_path)
    store, old, new = subject.store, subject.new_run(), subject.new_run()
    assert isinstance(store, FilesystemArtifacts)
    made = stored(store, old, b"words")

    def refuse(source: str, target: str) -> None:
        raise OSError(18, "Invalid cross-device link", source)

    monkeypatch.setattr(store.files, "link", refuse)
    store.adopt(new, content(store, old, made))
    there = Path(store.location(new, made.sha256))
    assert there.read_bytes() == b"words"
    assert there.stat().st_nlink == 1

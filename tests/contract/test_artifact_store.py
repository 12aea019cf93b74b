"""
What every artifact store must do, whatever keeps its bytes.

A further backend adds its subject to ``artifact_subjects.py`` and runs all of this.
"""

import hashlib
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from journal.artifacts.store import ArtifactStore, StoredBytes
from journal.errors import StorageError, StorageErrorCode
from journal.ids import RunId, new_run_id
from journal.limits import READ_BYTES
from tests.contract.artifact_subjects import BYTES_MAX, SUBJECTS, Subject

SECRET = b"the cook's secret"
NOWHERE = hashlib.sha256(b"never stored").hexdigest()


@pytest.fixture(params=SUBJECTS)
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Subject:
    return SUBJECTS[request.param](tmp_path)


@pytest.fixture
def store(subject: Subject) -> ArtifactStore:
    return subject.store


@pytest.fixture
def run_id(subject: Subject) -> RunId:
    return subject.new_run()


def put(store: ArtifactStore, run_id: RunId, *chunks: bytes) -> StoredBytes:
    sink = store.begin(run_id)
    for chunk in chunks:
        sink.write(chunk)
    return sink.commit()


def code_of(raised: pytest.ExceptionInfo[StorageError]) -> StorageErrorCode:
    return raised.value.code


def test_what_was_stored_comes_back_under_its_digest(store: ArtifactStore, run_id: RunId) -> None:
    """The digest is the name: whoever holds it can check the content with sha256sum alone."""
    stored = put(store, run_id, b"one", b"", b"two")
    assert stored.sha256 == hashlib.sha256(b"onetwo").hexdigest()
    assert stored.size_bytes == 6
    assert not stored.replaced
    assert stored.location == store.location(run_id, stored.sha256)
    assert store.read_all(run_id, stored.sha256, 6) == b"onetwo"
    assert list(store.digests(run_id)) == [stored.sha256]
    store.check(run_id, stored.sha256, 6)


def test_zero_bytes_are_an_artifact_case_75(store: ArtifactStore, run_id: RunId) -> None:
    """A phase that found nothing has a result all the same."""
    stored = put(store, run_id)
    assert stored.sha256 == hashlib.sha256(b"").hexdigest()
    assert store.read_all(run_id, stored.sha256, 0) == b""
    assert list(store.read(run_id, stored.sha256, 0)) == []
    store.check(run_id, stored.sha256, 0)


def test_long_content_comes_in_chunks(store: ArtifactStore, run_id: RunId) -> None:
    """A reader's memory is bound by a chunk, not by the artifact."""
    content = bytes(range(256)) * (READ_BYTES // 256) * 3 + b"tail"
    stored = put(store, run_id, content)
    chunks = list(store.read(run_id, stored.sha256, stored.size_bytes))
    assert b"".join(chunks) == content
    assert max(map(len, chunks)) <= READ_BYTES


@given(chunks=st.lists(st.binary(max_size=2000), max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
def test_any_bytes_in_any_pieces_come_back(subject: Subject, chunks: list[bytes]) -> None:
    """How content was cut into writes leaves no trace."""
    run_id, content = subject.new_run(), b"".join(chunks)
    stored = put(subject.store, run_id, *chunks)
    assert stored.sha256 == hashlib.sha256(content).hexdigest()
    assert subject.store.read_all(run_id, stored.sha256, stored.size_bytes) == content


def test_nobody_sees_an_artifact_before_its_commit(store: ArtifactStore, run_id: RunId) -> None:
    """An artifact is whole under its digest, or it is not there."""
    sink = store.begin(run_id)
    sink.write(b"half")
    assert list(store.digests(run_id)) == []
    sink.abort()
    assert list(store.digests(run_id)) == []
    assert store.sweep(run_id) == 0


def test_a_finished_sink_is_closed(store: ArtifactStore, run_id: RunId) -> None:
    """Bytes that came after the digest was made would be in no artifact; they are refused."""
    sink = store.begin(run_id)
    stored = sink.commit()
    sink.abort()
    assert store.read_all(run_id, stored.sha256, 0) == b""
    aborted = store.begin(run_id)
    aborted.abort()
    aborted.abort()
    for closed in (sink, aborted):
        with pytest.raises(StorageError) as raised:
            closed.write(b"late")
        assert code_of(raised) is StorageErrorCode.CLOSED
        with pytest.raises(StorageError) as raised:
            closed.commit()
        assert code_of(raised) is StorageErrorCode.CLOSED


def test_content_past_the_bound_is_refused(store: ArtifactStore, run_id: RunId) -> None:
    """A payload without an end stops at the bound and leaves nothing behind."""
    sink = store.begin(run_id)
    sink.write(bytes(BYTES_MAX))
    with pytest.raises(StorageError) as raised:
        sink.write(b"x")
    assert code_of(raised) is StorageErrorCode.LIMIT_EXCEEDED
    with pytest.raises(StorageError, match="closed"):
        sink.commit()
    assert list(store.digests(run_id)) == []
    assert store.sweep(run_id) == 0


def test_the_same_content_is_kept_once(store: ArtifactStore, run_id: RunId) -> None:
    """Two acts of storing one content are two events and one file."""
    first, second = put(store, run_id, b"same"), put(store, run_id, b"sa", b"me")
    assert first == second
    assert list(store.digests(run_id)) == [first.sha256]


def test_the_same_content_at_once_is_one_case_72(store: ArtifactStore, run_id: RunId) -> None:
    """Partitions run side by side and may well produce the same bytes."""

    def publish(_: int) -> StoredBytes:
        return put(store, run_id, b"the same", bytes(10_000))

    with ThreadPoolExecutor(8) as threads:
        stored = {(s.sha256, s.replaced) for s in threads.map(publish, range(32))}
    assert len(stored) == 1
    ((sha256, replaced),) = stored
    assert not replaced
    assert list(store.digests(run_id)) == [sha256]
    assert store.sweep(run_id) == 0
    store.check(run_id, sha256, 10_008)


@pytest.mark.parametrize("damage", [b"damaged!", b"shorter", b"", b"much longer than it was"])
def test_a_damaged_one_is_noticed_on_put_and_replaced_case_73(
    subject: Subject, run_id: RunId, damage: bytes
) -> None:
    """Whoever stores the content again holds the cure in hand."""
    stored = put(subject.store, run_id, b"original")
    subject.damage(run_id, stored.sha256, damage)
    again = put(subject.store, run_id, b"original")
    assert again.replaced
    assert subject.store.read_all(run_id, again.sha256, 8) == b"original"
    assert list(subject.store.digests(run_id)) == [stored.sha256]


def test_every_flipped_bit_is_corrupt_before_a_byte_is_seen_case_70(
    subject: Subject, run_id: RunId
) -> None:
    """Content of one chunk is checked as a whole before anybody gets any of it."""
    stored = put(subject.store, run_id, SECRET)
    for bit in range(len(SECRET) * 8):
        flipped = bytearray(SECRET)
        flipped[bit // 8] ^= 1 << bit % 8
        subject.damage(run_id, stored.sha256, bytes(flipped))
        for read in (subject.store.read, subject.store.read_all, subject.store.check):
            with pytest.raises(StorageError) as raised:
                next(iter(read(run_id, stored.sha256, len(SECRET)) or ()))
            assert code_of(raised) is StorageErrorCode.CORRUPT


@pytest.mark.parametrize("place", [0, READ_BYTES, 3 * READ_BYTES - 1])
def test_damaged_long_content_is_never_seen_to_its_end_case_70(
    subject: Subject, run_id: RunId, place: int
) -> None:
    """A stream can only be judged at its end, so its last chunk waits for the verdict."""
    content = bytearray(3 * READ_BYTES)
    stored = put(subject.store, run_id, bytes(content))
    content[place] ^= 1
    subject.damage(run_id, stored.sha256, bytes(content))
    seen: list[bytes] = []
    with pytest.raises(StorageError) as raised:
        seen.extend(subject.store.read(run_id, stored.sha256, len(content)))
    assert code_of(raised) is StorageErrorCode.CORRUPT
    assert len(seen) <= 2


@pytest.mark.parametrize("size", [0, 4, 6])
def test_another_size_is_corrupt_before_a_byte_is_seen_case_70(
    store: ArtifactStore, run_id: RunId, size: int
) -> None:
    """The size is known without reading, so it is checked first."""
    stored = put(store, run_id, b"12345")
    with pytest.raises(StorageError) as raised:
        next(store.read(run_id, stored.sha256, size))
    assert code_of(raised) is StorageErrorCode.CORRUPT
    assert raised.value.info.details.reason == "size"


def test_what_is_not_there_is_not_found_case_69(store: ArtifactStore, run_id: RunId) -> None:
    """The event may outlive the bytes: a file is lost, or was deleted."""
    stored = put(store, run_id, b"soon gone")
    store.remove(run_id, stored.sha256)
    assert list(store.digests(run_id)) == []
    for ask in (
        lambda: next(store.read(run_id, stored.sha256, 9)),
        lambda: store.read_all(run_id, stored.sha256, 9),
        lambda: store.check(run_id, stored.sha256, 9),
        lambda: store.remove(run_id, stored.sha256),
        lambda: store.read_all(new_run_id(), stored.sha256, 9),
    ):
        with pytest.raises(StorageError) as raised:
            ask()
        assert code_of(raised) is StorageErrorCode.NOT_FOUND


@pytest.mark.parametrize(
    "name", ["", "..", "../head", "a" * 63, "A" * 64, "g" * 64, "a" * 65, "a" * 63 + "\n", None]
)
def test_only_a_digest_names_an_artifact_case_76(
    store: ArtifactStore, run_id: RunId, name: str
) -> None:
    """What becomes a file name is parsed first, wherever it comes from."""
    for ask in (
        lambda: next(store.read(run_id, name, 1)),
        lambda: store.read_all(run_id, name, 1),
        lambda: store.check(run_id, name, 1),
        lambda: store.remove(run_id, name),
        lambda: store.location(run_id, name),
    ):
        with pytest.raises(StorageError) as raised:
            ask()
        assert code_of(raised) is StorageErrorCode.VALIDATION_ERROR


@pytest.mark.parametrize("name", ["", "..", "../../x", "a/b", "x\0y", "run-1", 7])
def test_only_a_run_id_names_a_run_case_76(store: ArtifactStore, name: RunId) -> None:
    """A run id becomes a folder, so a store does not take the caller's word for it."""
    with pytest.raises(StorageError) as raised:
        store.begin(name)
    assert code_of(raised) is StorageErrorCode.VALIDATION_ERROR


def test_runs_do_not_share_content(subject: Subject) -> None:
    """A run is one folder: deleting one run takes nothing from another."""
    one, other = subject.new_run(), subject.new_run()
    stored = put(subject.store, one, b"shared")
    put(subject.store, other, b"shared")
    subject.store.remove(one, stored.sha256)
    assert subject.store.read_all(other, stored.sha256, 6) == b"shared"


def test_digests_are_sorted_and_an_unknown_run_has_none(
    store: ArtifactStore, run_id: RunId
) -> None:
    """Absent is an empty list, never an exception, where people ask for a list."""
    stored = [put(store, run_id, bytes([number])).sha256 for number in range(9)]
    assert list(store.digests(run_id)) == sorted(stored)
    assert list(store.digests(new_run_id())) == []
    assert store.sweep(new_run_id()) == 0


def test_a_sweep_takes_nothing_that_was_stored(store: ArtifactStore, run_id: RunId) -> None:
    """It may run at every opening of a run."""
    stored = put(store, run_id, b"kept")
    assert store.sweep(run_id) == 0
    store.check(run_id, stored.sha256, 4)


def test_an_error_says_where_and_what_next_and_quotes_nothing_case_84(
    subject: Subject, run_id: RunId
) -> None:
    """An error may be logged anywhere, so it names the artifact and holds none of it."""
    stored = put(subject.store, run_id, SECRET)
    subject.damage(run_id, stored.sha256, SECRET[::-1])
    with pytest.raises(StorageError) as raised:
        subject.store.read_all(run_id, stored.sha256, len(SECRET))
    error = raised.value
    details = error.info.details
    assert (details.run_id, details.backend) == (run_id, subject.store.backend)
    assert subject.store.location(run_id, stored.sha256) in {details.path, details.uri}
    assert stored.sha256 in error.info.message
    assert details.next_action == f"journal verify {run_id}"
    shown = str(error) + error.info.model_dump_json() + repr(error)
    assert "secret" not in shown
    assert "terces" not in shown
    assert pickle.loads(pickle.dumps(error)).info == error.info  # noqa: S301 - our own bytes

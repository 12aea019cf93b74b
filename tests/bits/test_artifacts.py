"""Artifacts: every bit, every length, another one's content, nothing: noticed, and named."""

import hashlib
import itertools
import random
from collections.abc import Callable, Iterator

import pytest

from journal.artifacts.filesystem import FilesystemArtifacts
from journal.artifacts.store import ArtifactMetadata
from journal.errors import StorageError
from journal.limits import READ_BYTES
from projections.replay import ARTIFACT_INDEX, fold_log
from projections.verify import verify
from tests.bits.story import Told


class Stored:
    """The artifacts of a run that is held in memory."""

    def __init__(self, run: Told) -> None:
        self.run = run
        self.store = FilesystemArtifacts(run.store.root, run.store.files)
        head = run.store.log.head(run.run_id).head
        fold = fold_log(ARTIFACT_INDEX, run.store.log, run.run_id, head)
        self.told: list[ArtifactMetadata] = ARTIFACT_INDEX.present(fold)

    def content(self, one: ArtifactMetadata) -> bytes:
        return self.store.read_all(self.run.run_id, one.sha256, one.size_bytes)

    def name(self, one: ArtifactMetadata) -> str:
        return f"artifacts/{one.sha256}"

    def refusals(self, one: ArtifactMetadata) -> set[str]:
        """What each way of reading says; content that is seen at all is told as it is."""
        place = self.run.run_id, one.sha256, one.size_bytes
        ways: list[Callable[[], object]] = [
            lambda: self.store.read_all(*place),
            lambda: next(self.store.read(*place)),
            lambda: self.store.check(*place),
        ]
        return {told(way) for way in ways}

    def named(self) -> list[tuple[str, str | None]]:
        """What ``verify`` says."""
        found = verify(self.run.store.log, self.store, None, [self.run.run_id])
        return [(each.code.value, each.artifact_id) for each in found]


def told(way: Callable[[], object]) -> str:
    try:
        way()
    except StorageError as failure:
        return failure.code.value
    return "nothing"


@pytest.fixture
def stored(run: Told) -> Stored:
    found = Stored(run)
    assert len(found.told) == 4
    assert found.named() == []
    return found


def test_every_flipped_bit_of_an_artifact_is_noticed(stored: Stored) -> None:
    """Case 70: before one byte of it is seen, whichever way it is read; verify names it."""
    for one in stored.told:
        content = bytearray(stored.content(one))
        with stored.run.holding(content, stored.name(one)):
            for place, shift in itertools.product(range(len(content)), range(8)):
                content[place] ^= 1 << shift
                assert stored.refusals(one) == {"corrupt"}, (place, shift)
                if (place, shift) in {(0, 0), (len(content) // 2, 3), (len(content) - 1, 7)}:
                    assert stored.named() == [("corrupt", one.artifact_id)]
                content[place] ^= 1 << shift
    assert stored.named() == []


def test_an_artifact_of_any_other_length_is_noticed(stored: Stored) -> None:
    """Case 70: cut anywhere, or with anything behind it."""
    (one, *_) = stored.told
    whole = stored.content(one)
    shorter: Iterator[bytes] = (whole[:length] for length in range(len(whole)))
    longer = (whole + more for more in (b"\n", bytes(512), whole))
    for number, content in enumerate(itertools.chain(shorter, longer)):
        with stored.run.holding(content, stored.name(one)):
            assert stored.refusals(one) == {"corrupt"}
            if number % 50 == 0:
                assert stored.named() == [("corrupt", one.artifact_id)]


def test_one_artifact_in_the_place_of_another_is_noticed(stored: Stored) -> None:
    """Case 70: as long as each other or not; both are named."""
    for one, other in itertools.combinations(stored.told, 2):
        ours, theirs = stored.content(one), stored.content(other)
        with (
            stored.run.holding(theirs, stored.name(one)),
            stored.run.holding(ours, stored.name(other)),
        ):
            assert stored.refusals(one) == stored.refusals(other) == {"corrupt"}
            assert sorted(stored.named(), key=str) == sorted(
                [("corrupt", one.artifact_id), ("corrupt", other.artifact_id)], key=str
            )


def test_an_artifact_that_is_gone_is_named(stored: Stored) -> None:
    """Case 69: its event is there; each is missed, by every reader and by verify."""
    files = stored.run.store.files
    for one in stored.told:
        path = f"{stored.run.folder}/{stored.name(one)}"
        content = files.content.pop(path)
        assert stored.refusals(one) == {"not_found"}
        assert stored.named() == [("not_found", one.artifact_id)]
        files.content[path] = content


def test_a_flipped_bit_of_a_long_artifact_is_noticed_before_its_end(stored: Stored) -> None:
    """Case 70: what is streamed can only be judged at its end, so that end is never given."""
    chosen = random.Random(70)
    content = bytearray(chosen.randbytes(2 * READ_BYTES + 1000))
    digest = hashlib.sha256(content).hexdigest()
    path = f"{stored.run.folder}/artifacts/{digest}"
    stored.run.store.files.content[path] = content
    place = stored.run.run_id, digest, len(content)
    assert stored.store.read_all(*place) == content
    for _ in range(200):
        bit = chosen.randrange(len(content) * 8)
        content[bit // 8] ^= 1 << bit % 8
        seen: list[bytes] = []
        with pytest.raises(StorageError) as refused:
            seen.extend(stored.store.read(*place))
        assert refused.value.code == "corrupt"
        assert sum(map(len, seen)) < len(content)
        assert told(lambda: stored.store.read_all(*place)) == "corrupt"
        content[bit // 8] ^= 1 << bit % 8
    del stored.run.store.files.content[path]

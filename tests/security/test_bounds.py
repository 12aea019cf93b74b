"""Security, bounds: what is past one is refused, and what is refused costs little."""

from pathlib import Path

import pytest

from journal import Journal, StorageError, StorageErrorCode, limits
from journal.artifacts.filesystem import FilesystemArtifacts
from journal.backends.filesystem import FilesystemLog
from journal.events.log import LogEmitted
from journal.testing import memory_journal
from projections import Projections

LIMIT = StorageErrorCode.LIMIT_EXCEEDED


def nested(levels: int) -> object:
    """Return lists inside each other."""
    value: object = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.anyio
async def test_a_line_a_batch_and_a_nesting_have_a_bound() -> None:
    """Security: one caller must not make a log that no reader takes."""
    async with memory_journal() as journal, journal.run(project="p") as run:
        before = run.seq
        for events, code in (
            ([LogEmitted(name="x" * limits.LINE_BYTES_MAX)], LIMIT),
            ([LogEmitted()] * (limits.BATCH_LINES_MAX + 1), LIMIT),
            ([LogEmitted(name="x" * 1_000_000)] * 9, LIMIT),
            ([], LIMIT),
            ([LogEmitted(data={"x": nested(70)})], StorageErrorCode.VALIDATION_ERROR),
            ([LogEmitted(data={"x": 2**65})], StorageErrorCode.VALIDATION_ERROR),
        ):
            with pytest.raises(StorageError) as caught:
                await run.append(events)
            assert caught.value.code is code
        with pytest.raises(StorageError):
            await run.append(LogEmitted(), key="k" * (limits.KEY_BYTES_MAX + 1))
        with pytest.raises(StorageError):
            await run.append(LogEmitted(), message="m" * (limits.MESSAGE_CHARS_MAX + 1))
        assert run.seq == before


@pytest.mark.anyio
async def test_an_artifact_has_a_bound(tmp_path: Path) -> None:
    """Security: a payload without an end stops before the disk does, and leaves nothing."""
    log = FilesystemLog.open(tmp_path / "store")
    journal = Journal(log, FilesystemArtifacts(log.root, log.files, bytes_max=1000))
    async with journal.run(project="p") as run:
        assert (await run.store(b"x" * 1000)).size_bytes == 1000
        with pytest.raises(StorageError) as caught:
            await run.store(b"x" * 1001)
        assert caught.value.code is LIMIT
    await journal.close()
    assert len(list((tmp_path / "store").rglob("artifacts/*"))) == 1


@pytest.mark.anyio
async def test_a_page_has_a_bound(tmp_path: Path) -> None:
    """Security: a list gives as many as were asked for, however many there are."""
    async with Journal.open(tmp_path / "store") as journal:
        for _ in range(3):
            async with journal.run(project="p"):
                pass
    async with Projections.open(tmp_path / "store") as runs:
        assert len(await runs.list(limit=2)) == 2
        assert len(await runs.list(limit=10**30)) == 3

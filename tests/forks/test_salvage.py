"""What is damaged is never touched: whatever of it verifies becomes a new run."""

from pathlib import Path

import pytest

from journal import Journal
from journal.backends.filesystem import FilesystemLog
from journal.errors import StorageError, StorageErrorCode
from projections import Projections
from tests.forks.story import half_way
from tests.support.logs import snapshot


def folder_of(journal: Journal, run_id: str) -> Path:
    assert isinstance(journal.log, FilesystemLog)
    return Path(journal.log.folder(run_id))  # type: ignore[arg-type]


@pytest.mark.anyio
async def test_a_flipped_bit_leaves_all_that_stands_before_it(tmp_path: Path) -> None:
    """Case 21: the damaged run stays as it is, and the new one has every batch before the flip."""
    async with Journal.open(tmp_path / "store") as journal:
        run_id = await half_way(journal)
        events = folder_of(journal, run_id) / "events.jsonl"
        lines = events.read_bytes().splitlines(keepends=True)
        lines[4] = lines[4].replace(b'"level":"info"', b'"level":"jnfo"')
        events.write_bytes(b"".join(lines))
        before = snapshot(events.parent)
        made = await journal.salvage(run_id)
        assert snapshot(events.parent) == before
        assert (made.damaged, made.parent, made.code) == (run_id, run_id, "corrupt")
        assert made.left_from_line == made.seq + 1 <= 5
        assert made.left_from_byte == sum(map(len, lines[: made.seq]))
        assert made.left_bytes == sum(map(len, lines[made.seq :]))
        async with Projections.open(tmp_path / "store") as runs:
            assert [f.run_id for f in await runs.verify()] == [run_id]
            assert (await runs.state(made.run_id)).status == "pending"


@pytest.mark.anyio
async def test_a_run_that_is_not_damaged_is_not_salvaged(journal: Journal) -> None:
    """What the library can go on with is gone on with: salvage is for what it refuses."""
    run_id = await half_way(journal)
    with pytest.raises(StorageError) as raised:
        await journal.salvage(run_id)
    assert raised.value.code is StorageErrorCode.CONFLICT
    assert raised.value.info.details.next_action == f"journal resume {run_id}"

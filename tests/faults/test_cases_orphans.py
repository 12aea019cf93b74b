"""Bytes of an artifact that no event tells: the writer died between the two."""

from pathlib import Path

from journal import Journal
from journal.artifacts.filesystem import FilesystemArtifacts
from journal.backends.filesystem import FilesystemLog
from journal.ids import RunId, parse_run_id
from projections import Projections


def left_behind(store: Path, run_id: RunId) -> Path:
    """Store bytes as a run does, and die before the event."""
    artifacts = FilesystemArtifacts(str(store), FilesystemLog.open(store).files)
    sink = artifacts.begin(run_id)
    sink.write(b"stored, never told")
    return Path(artifacts.location(run_id, sink.commit().sha256))


async def test_an_artifact_without_its_event_is_no_trouble(tmp_path: Path) -> None:
    """Case 68: nobody was told of it, so no reader sees it; told later, the same bytes serve."""
    store = tmp_path / "store"
    async with Journal.open(store) as journal, journal.run(project="nightly") as run:
        told = await run.store("told", description="an event tells this one")
    orphan = left_behind(store, parse_run_id(run.id))

    async with Projections.open(store) as runs:
        assert [each.artifact_id for each in await runs.artifacts(run.id)] == [told.artifact_id]
        assert (await runs.state(run.id)).status == "completed"
        found = await runs.verify()
    assert {finding.reason for finding in found} <= {"orphan"}

    async with Journal.open(store) as journal, journal.resume(run.id) as again:
        assert orphan.exists()  # never collected while a writer is open: it may be about to tell it
        ref = await again.store(b"stored, never told", description="told this time")
    async with Projections.open(store) as runs:
        found_refs = [each.artifact_id for each in await runs.artifacts(run.id)]
        assert found_refs == [told.artifact_id, ref.artifact_id]
        assert await runs.verify() == []
    assert orphan.read_bytes() == b"stored, never told"

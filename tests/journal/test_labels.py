"""Labels inside appended events are parsed like every other, and openings are told by opening."""

import pytest

from journal import Journal, StorageError, StorageErrorCode
from journal.events.artifact import ArtifactPersisted
from journal.events.base import Event
from journal.events.phase import PhaseStarted
from journal.events.run import RunStarted, WriterOpened
from journal.events.step import StepStarted
from journal.host import writer_info
from journal.limits import FORMAT
from tests.journal.helpers import events


def stored(
    artifact_id: str = "a",
    role: str = "report",
    format: str = "txt",  # noqa: A002
) -> ArtifactPersisted:
    """An artifact event, well-formed but for what is given."""
    return ArtifactPersisted(
        artifact_id=artifact_id,
        role=role,
        format=format,
        media_type="text/plain",
        size_bytes=1,
        sha256="0" * 64,
    )


BAD = [
    *(PhaseStarted(revision=1, attempt=1, partition=p) for p in ("../\0", "x" * 129, " ", "")),
    stored(artifact_id="../\0"),
    stored(role="R R"),
    stored(format="exe/\0"),
    StepStarted(step_id="\0", name="step"),
]


@pytest.mark.parametrize("event", BAD, ids=lambda event: event.event_name)
async def test_a_malformed_label_in_an_event_is_refused(journal: Journal, event: Event) -> None:
    """Case 76: it would come back as a row, a column or a label of the terminal."""
    async with journal.run(project="demo") as run:
        with pytest.raises(StorageError) as refused:
            await run.append(event, phase="load")
        assert refused.value.code == StorageErrorCode.VALIDATION_ERROR
        assert refused.value.info.details.next_action
        assert events(journal, run.id) == ["run_created", "run_started"]


async def test_an_opening_is_not_appended_by_hand(journal: Journal) -> None:
    """A line that claims another format would make the run unreadable for ever."""
    event = WriterOpened(writer=writer_info(), epoch=2, format=FORMAT + 1)
    async with journal.run(project="demo") as run:
        with pytest.raises(StorageError) as refused:
            await run.append(event)
    assert refused.value.code == StorageErrorCode.VALIDATION_ERROR


async def test_a_conflict_says_where_and_what_to_look_at(journal: Journal) -> None:
    """Errors are part of the interface: place and next command, also for a transition."""
    async with journal.run(project="demo") as run:
        with pytest.raises(StorageError) as refused:
            await run.append(RunStarted())
    details = refused.value.info.details
    assert (refused.value.code, details.run_id, details.seq) == ("conflict", run.id, 2)
    assert details.next_action == f"journal show {run.id}"

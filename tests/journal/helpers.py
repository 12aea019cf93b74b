"""What the log of a run says, in the shape in which tests look at it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from journal import Journal, Record
from journal.artifacts.filesystem import FilesystemArtifacts
from journal.backends.filesystem import FilesystemLog
from journal.events.base import Event
from journal.events.log import AnnotationAdded
from journal.files import Files
from journal.ids import parse_run_id
from tests.support.logs import read


def note(text: str = "note") -> Event:
    """An event that changes nothing."""
    return AnnotationAdded(text=text)


def records(journal: Journal, run_id: str) -> list[Record]:
    """All lines of a run, checked along the chain."""
    return read(journal.log, parse_run_id(run_id))


def events(journal: Journal, run_id: str) -> list[str]:
    """The names of a run's events."""
    return [record.event for record in records(journal, run_id)]


def last(journal: Journal, run_id: str, event: str) -> Record:
    """The last record of that name."""
    return [record for record in records(journal, run_id) if record.event == event][-1]


async def until(condition: Callable[[], object]) -> None:
    """Wait, bounded, for what no event announces."""
    with anyio.fail_after(120):
        while not condition():  # noqa: ASYNC110 - that nobody has to announce it is the point
            await anyio.sleep(0.002)


def at_rest(journal: Journal, run_id: str) -> bool:
    """Whether the run was closed in order, its lease given back."""
    info = journal.log.head(parse_run_id(run_id))
    return info.state == "closed" and not info.live


@asynccontextmanager
async def journal_on(store: Path, files: Files) -> AsyncIterator[Journal]:
    """A journal whose disk behaves as ``files`` does."""
    log = FilesystemLog.open(store, files=files)
    journal = Journal(log, FilesystemArtifacts(log.root, files))
    try:
        yield journal
    finally:
        await journal.close()

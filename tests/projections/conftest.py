"""What tests of the read side share: an event log of each kind, an index, a finished store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from journal.backends.filesystem import FilesystemLog
from journal.backends.memory import MemoryLog
from journal.journal import Journal
from journal.log import EventLog
from projections.sqlite import Index
from projections.store import Projections
from tests.projections.verified import Store


@pytest.fixture(params=["memory", "filesystem"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> EventLog:
    """Both backends."""
    return MemoryLog() if request.param == "memory" else FilesystemLog.open(tmp_path / "store")


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    found = Index(str(tmp_path / "index.sqlite"), busy_s=0.5)
    yield found
    found.close()


@pytest.fixture
async def store(tmp_path: Path) -> Store:
    found = Store(tmp_path / "store")
    async with Journal.open(found.root) as journal:
        async with journal.run(project="good") as good, good.phase("p") as phase:
            await phase.store("fine")
        async with journal.run(project="nightly") as writing, writing.phase("p") as phase:
            metadata = await phase.store("hello")
            await phase.store("hello", role="report")
    found.run_id, found.artifact_id = writing.id, metadata.artifact_id
    found.sha256 = metadata.sha256
    async with Projections.open(found.root) as runs:
        await runs.list()
    return found

"""An open journal, once in memory and once on a disk."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from journal import Journal
from journal.artifacts.memory import MemoryArtifacts
from journal.backends.memory import MemoryLog


@pytest.fixture(params=["memory", "filesystem"])
async def journal(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Journal]:
    """Nothing in a pipeline may depend on where its journal is kept."""
    if request.param == "filesystem":
        async with Journal.open(tmp_path / "store") as opened:
            yield opened
    else:
        opened = Journal(MemoryLog(), MemoryArtifacts())
        yield opened
        await opened.close()

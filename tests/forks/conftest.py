"""A journal on each backend, with a run whose first phase is done and whose second was running."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from journal import Journal


@pytest.fixture(params=["filesystem", "memory"])
async def journal(
    request: pytest.FixtureRequest, tmp_path: Path, anyio_backend: str
) -> AsyncIterator[Journal]:
    """An open journal; the store lies at ``tmp_path / "store"``, where it lies on a disk."""
    opened = Journal.open(tmp_path / "store")
    if request.param == "memory":
        from journal.testing import memory_journal

        opened = memory_journal()
    async with opened as found:
        yield found

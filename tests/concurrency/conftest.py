"""A journal on a real store, open on the loop of the test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from journal import Journal


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Where the store lies, or will lie."""
    return tmp_path / "store"


@pytest.fixture
async def journal(store: Path, anyio_backend: str) -> AsyncIterator[Journal]:
    """An open journal on ``store``."""
    async with Journal.open(store) as journal:
        yield journal

"""The run that is damaged: told once, then held in memory."""

import tempfile
from pathlib import Path

import pytest

from tests.bits.story import Told, told


@pytest.fixture(scope="session")
def both() -> list[Told]:
    """Two finished runs of one store."""
    with tempfile.TemporaryDirectory() as folder:
        return told(Path(folder) / "store")


@pytest.fixture
def run(both: list[Told]) -> Told:
    return both[0]


@pytest.fixture
def other(both: list[Told]) -> Told:
    return both[1]

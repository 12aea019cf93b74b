"""A folder with a pipeline, and one with runs that stay as they are."""

from pathlib import Path

import pytest

from tests.cli.support import Command


@pytest.fixture
def journal(tmp_path: Path) -> Command:
    """The command in an empty folder of its own."""
    return Command(tmp_path)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Command, str]:
    """The command in a folder with one completed run; only looked at, never changed."""
    command = Command(tmp_path_factory.mktemp("finished"))
    return command, command.run_id()

"""A disk that dies under a run: nobody's failure is hidden, nobody leaves in peace."""

import errno
from pathlib import Path

import pytest

from journal import Journal, StorageError
from tests.journal.helpers import events, journal_on, note
from tests.support.disks import Trap


async def test_a_disk_that_dies_does_not_hide_the_failure(store: Path) -> None:
    """The caller's own exception goes on, with a note that it could not be recorded."""
    files = Trap("fdatasync", errno.EIO)
    async with journal_on(store, files) as journal:
        run = journal.run(project="nightly")

        async def work() -> None:
            async with run, run.phase("ingest"):
                files.armed = True
                with pytest.raises(StorageError):
                    await run.append(note())
                raise ValueError("the real reason")

        with pytest.raises(ValueError, match="the real reason") as raised:
            await work()
        assert any("could not record" in text for text in raised.value.__notes__)
        assert events(journal, run.id) == ["run_created", "run_started", "phase_started"]
    async with Journal.open(store) as journal, journal.resume(run.id) as again:
        assert again.state.phase("ingest").status == "interrupted"


async def test_a_disk_that_dies_is_told_to_who_leaves_in_peace(store: Path) -> None:
    """Without the caller's own exception the storage's is raised: completed was never recorded."""
    files = Trap("fdatasync", errno.EIO)
    async with journal_on(store, files) as journal:
        with pytest.raises(StorageError) as raised:
            async with journal.run(project="nightly"):
                files.armed = True
        assert raised.value.code == "io_error"

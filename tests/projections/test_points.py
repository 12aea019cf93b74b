"""The state at a point: a seq, so many events before the last, a time."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from journal.backends.filesystem import FilesystemLog
from journal.errors import StorageErrorCode
from journal.events import run
from projections.store import Projections
from tests.projections.asking import refusal, run_note, write
from tests.projections.helpers import Writer, created

pytestmark = pytest.mark.anyio


@pytest.fixture
def log(tmp_path: Path) -> FilesystemLog:
    return FilesystemLog.open(tmp_path / "store")


STATES: list[tuple[Any, int | StorageErrorCode]] = [
    (1, 1),
    (4, 4),
    (-1, 3),
    (-3, 1),
    (0, StorageErrorCode.NOT_FOUND),
    (5, StorageErrorCode.NOT_FOUND),
    (-4, StorageErrorCode.NOT_FOUND),
    (timedelta(seconds=1), 1),
    (timedelta(seconds=2.999_999), 2),
    (timedelta(seconds=3), 3),
    (timedelta(days=9), 4),
    (timedelta(seconds=0.999_999), StorageErrorCode.NOT_FOUND),
]


@pytest.mark.parametrize(("at", "wanted"), STATES)
async def test_the_state_at_any_point(
    at: Any, wanted: int | StorageErrorCode, log: FilesystemLog
) -> None:
    """A seq, so many events before the last, or the last event stamped at or before a time."""
    writer = Writer(log).write(created(), run.RunStarted()).write(*[run_note(n) for n in (1, 2)])
    point = datetime.fromtimestamp(1.8e9, UTC) + at if isinstance(at, timedelta) else at
    async with Projections.open(log.root) as runs:
        if isinstance(wanted, int):
            assert (await runs.state(writer.run_id, at=point)).seq == wanted
        else:
            assert (await refusal(runs.state(writer.run_id, at=point))).code is wanted
    writer.close()


async def test_a_time_without_a_zone_is_no_moment(log: FilesystemLog) -> None:
    """Guessing the zone would show the state of another hour."""
    (writer,) = write(log, 1)
    async with Projections.open(log.root) as runs:
        naive = datetime(2026, 11, 22)  # noqa: DTZ001
        refused = await refusal(runs.state(writer.run_id, at=naive))
        assert refused.code is StorageErrorCode.VALIDATION_ERROR
        other = datetime.fromtimestamp(1.8e9 + 1).astimezone()
        assert (await runs.state(writer.run_id, at=other)).seq == 1

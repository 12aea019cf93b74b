"""Who waits keeps nobody else from going on, and can be cancelled while it waits."""

import time
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
from pydantic import BaseModel

from journal import Journal, StorageError, intake
from journal.limits import QUEUE_LINES_MAX
from tests.journal.helpers import at_rest, events, journal_on, note, until
from tests.support.disks import GatedFiles


class Row(BaseModel):
    number: int


async def test_many_that_wait_for_a_run_keep_nobody_from_leaving_it(journal: Journal) -> None:
    """Case 40: more waiters than there are threads; the one that they wait for gets its turn."""
    done: list[int] = []

    async def wait(run_id: str) -> None:
        async with journal.open_run(run_id, wait_s=100) as run:
            done.append(run.epoch)

    with anyio.fail_after(110):
        async with anyio.create_task_group() as tasks:
            async with journal.run(project="nightly") as run:
                for _ in range(60):
                    tasks.start_soon(wait, run.id)
                await anyio.wait_all_tasks_blocked()
            await until(lambda: len(done) >= 3)
            tasks.cancel_scope.cancel()
    assert done[:3] == [2, 3, 4]
    await until(lambda: at_rest(journal, run.id))


async def test_who_waits_for_a_run_is_cancelled_at_once(journal: Journal) -> None:
    """Case 50: it waits on the loop, and takes nothing once it is gone."""
    async with journal.run(project="nightly") as run:
        began_s = time.monotonic()
        with anyio.move_on_after(0.3):
            async with journal.open_run(run.id, wait_s=3600):
                raise AssertionError("it was locked")
        assert time.monotonic() - began_s < 60
    assert events(journal, run.id)[2:] == ["run_completed"]
    assert run.epoch == 1


async def test_a_payload_that_comes_slowly_is_cancelled_in_between(journal: Journal) -> None:
    """Case 52: nobody waits for the rest of it, and nothing of it is stored."""
    taken = []

    def slowly() -> Iterator[Row]:
        for number in range(100_000):
            taken.append(number)
            time.sleep(0.01)
            yield Row(number=number)

    async with journal.run(project="nightly") as run:
        with anyio.move_on_after(0.3) as scope:
            await run.store(slowly())
        assert scope.cancelled_caught
        assert len(taken) < 10_000
        assert list(journal.artifacts.digests(run.id)) == []


@pytest.mark.parametrize("appenders", [40])
async def test_a_disk_that_stalls_holds_callers_up_and_fills_no_memory(
    tmp_path: Path, appenders: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 55: emit is refused, append waits, the loop goes on; when it moves, all is written."""
    assert QUEUE_LINES_MAX == 20_000
    monkeypatch.setattr(intake, "QUEUE_LINES_MAX", 100)
    files = GatedFiles()
    async with journal_on(tmp_path / "store", files) as journal:
        async with journal.run(project="nightly") as run:
            files.gate.clear()
            accepted = refused = appended = 0

            async def append(number: int) -> None:
                nonlocal appended
                await run.append([note(f"append {number}")] * 10)
                appended += 1

            async with anyio.create_task_group() as tasks:
                for number in range(appenders):
                    tasks.start_soon(append, number)
                await anyio.wait_all_tasks_blocked()
                for number in range(500):
                    try:
                        run.emit(note(f"emit {number}"))
                        accepted += 1
                    except StorageError as failure:
                        refused += failure.code == "limit_exceeded" and failure.info.retryable
                with anyio.move_on_after(0.05):  # the loop is not held up
                    await anyio.sleep_forever()
                assert appended == 0
                assert run.seq - run.durable_seq <= 200, "a batch on its way, and a full queue"
                assert refused >= 300
                assert accepted + refused == 500
                files.gate.set()
        assert appended == appenders
        assert events(journal, run.id).count("annotation_added") == appenders * 10 + accepted

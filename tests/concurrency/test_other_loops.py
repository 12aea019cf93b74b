"""A journal belongs to the loop that opened it: elsewhere one is told so, and never waits."""

import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from journal import Journal, StorageError
from tests.journal.helpers import at_rest, events, journal_on, note
from tests.support.disks import GatedFiles


async def reason_elsewhere(backend: str, call: Callable[[], Awaitable[Any]]) -> str | None:
    """Await ``call`` on a loop of another thread; why it was refused, if it was."""

    async def work() -> str | None:
        with anyio.fail_after(60):
            try:
                await call()
            except StorageError as failure:
                return f"{failure.code.value}, {failure.info.details.reason}"
        return None

    return await anyio.to_thread.run_sync(lambda: anyio.run(work, backend=backend))


@pytest.mark.parametrize("elsewhere", ["asyncio", "trio"])
async def test_what_needs_the_loop_is_refused_on_another_one(
    journal: Journal, elsewhere: str
) -> None:
    """Case 53: nobody would wake that loop, so the call would hang; nothing is written."""
    async with journal.run(project="nightly") as run:
        phase = run.phase("ingest")
        new, old = journal.run(project="nightly"), journal.open_run(run.id)
        for call in (
            lambda: run.append(note()),
            lambda: run.annotate("text"),
            lambda: run.store("text"),
            phase.__aenter__,
            new.__aenter__,
            old.__aenter__,
            lambda: journal.delete(run.id),
        ):
            assert await reason_elsewhere(elsewhere, call) == "conflict, foreign_loop"
        assert len(list(journal.log.runs())) == 1
    assert events(journal, run.id) == ["run_created", "run_started", "run_completed"]


@pytest.mark.parametrize("elsewhere", ["asyncio", "trio"])
async def test_a_receipt_is_not_awaited_on_another_loop(tmp_path: Path, elsewhere: str) -> None:
    """Case 53: the event lands all the same; once it has, any loop may ask."""
    files = GatedFiles()
    async with journal_on(tmp_path / "store", files) as journal:
        async with journal.run(project="nightly") as run:
            files.gate.clear()
            receipt = run.emit(note())

            async def wait() -> None:
                await receipt

            try:
                assert await reason_elsewhere(elsewhere, wait) == "conflict, foreign_loop"
            finally:
                files.gate.set()
            await receipt
            assert await reason_elsewhere(elsewhere, wait) is None
        assert events(journal, run.id)[2:] == ["annotation_added", "run_completed"]


@pytest.mark.parametrize("elsewhere", ["asyncio", "trio"])
async def test_a_run_is_given_back_from_another_loop(journal: Journal, elsewhere: str) -> None:
    """Its own loop may be over: then closing is all that is left to do, and it is done."""
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    run = await journal.run(project="nightly").__aenter__()
    run.emit(note())
    assert await reason_elsewhere(elsewhere, run.close) is None
    assert at_rest(journal, run.id)
    assert events(journal, run.id)[-1] == "annotation_added"
    # Only the main thread can put handlers back: the next run does so before it sets its own.
    async with journal.run(project="nightly"):
        pass
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before

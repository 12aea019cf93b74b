"""A caller's own code that runs while an event is made: it may log to the run, and never hangs."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from journal import Journal, Run, StorageError
from journal.artifacts.memory import MemoryArtifacts
from journal.backends.memory import MemoryLog
from journal.events.phase import PhaseFailed
from journal.losses import LOSSES_MAX
from tests.journal.helpers import events, journal_on, last, note
from tests.support.disks import FullFiles

Way = Callable[[Run], None]


def at_once(run: Run) -> None:
    """Log from the code itself."""
    run.log("info", "from inside")


def from_a_thread(run: Run) -> None:
    """Log from a thread, and wait for it: worse than logging itself."""
    thread = threading.Thread(target=at_once, args=[run], daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive(), "it waits for the very decision that asks it"


class Talkative(Exception):
    """Logs whenever somebody looks at it."""

    def __init__(self, run: Run, way: Way) -> None:
        super().__init__()
        self._log: Callable[[], None] = lambda: way(run)

    def __str__(self) -> str:
        self._log()
        return "talkative"


both_ways = pytest.mark.parametrize("way", [at_once, from_a_thread])


@both_ways
async def test_an_exception_that_logs_when_it_is_printed(journal: Journal, way: Way) -> None:
    """Its text is asked for before the end of a step, phase or run is decided."""
    run = journal.run(project="nightly")
    with anyio.fail_after(120), pytest.raises(Talkative):
        async with run, run.phase("ingest") as phase, phase.step("one"):
            raise Talkative(run, way)
    told = [name for name in events(journal, run.id)[2:] if name != "log_emitted"]
    assert told == ["phase_started", "step_started", "step_failed", "phase_failed", "run_failed"]
    assert events(journal, run.id).count("log_emitted") >= 3


@both_ways
async def test_a_question_about_another_try_that_logs(journal: Journal, way: Way) -> None:
    """``will_retry`` is asked before the failure is decided."""
    async with journal.run(project="nightly") as run:

        def will_retry(failure: BaseException) -> bool:
            way(run)
            return True

        with anyio.fail_after(120), pytest.raises(ValueError, match="once"):
            async with run.phase("ingest", will_retry=will_retry):
                raise ValueError("once")
        failed = last(journal, run.id, "phase_failed").data
        assert isinstance(failed, PhaseFailed)
        assert failed.will_retry


async def test_a_question_that_fails_does_not_hide_the_failure(journal: Journal) -> None:
    """The phase failed, and that is what is told and raised; the question's error is a note."""

    def will_retry(failure: BaseException) -> bool:
        raise ZeroDivisionError

    async with journal.run(project="nightly") as run:
        with pytest.raises(ValueError, match="once") as raised:
            async with run.phase("ingest", will_retry=will_retry):
                raise ValueError("once")
    assert any("ZeroDivisionError" in text for text in raised.value.__notes__)
    assert events(journal, run.id)[2:] == ["phase_started", "phase_failed", "run_completed"]


async def test_a_finalizer_in_the_middle_of_an_event_is_refused() -> None:
    """Garbage may be collected anywhere: there an event has no place, and waiting no end."""
    said: list[str] = []

    class Garbage:
        def __del__(self) -> None:
            try:
                runs[0].log("info", "late")
            except StorageError as failure:
                said.append(failure.code.value)

    heap: list[Any] = []
    runs: list[Run] = []

    def now() -> float:  # asked for in the middle of each event
        heap.clear()
        return 0.0

    journal = Journal(MemoryLog(), MemoryArtifacts(), now=now)
    async with journal.run(project="nightly") as run:
        runs.append(run)
        heap.append(Garbage())
        with anyio.fail_after(60):
            await run.append(note())
    await journal.close()
    assert said == ["unavailable"]
    assert events(journal, run.id)[2:] == ["annotation_added", "run_completed"]


async def test_only_so_many_failures_are_kept_until_somebody_looks(store: Path) -> None:
    """A disk may stay full for a million events: the first failure is told, and how many more."""
    files = FullFiles()
    async with journal_on(store, files) as journal:
        lost = []

        async def work() -> None:
            async with journal.run(project="nightly") as run:
                files.room = 0
                for _ in range(LOSSES_MAX * 3):
                    receipt = run.emit(note())
                    receipt.hurry()
                    while receipt.error is None:
                        await anyio.lowlevel.checkpoint()
                    lost.append(receipt.error)
                assert len(run._writing.writer._losses) == LOSSES_MAX
                files.room = None

        with pytest.raises(StorageError) as raised:
            await work()
    assert raised.value is lost[0]
    assert f"up to {LOSSES_MAX * 3 - 1} more failures" in raised.value.__notes__[0]

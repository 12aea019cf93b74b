"""Emitting: never waits, from anywhere; durable soon; what fails later is still told."""

import errno
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from journal import Journal, Receipt, Run, StorageError, intake
from journal.events.log import LogEmitted
from journal.events.phase import PhaseStarted
from journal.events.run import RunCompleted
from tests.journal.helpers import events, journal_on, note, records, until
from tests.support.disks import FullFiles, GatedFiles, Trap


async def test_what_is_emitted_is_durable_without_being_awaited(journal: Journal) -> None:
    """Nobody has to wait, flush or leave the run for it."""
    async with journal.run(project="nightly") as run:
        receipt = run.emit(note())
        assert (receipt.durable, receipt.error) == (False, None)
        await until(lambda: receipt.durable)
        assert events(journal, run.id)[2:] == ["annotation_added"]


async def test_an_awaited_receipt_says_where_the_event_stands(journal: Journal) -> None:
    """It may be awaited once, twice, by two, or never."""
    async with journal.run(project="nightly") as run:
        receipt = run.emit(note())
        places = []

        async def wait() -> None:
            places.append(await receipt)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            tasks.start_soon(wait)
        assert [place.first_seq for place in [*places, await receipt]] == [3, 3, 3]
        run.emit(note())
    assert events(journal, run.id)[2:] == ["annotation_added"] * 2 + ["run_completed"]


async def test_progress_and_log_lines_are_emitted(journal: Journal) -> None:
    """With the phase on the line; a log's level is the line's."""
    async with journal.run(project="nightly") as run, run.phase("ingest", partition="de") as phase:
        await phase.progress(3, 10, unit="lines")
        await phase.log("warning", "low on \ud800 words", name="my.logger", left=3)
        await run.log("debug", "outside")
    progress, warning, debug = records(journal, run.id)[3:6]
    assert (progress.event, progress.phase) == ("phase_progress", "ingest")
    assert (warning.level, warning.phase, warning.message) == (
        "warning",
        "ingest",
        "low on \\ud800 words",
    )
    assert isinstance(warning.data, LogEmitted)
    assert (warning.data.data, warning.data.name) == ({"left": 3}, "my.logger")
    assert (debug.level, debug.phase) == ("debug", None)


async def test_emitting_works_from_threads_and_sync_code(journal: Journal) -> None:
    """Case 46: a logging handler does not know where it is called."""

    def chatter(name: int) -> None:
        for number in range(100):
            run.log("info", f"{name} {number}")

    async with journal.run(project="nightly") as run, anyio.create_task_group() as tasks:
        for name in range(4):
            tasks.start_soon(anyio.to_thread.run_sync, chatter, name)
    found = [record.message for record in records(journal, run.id)[2:-1]]
    assert len(found) == 400
    for name in range(4):
        mine = [text for text in found if text.startswith(f"{name} ")]
        assert mine == [f"{name} {number}" for number in range(100)]


async def test_a_payload_is_frozen_at_the_call(journal: Journal) -> None:
    """What the caller does to its dictionary afterwards is another story."""
    async with journal.run(project="nightly") as run:
        data = {"words": ["one"]}
        receipt = run.emit(LogEmitted(data=data))
        data["words"].append("two")
        await receipt
    event = records(journal, run.id)[2].data
    assert isinstance(event, LogEmitted)
    assert event.data == {"words": ["one"]}


async def test_what_is_no_neutral_or_no_valid_event_is_refused_at_the_call(
    journal: Journal,
) -> None:
    """Case 37: a lifecycle event must be awaited; a bad value never gets a place."""
    async with journal.run(project="nightly") as run:
        for event in (RunCompleted(), PhaseStarted(revision=1, attempt=1)):
            with pytest.raises(StorageError) as raised:
                run.emit(event)
            assert raised.value.code == "validation_error"
        for value in (float("nan"), {1: 2}, b"bytes", (1, 2), 2**64, "\ud800"):
            with pytest.raises(StorageError) as raised:
                run.emit(LogEmitted(data={"x": value}))
            assert raised.value.code == "validation_error"
        assert run.seq == 2
    assert events(journal, run.id)[2:] == ["run_completed"]


async def test_a_full_queue_refuses_and_then_takes_again(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 55 and Security, bounds: however slow the disk is; awaiting a receipt makes room."""
    monkeypatch.setattr(intake, "QUEUE_LINES_MAX", 100)
    files = GatedFiles()
    async with journal_on(store, files) as journal, journal.run(project="nightly") as run:
        files.gate.clear()
        receipts = []

        def fill() -> None:
            for _ in range(1000):
                receipts.append(run.emit(note()))  # noqa: PERF401 - those before the refusal count

        with pytest.raises(StorageError) as raised:
            fill()
        assert (raised.value.code, raised.value.info.retryable) == ("limit_exceeded", True)
        assert 100 <= len(receipts) <= 200
        files.gate.set()
        await receipts[-1]
        await run.emit(note("again"))
    assert events(journal, run.id).count("annotation_added") == len(receipts) + 1


async def test_an_append_waits_for_room(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Case 55: backpressure instead of a refusal, for who awaits anyway."""
    monkeypatch.setattr(intake, "QUEUE_LINES_MAX", 100)
    files = GatedFiles()
    async with journal_on(store, files) as journal, journal.run(project="nightly") as run:
        files.gate.clear()
        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(run.append, [note(str(number))] * 30)
            await anyio.wait_all_tasks_blocked()
            files.gate.set()
        assert run.seq == 602


async def test_a_failure_that_nobody_awaited_surfaces_at_the_exit(store: Path) -> None:
    """Else events would be lost in silence."""
    files = Trap("fdatasync", errno.EIO)
    async with journal_on(store, files) as journal:

        async def work() -> None:
            async with journal.open_run((await finished(journal)).id) as run:
                files.armed = True
                receipt = run.emit(note())
                await until(lambda: receipt.error)

        with pytest.raises(StorageError) as raised:
            await work()
        assert raised.value.code == "io_error"


async def test_a_failure_that_was_awaited_is_not_raised_again(store: Path) -> None:
    """Whoever caught it has decided; here the run ends by hand before the disk dies."""
    files = Trap("fdatasync", errno.EIO)
    async with journal_on(store, files) as journal:
        async with journal.open_run((await finished(journal)).id) as run:
            files.armed = True
            with pytest.raises(StorageError):
                await run.emit(note())
        assert files.sprung == 1


async def test_each_lost_event_is_told_not_only_the_first(store: Path) -> None:
    """A full disk was seen and handled; a later loss that nobody saw is another one."""
    files = FullFiles()
    async with journal_on(store, files) as journal:
        run_id = (await finished(journal)).id
        lost: list[Receipt] = []

        async def work() -> None:
            async with journal.open_run(run_id) as run:
                files.room = 0
                with pytest.raises(StorageError):
                    await run.append(note("seen"))
                lost.append(run.emit(note("not seen")))
                await until(lambda: lost[0].error)
                files.room = None
                await run.append(note("fine again"))

        with pytest.raises(StorageError) as raised:
            await work()
        assert raised.value is lost[0].error
        assert events(journal, run_id)[-2:] == ["writer_opened", "annotation_added"]


async def finished(journal: Journal) -> Run:
    """A run that completed."""
    async with journal.run(project="nightly") as run:
        pass
    return run

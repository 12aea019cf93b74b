"""Cancelled callers: nothing half done, nothing held for ever, and the log tells it."""

import asyncio
from functools import partial
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from journal import Journal, Run, StorageError, intake
from journal.artifacts.filesystem import FilesystemArtifacts
from journal.backends.filesystem import FilesystemLog
from journal.events.base import Event
from journal.events.phase import PhaseCancelled
from journal.events.run import RunCancelled
from journal.ids import parse_run_id
from journal.receipt import Appended
from tests.journal.helpers import at_rest, events, journal_on, last, note, records, until
from tests.support.disks import GatedFiles


async def test_a_cancelled_run_says_so(journal: Journal) -> None:
    """Phase first, then run; the reason is that somebody cancelled."""
    with anyio.CancelScope() as scope:
        async with journal.run(project="nightly") as run, run.phase("ingest"):
            scope.cancel()
            await anyio.sleep(60)
    assert scope.cancelled_caught
    assert events(journal, run.id)[2:] == ["phase_started", "phase_cancelled", "run_cancelled"]
    for name in ("phase_cancelled", "run_cancelled"):
        event = last(journal, run.id, name).data
        assert isinstance(event, PhaseCancelled | RunCancelled)
        assert event.reason == "cancelled"
    assert at_rest(journal, run.id)


async def test_a_phase_cancelled_while_it_begins_is_not_left_running(store: Path) -> None:
    """It is told as begun and cancelled; the run goes on, and may begin it again."""
    files = GatedFiles()
    async with journal_on(store, files) as journal, journal.run(project="nightly") as run:
        files.gate.clear()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(enter_phase, run)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
            files.gate.set()
        assert run.state.phase("ingest").status == "cancelled"
        async with run.phase("ingest") as phase:
            assert (phase.revision, phase.attempt) == (1, 2)
    assert events(journal, run.id)[2:] == [
        "phase_started",
        "phase_cancelled",
        "phase_started",
        "phase_completed",
        "run_completed",
    ]


async def enter_phase(run: Run) -> None:
    """Enter a phase, and stay there."""
    async with run.phase("ingest"):
        await anyio.sleep(60)


async def test_a_timeout_inside_a_run_is_the_callers_own_business(journal: Journal) -> None:
    """Cancelled and caught inside: the phase was cancelled, the run completes."""
    async with journal.run(project="nightly") as run:
        with anyio.move_on_after(0.01):
            async with run.phase("ingest"):
                await anyio.sleep(60)
    assert events(journal, run.id)[2:] == ["phase_started", "phase_cancelled", "run_completed"]


async def test_a_sibling_that_fails_cancels_the_others(journal: Journal) -> None:
    """The failing phase failed, the others were cancelled, the run failed."""

    async def work(name: str) -> None:
        async with run.phase(name):
            if name == "bad":
                raise ValueError("bad")
            await anyio.sleep(60)

    run = journal.run(project="nightly")

    async def work_on_all() -> None:
        async with run, anyio.create_task_group() as tasks:
            tasks.start_soon(work, "one")
            tasks.start_soon(work, "two")
            await until(lambda: len(events(journal, run.id)) == 4)
            tasks.start_soon(work, "bad")

    with pytest.raises(ExceptionGroup):
        await work_on_all()
    found = {(record.event, record.phase) for record in records(journal, run.id)[4:]}
    assert found == {
        ("phase_started", "bad"),
        ("phase_failed", "bad"),
        ("phase_cancelled", "one"),
        ("phase_cancelled", "two"),
        ("run_failed", None),
    }


async def test_a_cancelled_caller_writes_nothing_before_its_turn(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 50: cancelled before it is queued, while it waits for room included."""
    monkeypatch.setattr(intake, "QUEUE_LINES_MAX", 10)
    files = GatedFiles()
    async with journal_on(store, files) as journal, journal.run(project="nightly") as run:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await run.append(note("cancelled before"))
        assert scope.cancelled_caught
        files.gate.clear()
        begun = files.begun
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run.append, [note("on its way")] * 10)
            await until(lambda: files.begun > begun)
            tasks.start_soon(run.append, [note("fills the queue")] * 10)
            await anyio.wait_all_tasks_blocked()
            with anyio.move_on_after(0.05) as scope:
                await run.append([note("no room for it")] * 10)
            assert scope.cancelled_caught
            files.gate.set()
    texts = {getattr(record.data, "text", None) for record in records(journal, run.id)}
    assert texts == {None, "on its way", "fills the queue"}


async def test_a_caller_cancelled_after_its_turn_is_resolved_by_its_key(store: Path) -> None:
    """Case 51: the event lands all the same; the key says where."""
    files = GatedFiles()
    async with journal_on(store, files) as journal, journal.run(project="nightly") as run:
        files.gate.clear()
        with anyio.move_on_after(0.05) as scope:
            await run.append(note("lands"), key="k")
        assert scope.cancelled_caught
        files.gate.set()
        assert (await run.append(note("lands"), key="k")).first_seq == 3
    assert events(journal, run.id).count("annotation_added") == 1


async def attempt(
    run: Run, scope: anyio.CancelScope, body: list[Event], key: str, done: list[Appended]
) -> None:
    """Append inside ``scope``; say where, if it got to know."""
    with scope:
        done.append(await run.append(body, key=key))


async def test_cancelling_at_every_await_never_leaves_half(journal: Journal) -> None:
    """Case 52: after any number of turns of the loop, the append is there whole or not at all."""
    async with journal.run(project="nightly") as run:
        for turns in range(12):
            key, body = f"k{turns}", [note(f"{turns} a"), note(f"{turns} b")]
            done: list[Appended] = []

            scope = anyio.CancelScope()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(attempt, run, scope, body, key, done)
                for _ in range(turns):
                    await anyio.lowlevel.checkpoint()
                scope.cancel()
            place = await run.append(body, key=key)
            assert done in ([], [place])
            assert place.last_seq == place.first_seq + 1
        assert run.seq == 2 + 12 * 2


@pytest.mark.parametrize("way", ["create", "resume"])
async def test_an_opening_that_is_cancelled_gives_the_lease_back(store: Path, way: str) -> None:
    """Whenever it comes, somebody else can have the run afterwards."""
    files = GatedFiles()
    async with journal_on(store, files) as journal:
        async with journal.run(project="nightly") as first:
            pass
        files.gate.clear()
        with anyio.move_on_after(0.05):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(enter, journal, first.id if way == "resume" else None)
                await anyio.sleep(0.01)
                files.gate.set()
                tasks.cancel_scope.cancel()
        files.gate.set()
        for run_id in list(journal.log.runs()):
            await until(partial(at_rest, journal, run_id))
            async with journal.resume(run_id):
                pass


async def enter(journal: Journal, run_id: str | None) -> None:
    """Enter a run, new or old."""
    async with journal.resume(run_id) if run_id else journal.run(project="nightly"):
        pass


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_native_timeout_gives_the_lease_back(store: Path, anyio_backend: str) -> None:
    """``asyncio.timeout`` does not wait for the thread that opens; the thread must clean up."""
    async with Journal.open(store) as journal:
        async with journal.run(project="nightly") as first:
            pass
        lease = journal.log.acquire(parse_run_id(first.id))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05), journal.resume(first.id, wait_s=30):
                raise AssertionError("it was locked")
        journal.log.release(lease)
        await until(lambda: journal.log.head(parse_run_id(first.id)).epoch == 3)
        await until(lambda: not journal.log.head(parse_run_id(first.id)).live)
        assert events(journal, first.id)[-1] == "run_completed"


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_native_cancellation_is_recorded(store: Path, anyio_backend: str) -> None:
    """``Task.cancel`` is how asyncio's own timeouts, groups and Ctrl-C arrive."""
    run_ids: list[str] = []

    async def work() -> None:
        async with (
            Journal.open(store) as journal,
            journal.run(project="nightly") as run,
            run.phase("ingest"),
        ):
            run_ids.append(run.id)
            await asyncio.sleep(60)

    task = asyncio.create_task(work())
    await until(lambda: run_ids)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with Journal.open(store) as journal:
        assert events(journal, run_ids[0])[-2:] == ["phase_cancelled", "run_cancelled"]
        assert at_rest(journal, run_ids[0])


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("turns", range(0, 40, 3))
async def test_a_native_cancellation_at_any_moment_leaves_a_run_that_can_be_resumed(
    store: Path, anyio_backend: str, turns: int
) -> None:
    """Case 52: twice even, as an impatient Ctrl-C does; nothing hangs and the log is whole."""

    async def work() -> None:
        async with Journal.open(store) as journal, journal.run(project="nightly") as run:
            async with run.phase("ingest") as phase:
                await phase.append(note())
            run.emit(note())

    task = asyncio.create_task(work())
    for turn in range(turns + 12):
        if turn in {turns, turns + 5}:
            task.cancel()
        await asyncio.sleep(0)
    with anyio.fail_after(120):
        await asyncio.wait([task])
    async with Journal.open(store) as journal:
        for run_id in journal.log.runs():
            await until(partial(at_rest, journal, run_id))
            async with journal.resume(run_id, wait_s=30) as run:
                assert run.state.status == "running"
            assert len(records(journal, run_id)) == run.seq


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_loop_that_ends_with_appends_pending_is_no_hang(store: Path, backend: str) -> None:
    """Case 53: the threads write what was queued; a new loop finds all of it."""

    async def forget() -> Run:
        log = FilesystemLog.open(store)
        journal = Journal(log, FilesystemArtifacts(log.root, log.files))
        run = await journal.run(project="nightly").__aenter__()
        for number in range(300):
            run.emit(note(str(number)))
        return run

    async def look(forgotten: Run) -> None:
        async with Journal.open(store) as journal:
            await until(lambda: journal.log.head(forgotten.id).head.seq == 302)
            assert len(records(journal, forgotten.id)) == 302
            await forgotten.close()
            async with journal.resume(forgotten.id) as run:
                assert run.state.status == "running"

    anyio.run(look, anyio.run(forget, backend=backend), backend=backend)


async def test_a_closed_journal_refuses_instead_of_hanging(store: Path) -> None:
    """Case 53: its threads are gone, so nothing would ever be written."""
    async with Journal.open(store) as journal:
        run = journal.run(project="nightly")
        async with journal.run(project="nightly") as other:
            pass
    for late in (run, journal.run(project="nightly"), journal.resume(other.id)):
        with pytest.raises(StorageError) as raised:
            await late.__aenter__()
        assert raised.value.code == "closed"


async def test_a_journal_closed_under_its_runs_closes_them(store: Path) -> None:
    """Case 53: what was emitted is written, the lease is given back, the end is not told."""
    async with Journal.open(store) as journal:
        runs = [await journal.run(project="nightly").__aenter__() for _ in range(3)]
        for run in runs:
            run.emit(note())
    for run in runs:
        assert events(journal, run.id)[-1] == "annotation_added"
        assert at_rest(journal, run.id)
        with pytest.raises(StorageError) as raised:
            await run.append(note())
        assert raised.value.code == "closed"

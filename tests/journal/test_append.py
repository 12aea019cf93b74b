"""Appending: durable on return, all or nothing, in the order of the calls, once per key."""

import subprocess
import sys
from pathlib import Path

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from journal import Journal, Run, StorageError
from journal.errors import StorageErrorCode
from journal.events.log import AnnotationAdded, LogEmitted
from journal.events.run import RunStarted
from journal.limits import BATCH_LINES_MAX
from tests.journal.helpers import events, journal_on, note, records
from tests.support.disks import FullFiles, GatedFiles

COUNT = """
import sys
from journal.backends.filesystem import FilesystemLog
log = FilesystemLog.open(sys.argv[1], create=False)
print(sum(1 for _ in log.read(sys.argv[2])))
"""


async def refused(code: StorageErrorCode, run: Run, *args: object, **options: object) -> None:
    """An append is refused, and nothing of it is written."""
    seq = run.seq
    with pytest.raises(StorageError) as raised:
        await run.append(*args, **options)  # type: ignore[arg-type]
    assert raised.value.code == code
    assert run.seq == seq


async def test_another_process_reads_what_was_appended(journal: Journal, store: Path) -> None:
    """On return it is there for everyone, though the run goes on."""
    async with journal.run(project="nightly") as run:
        place = await run.append([note("one"), note("two")])
        assert (place.first_seq, place.last_seq, run.seq) == (3, 4, 4)
        said = await anyio.to_thread.run_sync(
            lambda: subprocess.run(
                [sys.executable, "-c", COUNT, str(store), run.id],
                capture_output=True,
                text=True,
                check=True,
            )
        )
        assert said.stdout == "4\n"


async def test_a_batch_with_an_illegal_event_writes_nothing(journal: Journal) -> None:
    """All of an append's events or none; the run goes on as if it had not been tried."""
    async with journal.run(project="nightly") as run:
        await refused(StorageErrorCode.CONFLICT, run, [note(), RunStarted(), note()])
        bad = LogEmitted(data={"x": float("nan")})
        await refused(StorageErrorCode.VALIDATION_ERROR, run, [note(), bad])
        await refused(StorageErrorCode.VALIDATION_ERROR, run, [note()], phase="../x")
        long = LogEmitted(data={"x": "x" * 2**20})
        await refused(StorageErrorCode.LIMIT_EXCEEDED, run, [note(), long])
        await refused(StorageErrorCode.LIMIT_EXCEEDED, run, [])
        await refused(StorageErrorCode.LIMIT_EXCEEDED, run, [note()] * (BATCH_LINES_MAX + 1))
        await run.append([note("a"), note("b")])
    assert events(journal, run.id) == [
        "run_created",
        "run_started",
        "annotation_added",
        "annotation_added",
        "run_completed",
    ]


async def test_events_of_one_append_are_one_batch(journal: Journal) -> None:
    """They are synced together, so they are recovered together, however many they are."""
    async with journal.run(project="nightly") as run:
        await run.append([note(str(number)) for number in range(1000)])
    assert {record.batch for record in records(journal, run.id)[2:1002]} == {(3, 1000)}


async def test_the_largest_batch_is_taken(journal: Journal) -> None:
    """A bound that is refused at its own value would be another bound."""
    async with journal.run(project="nightly") as run:
        place = await run.append([note()] * BATCH_LINES_MAX)
        assert place.last_seq == BATCH_LINES_MAX + 2


async def test_an_expected_seq_is_the_seq_before(journal: Journal) -> None:
    """Who decided on what the log said then is told when it says more by now."""
    async with journal.run(project="nightly") as run:
        await run.append(note(), expected_seq=2)
        await refused(StorageErrorCode.CONFLICT, run, note(), expected_seq=2)
        await refused(StorageErrorCode.CONFLICT, run, note(), expected_seq=4)
        await refused(StorageErrorCode.CONFLICT, run, note(), expected_seq=0)
        run.emit(note("counts at once"))
        await refused(StorageErrorCode.CONFLICT, run, note(), expected_seq=3)
        await run.append(note(), expected_seq=4)


async def test_of_many_with_one_expectation_one_wins(journal: Journal) -> None:
    """The decision is made at the call, so it cannot be made twice."""
    outcomes: list[str] = []

    async def attempt() -> None:
        try:
            await run.append(note(), expected_seq=2)
        except StorageError as failure:
            outcomes.append(failure.code.value)
        else:
            outcomes.append("written")

    async with journal.run(project="nightly") as run, anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(attempt)
    assert sorted(outcomes) == ["conflict"] * 9 + ["written"]


async def test_the_order_of_the_log_is_the_order_of_the_calls(journal: Journal) -> None:
    """Appends and emits of one task, and of several, without awaiting in between."""
    async with journal.run(project="nightly") as run, anyio.create_task_group() as tasks:
        receipts = []
        for number in range(50):
            receipts.append(run.emit(note(f"emitted {number}")))
            tasks.start_soon(run.append, note(f"appended {number}"))
        for receipt in receipts:
            await receipt
    texts = [
        record.data.text
        for record in records(journal, run.id)
        if isinstance(record.data, AnnotationAdded)
    ]
    for kind in ("emitted", "appended"):
        mine = [text for text in texts if text.startswith(kind)]
        if kind == "emitted":
            assert mine == [f"{kind} {number}" for number in range(50)]
        assert len(mine) == 50


async def test_appends_that_wait_together_are_synced_together(store: Path) -> None:
    """Group commit: one sync for all that queued meanwhile, and each still whole."""

    files = GatedFiles()
    async with journal_on(store, files) as journal, journal.run(project="nightly") as run:
        before = files.synced
        files.gate.clear()
        async with anyio.create_task_group() as tasks:
            for number in range(200):
                tasks.start_soon(run.append, [note(f"{number} a"), note(f"{number} b")])
            await anyio.wait_all_tasks_blocked()
            files.gate.set()
        assert run.seq == 402
        assert files.synced - before <= 10
        sizes = {record.batch for record in records(journal, run.id)[2:]}
        assert all(first % 2 == 1 and count % 2 == 0 for first, count in sizes)


async def test_a_key_makes_an_append_happen_once(journal: Journal) -> None:
    """Case 54: the same key and body give the first place; another body is a conflict."""
    async with journal.run(project="nightly") as run:
        first = await run.append([note("one"), note("two")], key="k")
        await run.append(note())
        assert await run.append([note("one"), note("two")], key="k") == first
        assert await run.append([note("one"), note("two")], key="k", expected_seq=1) == first
        await refused(StorageErrorCode.CONFLICT, run, [note("one")], key="k")
        await refused(StorageErrorCode.CONFLICT, run, [note("one"), note("2")], key="k")
        await refused(
            StorageErrorCode.CONFLICT, run, [note("one"), note("two")], key="k", actor="x"
        )
        await refused(StorageErrorCode.VALIDATION_ERROR, run, note(), key="")
        await refused(StorageErrorCode.VALIDATION_ERROR, run, note(), key="x" * 257)
        assert run.seq == 5


@pytest.mark.parametrize("checkpoint", ["with", "without"])
async def test_keys_are_known_after_reopening(
    journal: Journal, store: Path, checkpoint: str
) -> None:
    """Case 54: from the checkpoint, or read out of the log's lines; grouped in batches or not."""
    places = {}

    async def write(run: Run, key: str, count: int) -> None:
        places[key] = await run.append([note(f"{key}{n}") for n in range(count)], key=key)

    async with journal.run(project="nightly") as run, anyio.create_task_group() as tasks:
        for number, key in enumerate("abcdefgh"):
            tasks.start_soon(write, run, key, number % 3 + 1)
            run.emit(note("in between, without a key"))
            if number % 2:
                await anyio.lowlevel.checkpoint()
    assert len({record.batch for record in records(journal, run.id)}) > 1
    folder = next(store.glob("runs/*/*/*/*"))
    if checkpoint == "without":
        (folder / "checkpoint").unlink()
    async with journal.resume(run.id) as run:
        before = run.seq
        for number, key in enumerate("abcdefgh"):
            body = [note(f"{key}{n}") for n in range(number % 3 + 1)]
            assert await run.append(body, key=key) == places[key]
            await refused(StorageErrorCode.CONFLICT, run, [*body, note()], key=key)
        assert run.seq == before


async def test_retries_at_once_land_once(journal: Journal) -> None:
    """Case 54: also while the first try is still on its way."""
    places = []

    async def attempt() -> None:
        places.append(await run.append(note("once"), key="k"))

    async with journal.run(project="nightly") as run, anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(attempt)
    assert len(set(places)) == 1
    assert events(journal, run.id).count("annotation_added") == 1


async def test_a_key_whose_append_failed_is_free_again(store: Path) -> None:
    """It stands for nothing: the retry must be written, not answered with a place."""
    files = FullFiles()
    async with journal_on(store, files) as journal, journal.run(project="nightly") as run:
        files.room = 100
        await refused(StorageErrorCode.NO_SPACE, run, note("one"), key="k")
        files.room = None
        place = await run.append(note("one"), key="k")
        assert place.first_seq == 3
        assert await run.append(note("one"), key="k") == place


async def test_a_full_disk_takes_the_state_back(store: Path) -> None:
    """Case 13: what was decided on top of the lost batch is lost with it; then all goes on."""
    files = FullFiles()
    async with journal_on(store, files) as journal, journal.run(project="nightly") as run:
        files.room = 100
        with pytest.raises(StorageError) as raised:
            async with run.phase("ingest"):
                raise AssertionError("it never began")
        assert raised.value.code == "no_space"
        assert run.state.phase("ingest").status == "pending"
        files.room = None
        async with run.phase("ingest") as phase:
            assert (phase.revision, phase.attempt) == (1, 1)
        assert events(journal, run.id)[2:] == ["phase_started", "phase_completed"]

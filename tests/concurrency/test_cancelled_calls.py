"""One call of a run that goes on, cancelled at each of its checkpoints."""

import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from journal import Journal, Run, StorageError, intake
from journal.events.artifact import ArtifactPersisted
from journal.events.log import AnnotationAdded
from journal.receipt import Appended
from tests.concurrency.checkpoints import WAYS, Way, each_checkpoint
from tests.concurrency.oracle import nothing_left
from tests.journal.helpers import events, journal_on, note, records, until
from tests.support.disks import GatedFiles, UnsyncedFiles

every_way = pytest.mark.parametrize(("anyio_backend", "way"), WAYS)


@asynccontextmanager
async def a_run(store: Path) -> AsyncIterator[tuple[Journal, Run]]:
    """A run on a disk that is fast."""
    files = UnsyncedFiles()
    async with journal_on(store, files) as journal, journal.run(project="nightly") as run:
        yield journal, run


def texts(journal: Journal, run: Run) -> list[str]:
    """All notes of a run, in order."""
    found = [record.data for record in records(journal, run.id)]
    return [data.text for data in found if isinstance(data, AnnotationAdded)]


@every_way
async def test_an_append_lands_whole_or_not_at_all(
    tmp_path: Path, anyio_backend: str, way: Way
) -> None:
    """Cases 50, 51 and 52: and its key says which, and where, however often it is asked."""
    async with a_run(tmp_path / "store") as (journal, run):
        done: list[Appended] = []

        async def append(k: int) -> None:
            done.clear()
            done.append(await run.append([note(f"{k} a"), note(f"{k} b")], key=f"k{k}"))

        async for k in each_checkpoint(append, way):
            place = await run.append([note(f"{k} a"), note(f"{k} b")], key=f"k{k}")
            assert done in ([], [place])
            assert place.last_seq == place.first_seq + 1
            assert texts(journal, run)[-2:] == [f"{k} a", f"{k} b"]
        assert done, "the last one was not cancelled"
        assert set(Counter(texts(journal, run)).values()) == {1}
        assert run.seq == 2 + len(texts(journal, run))


@every_way
async def test_an_append_without_a_key_lands_whole_or_not_at_all(
    tmp_path: Path, anyio_backend: str, way: Way
) -> None:
    """Case 52: the caller may not know; the log is never half, and the run goes on."""
    async with a_run(tmp_path / "store") as (journal, run):

        async def append(k: int) -> None:
            await run.append([note(f"{k} a"), note(f"{k} b")])

        async for k in each_checkpoint(append, way):
            await run.append(note("next"))
            found = Counter(texts(journal, run))
            assert found[f"{k} a"] == found[f"{k} b"] in (0, 1)
        assert texts(journal, run)[-2].endswith("b"), "the last one was not cancelled"


@every_way
async def test_who_waits_for_room_is_cancelled_without_a_trace(
    tmp_path: Path, anyio_backend: str, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cases 50, 52 and 55: until there is room nothing of it is queued; then it is, as a whole."""
    monkeypatch.setattr(intake, "QUEUE_LINES_MAX", 4)
    files = GatedFiles()
    async with (
        journal_on(tmp_path / "store", files) as journal,
        journal.run(project="nightly") as run,
    ):

        def fill(k: int) -> None:
            for number in range(9):
                run.emit(note(f"{k} fills {number}"))

        async def append(k: int) -> None:
            files.gate.clear()
            try:
                with pytest.raises(StorageError, match="limit_exceeded"):
                    fill(k)
                threading.Timer(0.005, files.gate.set).start()
                await run.append([note(f"{k} a"), note(f"{k} b")], key=f"k{k}")
            finally:
                files.gate.set()

        async for k in each_checkpoint(append, way):
            await run.append([note(f"{k} a"), note(f"{k} b")], key=f"k{k}")
            found = Counter(texts(journal, run))
            assert found[f"{k} a"] == found[f"{k} b"] == 1


@every_way
async def test_an_emitted_event_is_not_undone_by_who_stops_waiting(
    tmp_path: Path, anyio_backend: str, way: Way
) -> None:
    """Case 51: it was accepted at the call; a receipt is only for who wants to know."""
    async with a_run(tmp_path / "store") as (journal, run):

        async def emit(k: int) -> None:
            await run.emit(note(str(k)))

        async for k in each_checkpoint(emit, way):
            await until(lambda: run.durable_seq == run.seq)
            assert texts(journal, run) == [str(number) for number in range(k + 1)]


@every_way
async def test_a_phase_is_never_left_running(tmp_path: Path, anyio_backend: str, way: Way) -> None:
    """Case 52: cancelled on its way in or out, it ended; and it may begin again."""
    async with a_run(tmp_path / "store") as (journal, run):
        completed: list[bool] = []

        async def phase(k: int) -> None:
            async with run.phase("ingest", partition=f"p{k}") as entered:
                await entered.append(note())

        async for k in each_checkpoint(phase, way):
            status = run.state.phase("ingest", f"p{k}").status
            assert status in {"pending", "cancelled", "completed"}
            completed.append(status == "completed")
            async with run.phase("ingest", partition=f"p{k}"):
                pass
        assert completed[-1]
    assert events(journal, run.id)[-1] == "run_completed"


@every_way
@pytest.mark.parametrize("payload", [lambda k: f"text {k}", lambda k: b"%d" % k * 400_000])
async def test_an_artifact_is_told_only_when_it_is_there(
    tmp_path: Path, anyio_backend: str, way: Way, payload: Callable[[int], str | bytes]
) -> None:
    """Case 68: cancelled anywhere, no event without bytes, and no half file stays."""
    async with a_run(tmp_path / "store") as (journal, run):
        folder = Path(journal.artifacts.location(run.id, "0" * 64)).parent

        async def store(k: int) -> None:
            await run.store(payload(k))

        async for _ in each_checkpoint(store, way):
            await nothing_left(lambda: [path.name for path in folder.glob(".*")])
            await run.append(note())
        told = [record.data for record in records(journal, run.id)]
        found = {data.sha256 for data in told if isinstance(data, ArtifactPersisted)}
        assert found <= set(journal.artifacts.digests(run.id))
        assert found


@every_way
async def test_a_run_is_deleted_or_it_is_not(tmp_path: Path, anyio_backend: str, way: Way) -> None:
    """Case 52: whoever is cancelled while deleting leaves a whole run, or none."""
    async with journal_on(tmp_path / "store", UnsyncedFiles()) as journal:
        runs: list[Run] = []
        gone: dict[int, str] = {}

        async def delete(k: int) -> None:
            await journal.delete(runs[k].id)

        async def another() -> None:
            runs.append(journal.run(project="nightly"))
            async with runs[-1]:
                pass

        await another()
        async for k in each_checkpoint(delete, way):
            try:
                async with journal.resume(runs[k].id, wait_s=5) as run:
                    assert run.state.status == "running"
            except StorageError as failure:
                gone[k] = failure.code.value
            await another()
        await until(lambda: {runs[k].id for k in gone}.isdisjoint(journal.log.runs()))
        assert set(gone.values()) == {"not_found"}

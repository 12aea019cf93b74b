"""Payloads go into a store and out of it without blocking the loop or leaving halves."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest

from journal.artifacts.filesystem import FilesystemArtifacts
from journal.artifacts.memory import MemoryArtifacts
from journal.artifacts.store import (
    ArtifactMetadata,
    ArtifactRole,
    ArtifactSink,
    ArtifactStore,
)
from journal.artifacts.transfer import Encoded, load_payload, store_payload
from journal.errors import StorageError, StorageErrorCode
from journal.ids import RunId, new_artifact_id, new_run_id, run_id_folder
from tests.artifacts.payloads import Line

LINES = [Line(number=number, text="text") for number in range(600)]


@pytest.fixture
def run_id(tmp_path: Path) -> RunId:
    made = new_run_id()
    (tmp_path / "runs" / run_id_folder(made) / "artifacts").mkdir(parents=True)
    return made


@pytest.fixture(params=["memory", "filesystem"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    if request.param == "memory":
        return MemoryArtifacts()
    return FilesystemArtifacts(str(tmp_path))


def metadata(run_id: RunId, stored: Encoded) -> ArtifactMetadata:
    return ArtifactMetadata(
        artifact_id=new_artifact_id(),
        run_id=run_id,
        role=ArtifactRole.REPORT,
        format=stored.format,
        media_type=stored.media_type,
        size_bytes=stored.size_bytes,
        sha256=stored.sha256,
        created_at=datetime.now(UTC),
    )


class GuardedStore:
    """A memory store that says when a sink is in use by two threads at once, or after its end."""

    def __init__(self) -> None:
        self.inner = MemoryArtifacts()
        self.in_write = threading.Event()
        self.may_go_on = threading.Event()
        self.calls: list[str] = []

    def begin(self, run_id: RunId) -> ArtifactSink:
        self.calls.append("begin")
        return GuardedSink(self, self.inner.begin(run_id))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class GuardedSink:
    def __init__(self, store: GuardedStore, inner: ArtifactSink) -> None:
        self._store = store
        self._inner = inner

    def write(self, data: bytes) -> None:
        self._store.calls.append("write begins")
        self._store.in_write.set()
        assert self._store.may_go_on.wait(30)
        self._store.calls.append("write ends")
        self._inner.write(data)

    def commit(self) -> Any:
        self._store.calls.append("commit")
        return self._inner.commit()

    def abort(self) -> None:
        self._store.calls.append("abort")
        self._inner.abort()


async def stream(items: list[Line]) -> AsyncIterator[Line]:
    for item in items:
        await anyio.lowlevel.checkpoint()
        yield item


class Stream:
    """An async iterable that is no generator."""

    def __aiter__(self) -> AsyncIterator[Line]:
        return stream(LINES)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("make", "model", "back"),
    [
        (lambda: LINES[0], Line, LINES[0]),
        (lambda: LINES, Line, LINES),
        (lambda: iter(LINES), Line, LINES),
        (lambda: stream(LINES), Line, LINES),
        (Stream, Line, LINES),
        (lambda: stream([]), Line, []),
        (lambda: "text\n", None, "text\n"),
        (lambda: b"\x00" * 5_000_000, None, b"\x00" * 5_000_000),
        (lambda: b"", None, b""),
    ],
)
async def test_every_payload_comes_back(
    store: ArtifactStore, run_id: RunId, make: Callable[[], Any], model: Any, back: object
) -> None:
    """What goes in through one function comes out of the other, equal."""
    stored = await store_payload(store, run_id, make())
    assert await load_payload(store, metadata(run_id, stored), model) == back
    assert list(store.digests(run_id)) == [stored.sha256]
    assert stored.location == store.location(run_id, stored.sha256)


@pytest.mark.anyio
async def test_a_file_comes_back_as_its_bytes(
    store: ArtifactStore, run_id: RunId, tmp_path: Path
) -> None:
    """Streamed in by chunks, whatever its size; its name is forgotten."""
    path = tmp_path / "passwd; DROP TABLE.csv"
    path.write_bytes(b"a,b\r\n" * 200_000)
    stored = await store_payload(store, run_id, path)
    assert stored.format == "csv"
    assert await load_payload(store, metadata(run_id, stored)) == "a,b\r\n" * 200_000


@pytest.mark.anyio
@pytest.mark.parametrize(
    "make",
    [
        lambda: {"a": 1},
        lambda: Line.model_construct(number=1, text="\ud800"),
        lambda: ["no model"],
        lambda: Path("no-such-file"),
    ],
)
async def test_what_is_refused_at_once_never_reaches_the_store(
    run_id: RunId, make: Callable[[], Any]
) -> None:
    """Not even a temporary file is made for it."""
    store = GuardedStore()
    with pytest.raises(StorageError) as raised:
        await store_payload(store, run_id, make())
    assert store.calls == []
    assert raised.value.info.details.run_id == run_id
    assert raised.value.info.message.startswith(f"run {run_id}: ")


@pytest.mark.anyio
async def test_a_bad_item_in_the_middle_leaves_nothing(store: ArtifactStore, run_id: RunId) -> None:
    """Much is written by then; all of it goes."""
    items: list[Any] = [Line(number=1, text="x" * 1000)] * 1000
    for payload in ([*items, "no model"], stream([*items, "no model"])):  # type: ignore[list-item]
        with pytest.raises(StorageError, match="item 1001 is refused"):
            await store_payload(store, run_id, payload)
        assert list(store.digests(run_id)) == []
        assert store.sweep(run_id) == 0


@pytest.mark.anyio
async def test_an_iterators_own_exception_comes_through(
    store: ArtifactStore, run_id: RunId
) -> None:
    """It is the caller's failure, and none of storage's; nothing is stored all the same."""

    def ordinary() -> Iterator[Line]:
        yield from LINES
        raise ZeroDivisionError

    async def on_the_loop() -> AsyncIterator[Line]:
        for line in LINES:
            yield line
        raise ZeroDivisionError

    for payload in (ordinary(), on_the_loop()):
        with pytest.raises(ZeroDivisionError):
            await store_payload(store, run_id, payload)
        assert list(store.digests(run_id)) == []
        assert store.sweep(run_id) == 0


@pytest.mark.anyio
async def test_an_ordinary_iterator_does_not_block_the_loop(
    store: ArtifactStore, run_id: RunId
) -> None:
    """The iterator waits for the loop; on the loop it would wait for ever."""
    waiting, go_on = anyio.Event(), threading.Event()

    def slow() -> Iterator[Line]:
        anyio.from_thread.run_sync(waiting.set)
        assert go_on.wait(30)
        yield LINES[0]

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(store_payload, store, run_id, slow())
        await waiting.wait()
        go_on.set()
    assert len(list(store.digests(run_id))) == 1


@pytest.mark.anyio
async def test_a_cancelled_caller_leaves_nothing(store: ArtifactStore, run_id: RunId) -> None:
    """Cancellation comes between two batches, and what was written is dropped."""
    closed = False

    async def endless() -> AsyncIterator[Line]:
        nonlocal closed
        try:
            for number in range(10_000_000):
                if number == 1000:
                    scope.cancel()
                yield Line(number=number, text="x")
        finally:
            closed = True

    with anyio.CancelScope() as scope:
        await store_payload(store, run_id, endless())
    assert scope.cancelled_caught
    assert closed
    assert list(store.digests(run_id)) == []
    assert store.sweep(run_id) == 0


@pytest.mark.anyio
async def test_an_async_generator_is_closed_when_the_store_fails(run_id: RunId) -> None:
    """One that hangs half-way would hold its connection until somebody collects garbage."""
    store, closed = MemoryArtifacts(bytes_max=100), False

    async def generator() -> AsyncIterator[Line]:
        nonlocal closed
        try:
            for line in LINES:
                yield line
        finally:
            closed = True

    with pytest.raises(StorageError) as raised:
        await store_payload(store, run_id, generator())
    assert raised.value.code is StorageErrorCode.LIMIT_EXCEEDED
    assert closed


def test_abort_waits_for_the_thread_of_a_task_that_asyncio_cancelled(run_id: RunId) -> None:
    """There anyio returns at once; a descriptor closed under a write could be another's by then."""
    store = GuardedStore()

    async def main() -> None:
        task = asyncio.create_task(store_payload(store, run_id, b"content"))
        await asyncio.to_thread(store.in_write.wait, 30)
        task.cancel()
        await asyncio.sleep(0.05)  # time enough for an abort that does not wait to be caught
        store.may_go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert store.calls == ["begin", "write begins", "write ends", "abort"]
    assert list(store.inner.digests(run_id)) == []


@pytest.mark.anyio
async def test_a_loaded_artifact_was_checked_first_case_70(tmp_path: Path, run_id: RunId) -> None:
    """Damage is `corrupt`, whatever the damaged bytes would have parsed as."""
    store = FilesystemArtifacts(str(tmp_path))
    stored = await store_payload(store, run_id, LINES[0])
    told = metadata(run_id, stored)
    Path(stored.location).write_bytes(b"{" + b" " * (stored.size_bytes - 1))
    with pytest.raises(StorageError) as raised:
        await load_payload(store, told, Line)
    assert raised.value.code is StorageErrorCode.CORRUPT
    assert raised.value.info.details.artifact_id == told.artifact_id
    Path(stored.location).unlink()
    with pytest.raises(StorageError) as raised:
        await load_payload(store, told, Line)
    assert raised.value.code is StorageErrorCode.NOT_FOUND


@pytest.mark.anyio
async def test_an_error_of_decoding_says_which_artifact(
    store: ArtifactStore, run_id: RunId
) -> None:
    """The codec knows no run; whoever reads the error wants to."""
    told = metadata(run_id, await store_payload(store, run_id, b"[]", "json"))
    with pytest.raises(StorageError) as raised:
        await load_payload(store, told, Line)
    details = raised.value.info.details
    assert raised.value.code is StorageErrorCode.VALIDATION_ERROR
    assert (details.run_id, details.artifact_id) == (run_id, told.artifact_id)
    assert run_id in raised.value.info.message

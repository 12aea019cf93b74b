"""
Payloads into a store and out of it, without blocking the event loop.

Files, hashing, encoding and the caller's ordinary iterators run on worker threads, a few
megabytes at a time; only async iterators run on the loop. A payload that fails, or a caller that
is cancelled, leaves nothing in the store. Never records anything: the event is the caller's.

Below: errors, ids, secrets, artifacts.store, artifacts.codec, models. Above: run, journal.
"""

import threading
import time
from collections.abc import AsyncGenerator, AsyncIterable, Generator, Iterable, Iterator
from contextlib import AsyncExitStack, aclosing, contextmanager, suppress
from itertools import islice
from typing import TypeVar, overload

import anyio
from anyio.to_thread import run_sync
from pydantic import BaseModel

from journal.artifacts.codec import Payload, decode, encode, plan
from journal.artifacts.models import encode_lines
from journal.artifacts.store import (
    ArtifactFormat,
    ArtifactMetadata,
    ArtifactSink,
    ArtifactStore,
    Place,
    StoredBytes,
)
from journal.errors import StorageError
from journal.ids import RunId
from journal.secrets import DEFAULT_GUARD, Cleaner, SecretsGuard

M = TypeVar("M", bound=BaseModel)

# Per hop to a thread: enough work to make the hop cheap, little enough to be cancelled in between.
_CHUNKS_PER_HOP = 16
_ITEMS_PER_HOP = 256
_HOP_S = 0.1  # an iterator may take its time for each item


class Encoded(StoredBytes, frozen=True, kw_only=True):
    """Bytes in the store, and how they are to be read."""

    format: ArtifactFormat
    media_type: str
    redacted: int = 0


async def store_payload(
    store: ArtifactStore,
    run_id: RunId,
    payload: Payload,
    format: ArtifactFormat | str | None = None,  # noqa: A002 - the word that users type
    *,
    guard: SecretsGuard = DEFAULT_GUARD,
) -> Encoded:
    """
    Store a payload (``codec`` lists the types); durable on return.

    What ``guard`` finds in models and text is taken out before it is hashed, and counted in
    ``redacted``; bytes and files are stored as they are.

    An ordinary iterable is consumed on worker threads, not always the same one; an async
    iterable on the loop, and an async generator is closed in any case. Whatever fails, the
    payload's own iterator too, nothing is stored; only a cancellation that comes while the
    store commits may leave content that no event tells. Raises what ``codec.plan``,
    ``codec.encode`` and the store raise, with ``run_id``, and the iterator's own exceptions.
    """
    upload = _Upload(store, run_id)
    cleaner = guard.cleaner(prose=False)
    with _about(run_id):
        chosen = plan(payload, format)
        try:
            if isinstance(payload, AsyncIterable) and not isinstance(payload, Iterable):
                await _send_stream(upload, payload, cleaner)
            else:
                chunks = encode(payload, cleaner)
                while await run_sync(upload.take, chunks, _CHUNKS_PER_HOP):
                    pass
            stored = await run_sync(upload.commit)
        except BaseException:
            await _abort(upload)
            raise
    return Encoded(
        sha256=stored.sha256,
        size_bytes=stored.size_bytes,
        location=stored.location,
        replaced=stored.replaced,
        format=chosen.format,
        media_type=chosen.media_type,
        redacted=cleaner.count,
    )


async def _abort(upload: "_Upload") -> None:
    """Give up, also for a caller who is cancelled natively once more and cannot wait for it."""
    try:
        with anyio.CancelScope(shield=True):
            await run_sync(upload.abort)
    except BaseException:
        threading.Thread(target=upload.abort, name="run-journal-abort", daemon=True).start()
        raise


async def _send_stream(
    upload: "_Upload", models: AsyncIterable[BaseModel], cleaner: Cleaner
) -> None:
    async with AsyncExitStack() as stack:
        if isinstance(models, AsyncGenerator):
            await stack.enter_async_context(aclosing(models))
        first, items = 1, []
        async for item in models:
            items.append(item)
            if len(items) == _ITEMS_PER_HOP:
                await run_sync(upload.take, encode_lines(items, first, cleaner))
                first, items = first + len(items), []
        if items:
            await run_sync(upload.take, encode_lines(items, first, cleaner))


class _Upload:
    """
    One payload on its way into a store, on whatever thread has the turn.

    The sink is begun with the first chunk, so that a payload that is refused at once never
    reaches the store. The lock: where a task of asyncio is cancelled directly, anyio returns
    while the thread still works, and ``abort`` must wait for it. A descriptor closed under a
    running write could be another file's by the time the write goes on.
    """

    def __init__(self, store: ArtifactStore, run_id: RunId) -> None:
        self._store = store
        self._run_id = run_id
        self._sink: ArtifactSink | None = None
        self._chunks: Generator[bytes, None, None] | None = None
        self._turn = threading.Lock()
        self._over = False

    def take(self, chunks: Generator[bytes, None, None], most: int | None = None) -> bool:
        """Write up to ``most`` chunks, or what a moment gives; says whether there may be more."""
        until_s = time.monotonic() + _HOP_S
        with self._turn:
            self._chunks = chunks
            taken = 0
            for chunk in islice(chunks, most):
                self._begun().write(chunk)
                taken += 1
                if time.monotonic() > until_s:
                    return True
            return taken == most

    def commit(self) -> StoredBytes:
        with self._turn:
            return self._begun().commit()

    def abort(self) -> None:
        with self._turn:
            self._over = True
            if self._sink is not None:
                self._sink.abort()
            if self._chunks is not None:
                with suppress(StorageError):  # the cause is being raised elsewhere
                    self._chunks.close()

    def _begun(self) -> ArtifactSink:
        if self._over:  # cancelled before this thread had its turn: nobody waits for the result
            raise Place(
                operation="write", backend=self._store.backend, run_id=self._run_id
            ).closed()
        if self._sink is None:
            self._sink = self._store.begin(self._run_id)
        return self._sink


@overload
async def load_payload(
    store: ArtifactStore, metadata: ArtifactMetadata, model: None = None
) -> str | bytes: ...
@overload
async def load_payload(
    store: ArtifactStore, metadata: ArtifactMetadata, model: type[M]
) -> M | list[M]: ...
async def load_payload(
    store: ArtifactStore, metadata: ArtifactMetadata, model: type[M] | None = None
) -> M | list[M] | str | bytes:
    """
    Give a payload back, checked against size and digest before a byte of it is decoded.

    See ``codec.decode`` for what comes back. Raises ``not_found``, ``corrupt`` and what
    ``codec.decode`` raises, with ``run_id`` and ``artifact_id``.
    """

    def load() -> M | list[M] | str | bytes:
        data = store.read_all(metadata.run_id, metadata.sha256, metadata.size_bytes)
        return decode(data, metadata.format, model)

    with _about(metadata.run_id, metadata.artifact_id):
        return await run_sync(load)


@contextmanager
def _about(run_id: str, artifact_id: str | None = None) -> Iterator[None]:
    """Say in an error what it is about, where it was raised by code that does not know."""
    try:
        yield
    except StorageError as failure:
        known = failure.info.details
        message = failure.info.message
        details = known.model_copy(
            update={
                "run_id": known.run_id or run_id,
                "artifact_id": known.artifact_id or artifact_id,
            }
        )
        if known.run_id is None:
            message = f"run {run_id}: {message}"
        info = failure.info.model_copy(update={"message": message, "details": details})
        raise StorageError(info).with_traceback(failure.__traceback__) from failure.__cause__

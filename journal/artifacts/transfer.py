"""
Payloads into a store and out of it, without blocking the event loop.

Files, hashing, encoding and the caller's ordinary iterators run on worker threads, a few
megabytes at a time; only async iterators run on the loop. A payload that fails, or a caller that
is cancelled, leaves nothing in the store. Never records anything: the event is the caller's.

Below: errors, ids, artifacts.store, artifacts.codec. Above: run, journal.
"""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Generator, Iterable
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
    StoredBytes,
)
from journal.errors import StorageError, StorageErrorDetails
from journal.ids import RunId

M = TypeVar("M", bound=BaseModel)

# Per hop to a thread: enough work to make the hop cheap, little enough to be cancelled in between.
_CHUNKS_PER_HOP = 16
_ITEMS_PER_HOP = 256


class Encoded(StoredBytes, frozen=True, kw_only=True):
    """Bytes in the store, and how they are to be read."""

    format: ArtifactFormat
    media_type: str

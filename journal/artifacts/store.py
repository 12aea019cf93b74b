"""
The port to wherever artifacts are kept, and what people see of an artifact.

A store takes bytes, names them by their SHA-256, and gives them back only as they were. It knows
neither events nor formats: an artifact that no event tells is not there for anyone, so bytes are
stored first and told afterwards. An artifact *id* names one act of storing; a *digest* names
content, and the same content is kept once per run.

Everything here blocks and is called on worker threads. A store may be called from many threads at
once; a sink belongs to one at a time. **Durable** means: survives the loss of power. Errors are
``StorageError`` only; besides those named at each method: ``io_error``, ``permission_denied``,
``no_space`` and ``unavailable`` as the system gives cause. None holds a byte of a payload.

Below: errors, ids. Above: codec, memory, filesystem, transfer. Next to read: ``memory.py``, the
model; then ``filesystem.py``.
"""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import timedelta
from enum import StrEnum
from typing import Any, Protocol

import msgspec
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, field_validator

from journal.errors import StorageError, StorageErrorCode, code_of, from_system, storage_error
from journal.ids import RunId


class ArtifactRole(StrEnum):
    """What an artifact is to its run. Any other name of your own will do as well."""

    PHASE_OUTPUT = "phase_output"
    """What a phase returned; a resumed run hands it on instead of running the phase again."""
    LOG = "log"
    """A log file of something that the run called."""
    EXPORT = "export"
    """Made to leave the house."""
    REPORT = "report"
    """Made for people to read."""
    RUN_STATE = "run_state"
    """What an orchestrator keeps to go on from."""


class ArtifactFormat(StrEnum):
    """How the bytes are to be read."""

    JSON = "json"
    """One JSON value, UTF-8."""
    JSONL = "jsonl"
    """One JSON value per line, UTF-8."""
    CSV = "csv"
    """Comma-separated text, UTF-8."""
    TXT = "txt"
    """Text, UTF-8."""
    BINARY = "binary"
    """Any bytes."""


class ArtifactMetadata(BaseModel):
    """One act of storing: what was stored, by which phase, under which digest."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    artifact_id: str = Field(description="names this act of storing, not the content")
    run_id: RunId = Field(description="the run that stored it")
    role: str = Field(description="an ArtifactRole, or a name of the user's own")
    format: ArtifactFormat = Field(strict=False, description="how the bytes are to be read")
    media_type: str = Field(description="the same as a media type, such as application/json")
    size_bytes: int = Field(ge=0, description="size of the content in bytes")
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="digest of the content, in hex")
    phase: str | None = Field(None, description="the phase that stored it")
    partition: str | None = Field(None, description="the partition of that phase")
    description: str | None = Field(None, description="one sentence for people")
    metadata: dict[str, JsonValue] | None = Field(None, description="the user's own facts")
    redacted: int = Field(
        0, ge=0, description="how many secrets were taken out before it was stored"
    )
    created_at: AwareDatetime = Field(description="when it was told in the log, in UTC")
    seq: int | None = Field(None, ge=1, description="the log line that tells it")
    inherited_from: str | None = Field(
        None, description="of a fork: the run in its past whose log tells it; None: its own"
    )
    location: str | None = Field(None, description="where the bytes lie: a path, or a URI")

    @field_validator("created_at")
    @classmethod
    def _utc(cls, moment: AwareDatetime) -> AwareDatetime:
        if moment.utcoffset() != timedelta(0):
            raise ValueError("created_at is not in UTC")
        return moment


class StoredBytes(msgspec.Struct, frozen=True, kw_only=True):
    """
    What is in the store now: digest, size in bytes, and place.

    ``replaced``: a damaged file of this digest stood there and gave way to the whole one.
    """

    sha256: str
    size_bytes: int
    location: str
    replaced: bool = False


class ArtifactSink(Protocol):
    """One artifact being written. Ends with ``commit`` or ``abort``; afterwards ``closed``."""

    def write(self, data: bytes) -> None:
        """
        Add bytes; they are hashed as they are written.

        Raises ``limit_exceeded`` past the store's bound. After any error the sink has aborted
        itself: nothing of it is in the store.
        """
        ...

    def commit(self) -> StoredBytes:
        """
        Publish what was written; durable on return, and whole under its digest or not there.

        Content that is there already is checked, and kept once; a damaged copy of it is replaced.
        After any error the sink has aborted itself, and nobody may name the artifact.
        """
        ...

    def abort(self) -> None:
        """Drop what was written. Never raises; does nothing after ``commit`` or ``abort``."""
        ...


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that some run has in some store."""

    store: "ArtifactStore"
    run_id: RunId
    sha256: str
    size_bytes: int

    def read(self) -> Iterator[bytes]:
        """In chunks; see ``ArtifactStore.read``."""
        return self.store.read(self.run_id, self.sha256, self.size_bytes)


class ArtifactStore(Protocol):
    """A place for the artifacts of many runs, each run's its own."""

    backend: str
    """Its name in errors: ``filesystem``, ``memory``."""

    def begin(self, run_id: RunId) -> ArtifactSink:
        """
        Start an artifact of a run; nobody sees it before ``commit``.

        A store that keeps artifacts with their run raises ``not_found`` for an unknown run.
        """
        ...

    def read(self, run_id: RunId, sha256: str, size_bytes: int) -> Iterator[bytes]:
        """
        The content in chunks, in constant memory; errors come with the first ``next``.

        The size is checked before the first chunk; the last chunk is given only after the hash
        of everything held. So content of one chunk is checked before a byte of it is seen, and
        damaged content is never seen to its end. Raises ``not_found``, ``corrupt``.
        """
        ...

    def read_all(self, run_id: RunId, sha256: str, size_bytes: int) -> bytes:
        """The content, checked before a byte is returned. Raises ``not_found``, ``corrupt``."""
        ...

    def check(self, run_id: RunId, sha256: str, size_bytes: int) -> None:
        """Read and hash the content in constant memory. Raises ``not_found``, ``corrupt``."""
        ...

    def adopt(self, run_id: RunId, content: "Content", *, folder: str | None = None) -> None:
        """
        Have content of another run in this one too: shared where it can be, else copied; checked.

        For a run that is being made, ``folder`` is where, and who makes it syncs its names. Raises
        ``not_found`` and ``corrupt`` for the other run's content, which is never touched.
        """
        ...

    def digests(self, run_id: RunId) -> Iterator[str]:
        """Digests of all that is stored for a run, told by an event or not; sorted, unchecked."""
        ...

    def remove(self, run_id: RunId, sha256: str) -> None:
        """Take content away, durably. Raises ``not_found``."""
        ...

    def sweep(self, run_id: RunId) -> int:
        """
        Drop what sinks left whose process was killed; gives how many there were.

        For the run's one writer, before its first ``begin``: it would take a live sink's bytes.
        """
        ...

    def location(self, run_id: RunId, sha256: str) -> str:
        """Where the content lies, or would: a path or a URI."""
        ...


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where something went wrong; makes the errors of this package, so that all read alike."""

    operation: str
    backend: str
    run_id: str
    sha256: str | None = None
    path: str | None = None
    uri: str | None = None

    def error(
        self, code: StorageErrorCode, what: str, *, reason: str | None = None
    ) -> StorageError:
        """Say ``what`` is wrong with this artifact; nothing was changed."""
        return storage_error(
            code, f"{self._name}: {what}. Nothing was changed.", **self._details(code, reason)
        )

    def system(self, failure: OSError | MemoryError) -> StorageError:
        """Wrap an error of the system; use as ``raise place.system(failure) from failure``."""
        code = code_of(failure)
        if code is StorageErrorCode.NOT_FOUND:
            return self.not_found()
        message = f"{self._name}: {self.operation} failed and changed nothing else"
        return from_system(failure, message, **self._details(code, None))

    def not_found(self) -> StorageError:
        """Neither the content nor, where that is all there is to name, the run is there."""
        what = "is not in the store" if self.sha256 else "the run is not in the store"
        return self.error(StorageErrorCode.NOT_FOUND, what)

    def closed(self) -> StorageError:
        """The sink was committed, aborted, or broke."""
        return self.error(StorageErrorCode.CLOSED, "was committed or aborted before")

    def too_large(self, bytes_max: int) -> StorageError:
        """The content passes the store's bound."""
        what = f"over {bytes_max} bytes, the most that this store takes"
        return self.error(StorageErrorCode.LIMIT_EXCEEDED, what, reason="artifact_too_large")

    def another_size(self, found: int, size_bytes: int) -> StorageError:
        """The content has another size than was told."""
        what = f"{found} bytes lie where {size_bytes} were stored"
        return self.error(StorageErrorCode.CORRUPT, what, reason="size")

    @property
    def _name(self) -> str:
        return f"run {self.run_id} artifact" + (f" {self.sha256}" if self.sha256 else "")

    def _details(self, code: StorageErrorCode, reason: str | None) -> dict[str, Any]:
        return {
            "operation": self.operation,
            "run_id": self.run_id,
            "backend": self.backend,
            "path": self.path,
            "uri": self.uri,
            "reason": reason,
            "next_action": self._next_action(code),
        }

    def _next_action(self, code: StorageErrorCode) -> str:
        if code is StorageErrorCode.NO_SPACE:
            return "free some space, then store it again"
        if code is StorageErrorCode.PERMISSION_DENIED:
            return "give this user access to the path, then try again"
        if code is StorageErrorCode.LIMIT_EXCEEDED:
            return "store it in parts, or elsewhere with its digest as an artifact"
        if code is StorageErrorCode.CLOSED:
            return "begin a new artifact"
        if code is StorageErrorCode.NOT_FOUND and self.sha256 is None:
            return "journal list"
        return f"journal verify {self.run_id}"


def verified(chunks: Iterable[bytes], size_bytes: int, place: Place) -> Iterator[bytes]:
    """Pass chunks on one behind, so that the last is held back until the hash of all held."""
    digest, size, held = hashlib.sha256(), 0, b""
    for chunk in chunks:
        digest.update(chunk)
        size += len(chunk)
        if held:
            yield held
        held = chunk
    if size != size_bytes:
        raise place.another_size(size, size_bytes)
    if digest.hexdigest() != place.sha256:
        what = "its content has another hash: it is not what was stored"
        raise place.error(StorageErrorCode.CORRUPT, what, reason="hash")
    if held:
        yield held

"""
What storage can do wrong, as one exception with a structured body.

Owns the codes, the body (``StorageErrorInfo``), the exception and the map from the operating
system's errors. Never holds a payload: an error may be logged anywhere.

    StorageError            one thing went wrong; ``info`` says what, where, what next
    └── StorageBatchError   several did (closing a journal); ``errors`` holds each

Below: limits. Above: everything. Next to read: ``limits.py``, then ``docs/format.md``.
"""

import errno
import os
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from journal.limits import ERROR_TEXT_CHARS_MAX


class StorageErrorCode(StrEnum):
    """Every way in which storage can fail. A code is a promise about what happened, not a guess."""

    NOT_FOUND = "not_found"
    """The thing named does not exist."""
    IO_ERROR = "io_error"
    """The system refused or failed a read or a write."""
    SERIALIZATION_ERROR = "serialization_error"
    """Bytes that do not parse: not UTF-8, not JSON, torn where nothing may be torn."""
    VALIDATION_ERROR = "validation_error"
    """Parses, but has the wrong shape; or a value that would not come back as it was given."""
    CONFLICT = "conflict"
    """An illegal transition, another seq than expected, a key used again with another body."""
    UNSUPPORTED_FORMAT = "unsupported_format"
    """Written by a newer version, or in a format that this reader does not know."""
    CORRUPT = "corrupt"
    """A hash, seq or link is wrong: stored bytes are not what was written."""
    LOCKED = "locked"
    """Another writer holds the run."""
    CLOSED = "closed"
    """The writer or store was closed, or broke earlier and must be opened again."""
    NO_SPACE = "no_space"
    """The disk, the quota or the file-size limit is used up."""
    PERMISSION_DENIED = "permission_denied"
    """The system denies the access."""
    UNAVAILABLE = "unavailable"
    """A passing shortage (descriptors, memory, time): the same call may succeed later."""
    LIMIT_EXCEEDED = "limit_exceeded"
    """A bound of ``limits.py`` would be passed."""


RETRYABLE = frozenset({StorageErrorCode.UNAVAILABLE, StorageErrorCode.LOCKED})


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class StorageErrorDetails(_Body):
    """Where it happened and what to do. ``None`` means "does not apply"."""

    operation: str | None = Field(None, description="what was being done, such as 'append'")
    run_id: str | None = Field(None, description="the run concerned")
    artifact_id: str | None = Field(None, description="the artifact concerned")
    seq: int | None = Field(None, description="number of the log line concerned, from 1")
    offset: int | None = Field(None, description="where that line starts in the log, in bytes")
    backend: str | None = Field(None, description="'filesystem', 'memory' or another")
    path: str | None = Field(None, description="the file or folder concerned")
    uri: str | None = Field(None, description="the place, where it is no path")
    reason: str | None = Field(None, description="the finer cause, as a snake_case word")
    next_action: str | None = Field(None, description="a command or call to try next")


class StorageErrorInfo(_Body):
    """The body of a ``StorageError``: what crosses a boundary, as JSON or between processes."""

    code: StorageErrorCode = Field(strict=False, description="what kind of failure")
    message: str = Field(description="one sentence: where, what, what was left untouched")
    retryable: bool = Field(False, description="whether the same call may succeed later")
    details: StorageErrorDetails = Field(default_factory=StorageErrorDetails, description="where")


class StorageError(Exception):
    """
    The only exception that leaves the storage layer.

    ``str()`` gives code, message and the next command; ``info`` gives the same as a model;
    ``info.model_dump_json()`` as JSON. Pickles.
    """

    def __init__(self, info: StorageErrorInfo) -> None:
        super().__init__(info)
        self.info = info

    @property
    def code(self) -> StorageErrorCode:
        """Short for ``info.code``."""
        return self.info.code

    def __str__(self) -> str:
        following = self.info.details.next_action
        tail = f" Next: {following}" if following else ""
        return f"{self.info.code.value}: {self.info.message}{tail}"


class StorageBatchError(StorageError):
    """Several failures of one operation that went on past each of them; ``errors`` holds all."""

    def __init__(self, info: StorageErrorInfo, errors: Sequence[StorageError]) -> None:
        super().__init__(info)
        self.args = (info, tuple(errors))
        self.errors = tuple(errors)


def storage_error(
    code: StorageErrorCode, message: str, *, retryable: bool | None = None, **details: Any
) -> StorageError:
    """
    Make a ``StorageError``; ``details`` are the fields of ``StorageErrorDetails``.

    Over-long texts are cut, with the number of characters left out: an error stays readable.
    """
    fields = {name: _short(value) for name, value in details.items() if value is not None}
    return StorageError(
        StorageErrorInfo(
            code=code,
            message=_short(message),
            retryable=code in RETRYABLE if retryable is None else retryable,
            details=StorageErrorDetails(**fields),
        )
    )


def _short(value: Any) -> Any:
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if not isinstance(value, str):
        return value
    value = value.encode("utf-8", "backslashreplace").decode("utf-8")
    if len(value) <= ERROR_TEXT_CHARS_MAX:
        return value
    return f"{value[:ERROR_TEXT_CHARS_MAX]}… ({len(value) - ERROR_TEXT_CHARS_MAX} more characters)"


def located(failure: StorageError, **details: Any) -> StorageError:
    """The same error, with details added that its maker did not know; what it knew stays."""
    known = failure.info.details.model_dump(exclude_none=True)
    return StorageError(
        failure.info.model_copy(update={"details": StorageErrorDetails(**{**details, **known})})
    )


_BY_ERRNO = {
    errno.ENOENT: StorageErrorCode.NOT_FOUND,
    errno.EACCES: StorageErrorCode.PERMISSION_DENIED,
    errno.EPERM: StorageErrorCode.PERMISSION_DENIED,
    errno.EROFS: StorageErrorCode.PERMISSION_DENIED,
    errno.ENOSPC: StorageErrorCode.NO_SPACE,
    errno.EDQUOT: StorageErrorCode.NO_SPACE,
    errno.EFBIG: StorageErrorCode.NO_SPACE,
    errno.EMFILE: StorageErrorCode.UNAVAILABLE,
    errno.ENFILE: StorageErrorCode.UNAVAILABLE,
    errno.ENOMEM: StorageErrorCode.UNAVAILABLE,
    errno.EAGAIN: StorageErrorCode.UNAVAILABLE,
    errno.ETIMEDOUT: StorageErrorCode.UNAVAILABLE,
}


def code_of(failure: OSError | MemoryError) -> StorageErrorCode:
    """Map an error of the system to a code: what is not listed is ``io_error``."""
    if isinstance(failure, MemoryError):
        return StorageErrorCode.UNAVAILABLE
    return _BY_ERRNO.get(failure.errno or 0, StorageErrorCode.IO_ERROR)


def from_system(failure: OSError | MemoryError, message: str, **details: Any) -> StorageError:
    """Wrap an error of the system; use as ``raise from_system(failure, …) from failure``."""
    code = code_of(failure)
    if isinstance(failure, OSError):
        word = errno.errorcode.get(failure.errno or 0, "")
        message = f"{message}: {failure.strerror or failure}" + (f" ({word})" if word else "")
        if details.get("path") is None and isinstance(failure.filename, str):
            details["path"] = failure.filename
    return storage_error(code, f"{message}.", **details)

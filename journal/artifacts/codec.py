"""
Payload to bytes and bytes to payload: which types are taken, and how each is written.

    a pydantic model                       json    one line of ``model_dump_json()``
    Iterable or AsyncIterable of models    jsonl   such a line for each; never the whole in memory
    str                                    txt     UTF-8, as it is; also as csv
    bytes, bytearray, memoryview           binary  as they are; also as any other format
    a Path                                 by its suffix, else binary; also as any other format

Every line of JSON ends in a newline. Plain dicts are not taken: a model says what they mean, and
checks them when they come back. Secrets are taken out of models and text before they are hashed
(``journal/secrets.py``). Bytes and files are stored unchecked: the digest says that they
are the same, not that they are well formed; a file's name is nowhere kept. A Path that is a
symbolic link, FIFO, folder or device is refused. Never touches a store.

Below: errors, limits, files, secrets, artifacts.store, artifacts.models. Above: transfer.
"""

import errno
import os
from collections.abc import AsyncIterable, Generator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar, overload

import msgspec
from pydantic import BaseModel

from journal.artifacts.models import (
    decode_lines,
    decode_model,
    encode_lines,
    encode_model,
    refused,
)
from journal.artifacts.store import ArtifactFormat
from journal.errors import StorageErrorCode, from_system, storage_error
from journal.files import Files
from journal.limits import READ_BYTES
from journal.secrets import DEFAULT_GUARD, Cleaner

Payload = (
    BaseModel
    | Iterable[BaseModel]
    | AsyncIterable[BaseModel]
    | str
    | bytes
    | bytearray
    | memoryview
    | os.PathLike[str]
)
"""What can be stored as an artifact."""

M = TypeVar("M", bound=BaseModel)

MEDIA_TYPES = {
    ArtifactFormat.JSON: "application/json",
    ArtifactFormat.JSONL: "application/jsonl",
    ArtifactFormat.CSV: "text/csv",
    ArtifactFormat.TXT: "text/plain",
    ArtifactFormat.BINARY: "application/octet-stream",
}

_BY_SUFFIX = {
    ".json": ArtifactFormat.JSON,
    ".jsonl": ArtifactFormat.JSONL,
    ".csv": ArtifactFormat.CSV,
    ".txt": ArtifactFormat.TXT,
    ".md": ArtifactFormat.TXT,
}

_FILES = Files()
_TEXT_CHARS = READ_BYTES // 4  # a character is at most four bytes long


class Plan(msgspec.Struct, frozen=True):
    """How a payload will be written; follows from its type alone, before any of it is read."""

    format: ArtifactFormat
    media_type: str


def plan(
    payload: Payload,
    format: ArtifactFormat | str | None = None,  # noqa: A002 - the word that users type
) -> Plan:
    """
    Decide format and media type; ``format`` is what the caller asks for.

    Raises ``unsupported_format`` for a format that does not exist or does not fit the payload,
    ``validation_error`` for a payload that is none.
    """
    allowed = _allowed(payload)
    chosen = allowed[0] if format is None else _parse(format)
    if chosen not in allowed:
        raise storage_error(
            StorageErrorCode.UNSUPPORTED_FORMAT,
            f"a {type(payload).__name__} cannot be stored as {chosen}. Nothing was stored.",
            operation="store",
            reason="format_mismatch",
            next_action=f"store it as {' or '.join(allowed)}, or hand over bytes in that format",
        )
    if chosen is ArtifactFormat.TXT and _suffix(payload) == ".md":
        return Plan(chosen, "text/markdown")
    return Plan(chosen, MEDIA_TYPES[chosen])


def _allowed(payload: object) -> list[ArtifactFormat]:
    """The formats that fit a payload, the usual one first."""
    if isinstance(payload, BaseModel):
        return [ArtifactFormat.JSON]
    if isinstance(payload, str):
        return [ArtifactFormat.TXT, ArtifactFormat.CSV]
    if isinstance(payload, bytes | bytearray | memoryview):
        return [ArtifactFormat.BINARY, *ArtifactFormat]
    if isinstance(payload, os.PathLike) and isinstance(os.fspath(payload), str):
        return [_BY_SUFFIX.get(_suffix(payload), ArtifactFormat.BINARY), *ArtifactFormat]
    if isinstance(payload, Iterable | AsyncIterable) and not isinstance(payload, Mapping):
        return [ArtifactFormat.JSONL]
    raise refused("the payload", f"a {type(payload).__name__} cannot be stored")


def _suffix(payload: object) -> str:
    return Path(payload).suffix.lower() if isinstance(payload, os.PathLike) else ""


def encode(payload: Payload, cleaner: Cleaner | None = None) -> Generator[bytes, None, None]:
    """
    The payload's bytes in chunks of about 256 KiB; any but async iterables, which need a loop.

    ``cleaner`` takes secrets out of models and text; bytes and files are not looked into.
    Reads files and runs iterators as it goes, so it may block. Raises ``validation_error`` for
    what would not come back, ``limit_exceeded`` for a line of JSONL over 16 MiB, and what the
    system says about a file.
    """
    cleaner = cleaner or DEFAULT_GUARD.cleaner(prose=False)
    if isinstance(payload, BaseModel):
        yield from _slices(encode_model(payload, "the payload", cleaner))
    elif isinstance(payload, str):
        yield from _text_chunks(cleaner.text(payload))
    elif isinstance(payload, bytes | bytearray | memoryview):
        yield from _slices(payload)
    elif isinstance(payload, os.PathLike):
        yield from _file_chunks(Path(payload))
    elif isinstance(payload, Iterable):
        yield from encode_lines(payload, cleaner=cleaner)
    else:
        raise refused("the payload", f"a {type(payload).__name__} cannot be encoded here")


def _slices(data: bytes | bytearray | memoryview) -> Iterator[bytes]:
    view = memoryview(data)
    flat = view.cast("B") if view.c_contiguous and view.nbytes else memoryview(view.tobytes())
    for at in range(0, len(flat), READ_BYTES):
        yield bytes(flat[at : at + READ_BYTES])


def _text_chunks(text: str) -> Iterator[bytes]:
    for at in range(0, len(text), _TEXT_CHARS):
        try:
            chunk = text[at : at + _TEXT_CHARS].encode()
        except UnicodeEncodeError as failure:
            place = at + failure.start
            # Not chained: the exception holds the text.
            raise refused("the text", f"character {place} is a lone surrogate") from None
        yield chunk


def _file_chunks(path: Path) -> Iterator[bytes]:
    """What is read is what is hashed and stored, whatever happens to the file meanwhile."""
    place = str(path.absolute())
    try:
        fd = _FILES.open_read(place)
        try:
            position = 0
            while chunk := _FILES.pread(fd, READ_BYTES, position):
                position += len(chunk)
                yield chunk
        finally:
            _FILES.close(fd)
    except ValueError as failure:
        raise refused("the path", "it holds a NUL") from failure
    except OSError as failure:
        link = failure.errno == errno.ELOOP
        raise from_system(
            failure,
            "the file cannot be read, nothing was stored",
            operation="store",
            path=place,
            reason="symbolic_link" if link else None,
            next_action="hand over path.resolve() if the link's target is meant"
            if link
            else "check the path, then store it again",
        ) from failure


@overload
def decode(data: bytes, format: ArtifactFormat | str, model: None = None) -> str | bytes: ...
@overload
def decode(data: bytes, format: ArtifactFormat | str, model: type[M]) -> M | list[M]: ...
def decode(
    data: bytes,
    format: ArtifactFormat | str,  # noqa: A002 - the word that users type
    model: type[M] | None = None,
) -> M | list[M] | str | bytes:
    """
    Make a payload of bytes again.

    With ``model``: json gives an instance, jsonl a list of them. Without: binary gives the bytes,
    everything else, JSON too, its text. Raises ``serialization_error`` for bytes that are not
    UTF-8 or not JSON, ``validation_error`` for JSON of another shape than the model's,
    ``unsupported_format`` for a model where there is no JSON, ``limit_exceeded`` for a line of
    JSONL over 16 MiB.
    """
    found = _parse(format)
    if model is None:
        return data if found is ArtifactFormat.BINARY else _text(data)
    if found is ArtifactFormat.JSON:
        return decode_model(data, model, "the content")
    if found is ArtifactFormat.JSONL:
        return list(decode_lines([data], model))
    raise storage_error(
        StorageErrorCode.UNSUPPORTED_FORMAT,
        f"{found} holds no {model.__name__}: only json and jsonl hold models.",
        operation="load",
        reason="format_mismatch",
        next_action="load it without a model",
    )


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as failure:
        at = failure.start
    # Not chained: the exception holds the bytes.
    raise storage_error(
        StorageErrorCode.SERIALIZATION_ERROR,
        f"the content is not UTF-8 (byte {at}).",
        operation="load",
        next_action="read its bytes with journal cat",
    )


def _parse(text: ArtifactFormat | str) -> ArtifactFormat:
    try:
        return ArtifactFormat(text)
    except ValueError as failure:
        raise storage_error(
            StorageErrorCode.UNSUPPORTED_FORMAT,
            f"{ascii(text)[:80]} is no artifact format.",
            reason="unknown_format",
            next_action=f"use one of {', '.join(ArtifactFormat)}",
        ) from failure

"""
Pydantic models as lines of JSON, and back: one model, or a stream of them.

A model is read back before its line is passed on. One that its own class refuses, or that holds
NaN or infinity, which JSON has no word for, is ``validation_error``: a resumed run would find out
too late. Whether a model writes field names or aliases is its config's business; both are read.

Errors hold field names and kinds of error, never a value: pydantic's exceptions quote their input,
so they are not chained but retold. A serializer's or validator's own exceptions, of types that
pydantic does not expect, come through as they are.

Below: errors, limits, secrets. Above: codec.
"""

import math
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import msgspec
from pydantic import BaseModel, ValidationError

from journal.errors import StorageError, StorageErrorCode, storage_error
from journal.limits import LINE_BYTES_MAX_READ, READ_BYTES
from journal.secrets import DEFAULT_GUARD, Cleaner

M = TypeVar("M", bound=BaseModel)

_STARS = b'"**********"'  # what pydantic writes for SecretStr: it does not come back, either
_PAUSE_S = 0.1  # how long a caller may not be cancelled while items are collected
_SPECIAL = (b"null", b"NaN", b"Infinity")  # what pydantic may write for such a number


def encode_model(model: BaseModel, what: str, cleaner: Cleaner) -> bytes:
    """
    One line: ``model_dump_json()`` and a newline. ``what`` names the model in errors.

    ``cleaner`` takes secrets out, and counts those that pydantic writes as stars.
    """
    if not isinstance(model, BaseModel):
        raise refused(what, f"a {type(model).__name__} is no pydantic model")
    kind = type(model)
    try:
        text = model.model_dump_json(warnings=False).encode()
        special = any(word in text for word in _SPECIAL)
        if special and holds_special(model.model_dump(warnings=False)):
            why = "it holds NaN or infinity"
        else:
            cleaned = cleaner.json(text)
            cleaner.count += text.count(_STARS)
            kind.model_validate_json(cleaned, by_alias=True, by_name=True)
            return cleaned + b"\n"
    except ValidationError as failure:
        why = f"what it writes would not come back: {_problems(failure, kind)}"
    except (
        ValueError,
        RecursionError,
        msgspec.MsgspecError,
    ):  # pydantic's serialization errors, lone surrogates
        why = "it cannot be written as JSON in UTF-8"
    raise refused(f"{what} ({kind.__name__})", why)


def holds_special(value: Any) -> bool:
    """Whether NaN or infinity is among what a model holds."""
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, Mapping):
        return any(map(holds_special, value.values()))
    if isinstance(value, list | tuple | set | frozenset):
        return any(map(holds_special, value))
    return False


def encode_lines(
    models: Iterable[BaseModel], first: int = 1, cleaner: Cleaner | None = None
) -> Generator[bytes, None, None]:
    """
    JSONL in chunks of about 256 KiB, smaller where items come slowly.

    ``first`` is the number of the first item, for errors. Raises ``validation_error``, and
    ``limit_exceeded`` for a line that no reader would take.
    """
    buffer = bytearray()
    until_s = time.monotonic() + _PAUSE_S
    cleaner = cleaner or DEFAULT_GUARD.cleaner(prose=False)
    for number, model in enumerate(models, first):
        line = encode_model(model, f"item {number}", cleaner)
        _check_length(len(line), LINE_BYTES_MAX_READ, f"item {number}", "store it on its own")
        buffer += line
        if len(buffer) >= READ_BYTES or time.monotonic() > until_s:
            yield bytes(buffer)
            buffer.clear()
            until_s = time.monotonic() + _PAUSE_S
    if buffer:
        yield bytes(buffer)


def decode_model(data: bytes, model: type[M], what: str) -> M:
    """
    One instance from JSON; ``what`` names the bytes in errors.

    Raises ``serialization_error`` for bytes that are not JSON, ``validation_error`` for JSON of
    another shape.
    """
    try:
        return model.model_validate_json(data, by_alias=True, by_name=True)
    except ValidationError as failure:
        if failure.errors(include_input=False)[0]["type"] == "json_invalid":
            code, why = StorageErrorCode.SERIALIZATION_ERROR, "not JSON in UTF-8"
        else:
            code = StorageErrorCode.VALIDATION_ERROR
            why = f"no {model.__name__}: {_problems(failure, model)}"
    raise storage_error(
        code,
        f"{what} is {why}.",
        operation="load",
        next_action="load it without a model, which gives the text",
    )


def decode_lines(
    chunks: Iterable[bytes], model: type[M], *, line_bytes_max: int = LINE_BYTES_MAX_READ
) -> Iterator[M]:
    """
    Instances from JSONL as it streams in; memory is bound by the chunk and ``line_bytes_max``.

    Raises ``serialization_error`` (an empty line, too), ``validation_error``, ``limit_exceeded``.
    """
    for number, line in enumerate(_split(chunks, line_bytes_max), 1):
        yield decode_model(line, model, f"line {number}")


def _split(chunks: Iterable[bytes], line_bytes_max: int) -> Iterator[bytes]:
    """Lines with their newline; split on that byte alone, for U+2028 and its like are text."""
    rest = b""
    for chunk in chunks:
        start = 0
        while end := chunk.find(b"\n", start) + 1:
            _check_line(len(rest) + end - start, line_bytes_max)
            yield rest + chunk[start:end]
            rest, start = b"", end
        _check_line(len(rest) + len(chunk) - start, line_bytes_max)
        rest += chunk[start:]
    if rest:
        yield rest


def _check_line(size: int, bytes_max: int) -> None:
    _check_length(size, bytes_max, "a line of the content", "load it without a model")


def _check_length(size: int, bytes_max: int, what: str, next_action: str) -> None:
    if size > bytes_max:
        raise storage_error(
            StorageErrorCode.LIMIT_EXCEEDED,
            f"{what} is longer than {bytes_max} bytes, the most that a line may have.",
            reason="line_too_long",
            next_action=next_action,
        )


def _problems(failure: ValidationError, model: type[BaseModel]) -> str:
    """
    The first problem by field and kind, and how many there are.

    Only the model's own field names are shown: further down a location may be a key of the data,
    and a message may quote a value.
    """
    first = failure.errors(include_url=False, include_context=False, include_input=False)[0]
    names = {*model.model_fields, *(field.alias for field in model.model_fields.values())}
    place = first["loc"][0] if first["loc"] else None
    where = f"field {place}" if isinstance(place, str) and place in names else "the value"
    count = failure.error_count()
    more = f" and {count - 1} more" if count > 1 else ""
    return f"{where} ({first['type']}){more}"


def refused(what: str, why: str) -> StorageError:
    """The error for a payload that cannot be stored."""
    return storage_error(
        StorageErrorCode.VALIDATION_ERROR,
        f"{what} is refused: {why}. Nothing was stored.",
        operation="store",
        reason="not_representable",
        next_action="hand over pydantic models (RootModel holds any JSON), text, bytes or a Path",
    )

"""
What a phase hands on: its annotated type, stored as an artifact and loaded back as the same.

    a pydantic model                       json
    list, Sequence, Iterator … of one      jsonl, from an async generator as it comes
    str, bytes                             txt, binary
    None                                   no artifact

A value is checked against its annotation before it is stored, so that a resumed run does not find
out too late. Never decides whether a phase runs: ``scheduler.py``.

Below: errors, artifacts, phase, journal, events. Above: signature, scheduler.
"""

import shlex
import types
from collections import abc
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel

from journal.artifacts.store import ArtifactFormat, ArtifactMetadata, ArtifactRole
from journal.errors import StorageError, StorageErrorCode, storage_error
from journal.events.base import JsonObject, where
from journal.journal import Journal
from journal.phase import Phase

RETURNED: JsonObject = {"returned": True}
"""Metadata of the artifact that is a phase's return value, not something it stored on its way."""

_LISTS = frozenset({list, abc.Sequence, abc.Collection, abc.Iterable})
_STREAMS = frozenset(
    {abc.Iterator, abc.Generator, abc.AsyncIterable, abc.AsyncIterator, abc.AsyncGenerator}
)


@dataclass(frozen=True, slots=True)
class Output:
    """A type that can be handed on. ``format`` is ``None`` for a phase that returns nothing."""

    format: ArtifactFormat | None
    model: type[BaseModel] | None = None
    optional: bool = False

    def fits(self, wanted: "Output") -> bool:
        """Whether a value of this type may be given where ``wanted`` is expected."""
        if self.format is None or wanted.format is None:
            return self.format is None and (wanted.format is None or wanted.optional)
        if self.format is not wanted.format or (self.optional and not wanted.optional):
            return False
        return self.model is None or wanted.model is None or issubclass(self.model, wanted.model)


def parse_output(annotation: object, *, streams: bool = False) -> Output | None:
    """The output type that ``annotation`` means, or ``None`` for one that cannot be handed on."""
    bare, optional = without_none(annotation)
    if bare is None:
        return Output(None)
    if bare is str:
        return Output(ArtifactFormat.TXT, optional=optional)
    if bare is bytes:
        return Output(ArtifactFormat.BINARY, optional=optional)
    origin = get_origin(bare)
    if origin is None and isinstance(bare, type) and issubclass(bare, BaseModel):
        return Output(ArtifactFormat.JSON, bare, optional)
    if origin in _LISTS or (streams and origin in _STREAMS):
        item = get_args(bare)[0]
        if isinstance(item, type) and get_origin(item) is None and issubclass(item, BaseModel):
            return Output(ArtifactFormat.JSONL, item, optional)
    return None


def without_none(annotation: object) -> tuple[object, bool]:
    """``annotation`` without its ``| None``, and whether it had one; aliases are looked through."""
    annotation = getattr(annotation, "__value__", annotation)
    if annotation is types.NoneType or annotation is None:
        return None, True
    if get_origin(annotation) not in {Union, types.UnionType}:
        return annotation, False
    rest = [kind for kind in get_args(annotation) if kind is not types.NoneType]
    optional = len(rest) < len(get_args(annotation))
    return (rest[0] if optional and len(rest) == 1 else annotation), optional


async def store_output(
    journal: Journal, phase: Phase, output: Output, value: Any
) -> tuple[object, str | None]:
    """
    Store what a phase returned; durable on return. Gives what is handed on, and its artifact id.

    What came as a stream is loaded back: it can be read only once. Raises ``validation_error``
    for a value of another type than annotated, with nothing stored.
    """
    place = where(phase.name, phase.partition)
    if value is None and (output.format is None or output.optional):
        return None, None
    if output.format is not ArtifactFormat.JSONL:
        _check(place, "it", value, output)
    elif isinstance(value, list | tuple):
        value = list(_checked(place, output, value))
    elif isinstance(value, AsyncIterable):
        return await _store_stream(journal, phase, output, _checked_stream(place, output, value))
    elif isinstance(value, Iterable) and not isinstance(value, str | bytes | BaseModel):
        return await _store_stream(journal, phase, output, _checked(place, output, value))
    else:
        raise _refused(place, "it", value, output)
    stored = await phase.store(value, description=f"Returned by {place}", metadata=RETURNED)
    return value, stored.artifact_id


async def _store_stream(
    journal: Journal,
    phase: Phase,
    output: Output,
    items: Iterator[BaseModel] | AsyncIterator[BaseModel],
) -> tuple[object, str]:
    place = where(phase.name, phase.partition)
    description = f"Returned by {place}"
    stored = await phase.store(items, description=description, metadata=RETURNED)
    _check_whole(stored, f"phase {place} returned a stream, which can be read only once")
    return await _load(journal, output, stored), stored.artifact_id


async def load_output(
    journal: Journal, place: str, output: Output, stored: list[ArtifactMetadata]
) -> tuple[object, str | None]:
    """
    What a completed phase returned, out of ``stored``: checked, and validated by its annotation.

    Gives the value and its artifact id. Raises ``not_found`` or ``corrupt`` where the artifact
    is gone or damaged, ``conflict`` where secrets were taken out of it, ``validation_error`` where
    it is of another type than the annotation now.
    """
    returned = [each for each in stored if each.metadata == RETURNED and _is_output(each)]
    if not returned and (output.format is None or output.optional):
        return None, None
    if output.format is None:
        return None, returned[-1].artifact_id
    try:
        if not returned:
            raise storage_error(StorageErrorCode.NOT_FOUND, "no artifact of it is in the log.")
        _check_whole(returned[-1], "it was not stored as it was returned")
        return await _load(journal, output, returned[-1]), returned[-1].artifact_id
    except StorageError as failure:
        raise _cannot_hand_back(place, failure) from failure


def _check_whole(stored: ArtifactMetadata, why: str) -> None:
    """A value with its secrets taken out is another value: nobody is to go on with that one."""
    if stored.redacted:
        raise storage_error(
            StorageErrorCode.CONFLICT,
            f"{why}, and {stored.redacted} secrets were taken out of it.",
            run_id=stored.run_id,
            artifact_id=stored.artifact_id,
            reason="redacted",
            next_action="hand secrets over as parameters, or allow the name: "
            "SecretsGuard(allow=[...])",
        )


def _is_output(stored: ArtifactMetadata) -> bool:
    return stored.role == ArtifactRole.PHASE_OUTPUT


async def _load(journal: Journal, output: Output, stored: ArtifactMetadata) -> object:
    if stored.format is not output.format:
        raise storage_error(
            StorageErrorCode.VALIDATION_ERROR,
            f"artifact {stored.artifact_id} is {stored.format}, not {output.format} as annotated.",
            run_id=stored.run_id,
            artifact_id=stored.artifact_id,
        )
    if output.model is None:
        return await journal.load(stored)
    return await journal.load(stored, output.model)


def _cannot_hand_back(place: str, failure: StorageError) -> StorageError:
    known = failure.info.details.model_dump(exclude_none=True)
    run = known.get("run_id", "RUN")
    again = shlex.quote(place.replace(" [", "[", 1))
    look = "" if known.get("reason") == "redacted" else f"journal verify {run}; "
    known["next_action"] = f"{look}to run it again: journal resume {run} --redo {again}"
    return storage_error(
        failure.code,
        f"phase {place} completed, but what it returned cannot be handed back: "
        f"{failure.info.message}",
        **known,
    )


def _checked(place: str, output: Output, items: Iterable[object]) -> Iterator[Any]:
    for number, item in enumerate(items, 1):
        _check(place, f"item {number}", item, output)
        yield item


async def _checked_stream(
    place: str, output: Output, items: AsyncIterable[object]
) -> AsyncIterator[Any]:
    number = 0
    async with AsyncExitStack() as stack:
        if isinstance(items, abc.AsyncGenerator):
            await stack.enter_async_context(aclosing(items))
        async for item in items:
            number += 1
            _check(place, f"item {number}", item, output)
            yield item


def _check(place: str, what: str, value: object, output: Output) -> None:
    # Exactly the class: a subclass would be written with its own fields and come back without.
    kind = output.model or (str if output.format is ArtifactFormat.TXT else bytes)
    if output.format is None or type(value) is not kind:
        raise _refused(place, what, value, output)


def _refused(place: str, what: str, value: object, output: Output) -> StorageError:
    kind = output.model.__name__ if output.model else output.format or "None"
    return storage_error(
        StorageErrorCode.VALIDATION_ERROR,
        f"phase {place} returned another type than it says: {what} is "
        f"{type(value).__name__}, not {kind}. Nothing was stored.",
        operation="store",
        reason="output_type",
        next_action="return what the annotation says",
    )

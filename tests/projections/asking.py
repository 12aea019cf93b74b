"""Runs to ask about, and how refusals are told, in tests of the store."""

from collections.abc import Awaitable
from typing import Any

import pytest

from journal.backends.filesystem import FilesystemLog
from journal.errors import StorageError
from journal.events import run
from tests.projections.helpers import ERROR, Writer, created


async def refusal(call: Awaitable[Any]) -> StorageError:
    with pytest.raises(StorageError) as refused:
        await call
    return refused.value


def run_note(number: int) -> Any:
    from journal.events.log import AnnotationAdded

    return AnnotationAdded(text=f"note {number}")


def write(log: FilesystemLog, count: int = 6) -> list[Writer]:
    """Runs of two projects, every third one failed, created a day apart."""
    writers = []
    for number in range(count):
        writer = Writer(log, now=1.8e9 + 86_400 * number)
        writer.write(created(project=("odd", "even")[number % 2]), run.RunStarted())
        ending = run.RunCompleted() if number % 3 else run.RunFailed(error=ERROR)
        writers.append(writer.write(ending).close())
    return writers

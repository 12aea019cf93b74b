"""A program that is cancelled at each of its checkpoints, one after the other."""

from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from tests.concurrency.checkpoints import WAYS, Way, each_checkpoint
from tests.concurrency.oracle import Told, holds
from tests.journal.helpers import journal_on, note
from tests.support.disks import UnsyncedFiles


class Row(BaseModel):
    number: int


def rows() -> Iterator[Row]:
    """Consumed on a thread."""
    for number in range(3):
        yield Row(number=number)


async def everything(store: Path, told: Told) -> None:
    """All that a caller can wait for, once: opening, writing, storing, leaving, deleting."""
    async with journal_on(store, UnsyncedFiles()) as journal:
        async with journal.run(project="nightly") as run:
            told.entered.add(run.id)
            async with run.phase("ingest") as phase:
                told.submit("one a", "one b")
                place = await phase.append([note("one a"), note("one b")], key="one")
                told.acknowledge(run.id, place, "one a", "one b")
                told.submit("two")
                told.acknowledge(run.id, await phase.emit(note("two")), "two")
                await phase.store("text")
                await phase.store(rows())
                async with phase.step("step"):
                    pass
            await run.skip("later", "not today")
            told.submit("three")
            run.emit(note("three"))
        async with journal.open_run(run.id) as again:
            told.submit("four")
            told.acknowledge(run.id, await again.annotate("four"), "four")
        async with journal.resume(run.id, wait_s=1) as resumed:
            await resumed.find_artifacts(["none"])
        gone = journal.run(project="nightly")
        async with gone:
            pass
        await journal.delete(gone.id)


@pytest.mark.parametrize(("anyio_backend", "way"), WAYS)
async def test_a_program_cancelled_at_any_checkpoint_loses_and_holds_nothing(
    tmp_path: Path, anyio_backend: str, way: Way
) -> None:
    """Cases 50 to 53: what was acknowledged is there, all runs are free, nothing is left open."""
    tolds: list[Told] = []

    def make(k: int) -> Coroutine[Any, Any, None]:
        tolds.append(Told())
        return everything(tmp_path / f"store{k}", tolds[-1])

    async for k in each_checkpoint(make, way):
        store = tmp_path / f"store{k}"
        if store.exists():
            try:
                await holds(store, tolds[k], pairs=(" a", " b"))
            except AssertionError as failure:
                failure.add_note(f"cancelled at checkpoint {k}")
                raise
    assert len(tolds[-1].acknowledged) == 4, "the last one was not cancelled"
    assert len(tolds) > 40

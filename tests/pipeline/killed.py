"""A pipeline that kills its own process at a named place: ``python -m tests.pipeline.killed``."""

import os
import signal
import sys
from collections.abc import Callable

import anyio

from journal import Journal, Phase, Pipeline, Run
from tests.pipeline.helpers import Row, Total


def build(at: Callable[[str], None]) -> Pipeline:
    """Three phases; ``at`` is called with each place that they pass."""
    pipeline = Pipeline("killed")

    @pipeline.phase()
    async def ingest(phase: Phase) -> list[Row]:
        at("ingest")
        return [Row(number=1), Row(number=2)]

    @pipeline.phase(after=["ingest"], partitions=["de", "fr"], limit=1)
    async def translate(phase: Phase, ingest: list[Row], partition: str) -> Total:
        async with phase.step("call"):
            await phase.progress(1, 2)
            at(f"translate {partition}")
        return Total(total=sum(row.number for row in ingest))

    @pipeline.phase(after=["translate"])
    async def report(phase: Phase, translate: dict[str, Total]) -> str:
        await phase.store("draft")
        at("report")
        return " ".join(sorted(translate))

    return pipeline


async def main(store: str, place: str) -> None:
    """Run it in a store, and be killed where it passes ``place``."""

    def at(passed: str) -> None:
        if passed == place:
            os.kill(os.getpid(), signal.SIGKILL)

    def told(run: Run) -> None:
        sys.stdout.write(run.id)
        sys.stdout.flush()

    async with Journal.open(store) as journal:
        await build(at).run(journal, on_run=told)


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], sys.argv[2], backend=sys.argv[3])

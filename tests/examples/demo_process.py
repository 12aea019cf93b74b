"""The example pipeline in a process of its own: ``python -m tests.examples.demo_process``."""

import sys
from pathlib import Path

import anyio
import localize

from journal import Journal, Run


def told(run: Run) -> None:
    """Say the run's id as soon as it is durable."""
    sys.stdout.write(f"{run.id}\n")
    sys.stdout.flush()


async def main(store: str, source: str, files_max: str) -> None:
    """Run it over the first files of a folder."""
    parameters = localize.Parameters(source=Path(source), files_max=int(files_max))
    async with Journal.open(store) as journal:
        await localize.pipeline.run(journal, parameters, on_run=told)


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], sys.argv[2], sys.argv[3])

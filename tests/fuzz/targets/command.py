"""
The command with any arguments, in this process, over a small real store.

One argument per line; ``{run}``, ``{last8}``, ``{artifact}`` and ``{store}`` stand for what is
there. Whatever is typed, the exit code is a documented one and nobody sees a traceback. A word
never names a place outside of the folder in which all this happens, nor a module of others.
"""

import contextlib
import json
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path

import anyio
from click.testing import CliRunner

from journal import Journal
from projections.cli.app import COMMANDS, app
from tests.fuzz.targets.words import text_of

CODES = frozenset({0, 1, 2, 3, 4, 5, 130})
UNTRIED = frozenset({"serve"})
"""Commands that only a signal ends."""

_ARGUMENTS_MAX = 12
_CHARS_MAX = 20_000
_PIPELINE = """
from journal import Phase, Pipeline
from pydantic import BaseModel

class Parameters(BaseModel):
    rows: int = 1
    label: str = "x"
    fails: bool = False

pipeline = Pipeline("words", parameters=Parameters)

@pipeline.phase()
async def ingest(phase: Phase, parameters: Parameters) -> list[str]:
    if parameters.fails:
        raise ValueError("no such rows")
    return [parameters.label] * min(parameters.rows, 5)
"""


class _Place:
    """A folder with a pipeline and a store of three runs; made again once it was changed."""

    def __init__(self) -> None:
        self._home = tempfile.TemporaryDirectory(prefix="fuzz-")
        self.folder = Path(self._home.name, "work")
        self._sound = Path(self._home.name, "sound")
        self._sound.mkdir()
        self._names = anyio.run(self._make)
        self.used = 0

    async def _make(self) -> dict[str, str]:
        async with Journal.open(self._sound / ".journal") as journal:
            async with journal.run(project="words") as run:
                async with run.phase("ingest") as phase:
                    stored = await phase.store("some text")
                    await phase.store(b"\0\xff", role="export")
                await run.annotate("odd \x1b[2J \u202e text")
            with contextlib.suppress(ValueError):
                async with (
                    journal.run(project="words", target="pipe.py:pipeline") as failed,
                    failed.phase("ingest"),
                ):
                    raise ValueError("no")
            async with journal.run(project="other") as torn:
                pass
        (log,) = self._sound.rglob(f"{torn.id}/events.jsonl")
        with log.open("ab") as file:
            file.write(b'{"seq":5,"timestamp":"2026-11-22T')
        (self._sound / "pipe.py").write_text(_PIPELINE)
        shutil.copytree(self._sound, self.folder)
        return {
            "{run}": run.id,
            "{last8}": run.id[-8:],
            "{failed}": failed.id,
            "{torn}": torn.id,
            "{artifact}": stored.artifact_id,
            "{store}": ".journal",
        }

    def words(self, data: bytes) -> list[str]:
        """The arguments that the input stands for."""
        found = []
        for each in text_of(data[:_CHARS_MAX]).split("\n")[:_ARGUMENTS_MAX]:
            text = each
            for name, meant in self._names.items():
                text = text.replace(name, meant)
            found.append(text.replace("/", "_").replace("..", "__"))
        return ["nothing" if _leads_out(each) else each for each in found]

    def refresh(self) -> None:
        """As it was at first."""
        shutil.rmtree(self.folder)
        shutil.copytree(self._sound, self.folder)


def _leads_out(text: str) -> bool:
    """Whether it is the name of a module of somebody else's; what is imported, runs."""
    module = text.partition(":")[0].partition(".")[0]
    return module != "pipe" and (module in sys.stdlib_module_names or module in sys.modules)


@cache
def _place() -> _Place:
    return _Place()


def arguments(data: bytes) -> None:
    """Run the command, and look at how it ends."""
    place = _place()
    typed = place.words(data)
    if UNTRIED & {*typed}:
        return
    place.used += 1
    if place.used % 100 == 0:
        place.refresh()
    with contextlib.chdir(place.folder):
        ran = CliRunner().invoke(app, typed, prog_name="journal", catch_exceptions=False)
    if ran.exit_code == 0 and {"delete", "repair", "salvage", "resume"} & {*typed}:
        place.refresh()
    assert ran.exit_code in CODES, f"exit code {ran.exit_code}"
    ran.stderr.encode()
    if "run" not in typed and "resume" not in typed:  # there a pipeline may fail as it likes
        assert "Traceback (most" not in ran.stderr
    if ran.exit_code == 0:
        for line in ran.stdout.split("\n"):
            if line.startswith("{"):
                json.loads(line)


def commands() -> frozenset[str]:
    """All commands that are tried."""
    return frozenset(COMMANDS) - UNTRIED

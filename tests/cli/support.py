"""
What the tests of the command share: the real program, in a pipe and on a terminal; a pipeline.

The pipeline holds still at a gate, a file, so that no test has to guess how long something takes.
"""

import contextlib
import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
from click.testing import CliRunner

from journal import Journal
from projections.cli.app import app

_UNSET = ("JOURNAL_STORE", "NO_COLOR", "FORCE_COLOR", "COLUMNS")
PROGRAM = [sys.executable, "-c", "from projections.cli import main; main()"]
DEADLINE_S = 60.0
"""A bound, so that a broken command ends the test; nothing is measured by it."""

PIPELINE = '''
"""A pipeline of three phases that can be held, and made to fail."""

from datetime import date
from pathlib import Path

import anyio
from journal import Phase, Pipeline, Usage
from pydantic import BaseModel, ConfigDict


class Row(BaseModel):
    text: str


class Parameters(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    rows: int = 3
    labels: tuple[str, ...] = ("de", "fr")
    day: date = date(2026, 11, 22)
    gate: Path | None = None
    fails: Path | None = None


pipeline = Pipeline("words", parameters=Parameters)


@pipeline.phase()
async def ingest(phase: Phase, parameters: Parameters) -> list[Row]:
    phase.progress(parameters.rows, parameters.rows, "rows")
    phase.log("warning", "odd \\x1b[2J \\u202e text")
    return [Row(text=f"row {n}") for n in range(parameters.rows)]


@pipeline.phase(after=["ingest"], partitions=lambda parameters: parameters.labels)
async def translate(
    phase: Phase, ingest: list[Row], parameters: Parameters, partition: str
) -> list[Row]:
    async with phase.step("ask") as step:
        step.use(Usage(tokens_in=7, tokens_out=5, cost_usd=0.25, requests=1))
    while parameters.gate and not parameters.gate.exists():
        await anyio.sleep(0.005)
    if parameters.fails and parameters.fails.exists() and partition == "fr":
        raise ValueError("no such \\x1b[2J language")
    return [Row(text=f"{partition} {row.text}") for row in ingest]


@pipeline.phase(after=["translate"])
async def export(phase: Phase, translate: dict[str, list[Row]]) -> str:
    await phase.store(b"\\x00\\xff\\x00", role="export", description="raw bytes")
    return "\\n".join(row.text for rows in translate.values() for row in rows) + "\\n\\x1b[2J\\n"
'''


def wait_for(holds: Callable[[], bool], what: str) -> None:
    """Poll until it holds; it happens in another process."""
    end = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.01)


class Command:
    """The command ``journal`` in a folder with ``pipe.py``; its store is ``./.journal``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "pipe.py").write_text(PIPELINE, encoding="utf-8")
        # As on a machine where nobody set anything.
        self.environment = {k: v for k, v in os.environ.items() if k not in _UNSET}

    def __call__(
        self, *arguments: str, cwd: Path | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end, in a pipe: in this process, which takes a tenth of the time."""
        if {"run", "resume"} & {*arguments}:
            return self.process(*arguments, cwd=cwd, **environment)
        unset = {name: environment.get(name) for name in _UNSET}
        with contextlib.chdir(cwd or self.folder):
            ran = CliRunner().invoke(
                app, arguments, env=unset | environment, prog_name="journal", catch_exceptions=False
            )
        return subprocess.CompletedProcess(arguments, ran.exit_code, ran.stdout, ran.stderr)

    def process(
        self, *arguments: str, cwd: Path | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end, in a pipe and a process of its own."""
        return subprocess.run(
            [*PROGRAM, *arguments],
            cwd=cwd or self.folder,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=DEADLINE_S,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start it in a pipe, and go on."""
        return subprocess.Popen(
            [*PROGRAM, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )

    def records(self, *arguments: str) -> list[Any]:
        """Run it, and read the JSON Lines that it prints."""
        ran = self(*arguments)
        assert ran.returncode == 0, ran.stderr
        return [json.loads(line) for line in ran.stdout.split("\n") if line]

    def run_id(self, *arguments: str) -> str:
        """Run the pipeline to its end; gives the run's id."""
        return self("run", "pipe.py", *arguments).stdout.strip()

    def make_runs(self, number: int) -> list[str]:
        """Make short runs with the library, in this process."""

        async def make() -> list[str]:
            made = []
            async with Journal.open(self.folder / ".journal") as journal:
                for _ in range(number):
                    async with journal.run(project="words") as run:
                        made.append(str(run.id))
            return made

        return anyio.run(make)

    def run_folder(self, run_id: str) -> Path:
        """Where a run lies."""
        (found,) = (self.folder / ".journal/runs").glob(f"*/*/*/{run_id}")
        return found

    def log(self, run_id: str) -> Path:
        """A run's log."""
        return self.run_folder(run_id) / "events.jsonl"

    def held(self) -> tuple[subprocess.Popen[str], str]:
        """Start a run and wait until both partitions stand at the gate."""
        process = self.start("run", "pipe.py", "-p", f"gate={self.folder / 'gate'}")
        assert process.stdout is not None
        run_id = process.stdout.readline().strip()
        wait_for(lambda: self.log(run_id).read_text().count("step_completed") == 2, "the gate")
        return process, run_id

    def open_gate(self) -> None:
        """Let what is held go on."""
        (self.folder / "gate").touch()

    def on_terminal(self, *arguments: str, typed: str = "", **environment: str) -> tuple[int, str]:
        """Run it on a pseudo-terminal; gives exit code and what appeared on the screen."""
        parent, child = pty.openpty()
        process = subprocess.Popen(
            [*PROGRAM, *arguments],
            cwd=self.folder,
            env=self.environment | {"TERM": "xterm-256color", "COLUMNS": "120"} | environment,
            stdin=child,
            stdout=child,
            stderr=child,
            start_new_session=True,
        )
        os.close(child)
        os.write(parent, typed.encode())
        try:
            shown = _read_screen(parent)
        finally:
            os.close(parent)
        return process.wait(DEADLINE_S), shown


def _read_screen(parent: int) -> str:
    shown = b""
    poll = select.poll()
    poll.register(parent, select.POLLIN)
    while poll.poll(DEADLINE_S * 1000):
        try:
            data = os.read(parent, 65_536)
        except OSError:  # Linux says so when the other end is closed
            break
        if not data:
            break
        shown += data
    return shown.decode().replace("\r\n", "\n")

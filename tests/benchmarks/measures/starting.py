"""
Starting: what a command costs before it does anything.

Each is a process of its own, beside a Python that does nothing.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.benchmarks.generator import Generator
from tests.benchmarks.report import OURS, RAW, Row, row
from tests.benchmarks.settings import Settings
from tests.benchmarks.timing import Body, Sample, median, take_turns, timed

_RUNS = 100


def start_up(settings: Settings) -> list[Row]:
    """P13: the command and the library, over a bare Python. For orientation."""
    root = settings.folder / "warm"
    Generator(root).short_runs(_RUNS)
    journal = str(Path(sys.executable).parent / "journal")
    commands = {
        RAW: [sys.executable, "-c", "pass"],
        "P13.help": [journal, "--help"],
        "P13.import": [sys.executable, "-c", "import journal"],
        "P13.open": [sys.executable, "-c", "from journal import Journal"],
        "P13.list": [journal, "list", "--store", str(root)],
    }
    for command in commands.values():  # compiled files, caches and the index are there after this
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    bodies: dict[str, Body] = {who: _started(command) for who, command in commands.items()}
    rounds = take_turns(bodies, settings.repeats * 2, settings.folder)
    shutil.rmtree(root)
    rows = []
    for who, command in list(commands.items())[1:]:
        ours, raw = (median(rounds, each, _ms) for each in (who, RAW))
        beside = {OURS: {"ms": ours}, RAW: {"ms": raw}}
        rows.append(row(who, _said(command), ours - raw, "ms over bare Python", beside))
    return rows


def _ms(sample: Sample) -> float:
    return sample.wall_ns / 1e6


def _started(command: list[str]) -> Body:
    def once() -> int:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return 1

    return lambda _: timed(once)


def _said(command: list[str]) -> str:
    if command[0] == sys.executable:
        return f"`python -c '{command[2]}'`"
    more = f" on a warm store of {_RUNS} runs" if "list" in command else ""
    return f"`journal {command[1]}`{more}"

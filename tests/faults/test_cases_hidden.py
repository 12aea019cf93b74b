"""Runs that may lie where nobody can look: the command says so, and shows the others."""

import json
import subprocess
from pathlib import Path

from journal import Journal
from tests.docs.test_guides import PROGRAM


def listed(store: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """Run ``journal list`` in a process of its own, where no test has set any filter."""
    command = [*PROGRAM, "list", "--store", str(store), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


async def test_the_command_tells_of_runs_that_may_be_hidden(tmp_path: Path) -> None:
    """Case 38: in one line on stderr, at each visit; the exit code is that of the answer."""
    async with Journal.open(tmp_path / "store") as journal, journal.run(project="nightly") as run:
        pass
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "store/runs/2031").symlink_to(tmp_path / "elsewhere")
    for options in ((), ("--json",)):
        ran = listed(tmp_path / "store", *options)
        assert ran.returncode == 0, ran.stderr
        assert json.loads(ran.stdout)["run_id"] == run.id
        (line,) = ran.stderr.splitlines()
        said = json.loads(line)["warning"]["message"] if options else line
        assert str(tmp_path / "store/runs/2031") in said
        assert ".py:" not in line

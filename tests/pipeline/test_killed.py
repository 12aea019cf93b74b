"""SIGKILL in the middle of a pipeline, in a process of its own; then the resume in this one."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from journal import Journal, Record
from journal.events.phase import PhaseCompleted
from journal.testing import records
from tests.pipeline.helpers import counted, story
from tests.pipeline.killed import build
from tests.rules.sources import ROOT

PLACES = ["ingest", "translate de", "translate fr", "report"]


@pytest.mark.parametrize("place", PLACES)
async def test_a_killed_run_ends_completed_with_no_finished_phase_run_twice(
    tmp_path: Path, place: str, anyio_backend: str
) -> None:
    """No code of ours runs after SIGKILL: what counts is what was durable before."""
    store = tmp_path / "store"
    killed = subprocess.run(
        [sys.executable, "-m", "tests.pipeline.killed", str(store), place, anyio_backend],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    run_id = killed.stdout.strip()
    passed: list[str] = []
    async with Journal.open(store, create=False) as journal:
        before = records(journal, run_id)
        result = await build(passed.append).resume(journal, run_id)
        after = records(journal, run_id)
        told = story(journal, run_id)
    assert result.outputs["report"] == "de fr"
    assert after[: len(before)] == before
    assert sorted(finished(after), key=PLACES.index) == PLACES
    assert sorted(passed, key=PLACES.index) == [
        each for each in PLACES if each not in finished(before)
    ]
    assert counted(told, "run_completed") == 1


def finished(lines: list[Record]) -> list[str]:
    """What completed, in the order of the log, as often as it did."""
    return [
        f"{line.phase} {line.data.partition}" if line.data.partition else str(line.phase)
        for line in lines
        if isinstance(line.data, PhaseCompleted)
    ]

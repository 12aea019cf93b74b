"""The example pipeline as a run: what its log says, and that a kill in the middle costs nothing."""

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import anyio
import localize
import pytest
from localizing.extract import default_root
from localizing.models import ExportLine

from journal import ArtifactMetadata, Journal, Record, StorageError
from journal.events.artifact import ArtifactPersisted
from journal.events.log import LogEmitted
from journal.events.phase import PhaseCompleted, PhaseProgress
from journal.events.run import RunCreated
from journal.events.step import StepCompleted
from journal.testing import memory_journal, records
from tests.rules.sources import ROOT

PHASES = ["ingest", "context", "pretranslation", "translate", "qa", "edit", "export"]
BROKEN = 6
"""Files of the small tree that cannot be read."""


def finished(lines: list[Record]) -> Counter[tuple[str | None, str | None]]:
    """How often each phase and partition completed."""
    return Counter(
        (line.phase, line.data.partition) for line in lines if isinstance(line.data, PhaseCompleted)
    )


async def stored(journal: Journal, lines: list[Record], role: str) -> list[ArtifactMetadata]:
    """The artifacts of one role, as a person would look at them."""
    ids = [
        line.data.artifact_id
        for line in lines
        if isinstance(line.data, ArtifactPersisted) and line.data.role == role
    ]
    async with journal.open_run(lines[0].run_id) as run:
        found = await run.find_artifacts(ids)
    return [found[each] for each in ids]


async def test_the_seven_phases_deliver_a_file_per_language(sources: Path) -> None:
    """What a newcomer runs first: every phase, two languages, one line for each string."""
    async with memory_journal() as journal:
        result = await localize.pipeline.run(journal, {"source": str(sources)})
        lines = records(journal, result.run_id)
        exports = await stored(journal, lines, "export")
        files = {each.description: await journal.load(each, ExportLine) for each in exports}
    (created,) = [line.data for line in lines if isinstance(line.data, RunCreated)]
    assert [each.name for each in created.plan or ()] == PHASES
    done = finished(lines)
    assert set(done.values()) == {1}
    assert {phase for phase, _ in done} == set(PHASES)
    assert {label for phase, label in done if phase == "translate"} == {"de-XA", "ar-XB"}
    strings = result.outputs["ingest"]
    for name in ("Translations into de-XA", "Translations into ar-XB"):
        content = files[name]
        assert isinstance(content, list)
        assert [line.id for line in content] == [string.id for string in strings]


async def test_files_that_do_not_parse_are_counted_and_shown(sources: Path) -> None:
    """One bad file neither stops the others nor goes by unseen."""
    async with memory_journal() as journal:
        result = await localize.pipeline.run(journal, {"source": str(sources)})
        lines = records(journal, result.run_id)
        (left_out, _) = await stored(journal, lines, "report")
    summary = next(line.data.summary for line in lines if isinstance(line.data, PhaseCompleted))
    warnings = [line.message for line in lines if isinstance(line.data, LogEmitted)]
    assert summary is not None
    assert summary["skipped"] == len(warnings) == BROKEN
    assert any(text.startswith("broken.py is left out: SyntaxError") for text in warnings)
    assert (left_out.description, left_out.format) == ("Files left out", "jsonl")


async def test_the_report_says_what_was_found_and_what_was_repaired(sources: Path) -> None:
    """The naive pass breaks some texts; qa finds them, edit repairs them, nothing is left."""
    async with memory_journal() as journal:
        result = await localize.pipeline.run(journal, {"source": str(sources)})
        lines = records(journal, result.run_id)
        kept = await journal.load((await stored(journal, lines, "report"))[-1], localize.Report)
    report: localize.Report = result.outputs["export"]
    assert kept == report
    assert report.strings == len(result.outputs["ingest"])
    assert report.units == len(result.outputs["pretranslation"])
    assert [each.language for each in report.languages] == ["de-XA", "ar-XB"]
    for language in report.languages:
        assert language.findings["placeholder_lost"] > 0
        assert 0 < language.repaired < report.units
    edits = [line.data for line in lines if line.phase == "edit"]
    summaries = [each.summary or {} for each in edits if isinstance(each, PhaseCompleted)]
    assert [summary["left"] for summary in summaries] == [0, 0]


async def test_phases_tell_how_far_they_are_and_steps_what_they_used(sources: Path) -> None:
    """Progress is for those who wait, usage for those who pay."""
    async with memory_journal() as journal:
        result = await localize.pipeline.run(journal, {"source": str(sources)})
        lines = records(journal, result.run_id)
    assert {line.phase for line in lines if isinstance(line.data, PhaseProgress)} == set(PHASES)
    steps = [line.data for line in lines if isinstance(line.data, StepCompleted)]
    assert all(step.usage and step.usage.tokens_in > 0 for step in steps)
    assert {step.partition for step in steps} == {"de-XA", "ar-XB"}


async def test_a_folder_without_sources_is_delivered_empty(tmp_path: Path) -> None:
    """Nothing to do is no failure."""
    async with memory_journal() as journal:
        result = await localize.pipeline.run(journal, {"source": str(tmp_path)})
    assert result.outputs["export"].strings == 0


@pytest.mark.parametrize("bad", [{"languages": ["xx"]}, {"files_max": 0}, {"languages": []}])
async def test_parameters_that_mean_nothing_are_refused(bad: dict[str, object]) -> None:
    """Before there is a run that could never deliver anything."""
    async with memory_journal() as journal:
        with pytest.raises(StorageError, match="no Parameters: field"):
            await localize.pipeline.run(journal, bad)


def test_a_kill_in_the_middle_of_translate_costs_no_finished_phase(tmp_path: Path) -> None:
    """Real text, a real process, a real SIGKILL, at whatever moment it lands."""
    store = tmp_path / "store"
    command = ["-m", "tests.examples.demo_process", str(store), str(default_root()), "60"]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'docs/examples'}"}
    with subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as demo:
        assert demo.stdout is not None
        run_id = demo.stdout.readline().strip()
        (log,) = store.glob(f"runs/*/*/*/{run_id}/events.jsonl")
        while b'"event":"step_completed"' not in log.read_bytes() and demo.poll() is None:
            pass  # reads until it is there; nothing is decided by how long that takes
        demo.send_signal(signal.SIGKILL)
        assert demo.wait() == -signal.SIGKILL

    async def resume() -> tuple[list[Record], list[Record]]:
        async with Journal.open(store, create=False) as journal:
            before = records(journal, run_id)
            result = await localize.pipeline.resume(journal, run_id)
            assert result.status == "completed"
            return before, records(journal, run_id)

    before, after = anyio.run(resume)
    assert after[: len(before)] == before
    assert {("ingest", None), ("context", None), ("pretranslation", None)} <= set(finished(before))
    assert set(finished(after).values()) == {1}
    assert len(finished(after)) == 10

"""The benchmarks themselves: what they generate is valid, and what they tell has its form."""

import json
from pathlib import Path

import pytest

from journal.backends.filesystem import FilesystemLog
from journal.chain import Chain
from projections.catchup import catch_up
from projections.questions import runs
from projections.sqlite import Index
from tests.benchmarks import machine, report, workload
from tests.benchmarks.generator import FAILED_OF, Generator
from tests.benchmarks.measures import MEASURES
from tests.rules.sources import ROOT


def logs_of(root: Path) -> list[bytes]:
    """Return all logs of a store, in the order of their runs."""
    log = FilesystemLog.open(root)
    return [b"".join(log.read(run_id)) for run_id in log.runs()]


def test_a_generated_log_holds_to_the_last_rule(tmp_path: Path) -> None:
    """Figures from lines that no writer would make would be figures of nothing."""
    generator = Generator(tmp_path / "store")
    generator.short_runs(3, progress=2)
    generator.long_run(500)
    log = FilesystemLog.open(tmp_path / "store")
    counts = []
    for run_id in log.runs():
        chain = Chain(run_id, strict=True)
        for line in log.read(run_id):
            chain.follow(line)
        assert chain.between_batches
        assert chain.position == log.head(run_id).head.position
        counts.append(chain.seq)
    assert sorted(counts) == [38, 38, 38, 500]


def test_the_same_seed_gives_the_same_logs(tmp_path: Path) -> None:
    """Two machines that compare figures must have read the same bytes."""
    for name in ("one", "two"):
        Generator(tmp_path / name).short_runs(4)
    Generator(tmp_path / "other", seed=7).short_runs(4)
    assert logs_of(tmp_path / "one") == logs_of(tmp_path / "two")
    assert logs_of(tmp_path / "one") != logs_of(tmp_path / "other")


def test_one_generated_run_in_ten_has_failed(tmp_path: Path) -> None:
    """The newest failed ones are listed; all failed, or none, would be another measure."""
    Generator(tmp_path / "store").short_runs(2 * FAILED_OF)
    log, index = FilesystemLog.open(tmp_path / "store"), Index(str(tmp_path / "index.sqlite"))
    index.use(lambda db: catch_up(db, log))
    found = index.use(lambda db: [each.status for each in runs(db)])
    index.close()
    assert sorted(found) == ["completed"] * 18 + ["failed"] * 2


def test_a_run_of_the_workload_has_its_number_of_events() -> None:
    """374 events: the size that the peers' figures are for."""
    assert len(workload.whole_run()) == workload.EVENTS_PER_RUN


ROW = report.row(
    "P0", "what", 0.51234, "of raw", {"raw": {"p50_us": 123456.7}, "ours": {"ms": 2}}, at_least=0.5
)


def test_a_row_is_told_in_one_form() -> None:
    """Later runs are compared with this one: by id, and by names that stay."""
    (told,) = json.loads(report.as_json([ROW]))
    assert told == {
        "id": "P0",
        "what": "what",
        "value": 0.5123,
        "target": 0.5,
        "unit": "of raw",
        "better": "higher",
        "met": True,
        "beside": {"raw": {"p50_us": 123500.0}, "ours": {"ms": 2.0}},
    }


@pytest.mark.parametrize(("bounds", "met"), [({"at_most": 0.5}, False), ({}, None)])
def test_a_target_is_met_from_its_own_side(bounds: dict[str, float], met: bool | None) -> None:
    """Less is better for times, more for rates; without a target nothing is met or missed."""
    assert report.row("P0", "what", 0.6, "s", {}, **bounds).met is met  # type: ignore[arg-type]


def test_the_page_keeps_everything_but_its_tables(tmp_path: Path) -> None:
    """The words around the figures are written by people."""
    page = tmp_path / "page.md"
    page.write_text(f"above\n{report.BEGIN}\nold\n{report.END}\nbelow\n", encoding="utf-8")
    report.put_into_page(page, report.as_markdown([ROW], "2 CPUs."))
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"above\n{report.BEGIN}\n2 CPUs.\n\n|  | what |")
    assert text.endswith(f"|\n{report.END}\nbelow\n")
    assert "old" not in text
    page.write_text("no markers", encoding="utf-8")
    with pytest.raises(ValueError, match="page"):
        report.put_into_page(page, "x")


def test_the_page_of_the_project_tells_every_measure() -> None:
    """A measure that nobody can read about is one that nobody checks."""
    page = (ROOT / "docs/performance.md").read_text(encoding="utf-8")
    assert page.index(report.BEGIN) < page.index(report.END)
    for number in MEASURES:
        assert f"| {number} |" in page.partition(report.END)[2]


def test_the_machine_is_described_without_a_name_or_a_path(tmp_path: Path) -> None:
    """Figures are published; where they were made is nobody's business."""
    told = machine.describe(tmp_path)
    assert "/" not in told
    assert "CPUs" in told
    assert "Python" in told

"""Progress of long work: silent at first, then how far, how fast and how long still."""

import pytest

from projections.cli import meter
from tests.cli.support import Command


def test_short_work_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """INTERFACES: progress on anything past a second; a flash of it is noise."""
    with meter.Meter("Verifying") as shown:
        shown.show(1, 2, 100)
    assert capsys.readouterr().err == ""


def test_long_work_says_how_far_how_fast_and_how_long(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs of all, events, events per second, time left; without a terminal not every time."""
    monkeypatch.setattr(meter, "PATIENCE_S", 0.0)
    with meter.Meter("Verifying") as shown:
        shown.show(1, 4, 1_000)
        shown.show(2, 4, 2_000)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("Verifying: 1 of 4 runs, 1,000 events, ")
    assert "events/s, " in line
    assert line.endswith(" left")


def test_the_last_line_counts_what_was_done() -> None:
    """So that "nothing is wrong" says how much nothing."""
    with meter.Meter("Verifying") as shown:
        shown.show(1, 1, 1)
    said = shown.summary("Verified", "nothing is wrong")
    assert said.startswith("Verified 1 run, 1 event in ")
    assert said.endswith(": nothing is wrong.")


@pytest.mark.parametrize("arguments", [["list"], ["show", "@latest"], ["events", "@latest"]])
def test_reading_that_takes_long_says_how_far_it_is(
    journal: Command, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """INTERFACES: a first look at a big store folds all of its logs; people see that it moves."""
    journal.make_runs(2)
    assert journal(*arguments).stderr == ""
    monkeypatch.setattr(meter, "PATIENCE_S", 0.0)
    for path in (journal.folder / ".journal").glob("index.sqlite*"):
        path.unlink()
    ran = journal(*arguments)
    assert ran.stderr.startswith("Reading: ")
    assert " of 2 runs" in ran.stderr
    assert journal("--json", *arguments).stdout == ran.stdout

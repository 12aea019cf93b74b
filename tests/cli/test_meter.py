"""Progress of long work: silent at first, then how far, how fast and how long still."""

import pytest

from projections.cli import meter


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

"""`journal resume`: what is kept, what is done again, what is said before and after."""

import re

import pytest

from projections.cli.session import what_is_kept
from projections.run_models import RunState
from tests.cli.support import Command


@pytest.fixture
def failed(journal: Command) -> tuple[Command, str]:
    """A run that failed in one of two partitions; its cause is gone."""
    bad = journal.folder / "bad"
    bad.touch()
    run_id = journal.run_id("-p", f"fails={bad}")
    bad.unlink()
    return journal, run_id


def completed(journal: Command, run_id: str) -> list[tuple[str, str | None, int]]:
    """Phase, partition and revision of all that completed, in order."""
    done = journal.records("events", run_id, "--type", "phase_completed")
    return [(e["phase"], e["data"].get("partition"), e["data"]["revision"]) for e in done]


def test_a_phase_is_done_again_on_demand(journal: Command) -> None:
    """Only by asking: a phase may have cost hours. What was made from its result runs again."""
    run_id = journal.run_id()
    before = len(completed(journal, run_id))
    ran = journal("resume", run_id, "--redo", "translate[fr]")
    assert ran.returncode == 0, ran.stderr
    assert "1 phase kept, 2 to run." in ran.stderr
    again = completed(journal, run_id)[before:]
    assert again == [("translate", "fr", 2), ("export", None, 2)]
    assert journal("resume", run_id, "--redo", "ingest", "--redo", "export").returncode == 0


def test_what_is_no_phase_cannot_be_done_again(journal: Command) -> None:
    """A typing error must not look as if it had been done; nothing is recorded."""
    run_id = journal.run_id()
    before = journal.log(run_id).read_bytes()
    for name in ("tranlate", "translate[es]"):
        ran = journal("resume", run_id, "--redo", name)
        assert ran.returncode == 1
        assert "validation_error" in ran.stderr
    assert journal.log(run_id).read_bytes() == before


def test_a_result_that_is_gone_names_the_option(failed: tuple[Command, str]) -> None:
    """Nothing is run again unasked, so the error says how to ask, as it can be typed."""
    journal, run_id = failed
    (stored,) = [each for each in journal.records("artifacts", run_id) if each["partition"] == "de"]
    (journal.run_folder(run_id) / "artifacts" / stored["sha256"]).unlink()
    ran = journal("resume", run_id)
    assert ran.returncode != 0
    assert f"journal resume {run_id} --redo 'translate[de]'" in ran.stderr
    assert journal("resume", run_id, "--redo", "translate[de]").returncode == 0


def test_resume_says_first_what_is_kept_and_last_how_long_it_took(
    failed: tuple[Command, str],
) -> None:
    """Who resumes wants to know what it will cost; the time of this process is not the run's."""
    journal, run_id = failed
    ran = journal("resume", run_id)
    lines = ran.stderr.splitlines()
    assert lines[0] == "1 phase kept, 2 to run."
    assert re.search(r"completed in [0-9.]+ s \([0-9.]+ s since it was created\)", lines[-1])


def test_after_a_failure_both_ways_on_are_named(journal: Command) -> None:
    """Most failures are mended in the code, and then `resume` alone would be refused."""
    (journal.folder / "bad").touch()
    first = journal("run", "pipe.py", "-p", f"fails={journal.folder / 'bad'}")
    run_id = first.stdout.strip()
    for ran in (first, journal("resume", run_id)):
        assert ran.stderr.splitlines()[-3:] == [
            f"  next: journal show {run_id}",
            f"  next: journal resume {run_id}",
            f"  after changing the code: journal resume {run_id} --allow-changed",
        ]


def test_what_is_behind_a_redone_phase_is_not_kept(finished: tuple[Command, str]) -> None:
    """The count is of what will run, not of what was named."""
    journal, run_id = finished
    state = RunState.model_validate_json(journal("show", run_id).stdout)
    assert what_is_kept(state, []) == "3 phases kept, 0 to run."
    assert what_is_kept(state, ["export"]) == "2 phases kept, 1 to run."
    assert what_is_kept(state, ["ingest"]) == "0 phases kept, 3 to run."

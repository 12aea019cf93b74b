"""`salvage`, `repair`, `verify`: what is damaged stays as it is, and the way on is named."""

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.support import Command
from tests.forks.damage import flip, starts, trace


@pytest.fixture
def damaged(tmp_path: Path, finished: tuple[Command, str]) -> tuple[Command, str]:
    """A copy of the finished run, a bit of its fifth line turned over."""
    shutil.copytree(finished[0].folder, tmp_path, dirs_exist_ok=True)
    journal, run_id = Command(tmp_path), finished[1]
    log = journal.log(run_id)
    flip(log, starts(log.read_bytes())[4] + 30)
    return journal, run_id


# -- salvage -------------------------------------------------------------------------------------


def test_salvage_prints_the_new_id_and_what_was_left(damaged: tuple[Command, str]) -> None:
    """In a pipe one object: where the damage is, how much was left behind, and how to go on."""
    journal, run_id = damaged
    before = trace(journal.run_folder(run_id))
    (made,) = journal.records("salvage", run_id)
    assert trace(journal.run_folder(run_id)) == before
    log = journal.log(run_id).read_bytes()
    assert (made["damaged"], made["parent"], made["code"]) == (run_id, run_id, "corrupt")
    assert made["left_from_line"] == made["seq"] + 1
    assert made["left_from_byte"] + made["left_bytes"] == len(log)
    assert made["next_action"] == f"journal resume {made['run_id']}"
    state = json.loads(journal("show", made["run_id"]).stdout)
    assert (state["parent"]["run_id"], state["parent"]["seq"]) == (run_id, made["seq"])
    resumed = journal("resume", made["run_id"])
    assert resumed.returncode == 0, resumed.stderr
    assert journal("verify", made["run_id"]).returncode == 0


def test_on_a_terminal_salvage_says_it_in_sentences(damaged: tuple[Command, str]) -> None:
    """The new id stands first; damage, what was left behind, and the next command follow."""
    journal, run_id = damaged
    code, screen = journal.on_terminal("salvage", run_id)
    assert code == 0
    new_id = screen.split()[0]
    for text in (f"of run {run_id}", "was not touched", "left behind: ", "line 5 (byte "):
        assert text in screen
    assert f"next: journal resume {new_id}" in screen


def test_salvage_into_another_store(damaged: tuple[Command, str], tmp_path: Path) -> None:
    """For a disk that can only be read: nothing at all is written to the first store."""
    journal, run_id = damaged
    journal("list")
    before = trace(journal.folder / ".journal" / "runs")
    (made,) = journal.records("salvage", run_id, "--into", str(tmp_path / "other"))
    assert trace(journal.folder / ".journal" / "runs") == before
    assert made["next_action"] == (f"journal resume --store {tmp_path / 'other'} {made['run_id']}")
    listed = journal.records("list", "--store", str(tmp_path / "other"))
    assert [each["run_id"] for each in listed] == [made["run_id"]]


def test_a_whole_run_is_not_salvaged(finished: tuple[Command, str]) -> None:
    """Exit 1, and the command that goes on with it."""
    journal, run_id = finished
    ran = journal("salvage", run_id)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert f"next: journal resume {run_id}" in ran.stderr


def test_a_run_without_a_whole_batch_has_nothing_to_salvage(damaged: tuple[Command, str]) -> None:
    """Case 23: line 1 is damaged, so there is nothing that anything could go on from."""
    journal, run_id = damaged
    flip(journal.log(run_id), 30)
    ran = journal("salvage", run_id)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "nothing to salvage" in ran.stderr


def test_a_run_that_is_not_there_or_has_no_log_is_not_salvaged(
    damaged: tuple[Command, str],
) -> None:
    """Case 20: exit 3, as for every name of nothing."""
    journal, run_id = damaged
    assert journal("salvage", "01a20285-29b3-7a11-8a5e-6c0d3b1f9e42").returncode == 3
    journal.log(run_id).unlink()
    ran = journal("salvage", run_id)
    assert ran.returncode == 3
    assert "its log is gone" in ran.stderr


def test_a_run_that_is_written_is_not_salvaged(journal: Command) -> None:
    """Case 48: exit 4; what is on its way is not damaged."""
    process, run_id = journal.held()
    assert journal("salvage", run_id).returncode == 4
    journal.open_gate()
    process.communicate()
    assert process.returncode == 0

"""`list`, `show`, `head`: what is recorded, in a pipe; how runs and stores are named."""

import json
import re
from pathlib import Path

import pytest

from projections.run_index import RunIndexRecord
from projections.run_state import RunState
from tests.cli.support import Command, wait_for

Finished = tuple[Command, str]


# -- list ----------------------------------------------------------------------------------------


def test_a_list_is_one_record_per_line_newest_first(journal: Command) -> None:
    """Each line is a RunIndexRecord, so that any program reads it without us."""
    runs = journal.make_runs(3)
    lines = journal("list").stdout.splitlines()
    assert [RunIndexRecord.model_validate_json(line).run_id for line in lines] == runs[::-1]
    assert [each["run_id"] for each in journal.records("list", "-n", "2")] == runs[:0:-1]


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["--status", "completed"], 1),
        (["--status", "failed"], 0),
        (["--project", "words"], 1),
        (["--project", "letters"], 0),
        (["--since", "2h"], 1),
        (["--since", "2200-01-01T00:00:00Z"], 0),
    ],
)
def test_a_list_holds_what_was_asked_for(
    finished: Finished, arguments: list[str], found: int
) -> None:
    """Every filter that is given must hold."""
    assert len(finished[0].records("list", *arguments)) == found


def test_a_store_that_is_not_there_has_no_runs(journal: Command) -> None:
    """INTERFACES: `list` is empty and exit 0, naming a run is exit 3; looking makes no store."""
    ran = journal("list")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    for arguments in (["show", "@latest"], ["head", "b0c1d2e3"], ["events", "@latest"]):
        assert journal(*arguments).returncode == 3
    assert journal("verify", "@latest").returncode == 3
    assert not (journal.folder / ".journal").exists()


# -- show ----------------------------------------------------------------------------------------


def test_a_state_is_one_object(finished: Finished) -> None:
    """`show` in a pipe is RunState as JSON, on one line."""
    journal, run_id = finished
    (line,) = journal("show", run_id).stdout.splitlines()
    state = RunState.model_validate_json(line)
    assert (state.run_id, state.status) == (run_id, "completed")


def test_a_point_shows_the_state_then(finished: Finished) -> None:
    """By number, by number before the last, and by the time of that event."""
    journal, run_id = finished
    lines = [json.loads(line) for line in journal.log(run_id).read_text().splitlines()]
    for seq in (1, 5, len(lines)):
        assert journal.records("show", f"{run_id}@{seq}")[0]["seq"] == seq
        assert journal.records("show", f"@latest@-{len(lines) - seq}")[0]["seq"] == seq
        stamp = lines[seq - 1]["timestamp"]
        last_then = max(each["seq"] for each in lines if each["timestamp"] <= stamp)
        assert journal.records("show", f"{run_id}@{stamp}")[0]["seq"] == last_then


@pytest.mark.parametrize(
    ("point", "code"),
    [
        ("9999", 3),
        ("9999999999999999999", 3),
        ("-9999", 3),
        ("1999-01-01T00:00:00Z", 3),
        ("2026-11-22T09:10:11", 2),
        ("0", 2),
        ("soon", 2),
    ],
)
def test_a_point_outside_is_not_found_and_nonsense_is_usage(
    finished: Finished, point: str, code: int
) -> None:
    """INTERFACES: past the end is exit 3; what is no point at all is exit 2."""
    journal, run_id = finished
    ran = journal("show", f"{run_id}@{point}")
    assert (ran.returncode, ran.stdout) == (code, "")
    assert point in ran.stderr or code == 2


def test_the_page_of_a_moment_says_where_it_lies(finished: Finished) -> None:
    """Event 5 of how many; and what ran then is not called left alone by its writer."""
    journal, run_id = finished
    last = journal("head", run_id).stdout.split()[0]
    _, screen = journal.on_terminal("show", f"{run_id}@5", NO_COLOR="1")
    assert f"5 of {last}," in screen
    assert "ATTEMPT" in screen
    assert "▶ running" in screen
    assert "writer gone" not in screen


# -- naming a run --------------------------------------------------------------------------------


def test_a_run_is_found_by_every_name_that_people_have(finished: Finished) -> None:
    """The id, a beginning of it, the last eight characters, @latest; also in capitals."""
    journal, run_id = finished
    for name in (run_id, run_id[:13], run_id[-8:], run_id.upper(), "@latest"):
        assert journal("head", name).returncode == 0, name


def test_where_nothing_failed_that_is_said(finished: Finished) -> None:
    """ "No run is called '@latest-failed'" sounds like a typing error."""
    ran = finished[0]("show", "@latest-failed")
    assert ran.returncode == 3
    assert "not_found: no run has failed" in ran.stderr


def test_an_ambiguous_name_is_exit_3_and_says_which(journal: Command) -> None:
    """INTERFACES: not found or ambiguous is exit 3; guessing would show another run."""
    runs = journal.make_runs(2)
    ran = journal("show", runs[0][:6])
    assert ran.returncode == 3
    assert all(run_id in ran.stderr for run_id in runs)


@pytest.mark.parametrize("name", ["../../etc", "x" * 300, "@oldest", "", "%", "01a2'; --"])
def test_a_name_that_is_none_is_not_found(finished: Finished, name: str) -> None:
    """Case 76 and Security, names: nothing that is typed becomes a path or a statement."""
    ran = finished[0]("show", name)
    assert ran.returncode == 3
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("arguments", [["list"], ["events", "@latest"], ["verify"]])
def test_a_reader_that_leaves_is_no_error(finished: Finished, arguments: list[str]) -> None:
    """INTERFACES: SIGPIPE is quiet. `| head -1` prints one line and nothing else."""
    process = finished[0].start(*arguments)
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, said = process.communicate()
    assert process.returncode == 0
    assert "Error" not in said


# -- head ----------------------------------------------------------------------------------------


def test_the_head_is_what_to_pin(finished: Finished) -> None:
    """`seq hash` of the last line; an object under --json."""
    journal, run_id = finished
    last = json.loads(journal.log(run_id).read_text().splitlines()[-1])
    assert journal("head", run_id).stdout == f"{last['seq']} {last['hash']}\n"
    (pinned,) = journal.records("head", run_id, "--json")
    assert pinned == {"run_id": run_id, "seq": last["seq"], "hash": last["hash"]}


# -- where the store is --------------------------------------------------------------------------


def test_the_store_may_be_named_in_four_ways(finished: Finished, tmp_path: Path) -> None:
    """INTERFACES: before or after the verb, JOURNAL_STORE, ./.journal; after wins over before."""
    journal, run_id = finished
    store = str(journal.folder / ".journal")
    for ran in (
        journal("--store", store, "list", cwd=tmp_path),
        journal("list", "--store", store, cwd=tmp_path),
        journal("--store", "nowhere", "list", "--store", store, cwd=tmp_path),
        journal("list", cwd=tmp_path, JOURNAL_STORE=store),
        journal("--store", store, "list", cwd=tmp_path, JOURNAL_STORE="nowhere"),
        journal("list"),
    ):
        assert run_id in ran.stdout
    assert journal("list", "--store", "", cwd=tmp_path).returncode == 2


def test_the_next_command_leads_to_the_same_store(finished: Finished, tmp_path: Path) -> None:
    """Copied from the message and run, it must find what the message is about."""
    store = str(finished[0].folder / ".journal")
    ran = finished[0]("show", "@latest-failed", "--store", store, cwd=tmp_path)
    assert ran.returncode == 3
    assert re.search(r"next: journal list --store \S+", ran.stderr)


def test_a_store_that_cannot_be_reached_is_exit_5(journal: Command) -> None:
    """Storage unreachable; the error names the code and what the system said."""
    (journal.folder / "file").touch()
    ran = journal("run", "pipe.py", "--store", "file/store")
    assert (ran.returncode, ran.stdout) == (5, "")
    assert "io_error" in ran.stderr
    assert "cause: " in ran.stderr


def test_errors_are_json_where_json_is_asked_for(finished: Finished) -> None:
    """One object on stderr with code, message, details and cause, before or after the verb."""
    for arguments in (["--json", "show", "nobody"], ["show", "nobody", "--json"]):
        ran = finished[0](*arguments)
        assert (ran.returncode, ran.stdout) == (3, "")
        told = json.loads(ran.stderr)["error"]
        assert told["code"] == "not_found"
        assert told["details"]["next_action"] == "journal list"


def test_looking_waits_for_nobody(journal: Command) -> None:
    """A run that is being written is listed, shown and read at the same time."""
    process, run_id = journal.held()
    wait_for(lambda: len(journal.records("list")) == 1, "the run in the list")
    assert journal.records("show", run_id)[0]["status"] == "running"
    assert journal.records("events", run_id)[0]["event"] == "run_created"
    journal.open_gate()
    process.communicate()

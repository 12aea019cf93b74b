"""`journal events`: the log's own bytes, filtered, followed, and never half."""

import json
import signal
import subprocess

import pytest

from tests.cli.support import PROGRAM, Command

Finished = tuple[Command, str]


def test_events_in_a_pipe_are_the_log_byte_for_byte(finished: Finished) -> None:
    """INTERFACES: the log's own lines; `sha256sum` of both agrees."""
    journal, run_id = finished
    shown = subprocess.run(
        [*PROGRAM, "events", run_id], cwd=journal.folder, capture_output=True, check=True
    )
    assert shown.stdout == journal.log(run_id).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["--type", "phase_started"], lambda each: each["event"] == "phase_started"),
        (["--type", "phase_*"], lambda each: each["event"].startswith("phase_")),
        (
            ["--type", "run_started", "--type", "run_completed"],
            lambda each: each["event"] in {"run_started", "run_completed"},
        ),
        (["--phase", "translate"], lambda each: each["phase"] == "translate"),
        (["--from", "4", "--to", "9"], lambda each: 4 <= each["seq"] <= 9),
        (["--to", "4", "--type", "run_*"], lambda each: each["seq"] <= 2),
        (["--grep", "^Run "], lambda each: each["message"].startswith("Run ")),
        (["--grep", '"tokens_in":7'], lambda each: "usage" in each["data"]),
        (["--from", "9999"], lambda each: False),
    ],
)
def test_filters_let_the_lines_through_unchanged(
    finished: Finished, arguments: list[str], wanted: object
) -> None:
    """Filters look at what a line says; what is printed are its bytes."""
    assert callable(wanted)
    journal, run_id = finished
    lines = journal.log(run_id).read_text().splitlines(keepends=True)
    expected = "".join(line for line in lines if wanted(json.loads(line)))
    assert journal("events", run_id, *arguments).stdout == expected


def test_the_tail_is_what_comes_last(finished: Finished) -> None:
    """--tail counts what passes the filters; -N counts from the end."""
    journal, run_id = finished
    lines = journal.log(run_id).read_text().splitlines(keepends=True)
    assert journal("events", run_id, "--tail", "3").stdout == "".join(lines[-3:])
    assert journal("events", run_id, "--from", "-2").stdout == "".join(lines[-3:])
    assert journal("events", run_id, "--tail", "0").stdout == ""
    completed = [line for line in lines if '"event":"phase_completed"' in line]
    tail = journal("events", run_id, "--type", "phase_completed", "--tail", "1")
    assert tail.stdout == completed[-1]


def test_a_time_is_a_bound_like_a_number(finished: Finished) -> None:
    """--from and --to take what a point may be; both ends are included."""
    journal, run_id = finished
    lines = journal.log(run_id).read_text().splitlines(keepends=True)
    stamp = json.loads(lines[4])["timestamp"]
    expected = [line for line in lines if json.loads(line)["timestamp"] >= stamp]
    assert journal("events", run_id, "--from", stamp).stdout == "".join(expected)


def test_an_event_that_nobody_knows_is_pointed_out(finished: Finished) -> None:
    """An empty answer to a typing error would read as "it never happened"."""
    ran = finished[0]("events", "@latest", "--type", "phase_complete")
    assert (ran.returncode, ran.stdout) == (0, "")
    assert "'phase_complete'" in ran.stderr


def test_a_broken_expression_is_usage(finished: Finished) -> None:
    """Exit 2, before anything is read."""
    assert finished[0]("events", "@latest", "--grep", "(").returncode == 2


def test_following_shows_lines_as_they_become_durable(journal: Command) -> None:
    """In another process, flushed line by line, until the run ends; nothing shown is missing."""
    process, run_id = journal.held()
    follower = journal.start("events", run_id, "--follow")
    assert follower.stdout is not None
    shown = ""
    while shown.count('"event":"step_completed"') < 2:
        shown += follower.stdout.readline()
    assert follower.poll() is None
    journal.open_gate()
    shown += follower.communicate()[0]
    process.communicate()
    assert (follower.returncode, shown) == (0, journal.log(run_id).read_text())


def test_following_ends_when_the_writer_is_gone(journal: Command) -> None:
    """A dead writer writes nothing more; waiting for it would never end."""
    process, run_id = journal.held()
    follower = journal.start("events", run_id, "--follow", "--tail", "1")
    assert follower.stdout is not None
    first = follower.stdout.readline()
    assert first.endswith("\n")
    process.kill()
    process.communicate()
    assert follower.communicate()[0] == ""
    assert follower.returncode == 0


def test_an_interrupted_follower_ends_with_130(journal: Command) -> None:
    """Ctrl-C is how people leave --follow; a traceback would look like a defect."""
    process, run_id = journal.held()
    follower = journal.start("events", run_id, "--follow")
    assert follower.stdout is not None
    follower.stdout.readline()
    follower.send_signal(signal.SIGINT)
    _, said = follower.communicate()
    assert (follower.returncode, said) == (130, "")
    journal.open_gate()
    process.communicate()

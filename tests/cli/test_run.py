"""`journal run` and `journal resume`: the id first, progress aside, the end as an exit code."""

import json
import shlex
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.support import PROGRAM, Command


def test_the_run_id_comes_first_and_at_once(journal: Command) -> None:
    """INTERFACES: printed as soon as it is durable; whoever started it can look from then on."""
    process, run_id = journal.held()
    (record,) = journal.records("list")
    assert (record["run_id"], record["status"], record["writer_gone"]) == (run_id, "running", False)
    journal.open_gate()
    rest, said = process.communicate()
    assert (process.returncode, rest) == (0, "")
    assert "translate [de]" in said
    assert f"Run {run_id} completed" in said.splitlines()[-1]


def test_a_run_that_failed_is_exit_1_with_phase_error_and_way_on(journal: Command) -> None:
    """INTERFACES: 1 is "the run failed"; the error names phase, type, message, next command."""
    (journal.folder / "bad").touch()
    ran = journal("run", "pipe.py:pipeline", "-p", f"fails={journal.folder / 'bad'}")
    run_id = ran.stdout.strip()
    assert ran.returncode == 1
    assert r"translate [fr]: ValueError: no such \x1b[2J language" in ran.stderr
    assert f"next: journal show {run_id}" in ran.stderr
    assert f"next: journal resume {run_id}" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_failed_run_goes_on_where_it_stopped(journal: Command) -> None:
    """What is finished hands back its artifact: no phase and partition completes twice."""
    bad = journal.folder / "bad"
    bad.touch()
    run_id = journal.run_id("-p", f"fails={bad}")
    bad.unlink()
    ran = journal("resume", "@latest-failed")
    assert (ran.returncode, ran.stdout) == (0, f"{run_id}\n")
    done = journal.records("events", run_id, "--type", "phase_completed")
    assert sorted((each["phase"], each["data"].get("partition")) for each in done if each) == [
        ("export", None),
        ("ingest", None),
        ("translate", "de"),
        ("translate", "fr"),
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_recorded_and_ends_with_130(journal: Command, number: signal.Signals) -> None:
    """INTERFACES: SIGINT and SIGTERM both record `run_cancelled`."""
    process, run_id = journal.held()
    process.send_signal(number)
    _, said = process.communicate()
    assert process.returncode == 130
    assert f"next: journal resume {run_id}" in said
    *_, last = journal.records("events", run_id)
    assert (last["event"], last["data"]["reason"]) == ("run_cancelled", number.name)


def test_a_killed_run_is_shown_as_such_and_resumed(journal: Command) -> None:
    """Nobody can record a SIGKILL; the head tells that the writer is gone."""
    process, run_id = journal.held()
    process.kill()
    process.communicate()
    (record,) = journal.records("list")
    assert (record["status"], record["writer_gone"]) == ("running", True)
    assert "writer gone" in journal.on_terminal("list")[1]
    page = journal.on_terminal("show", "@latest", NO_COLOR="1")[1]
    assert "writer gone" in page
    assert "▶ running" not in page
    assert page.count("! interrupted") == 3  # the phase and its two partitions
    assert "▶ running" in journal.on_terminal("show", "@latest@-1", NO_COLOR="1")[1]
    journal.open_gate()
    assert journal("resume", run_id).returncode == 0
    done = journal.records("events", run_id, "--type", "phase_completed", "--phase", "ingest")
    assert len(done) == 1
    assert journal("verify").returncode == 0


def test_a_run_that_goes_on_cannot_be_resumed(journal: Command) -> None:
    """Case 40: two writers; the second is told who is in the way, with exit 4."""
    process, run_id = journal.held()
    ran = journal("resume", run_id)
    assert ran.returncode == 4
    assert f"process {process.pid}" in ran.stderr
    journal.open_gate()
    process.communicate()
    assert process.returncode == 0


def test_a_completed_run_is_left_alone(finished: tuple[Command, str]) -> None:
    """A kill may come after the last event; resuming then must change nothing and end well."""
    journal, run_id = finished
    before = journal.log(run_id).read_bytes()
    ran = journal("resume", run_id)
    assert (ran.returncode, ran.stdout) == (0, f"{run_id}\n")
    assert "nothing to resume" in ran.stderr
    assert journal.log(run_id).read_bytes() == before


def test_changed_code_is_shown_and_asked_about(journal: Command) -> None:
    """Results of two versions in one run are only made on purpose."""
    bad = journal.folder / "bad"
    bad.touch()
    run_id = journal.run_id("-p", f"fails={bad}")
    bad.unlink()
    before = journal.log(run_id).read_bytes()
    pipe = journal.folder / "pipe.py"
    pipe.write_text(pipe.read_text() + "\n# another version\n")
    ran = journal("resume", run_id)
    assert ran.returncode == 1
    assert "the code has changed" in ran.stderr
    assert ran.stderr.count(" source ") == 2
    assert f"next: journal resume {run_id} --allow-changed" in ran.stderr
    assert journal.log(run_id).read_bytes() == before
    assert journal("resume", run_id, "--allow-changed").returncode == 0


def test_resume_finds_the_target_from_any_folder(journal: Command, tmp_path: Path) -> None:
    """A path is kept relative to the folder that holds the store, so cwd does not matter."""
    process, run_id = journal.held()
    process.kill()
    process.communicate()
    journal.open_gate()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    ran = journal("resume", run_id, "--store", "../.journal", cwd=elsewhere)
    assert ran.returncode == 0, ran.stderr
    (created,) = journal.records("events", run_id, "--type", "run_created")
    assert created["data"]["target"] == "pipe.py:pipeline"


def test_a_target_that_is_gone_is_not_found(journal: Command) -> None:
    """Exit 3, and the message says what is missing and that nothing was changed."""
    process, run_id = journal.held()
    process.kill()
    process.communicate()
    before = journal.log(run_id).read_bytes()
    (journal.folder / "pipe.py").unlink()
    ran = journal("resume", run_id)
    assert ran.returncode == 3
    assert "pipe.py" in ran.stderr
    assert journal.log(run_id).read_bytes() == before


def test_a_reader_of_the_id_may_leave(journal: Command) -> None:
    """`journal run … | head -1` must not end the run when head does."""
    process = journal.start("run", "pipe.py", "-p", f"gate={journal.folder / 'gate'}")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    process.stdout = None
    journal.open_gate()
    _, said = process.communicate()
    assert process.returncode == 0, said
    assert journal.records("list")[0]["status"] == "completed"


def test_with_json_stderr_holds_only_json(journal: Command) -> None:
    """A program that asks for JSON reads stderr too."""
    (journal.folder / "bad").touch()
    ran = journal("--json", "run", "pipe.py", "-p", f"fails={journal.folder / 'bad'}")
    assert ran.returncode == 1
    (told,) = map(json.loads, ran.stderr.splitlines())
    assert told["error"]["details"]["run_id"] == ran.stdout.strip()
    assert told["error"]["code"] == "run_failed"
    assert "translate [fr]" in told["error"]["message"]


def test_progress_on_a_terminal_is_drawn_and_taken_away(journal: Command) -> None:
    """Bars while it runs, lines of what ended afterwards; colours, and none where unwanted."""
    code, screen = journal.on_terminal("run", "pipe.py")
    assert code == 0
    assert "✓ completed" in screen
    assert "\x1b[?25h" in screen  # the cursor is shown again
    plain = journal.on_terminal("run", "pipe.py", TERM="dumb")[1]
    assert "✓ completed" in plain
    assert "\x1b" not in plain


def test_a_full_disk_is_exit_5_with_the_way_on(journal: Command) -> None:
    """Case 14, as people meet it: the run began, its end could not be recorded, nothing is lost."""
    limited = f"ulimit -f 2; exec {shlex.join(PROGRAM)} run pipe.py"
    ran = subprocess.run(
        ["bash", "-c", limited], cwd=journal.folder, capture_output=True, encoding="utf-8"
    )
    run_id = ran.stdout.strip()
    assert ran.returncode == 5, ran.stderr
    assert "no_space" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert f"next: journal resume {run_id}" in ran.stderr
    assert journal("verify", run_id).returncode == 0
    assert journal("resume", run_id).returncode == 0


def test_a_phase_that_calls_exit_has_failed(journal: Command) -> None:
    """Some parser of arguments calls `sys.exit`: the run fails like any other, and never hangs."""
    (journal.folder / "quits.py").write_text(
        "import sys\nfrom journal import Pipeline\npipeline = Pipeline('quits')\n"
        "@pipeline.phase()\nasync def quit() -> None:\n    sys.exit(7)\n"
    )
    code, screen = journal.on_terminal("run", "quits.py")
    assert code == 1
    assert "quit: RuntimeError: the phase called sys.exit(7)" in screen
    assert screen.count("\x1b[?25l") == screen.count("\x1b[?25h")
    assert journal.records("list")[0]["status"] == "failed"

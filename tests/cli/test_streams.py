"""Standard streams that are closed, full or broken, and signals: what a run did does not change."""

import json
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.cli.support import DEADLINE_S, PROGRAM, Command, wait_for

LOOKING = [["list"], ["show", "@latest"], ["events", "@latest"], ["verify"], ["head", "@latest"]]


def in_shell(
    journal: Command, redirection: str, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, its streams as a shell's ``redirection`` has them."""
    return subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {redirection}', "sh", *PROGRAM, *arguments],
        cwd=journal.folder,
        env=journal.environment,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )


@pytest.mark.parametrize("redirection", [">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("arguments", LOOKING, ids=lambda each: each[0])
def test_a_closed_stream_is_no_error(
    finished: tuple[Command, str], arguments: list[str], redirection: str
) -> None:
    """A daemon or a cron job closes what it does not want; that is nothing to fail for."""
    ran = in_shell(finished[0], redirection, *arguments)
    assert ran.returncode == 0
    assert "Traceback" not in ran.stderr


def test_a_usage_error_is_one_though_nobody_can_be_told(finished: tuple[Command, str]) -> None:
    """The exit code is all that is left then."""
    for redirection in ("2>&-", "2>/dev/full", "<&- >&- 2>&-"):
        assert in_shell(finished[0], redirection, "nonsense").returncode == 2
        assert in_shell(finished[0], redirection, "show", "nobody").returncode == 3
        assert in_shell(finished[0], redirection, "delete", "@latest").returncode == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-", "<&- >&- 2>&-", ">/dev/full"])
def test_what_a_run_did_does_not_depend_on_who_can_see_it(
    journal: Command, redirection: str
) -> None:
    """Progress is for people; a full disk behind stderr must not make a whole run a failed one."""
    ran = in_shell(journal, redirection, "run", "pipe.py")
    assert ran.returncode == 0, ran.stderr
    (record,) = journal.records("list")
    assert record["status"] == "completed"
    assert journal("verify").returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
@pytest.mark.parametrize("arguments", LOOKING[:3], ids=lambda each: each[0])
def test_an_answer_that_does_not_fit_is_an_error(
    finished: tuple[Command, str], arguments: list[str]
) -> None:
    """Half an answer in a full file must not look like a whole one."""
    ran = in_shell(finished[0], ">/dev/full", *arguments)
    assert ran.returncode == 5
    assert "no_space" in ran.stderr


def test_a_reader_of_messages_that_leaves_changes_nothing(journal: Command) -> None:
    """`journal run … 2>&1 >/dev/null | head -1`."""
    ran = in_shell(journal, "2>&1 >/dev/null | head -n 1", "run", "pipe.py")
    assert ran.returncode == 0
    wait_for(lambda: journal.records("list")[0]["status"] == "completed", "the run")


def test_no_file_of_a_store_is_given_the_number_of_a_stream(tmp_path: Path) -> None:
    """
    Case 43: a program that closed 0 to 2 prints all the same, and libraries warn on 2: it must
    not get into a log.
    """
    program = """
        import anyio, os
        from journal import Journal

        async def main():
            async with Journal.open("store") as journal, journal.run(project="words") as run:
                for fd in (0, 1, 2):
                    try:
                        os.write(fd, b"noise")
                    except OSError:
                        pass
                async with run.phase("one") as phase:
                    await phase.store("text")
                    try:
                        os.write(2, b"noise")
                    except OSError:
                        pass

        for fd in (0, 1, 2):
            os.close(fd)
        anyio.run(main)
    """
    ran = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], cwd=tmp_path)
    assert ran.returncode == 0
    looked = Command(tmp_path)("verify", "--store", "store")
    assert (looked.returncode, looked.stdout) == (0, "")
    for path in (tmp_path / "store").rglob("*"):
        assert path.is_dir() or b"noise" not in path.read_bytes()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_following_ends_with_130_whichever_signal_comes(
    journal: Command, number: signal.Signals
) -> None:
    """INTERFACES: 130 for both; a supervisor sends SIGTERM, a person Ctrl-C."""
    process, run_id = journal.held()
    follower = journal.start("events", run_id, "--follow")
    assert follower.stdout is not None
    assert json.loads(follower.stdout.readline())["seq"] == 1
    follower.send_signal(number)
    _, said = follower.communicate(timeout=DEADLINE_S)
    assert (follower.returncode, said) == (130, "")
    journal.open_gate()
    process.communicate()
    assert process.returncode == 0


ENDLESS = """
import time
from pathlib import Path
import projections.store
from projections.cli import main

def check_store(*arguments):
    Path("at-work").touch()
    while True:
        arguments[-1](0, 1, 0)
        time.sleep(0.01)

projections.store.check_store = check_store
main()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_verify_ends_with_130_at_the_first_signal(
    finished: tuple[Command, str], number: signal.Signals
) -> None:
    """Case 77: it may run for hours; its thread must not go on when nobody waits for it."""
    journal, _ = finished
    (journal.folder / "at-work").unlink(missing_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-c", ENDLESS, "verify"],
        cwd=journal.folder,
        env=journal.environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for((journal.folder / "at-work").exists, "verify")
    process.send_signal(number)
    _, said = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, said) == (130, "")


def test_a_run_that_is_terminated_still_tells_by_what(journal: Command) -> None:
    """The command's handler gives way to the run's own, which records the signal."""
    process, run_id = journal.held()
    process.terminate()
    process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 130
    (state,) = journal.records("show", run_id)
    assert (state["status"], state["reason"]) == ("cancelled", "SIGTERM")

"""What no person types, but a script, a log or another system may: answered in words."""

import json
import os
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import anyio
import pytest

from journal import Journal, StorageError
from projections import Projections
from projections.cli import exits
from projections.cli.text import local, visible_in_json
from projections.times import stamp_of
from tests.cli.support import Command

Finished = tuple[Command, str]
NOT_UTF8 = os.fsdecode(b"\xff\xfe")
"""How Python hands on an argument whose bytes are no UTF-8."""


@pytest.mark.parametrize("number", [2**31, 2**63 - 1, 2**63, 2**64, 10**40])
def test_a_number_past_64_bit_is_more_than_there_is(finished: Finished, number: int) -> None:
    """Case 31: "at most N" of what is there, whatever a C library thinks of N."""
    journal, run_id = finished
    whole = journal("events", run_id).stdout
    assert journal("events", run_id, "--tail", f"{number}").stdout == whole
    assert len(journal.records("list", "-n", f"{number}")) == 1
    assert journal("events", run_id, "--to", f"{number}"[:19]).stdout == whole


@pytest.mark.parametrize("point", ["9" * 19, "-" + "9" * 19])
def test_a_point_past_64_bit_is_not_there(finished: Finished, point: str) -> None:
    """INTERFACES: a point past the end, or before the beginning, is exit 3."""
    assert finished[0]("show", f"{finished[1]}@{point}").returncode == 3
    assert finished[0]("show", f"{finished[1]}@{point}9").returncode == 2


@pytest.mark.parametrize(
    "pattern",
    ["(" * 5_000, "(" * 5_000 + ")" * 5_000, "a{99999999999}", "[", "(?P<\udcff>a)", "*", "(?i"],
    ids=lambda pattern: pattern[:12],
)
def test_a_pattern_that_cannot_be_compiled_is_a_matter_of_usage(
    finished: Finished, pattern: str
) -> None:
    """Exit 2 and a short word for it, however Python's compiler gives up."""
    ran = finished[0]("events", finished[1], "--grep", pattern)
    assert ran.returncode == 2
    assert len(ran.stderr) < 500


def test_a_pattern_of_doubtful_spelling_is_taken_without_a_warning(finished: Finished) -> None:
    """A warning of Python's about nested sets is none of the person who looks for brackets."""
    ran = finished[0]("events", finished[1], "--grep", "[[a]")
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["list", "--project", NOT_UTF8], 0),
        (["cat", NOT_UTF8], 3),
        (["show", NOT_UTF8], 3),
        (["events", "@latest", "--phase", NOT_UTF8], 0),
        (["list", "--store", NOT_UTF8], 0),
        (["show", "@latest", "--store", NOT_UTF8], 3),
        (["list", "--store", "a\0b"], 1),
        (["list", "--status", NOT_UTF8], 2),
        (["run", "pipe.py", "-p", f"{NOT_UTF8}=1"], 2),
        (["run", f"{NOT_UTF8}.py"], 2),
        (["run", "a\0b.py"], 2),
        (["resume", "@latest", "--redo", NOT_UTF8], 1),
    ],
    ids=str,
)
def test_arguments_that_are_no_text_are_answered_in_words(
    finished: Finished, arguments: list[str], code: int
) -> None:
    """Case 76: file systems and terminals hand on any bytes; messages and JSON hold UTF-8."""
    for more in ([], ["--json"]):
        if "run" in arguments or "resume" in arguments:
            if any("\0" in each for each in arguments):
                continue  # the system itself does not start a program with such an argument
            ran = finished[0].process(*arguments, *more)
        else:
            ran = finished[0](*arguments, *more)
        assert ran.returncode == code
        assert "Traceback" not in ran.stderr
        ran.stderr.encode()
        if more and ran.stderr.startswith("{"):
            json.loads(ran.stderr)["error"]["message"].encode()


def test_a_store_in_a_folder_whose_name_is_no_text_is_a_store(journal: Command) -> None:
    """Case 76: a path is bytes; only what is said about it is text."""
    run_id = journal("run", "pipe.py", "--store", NOT_UTF8).stdout.strip()
    place = ("--store", NOT_UTF8)
    assert [each["run_id"] for each in journal.records("list", *place)] == [run_id]
    assert journal("show", run_id[-8:], *place).returncode == 0
    assert journal("verify", *place).returncode == 0
    assert journal("resume", run_id, *place).returncode == 0
    assert journal("events", run_id, *place).stdout.count("\n") > 10


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["a\0b", "a\ud800b"], ids=ascii)
async def test_a_path_that_no_system_takes_is_refused(path: str) -> None:
    """Case 76: a NUL ends a path for the system, so another folder would be opened."""
    for store in (Journal, Projections):
        with pytest.raises(StorageError, match="validation_error"):
            async with store.open(path) as opened:
                await opened.resolve("@latest")  # type: ignore[union-attr]


@pytest.mark.anyio
async def test_a_project_that_is_no_text_has_no_runs(tmp_path: Path) -> None:
    """Case 37, of a reader: what no log can hold, no run has."""
    async with Journal.open(tmp_path) as journal, journal.run(project="words"):
        pass
    async with Projections.open(tmp_path) as runs:
        assert await runs.list(project="\ud800") == []
        assert len(await runs.list(project="words", limit=2**64)) == 1
        (run,) = await runs.list()
        assert await runs.artifacts(run.run_id, role="\ud800") == []
        with pytest.raises(StorageError, match="not_found"):
            await runs.artifact("\ud800")


def test_a_moment_at_the_end_of_time_is_refused_or_shown() -> None:
    """Case 56: in UTC it may lie in a year that no calendar of ours has."""
    first = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))
    last = datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-14)))
    for moment in (first, last):
        with pytest.raises(StorageError, match="validation_error"):
            stamp_of(moment)
        assert local(moment.replace(tzinfo=UTC)).year == moment.year
        assert stamp_of(moment.replace(tzinfo=UTC)).startswith(f"{moment.year:04}-")


def test_events_that_are_not_there_are_not_an_empty_answer(finished: Finished) -> None:
    """INTERFACES: a point past the end is exit 3; a bound past the end, and a time, are not."""
    journal, run_id = finished
    last = len(journal.records("events", run_id))
    for more in ([], ["--tail", "2"], ["--type", "run_completed"]):
        ran = journal("events", run_id, "--from", f"{last + 1}", *more)
        assert (ran.returncode, ran.stdout) == (3, "")
        assert f"events 1 to {last}" in ran.stderr
    assert len(journal.records("events", run_id, "--from", f"{last}")) == 1
    assert len(journal.records("events", run_id, "--to", f"{last + 1}")) == last
    assert len(journal.records("events", run_id, "--from", f"-{last + 5}")) == last
    assert journal.records("events", run_id, "--from", "9999-01-01T00:00:00Z") == []
    assert journal.records("events", run_id, "--from", f"{last + 1}", "--follow") == []


ODD = "\x7f\x85\x9b\u202e\u200b\u2028\ufeff\U000e0041\x1b"


def test_json_on_a_terminal_cannot_bend_it(journal: Command) -> None:
    """Security, terminal: C1 controls and bidi marks are no less obeyed for standing in quotes."""

    async def make() -> str:
        async with Journal.open(journal.folder / ".journal") as opened:
            async with opened.run(project="words") as run:
                await run.annotate(f"odd {ODD} text")
                await run.store("x", description="odd \x9b text")
            return str(run.id)

    run_id = anyio.run(make)
    for verb in ("list", "show", "events", "artifacts"):
        arguments = [verb] if verb == "list" else [verb, run_id]
        _, screen = journal.on_terminal(*arguments, "--json")
        assert screen.replace("\n", "").isascii()
        piped = journal(*arguments).stdout.splitlines(keepends=True)
        assert [json.loads(line) for line in screen.split("\n") if line] == [
            json.loads(line) for line in "".join(piped).split("\n") if line
        ]
    assert ODD[1:-1] in journal("events", run_id).stdout


@pytest.mark.parametrize("char", [*ODD, "\u0600", "\ud7ff", "\U0010ffff"], ids=ascii)
def test_a_character_written_out_in_json_means_the_same(char: str) -> None:
    """Security, terminal: who reads the screen's JSON with a program gets the text of the log."""
    line = json.dumps({char: [f"a{char}b"]}, ensure_ascii=False).encode() + b"\n"
    shown = visible_in_json(line)
    assert shown.isascii()
    assert json.loads(shown) == json.loads(line)
    assert visible_in_json(shown) == shown


def test_an_error_as_json_is_json_whatever_it_tells_of(capsys: pytest.CaptureFixture[str]) -> None:
    """DEL is the one control character that a JSON encoder leaves as it is."""
    exits.tell_json("corrupt", f"odd {ODD}")
    said = capsys.readouterr().err
    assert json.loads(said)["error"]["message"] == f"odd {ODD}"
    assert said.rstrip("\n").isprintable()

"""What a person sees: tables on a terminal, colours where wanted, and nothing that can bend it."""

import re
import shutil
from pathlib import Path

import pytest

from tests.cli.support import Command

Finished = tuple[Command, str]
COLOUR = re.compile(r"\x1b\[[0-9;]*m")

LOOKING = [["list"], ["show", "@latest"], ["events", "@latest"], ["artifacts", "@latest"]]


@pytest.mark.parametrize("arguments", LOOKING, ids=lambda each: each[0])
def test_a_terminal_gets_a_table_and_a_pipe_gets_json(
    finished: Finished, arguments: list[str]
) -> None:
    """The same question, for a person and for a program."""
    journal, _ = finished
    _, screen = journal.on_terminal(*arguments)
    assert not COLOUR.sub("", screen).startswith("{")
    assert journal(*arguments).stdout.startswith("{")
    assert journal.on_terminal(*arguments, "--json")[1].startswith("{")


@pytest.mark.parametrize("arguments", LOOKING, ids=lambda each: each[0])
def test_nothing_out_of_a_log_reaches_the_terminal_as_it_is(
    finished: Finished, arguments: list[str]
) -> None:
    """Security, terminal: a run holds escape sequences and bidi marks, in its artifacts too."""
    _, screen = finished[0].on_terminal(*arguments)
    rest = COLOUR.sub("", screen)
    assert "\x1b" not in rest
    assert "\u202e" not in rest
    if arguments[0] == "events":
        assert r"odd \x1b[2J \u202e text" in rest


def test_a_pipe_gets_the_text_as_it_was_recorded(finished: Finished) -> None:
    """JSON is for programs: they decide themselves what to do with a control character."""
    (line,) = finished[0].records("events", "@latest", "--type", "log_emitted")
    assert line["message"] == "odd \x1b[2J \u202e text"


@pytest.mark.parametrize("arguments", LOOKING, ids=lambda each: each[0])
@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
def test_who_wants_no_colour_gets_none(
    finished: Finished, arguments: list[str], environment: dict[str, str]
) -> None:
    """Not one escape sequence, neither bold; a status is told by glyph and word."""
    _, screen = finished[0].on_terminal(*arguments, **environment)
    assert "\x1b" not in screen
    if arguments[0] in {"list", "show"}:
        assert "✓ completed" in screen


def test_forced_colours_do_not_change_what_a_pipe_gets(finished: Finished) -> None:
    """FORCE_COLOR is about colours; a program that reads JSON must not meet a table."""
    for arguments in LOOKING:
        plain = finished[0](*arguments)
        assert finished[0](*arguments, FORCE_COLOR="1").stdout == plain.stdout


def test_progress_without_a_terminal_is_lines(journal: Command) -> None:
    """A bar in a log file is noise; colours there are for who forces them."""
    ran = journal("run", "pipe.py")
    assert "\x1b" not in ran.stderr
    assert "✓ completed   ingest" in ran.stderr
    forced = journal("run", "pipe.py", FORCE_COLOR="1")
    assert COLOUR.search(forced.stderr)
    assert "\x1b[2K" not in forced.stderr


def test_a_list_is_one_line_per_run_however_narrow(tmp_path: Path, finished: Finished) -> None:
    """People scan a list; what does not fit ends in an ellipsis and is whole in `show`."""
    shutil.copytree(finished[0].folder, tmp_path, dirs_exist_ok=True)
    journal = Command(tmp_path)
    (tmp_path / "bad").touch()
    failed = journal.run_id("-p", f"fails={tmp_path / 'bad'}")
    for columns in (80, 200):
        _, screen = journal.on_terminal("list", COLUMNS=str(columns), NO_COLOR="1")
        title, _, *rows = screen.splitlines()
        assert title.startswith("RUN")
        assert [row[:8] for row in rows] == [failed[-8:], finished[1][-8:]]
        assert max(map(len, screen.splitlines())) <= columns
    assert r"no such \x1b[2J language" in journal.on_terminal("show", failed, NO_COLOR="1")[1]


WIDE = """
from journal import Phase, Pipeline
pipeline = Pipeline("localization-nightly-build")

@pipeline.phase()
async def ingest_everything(phase: Phase) -> str:
    phase.progress(1250, 12500, "documents")
    phase.log("warning", "the quick brown fox jumps over the lazy dog " * 4)
    await phase.store(b"x", role="intermediate.translation-memory", description="for the next")
    return "x"

@pipeline.phase(after=["ingest_everything"], partitions=["de-XA", "pt-BR-with-a-long-label"])
async def translate_everything(ingest_everything: str, partition: str) -> str:
    raise ValueError(f"no dictionary for {partition} is installed on this machine")
"""


def test_no_table_folds_inside_a_word(journal: Command) -> None:
    """80 columns: a row is a line; what does not fit ends in an ellipsis, and a number is whole."""
    (journal.folder / "wide.py").write_text(WIDE)
    journal("run", "wide.py")
    screens = {
        each[0]: journal.on_terminal(*each, COLUMNS="80", NO_COLOR="1")[1] for each in LOOKING
    }
    assert all(len(line) <= 80 for each in screens.values() for line in each.splitlines())
    assert len(screens["list"].splitlines()) == 3
    assert len(screens["artifacts"].splitlines()) == 4
    assert "…" in screens["list"]
    assert "✗ failed" in screens["list"]
    assert "1,250/12,500 documents" in screens["show"]
    for label in ("de-XA", "pt-BR-with-a-long-label"):  # whole, below the table
        assert f"no dictionary for {label}" in " ".join(screens["show"].split())


def test_a_long_event_is_wrapped_between_words(journal: Command) -> None:
    """What goes on below is indented, so that the numbers stand alone on the left."""
    (journal.folder / "wide.py").write_text(WIDE)
    journal("run", "wide.py")
    for columns in ("80", "120"):
        _, screen = journal.on_terminal("events", "@latest", COLUMNS=columns, NO_COLOR="1")
        assert "the quick brown fox jumps over the lazy dog " * 3 in " ".join(screen.split())
        below = [line for line in screen.splitlines() if not line[:6].strip().isdigit()]
        assert below
        assert all(line.startswith(" " * 8) for line in below)


def test_the_page_of_a_failed_run_says_what_to_do(journal: Command) -> None:
    """Phase, error, traceback, usage and the next command, on one page."""
    (journal.folder / "bad").touch()
    run_id = journal.run_id("-p", f"fails={journal.folder / 'bad'}")
    _, screen = journal.on_terminal("show", run_id, NO_COLOR="1")
    for said in ("✗ failed", "⊘ blocked", "3/3 rows", "14 tokens in", "0.5000 USD", "Traceback"):
        assert said in screen, said
    assert f"Next: journal resume {run_id}" in screen


def test_an_empty_answer_says_so(journal: Command) -> None:
    """An empty screen makes people wonder whether it worked."""
    assert "No runs in" in journal.on_terminal("list")[1]
    journal.make_runs(1)
    assert "like that" in journal.on_terminal("list", "--status", "failed")[1]


@pytest.mark.parametrize("arguments", LOOKING, ids=lambda each: each[0])
def test_a_terminal_without_unicode_gets_what_it_can_show(
    finished: Finished, arguments: list[str]
) -> None:
    """A glyph that has no place in an old encoding must not end in a traceback."""
    code, screen = finished[0].on_terminal(*arguments, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert (code, screen.isascii()) == (0, True)

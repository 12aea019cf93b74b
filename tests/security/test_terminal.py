"""Security, terminal: every verb of the command, over runs whose every text is hostile."""

import re
from pathlib import Path

import anyio
import pytest
from pydantic import BaseModel

from journal import Event, Journal
from tests.cli.support import Command

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x1b[31m\x9b2J\x08\x7f\r\u202eevil\u2066\u200b\ufeff\u2028\x00end"
OURS = re.compile(r"\x1b\[[0-9;?]*[mhlKJAGHlu]|\x1b\[\?25[hl]")
SHOWN = r"\x1b]0;owned"

TARGET = f"""
from journal import Phase, Pipeline
pipeline = Pipeline("hostile")

@pipeline.phase()
async def work(phase: Phase) -> None:
    phase.log("error", {HOSTILE!r})
    async with phase.step({"step"!r}):
        pass
    raise ValueError({HOSTILE!r})
"""


class Odd(Event, frozen=True, kw_only=True):
    """An event of somebody's own whose text is hostile."""

    event_name = "acme.odd"
    text: str

    def sentence(self, phase: str | None) -> str:
        return self.text


class Page(BaseModel):
    """What a page said."""

    text: str


async def _made(store: Path) -> None:
    """Say something hostile wherever a text may stand."""
    with pytest.raises(ValueError, match="owned"):
        await _told(store)
    path = next(store.rglob("events.jsonl"))
    path.with_name("odd\x1b[2J").write_text("a stranger in a run's folder")


async def _told(store: Path) -> None:
    text = HOSTILE
    async with Journal.open(store) as journal:
        parameters = {"text": text, text: 1}
        async with journal.run(project="p", parameters=parameters, target=f"{text}.py") as run:
            await run.log("warning", text, name=text, **{text: text})
            await run.annotate(text, about=1)
            await run.append(Odd(text=text))
            await run.store(text, description=text, metadata={text: text}, role="log")
            await run.store(Page(text=text), description=text)
            await run.block("later", ["first"], reason=text)
            async with run.phase("work") as phase:
                phase.progress(1, 2, text)
                phase.summarize(text=text)
                raise ValueError(text)


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Command:
    """The command beside a store whose one run is hostile throughout."""
    folder = tmp_path_factory.mktemp("hostile")
    anyio.run(_made, folder / ".journal")
    (folder / "hostile.py").write_text(TARGET)
    return Command(folder)


def assert_tame(screen: str, arguments: list[str]) -> None:
    """Check that nothing is left, beside our own colours, that a terminal would obey or hide."""
    rest = OURS.sub("", screen)
    left = {char for char in rest if not char.isprintable() and char not in "\r\n\t"}
    assert left == set(), (arguments, sorted(map(ascii, left)))
    assert "\x1b]0" not in screen
    assert "\x1b[2J" not in screen


VERBS = [
    ["list"],
    ["show", "@latest"],
    ["events", "@latest"],
    ["artifacts", "@latest"],
    ["verify"],
    ["repair", "@latest"],
    ["salvage", "@latest"],
    ["rebuild", "--check"],
    ["head", "@latest"],
    ["resume", "@latest"],
    ["show", HOSTILE.replace("\0", "")],
    ["list", "--project", HOSTILE.replace("\0", "")],
    ["cat", HOSTILE.replace("\0", "")],
    ["run", HOSTILE.replace("\0", "") + ".py:x"],
    ["run", "hostile.py"],
    ["--store", HOSTILE.replace("\0", ""), "list"],
    [HOSTILE.replace("\0", "")],
]


@pytest.mark.parametrize("arguments", VERBS, ids=lambda each: ascii(" ".join(each))[1:30])
def test_no_verb_passes_a_hostile_text_on_to_a_terminal(
    command: Command, arguments: list[str]
) -> None:
    """Security: what a page or a model said must not move the cursor or look like another text."""
    _, screen = command.on_terminal(*arguments)
    assert screen.strip()
    assert_tame(screen, arguments)


@pytest.mark.parametrize("verb", ["events", "show"])
def test_a_hostile_text_is_written_out_not_left_out(command: Command, verb: str) -> None:
    """Security: an auditor has to see that it was there."""
    assert SHOWN in command.on_terminal(verb, "@latest")[1]


def test_a_hostile_artifact_is_written_out_on_a_terminal(command: Command) -> None:
    """Security: `cat` shows what was stored, and a terminal obeys what it is shown."""
    for listed in command.records("artifacts", "@latest"):
        _, screen = command.on_terminal("cat", listed["artifact_id"])
        assert_tame(screen, ["cat"])
        assert "evil" in screen


def test_the_rule_sees_what_a_terminal_would_obey() -> None:
    """Security: a check that passes everything would prove nothing."""
    for text in (HOSTILE, "\x1b]0;x\x07", "\u202e", "\x9b2J", "\x08", "\u2066"):
        with pytest.raises(AssertionError):
            assert_tame(f"a {text} b", [])
    assert_tame("\x1b[1mbold\x1b[0m and \x1b[?25l plain\r\n", [])

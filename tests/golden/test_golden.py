"""The bytes of released versions: unchanged, readable for ever, and what the code still writes."""

import hashlib
from pathlib import Path

import pytest

from journal.chain import Chain, genesis
from journal.events.registry import BUILT_IN, UnknownEvent
from journal.events.run import RunCreated
from journal.lifecycle import RunLifecycle, check, evolve
from journal.record import Record
from tests.golden import story

HERE = Path(__file__).parent

# File -> SHA-256. Lines are added, never changed: people's logs cannot be changed either.
PINNED = {
    "v0.1.0.jsonl": "6873565e60c3342c9fd4feae47a54bb5865e6937ffd6d03de08cf878a0489688",
}
NEWEST = "v0.1.0.jsonl"

NAMES = {kind.event_name for kind in BUILT_IN}

each_log = pytest.mark.parametrize("name", PINNED)


def records_of(name: str) -> list[Record]:
    """Return the records of a golden log, all rules applied."""
    lines = (HERE / name).read_bytes().splitlines(keepends=True)
    chain = Chain(story.RUN, strict=True)
    return [chain.follow(line) for line in lines]


def test_every_golden_log_is_pinned() -> None:
    """A log that is not in the list could change without anyone's noticing."""
    assert {path.name for path in HERE.glob("*.jsonl")} == set(PINNED)


@each_log
def test_a_golden_log_is_unchanged(name: str) -> None:
    """It stands for the logs on people's disks."""
    assert hashlib.sha256((HERE / name).read_bytes()).hexdigest() == PINNED[name]


@each_log
def test_a_golden_log_is_read_to_its_end(name: str) -> None:
    """Every event of that version is still known, lifted where it must be, and makes a state."""
    state = RunLifecycle()
    for record in records_of(name):
        assert not isinstance(record.data, UnknownEvent) or "." in record.event
        check(state, record.phase, record.data)
        state = evolve(state, record.phase, record.data)
    assert state.status == "completed"
    assert state.unknown == ()


def test_the_newest_log_holds_the_whole_vocabulary_and_every_key() -> None:
    """An event that is added gets its line in the golden log of the next version."""
    records = records_of(NEWEST)
    assert {record.event for record in records} - {"golden.note_moved"} == NAMES
    assert {record.level for record in records} == {"debug", "info", "warning", "error"}
    for key in ("actor", "key", "clock"):
        assert any(getattr(record, key) for record in records), key
    assert {record.v for record in records} == {1, 2}
    assert max(count for _, count in (record.batch for record in records)) > 1


def test_the_code_still_writes_the_newest_log() -> None:
    """The same events at the same times give the same bytes, or it is another format."""
    assert b"".join(story.lines()) == (HERE / NEWEST).read_bytes()


def test_the_story_begins_where_every_log_of_its_format_does() -> None:
    """The number of the format is in the first hash: it cannot be forgotten."""
    created = records_of(NEWEST)[0].data
    assert isinstance(created, RunCreated)
    assert genesis(story.RUN, created.format) == Chain(story.RUN).hash

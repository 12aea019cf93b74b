"""What every event log must do with a fork's past, and with what lies beside a log."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from journal.errors import StorageError, StorageErrorCode, storage_error
from journal.ids import RunId, new_run_id
from journal.log import Ancestor, EventLog, Past
from tests.contract.event_log_subjects import SUBJECTS
from tests.support.logs import Lines, code_of


@pytest.fixture(params=SUBJECTS)
def event_log(request: pytest.FixtureRequest, tmp_path: Path) -> EventLog:
    return SUBJECTS[request.param](tmp_path / "store")


@pytest.fixture
def parent(event_log: EventLog) -> Lines:
    """A run of five lines, at rest."""
    made = Lines()
    lease = event_log.create(made.run_id, made.batch(5))
    event_log.release(lease)
    return made


def fork(log: EventLog, *ancestors: Ancestor) -> RunId:
    """A run that keeps these ancestors."""
    lines = Lines()
    past = Past(ancestors, lambda folder: None)
    log.release(log.create(lines.run_id, lines.batch(1), past))
    return lines.run_id


def first(log: EventLog, run_id: RunId, count: int) -> Ancestor:
    """The first lines of a run, as an ancestor."""
    return Ancestor(run_id, lambda: list(log.read(run_id))[:count])


def test_a_fork_keeps_its_ancestors_lines(event_log: EventLog, parent: Lines) -> None:
    """They are read out of the fork, also when the ancestor itself is gone."""
    wanted = list(event_log.read(parent.run_id))[:3]
    run_id = fork(event_log, first(event_log, parent.run_id, 3))
    event_log.delete(parent.run_id)
    assert list(event_log.read_past(run_id, parent.run_id)) == wanted
    assert len(list(event_log.read(run_id))) == 1


def test_what_a_run_keeps_already_may_be_shared(event_log: EventLog, parent: Lines) -> None:
    """``kept_by`` is a hint: the lines are the same with it, and the older keeper may go."""
    older = fork(event_log, first(event_log, parent.run_id, 3))
    again = Ancestor(parent.run_id, partial(event_log.read_past, older, parent.run_id), older)
    younger = fork(event_log, again)
    wanted = list(event_log.read_past(older, parent.run_id))
    event_log.delete(older)
    assert list(event_log.read_past(younger, parent.run_id)) == wanted


def test_a_run_keeps_no_ancestor_that_it_was_not_given(event_log: EventLog, parent: Lines) -> None:
    """Absent is ``not_found``; an ordinary run has no past."""
    with pytest.raises(StorageError) as raised:
        list(event_log.read_past(parent.run_id, new_run_id()))
    assert raised.value.code is StorageErrorCode.NOT_FOUND


def test_a_past_that_cannot_be_read_makes_no_run(event_log: EventLog, parent: Lines) -> None:
    """All or nothing: a fork without its whole past is none, and leaves nothing behind."""

    def broken() -> Iterator[bytes]:
        yield next(event_log.read(parent.run_id))
        raise storage_error(StorageErrorCode.CORRUPT, "no further.")

    def refuse(folder: str | None) -> None:
        raise storage_error(StorageErrorCode.NO_SPACE, "no room.")

    for past, code in (
        (Past((Ancestor(parent.run_id, broken),), lambda folder: None), "corrupt"),
        (Past((first(event_log, parent.run_id, 2),), refuse), "no_space"),
    ):
        lines = Lines()
        assert code_of(event_log.create, lines.run_id, lines.batch(1), past) == code
        assert list(event_log.runs()) == [parent.run_id]
        event_log.create(lines.run_id, Lines(lines.run_id).batch(1))
        event_log.release(event_log.acquire(lines.run_id, force=True))
        event_log.delete(lines.run_id)


def test_the_extent_of_a_log_says_whether_it_is_written(event_log: EventLog) -> None:
    """Who looks at a damaged log must know how long it is, and that nobody is at work on it."""
    lines = Lines()
    batch = lines.batch(4)
    lease = event_log.create(lines.run_id, batch)
    assert event_log.extent(lines.run_id).live
    event_log.release(lease)
    found = event_log.extent(lines.run_id)
    assert (found.size_bytes, found.live) == (sum(map(len, batch)), False)
    assert code_of(event_log.extent, new_run_id()) == "not_found"


def test_what_the_feed_announces_must_be_there(event_log: EventLog, parent: Lines) -> None:
    """Opened and not deleted since: each of them is a run that somebody acknowledged."""
    other = fork(event_log)
    assert set(event_log.announced()) == {parent.run_id, other}
    event_log.delete(other)
    assert list(event_log.announced()) == [parent.run_id]


def test_a_run_left_in_order_has_nothing_odd(event_log: EventLog, parent: Lines) -> None:
    """Nor has its store; a run that is not there cannot be asked about."""
    assert list(event_log.oddities(parent.run_id)) == []
    assert list(event_log.oddities()) == []
    assert code_of(event_log.oddities, new_run_id()) == "not_found"


def test_a_feed_begun_anew_asks_for_a_full_scan(event_log: EventLog, parent: Lines) -> None:
    """No reader may miss a run because the feed was mended."""
    before = event_log.changes(None).cursor
    if event_log.mend() is not None:
        assert event_log.changes(before).everything
    assert list(event_log.runs()) == [parent.run_id]

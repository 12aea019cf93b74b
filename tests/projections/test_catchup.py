"""Catching up: whatever the visits, the index says what the logs say."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journal.backends.filesystem import FilesystemLog
from journal.backends.memory import MemoryLog
from journal.errors import StorageErrorCode, storage_error
from journal.events import run
from journal.log import Change, Changes, EventLog, HeadInfo
from projections import catchup, questions, rows
from projections.sqlite import Index
from projections.sqlitefile import Connection
from tests.projections.helpers import Told, Writer, created, legal_runs, stored
from tests.projections.indexes import Between, dump, fresh, kill, statuses, visit
from tests.support.disks import CountingFiles


@given(
    stories=st.lists(legal_runs(max_events=12), min_size=1, max_size=3),
    order=st.lists(st.integers(0, 4), max_size=60),
    step=st.sampled_from([1, 3, 50_000]),
)
def test_rebuild_is_incremental_row_for_row(
    stories: list[list[Told]], order: list[int], step: int
) -> None:
    """Case 67: the index must not remember in how many visits, or by whom, it was made."""
    log, writers, left = MemoryLog(), [Writer(MemoryLog()) for _ in stories], list(stories)
    for writer in writers:
        writer.log = log
    one, other = Index(None), Index(None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catchup, "LINES_PER_STEP", step)
        for choice in [*order, *[n for n, told in enumerate(left) for _ in told]]:
            if choice < len(stories):
                writer, told = writers[choice], left[choice]
                if told:
                    writer.write(*told[:2])
                    del told[:2]
                elif writer.head:
                    writer.close()
            else:
                visit(one if choice == 3 else other, log)
        visit(one, log)
        visit(other, log)
    assert dump(one) == dump(other) == fresh(log)


def test_a_visit_to_a_store_at_rest_reads_no_run(log: EventLog, index: Index) -> None:
    """What costs nothing once costs nothing for a million runs."""
    for _ in range(3):
        Writer(log).write(created()).close()
    visit(index, log)
    asked: list[str] = []
    visit(index, Watching(log, asked))
    assert asked == ["changes"]


class Watching:
    """An event log that notes which of its methods were called."""

    def __init__(self, log: EventLog, asked: list[str]) -> None:
        self._log = log
        self._asked = asked

    def __getattr__(self, name: str) -> Any:
        self._asked.append(name)
        return getattr(self._log, name)


def test_a_run_that_is_being_written_stays_watched(log: EventLog, index: Index) -> None:
    """The feed says `opened` once; every line after that is found by looking."""
    writer = Writer(log).write(created())
    visit(index, log)
    assert list(statuses(index).values()) == ["pending"]
    writer.write(run.RunStarted())
    visit(index, log)
    assert list(statuses(index).values()) == ["running"]
    writer.write(run.RunCompleted()).close()
    visit(index, log)
    assert list(statuses(index).values()) == ["completed"]
    assert index.use(rows.watched) == []


def test_a_killed_writer_s_run_is_left_alone_once_read(log: EventLog, index: Index) -> None:
    """A thousand crashed runs must not be visited for ever."""
    kill(log, Writer(log).write(created()))
    visit(index, log)
    assert index.use(rows.watched) == []


def test_a_deleted_run_leaves_no_row(log: EventLog, index: Index) -> None:
    """What the user deleted is gone from every list."""
    gone = Writer(log).write(created(), ("p", stored("a1"))).close()
    kept = Writer(log).write(created()).close()
    visit(index, log)
    log.delete(gone.run_id)
    visit(index, log)
    assert dump(index) == fresh(log)
    assert list(statuses(index)) == [kept.run_id]


def test_a_state_that_does_not_parse_is_folded_anew(log: EventLog, index: Index) -> None:
    """Case 60: the run is read from its beginning; no row of the old fold stays behind."""
    writer = Writer(log).write(created(), ("p", stored("a1")))
    visit(index, log)

    def damage(db: Connection) -> None:
        db.execute("UPDATE states SET body = X'7B' WHERE projection = 'run_state'")
        db.execute("UPDATE artifacts SET artifact_id = 'never'")

    index.use(damage)
    writer.write(run.RunStarted()).close()
    visit(index, log)
    assert dump(index) == fresh(log)


class Rewritten:
    """A log whose answers about one run come from another log: a backup was rolled back."""

    def __init__(self, log: EventLog, other: EventLog) -> None:
        self._log = log
        self._other = other

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log if name == "changes" else self._other, name)


@pytest.mark.parametrize("states", ["whole", "damaged"])
@pytest.mark.parametrize("told", [1, 2, 3, 4])
def test_a_log_that_lost_lines_is_reported_never_smoothed_over(
    told: int, states: str, log: EventLog, index: Index
) -> None:
    """Case 62: the index has read what the log no longer holds: shorter, as long, or longer."""
    writer = Writer(log).write(created()).write(run.RunStarted())
    visit(index, log)
    if states == "damaged":
        index.use(lambda db: db.execute("UPDATE states SET body = X'7B'").rowcount)
    other = MemoryLog()
    rolled = Writer(other, writer.run_id, now=2e9).write(created())
    for _ in range(told - 1):
        rolled.write(run.RunStarted())
    for _ in range(2):
        visit(index, Rewritten(log, other))
        (found,) = index.use(questions.runs)
        assert found.status == "unreadable"
        assert found.error is not None
        assert found.error.type == "corrupt"
        assert (found.project, found.seq) == ("nightly", 2) or states == "damaged"
    assert index.use(lambda db: rows.cursor(db, writer.run_id)).seq == 2


def test_one_bad_run_never_hides_the_others(log: EventLog, index: Index) -> None:
    """It is a row with the status `unreadable`, its error, and what is known of it."""
    bad = Writer(log).write(created(project="bad")).write(run.RunStarted())
    good = Writer(log).write(created()).close()
    visit(index, log)
    bad.write(run.RunCompleted()).close()

    class Damaged(Between):
        def __getattr__(self, name: str) -> Any:
            if name != "read":
                return getattr(self._log, name)
            return lambda *a, **k: (
                x.replace(b"_completed", b"_complexed") for x in log.read(*a, **k)
            )

    visit(index, Damaged(log, "", None))
    found = {each.run_id: each for each in index.use(questions.runs)}
    assert found[good.run_id].status == "pending"
    assert (found[bad.run_id].status, found[bad.run_id].project) == ("unreadable", "bad")
    assert [run_id for run_id, _ in index.use(rows.watched)] == [bad.run_id]


def test_a_log_that_was_put_back_is_read_again(tmp_path: Path, index: Index) -> None:
    """Case 62: no feed tells of it, so what could not be read is looked at again at every visit."""
    log = FilesystemLog.open(tmp_path / "store")
    writers = [Writer(log).write(created(), run.RunStarted()) for _ in range(3)]
    visit(index, log)
    for writer in writers:
        writer.write(("p", stored("a1")), run.RunCompleted()).close()
    damaged, cut, moved = (Path(log.folder(each.run_id)) / "events.jsonl" for each in writers)
    whole = {path: path.read_bytes() for path in (damaged, cut)}
    damaged.write_bytes(whole[damaged].replace(b'"a1"', b'"a2"'))
    cut.write_bytes(b"".join(whole[cut].splitlines(keepends=True)[:1]))
    moved.parent.rename(tmp_path / "elsewhere")
    for _ in range(2):
        visit(index, log)
        assert set(statuses(index).values()) == {"unreadable"}
    for path, content in whole.items():
        path.write_bytes(content)
    (tmp_path / "elsewhere").rename(moved.parent)
    visit(index, log)
    assert set(statuses(index).values()) == {"completed"}
    assert dump(index) == fresh(log)
    assert index.use(rows.watched) == []


def test_a_run_that_stays_unreadable_costs_no_write_and_no_walk(tmp_path: Path) -> None:
    """Case 77: it is looked at at every visit, so a look is its last line, and no commit."""
    files = CountingFiles()
    log = FilesystemLog.open(tmp_path / "store", files=files)
    writer = Writer(log).write(created(), *[run.RunStarted()] * 999).close()
    path = Path(log.folder(writer.run_id)) / "events.jsonl"
    path.write_bytes(path.read_bytes()[:-100] + b"x" + path.read_bytes()[-99:])
    index = Index(None)
    visit(index, log)
    assert index.use(lambda db: rows.cursor(db, writer.run_id)).seq == 999
    files.bytes_read = 0
    statements: list[str] = []
    index.use(lambda db: db.set_trace_callback(statements.append))
    visit(index, log)
    assert files.bytes_read < 2_000
    assert {each.split()[0] for each in statements} == {"SELECT"}
    index.close()


def test_a_run_that_is_told_as_deleted_and_is_there_is_not_forgotten(
    log: EventLog, index: Index
) -> None:
    """Case 63: a flipped bit in the feed may name another run than the one that was deleted."""
    writer = Writer(log).write(created()).close()
    visit(index, log)

    class Wrong(Between):
        def changes(self, cursor: str | None) -> Changes:
            told = Change("deleted", writer.run_id)
            return Changes((told,), self._log.changes(cursor).cursor, everything=False)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catchup, "_ROUNDS_MAX", 1)
        visit(index, Wrong(log, "", None))
    visit(index, log)
    assert dump(index) == fresh(log)


@pytest.mark.parametrize("part_bytes", [120, 300, 1_000])
def test_who_is_far_behind_the_feed_reads_it_in_parts(
    part_bytes: int, tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cases 63 and 77: a deletion in the part that was skipped would be taken for a loss."""
    log = FilesystemLog.open(tmp_path / "store")
    gone = Writer(log).write(created()).close()
    visit(index, log)
    monkeypatch.setattr("journal.backends.feed.FEED_BYTES_MAX", part_bytes)
    log.delete(gone.run_id)
    kept = [Writer(log).write(created()).close() for _ in range(20)]
    visit(index, log)
    assert statuses(index) == {each.run_id: "pending" for each in kept}
    assert dump(index) == fresh(log)


def test_what_passes_by_itself_is_tried_again(log: EventLog, index: Index) -> None:
    """A run that could not be opened for a moment must not stay `unreadable` for ever."""
    writer = Writer(log).write(created()).close()

    class Short(Between):
        def head(self, run_id: str) -> HeadInfo:
            raise storage_error(StorageErrorCode.UNAVAILABLE, "too many open files")

    visit(index, Short(log, "", None))
    assert statuses(index) == {writer.run_id: "unreadable"}
    visit(index, log)
    assert dump(index) == fresh(log)
    assert statuses(index) == {writer.run_id: "pending"}


def test_without_a_feed_every_run_is_looked_at(tmp_path: Path, index: Index) -> None:
    """The feed is derived: a store whose feed was deleted or rolled back still lists its runs."""
    log = FilesystemLog.open(tmp_path / "store")
    for _ in range(3):
        Writer(log).write(created()).close()
    visit(index, log)
    (tmp_path / "store/feed").unlink()
    writer = Writer(log).write(created(project="new")).close()
    visit(index, log)
    assert dump(index) == fresh(log)
    (tmp_path / "store/feed").unlink()
    writer.write(run.RunStarted()).close()
    visit(index, log)
    assert dump(index) == fresh(log)


def test_a_run_that_vanished_without_a_word_is_reported(tmp_path: Path, index: Index) -> None:
    """Case 20: its folder is gone though nobody deleted it: not a reason to forget it."""
    log = FilesystemLog.open(tmp_path / "store")
    writer = Writer(log).write(created()).close()
    visit(index, log)
    Path(log.folder(writer.run_id)).rename(tmp_path / "elsewhere")
    (tmp_path / "store/feed").unlink()
    visit(index, log)
    (found,) = index.use(questions.runs)
    assert (found.status, found.error and found.error.type) == ("unreadable", "not_found")

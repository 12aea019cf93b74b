"""Catching up: whatever the visits, the index says what the logs say."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journal.backends.filesystem import FilesystemLog
from journal.backends.memory import MemoryLog
from journal.errors import StorageErrorCode, storage_error
from journal.events import run
from journal.log import Changes, EventLog, Head, HeadInfo
from projections import catchup, questions, rows
from projections.catchup import catch_up
from projections.sqlite import Index
from projections.sqlitefile import Connection
from tests.projections.helpers import ERROR, Told, Writer, created, legal_runs, stored


def dump(index: Index) -> dict[str, list[Any]]:
    """Every row that people could be shown, or that folds go on from."""

    def read(db: Connection) -> dict[str, list[Any]]:
        return {
            table: sorted(db.execute(f"SELECT * FROM {table}").fetchall(), key=repr)
            for table in ("runs", "cursors", "states", "artifacts")
        }

    return index.use(read)


def visit(index: Index, log: Any) -> None:
    index.use(lambda db: catch_up(db, log))


def fresh(log: EventLog) -> dict[str, list[Any]]:
    index = Index(None)
    visit(index, log)
    return dump(index)


def statuses(index: Index) -> dict[str, str]:
    return index.use(lambda db: {each.run_id: each.status for each in questions.runs(db)})


@pytest.fixture(params=["memory", "filesystem"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> EventLog:
    """Both backends."""
    return MemoryLog() if request.param == "memory" else FilesystemLog.open(tmp_path / "store")


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    found = Index(str(tmp_path / "index.sqlite"), busy_s=0.5)
    yield found
    found.close()


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


class Between:
    """An event log in which something happens right after a chosen question was answered."""

    def __init__(self, log: EventLog, after: str, act: Any) -> None:
        self._log = log
        self._after = after
        self._act = act

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._log, name)
        if name != self._after:
            return method

        def call(*args: Any, **kwargs: Any) -> Any:
            answer = method(*args, **kwargs)
            act, self._act = self._act, lambda: None
            act()
            return answer

        return call


@pytest.mark.parametrize("moment", ["changes", "head", "read"])
@pytest.mark.parametrize("ending", ["closed", "killed", "writing"])
def test_no_line_is_lost_to_a_reader_that_comes_at_a_bad_moment(
    log: EventLog, index: Index, moment: str, ending: str
) -> None:
    """Case 63: a reader between feed line and log line must come back for the rest."""
    writer = Writer(log).write(created())

    def go_on() -> None:
        writer.write(run.RunStarted(), run.RunFailed(error=ERROR))
        if ending == "closed":
            writer.close()
        elif ending == "killed":
            kill(log, writer)

    visit(index, Between(log, moment, go_on))
    visit(index, log)
    assert dump(index) == fresh(log)
    assert list(statuses(index).values()) == ["failed"]


def test_a_line_between_the_end_and_the_lock_is_not_lost(log: EventLog, index: Index) -> None:
    """`head` reads the end, then asks about the lock: a writer may write, then die, in between."""
    writer = Writer(log).write(created())

    class Late(Between):
        def head(self, run_id: Any) -> HeadInfo:
            found: HeadInfo = self._log.head(run_id)
            if writer.lease is not None:
                writer.write(run.RunStarted())
                kill(log, writer)
                writer.lease = None
            return msgspec.structs.replace(found, live=False)

    visit(index, Late(log, "", None))
    visit(index, log)
    assert list(statuses(index).values()) == ["running"]
    assert index.use(rows.watched) == []


def kill(log: EventLog, writer: Writer) -> None:
    """Let go of the lock the way a killed process does: nothing is marked, the feed is silent."""
    lease = writer.lease
    assert lease is not None
    if isinstance(log, FilesystemLog):
        from journal.backends import lease as leases

        leases.close(log.files, lease)  # type: ignore[arg-type]
    else:
        assert isinstance(log, MemoryLog)
        log._runs[writer.run_id].holder = None


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


@pytest.mark.parametrize("moment", ["changes", "head", "read"])
def test_a_run_deleted_under_a_reader_does_not_come_back(
    log: EventLog, index: Index, moment: str
) -> None:
    """A ghost in the list could never be deleted again."""
    writer = Writer(log).write(created()).close()
    visit(index, Between(log, moment, lambda: log.delete(writer.run_id)))
    visit(index, log)
    assert statuses(index) == {}


def test_a_run_deleted_a_moment_ago_is_not_shown_as_lost(log: EventLog, index: Index) -> None:
    """The feed says why it is gone; one more look there saves people a fright."""
    writer = Writer(log).write(created()).close()
    visit(index, log)
    writer.write(run.RunStarted()).close()
    visit(index, Between(log, "changes", lambda: log.delete(writer.run_id)))
    assert statuses(index) == {}


def test_the_feed_is_never_read_backwards(log: EventLog, tmp_path: Path) -> None:
    """A reader that was overtaken leaves the cursor where the faster one put it."""
    path = str(tmp_path / "index.sqlite")
    ours, theirs = Index(path, busy_s=0.5), Index(path, busy_s=0.5)
    writer = Writer(log).write(created()).close()
    visit(ours, log)
    writer.write(run.RunStarted())

    def overtake() -> None:
        writer.close()
        visit(theirs, log)

    visit(ours, Between(log, "changes", overtake))
    end = log.changes(None).cursor
    assert ours.use(rows.feed).cursor == theirs.use(rows.feed).cursor == end
    ours.close()
    theirs.close()


@pytest.mark.parametrize("moment", ["changes", "head", "read"])
def test_a_run_that_another_reader_forgot_does_not_come_back(
    log: EventLog, tmp_path: Path, moment: str
) -> None:
    """The feed tells a deletion once: whoever comes late must not put the rows back."""
    path = str(tmp_path / "index.sqlite")
    ours, theirs = Index(path, busy_s=0.5), Index(path, busy_s=0.5)
    writer = Writer(log).write(created()).close()

    def delete() -> None:
        log.delete(writer.run_id)
        visit(theirs, log)

    class Buffered(Between):
        def read(self, *args: Any) -> Iterator[bytes]:
            lines = list(self._log.read(*args))
            if moment == "read":
                delete()
            return iter(lines)

    visit(ours, Buffered(log, moment, delete))
    visit(ours, log)
    assert statuses(ours) == {}
    ours.close()
    theirs.close()


def test_what_another_reader_found_later_is_not_overwritten(log: EventLog, tmp_path: Path) -> None:
    """A list that was right a moment ago may not go back in time."""
    path = str(tmp_path / "index.sqlite")
    ours, theirs = Index(path, busy_s=0.5), Index(path, busy_s=0.5)
    writer = Writer(log).write(created())

    def go_on() -> None:
        writer.write(run.RunStarted())
        visit(theirs, log)
        stands.append(theirs.use(lambda db: rows.cursor(db, writer.run_id)))

    stands: list[Head] = []
    seen: list[int] = []
    keep_folds = rows.keep_folds

    def noting(db: Connection, found: Any, *, anew: bool) -> None:
        seen.append(found.at.seq)
        keep_folds(db, found, anew=anew)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "keep_folds", noting)
        visit(ours, Between(log, "head", go_on))
    assert seen == [2]
    assert ours.use(lambda db: rows.cursor(db, writer.run_id)) == stands[0]
    ours.close()
    theirs.close()


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


def test_two_readers_at_once_make_the_rows_of_one(log: EventLog, tmp_path: Path) -> None:
    """Case 63: another process that catches up in the middle of ours changes nothing."""
    path = str(tmp_path / "index.sqlite")
    ours, theirs = Index(path, busy_s=0.5), Index(path, busy_s=0.5)
    writers = [Writer(log).write(created(), ("p", stored(f"a{n}"))) for n in range(3)]
    for moment in ("changes", "head", "read"):
        visit(ours, Between(log, moment, lambda: visit(theirs, log)))
        for writer in writers:
            writer.write(("p", stored(f"{moment}-{writer.run_id}")))
    visit(ours, Between(log, "read", lambda: [w.close() for w in writers]))
    visit(ours, log)
    assert dump(ours) == dump(theirs) == fresh(log)
    ours.close()
    theirs.close()


def test_a_kill_between_two_steps_costs_only_that_step(
    log: EventLog, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 64: rows and cursors move together, so the next reader goes on where they stand."""
    monkeypatch.setattr(catchup, "LINES_PER_STEP", 4)
    writer = Writer(log).write(created(), *[("p", stored(f"a{n}")) for n in range(20)]).close()

    class Killed(BaseException):
        pass

    class Dying(Between):
        def __getattr__(self, name: str) -> Any:
            if name == "read":
                self._reads = getattr(self, "_reads", 0) + 1
                if self._reads == 3:
                    raise Killed
            return getattr(self._log, name)

    dying = Dying(log, "", None)
    dying.__dict__["_reads"] = 0
    with pytest.raises(Killed):
        visit(index, dying)
    assert index.use(lambda db: rows.cursor(db, writer.run_id)).seq == 8
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
    assert index.use(rows.watched) == []


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


def test_a_feed_that_moves_all_the_time_does_not_hold_a_reader_up(
    log: EventLog, index: Index
) -> None:
    """Bounded rounds: a busy store is shown a moment old rather than never."""
    writer = Writer(log).write(created()).close()

    class Busy(Between):
        def changes(self, cursor: str | None) -> Changes:
            found = self._log.changes(cursor)
            index.use(lambda db: rows.move_feed(db, "elsewhere", rows.feed(db).token + 1))
            return found

    visit(index, Busy(log, "", None))
    visit(index, log)
    assert list(statuses(index)) == [writer.run_id]

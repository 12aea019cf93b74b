"""
What every event log must do, wherever its bytes are: each duty of ``journal/log.py``.

A further backend adds its factory to ``event_log_subjects.py`` and runs all of this.
"""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from journal.errors import StorageError, StorageErrorCode
from journal.ids import RunId, new_run_id
from journal.limits import READ_BYTES
from journal.log import Change, EventLog
from tests.contract.event_log_subjects import SUBJECTS
from tests.support.logs import Lines, read


@pytest.fixture(params=SUBJECTS)
def event_log(request: pytest.FixtureRequest, tmp_path: Path) -> EventLog:
    return SUBJECTS[request.param](tmp_path / "store")


@pytest.fixture
def lines() -> Lines:
    return Lines()


def refused(code: StorageErrorCode, call: Callable[..., object], *arguments: object) -> None:
    with pytest.raises(StorageError) as raised:
        call(*arguments)
    assert raised.value.code == code


def read_all(log: EventLog, run_id: RunId) -> bytes:
    return b"".join(log.read(run_id))


# -- create --------------------------------------------------------------------------------


def test_a_created_run_is_there_with_its_first_batch(event_log: EventLog, lines: Lines) -> None:
    """Creating is the first append: on return the lines are acknowledged and seen by all."""
    batch = lines.batch(3)
    lease = event_log.create(lines.run_id, batch)
    assert (lease.run_id, lease.epoch, lease.recovered) == (lines.run_id, 1, ())
    assert (lease.head.seq, lease.head.hash) == (3, lines.link)
    assert lease.head.position == sum(map(len, batch))
    assert event_log.head(lines.run_id).head == lease.head
    assert list(event_log.read(lines.run_id)) == batch
    assert list(event_log.runs()) == [lines.run_id]


def test_a_run_is_created_once(event_log: EventLog, lines: Lines) -> None:
    """An id is used once: the second creator is told, and the first run stays as it is."""
    batch = lines.batch()
    event_log.create(lines.run_id, batch)
    refused(StorageErrorCode.CONFLICT, event_log.create, lines.run_id, Lines(lines.run_id).batch(2))
    assert list(event_log.read(lines.run_id)) == batch


def test_of_creators_at_once_one_wins(event_log: EventLog) -> None:
    """Case 40: the loser gets a conflict, never a half-made run or an error of the system."""
    for _ in range(5):
        run_id = new_run_id()
        together = threading.Barrier(4)

        def create(run_id: RunId = run_id, together: threading.Barrier = together) -> str:
            batch = Lines(run_id).batch()
            together.wait()
            try:
                event_log.create(run_id, batch)
            except StorageError as failure:
                return failure.code.value
            return "made"

        with ThreadPoolExecutor(4) as pool:
            ended = sorted(future.result() for future in [pool.submit(create) for _ in range(4)])
        assert ended == ["conflict", "conflict", "conflict", "made"]
        assert len(read(event_log, run_id)) == 1


# -- acquire -------------------------------------------------------------------------------


def test_a_run_that_is_not_there_cannot_be_used(event_log: EventLog) -> None:
    """Absent is ``not_found`` everywhere, and asking does not make the run."""
    run_id = new_run_id()
    refused(StorageErrorCode.NOT_FOUND, event_log.acquire, run_id)
    refused(StorageErrorCode.NOT_FOUND, event_log.head, run_id)
    refused(StorageErrorCode.NOT_FOUND, lambda: list(event_log.read(run_id)))
    refused(StorageErrorCode.NOT_FOUND, event_log.torn_bytes, run_id)
    refused(StorageErrorCode.NOT_FOUND, event_log.delete, run_id)
    assert event_log.get_checkpoint(run_id) is None
    assert list(event_log.runs()) == []


def test_there_is_one_writer_at_a_time(event_log: EventLog, lines: Lines) -> None:
    """Case 40: the second writer is refused after the time that it is willing to wait."""
    event_log.create(lines.run_id, lines.batch())
    refused(StorageErrorCode.LOCKED, event_log.acquire, lines.run_id)
    began = time.monotonic()
    refused(StorageErrorCode.LOCKED, event_log.acquire, lines.run_id, 0.3)
    assert time.monotonic() - began >= 0.3


def test_who_waits_gets_the_lease_when_it_is_released(event_log: EventLog, lines: Lines) -> None:
    """``wait_s`` is for a writer that is about to end."""
    lease = event_log.create(lines.run_id, lines.batch())
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(event_log.acquire, lines.run_id, 30.0)
        time.sleep(0.02)
        event_log.release(lease)
        assert waiting.result(120).epoch == 2


def test_the_epoch_rises_with_every_opening(event_log: EventLog, lines: Lines) -> None:
    """It fences: of two writers who both think the run theirs, the later one has the higher."""
    lease = event_log.create(lines.run_id, lines.batch())
    for epoch in (2, 3, 4):
        event_log.release(lease)
        lease = event_log.acquire(lines.run_id)
        assert (lease.epoch, lease.head.seq, lease.recovered) == (epoch, 1, ())
        assert event_log.head(lines.run_id).epoch == epoch


# -- append --------------------------------------------------------------------------------


def test_an_append_moves_the_head_by_its_batch(event_log: EventLog, lines: Lines) -> None:
    """What is acknowledged is readable, under the position that the head names."""
    lease = event_log.create(lines.run_id, lines.batch())
    for count in (1, 5, 400):
        before, batch = lease.head, lines.batch(count)
        head = event_log.append(lease, batch)
        assert head == lease.head == event_log.head(lines.run_id).head
        assert (head.seq, head.hash) == (before.seq + count, lines.link)
        assert list(event_log.read(lines.run_id, before.position)) == batch
    assert len(read(event_log, lines.run_id)) == 407


def test_a_later_writer_goes_on_where_the_last_one_ended(event_log: EventLog, lines: Lines) -> None:
    """The lease of an opening stands at the head that was left."""
    left = event_log.create(lines.run_id, lines.batch(2))
    event_log.release(left)
    lease = event_log.acquire(lines.run_id)
    assert lease.head == left.head
    event_log.append(lease, lines.batch(2))
    assert [record.seq for record in read(event_log, lines.run_id)] == [1, 2, 3, 4]


def test_a_released_lease_appends_nothing(event_log: EventLog, lines: Lines) -> None:
    """Neither at rest nor while the next writer is at work."""
    old = event_log.create(lines.run_id, lines.batch())
    event_log.release(old)
    late = lines.batch()
    refused(StorageErrorCode.CLOSED, event_log.append, old, late)
    event_log.acquire(lines.run_id)
    refused(StorageErrorCode.CLOSED, event_log.append, old, late)
    assert len(read(event_log, lines.run_id)) == 1


# -- release -------------------------------------------------------------------------------


def test_the_head_says_who_writes_and_how_it_was_left(event_log: EventLog, lines: Lines) -> None:
    """``open`` while written, ``closed`` after; ``live`` says whether a writer holds it now."""
    lease = event_log.create(lines.run_id, lines.batch())
    info = event_log.head(lines.run_id)
    assert (info.state, info.live, info.epoch) == ("open", True, 1)
    event_log.release(lease)
    info = event_log.head(lines.run_id)
    assert (info.state, info.live, info.epoch) == ("closed", False, 1)
    event_log.acquire(lines.run_id)
    info = event_log.head(lines.run_id)
    assert (info.state, info.live, info.epoch) == ("open", True, 2)


def test_releasing_twice_does_nothing(event_log: EventLog, lines: Lines) -> None:
    """A second release must not take the run from whoever holds it by then."""
    old = event_log.create(lines.run_id, lines.batch())
    event_log.release(old)
    event_log.release(old)
    lease = event_log.acquire(lines.run_id)
    event_log.release(old)
    refused(StorageErrorCode.LOCKED, event_log.acquire, lines.run_id)
    event_log.append(lease, lines.batch())


# -- read ----------------------------------------------------------------------------------


def test_reading_a_range_gives_its_lines(event_log: EventLog, lines: Lines) -> None:
    """Positions are the beginnings of lines, counted in bytes from the log's beginning."""
    batch = lines.batch(6)
    event_log.create(lines.run_id, batch)
    ends = [sum(map(len, batch[:n])) for n in range(7)]
    for first in range(7):
        for last in range(first, 7):
            wanted = batch[first:last]
            assert list(event_log.read(lines.run_id, ends[first], ends[last])) == wanted
            found = event_log.read(lines.run_id, ends[first], ends[last], reverse=True)
            assert list(found) == wanted[::-1]


@settings(
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    sizes=st.lists(
        st.one_of(
            st.integers(0, 300),
            st.integers(READ_BYTES - 400, READ_BYTES + 10),
            st.integers(2 * READ_BYTES, 3 * READ_BYTES),
        ),
        min_size=1,
        max_size=9,
    ),
    data=st.data(),
)
def test_reading_backwards_is_reading_reversed(
    event_log: EventLog, sizes: list[int], data: st.DataObject
) -> None:
    """Whatever the lines' lengths are, those of several blocks and those that fill one included."""
    lines = Lines()
    batches = [lines.batch(1, text="x" * size) for size in sizes]
    lease = event_log.create(lines.run_id, batches[0])
    for batch in batches[1:]:
        event_log.append(lease, batch)
    every = [line for batch in batches for line in batch]
    ends = [sum(map(len, every[:n])) for n in range(len(every) + 1)]
    first = data.draw(st.integers(0, len(every)))
    last = data.draw(st.integers(first, len(every)))
    there = list(event_log.read(lines.run_id, ends[first], ends[last]))
    assert there == every[first:last]
    assert list(event_log.read(lines.run_id, ends[first], ends[last], reverse=True)) == there[::-1]
    event_log.release(lease)


def test_who_reads_while_it_grows_sees_a_prefix(event_log: EventLog, lines: Lines) -> None:
    """Case 47: whole batches only, and what was seen once is seen again."""
    batches = [lines.batch(3) for _ in range(150)]
    every = b"".join(line for batch in batches for line in batch)
    ends = {sum(len(line) for batch in batches[:n] for line in batch) for n in range(1, 151)}
    lease = event_log.create(lines.run_id, batches[0])

    def write() -> None:
        for batch in batches[1:]:
            event_log.append(lease, batch)
        event_log.release(lease)

    writer = threading.Thread(target=write)
    writer.start()
    seen = 0
    while seen < len(every):
        head = event_log.head(lines.run_id).head.position
        found = read_all(event_log, lines.run_id)
        assert seen <= head <= len(found)
        assert len(found) in ends
        assert every.startswith(found)
        backwards = list(event_log.read(lines.run_id, 0, len(found), reverse=True))
        assert b"".join(reversed(backwards)) == found
        seen = len(found)
    writer.join()


# -- runs, changes -------------------------------------------------------------------------


def test_runs_are_those_that_were_created_and_not_deleted(event_log: EventLog) -> None:
    """Every run is found without a feed or an index."""
    made = [Lines() for _ in range(5)]
    leases = [event_log.create(lines.run_id, lines.batch()) for lines in made]
    event_log.release(leases[0])
    event_log.delete(made[0].run_id)
    assert sorted(event_log.runs()) == sorted(lines.run_id for lines in made[1:])


def test_the_feed_tells_what_moved_since_a_cursor(event_log: EventLog) -> None:
    """A visit costs the runs that moved; appending moves nothing in it."""
    old = event_log.changes(None)
    assert old.everything
    one, two = Lines(), Lines()
    lease = event_log.create(one.run_id, one.batch())
    event_log.create(two.run_id, two.batch())
    event_log.append(lease, one.batch())
    found = event_log.changes(old.cursor)
    assert not found.everything
    assert found.changes == (Change("opened", one.run_id), Change("opened", two.run_id))
    event_log.release(lease)
    event_log.release(event_log.acquire(one.run_id))
    event_log.delete(one.run_id)
    later = event_log.changes(found.cursor)
    assert later.changes == (
        Change("closed", one.run_id),
        Change("opened", one.run_id),
        Change("closed", one.run_id),
        Change("deleted", one.run_id),
    )
    again = event_log.changes(later.cursor)
    assert (again.changes, again.everything) == ((), False)


@pytest.mark.parametrize("cursor", ["", "nonsense", "0:0", "9" * 40, f"{'a' * 32}:7", "x:-1"])
def test_a_cursor_of_nowhere_asks_for_everything(event_log: EventLog, cursor: str) -> None:
    """A cursor of another feed would let a reader miss runs; so it scans once."""
    lines = Lines()
    event_log.create(lines.run_id, lines.batch())
    found = event_log.changes(cursor)
    assert found.everything
    assert event_log.changes(found.cursor).changes == ()


# -- checkpoint ----------------------------------------------------------------------------


def test_the_last_checkpoint_is_kept(event_log: EventLog, lines: Lines) -> None:
    """Replaced as a whole, kept across openings, gone with its run."""
    lease = event_log.create(lines.run_id, lines.batch())
    assert event_log.get_checkpoint(lines.run_id) is None
    for body in (b"one", b"two" * 100_000, b"3"):
        event_log.put_checkpoint(lease, body)
        assert event_log.get_checkpoint(lines.run_id) == body
    event_log.release(lease)
    event_log.release(event_log.acquire(lines.run_id))
    assert event_log.get_checkpoint(lines.run_id) == b"3"
    event_log.delete(lines.run_id)
    assert event_log.get_checkpoint(lines.run_id) is None


# -- delete --------------------------------------------------------------------------------


def test_a_deleted_run_is_gone(event_log: EventLog, lines: Lines) -> None:
    """Its id is free again: nothing of the old run is in a new one."""
    lease = event_log.create(lines.run_id, lines.batch(3))
    event_log.release(lease)
    event_log.delete(lines.run_id)
    refused(StorageErrorCode.NOT_FOUND, event_log.head, lines.run_id)
    refused(StorageErrorCode.NOT_FOUND, event_log.delete, lines.run_id)
    refused(StorageErrorCode.NOT_FOUND, event_log.acquire, lines.run_id)
    again = Lines(lines.run_id)
    assert event_log.create(lines.run_id, again.batch()).epoch == 1
    assert len(read(event_log, lines.run_id)) == 1


def test_a_run_is_not_deleted_under_its_writer(event_log: EventLog, lines: Lines) -> None:
    """Case 48: locked, and the writer goes on."""
    lease = event_log.create(lines.run_id, lines.batch())
    refused(StorageErrorCode.LOCKED, event_log.delete, lines.run_id)
    event_log.append(lease, lines.batch())
    assert len(read(event_log, lines.run_id)) == 2


# -- many ----------------------------------------------------------------------------------


def test_runs_are_written_side_by_side(event_log: EventLog) -> None:
    """From any thread, one at a time per lease: no run sees anything of another."""

    def one(_: int) -> tuple[RunId, bytes]:
        lines = Lines()
        batches = [lines.batch(2) for _ in range(12)]
        lease = event_log.create(lines.run_id, batches[0])
        for number, batch in enumerate(batches[1:]):
            event_log.append(lease, batch)
            if number % 4 == 3:
                event_log.release(lease)
                lease = event_log.acquire(lines.run_id)
        event_log.release(lease)
        return lines.run_id, b"".join(line for batch in batches for line in batch)

    with ThreadPoolExecutor(8) as pool:
        for run_id, wanted in list(pool.map(one, range(12))):
            assert read_all(event_log, run_id) == wanted


def test_a_whole_log_has_no_torn_bytes(event_log: EventLog, lines: Lines) -> None:
    """While it is written, at rest, and while somebody else opens it."""

    def torn() -> Iterator[int]:
        lease = event_log.create(lines.run_id, lines.batch(4))
        yield event_log.torn_bytes(lines.run_id)
        event_log.release(lease)
        yield event_log.torn_bytes(lines.run_id)
        event_log.acquire(lines.run_id)
        yield event_log.torn_bytes(lines.run_id)

    assert list(torn()) == [0, 0, 0]

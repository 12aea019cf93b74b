"""
The end of a log after a crash: what is torn is kept aside and told, what is damage is refused.

Acknowledged lines are never lost, and what was lost was never acknowledged.
"""

import hashlib
from pathlib import Path

import pytest

from journal.chain import SUFFIX_BYTES
from journal.errors import StorageError
from journal.limits import TORN_TAIL_BYTES_MAX
from tests.support.disks import UnsyncedFiles
from tests.support.logs import (
    Lines,
    StoredRun,
    code_of,
    copied,
    of_another_boot,
    read,
    snapshot,
)


@pytest.fixture
def run(tmp_path: Path) -> StoredRun:
    """A run of two acknowledged batches, whose writer is alive."""
    return StoredRun(tmp_path / "store", UnsyncedFiles()).write(2, 1)


def test_a_tail_torn_at_any_byte_is_kept_aside_and_its_seq_used_again(run: StoredRun) -> None:
    """Case 3: the lost line was never acknowledged, so its number was never promised to anyone."""
    whole, batch = run.events.read_bytes(), b"".join(run.lines.batch(2))
    run.crash()
    for cut in range(1, len(batch)):
        run.events.write_bytes(whole + batch[:cut])
        lease = run.recover()
        digest = hashlib.sha256(batch[:cut]).hexdigest()
        (tail,) = [tail for tail in lease.recovered if tail.sha256 == digest]
        assert (tail.size_bytes, lease.head.seq) == (cut, 3)
        assert (run.folder / tail.kept_as).read_bytes() == batch[:cut]
        assert run.events.read_bytes() == whole
        run.crash()
        for kept in run.torn():
            kept.unlink()


def test_a_kept_tail_is_told_until_an_event_tells_it(run: StoredRun) -> None:
    """Case 2: the process may die again between setting the tail aside and saying so."""
    torn = b"".join(run.lines.batch())[:100]
    run.crash(torn)
    for _ in range(3):
        lease = run.log.acquire(run.run_id)
        assert [tail.size_bytes for tail in lease.recovered] == [100]
        run.log.release(lease)
    lines = Lines(run.run_id)
    lines.batch(2)
    lines.batch(1)
    lease = run.log.acquire(run.run_id)
    run.log.append(lease, lines.batch())  # where ``log_recovered`` would stand
    run.log.release(lease)
    assert run.log.acquire(run.run_id).recovered == ()
    assert len(run.torn()) == 1


def test_two_tails_lost_behind_one_line_are_both_told(run: StoredRun) -> None:
    """Case 2: the first append after a recovery may be torn in its turn."""
    batch = b"".join(run.lines.batch())
    run.crash(batch[:50])
    run.lease = run.log.acquire(run.run_id)
    run.crash(batch[:70])
    found = run.log.acquire(run.run_id).recovered
    assert sorted(tail.size_bytes for tail in found) == [50, 70]


def test_a_whole_batch_that_nobody_acknowledged_stays(run: StoredRun) -> None:
    """It was submitted and survived: the oracle allows it, and no reader ever saw it go."""
    run.crash(b"".join(run.lines.batch(3)))
    assert len(run.read()) == 3
    lease = run.log.acquire(run.run_id)
    assert (lease.head.seq, lease.recovered) == (6, ())
    assert len(run.read()) == 6


def test_a_later_line_of_the_same_batch_does_not_make_it_damage(run: StoredRun) -> None:
    """Case 5: sectors of one unsynced write land in any order."""
    batch = run.lines.batch(4)
    for lost in range(4):
        torn = b"".join(
            b"\0" * len(line) if number == lost else line for number, line in enumerate(batch)
        )
        run.crash(torn)
        digest = hashlib.sha256(torn).hexdigest()
        assert digest in [tail.sha256 for tail in run.recover().recovered]
        assert run.lease is not None
        assert run.lease.head.seq == 3


@pytest.mark.parametrize("fill", [b"\0", b"\xff", b"\n", b'{"seq":4,', b'"}\n'])
def test_unsynced_sectors_may_hold_anything(run: StoredRun, fill: bytes) -> None:
    """Case 4: what was never synced may come back as zeros, old bytes or garbage."""
    batch = b"".join(run.lines.batch(3, text="x" * 1000))
    whole = run.events.read_bytes()
    run.crash()
    for start in range(0, len(batch), 512):
        hole = (fill * 512)[: len(batch[start : start + 512])]
        run.events.write_bytes(whole + batch[:start] + hole + batch[start + 512 :])
        assert run.recover().head.seq == 3
        assert run.events.read_bytes() == whole
        run.crash()


def test_a_valid_line_of_a_later_batch_after_damage_is_refused(run: StoredRun) -> None:
    """Case 6: the next batch waits for the sync of this one, so no crash leaves that."""
    torn, later = b"".join(run.lines.batch(2)), b"".join(run.lines.batch())
    run.crash(torn[:-300] + b"\0" * 300 + later)
    before = snapshot(run.folder)
    assert code_of(run.log.acquire, run.run_id) == "corrupt"
    assert snapshot(run.folder) == before


def test_grown_but_empty_is_torn_up_to_one_batch(run: StoredRun) -> None:
    """Case 7: the size may reach the disk before the data; past one batch it is something else."""
    run.crash()
    whole = run.events.stat().st_size
    with run.events.open("r+b") as log:
        log.truncate(whole + TORN_TAIL_BYTES_MAX)
    assert [tail.size_bytes for tail in run.recover().recovered] == [TORN_TAIL_BYTES_MAX]
    run.crash()
    with run.events.open("r+b") as log:
        log.truncate(whole + TORN_TAIL_BYTES_MAX + 1)
    assert code_of(run.log.acquire, run.run_id) == "corrupt"
    assert run.events.stat().st_size == whole + TORN_TAIL_BYTES_MAX + 1


def test_an_empty_log_is_refused(run: StoredRun) -> None:
    """Case 8: a run is never visible without its first batch."""
    run.close()
    run.events.write_bytes(b"")
    assert code_of(run.log.acquire, run.run_id) == "corrupt"
    assert code_of(run.log.head, run.run_id) == "corrupt"
    (run.folder / "head").unlink()
    assert code_of(run.log.acquire, run.run_id) == "corrupt"
    assert code_of(run.log.head, run.run_id) == "corrupt"


def test_the_first_batch_is_never_torn(tmp_path: Path) -> None:
    """Case 23: it was synced before the run had a name, so even without a head this is damage."""
    run = StoredRun(tmp_path / "store").write(3)
    run.crash()
    (run.folder / "head").unlink()
    whole = run.events.read_bytes()
    for cut in (1, 100, len(whole) // 2, len(whole) - 1):
        run.events.write_bytes(whole[:cut])
        assert code_of(run.log.acquire, run.run_id) == "corrupt"
        assert run.events.read_bytes() == whole[:cut]
        assert run.torn() == []


def test_bytes_behind_a_closed_log_are_damage(run: StoredRun) -> None:
    """Case 34: who closed the run had nothing on the way, so no crash put them there."""
    run.close()
    with run.events.open("ab") as log:
        log.write(b"{")
    before = snapshot(run.folder)
    assert code_of(run.log.acquire, run.run_id) == "corrupt"
    assert snapshot(run.folder) == before


def test_a_stale_head_brings_back_every_whole_batch(run: StoredRun, tmp_path: Path) -> None:
    """Case 1: the head is not synced, so after a power loss it may lag behind the log."""
    old = (run.folder / "head").read_bytes()
    run.write(1, 2, 1)
    run.crash(b"".join(run.lines.batch())[:77])
    head = run.folder / "head"
    for number, text in enumerate((old, old[:100], b"", None)):
        again = copied(tmp_path / "store", tmp_path / f"store-{number}")
        there = again / head.relative_to(tmp_path / "store")
        there.unlink() if text is None else there.write_bytes(text)
        log = type(run.log).open(again)
        lease = log.acquire(run.run_id)
        assert (lease.head.seq, [tail.size_bytes for tail in lease.recovered]) == (7, [77])
        assert len(read(log, run.run_id)) == 7


def test_another_boot_shows_whole_batches_only(run: StoredRun) -> None:
    """Case 47: what a dead kernel left is read without a writer, up to the last whole batch."""
    batch = b"".join(run.lines.batch(2))
    run.crash(batch[: -SUFFIX_BYTES // 2])
    of_another_boot(run.folder / "head")
    before = snapshot(run.folder)
    assert run.log.head(run.run_id).head.seq == 3
    assert len(run.read()) == 3
    assert run.log.torn_bytes(run.run_id) > 0
    assert snapshot(run.folder) == before
    with run.events.open("ab") as log:
        log.write(batch[-SUFFIX_BYTES // 2 :])
    assert run.log.head(run.run_id).head.seq == 5


def test_recovery_that_cannot_keep_the_tail_leaves_it_where_it_is(run: StoredRun) -> None:
    """Case 82: the way out of an error may fail itself; then nothing at all was changed."""
    run.crash(b"".join(run.lines.batch())[:90])
    (run.folder / "torn").write_bytes(b"in the way")
    before = snapshot(run.folder)
    with pytest.raises(StorageError) as raised:
        run.log.acquire(run.run_id)
    assert raised.value.code == "io_error"
    assert snapshot(run.folder) == before
    (run.folder / "torn").unlink()
    assert [tail.size_bytes for tail in run.log.acquire(run.run_id).recovered] == [90]

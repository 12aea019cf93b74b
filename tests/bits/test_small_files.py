"""
The small files beside a log: every bit of ``head``, of a checkpoint and of the feed.

None of them is truth. Whatever is wrong with them, nothing is lost and nothing is invented.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from journal.backends import headfile
from journal.backends.filesystem import FilesystemLog
from journal.checkpoint import decode_memory
from journal.events import run as run_events
from projections import questions, rows
from projections.inspect import check_index
from projections.sqlite import Index
from projections.verify import verify
from tests.bits.disk import FrozenStore
from tests.bits.story import Told
from tests.projections.helpers import Writer, created
from tests.projections.indexes import dump, fresh, visit
from tests.support.disks import UnsyncedFiles


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A damaged head is read again a few times: nobody writes it meanwhile here."""
    monkeypatch.setattr("journal.backends.headfile.time.sleep", lambda _: None)


def flips(content: bytearray) -> Iterator[tuple[int, int]]:
    """Each bit in turn, flipped while the caller looks."""
    for place, shift in itertools.product(range(len(content)), range(8)):
        content[place] ^= 1 << shift
        yield place, shift
        content[place] ^= 1 << shift


def test_every_flipped_bit_of_a_head_is_seen_and_costs_nothing(run: Told) -> None:
    """Case 21: the end is looked up in the log itself, and is the same; verify tells of it."""
    path = f"{run.folder}/head"
    head = bytearray(run.store.files.content[path])
    before = run.store.log.head(run.run_id)
    with run.holding(head, "head"):
        for number, (place, shift) in enumerate(flips(head)):
            assert headfile.decode_head(bytes(head)) is None, (place, shift)
            if number % 16 == 0:
                assert run.store.log.head(run.run_id).head == before.head
                assert run.store.log.torn_bytes(run.run_id) == 0
            if number % 128 == 0:
                found = verify(run.store.log, None, None, [run.run_id])
                assert [each.reason for each in found] == ["head_damaged"]
    assert len(head) == 256
    assert run.store.log.head(run.run_id) == before


def test_every_flipped_bit_of_a_checkpoint_is_seen(run: Told) -> None:
    """Case 78: one that is not intact is not believed, and the log is read from line 1."""
    found = run.store.log.get_checkpoint(run.run_id)
    assert found is not None
    whole, content = decode_memory(found), bytearray(found)
    assert whole is not None
    last = len(content) - 1  # a newline that nobody reads
    for place, _ in flips(content):
        memory = decode_memory(bytes(content))
        assert memory is None or place == last


def test_a_flipped_bit_of_the_feed_hides_no_run_from_verify(tmp_path: Path) -> None:
    """
    Case 63: every seventh bit of it, between two visits of one reader.

    A line that does not parse, or names a run that nobody knows, has all runs looked at. What may
    be left is a run too many, shown as ``unreadable``; then ``verify`` names it as well.
    """
    source = FilesystemLog.open(tmp_path / "store", files=UnsyncedFiles())
    start = source.changes(None).cursor
    writers = [Writer(source).write(created(project=f"p{number}")) for number in range(4)]
    for writer in writers:
        writer.write(run_events.RunStarted()).close()
    source.delete(writers[3].run_id)
    store = FrozenStore(tmp_path / "store")
    right = fresh(store.log)
    content = bytearray(store.files.content[f"{store.root}/feed"])
    store.files.content[f"{store.root}/feed"] = content
    too_many = 0
    for number, where in enumerate(flips(content)):
        if number % 7:
            continue
        index = Index(None)
        index.use(lambda db: rows.move_feed(db, start, 1))
        visit(index, store.log)
        shown = {each.run_id: each for each in index.use(questions.runs)}
        assert {each.run_id for each in writers[:3]} <= set(shown), where
        for each in writers[:3]:
            assert shown.pop(each.run_id).status == "running", where
        if shown:
            too_many += 1
            assert {each.status for each in shown.values()} == {"unreadable"}
            found = check_index(index, store.log, progress=lambda *_: None).findings
            assert set(shown) <= {each.run_id for each in found}, where
        else:
            assert dump(index) == right
        index.close()
    assert too_many > 0

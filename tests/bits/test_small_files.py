"""
The small files beside a log: every bit of ``head``, of a checkpoint and of the feed.

None of them is truth. Whatever is wrong with them, nothing is lost and nothing is invented.
"""

import itertools
from collections.abc import Iterator

import pytest

from journal.backends import headfile
from journal.checkpoint import decode_memory
from tests.bits.story import Told


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A damaged head is read again a few times: nobody writes it meanwhile here."""
    monkeypatch.setattr(headfile.time, "sleep", lambda _: None)


def flips(content: bytearray) -> Iterator[tuple[int, int]]:
    """Each bit in turn, flipped while the caller looks."""
    for place, shift in itertools.product(range(len(content)), range(8)):
        content[place] ^= 1 << shift
        yield place, shift
        content[place] ^= 1 << shift


def test_every_flipped_bit_of_a_head_is_seen_and_costs_nothing(run: Told) -> None:
    """Case 21: it is no head any more, so the end is looked up in the log itself: the same one."""
    path = f"{run.folder}/head"
    head = bytearray(run.store.files.content[path])
    before = run.store.log.head(run.run_id)
    with run.holding(head, "head"):
        for number, (place, shift) in enumerate(flips(head)):
            assert headfile.decode_head(bytes(head)) is None, (place, shift)
            if number % 16 == 0:
                assert run.store.log.head(run.run_id).head == before.head
                assert run.store.log.torn_bytes(run.run_id) == 0
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

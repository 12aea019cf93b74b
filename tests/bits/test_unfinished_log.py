"""
A run whose writer died behind a watermark, with one batch more on disk than was acknowledged.

Every bit of that batch, and of what was acknowledged before it.
"""

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from journal.backends import runfolder
from journal.backends.headfile import encode_head
from journal.log import Head
from journal.recovery import Tail
from tests.bits import logs
from tests.bits.story import Told
from tests.support.logs import code_of, of_another_boot

NOTHING = "nothing was raised"


@pytest.fixture
def ends(run: Told) -> tuple[int, int, int]:
    """A batch of several lines in the middle: first line, the one behind, and where it is cut."""
    first, behind = next(each for each in run.batches()[100:] if each[1] - each[0] >= 3)
    return first, behind, run.stands[behind].position


@pytest.fixture(params=["this boot", "another boot"])
def boot(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@contextmanager
def left_at(
    run: Told, head: Head, content: bytes | bytearray, boot: str, folder: Path
) -> Iterator[None]:
    """The run as its dead writer left it: ``head`` is acknowledged, ``content`` is on disk."""
    path = folder / "head"
    path.write_bytes(encode_head(head, 1, os.getpid(), "open"))
    if boot == "another boot":
        of_another_boot(path)
    with run.holding(path.read_bytes(), "head"), run.holding(content):
        yield


def examined(run: Told) -> Tail:
    """What recovery decides before it changes anything."""
    files = run.store.files
    fd = files.open_read(run.path)
    try:
        _, tail = runfolder.examine(files, run.run_id, run.folder, fd, strict=True)
    finally:
        files.close(fd)
    return tail


def batch_at(content: bytearray, place: int) -> bool:
    """Whether the byte stands in the two numbers that name a line's batch."""
    start = content.rfind(b',"batch":[', 0, place)
    return start >= 0 and place <= content.find(b"]", start)


def test_every_flipped_bit_behind_the_watermark_is_set_aside(
    run: Told, ends: tuple[int, int, int], boot: str, tmp_path: Path
) -> None:
    """
    Case 22: the whole batch is, and nothing of it is shown; what was acknowledged stays.

    A flip that makes a line look like one of a later batch, which no crash leaves, is refused.
    """
    first, _, size = ends
    acknowledged = run.stands[first]
    content, refused = bytearray(run.whole[:size]), 0
    with left_at(run, acknowledged, content, boot, tmp_path):
        for place, shift in itertools.product(range(acknowledged.position, size), range(8)):
            content[place] ^= 1 << shift
            refusal = code_of(examined, run)
            if refusal == NOTHING:
                assert examined(run) == Tail(acknowledged, size - acknowledged.position)
                assert run.store.log.head(run.run_id).head == acknowledged, (place, shift)
            else:
                refused += 1
                assert (refusal, batch_at(content, place)) == ("corrupt", True)
                # Whoever knows that nothing was lost since goes on showing what was acknowledged.
                shown = code_of(run.store.log.head, run.run_id)
                assert shown == (NOTHING if boot == "this boot" else "corrupt")
            content[place] ^= 1 << shift
        assert examined(run).torn_bytes == 0
    assert 0 < refused < 100


def test_a_batch_behind_the_watermark_cut_anywhere_is_set_aside(
    run: Told, ends: tuple[int, int, int], boot: str, tmp_path: Path
) -> None:
    """Cases 3 and 22: at every byte of it; nothing of half a batch is shown."""
    first, _, size = ends
    acknowledged = run.stands[first]
    for cut in range(acknowledged.position, size):
        with left_at(run, acknowledged, run.whole[:cut], boot, tmp_path):
            assert run.store.log.head(run.run_id).head == acknowledged
            assert examined(run) == Tail(acknowledged, cut - acknowledged.position)


def test_every_flipped_bit_of_the_last_acknowledged_batch_stops_the_writer(
    run: Told, ends: tuple[int, int, int], tmp_path: Path
) -> None:
    """Case 22: it would go on from there; recovery sets nothing aside of what was acknowledged."""
    first, behind, size = ends
    content = bytearray(run.whole[:size])
    with left_at(run, run.stands[behind], content, "this boot", tmp_path):
        for place, shift in itertools.product(range(run.stands[first].position, size), range(8)):
            content[place] ^= 1 << shift
            assert code_of(examined, run) == "corrupt", (place, shift)
            content[place] ^= 1 << shift


def test_a_flipped_bit_below_the_watermark_is_refused_by_readers(
    run: Told, ends: tuple[int, int, int], boot: str, tmp_path: Path
) -> None:
    """Case 22: in any acknowledged line, whether or not the run was closed; verify names it."""
    first, _, size = ends
    content = bytearray(run.whole[:size])
    named = partial(logs.line_named, run)
    with left_at(run, run.stands[first], content, boot, tmp_path):
        for number in range(first):
            place = run.starts[number] + number % 80
            content[place] ^= 1 << number % 8
            assert named(content) == ("corrupt", number + 1)
            content[place] ^= 1 << number % 8

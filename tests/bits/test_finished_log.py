"""A finished run of over 400 lines: whatever is done to its log is refused, the line named."""

import pytest

from tests.bits import logs
from tests.bits.story import LINES_MIN, Told

SLICES = 8


@pytest.mark.parametrize("slice_number", range(SLICES))
def test_every_flipped_bit_is_refused_and_its_line_named(run: Told, slice_number: int) -> None:
    """Cases 21 and 23: all bits of all lines, over a million; 2.7% of them once passed unseen."""
    found = logs.flipped_bits(run, range(slice_number, len(run.lines), SLICES))
    assert found.missed == []
    assert found.tried > 8 * 100 * LINES_MIN / SLICES


def test_verify_and_replay_name_the_line_of_a_flipped_bit(run: Told) -> None:
    """Case 21: the same through everything that people call, for one bit of each line."""
    found = logs.flipped_under_verify(run, 1, seed=21)
    assert found.missed == []
    assert found.tried >= LINES_MIN


def test_a_log_of_any_other_length_is_refused(run: Told) -> None:
    """Case 25: each length around a line's end, each of the last lines, and every 11th between."""
    size, ends = len(run.whole), [at.position for at in run.stands[:-1]]
    lengths = {*range(0, size, 11), *range(run.starts[-5], size)}
    lengths |= {end + near for end in ends for near in (-1, 0, 1) if 0 <= end + near < size}
    found = logs.cut_off(run, sorted(lengths))
    assert found.missed == []
    assert found.tried > 10_000


def test_verify_names_the_line_at_which_a_log_is_cut(run: Told) -> None:
    """Case 25: between two lines and inside one; what is gone begins there."""
    for number in range(0, len(run.lines), 40):
        for length in (run.starts[number], run.starts[number] + 100):
            assert logs.line_named(run, run.whole[:length]) == ("corrupt", number + 1)


def test_a_line_that_is_doubled_gone_or_swapped_is_refused(run: Told) -> None:
    """Case 24: each line, all neighbours, and 500 random pairs."""
    found = logs.moved(run, logs.moved_lines(run, 500, seed=24))
    assert found.missed == []
    assert found.tried > 3 * LINES_MIN


def test_what_belongs_to_another_run_is_refused(run: Told, other: Told) -> None:
    """Cases 26 and 80: each line, each batch, each rest, and the whole file."""
    found = logs.moved(run, logs.spliced_lines(run, other))
    assert found.missed == []
    assert found.tried > LINES_MIN


@pytest.mark.parametrize("size", [512, 4096])
def test_a_block_of_older_content_is_refused(run: Told, size: int) -> None:
    """Case 27: zeros, the block before, or the first one, however well formed they are."""
    found = logs.stale_blocks(run, size)
    assert found.missed == []
    assert found.tried > 2 * (len(run.whole) // size - 2)

"""What ``make torture`` says at its end, and how it ends."""

from itertools import islice

import msgspec
import pytest

from tests.crash import torture as simulated
from tests.torture.__main__ import tell
from tests.torture.tally import Tally


@pytest.mark.parametrize(
    ("tally", "code"),
    [
        (Tally(crash_states=2, mutants=1, mutants_caught=1), 0),
        (Tally(crash_states=2, violations=["a state: lost"]), 1),
        (Tally(crash_states=2, mutants=2, mutants_caught=1), 1),
        (Tally(crash_states=2, not_run=["a loop mount: no root"]), 0),
    ],
)
def test_a_violation_or_a_missed_bug_ends_it_with_1(
    tally: Tally, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last line is for programs; the sentences are for people, on stderr."""
    assert tell(tally) == code
    said = capsys.readouterr()
    counted = msgspec.json.decode(said.out)
    assert counted["violations"] == len(tally.violations)
    assert counted["not_run"] == tally.not_run
    assert [line for line in tally.violations if line not in said.err] == []


def test_a_seed_gives_the_same_work() -> None:
    """What was found once with a seed is found with it again."""
    first, second = (list(islice(simulated.units(7), 200)) for _ in range(2))
    assert first == second != list(islice(simulated.units(8), 200))

"""A sample of every drill of the real faults; all of them: ``python -m tests.real``."""

from pathlib import Path

import pytest

from tests.real import campaign
from tests.real.drills import DRILLS
from tests.torture.tally import Tally


def sample(name: str) -> Tally:
    """A drill in little; skipped, with its reason, where the machine does not allow it."""
    tally = campaign.drill(name, small=True)
    if tally.not_run and not tally.faults:
        pytest.skip("; ".join(tally.not_run))
    assert tally.violations == []
    assert tally.faults > 0
    return tally


@pytest.mark.parametrize("name", ["creating", "deleting", "journaling"])
def test_system_calls_of_a_runs_life_may_fail_or_kill(name: str) -> None:
    """Cases 1, 10, 12, 15, 16 and 17: the kernel's own answers, to a process that is traced."""
    sample(name)


def test_system_calls_may_fail_while_a_batch_is_cut_back() -> None:
    """Cases 13 and 14: the way back from a full disk is no safer than the way there."""
    sample("cutting-back")


@pytest.mark.parametrize("name", ["recovering", "repairing"])
def test_system_calls_of_a_recovery_may_fail_or_kill(name: str) -> None:
    """Cases 2, 3 and 82: the torn tail is kept whole before it is cut, whenever that stops."""
    sample(name)


def test_system_calls_of_publishing_may_fail_or_kill() -> None:
    """Cases 68, 71 and 73: an artifact that is told is there; one that is not is garbage."""
    sample("publishing")


@pytest.mark.parametrize("name", ["rebuilding", "catching-up", "making-index"])
def test_system_calls_of_the_index_may_fail_or_kill(name: str) -> None:
    """Cases 58, 63, 64 and 66: SQLite's own calls too; the next reader sees what the logs say."""
    sample(name)


def test_a_killed_writer_of_many_runs_loses_nothing() -> None:
    """Cases 1, 41 and 71: nor does the reader that followed it see anything taken back."""
    assert sample("killing").crash_states == 8


@pytest.mark.parametrize("name", ["losing-power", "losing-power-xfs"])
def test_a_disk_that_loses_its_power_keeps_what_was_acknowledged(name: str) -> None:
    """Cases 4 and 18: ext4 (xfs), shut down under its writers; the unsynced is really gone."""
    sample(name)


def test_a_full_disk_is_refused_and_gone_on_from() -> None:
    """Cases 13, 19, 64, 71 and 82: log, artifact, index, recovery and a new store on a tmpfs."""
    sample("filling")


def test_limits_of_a_process_are_refusals() -> None:
    """Cases 14, 15, 16 and 64: short writes of every length, no descriptor, no memory."""
    sample("bounding")


def test_places_that_refuse_are_told_and_left_alone() -> None:
    """Cases 12, 16, 65 and 81: read-only, immutable, somebody else's, made under odd umasks."""
    sample("refusing")


def test_every_drill_has_a_sample() -> None:
    """A drill that no ordinary run tries would rot."""
    text = Path(__file__).read_text(encoding="utf-8")
    assert [name for name in DRILLS if f'"{name}"' not in text] == []


def test_what_a_machine_does_not_allow_is_not_run_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence would look like success."""
    monkeypatch.setattr(campaign, "lacks", lambda need: f"no {need} here")
    tally = campaign.run(budget_s=1.0, names=("creating", "losing-power"))
    assert sorted(tally.not_run) == ["creating: no strace here", "losing-power: no loop here"]
    assert (tally.faults, tally.violations) == (0, [])

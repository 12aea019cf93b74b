"""The oracle of the real faults sees what is wrong: a campaign that cannot fail proves nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest

from journal.backends.filesystem import FilesystemLog
from journal.errors import StorageError
from journal.events.log import AnnotationAdded
from journal.log import Lease
from tests.real.killed import Told, check
from tests.real.looking import HIDDEN, CatchingUp
from tests.real.oracle import Violation, check_artifacts, check_writing
from tests.real.scenarios import RUN, Publishing, Recovering, Scenario, Story, logs
from tests.real.straced import Call, Life, calls
from tests.support.logs import Lines, crash
from tests.support.writers import OPENING

STORY = Story(OPENING, logs(3))


def lived(*told: str) -> Life:
    """A life that came to its end."""
    return Life(list(told), killed=False, refused="", escaped="", trace="")


def stored(store: Path, batches: list[list[bytes]]) -> FilesystemLog:
    """A run of these batches, closed."""
    log = FilesystemLog.open(store)
    lease: Lease = log.create(RUN, batches[0])
    for batch in batches[1:]:
        log.append(lease, batch)
    log.release(lease)
    return log


def test_a_line_that_was_acknowledged_and_is_gone_is_seen(tmp_path: Path) -> None:
    """The first half of the oracle."""
    stored(tmp_path, STORY.batches[:1])
    with pytest.raises(Violation, match="2 lines shown, 5 acknowledged"):
        check_writing(tmp_path, RUN, STORY.lines, 5)


def test_a_run_that_was_acknowledged_and_is_gone_is_seen(tmp_path: Path) -> None:
    """A run that nobody finds looks like a run that never was."""
    FilesystemLog.open(tmp_path)
    with pytest.raises(Violation, match="a run is gone"):
        check_writing(tmp_path, RUN, STORY.lines, 2)


def test_a_line_that_nobody_submitted_is_seen(tmp_path: Path) -> None:
    """The other half."""
    stored(tmp_path, [STORY.batches[0], Story(OPENING, logs(3, "other")).batches[1]])
    with pytest.raises(Violation, match="nobody submitted"):
        check_writing(tmp_path, RUN, STORY.lines, 2)


def test_a_tail_that_was_cut_and_not_kept_is_seen(tmp_path: Path) -> None:
    """What was never acknowledged is evidence all the same."""
    scenario = Recovering()
    scenario.prepare(tmp_path)
    events = Path(FilesystemLog.open(tmp_path).folder(RUN), "events.jsonl")
    events.write_bytes(events.read_bytes()[: -len(scenario.torn)])
    with pytest.raises(FileNotFoundError):
        scenario.check(tmp_path, lived())


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"x")])
def test_an_artifact_that_is_told_and_not_whole_is_seen(
    tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    """The event is a promise about bytes."""
    scenario: Scenario = Publishing()
    scenario.prepare(tmp_path)
    scenario.live(tmp_path, lambda _: None)
    log = FilesystemLog.open(tmp_path)
    records = check_writing(tmp_path, RUN, None, 6)
    assert check_artifacts(tmp_path, records) == 4
    damage(next(Path(log.folder(RUN), "artifacts").glob("e*")))
    with pytest.raises(StorageError):
        check_artifacts(tmp_path, records)


def test_a_wrong_answer_of_the_index_is_seen(tmp_path: Path) -> None:
    """An index may be behind, in memory, or refused; it may not be wrong."""
    scenario = CatchingUp()
    scenario.prepare(tmp_path)
    scenario.check(tmp_path, lived(HIDDEN))
    with pytest.raises(Violation, match="a wrong answer"):
        scenario.check(tmp_path, lived("answer []"))


def test_what_a_reader_was_shown_and_is_gone_is_seen(tmp_path: Path) -> None:
    """Also where nobody acknowledged it."""
    stored(tmp_path, STORY.batches)
    told = Told({RUN: 2}, [], {(RUN, 9): "0" * 64}, [], [])
    with pytest.raises(Violation, match="line 9 was shown and is gone"):
        check(tmp_path, told)


def test_a_gap_in_what_was_submitted_is_seen(tmp_path: Path) -> None:
    """A log may be whole along its chain and lack what was written in between."""
    lines = Lines(RUN)
    texts = [f"{RUN}-2 0.0", f"{RUN}-2 0.2"]
    notes = [AnnotationAdded(text=text) for text in texts]
    stored(tmp_path, [lines.of(OPENING), lines.of(notes)])
    with pytest.raises(Violation, match=r"0\.1 is missing before 0\.2"):
        check(tmp_path, Told({RUN: 4}, [], {}, [], []))


def test_calls_are_counted_as_strace_counts_them(tmp_path: Path) -> None:
    """By name and thread, all of them; those that touch the store are given."""
    trace = "\n".join(
        [
            'openat(AT_FDCWD</x>, "/lib/a.py", O_RDONLY) = 3</lib/a.py>',
            f'openat(AT_FDCWD</x>, "{tmp_path}/s/feed", O_RDONLY) = 4<{tmp_path}/s/feed>',
            f'7 write(4<{tmp_path}/s/feed>, ""..., 9) = 9',
            f'8 write(4<{tmp_path}/s/feed>, ""..., 9) = 9',
            "+++ exited with 0 +++",
        ]
    )
    assert calls(trace, tmp_path) == [Call("openat", 2), Call("write", 1)]


def test_the_crashed_leave_their_lock(tmp_path: Path) -> None:
    """What ``prepare`` does with ``crash`` is what a kill does: the next writer gets in."""
    log = FilesystemLog.open(tmp_path)
    crash(log.create(RUN, STORY.batches[0]))
    check_writing(tmp_path, RUN, STORY.lines, 2)

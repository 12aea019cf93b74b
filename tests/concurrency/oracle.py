"""
What must hold after whatever happened to a caller: acknowledged ⊆ recovered ⊆ submitted.

And nothing is held: every run can be had at once by somebody else, no thread of ours is left, no
file of the store is open.
"""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import anyio

from journal.events.artifact import ArtifactPersisted
from journal.events.log import AnnotationAdded
from journal.events.run import RunCancelled, RunCompleted
from journal.ids import RunId, parse_run_id
from journal.receipt import Appended
from tests.journal.helpers import journal_on, records
from tests.support.disks import UnsyncedFiles

ENDS = {RunCancelled, RunCompleted}


class Told:
    """What a caller submitted, and what it was told to be durable."""

    def __init__(self) -> None:
        self.submitted: set[str] = set()
        self.acknowledged: dict[str, tuple[RunId, int]] = {}
        self.entered: set[str] = set()
        self.before = set(threading.enumerate())

    def submit(self, *texts: str) -> None:
        """These will be written now."""
        self.submitted.update(texts)

    def acknowledge(self, run_id: str, place: Appended, *texts: str) -> None:
        """These were said to be durable."""
        assert place.last_seq - place.first_seq + 1 == len(texts)
        for seq, text in enumerate(texts, place.first_seq):
            self.acknowledged[text] = (parse_run_id(run_id), seq)


async def holds(store: Path, told: Told, *, pairs: tuple[str, str] | None = None) -> None:
    """Check all of it, on the store as it is now; ``pairs`` end the texts of one append."""
    await nothing_left(lambda: our_threads(told.before))
    await nothing_left(lambda: open_files(store))
    found: dict[str, tuple[RunId, int]] = {}
    async with journal_on(store, UnsyncedFiles()) as journal:
        for run_id in list(journal.log.runs()):
            assert not journal.log.head(run_id).live
            lines = records(journal, run_id)
            if run_id in told.entered:
                assert any(type(line.data) in ENDS for line in lines), "left without an end"
            for record in lines:
                if isinstance(record.data, AnnotationAdded):
                    assert record.data.text not in found, "written twice"
                    found[record.data.text] = (run_id, record.seq)
                if isinstance(record.data, ArtifactPersisted):
                    data = record.data
                    journal.artifacts.check(run_id, data.sha256, data.size_bytes)
            async with journal.resume(run_id) as run:
                assert run.state.status == "running"
    assert told.acknowledged.items() <= found.items()
    assert found.keys() <= told.submitted
    if pairs is not None:
        ones, others = ({t.removesuffix(p) for t in found if t.endswith(p)} for p in pairs)
        assert ones == others, "half an append"


async def nothing_left(look: Callable[[], list[str]]) -> None:
    """Wait, bounded, until ``look`` finds nothing; says what it still finds."""
    deadline = anyio.current_time() + 60
    while found := look():
        assert anyio.current_time() < deadline, found
        await anyio.sleep(0.002)


def our_threads(before: set[threading.Thread]) -> list[str]:
    """Threads of journals that were opened after ``before`` and are still there."""
    new = set(threading.enumerate()) - before
    return [thread.name for thread in new if thread.name.startswith("run-journal")]


def open_files(store: Path) -> list[str]:
    """Files of the store that this process holds open; none where the system does not tell."""
    folder = Path("/proc/self/fd")
    found = []
    for name in os.listdir(folder) if folder.is_dir() else []:
        try:
            place = os.readlink(folder / name)
        except OSError:
            continue
        if place.startswith(str(store)):
            found.append(place)
    return found

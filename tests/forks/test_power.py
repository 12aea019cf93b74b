"""Power lost while a fork is made: it is whole, with its past and artifacts, or it is not there."""

from collections.abc import Iterator

import pytest

from journal.artifacts.filesystem import FilesystemArtifacts
from journal.backends.filesystem import FilesystemLog
from journal.errors import StorageError
from journal.events import phase, run
from journal.fork import Store, fork
from journal.ids import RunId, new_run_id
from projections.replay import RunFolds
from projections.verify import verify
from tests.crash import world
from tests.crash.disk import Disk
from tests.crash.losses import Image, Loss, Unsynced
from tests.projections.helpers import Writer, created, stored

ROOT = "/store"
STATES_MAX = 1500


@pytest.fixture(autouse=True)
def simulated() -> Iterator[None]:
    """Clock, names and boot of the simulated world."""
    with world.simulated():
        world.begin(1, 1)
        yield


def store_on(disk: Disk) -> Store:
    log = FilesystemLog.open(ROOT, files=disk)
    return Store(log, FilesystemArtifacts(log.root, disk))


def settled(disk: Disk) -> Disk:
    """What is left after a power loss that takes all that was not synced."""
    after = Unsynced(disk.killed()).after(Loss(0, "o", 0))
    world.begin(after.boot, after.boot)
    return after


def parent_on(disk: Disk) -> RunId:
    """A run with a finished phase and its artifact."""
    store = store_on(disk)
    writer = Writer(store.log).write(created(), run.RunStarted())
    sink = store.artifacts.begin(writer.run_id)
    sink.write(b"words " * 300)
    made = sink.commit()
    told = stored("x", sha256=made.sha256, size_bytes=made.size_bytes)
    writer.write(("ingest", phase.PhaseStarted(revision=1, attempt=1)), ("ingest", told))
    writer.write(("ingest", phase.PhaseCompleted(revision=1, duration_s=1.0))).close()
    return writer.run_id


def left_by(disk: Disk, seen: set[Image]) -> Iterator[Disk]:
    """The disks that a power loss may leave, those alone that no earlier moment left."""
    unsynced = Unsynced(disk.killed())
    for loss in unsynced.losses(step=61):
        image = unsynced.image(loss)
        if image not in seen:
            seen.add(image)
            yield unsynced.after(loss)


def whole(disk: Disk, run_id: RunId) -> bool:
    """Whether the fork is there; if it is, all of it must be."""
    world.begin(disk.boot, disk.boot)
    store = store_on(disk)
    if run_id not in list(store.log.runs()):
        return False
    found = verify(store.log, store.artifacts, None, [run_id])
    assert {each.reason for each in found} <= {"head_damaged"}  # torn in the middle, and healed
    folds = RunFolds.fresh(run_id)
    folds.read(store.log, store.log.head(run_id).head)
    assert folds.run_state.phases["ingest"][""].status == "completed"
    assert list(folds.artifacts.came) == ["x"]
    return True


@pytest.mark.parametrize("generation", ["a fork", "a fork of a fork"])
def test_power_lost_at_any_moment_leaves_a_fork_whole_or_none(generation: str) -> None:
    """Cases 1, 4 and 9: after each operation, whatever subset of it reached the disk."""
    disk = Disk()
    parent = parent_on(disk)
    disk = settled(disk)
    if generation == "a fork of a fork":
        older = new_run_id()
        fork(store_on(disk), store_on(disk), parent, older)
        disk, parent = settled(disk), older
    moments: list[Disk] = []
    store, new_id = store_on(disk), new_run_id()
    disk.watch = lambda name, arguments: moments.append(disk.copy())
    fork(store, store, parent, new_id)
    disk.watch = None

    seen: set[Image] = set()
    for moment in moments:
        for left in left_by(moment, seen):
            whole(left, new_id)
            assert whole(left, parent)
            assert len(seen) < STATES_MAX, "more states than an ordinary test may take"
    acknowledged = list(left_by(disk, set()))
    assert acknowledged
    assert all(whole(left, new_id) for left in acknowledged)


class Careless(Disk):
    """A disk whose user leaves out a sync of ``part``, a folder of the fork or a file in there."""

    part = ""
    skipped: frozenset[int] = frozenset()

    def create(self, path: str) -> int:
        """Remember what is not to be synced."""
        fd = super().create(path)
        if self.part.endswith("/") and self.part in path:
            self.skipped = self.skipped | {fd}
        return fd

    def fdatasync(self, fd: int) -> None:
        """Sync a file, unless it is that one."""
        if fd in self.skipped:
            self.skipped = self.skipped - {fd}
        else:
            super().fdatasync(fd)

    def fsync_dir(self, path: str) -> None:
        """Sync a folder, unless it is that one."""
        if not path.endswith(self.part or "?"):
            super().fsync_dir(path)


@pytest.mark.parametrize("part", ["/ancestors", "/artifacts", "/ancestors/"])
def test_a_sync_that_is_left_out_is_caught(part: str) -> None:
    """The test of the test: without any one of them there is a state in which the fork is half."""
    disk = Disk()
    parent = parent_on(disk)
    careless = Careless()
    careless.__dict__.update(settled(disk).__dict__)
    careless.part = part
    store, new_id = store_on(careless), new_run_id()
    fork(store, store, parent, new_id)
    halves = 0
    for left in left_by(careless, set()):
        try:
            halves += not whole(left, new_id)
        except (AssertionError, StorageError):
            halves += 1
    assert halves

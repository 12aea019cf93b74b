"""The simulated disk itself: it does what a real one does, and loses what a real one may lose."""

import errno
import random
from pathlib import Path

import pytest

from journal.files import Files
from tests.crash.disk import Disk
from tests.crash.losses import Loss, Unsynced
from tests.crash.medium import CHUNK, Fail

LOOPS = {"write_all", "pwrite_all"}
"""What ``Files`` makes out of its other operations."""


KINDS = """
    create open_append open_rewrite open_read write write pwrite pread truncate fdatasync close
    status is_folder is_folder rename link unlink mkdir listdir lock unlock is_locked
""".split()


def after(disk: Disk, name: str) -> dict[str, bytes | None]:
    """All that is on the disk after the power loss of that name."""
    return dict(Unsynced(disk).image(Loss.parse(name)))


def test_the_disk_has_every_operation_that_files_has() -> None:
    """An operation that is new in ``Files`` must not reach the real system from in here."""
    operations = {name for name in vars(Files) if not name.startswith("_")} - LOOPS
    assert operations - set(vars(Disk)) == set()


def outcome(call: object, *arguments: object) -> object:
    assert callable(call)
    try:
        return call(*arguments)
    except OSError as failure:
        return errno.errorcode[failure.errno or 0]


class Pair:
    """The same operations on a real folder and on a simulated one; both must tell the same."""

    def __init__(self, folder: Path) -> None:
        self.roots = {"real": str(folder), "simulated": "/root"}
        self.files: dict[str, Files] = {"real": Files(), "simulated": Disk()}
        self.files["simulated"].mkdir("/root")
        self.opened: list[dict[str, int]] = []

    def both(self, name: str, *arguments: object) -> object:
        found = {}
        for side, files in self.files.items():
            own = [
                self.roots[side] + each
                if isinstance(each, str)
                else each[side]
                if isinstance(each, dict)
                else each
                for each in arguments
            ]
            found[side] = outcome(getattr(files, name), *own)
        if name == "create" or name.startswith("open_"):
            if isinstance(found["real"], int) and isinstance(found["simulated"], int):
                self.opened.append({side: int(str(fd)) for side, fd in found.items()})
                return None
        elif name in {"status", "status_of"}:
            found = {side: getattr(each, "size", each) for side, each in found.items()}
        assert found["real"] == found["simulated"], (name, arguments)
        return found["real"]


def test_the_disk_agrees_with_the_system(tmp_path: Path) -> None:
    """Ten thousand random operations on both: the same bytes, the same sizes, the same errors."""
    chance = random.Random(1)
    pair = Pair(tmp_path)
    names = ["/a", "/b", "/d", "/d/a", "/d/e", "/d/e/a", "/f/a"]
    for _ in range(10_000):
        kind = chance.choice(KINDS)
        path = chance.choice(names)
        fd = chance.choice(pair.opened) if pair.opened else None
        if kind in {"write", "pwrite", "pread", "truncate", "fdatasync", "close", "status"}:
            step_on_open_file(pair, kind, fd, chance)
        elif kind in {"rename", "link"}:
            if kind == "rename" or not pair.both("is_folder", path):
                pair.both(kind, path, chance.choice(names))
        elif kind in {"lock", "unlock"}:
            if fd is not None:
                pair.both(kind, fd)
        elif kind == "unlink" and pair.both("is_folder", path):
            pair.both("remove_tree", path)
        elif kind.startswith("open_") and pair.both("is_folder", path):
            continue  # refused by both, with another number
        else:
            pair.both(kind, path)
    for each in pair.opened:
        pair.both("close", each)


def disk_of(pair: Pair) -> Disk:
    disk = pair.files["simulated"]
    assert isinstance(disk, Disk)
    return disk


def step_on_open_file(
    pair: Pair, kind: str, fd: dict[str, int] | None, chance: random.Random
) -> None:
    if fd is None:
        return
    data = chance.randbytes(chance.choice([0, 1, 30, 600]))
    place = chance.randrange(1200)
    if kind == "close":
        pair.opened.remove(fd)
        pair.both(kind, fd)
    elif kind == "write":
        if disk_of(pair).opened[fd["simulated"]][1] != "rewrite":
            pair.both(kind, fd, data)
    elif kind == "pwrite":
        pair.both(kind, fd, data, place)
    elif kind == "pread":
        pair.both(kind, fd, chance.randrange(700), place)
    elif kind == "truncate":
        pair.both(kind, fd, place)
    else:
        pair.both(kind, fd)


def test_a_sync_of_a_file_does_not_keep_its_name() -> None:
    """The one missing folder sync that so many programs have."""
    disk = Disk()
    fd = disk.create("/a")
    disk.write(fd, b"one")
    disk.fdatasync(fd)
    assert after(disk, "0o0") == {}
    assert after(disk, "0o1") == {"/a": b"one"}
    disk.fsync_dir("/")
    assert after(disk, "0o0") == {"/a": b"one"}


def test_names_are_lost_from_the_end_or_one_by_one() -> None:
    """A journaling file system loses the last changes; the others promise nothing."""
    disk = Disk()
    for name in ("a", "b", "c"):
        disk.create(f"/{name}")
    assert set(after(disk, "0z2")) == {"/a", "/b"}
    assert set(after(disk, "0z-2")) == {"/a", "/c"}


def test_unsynced_chunks_become_zeros_garbage_or_what_they_were() -> None:
    """Case 4: any subset of unsynced sectors, with or without the new size (case 7)."""
    disk = Disk()
    fd = disk.create("/a")
    disk.write(fd, b"o" * 600)
    disk.fdatasync(fd)
    disk.fsync_dir("/")
    disk.write(fd, b"n" * 600)
    old, lost = b"o" * 600, CHUNK * 2 - 600
    assert after(disk, "0o0") == {"/a": old}
    assert after(disk, "0z0") == {"/a": old + bytes(600)}
    assert after(disk, "2z0") == {"/a": old + bytes(lost) + b"n" * (600 - lost)}
    assert after(disk, "1o0") == {"/a": old + b"n" * lost}
    assert after(disk, "1o0t0.100") == {"/a": old + b"n" * 12}
    garbage = after(disk, "0g0")["/a"]
    assert garbage is not None
    assert garbage[:600] == old
    assert len(garbage) == 1200
    assert garbage[600:] != bytes(600)


def test_a_failed_sync_is_followed_by_one_that_lies() -> None:
    """Case 10: the next sync succeeds, and the disk still has the old bytes."""
    disk = Disk()
    fd = disk.create("/a")
    disk.fsync_dir("/")
    disk.write(fd, b"lost")

    def fail(name: str, _: tuple[object, ...]) -> int | None:
        if name == "fdatasync":
            raise Fail(errno.EIO)
        return None

    disk.watch = fail
    with pytest.raises(OSError, match="Input/output"):
        disk.fdatasync(fd)
    disk.watch = None
    disk.fdatasync(fd)
    assert disk.pread(disk.open_read("/a"), 10, 0) == b"lost"
    assert after(disk, "0o0") == {"/a": bytes(4)}
    assert disk.evicted().seen()[disk._find("/a")] == bytes(4)
    other = disk.open_rewrite("/a")
    disk.pwrite(other, b"lost", 0)
    disk.fdatasync(other)
    assert after(disk, "0o0") == {"/a": b"lost"}


def test_an_append_descriptor_appends_wherever_it_is_told_to_write() -> None:
    """What Linux does, and what keeps a writer that slept from writing over others' lines."""
    disk = Disk()
    fd = disk.create("/a")
    disk.write(fd, b"one")
    disk.pwrite(fd, b"two", 0)
    assert disk.pread(disk.open_read("/a"), 10, 0) == b"onetwo"


def test_a_kill_takes_the_locks_and_leaves_the_cache() -> None:
    """Case 41: the lock of a dead process is free; what it wrote is there."""
    disk = Disk()
    fd = disk.create("/a")
    assert disk.lock(fd)
    disk.write(fd, b"one")
    assert disk.is_locked("/a")
    assert not disk.lock(disk.open_rewrite("/a"))
    left = disk.killed()
    assert not left.is_locked("/a")
    assert left.pread(left.open_read("/a"), 10, 0) == b"one"


def test_every_loss_has_a_name_of_its_own_that_leads_back_to_it() -> None:
    """States are counted by their names, and made again from them."""
    disk = Disk()
    fd = disk.create("/a")
    disk.write(fd, b"x" * 1300)
    other = disk.create("/b")
    disk.write(other, b"y")
    losses = list(Unsynced(disk).losses(1))
    assert len({str(loss) for loss in losses}) == len(losses) > 500
    assert [Loss.parse(str(loss)) for loss in losses] == losses

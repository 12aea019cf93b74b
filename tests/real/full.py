"""
A disk that is full: a small tmpfs, filled to the last page, then given room again.

Nothing acknowledged is lost, the writer goes on, and reading works meanwhile.
"""

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path

import anyio

from journal.artifacts.filesystem import FilesystemArtifacts
from journal.backends.filesystem import FilesystemLog
from journal.errors import StorageError
from journal.ids import RunId, new_run_id
from journal.log import Lease
from projections.store import Projections
from tests.real.machine import mounted
from tests.real.oracle import check_writing, must
from tests.real.scenarios import RUN, Recovering, Story, logs
from tests.real.terms import Terms
from tests.support.logs import Lines
from tests.support.writers import OPENING
from tests.torture.tally import Tally

_PAGE = 4096


class FullDisk:
    """A tmpfs that is filled by a ballast; ``free`` takes some of it away."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._ballast = place / "ballast"

    def fill(self) -> None:
        """Down to the last page; what files have of their own last pages stays theirs."""
        with self._ballast.open("ab", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(b"b" * _PAGE)
            except OSError:
                return

    def free(self, pages: int | None = None) -> None:
        """Give room for so many pages, or all there is."""
        size = self._ballast.stat().st_size
        keep = 0 if pages is None else max(0, size - pages * _PAGE)
        with self._ballast.open("r+b") as ballast:
            ballast.truncate(keep)


def fill_rounds(terms: Terms) -> Tally:
    """Every way of meeting a full disk, on disks of several sizes."""
    tally = Tally()
    for kib in (256,) if terms.small else (256, 384, 512, 1024):
        for meet in (_log, _artifacts, _new, _readers, _recovery):
            what = f"{meet.__name__.strip('_')} on {kib} KiB"
            try:
                tally.faults += _on_disk(kib, meet)
            except Exception as failure:  # noqa: BLE001 - whatever it is, the promise is broken
                tally.violations.append(terms.violation(what, failure))
    return tally


def _on_disk(kib: int, meet: Callable[[FullDisk], int]) -> int:
    with tempfile.TemporaryDirectory(prefix="real-") as folder:
        place = Path(folder, "disk")
        with mounted(place, "-t", "tmpfs", "-o", f"size={kib}k", "none"):
            return meet(FullDisk(place))


def refused(work: Callable[[], object], reason: str | None = None) -> bool:
    """Whether ``work`` was refused as it must be on a full disk; ``reason`` is the finer cause."""
    try:
        work()
    except StorageError as failure:
        must(failure.code.value == "no_space", f"refused with {failure}")
        must(reason in (None, failure.info.details.reason), f"refused with {failure!r}")
        return True
    return False


def _log(disk: FullDisk) -> int:
    """Cases 13 and 15: batches of many sizes until none fits; room; the same batch again."""
    log, lines, submitted, met = FilesystemLog.open(disk.place / "s"), Lines(RUN), [], 0
    first = lines.of(OPENING)
    lease = log.create(RUN, first)
    submitted += first
    for turn in range(12):
        disk.fill()
        while True:
            batch = lines.batch(1 + turn % 3, text="x" * (turn * 761 % 5000))
            before = lease.head
            submitted += batch
            if not refused(lambda batch=batch: log.append(lease, batch), "cut_back"):  # type: ignore[misc]
                continue
            met += 1
            must(lease.head == before, "a refused batch moved the head")
            size = Path(log.folder(RUN), "events.jsonl").stat().st_size
            must(size == before.position, f"{size - before.position} bytes were not cut back")
            disk.free(3)
            log.append(lease, batch)
            break
    disk.free()
    log.release(lease)
    check_writing(disk.place / "s", RUN, submitted, len(submitted))
    return met


def _artifacts(disk: FullDisk) -> int:
    """Cases 13 and 71: what does not fit leaves nothing behind; the log goes on all the same."""
    log, lines, met = FilesystemLog.open(disk.place / "s"), Lines(RUN), 0
    submitted = lines.of(OPENING)
    lease = log.create(RUN, submitted)
    artifacts = FilesystemArtifacts(log.root)
    stored: list[tuple[str, int]] = []
    for size in (1, 4096, 9000, 200_000, 2_000_000):
        disk.fill()

        def store(size: int = size) -> None:
            sink = artifacts.begin(RUN)
            sink.write(b"%d" % size * size)
            done = sink.commit()
            stored.append((done.sha256, done.size_bytes))

        before = sorted(path.name for path in _folder(artifacts).iterdir())
        while not refused(store):
            before = sorted(path.name for path in _folder(artifacts).iterdir())
        met += 1
        left = sorted(path.name for path in _folder(artifacts).iterdir())
        must(left == before, f"left behind: {set(left) - set(before)}")
        disk.free(4)
        batch = lines.batch()
        log.append(lease, batch)
        submitted += batch
    disk.free()
    log.release(lease)
    for sha256, size in stored:
        artifacts.check(RUN, sha256, size)
    check_writing(disk.place / "s", RUN, submitted, len(submitted))
    return met


def _folder(artifacts: FilesystemArtifacts) -> Path:
    return Path(artifacts.location(RUN, hashlib.sha256(b"").hexdigest())).parent


def _new(disk: FullDisk) -> int:
    """Case 13: a store, a run: made whole, or refused and tried again with room."""
    met, log, run_id = 0, None, new_run_id()
    disk.fill()
    for pages in range(40):
        try:
            log = FilesystemLog.open(disk.place / "s")
            log.release(log.create(RunId(run_id), Story(OPENING, run_id=RunId(run_id)).lines))
            break
        except StorageError as failure:
            must(failure.code.value == "no_space", f"refused with {failure}")
            met += 1
            there = list(log.runs()) if log else []
            must(len(there) <= 1, "half a run is there")
            if there:  # its name came before the disk was full: it is whole, and told to nobody
                break
        disk.free(pages % 3)
        disk.free(1)
    disk.free()
    must(met, "the disk was never full")
    check_writing(disk.place / "s", RunId(run_id), Story(OPENING, run_id=RunId(run_id)).lines, 0)
    return met


def _readers(disk: FullDisk) -> int:
    """Cases 19 and 64: nothing can be written, and everything can be read."""
    store = disk.place / "s"
    log, lines = FilesystemLog.open(store), Lines(RUN)
    lease = log.create(RUN, lines.of(OPENING))
    log.append(lease, lines.batch(50, text="y" * 300))
    disk.fill()
    anyio.run(_read, store, 52)
    met = 1 + _append_if_it_fits(log, lease, lines)
    log.release(lease)
    anyio.run(_read, store, lines.seq)
    met += 1
    disk.free()
    anyio.run(_read, store, lines.seq)
    check_writing(store, RUN, None, lines.seq)
    return met


def _append_if_it_fits(log: FilesystemLog, lease: Lease, lines: Lines) -> int:
    seq, link = lines.seq, lines.link
    batch = lines.batch(20, text="z" * 900)
    if refused(lambda: log.append(lease, batch), "cut_back"):
        lines.seq, lines.link = seq, link
        return 1
    return 0


async def _read(store: Path, last_seq: int) -> None:
    async with Projections.open(store) as runs:
        found = [(run.run_id, run.seq) for run in await runs.list()]
        must(found == [(RUN, last_seq)], f"listed {found}")
        must((await runs.state(RUN)).seq == last_seq, "another state")
        seen = [record.seq async for record in runs.records(RUN)]
        must(seen == list(range(1, last_seq + 1)), "other records")
        must(await runs.verify() == [], "verify finds something")


def _recovery(disk: FullDisk) -> int:
    """Case 82: where the tail cannot be kept aside, nothing is cut; with room, it is."""
    torn = Recovering()
    store = disk.place / "s"
    torn.prepare(store)
    log = FilesystemLog.open(store)
    events = Path(log.folder(RUN), "events.jsonl")
    whole, met = events.read_bytes(), 0
    disk.fill()
    while refused(lambda: log.release(log.acquire(RUN))):
        met += 1
        kept = Path(log.folder(RUN), torn.kept_as)
        safe = events.read_bytes() == whole or kept.read_bytes() == torn.torn
        must(safe, "cut, and not kept aside")
        must(log.head(RUN).head.seq == 4, "the acknowledged end moved")
        must(met < 50, "room does not help")
        disk.free(1)
    must(met, "the disk was not full")
    disk.free()
    check_writing(store, RUN, Story(OPENING, logs(2)).lines, 4)
    return met

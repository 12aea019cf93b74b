"""
Limits of a process: files that may not grow, descriptors and memory that run out.

``RLIMIT_FSIZE`` gives what no injection gives: a real write that is short by any number of bytes,
and then ``EFBIG``. Each limit is tried against whole lives, at every value that makes a difference.
"""

import os
import resource
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from journal.artifacts.filesystem import FilesystemArtifacts
from journal.backends.filesystem import FilesystemLog
from journal.errors import StorageError
from tests.real.looking import CatchingUp, MakingIndex, Rebuilding, be_impatient
from tests.real.oracle import check_writing, must
from tests.real.scenarios import (
    RUN,
    Creating,
    Deleting,
    Publishing,
    Recovering,
    Scenario,
    Story,
)
from tests.real.straced import Life
from tests.real.terms import Terms
from tests.support.logs import Lines
from tests.support.writers import OPENING
from tests.torture.tally import Tally

_WRITING: Sequence[Callable[[], Scenario]] = (Creating, Publishing, Recovering, Deleting)
_LOOKING: Sequence[Callable[[], Scenario]] = (Rebuilding, CatchingUp, MakingIndex)


def bound_rounds(terms: Terms) -> Tally:
    """Every limit at every value, or a few of each."""
    tally = Tally()
    every = 40 if terms.small else 1
    with tempfile.TemporaryDirectory(prefix="real-") as folder:
        for work in (_short_appends, _short_files, _few_descriptors, _little_memory):
            try:
                tally.faults += work(Path(folder, work.__name__), every)
            except Exception as failure:  # noqa: BLE001 - whatever it is, the promise is broken
                tally.violations.append(terms.violation(work.__name__.strip("_"), failure))
    return tally


@contextmanager
def limited(what: int, most: int) -> Iterator[None]:
    """Have the soft limit at ``most`` within the block."""
    soft, hard = resource.getrlimit(what)
    resource.setrlimit(what, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(what, (soft, hard))


def _short_appends(folder: Path, every: int) -> int:
    """Cases 14 and 15: the write of one batch stops after each of its bytes, in one writer."""
    log, lines, met = FilesystemLog.open(folder), Lines(RUN), 0
    submitted = lines.of(OPENING)
    lease = log.create(RUN, submitted)
    batch = lines.batch(3, text="x" * 100)
    events = Path(log.folder(RUN), "events.jsonl")
    whole = events.read_bytes()
    for taken in range(0, sum(map(len, batch)), every):
        with limited(resource.RLIMIT_FSIZE, lease.head.position + taken):
            code = _code(lambda: log.append(lease, batch))
        must(code == "no_space cut_back", f"{taken} bytes taken: {code}")
        must(events.read_bytes() == whole, f"{taken} bytes taken: not cut back")
        met += 1
    log.append(lease, batch)
    log.release(lease)
    check_writing(folder, RUN, [*submitted, *batch], 5)
    return met


def _short_files(folder: Path, every: int) -> int:
    """Cases 14, 64 and 82: no file grows past a limit, in a whole life."""
    met = 0
    for make in _WRITING:
        for most in range(0, 5600, 16 * every):
            met += _live(folder, make(), resource.RLIMIT_FSIZE, most, {"no_space"})
    be_impatient()
    for make in _LOOKING:
        for most in range(0, 66_000, 4096 * every):
            # SQLite does not say why a write failed.
            met += _live(folder, make(), resource.RLIMIT_FSIZE, most, {"no_space", "io_error"})
    return met


def _few_descriptors(folder: Path, every: int) -> int:
    """Case 16: the first, the second, … file that is opened is one too many."""
    met = 0
    for make in (*_WRITING, *_LOOKING):
        for spare in range(0, 12, 1 if every == 1 else 5):
            lowest = os.dup(0)
            os.close(lowest)
            codes = {"unavailable", "permission_denied", "io_error"}
            before = len(os.listdir("/proc/self/fd"))
            met += _live(folder, make(), resource.RLIMIT_NOFILE, lowest + spare, codes)
            left = len(os.listdir("/proc/self/fd"))
            must(left == before, f"{make.__name__} with {spare}: {left - before} descriptors leak")
    return met


def _live(folder: Path, scenario: Scenario, what: int, most: int, codes: set[str]) -> int:
    """A whole life under a limit, held against the oracle; whether the limit was met."""
    room = folder / "room"
    room.mkdir(parents=True)
    store, told = room / "store", list[str]()
    scenario.prepare(store)
    with limited(what, most):
        code = _code(lambda: scenario.live(store, told.append))
    where = f"{type(scenario).__name__} at {most}"
    must(code.split()[0] in {"fine", *codes}, f"{where}: {code}")
    refused = "" if code == "fine" else code
    scenario.check(store, Life(told, killed=False, refused=refused, escaped="", trace=""))
    shutil.rmtree(room)
    return 1 if refused else 0


def _little_memory(folder: Path, every: int) -> int:
    """Case 16: memory runs out at some point between a batch of 7 MB and an artifact of 48 MB."""
    log, lines, met = FilesystemLog.open(folder), Lines(RUN), 0
    story = Story(OPENING)
    lease = log.create(RUN, story.lines)
    lines.of(OPENING)
    batch = lines.batch(7, text="m" * 1_000_000)
    artifacts = FilesystemArtifacts(log.root)
    sink = artifacts.begin(RUN)
    for _ in range(48):
        sink.write(b"a" * 1_000_000)
    stored = sink.commit()
    acknowledged = 2
    for spare_mb in range(0, 60, 2 if every == 1 else 15):
        with limited(resource.RLIMIT_AS, memory_bytes() + spare_mb * 1_000_000):
            code = _code(partial(log.append, lease, batch)) if acknowledged == 2 else ""
            read = _code(lambda: artifacts.read_all(RUN, stored.sha256, stored.size_bytes))
        must(code in {"fine", "", "unavailable"} or "closed" in code, f"append: {code}")
        must(read in {"fine", "unavailable"}, f"read: {read}")
        met += (code == "unavailable") + (read == "unavailable")
        if code == "fine":
            acknowledged = 9
        elif code:
            log.release(lease)
            lease = log.acquire(RUN)
    with suppress(StorageError):
        log.release(lease)
    must(met, "memory never ran out")
    artifacts.check(RUN, stored.sha256, stored.size_bytes)
    check_writing(folder, RUN, [*story.lines, *batch], acknowledged)
    return met


def memory_bytes() -> int:
    """What this process has of address space, as ``RLIMIT_AS`` counts it."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def _code(work: Callable[[], object]) -> str:
    """Code and reason of the ``StorageError`` that ``work`` raises; ``fine`` without one."""
    try:
        work()
    except StorageError as failure:
        return f"{failure.code.value} {failure.info.details.reason or ''}".strip()
    return "fine"

"""What real faults found: each reproduction stays, without strace and in an instant."""

import errno
import os
import subprocess
import sys
from pathlib import Path

from journal.artifacts.filesystem import FilesystemArtifacts
from journal.backends.filesystem import FilesystemLog
from journal.files import Files
from journal.ids import RunId
from projections import questions
from projections.catchup import catch_up
from projections.inspect import check_store
from projections.sqlite import Index
from tests.real.looking import RUNS, CatchingUp, Rebuilding
from tests.real.scenarios import RUN
from tests.rules.sources import ROOT
from tests.support.logs import Lines, read
from tests.support.writers import OPENING

REBUILD = """
import resource, sys
from journal.backends.filesystem import FilesystemLog
from journal.errors import StorageError
from projections.rebuild import rebuild
from projections.sqlite import Index

log = FilesystemLog.open(sys.argv[1], create=False)
index = Index(f"{log.root}/index.sqlite")
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    rebuild(index, log)
except StorageError as failure:
    print(failure.code.value)
"""


def test_a_rebuild_that_cannot_write_says_so(tmp_path: Path) -> None:
    """Cases 14 and 66: the file beside the index met a limit, and SQLite's own error came out."""
    Rebuilding().prepare(tmp_path / "store")
    before = (tmp_path / "store" / "index.sqlite").read_bytes()
    for most in (0, 5_000, 20_000):
        command = [sys.executable, "-c", REBUILD, str(tmp_path / "store"), str(most)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert (done.stdout.strip(), done.stderr) in [("io_error", ""), ("no_space", "")]
        assert (tmp_path / "store" / "index.sqlite").read_bytes() == before


class OneBadRead(Files):
    """Reading the log of ``run_id`` fails while that is set."""

    run_id: str | None = None

    def open_read(self, path: str) -> int:
        if self.run_id is not None and path.endswith(f"{self.run_id}/events.jsonl"):
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)
        return super().open_read(path)


def test_what_could_not_be_read_for_a_moment_is_no_lie_in_the_index(tmp_path: Path) -> None:
    """Cases 12 and 63: verify called the index corrupt after a read that failed once."""
    CatchingUp().prepare(tmp_path / "store")
    files = OneBadRead()
    log = FilesystemLog.open(tmp_path / "store", create=False, files=files)
    index = Index(str(tmp_path / "store" / "index.sqlite"))
    files.run_id = RUN
    index.use(lambda db: catch_up(db, log))
    assert index.use(lambda db: questions.runs(db, status="unreadable"))
    files.run_id = None
    assert check_store(log, FilesystemArtifacts(log.root), index, None, lambda *_: None) == []
    index.use(lambda db: catch_up(db, log))
    assert not index.use(lambda db: questions.runs(db, status="unreadable"))
    index.close()


MAKE = """
import resource, sys
from projections import schema
from projections.sqlite import Index

made = schema.make

def make(db, path):
    made(db, path)
    if path != ":memory:":
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))

schema.make = make
index = Index(sys.argv[1])
print(index.use(lambda db: db.execute("SELECT count(*) FROM runs").fetchone()[0]))
print(index.in_memory_because.code.value)
"""


def test_an_index_that_did_not_get_whole_gets_no_name(tmp_path: Path) -> None:
    """Cases 59 and 64: its last pages met a full disk, and it was left behind malformed."""
    path = tmp_path / "index.sqlite"
    command = [sys.executable, "-c", MAKE, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.stdout.split() in (["0", "io_error"], ["0", "no_space"]), done.stderr
    assert not path.exists()


class SweptAtBirth(Files):
    """Whoever makes a run is overtaken, right before he holds its lock, by who makes another."""

    other: RunId | None = None

    def lock(self, fd: int) -> bool:
        if self.other is not None:
            run_id, self.other = self.other, None
            log = FilesystemLog.open(self.root)
            log.release(log.create(run_id, Lines(run_id).of(OPENING)))
        return super().lock(fd)

    def __init__(self, root: Path) -> None:
        self.root = root


def test_runs_that_begin_together_do_not_sweep_each_other(tmp_path: Path) -> None:
    """Case 1: the day's first writer took a folder that was being made for a dead one's."""
    FilesystemLog.open(tmp_path)
    files = SweptAtBirth(tmp_path)
    log = FilesystemLog.open(tmp_path, files=files)
    files.other = RUNS[1]
    log.release(log.create(RUN, Lines(RUN).of(OPENING)))
    assert sorted(log.runs()) == sorted(RUNS[:2])
    assert [len(read(log, run_id)) for run_id in log.runs()] == [2, 2]
    assert [path.name for path in Path(log.folder(RUN)).parent.glob(".*")] == []


READ = """
import resource, sys
from journal.artifacts.filesystem import FilesystemArtifacts
from journal.backends.filesystem import FilesystemLog
from journal.errors import StorageError
from tests.real.bounds import limited, memory_bytes
from tests.support.logs import Lines

lines = Lines()
log = FilesystemLog.open(sys.argv[1])
log.release(log.create(lines.run_id, lines.batch()))
artifacts = FilesystemArtifacts(log.root)
sink = artifacts.begin(lines.run_id)
for _ in range(64):
    sink.write(b"a" * 1_000_000)
stored = sink.commit()
for spare_mb in (8, 40, 80):
    with limited(resource.RLIMIT_AS, memory_bytes() + spare_mb * 1_000_000):
        try:
            artifacts.read_all(lines.run_id, stored.sha256, stored.size_bytes)
        except StorageError as failure:
            print(failure.code.value)
"""


def test_an_artifact_that_does_not_fit_into_memory_is_refused(tmp_path: Path) -> None:
    """Case 16: its pieces fitted, and joining them raised a bare MemoryError."""
    command = [sys.executable, "-c", READ, str(tmp_path / "store")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert (set(done.stdout.split()), done.stderr) == ({"unavailable"}, "")

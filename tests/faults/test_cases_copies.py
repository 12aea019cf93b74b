"""A folder that is copied while somebody writes it: every file from another moment."""

import shutil
import threading
from pathlib import Path

from journal.backends.filesystem import FilesystemLog
from journal.errors import StorageError
from tests.support.disks import UnsyncedFiles
from tests.support.logs import StoredRun, read

COPIES = 60
FILES = ("events.jsonl", "head", "lock")


class Busy:
    """A writer on a thread, batch after batch, until it is told to stop."""

    def __init__(self, run: StoredRun) -> None:
        self.run = run
        self.submitted: list[bytes] = []
        self.acknowledged = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> "Busy":
        self._add(self.run.lines.batch(2))
        self._thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._stop.set()
        self._thread.join()

    def _write(self) -> None:
        while not self._stop.wait(0.0002):
            self._add(self.run.lines.batch(1 + self.acknowledged % 5, text="x" * 300))

    def _add(self, batch: list[bytes]) -> None:
        self.submitted += batch
        if self.run.lease is None:
            self.run.lease = self.run.log.create(self.run.run_id, batch)
        else:
            self.run.log.append(self.run.lease, batch)
        self.acknowledged = len(self.submitted)


def test_a_copy_of_a_run_that_is_written_is_whole_or_refused(tmp_path: Path) -> None:
    """Case 79: in any order of files, at any moment; all that was told before is there, or none."""
    run = StoredRun(tmp_path / "store", UnsyncedFiles())
    refused: set[tuple[str, str]] = set()
    with Busy(run) as busy:
        for number in range(COPIES):
            log = FilesystemLog.open(tmp_path / f"copy{number}", files=UnsyncedFiles())
            there = Path(log.folder(run.run_id))
            there.mkdir(parents=True)
            told = busy.acknowledged
            order = FILES if number % 2 else FILES[::-1]
            for name in order:
                shutil.copy(run.folder / name, there / name)
            try:
                log.release(log.acquire(run.run_id))
            except StorageError as failure:
                refused.add((order[0], failure.code.value))
                continue
            lines = list(log.read(run.run_id))
            assert lines == busy.submitted[: len(lines)]
            assert len(lines) >= told
            assert len(read(log, run.run_id)) == len(lines)
    # Refused only where the head is of a later moment than the log.
    assert refused <= {("events.jsonl", "corrupt")}

"""
Processes under load that end in the middle: by SIGKILL, or because their disk lost its power.

What they told goes to a file elsewhere. Afterwards all that was acknowledged and all that was
shown must be there, in the order in which it was submitted.
"""

import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

from journal.artifacts.filesystem import FilesystemArtifacts
from journal.events.log import AnnotationAdded, LogEmitted
from journal.ids import RunId, parse_run_id
from journal.record import Record
from tests.real.looking import check_projections
from tests.real.oracle import check_artifacts, check_writing, must
from tests.real.power import Disk, boot
from tests.real.terms import Terms
from tests.rules.sources import ROOT
from tests.torture.tally import Tally

_BOUND_S = 120.0
_LET_THEM_NOTICE_S = 10.0


class Told(NamedTuple):
    """What a writer and a reader told."""

    acknowledged: dict[RunId, int]
    stored: list[tuple[RunId, str, int]]
    shown: dict[tuple[RunId, int], str]
    unreadable: list[str]
    wrong: list[str]


class Load:
    """A writer of ``runs`` runs and a reader, as processes of their own."""

    def __init__(self, store: Path, folder: Path, runs: int) -> None:
        self.runs = runs
        self._paths = [folder / "written", folder / "watched"]
        commands = [["write", str(store), str(runs)], ["watch", str(store)]]
        self._processes = []
        for path, command in zip(self._paths, commands, strict=True):
            with path.open("wb") as out:
                process = subprocess.Popen(
                    [sys.executable, "-m", "tests.real.load", *command],
                    stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, cwd=ROOT,
                )  # fmt: skip
            self._processes.append(process)

    def wait_for_all(self) -> None:
        """Until each run is open and was written to, bounded."""
        deadline = time.monotonic() + _BOUND_S
        while True:
            told = self.told()
            if len(told.acknowledged) == self.runs and told.shown:
                return
            must(not told.wrong, f"the load told {told.wrong[:1]}")
            must(self._processes[0].poll() is None, f"the writer ended: {self._last()}")
            must(time.monotonic() < deadline, "the load never got going")
            time.sleep(0.02)

    def _last(self) -> str:
        return self._paths[0].read_bytes()[-1000:].decode(errors="replace")

    def end(self) -> None:
        """Kill both."""
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()

    def let_end(self, patience_s: float) -> None:
        """Give them time to notice that their disk is gone; the reader goes on trying."""
        with suppress(subprocess.TimeoutExpired):
            self._processes[0].wait(patience_s)
        self.end()

    def told(self) -> Told:
        """What they told so far."""
        told = Told({}, [], {}, [], [])
        for path in self._paths:
            for line in path.read_bytes().split(b"\n")[:-1]:  # the last may be half
                _hear(told, line.decode(errors="replace"))
        return told


def _hear(told: Told, line: str) -> None:
    match line.split(" "):
        case ["ack", run_id, seq]:
            run = parse_run_id(run_id)
            told.acknowledged[run] = max(int(seq), told.acknowledged.get(run, 0))
        case ["stored", run_id, sha256, size]:
            told.stored.append((parse_run_id(run_id), sha256, int(size)))
        case ["shown", run_id, seq, digest]:
            told.shown[parse_run_id(run_id), int(seq)] = digest
        case ["unreadable", *_]:
            told.unreadable.append(line)
        case ["refused", *_]:
            pass
        case _:
            told.wrong.append(line)


@contextmanager
def loaded(store: Path, folder: Path, runs: int) -> Iterator[Load]:
    """A load that does not outlive the block."""
    load = Load(store, folder, runs)
    try:
        yield load
    finally:
        load.end()


def check(store: Path, told: Told) -> None:
    """Hold a whole store against what was told; every run is opened and written to."""
    must(not told.wrong, f"told {told.wrong[:1]}")
    for run_id, acknowledged in told.acknowledged.items():
        records = check_writing(store, run_id, None, acknowledged)
        check_artifacts(store, records)
        _check_order(records)
        found = {record.seq: record.hash for record in records}
        for (run, seq), digest in told.shown.items():
            if run == run_id:
                must(found.get(seq) == digest, f"run {run} line {seq} was shown and is gone")
    artifacts = FilesystemArtifacts(str(store))
    for run_id, sha256, size in told.stored:
        artifacts.check(run_id, sha256, size)
    check_projections(store)


def _check_order(records: list[Record]) -> None:
    """Each opening wrote 0.0, 0.1, 0.2, 1.0, …: what is recovered has no gap and no twin."""
    counts: Counter[str] = Counter()
    for record in records:
        text = ""
        if isinstance(record.data, AnnotationAdded):
            text = record.data.text
        elif isinstance(record.data, LogEmitted):
            text = record.message
        begun, _, place = text.partition(" ")
        if record.run_id in begun:
            turn, part = divmod(counts[begun], 3)
            must(place == f"{turn}.{part}", f"{turn}.{part} is missing before {place}")
            counts[begun] += 1


def kill_rounds(terms: Terms, *, runs: int, rounds: int) -> Tally:
    """SIGKILL at a random moment, round after round, in one store that grows."""
    with tempfile.TemporaryDirectory(prefix="real-") as name:
        folder = Path(name)
        store = folder / "store"

        def one(moment_s: float) -> None:
            with loaded(store, folder, runs) as load:
                load.wait_for_all()
                time.sleep(moment_s)
            told = load.told()
            must(not told.unreadable, f"a reader met {told.unreadable[:1]}")
            check(store, told)

        return _rounds(terms, runs, rounds, one)


def power_rounds(terms: Terms, kind: str, *, runs: int, rounds: int) -> Tally:
    """Power lost at a random moment, round after round, on one disk."""
    with tempfile.TemporaryDirectory(prefix="real-") as name:
        folder = Path(name)
        disk = Disk(folder, kind)
        ways = cycle([False, False, True])

        def one(moment_s: float) -> None:
            with disk.mounted() as place, loaded(place / "store", folder, runs) as load:
                load.wait_for_all()
                time.sleep(moment_s)
                disk.lose_power(log_flushed=next(ways))
                load.let_end(_LET_THEM_NOTICE_S)
            with disk.mounted() as place:
                boot(place / "store")
                check(place / "store", load.told())

        return _rounds(terms, runs, rounds, one)


def _rounds(terms: Terms, runs: int, rounds: int, one: Callable[[float], None]) -> Tally:
    tally, moments = Tally(), random.Random(terms.seed)
    end_s = time.monotonic() + terms.budget_s
    for number in range(1, rounds + 1):
        if time.monotonic() > end_s and number > 1:
            break
        try:
            one(moments.uniform(0.0, 0.6))
        except Exception as failure:  # noqa: BLE001 - whatever it is, the promise is broken
            tally.violations.append(terms.violation(f"round {number}", failure))
            break  # the store is not what later rounds expect
        tally.faults += 1
        tally.crash_states += runs
    return tally

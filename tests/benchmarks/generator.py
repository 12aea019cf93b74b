"""
Whole stores, quickly and always the same: valid logs, heads and a feed, without one sync.

    python -m tests.benchmarks.generator FOLDER --runs 1000000
    python -m tests.benchmarks.generator FOLDER --events 10000000     (one long run)

Lines are made by the library (``freeze``, ``encode_batch``) and verify. The events of a short run
are frozen once and only the run's id is put in its place: a million runs would freeze the same
events a million times. The same seed gives the same logs, byte for byte.
"""

import argparse
import os
import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path

from journal.backends.feed import Feed
from journal.backends.filesystem import FilesystemLog
from journal.backends.headfile import encode_head
from journal.chain import encode_batch, genesis
from journal.draft import Clock, Draft, Stamp, freeze
from journal.files import make_folders
from journal.ids import RunId, run_id_folder
from journal.log import Head
from tests.benchmarks import workload
from tests.benchmarks.timing import say
from tests.benchmarks.workload import Told
from tests.support.disks import UnsyncedFiles

SEED = 20260105
FAILED_OF = 10
"""One run in ten has failed."""

_FIRST_S = datetime(2026, 1, 5, tzinfo=UTC).timestamp()
_BETWEEN_RUNS_S = 61.0
_BETWEEN_EVENTS_S = 0.125
_BATCH_SIZES = (1, 1, 1, 2, 3, 8)
_ANY_RUN = RunId("00000000-0000-7000-8000-000000000000")


class Generator:
    """Writes runs into one store, each a minute after the one before."""

    def __init__(self, root: Path, seed: int = SEED) -> None:
        self._files = UnsyncedFiles()
        self._root = FilesystemLog.open(root, files=self._files).root
        self._feed = Feed(self._files, f"{self._root}/feed")
        self._dice = random.Random(seed)
        self._now_s = _FIRST_S
        self._folders: set[str] = set()

    def short_runs(self, count: int, *, progress: int = 0) -> list[RunId]:
        """``count`` finished runs of 24 events, and 7 more for each step of ``progress``."""
        good = list(_frozen(_ANY_RUN, workload.whole_run(progress=progress)))
        bad = list(_frozen(_ANY_RUN, workload.whole_run(progress=progress, failed=True)))
        made = []
        for number in range(count):
            run_id = self._next_id()
            self._write(run_id, _renamed(run_id, bad if number % FAILED_OF == 0 else good))
            made.append(run_id)
        return made

    def long_run(self, events: int) -> RunId:
        """One run of that many events, in which the phases go round and round."""
        run_id = self._next_id()
        told = islice(chain(workload.beginning(), workload.rounds()), events)
        self._write(run_id, _frozen(run_id, told))
        return run_id

    def _next_id(self) -> RunId:
        """A UUIDv7 of this moment of the story; the rest of it is thrown."""
        self._now_s += _BETWEEN_RUNS_S
        time, dice = f"{int(self._now_s * 1000):012x}", self._dice
        rest = f"{dice.getrandbits(62) | 2 << 62:016x}"
        return RunId(f"{time[:8]}-{time[8:]}-7{dice.getrandbits(12):03x}-{rest[:4]}-{rest[4:]}")

    def _write(self, run_id: RunId, drafts: Iterable[Draft]) -> None:
        relative, _, _ = f"runs/{run_id_folder(run_id)}".rpartition("/")
        folder = f"{make_folders(self._files, self._root, relative, self._folders)}/{run_id}"
        self._files.mkdir(folder)
        head = Head(0, 0, "")
        with open(f"{folder}/events.jsonl", "wb") as log:
            for lines, link in self._batches(run_id, iter(drafts)):
                size = log.write(b"".join(lines))
                head = Head(head.seq + len(lines), head.position + size, link)
        with open(f"{folder}/head", "wb") as file:
            file.write(encode_head(head, 1, os.getpid(), "closed"))
        for what in ("opened", "closed"):
            self._feed.tell(what, run_id, self._now_s, durable=False)

    def _batches(self, run_id: RunId, drafts: Iterator[Draft]) -> Iterator[tuple[list[bytes], str]]:
        """A run's lines, batch by batch, with the hash of each batch's last."""
        moment = self._now_s

        def tick() -> float:
            nonlocal moment
            moment += _BETWEEN_EVENTS_S
            return moment

        clock, link, seq = Clock(tick), genesis(run_id), 0
        while taken := list(islice(drafts, self._dice.choice(_BATCH_SIZES))):
            stamps = [Stamp(draft, seq + n, *clock.read()) for n, draft in enumerate(taken, 1)]
            lines, link = encode_batch(link, stamps)
            seq += len(lines)
            yield lines, link


def _frozen(run_id: RunId, events: Iterable[Told]) -> Iterable[Draft]:
    return (freeze(run_id, event, phase=phase) for phase, event in events)


def _renamed(run_id: RunId, drafts: Iterable[Draft]) -> Iterable[Draft]:
    before, after = _ANY_RUN.encode(), run_id.encode()
    for draft in drafts:
        yield Draft(draft.event, draft.phase, draft.middle.replace(before, after, 1), None)


def main() -> None:
    """Generate a store from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.generator")
    parser.add_argument("folder", type=Path, help="where the store is to be: new or empty")
    parser.add_argument("--runs", type=int, default=0, help="how many finished short runs")
    parser.add_argument("--progress", type=int, default=0, help="progress events per phase of them")
    parser.add_argument("--events", type=int, default=0, help="events of one long run")
    parser.add_argument("--seed", type=int, default=SEED)
    given = parser.parse_args()
    generator = Generator(given.folder, given.seed)
    generator.short_runs(given.runs, progress=given.progress)
    if given.events:
        say(f"long run: {generator.long_run(given.events)}")


if __name__ == "__main__":
    main()

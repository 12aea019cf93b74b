"""The run whose every bit is flipped: a pipeline's day, told through the interface people use."""

from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio

from journal.chain import Chain
from journal.errors import StorageError
from journal.events.step import Usage
from journal.ids import RunId
from journal.journal import Journal
from journal.log import Head
from journal.recovery import split_lines
from journal.run import Run
from tests.bits.disk import FrozenStore

LINES_MIN = 400
"""What a log must have at least, so that the result means something."""


async def tell(root: Path, runs: int = 1) -> list[RunId]:
    """Make a store of finished runs, each of at least ``LINES_MIN`` lines, one after the other."""
    made: list[RunId] = []
    async with Journal.open(root) as journal:
        for _ in range(runs):
            async with journal.run(project="nightly", parameters={"date": "2026-11-22"}) as run:
                made.append(run.id)
                for name in ("ingest", "translate", "review", "publish"):
                    await _phase(run, name)
                await run.annotate(
                    "Checked by hand: “fine” – façade, 漢字.", actor="ann@example.org"
                )
    return made


async def _phase(run: Run, name: str) -> None:
    async with run.phase(name, partition="pt-BR") as phase:
        for number in range(42):
            async with phase.step(f"call {number}") as step:
                step.use(Usage(tokens_in=1200 + number, tokens_out=80, cost_usd=0.0125, requests=1))
            if number % 3 == 0:
                await phase.progress(number, 42, "lines")
            if number % 9 == 0:
                phase.log("warning", "a line was empty", line=number, text='\u2028 \\ " \n')
        text = f"{name}: {'the same words again, ' * 20}"
        await phase.store(text, description="what the phase made")
        phase.summarize(lines=42)


class Told:
    """One finished run of a store that is held in memory: its lines, and where each stands."""

    def __init__(self, store: FrozenStore, run_id: RunId) -> None:
        self.store = store
        self.run_id = run_id
        self.folder = store.log.folder(run_id)
        self.path = f"{self.folder}/events.jsonl"
        self.lines = list(store.log.read(run_id))
        chain = Chain(run_id, strict=True)
        self.stands = [Head(0, 0, chain.hash)]
        for line in self.lines:
            chain.follow(line)
            self.stands.append(Head(chain.seq, chain.position, chain.hash))
        self.starts = [at.position for at in self.stands[:-1]]
        self.whole = b"".join(self.lines)
        assert len(self.lines) >= LINES_MIN
        assert store.log.head(run_id).state == "closed"

    def batches(self) -> list[tuple[int, int]]:
        """Each batch as the numbers (from 0) of its first line and of the line behind its last."""
        chain, found, first = Chain(self.run_id), [], 0
        for number, line in enumerate(self.lines):
            chain.follow(line)
            if chain.between_batches:
                found.append((first, number + 1))
                first = number + 1
        return found

    def line_at(self, place: int) -> int:
        """The number (from 0) of the line that holds this byte."""
        return bisect_right(self.starts, place) - 1

    def walk(self, content: bytes | bytearray, number: int, stop: int) -> StorageError | None:
        """
        What a reader says of a log whose lines up to ``number`` (from 0) are as they were.

        The library cuts and checks the lines; only the walk up to there is spared, which would be
        the same each time. ``stop`` is the byte up to which is read.
        """
        stands = self.stands[number]
        chain = Chain(self.run_id, stands.seq, stands.position, stands.hash, strict=True)

        def read(size: int, offset: int) -> bytes:
            return bytes(content[offset : offset + size])

        try:
            for line in split_lines(read, stands.position, stop):
                chain.follow(line)
        except StorageError as failure:
            return failure
        return None

    @contextmanager
    def holding(self, content: bytes | bytearray, name: str = "events.jsonl") -> Iterator[None]:
        """Let one file of the run hold ``content`` for a while."""
        path = f"{self.folder}/{name}"
        before = self.store.files.content[path]
        self.store.files.content[path] = content
        try:
            yield
        finally:
            self.store.files.content[path] = before


def told(root: Path) -> list[Told]:
    """Two runs of one store, made now, and from here on in memory only."""
    runs = anyio.run(tell, root, 2)
    store = FrozenStore(root)
    return [Told(store, run_id) for run_id in runs]

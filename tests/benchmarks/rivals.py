"""
What the journal is compared with: the raw loop, and sqlite3 as one would write it by hand.

A raw loop gets lines that are encoded already and does nothing but make them durable: that is the
disk's own limit. sqlite3 encodes, as the journal does, and syncs each commit (WAL, FULL), so that
both keep the same promise. Neither checks, hashes, locks or recovers anything.
"""

import asyncio
import os
import sqlite3
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

import msgspec

from journal.chain import encode_batch, genesis
from journal.draft import Clock, Stamp, freeze
from journal.files import Files
from journal.ids import RunId
from tests.benchmarks.timing import Body, Sample, Watch, now_ns
from tests.benchmarks.workload import Told

_FILES = Files()  # fdatasync means the same here as in the journal, on every system
_INSERT = "INSERT INTO events VALUES (?, ?, ?, ?)"
_WHEN = "2026-01-05T10:11:12.123456Z"

Row = tuple[str, int, str, bytes]


def lines_of(run_id: RunId, told: Iterable[Told]) -> list[bytes]:
    """The lines that the journal would write of these events."""
    clock = Clock(iter(range(2**31)).__next__)
    drafts = [freeze(run_id, event, phase=phase) for phase, event in told]
    stamps = [Stamp(draft, seq, *clock.read()) for seq, draft in enumerate(drafts, 1)]
    return encode_batch(genesis(run_id), stamps)[0]


# -- the raw loop --------------------------------------------------------------------------------


def raw_loop(payloads: Sequence[bytes], seconds: float, events_each: int = 1) -> Body:
    """Write and sync one payload after the other, round and round."""

    def body(folder: Path) -> Sample:
        fd = _FILES.create(f"{folder}/raw.log")
        watch = Watch(seconds)
        watch.start()
        for payload in cycle(payloads):
            began = now_ns()
            os.write(fd, payload)
            _FILES.fdatasync(fd)
            if not watch.lap(began):
                break
        sample = watch.stop(events_each)
        os.close(fd)
        return sample

    return body


def raw_threads(payloads: Sequence[bytes], seconds: float, threads: int) -> Body:
    """The same from several threads, each with a file of its own."""

    def body(folder: Path) -> Sample:
        samples: list[Sample] = []

        def work(number: int) -> None:
            (folder / str(number)).mkdir()
            samples.append(raw_loop(payloads, seconds)(folder / str(number)))

        workers = [Thread(target=work, args=(number,)) for number in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        calls = [took for sample in samples for took in sample.calls_ns]
        return Sample(calls, len(calls), max(sample.wall_ns for sample in samples))

    return body


def raw_handed_over(payloads: Sequence[bytes], seconds: float) -> Body:
    """The raw loop on another thread, a queue there and a queue back: what not blocking costs."""

    def body(folder: Path) -> Sample:
        fd = _FILES.create(f"{folder}/raw.log")
        jobs: SimpleQueue[bytes | None] = SimpleQueue()
        done: SimpleQueue[None] = SimpleQueue()

        def work() -> None:
            while (payload := jobs.get()) is not None:
                os.write(fd, payload)
                _FILES.fdatasync(fd)
                done.put(None)

        worker = Thread(target=work)
        worker.start()
        watch = Watch(seconds)
        watch.start()
        for payload in cycle(payloads):
            began = now_ns()
            jobs.put(payload)
            done.get()
            if not watch.lap(began):
                break
        sample = watch.stop()
        jobs.put(None)
        worker.join()
        os.close(fd)
        return sample

    return body


# -- sqlite3 -------------------------------------------------------------------------------------


def open_sqlite(folder: Path) -> sqlite3.Connection:
    """A table of events, durable at each commit."""
    db = sqlite3.connect(folder / "events.sqlite", isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA fullfsync = ON")  # macOS; means nothing elsewhere
    db.execute(
        "CREATE TABLE events (run_id TEXT, seq INTEGER, event TEXT, body BLOB,"
        " PRIMARY KEY (run_id, seq)) WITHOUT ROWID"
    )
    return db


_encode = msgspec.json.Encoder().encode


def row_of(run_id: str, seq: int, told: Told) -> Row:
    """An event as a row: about the bytes that the journal writes of it, without a hash."""
    phase, event = told
    body = {
        "seq": seq,
        "timestamp": _WHEN,
        "level": event.event_level,
        "event": event.event_name,
        "run_id": run_id,
        "phase": phase,
        "message": event.sentence(phase),
        "data": event,
    }
    return run_id, seq, event.event_name, _encode(body)


def sqlite_loop(told: Sequence[Told], run_id: RunId, seconds: float) -> Body:
    """One commit per event, in the caller's own thread."""

    def body(folder: Path) -> Sample:
        db = open_sqlite(folder)
        watch = Watch(seconds)
        watch.start()
        for seq, each in enumerate(cycle(told), 1):
            began = now_ns()
            db.execute(_INSERT, row_of(run_id, seq, each))
            if not watch.lap(began):
                break
        sample = watch.stop()
        db.close()
        return sample

    return body


def commit(db: sqlite3.Connection, rows: Iterable[Row]) -> None:
    """All rows in one transaction."""
    db.execute("BEGIN IMMEDIATE")
    db.executemany(_INSERT, rows)
    db.execute("COMMIT")


def sqlite_batches(told: Sequence[Told], seconds: float) -> Body:
    """A whole run per transaction, awaited through a thread."""

    async def main(folder: Path) -> Sample:
        db = open_sqlite(folder)
        loop, watch = asyncio.get_running_loop(), Watch(seconds)
        with ThreadPoolExecutor(1) as pool:
            watch.start()
            for number in range(2**31):
                run_id = f"{number:036x}"
                began = now_ns()
                rows = [row_of(run_id, seq, each) for seq, each in enumerate(told, 1)]
                await loop.run_in_executor(pool, commit, db, rows)
                if not watch.lap(began):
                    break
        sample = watch.stop(len(told))
        db.close()
        return sample

    return lambda folder: asyncio.run(main(folder))


def sqlite_together(told: Sequence[Told], run_ids: Sequence[RunId], seconds: float) -> Body:
    """Many tasks, and one thread that commits all that waits: the best shape we know."""

    async def main(folder: Path) -> Sample:
        db = open_sqlite(folder)
        group, watch = _OneCommitter(db), Watch(seconds)
        flushing = asyncio.create_task(group.flush_forever())

        async def one_run(run_id: str) -> None:
            for seq, each in enumerate(cycle(told), 1):
                began = now_ns()
                await group.append(row_of(run_id, seq, each))
                if not watch.lap(began):
                    return

        watch.start()
        await asyncio.gather(*map(one_run, run_ids))
        sample = watch.stop()
        flushing.cancel()
        group.pool.shutdown()
        db.close()
        return sample

    return lambda folder: asyncio.run(main(folder))


class _OneCommitter:
    def __init__(self, db: sqlite3.Connection) -> None:
        self.pool = ThreadPoolExecutor(1)
        self._db = db
        self._waiting: list[tuple[Row, asyncio.Future[None]]] = []
        self._wake = asyncio.Event()

    def append(self, row: Row) -> "asyncio.Future[None]":
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((row, done))
        self._wake.set()
        return done

    async def flush_forever(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._wake.wait()
            self._wake.clear()
            taken, self._waiting = self._waiting, []
            await loop.run_in_executor(self.pool, commit, self._db, [row for row, _ in taken])
            for _, done in taken:
                done.set_result(None)

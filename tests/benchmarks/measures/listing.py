"""
Looking: the newest 20 failed of 10,000 runs, what the logs say now included.

The index is warm: every run rests and is in there. Beside it the same statement and the same
decoding awaited through a thread, on a connection of its own; and in the caller's own thread.
"""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio.to_thread

from projections import Projections, questions
from projections.sqlitefile import Connection, connect
from tests.benchmarks.generator import Generator
from tests.benchmarks.report import OURS, RAW, Row, row
from tests.benchmarks.settings import Settings
from tests.benchmarks.timing import Body, Sample, Watch, median, now_ns, ratio, say, take_turns

_LIMIT = 20


def newest_failed(settings: Settings) -> list[Row]:
    """P7: list the newest failed runs."""
    root = settings.folder / "listed"
    Generator(root).short_runs(settings.runs)
    caught_up_s = asyncio.run(_first_look(root))
    say(f"   {settings.runs:,} runs read for the first time in {caught_up_s:.1f} s")
    db = connect(str(root / "index.sqlite"), 5.0)
    seconds = settings.seconds / 2
    bodies: dict[str, Body] = {
        RAW: lambda _: asyncio.run(_repeat(seconds, lambda: _through_a_thread(db))),
        OURS: lambda _: asyncio.run(_listed(root, seconds)),
        "the query in its own thread": lambda _: _in_its_own_thread(db, seconds),
    }
    rounds = take_turns(bodies, settings.repeats, settings.folder)
    db.close()
    shutil.rmtree(root)
    beside = {
        who: {
            "p50_us": median(rounds, who, lambda sample: sample.p50_us),
            "p99_us": median(rounds, who, lambda sample: sample.p99_us),
            "of_raw": ratio(rounds, who, RAW, lambda sample: sample.p50_us),
        }
        for who in rounds
    }
    what = f"list of the newest {_LIMIT} failed of {settings.runs:,} runs, caught up: time"
    return [row("P7", what, beside[OURS]["of_raw"], "of the query", beside, at_most=3.0)]


async def _first_look(root: Path) -> float:
    began = now_ns()
    async with Projections.open(root) as runs:
        await runs.list(limit=1)
    return (now_ns() - began) / 1e9


async def _repeat(seconds: float, call: Callable[[], Awaitable[object]]) -> Sample:
    await call()
    watch = Watch(seconds)
    watch.start()
    while True:
        began = now_ns()
        await call()
        if not watch.lap(began):
            return watch.stop()


async def _listed(root: Path, seconds: float) -> Sample:
    async with Projections.open(root) as runs:
        found = await runs.list(status="failed", limit=_LIMIT)
        assert len(found) == _LIMIT
        return await _repeat(seconds, lambda: runs.list(status="failed", limit=_LIMIT))


def _query(db: Connection) -> None:
    questions.runs(db, status="failed", limit=_LIMIT)


async def _through_a_thread(db: Connection) -> None:
    await anyio.to_thread.run_sync(_query, db)


def _in_its_own_thread(db: Connection, seconds: float) -> Sample:
    watch = Watch(seconds)
    watch.start()
    while True:
        began = now_ns()
        _query(db)
        if not watch.lap(began):
            return watch.stop()

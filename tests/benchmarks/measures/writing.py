"""
Writing: one run that awaits each event, 64 runs that do so at once, and a whole run in one call.

Everybody begins with an open file or run; only appends are timed. Events exist before the clock
starts; encoding them is part of an append, but not of the raw loop.
"""

import asyncio
import itertools
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from journal import Journal
from journal.ids import new_run_id
from journal.run import Run
from tests.benchmarks import rivals, workload
from tests.benchmarks.report import OURS, RAW, Row, rates, row, speed_p50
from tests.benchmarks.settings import Settings
from tests.benchmarks.timing import Body, Sample, Watch, now_ns, ratio, take_turns

RUNS_AT_ONCE = 64
SYNCING_THREADS = 16
_TOLD = workload.one_round()
_RUN_ID = new_run_id()
_PHASE = "translate"


def one_writer(settings: Settings) -> list[Row]:
    """P1: one writer, one event per awaited append."""
    lines = rivals.lines_of(_RUN_ID, _TOLD)
    bodies: dict[str, Body] = {
        RAW: rivals.raw_loop(lines, settings.seconds),
        OURS: lambda folder: asyncio.run(_one_run(folder, settings.seconds)),
        "raw, through a thread": rivals.raw_handed_over(lines, settings.seconds),
        "sqlite3, own thread": rivals.sqlite_loop(_TOLD, _RUN_ID, settings.seconds),
    }
    rounds = take_turns(bodies, settings.repeats, settings.folder)
    return [
        row(
            "P1",
            "one writer, one event per awaited append: speed of the call in the middle",
            ratio(rounds, OURS, RAW, speed_p50),
            "of raw",
            rates(rounds, lambda sample: sample.busy_rate),
            at_least=0.5,
        )
    ]


async def _one_run(folder: Path, seconds: float) -> Sample:
    async with Journal.open(folder / "store") as journal, journal.run(project="bench") as run:
        watch = Watch(seconds)
        watch.start()
        rest = await _append_until(watch, run)
        sample = watch.stop()
        await _append_all(run, rest)
    return sample


async def _append_until(watch: Watch, run: Run) -> list[workload.Told]:
    """Append until the time is up; gives what the phase that is at work lacks to its end."""
    told = workload.rounds()
    for phase, event in told:
        began = now_ns()
        await run.append(event, phase=phase)
        if not watch.lap(began):
            return list(itertools.takewhile(partial(_is_of, phase), told))
    return []


def _is_of(phase: str | None, told: workload.Told) -> bool:
    return told[0] == phase


async def _append_all(run: Run, told: list[workload.Told]) -> None:
    if told:
        await run.append([event for _, event in told], phase=told[0][0])


def many_writers(settings: Settings) -> list[Row]:
    """P2: 64 runs in one process, each awaiting its appends."""
    lines = rivals.lines_of(_RUN_ID, _TOLD)
    run_ids = [new_run_id() for _ in range(RUNS_AT_ONCE)]
    one_committer = f"sqlite3, {RUNS_AT_ONCE} tasks, one thread commits all that waits"
    bodies: dict[str, Body] = {
        RAW: rivals.raw_loop(lines, settings.seconds),
        OURS: lambda folder: asyncio.run(_many_runs(folder, settings.seconds)),
        one_committer: rivals.sqlite_together(_TOLD, run_ids, settings.seconds),
        f"raw, {SYNCING_THREADS} threads": rivals.raw_threads(
            lines, settings.seconds, SYNCING_THREADS
        ),
    }
    rounds = take_turns(bodies, settings.repeats, settings.folder)
    beside = rates(rounds, lambda sample: sample.wall_rate)
    what = f"{RUNS_AT_ONCE} runs at once, each awaiting its appends: events/s"
    of_raw = beside[OURS]["of_raw"]
    return [row("P2", what, of_raw, "of one raw writer", beside, at_least=1.6)]


async def _many_runs(folder: Path, seconds: float) -> Sample:
    async with AsyncExitStack() as stack:
        journal = await stack.enter_async_context(Journal.open(folder / "store"))
        runs = [
            await stack.enter_async_context(journal.run(project="bench"))
            for _ in range(RUNS_AT_ONCE)
        ]
        watch = Watch(seconds)
        watch.start()
        rests = await asyncio.gather(*(_append_until(watch, run) for run in runs))
        sample = watch.stop()
        await asyncio.gather(*map(_append_all, runs, rests))
    return sample


def whole_batches(settings: Settings) -> list[Row]:
    """P4: 374 events in one awaited append."""
    told = _batch(1)
    joined = b"".join(rivals.lines_of(_RUN_ID, told))
    bodies: dict[str, Body] = {
        RAW: rivals.raw_loop([joined], settings.seconds, len(told)),
        OURS: lambda folder: asyncio.run(_batches(folder, settings.seconds)),
        "sqlite3, awaited through a thread": rivals.sqlite_batches(told, settings.seconds),
    }
    rounds = take_turns(bodies, settings.repeats, settings.folder)
    beside = rates(rounds, lambda sample: sample.busy_rate)
    what = f"a batch of {len(told)} events in one awaited append: events/s"
    return [row("P4", what, beside[OURS]["of_raw"], "of raw", beside, better="higher")]


def _batch(revision: int) -> list[workload.Told]:
    """As many events as a run has, all of one phase: an append has one place."""
    return workload.one_phase(_PHASE, revision, workload.EVENTS_PER_RUN - 3)


async def _batches(folder: Path, seconds: float) -> Sample:
    async with Journal.open(folder / "store") as journal, journal.run(project="bench") as run:
        watch = Watch(seconds)
        watch.start()
        for revision in itertools.count(1):
            events = [event for _, event in _batch(revision)]
            began = now_ns()
            await run.append(events, phase=_PHASE)
            if not watch.lap(began):
                break
        return watch.stop(workload.EVENTS_PER_RUN)

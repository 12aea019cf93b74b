"""
A campaign: the same million inputs for the same seed, over two processes.

Work is cut into portions of one target each. A portion that kills its process, or goes on for ever,
is a violation like any other, and named by target and seed, so that it can be seen again.
"""

import faulthandler
import multiprocessing
import random
import signal
import traceback
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import NamedTuple

from tests.fuzz import corpus
from tests.fuzz.mutate import Mutator

PORTIONS = 24
"""Into how many parts a target's inputs are cut: the last ones to end leave no process idle."""

INPUT_S = 30
"""An input takes a few milliseconds; after so long it hangs."""


class Portion(NamedTuple):
    """So many inputs of one target, from this seed."""

    target: str
    seed: str
    inputs: int

    def __str__(self) -> str:
        return f"--target {self.target} --seed {self.seed} --portion {self.inputs}"


class Outcome(NamedTuple):
    """How many inputs a portion tried, and what it found: by its place in the code, in words."""

    inputs: int
    violations: dict[str, str]


class _Hangs(BaseException):
    """An input that does not come to an end."""


def portions(inputs: int, seed: str, only: list[str]) -> list[Portion]:
    """A campaign of about so many inputs, cut up; long portions first."""
    from tests.fuzz.targets import TARGETS

    chosen = {name: TARGETS[name] for name in only or TARGETS}
    whole = sum(target.share for target in chosen.values())
    found = []
    for name, target in chosen.items():
        wanted = -(-inputs * target.share // whole)
        size = int(-(-wanted // PORTIONS))
        found += [Portion(name, f"{seed}.{number}", size) for number in range(PORTIONS)]
    return sorted(found, key=lambda portion: portion.seed.rpartition(".")[2])


def work(portion: Portion) -> Outcome:
    """Try one portion, in this process."""
    from tests.fuzz.targets import TARGETS

    run = TARGETS[portion.target].run
    mutator = Mutator(
        random.Random(f"{portion.target} {portion.seed}"), corpus.seeds(portion.target)
    )
    found: dict[str, str] = {}
    before = signal.signal(signal.SIGALRM, _hangs)
    try:
        for _ in range(portion.inputs):
            data = mutator.next()
            signal.alarm(INPUT_S)
            try:
                run(data)
            except (Exception, _Hangs) as failure:  # noqa: BLE001 - that is what is looked for
                place = _place_of(failure)
                if place not in found:
                    found[place] = _told(portion, data, failure)
            finally:
                signal.alarm(0)
    finally:
        signal.signal(signal.SIGALRM, before)
    return Outcome(portion.inputs, found)


def _hangs(number: int, frame: object) -> None:
    raise _Hangs


def _place_of(failure: BaseException) -> str:
    """Where it was raised: thousands of inputs may show one bug."""
    last = traceback.extract_tb(failure.__traceback__)[-1]
    return f"{type(failure).__name__} {last.filename} {last.lineno}"


def _told(portion: Portion, data: bytes, failure: BaseException) -> str:
    path = corpus.keep(portion.target, data)
    frames = traceback.extract_tb(failure.__traceback__)[-3:]
    where = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))
    what = f"{type(failure).__name__}: {failure}"[:200]
    return f"{portion.target}: {what} ({where}); kept as {path.name}"


def _begin() -> None:
    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends the campaign


def campaign(todo: list[Portion], processes: int) -> Iterator[Outcome]:
    """Try all portions; each comes back once, also one that killed its process."""
    left = list(todo)
    context = multiprocessing.get_context("spawn")
    while left:
        with ProcessPoolExecutor(processes, mp_context=context, initializer=_begin) as pool:
            waiting: dict[Future[Outcome], Portion] = {}
            try:
                while left or waiting:
                    while left and len(waiting) < processes:
                        portion = left.pop(0)
                        waiting[pool.submit(work, portion)] = portion
                    done, _ = wait(waiting, return_when=FIRST_COMPLETED)
                    for future in done:
                        outcome = future.result()
                        del waiting[future]
                        yield outcome
            except BrokenProcessPool:
                pass  # one of those that are waited for did it
        for portion in waiting.values():  # each alone, so that the others count
            yield _alone(portion)


def _alone(portion: Portion) -> Outcome:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=_begin) as pool:
        try:
            return pool.submit(work, portion).result()
        except BrokenProcessPool:
            return Outcome(0, {str(portion): f"{portion.target}: the process died: {portion}"})

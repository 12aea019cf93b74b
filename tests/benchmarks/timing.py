"""
Clocks and rounds: who is compared runs in turn, in one process, and only ratios are believed.

A machine that is busy for a moment slows one round for everybody; a ratio is therefore taken
inside each round, and the median of the rounds is what is told.
"""

import gc
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter_ns
from typing import NamedTuple

now_ns = perf_counter_ns
CALLS_MAX = 200_000


class Sample(NamedTuple):
    """One timed round: how long each call took, how many events that was, and the whole of it."""

    calls_ns: list[int]
    events: int
    wall_ns: int

    @property
    def busy_rate(self) -> float:
        """Events per second of calling: what one caller after the other gets."""
        return self.events * 1e9 / sum(self.calls_ns)

    @property
    def wall_rate(self) -> float:
        """Events per second of the clock on the wall: what many at once get."""
        return self.events * 1e9 / self.wall_ns

    @property
    def p50_us(self) -> float:
        """Half of the calls took at most this long."""
        return statistics.median(self.calls_ns) / 1e3

    @property
    def p99_us(self) -> float:
        """All but one call in a hundred took at most this long."""
        ordered = sorted(self.calls_ns)
        return ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)] / 1e3


class Watch:
    """Times calls until its seconds are over."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._calls_ns: list[int] = []
        self._began = self._ends = 0

    def start(self) -> None:
        self._began = now_ns()
        self._ends = self._began + int(self._seconds * 1e9)

    def lap(self, began_ns: int) -> bool:
        """Keep one call; gives whether there is time for another."""
        now = now_ns()
        self._calls_ns.append(now - began_ns)
        return now < self._ends and len(self._calls_ns) < CALLS_MAX

    def stop(self, events_per_call: int = 1) -> Sample:
        wall_ns = now_ns() - self._began
        return Sample(self._calls_ns, len(self._calls_ns) * events_per_call, wall_ns)


def timed(work: Callable[[], int]) -> Sample:
    """Time one call; it gives the number of events that it went through."""
    began = now_ns()
    events = work()
    took = now_ns() - began
    return Sample([took], events, took)


Body = Callable[[Path], Sample]
Rounds = dict[str, list[Sample]]


def take_turns(bodies: Mapping[str, Body], repeats: int, root: Path) -> Rounds:
    """Run the bodies in turn, ``repeats`` times, each in an empty folder inside ``root``."""
    rounds: Rounds = {name: [] for name in bodies}
    for _ in range(repeats):
        for name, body in bodies.items():
            folder = Path(tempfile.mkdtemp(dir=root))
            gc.collect()
            try:
                rounds[name].append(body(folder))
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    return rounds


Figure = Callable[[Sample], float]


def median(rounds: Rounds, who: str, figure: Figure) -> float:
    """The median of a figure over the rounds."""
    return statistics.median(map(figure, rounds[who]))


def ratio(rounds: Rounds, who: str, whom: str, figure: Figure) -> float:
    """How many times ``whom``'s figure ``who`` has: the median of the rounds' own ratios."""
    pairs = zip(rounds[who], rounds[whom], strict=True)
    return statistics.median(figure(one) / figure(other) for one, other in pairs)


def say(text: str) -> None:
    """Tell whoever waits what is being done."""
    print(text, file=sys.stderr, flush=True)

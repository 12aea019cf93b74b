"""
Campaigns over crash states: which there are, in which order, and what was counted.

A state is counted once for each distinct name (``states.py``). Many names stand for the same disk:
a chunk that is lost looks the same whether it was filled with zeros or had been zero. Opening is a
function of the disk and of what is known alone, for nothing else in this world varies; so after a
power loss a disk that was held against the same truth before is not opened again. ``images``
counts the disks that were.
"""

import random
import zlib
from collections.abc import Iterator, Sequence

import msgspec

from journal.chain import SUFFIX_BYTES
from tests.crash.disk import Disk
from tests.crash.faults import faults
from tests.crash.life import Life, Point
from tests.crash.losses import Unsynced
from tests.crash.oracle import Truth
from tests.crash.scripts import AFTER
from tests.crash.states import State, begun, flippable

VIOLATIONS_KEPT = 20


class Count(msgspec.Struct):
    """What a campaign counted. ``violations``: the name of a state, and what is wrong with it."""

    states: int = 0
    images: int = 0
    faults: int = 0
    violations: list[tuple[str, str]] = []

    def add(self, other: "Count") -> None:
        """Add another one's counts to these."""
        self.states += other.states
        self.images += other.images
        self.faults += other.faults
        self.violations = [*self.violations, *other.violations]


class Plan(msgspec.Struct, frozen=True):
    """
    How much of all there is.

    ``step``: of torn chunks and of parts of writes every so many bytes; ``second``: after one of so
    many disks another life begins; ``second_step``: ``step`` for its crashes; ``second_faults``:
    with how many errors it is lived again; ``faulted``: how many losses for each moment of a life
    after an error; ``part``: of the moments of a first life, and of its errors, only the first of
    two, the second of two, …; ``fault_every``: one of so many faults.
    """

    step: int = 16
    second: int = 200
    second_step: int = 64
    second_faults: int = 2
    faulted: int = 4
    fault_every: int = 1
    seed: int = 1
    states_max: int | None = None
    part: tuple[int, int] = (0, 1)


class Campaign:
    """One process's part of a campaign."""

    def __init__(self, plan: Plan, *, stop_at_first: bool = False) -> None:
        self.plan = plan
        self.count = Count()
        self._known: set[tuple[int, int]] = set()
        self._stop_at_first = stop_at_first
        self._chance = random.Random(plan.seed)

    @property
    def done(self) -> bool:
        """Whether enough was seen."""
        most = self.plan.states_max
        return (most is not None and self.count.states >= most) or (
            self._stop_at_first and bool(self.count.violations)
        )

    def crashes(self, script: str) -> None:
        """A life, ended everywhere; after some of the disks a second life, ended everywhere."""
        life = begun(script, Disk(), Truth(), 1)
        self._blame(script, life)
        kept = []
        mine = [point for number, point in enumerate(life.points) if self._mine(number)]
        for state in self._ends(script, mine, self.plan.step):
            if self._open(state) and self._chance.randrange(self.plan.second) == 0:
                kept.append(state)
            if self.done:
                return
        self._chance.shuffle(kept)  # whatever the bound on states, from everywhere
        for state in kept:
            self.second(state)
            if self.done:
                return

    def second(self, state: State, most: int | None = None) -> None:
        """
        Another life on the disk of ``state``, ended everywhere, and with some errors.

        ``most``: so many losses for each of its moments.
        """
        for after in AFTER:
            life = begun(after, state.disk(), state.point.truth, 2)
            self._second(state, after, life, most)
            errors = list(faults(life.operations, self.plan.second_step, None))
            for fault in self._chance.sample(errors, min(self.plan.second_faults, len(errors))):
                name = f"{after}!{fault}"
                life = begun(name, state.disk(), state.point.truth, 2)
                self.count.faults += 1
                self._second(state, name, life, self.plan.faulted)

    def _second(self, state: State, after: str, life: Life, most: int | None) -> None:
        name = f"{state.name}/{after}"
        self._blame(name, life)
        for inner in self._ends(name, life.points, self.plan.second_step, most):
            if self.done:
                return
            self._open(inner)

    def faults(self, script: str, failing: str | None = None) -> None:
        """
        The same life with each error at each operation; after it, some ends everywhere.

        ``failing``: only at operations of that name.
        """
        whole = begun(script, Disk(), Truth(), 1)
        for number, fault in enumerate(faults(whole.operations, self.plan.step, failing)):
            if number % self.plan.fault_every or not self._mine(number // self.plan.fault_every):
                continue
            name = f"{script}!{fault}"
            life = begun(name, Disk(), Truth(), 1)
            self.count.faults += 1
            self._blame(name, life)
            kept = []
            for state in self._ends(name, life.points, self.plan.second_step, self.plan.faulted):
                if self._open(state) and self._chance.randrange(self.plan.second) == 0:
                    kept.append(state)
                if self.done:
                    return
            for state in kept[:1]:
                self.second(state, self.plan.faulted)

    def flips(self, script: str) -> None:
        """A bit turned over in the last acknowledged batch, after a kill at any moment."""
        life = begun(script, Disk(), Truth(), 1)
        seen = set()
        for point in life.points:
            if point.truth in seen or not any(
                run.exists == "yes" and not run.pending for run in point.truth.runs
            ):
                continue
            seen.add(point.truth)
            for byte, bit in _flips(flippable(point.truth).acknowledged, self.plan.step):
                end = f"flip{byte}.{bit}"
                self.count.faults += 1
                name = f"{script}@{point.operation}={end}"
                state = State(name, point, end, Unsynced(point.disk))
                if said := state.check():
                    self._say(state.name, said)
                if self.done:
                    return

    def _mine(self, number: int) -> bool:
        own, parts = self.plan.part
        return number % parts == own

    # -- one state after the other ---------------------------------------------------------

    def _ends(
        self, name: str, points: Sequence[Point], step: int, most: int | None = None
    ) -> Iterator[State]:
        for point in points:
            place = f"{name}@{point.operation}="
            unsynced = Unsynced(point.disk)
            for end in self._kills(point, step, most):
                yield State(place + end, point, end, unsynced)
            losses = unsynced.losses(step)
            if most is not None:
                every = list(losses)
                chance = random.Random(zlib.crc32(place.encode()) + self.plan.seed)
                losses = iter(every if len(every) <= most else chance.sample(every, most))
            for loss in losses:
                end = f"{loss}"
                yield State(place + end, point, end, unsynced)

    def _kills(self, point: Point, step: int, most: int | None) -> Iterator[str]:
        yield "kill"
        if any(getattr(node, "stale", 0) for node in point.disk.nodes.values()):
            yield "evict"
        if point.coming is not None and most is None:
            for size in range(1, len(point.coming[1][1]), step):
                yield f"kill{size}"

    def _open(self, state: State) -> bool:
        """Hold a state against the oracle; gives whether its disk was another one."""
        self.count.states += 1
        if not state.is_kill:
            key = (hash(state.image), hash(state.point.truth))
            if key in self._known:
                return False
            self._known.add(key)
        self.count.images += 1
        said = state.check()
        if said:
            self._say(state.name, said)
        return True

    def _blame(self, name: str, life: Life) -> None:
        if life.said:
            self._say(f"{name}@end=kill", life.said)

    def _say(self, name: str, said: Sequence[str]) -> None:
        if len(self.count.violations) < VIOLATIONS_KEPT:
            self.count.violations = [*self.count.violations, (name, "; ".join(said))]


def _flips(log: bytes, step: int) -> Iterator[tuple[int, int]]:
    """Bits of the last batch: of every ``step``-th byte one; of hashes that of capitals."""
    lines = log.splitlines(keepends=True)
    count = int(lines[-1].rpartition(b'"batch":[')[2].partition(b"]")[0].partition(b",")[2])
    start = len(log) - sum(map(len, lines[-count:]))
    yield from ((byte, byte * 7 % 8) for byte in range(start, len(log), step))
    for line in lines[-count:]:
        start += len(line)
        yield from ((byte, 5) for byte in range(start - SUFFIX_BYTES, start))

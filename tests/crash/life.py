"""
Lives: what a program does with a store, step by step, through the real code, on a simulated disk.

A life goes on after an error as a program would: it lets go of its lease and opens the run again.
It keeps the truth: what was handed in, acknowledged, shown. ``points`` are the moments at which it
may end, each with a copy of the disk and of the truth.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from journal.backends.filesystem import FilesystemLog
from journal.errors import StorageError
from journal.events.base import Event
from journal.events.log import LogEmitted
from journal.ids import RunId
from journal.log import Lease
from tests.crash import world
from tests.crash.disk import Disk
from tests.crash.faults import Fault
from tests.crash.oracle import Oracle, RunTruth, Truth, open_log
from tests.support.logs import Lines

Step = tuple[Any, ...]
"""Name of a step and its arguments, such as ``("append", 10, 600)``."""

T = TypeVar("T")

RUNS = tuple(RunId(f"019aab00-0000-7000-8000-00000000000{n}") for n in range(4))


class Point(NamedTuple):
    """A moment between two operations, the disk, the truth."""

    operation: str
    """The next one, such as ``write3``, the third write; ``.r``: a reader has looked and synced."""
    disk: Disk
    truth: Truth
    coming: tuple[str, tuple[Any, ...]] | None
    """The write that comes next, if it is one: a kill may leave a part of it."""


class Life:
    """
    One process. ``number`` counts the processes on this disk, from 1.

    ``wanted``: an operation before which there is a point in any case. Otherwise there is one
    wherever disk or truth have changed.
    """

    def __init__(
        self,
        disk: Disk,
        truth: Truth,
        number: int,
        *,
        fault: Fault | None = None,
        wanted: str | None = None,
    ) -> None:
        self.disk = disk
        self.truth = truth
        self.number = number
        self.fault = fault
        self.points: list[Point] = []
        self.said: list[str] = []
        self._wanted = wanted
        self._counts: Counter[str] = Counter()
        self.operations: list[tuple[str, int]] = []
        """Name of each operation, and how many bytes it was to write."""
        self._seen: tuple[int, Truth] | None = None
        self._log: FilesystemLog | None = None
        self._leases: dict[RunId, Lease] = {}
        self._stopped: dict[RunId, Lease] = {}
        self._named: dict[RunId, tuple[str, int]] = {}
        disk.watch = self._watch

    def live(self, steps: Sequence[Step]) -> None:
        """Do all ``steps``; what each raises is looked at, and the next one follows."""
        world.begin(self.number, self.disk.boot)
        try:
            for name, *arguments in steps:
                getattr(self, name)(*arguments)
            self._point("end", None)
        finally:
            self.disk.watch = None

    # -- watching --------------------------------------------------------------------------

    def _watch(self, name: str, arguments: tuple[Any, ...]) -> int | None:
        writes = name in {"write", "pwrite"}
        self.operations.append((name, len(arguments[1]) if writes else 0))
        self._counts[name] += 1
        operation = f"{name}{self._counts[name]}"
        self._point(operation, (name, arguments) if writes else None)
        return None if self.fault is None else self.fault.strike(operation, name)

    def _point(self, operation: str, coming: tuple[str, tuple[Any, ...]] | None) -> None:
        if operation == self._wanted:
            self._take(operation, coming)
            return
        if self.fault is not None and not self.fault.struck:
            return
        if coming is None and self._seen == (self.disk.version, self.truth):
            return
        self._take(operation, coming)

    def _take(self, operation: str, coming: tuple[str, tuple[Any, ...]] | None) -> None:
        clock = world.held()
        oracle = Oracle(self.number)
        truth, disk = oracle.look(self.disk, self.truth)
        self.said += oracle.said
        world.restore(clock)
        if disk is self.disk:
            self.truth = truth  # it costs nothing that somebody looks at every moment
        self.points.append(Point(operation, self.disk.copy(), self.truth, coming))
        if disk is not self.disk:
            # Who looked had to sync first, so this life goes on without it: with and without are
            # two states.
            self.points.append(Point(f"{operation}.r", disk, truth, None))
        self._seen = (self.disk.version, self.truth)

    # -- steps -----------------------------------------------------------------------------

    def open(self) -> None:
        """Open the store, and make it where it is missing."""
        if self.truth.store == "no":
            self.truth = self.truth._replace(store="maybe")
        self._log = self._call(open_log, self.disk)
        if self._log is not None:
            self.truth = self.truth._replace(store="yes")
            if self.truth.cursor is None and not self.truth.runs:
                changes = self._call(self._log.changes, None)
                if changes is not None:
                    self.truth = self.truth._replace(cursor=changes.cursor)

    def create(self, number: int, *sizes: int) -> None:
        """Make run ``number`` with lines that hold so many bytes of text."""
        run_id = RUNS[number]
        lines = Lines(run_id).of(events_of(0, sizes))
        known = self._run(run_id)
        if self._log is None or known.exists == "yes":
            return
        self._know(known._replace(exists="maybe", pending=b"".join(lines)))
        lease = self._call(self._log.create, run_id, lines)
        if lease is not None:
            self._leases[run_id] = lease
            self._acknowledged(run_id)

    def append(self, number: int, *sizes: int) -> None:
        """Append one batch of lines that hold so many bytes of text."""
        lease = self._leases.get(RUNS[number])
        if lease is not None:
            self._append(lease, events_of(lease.head.seq, sizes))

    def _append(self, lease: Lease, events: Sequence[Event]) -> bool:
        assert self._log is not None
        lines = Lines(lease.run_id)
        lines.seq, lines.link = lease.head.seq, lease.head.hash
        batch = lines.of(events)
        run_id = lines.run_id
        known = self._run(run_id)
        if not known.pending:  # else this lease is broken, and must refuse
            self._know(known._replace(pending=b"".join(batch)))
        broken = bool(known.pending)
        head = self._call(self._log.append, lease, batch, refused=self._refused(run_id))
        if head is None:
            return False
        if broken:
            self.said.append("a broken lease appends")
        self._acknowledged(run_id)
        return True

    def _refused(self, run_id: RunId) -> Callable[[StorageError], None]:
        def note(failure: StorageError) -> None:
            if failure.info.details.reason == "cut_back":
                self._know(self._run(run_id)._replace(pending=b""))

        return note

    def release(self, number: int) -> None:
        """Let go of the run."""
        lease = self._leases.pop(RUNS[number], None)
        if lease is not None:
            assert self._log is not None
            self._call(self._log.release, lease)

    def acquire(self, number: int) -> None:
        """Take the run again, through recovery."""
        run_id = RUNS[number]
        known = self._run(run_id)
        if self._log is None or run_id in self._leases or known.exists == "no":
            return
        lease = self._call(self._log.acquire, run_id, allowed=known.exists != "yes")
        if lease is None:
            return
        self._leases[run_id] = lease
        self._took(known, lease)

    def _took(self, known: RunTruth, lease: Lease) -> None:
        """What was recovered is what is acknowledged from here on."""
        oracle = Oracle(self.number)
        data = oracle.check_lease(open_log(self.disk.copy()), known, lease)
        self.said += oracle.said
        kept = tuple(each for each in known.artifacts if each.end <= len(data))
        self._know(
            known._replace(
                exists="yes", acknowledged=data, pending=b"", shown=len(data), artifacts=kept
            )
        )

    def again(self, number: int) -> None:
        """Take the run, or make it where it never was; what was being deleted may come back."""
        run_id = RUNS[number]
        self.acquire(number)
        if self._log is None or self._run(run_id).exists != "maybe":
            return
        listed = self._call(lambda log: run_id in set(log.runs()), self._log)
        if listed is False:
            self._know(RunTruth(run_id))
            self.create(number, 20, 30)

    # -- what is known ---------------------------------------------------------------------

    def _run(self, run_id: RunId) -> RunTruth:
        found = (run for run in self.truth.runs if run.run_id == run_id)
        return next(found, RunTruth(run_id))

    def _know(self, run: RunTruth) -> None:
        self.truth = self.truth.with_run(run)

    def _acknowledged(self, run_id: RunId) -> None:
        known = self._run(run_id)
        data = known.acknowledged + known.pending
        self._know(
            known._replace(
                exists="yes", acknowledged=data, pending=b"", shown=max(known.shown, len(data))
            )
        )

    def _call(
        self,
        function: Callable[..., T],
        *arguments: Any,
        allowed: bool = False,
        refused: Callable[[StorageError], None] | None = None,
    ) -> T | None:
        """Give what ``function`` gives, or ``None`` if it failed as it may."""
        try:
            return function(*arguments)
        except StorageError as failure:
            if refused is not None:
                refused(failure)
            if not allowed and (self.fault is None or not self.fault.struck):
                self.said.append(f"refused without a cause: {failure}")
        except Exception as failure:  # noqa: BLE001 - whatever escapes is what is looked for
            self.said.append(f"{type(failure).__name__} escapes: {failure}")
        return None


def events_of(seq: int, sizes: Sequence[int]) -> list[Event]:
    return [
        LogEmitted(name=f"n{seq + n}", data={"text": chr(97 + (seq + n) % 26) * size})
        for n, size in enumerate(sizes)
    ]

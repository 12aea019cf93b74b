"""
Progress of long work that is not a run: runs done of all, events per second, time left.

Silent for the first second, so that short work says nothing. Called on a worker thread.

Below: output, text, store. Above: every command that reads.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from projections.cli import output
from projections.cli.text import amount, count, duration

if TYPE_CHECKING:
    from projections.store import Projections

PATIENCE_S = 1.0
"""Work that takes less needs no progress."""

QUIET_S = 10.0
"""How often a line is written where there is no terminal."""


class Meter:
    """``with Meter("verifying") as meter:``; hand ``meter.show`` to the work."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._began = time.monotonic()
        self._said = self._began - QUIET_S
        self._status: Any = None
        self._last = 0, 0

    def __enter__(self) -> Self:
        return self

    def show(self, done: int, total: int, events: int) -> None:
        """Say how far the work is: runs done, runs in all, events read."""
        now = time.monotonic()
        self._last = done, events
        passed = now - self._began
        if passed < PATIENCE_S:
            return
        left = f", {duration(passed / done * (total - done))} left" if 0 < done < total else ""
        line = (
            f"{self._what}: {amount(done)} of {count(total, 'run')}, {count(events, 'event')}, "
            f"{amount(round(events / passed))} events/s{left}"
        )
        if output.can_redraw():
            if self._status is None:
                self._status = output.messages().status(line)
                self._status.start()
            self._status.update(line)
        elif now - self._said >= QUIET_S:
            self._said = now
            output.messages().print(line, soft_wrap=True)

    def summary(self, done: str, found: str) -> str:
        """What was done, for the last line."""
        runs, events = self._last
        took = duration(time.monotonic() - self._began)
        return f"{done} {count(runs, 'run')}, {count(events, 'event')} in {took}: {found}."

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._status is not None:
            self._status.stop()


@contextmanager
def catching_up(runs: "Projections") -> Iterator[None]:
    """Show how far reading is, in a block that asks ``runs`` and prints nothing itself."""
    with Meter("Reading") as meter:
        runs.progress = meter.show
        try:
            yield
        finally:
            runs.progress = None

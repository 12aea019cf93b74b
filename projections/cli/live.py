"""
Live progress of a run on stderr: a bar per running phase on a terminal, plain lines elsewhere.

Reads the run's own log as it grows, on a thread and an event loop of its own: so it shows what is
durable and nothing else, also while the pipeline keeps the other loop busy. It can fall behind or
fail without the run noticing.

Below: render, text, output, journal.follow, exits. Above: run.
"""

import threading
import time
from typing import Protocol

import anyio
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from journal.errors import StorageError
from journal.events import phase
from journal.events.step import StepCompleted
from journal.follow import follow
from journal.ids import RunId
from journal.log import EventLog
from journal.record import Record
from projections.cli import output, render
from projections.cli.exits import say
from projections.cli.text import amount, count, duration, visible, where

QUIET_S = 10.0
"""Without a terminal, a phase that is still running says so this often, if it reports at all."""

_JOIN_S = 5.0

_ENDED = {
    phase.PhaseCompleted: "completed",
    phase.PhaseFailed: "failed",
    phase.PhaseCancelled: "cancelled",
    phase.PhaseBlocked: "blocked",
    phase.PhaseSkipped: "skipped",
    phase.PhaseInvalidated: "invalidated",
}


class Board(Protocol):
    """Something that shows how a run goes on."""

    def show(self, record: Record) -> None:
        """Go one event on."""
        ...

    def close(self) -> None:
        """Leave the screen as it should stay."""
        ...


class Lines:
    """A line for each phase that ends, and now and then one for a phase that goes on."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._said: dict[tuple[str | None, str | None], float] = {}

    def show(self, record: Record) -> None:
        """Say what ended; say how far a phase is when it was quiet for long."""
        event = record.data
        if type(event) in _ENDED:
            self._console.print(_ending(record), soft_wrap=True)
        elif isinstance(event, phase.PhaseStarted):
            self._said[record.phase, event.partition] = time.monotonic()
        elif isinstance(event, phase.PhaseProgress):
            key = record.phase, event.partition
            if time.monotonic() - self._said.get(key, 0.0) > QUIET_S:
                self._said[key] = time.monotonic()
                line = _line("running", f"{where(*key)}  {_done(event)}")
                self._console.print(line, soft_wrap=True)

    def close(self) -> None:
        """Nothing is left to do."""


class Bars:
    """A bar for each running phase and partition; what ended scrolls up as a line."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("▶ {task.description}", style="cyan", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[done]}", markup=False),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            redirect_stdout=output.stdout_is_terminal(),
            refresh_per_second=8,
        )
        self._tasks: dict[tuple[str | None, str | None], TaskID] = {}
        self._steps: dict[tuple[str | None, str | None], int] = {}
        self._progress.start()

    def show(self, record: Record) -> None:
        """Begin, move or end a bar."""
        event = record.data
        if type(event) in _ENDED:
            self._end_task((record.phase, getattr(event, "partition", None)))
            self._progress.refresh()  # else the bar is drawn once more below the line
            self._progress.console.print(_ending(record), soft_wrap=True)
            return
        key = record.phase, getattr(event, "partition", None)
        if isinstance(event, phase.PhaseStarted):
            self._end_task(key)
            self._steps[key] = 0
            self._tasks[key] = self._progress.add_task(where(*key), total=None, done="")
        elif key in self._tasks and isinstance(event, phase.PhaseProgress):
            self._progress.update(
                self._tasks[key], completed=event.done, total=event.total, done=_done(event)
            )
        elif key in self._tasks and isinstance(event, StepCompleted):
            self._steps[key] += 1
            task = self._progress.tasks[self._progress.task_ids.index(self._tasks[key])]
            if task.total is None:
                self._progress.update(self._tasks[key], done=count(self._steps[key], "step"))

    def _end_task(self, key: tuple[str | None, str | None]) -> None:
        if key in self._tasks:
            self._progress.remove_task(self._tasks.pop(key))

    def close(self) -> None:
        """Take the bars away; the lines above them stay."""
        self._progress.stop()


def _line(word: str, text: str) -> Text:
    line = render.status(word)
    line.pad_right(max(1, 14 - len(line)))
    line.append_text(render.plain(text))
    return line


def _ending(record: Record) -> Text:
    return _line(_ENDED[type(record.data)], _how_it_ended(record))


def _how_it_ended(record: Record) -> str:
    event = record.data
    place = where(record.phase, getattr(event, "partition", None))
    if isinstance(event, phase.PhaseCompleted):
        return f"{place}  {duration(event.duration_s)}"
    why = ""
    if isinstance(event, phase.PhaseFailed):
        again = "; another attempt follows" if event.will_retry else ""
        why = f"{event.error.type}: {event.error.message}{again}"
    elif isinstance(event, phase.PhaseBlocked):
        why = event.reason or f"missing: {', '.join(event.missing)}"
    elif isinstance(event, phase.PhaseInvalidated):
        why = f"{where(event.because.phase, event.because.partition)} has a newer result"
    elif isinstance(event, phase.PhaseCancelled | phase.PhaseSkipped):
        why = event.reason
    return f"{place}  {why}"


def _done(event: phase.PhaseProgress) -> str:
    total = "" if event.total is None else f"/{amount(event.total)}"
    unit = f" {event.unit}" if event.unit else ""
    return visible(f"{amount(event.done)}{total}{unit}")


class Watcher:
    """Follows a run on a thread of its own and shows it on a board; made by ``watch``."""

    def __init__(self, log: EventLog, run_id: RunId, board: Board, after_seq: int) -> None:
        self._log = log
        self._run_id = run_id
        self._board = board
        self._after_seq = after_seq
        self._closed = False
        self._thread = threading.Thread(target=self._watch, name="journal-progress", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Wait until the run's last event was shown; the run is closed by now."""
        self._thread.join(_JOIN_S)
        self._closed = True  # who is late by then says nothing below the last line
        self._board.close()

    def _watch(self) -> None:
        try:
            anyio.run(self._follow)
        except StorageError as failure:
            # The run itself meets the same trouble, and says it where it belongs.
            say(f"No progress is shown any more: {failure.code.value}.")

    async def _follow(self) -> None:
        async for _, record in follow(self._log, self._run_id, self._after_seq):
            if self._closed:
                return
            self._board.show(record)


def watch(log: EventLog, run_id: RunId, after_seq: int) -> Watcher:
    """
    Show what happens in a run behind ``after_seq``, until it rests.

    As bars where stderr is a terminal that can move its cursor; as lines elsewhere.
    """
    console = output.messages()
    return Watcher(log, run_id, Bars(console) if output.can_redraw() else Lines(console), after_seq)

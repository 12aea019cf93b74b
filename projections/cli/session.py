"""
One pipeline at work under ``journal run`` or ``journal resume``: its id, its progress, its end.

Prints the run's id as soon as the run is durable, starts the progress, and turns the end into a
few lines with the next commands and an exit code. Records nothing itself.

Below: settings, live, exits, journal, output, text, run_models, store. Above: run.
"""

import time
from collections.abc import Awaitable, Callable, Collection
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from projections.cli import exits, output
from projections.cli.settings import Settings
from projections.cli.text import count, duration, where

if TYPE_CHECKING:
    from journal.ids import RunId
    from journal.journal import Journal
    from journal.log import EventLog
    from journal.run import Run
    from journal.secrets import SecretsGuard
    from projections.cli.live import Watcher
    from projections.run_models import RunState

Work = Callable[["Journal", Callable[["Run"], None]], Awaitable[Any]]

_KEPT = frozenset({"completed", "skipped"})


async def state_of(store: str, name: str) -> "RunState":
    """The state of a run that a person named."""
    from projections.store import Projections

    async with Projections.open(store) as runs:
        return await runs.state(await runs.resolve(name))


class Session:
    """
    One pipeline at work in this process, from the id on stdout to the exit code.

    ``before`` is how a run stood that goes on now; without it the store may be made. ``secrets`` is
    the pipeline's own guard.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        before: "RunState | None" = None,
        redo: Collection[str] = (),
        secrets: "SecretsGuard",
    ) -> None:
        self._settings = settings
        self._before = before
        self._redo = redo
        self._secrets = secrets
        self._run: Run | None = None
        self._watch: Callable[[EventLog, RunId, int], Watcher] | None = None
        self._watcher: Watcher | None = None
        self._began = time.monotonic()

    def run(self, work: Work) -> int:
        """Do the work; gives the exit code. Raises what is a defect of somebody's program."""
        import anyio

        if not self._settings.json:
            # Before the run, whose loop must not wait for rich to be imported.
            from projections.cli import live

            self._watch = live.watch
        try:
            try:
                anyio.run(self._work, work)
            finally:
                if self._watcher is not None:
                    self._watcher.close()
        except KeyboardInterrupt:
            return self._interrupted()
        except Exception as failure:
            code = self._ended_badly(failure)
            if code is None:
                raise
            return code
        return self._completed()

    async def _work(self, work: Work) -> None:
        from journal.journal import Journal

        opened = Journal.open(
            self._settings.store, create=self._before is None, secrets=self._secrets
        )
        async with opened as journal:

            def on_run(run: "Run") -> None:
                self._run = run
                _print_id(run.id)
                if self._before is not None:
                    exits.note(what_is_kept(self._before, self._redo), self._settings)
                if self._watch is not None:
                    self._watcher = self._watch(journal.log, run.id, run.seq)

            await work(journal, on_run)

    def _completed(self) -> int:
        if self._run is None:
            raise RuntimeError("the pipeline ended without having made a run")
        counts = self._run.state.counts()
        what = f"{count(counts.phases_completed, 'phase')}, {count(counts.artifacts, 'artifact')}"
        exits.note(f"Run {self._run.id} completed in {self._took()}: {what}.", self._settings)
        return exits.SUCCESS

    def _took(self) -> str:
        """How long this process took; of a run that went on, how long it is since it began, too."""
        took = duration(time.monotonic() - self._began)
        if self._before is None:
            return took
        whole = duration((datetime.now(UTC) - self._before.created_at).total_seconds())
        return took if whole == took else f"{took} ({whole} since it was created)"

    def _interrupted(self) -> int:
        run = self._run
        if self._settings.json:
            run_id = run.id if run else None
            exits.tell_json("interrupted", "interrupted by a signal", run_id=run_id)
        elif run is None:
            exits.say("Interrupted before there was a run.")
        else:
            exits.say(f"Run {run.id} was interrupted and is {run.state.status}.")
            self._say_next(run)
        return exits.INTERRUPTED

    def _ended_badly(self, failure: Exception) -> int | None:
        run = self._run
        if run is not None and run.state.status == "failed":
            return self._failed(run, failure)
        # It never began; or the storage broke, and nothing in the log says how it ended.
        code = exits.report(failure, self._settings)
        if run is not None and code is not None and not self._settings.json:
            self._say_next(run)
        return code

    def _failed(self, run: "Run", failure: Exception) -> int:
        import anyio

        from journal.errors import StorageError

        try:
            lines = _errors(anyio.run(state_of, self._settings.store, run.id))
        except StorageError:
            lines = [f"{type(failure).__name__}: {failure}"]
        if self._settings.json:
            exits.tell_json(
                "run_failed",
                "; ".join(lines),
                run_id=run.id,
                next_action=exits.next_command(f"journal resume {run.id}", self._settings),
            )
            return exits.FAILED
        exits.say(f"Run {run.id} failed after {self._took()}.")
        for line in lines:
            exits.say(f"  {line}")
        self._say_next(run)
        changed = exits.next_command(f"journal resume {run.id} --allow-changed", self._settings)
        exits.say(f"  after changing the code: {changed}")
        return exits.FAILED

    def _say_next(self, run: "Run") -> None:
        for verb in ("show", "resume"):
            command = exits.next_command(f"journal {verb} {run.id}", self._settings)
            exits.say(f"  next: {command}")


def what_is_kept(state: "RunState", redo: Collection[str]) -> str:
    """How many phases need not run again, and how many will; those behind a redone one run, too."""
    again = {text.partition("[")[0].rstrip() for text in redo}
    kept: set[str] = set()
    for phase in state.phases:  # in the plan's order: what comes before has been looked at
        if phase.status in _KEPT and phase.name not in again and kept.issuperset(phase.after):
            kept.add(phase.name)
    return f"{count(len(kept), 'phase')} kept, {len(state.phases) - len(kept)} to run."


def _errors(state: "RunState") -> list[str]:
    """What failed, by phase and partition; or how the run failed, where no phase did."""
    lines = [
        f"{where(phase.name, each.partition)}: {each.error.type}: {each.error.message}"
        for phase in state.phases
        for each in phase.partitions
        if each.status == "failed" and each.error is not None
    ]
    if not lines and state.error is not None:
        lines.append(f"{state.error.type}: {state.error.message}")
    return lines


def _print_id(run_id: str) -> None:
    """First on stdout, at once; whoever stopped reading must not stop the run."""
    try:
        output.write(f"{run_id}\n".encode())
        output.flush()
    except (OSError, AttributeError):  # nobody reads, a full disk, or no stdout at all
        output.close_quietly()

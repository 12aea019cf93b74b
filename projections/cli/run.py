"""
``journal run`` and ``journal resume``: run a pipeline, show how it goes, say how it ended.

The pipeline does the work and the recording (signals too); this prints the run's id as soon as
the run is durable, starts the progress, and turns the end into one line and an exit code.

Below: settings, target, parameters, live, exits; the store, journal. Above: app.
"""

import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from projections.cli import exits, output
from projections.cli.settings import Settings, common, pass_settings
from projections.cli.text import count, duration, where

if TYPE_CHECKING:
    from journal.ids import RunId
    from journal.journal import Journal
    from journal.log import EventLog
    from journal.pipeline import Pipeline
    from journal.run import Run
    from projections.cli.live import Watcher
    from projections.cli.targets import Target
    from projections.run_models import RunState

Work = Callable[["Journal", Callable[["Run"], None]], Awaitable[Any]]


@click.command("run")
@click.argument("target", metavar="TARGET")
@click.option(
    "-p", "pairs", metavar="K=V", multiple=True, help="A parameter, read as the pipeline says."
)
@common
@pass_settings
def run(settings: Settings, target: str, pairs: tuple[str, ...]) -> None:
    """
    Run a pipeline; every transition becomes an event.

    TARGET is path.py:name or package.module:name; the name may be left out where there is only
    one pipeline. Prints the run's id on stdout as soon as the run is durable. Ctrl-C and SIGTERM
    record that the run was cancelled; `journal resume` goes on with it.
    """
    from projections.cli import parameters, targets

    given = parameters.split_pairs(pairs)
    wanted = targets.parse(target)
    name, pipeline = _load(wanted, [Path.cwd()], settings)
    values = parameters.read(pipeline.parameters, given)
    recorded = targets.recorded(wanted, name, settings.store)

    async def work(journal: "Journal", on_run: Callable[["Run"], None]) -> Any:
        return await pipeline.run(journal, values, target=recorded, on_run=on_run)

    _end(Session(settings, create=True).run(work))


@click.command("resume")
@click.argument("run_", metavar="RUN")
@click.option("--allow-changed", is_flag=True, help="Go on although the code is another one.")
@common
@pass_settings
def resume(settings: Settings, run_: str, allow_changed: bool) -> None:
    """
    Go on where a run stopped; finished phases are not done again.

    What it runs is read out of the run's first event; a path in there is relative to the folder
    that holds the store. Exits with 4 while another process runs it.
    """
    import anyio

    state = anyio.run(_state, settings.store, run_)
    if state.status == "completed" and not allow_changed:
        output.write(f"{state.run_id}\n".encode())
        exits.note(f"Run {state.run_id} is completed: there is nothing to resume.", settings)
        return
    pipeline = _target_of(state, settings)

    async def work(journal: "Journal", on_run: Callable[["Run"], None]) -> Any:
        return await pipeline.resume(
            journal, state.run_id, allow_changed=allow_changed, on_run=on_run
        )

    _end(Session(settings, create=False).run(work))


async def _state(store: str, name: str) -> "RunState":
    from projections.store import Projections

    async with Projections.open(store) as runs:
        return await runs.state(await runs.resolve(name))


def _load(wanted: "Target", bases: list[Path], settings: Settings) -> tuple[str, "Pipeline"]:
    from projections.cli import targets

    try:
        return targets.load(wanted, bases)
    except targets.Broken as broken:
        cause = broken.__cause__
        what = f"{wanted.place} cannot be imported: {type(cause).__name__}: {cause}"
        if settings.json:
            exits.tell_json("target_failed", what)
        else:
            exits.say(targets.traceback_of(broken))
            exits.say(f"journal: {what}")
        raise click.exceptions.Exit(exits.FAILED) from broken


def _target_of(state: "RunState", settings: Settings) -> "Pipeline":
    """The pipeline of a run that was recorded before."""
    from journal.errors import StorageErrorCode, storage_error
    from projections.cli import targets

    if state.target is None:
        raise storage_error(
            StorageErrorCode.CONFLICT,
            f"run {state.run_id} names no target: a program made it, not `journal run`. Nothing "
            "was changed.",
            run_id=state.run_id,
            reason="no_target",
            next_action="in that program, await pipeline.resume(journal, run_id)",
        )
    bases = [targets.home_of(settings.store), Path.cwd()]
    try:
        return _load(targets.parse(state.target), bases, settings)[1]
    except click.BadParameter as failure:
        raise storage_error(
            StorageErrorCode.NOT_FOUND,
            f"the target of run {state.run_id}, {state.target}, is not there: {failure.message} "
            "Nothing was changed.",
            run_id=state.run_id,
            reason="target_gone",
            next_action="put it back, or resume in the folder where the run was started",
        ) from failure


class Session:
    """One pipeline at work in this process, from the id on stdout to the exit code."""

    def __init__(self, settings: Settings, *, create: bool) -> None:
        self._settings = settings
        self._create = create
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

        async with Journal.open(self._settings.store, create=self._create) as journal:

            def on_run(run: "Run") -> None:
                self._run = run
                _print_id(run.id)
                if self._watch is not None:
                    self._watcher = self._watch(journal.log, run.id, run.seq)

            await work(journal, on_run)

    def _completed(self) -> int:
        if self._run is None:
            raise RuntimeError("the pipeline ended without having made a run")
        counts = self._run.state.counts()
        took = duration(time.monotonic() - self._began)
        what = f"{count(counts.phases_completed, 'phase')}, {count(counts.artifacts, 'artifact')}"
        exits.note(f"Run {self._run.id} completed in {took}: {what}.", self._settings)
        return exits.SUCCESS

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
            lines = _errors(anyio.run(_state, self._settings.store, run.id))
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
        exits.say(f"Run {run.id} failed after {duration(time.monotonic() - self._began)}.")
        for line in lines:
            exits.say(f"  {line}")
        self._say_next(run)
        return exits.FAILED

    def _say_next(self, run: "Run") -> None:
        for verb in ("show", "resume"):
            command = exits.next_command(f"journal {verb} {run.id}", self._settings)
            exits.say(f"  next: {command}")


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
    except BrokenPipeError:
        output.close_quietly()


def _end(code: int) -> None:
    if code:
        raise click.exceptions.Exit(code)


COMMANDS = {"run": run, "resume": resume}

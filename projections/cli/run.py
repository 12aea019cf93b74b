"""
``journal run`` and ``journal resume``: run a pipeline, show how it goes, say how it ended.

The pipeline does the work and the recording (signals too); this finds the pipeline and its
parameters. How the work is shown and told: ``session.py``.

Below: settings, targets, parameters, session, exits, journal, output, run_models. Above: app.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from projections.cli import exits, output
from projections.cli.session import Session, state_of
from projections.cli.settings import Settings, common, pass_settings

if TYPE_CHECKING:
    from journal.journal import Journal
    from journal.pipeline import Pipeline
    from journal.run import Run
    from projections.cli.targets import Target
    from projections.run_models import RunState


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

    A parameter of type SecretStr is better set in the environment: JOURNAL_SECRET_API_KEY for
    api_key. It is not recorded, only that there was one.
    """
    from projections.cli import parameters, targets

    given = parameters.split_pairs(pairs)
    wanted = targets.parse(target)
    name, pipeline = _load(wanted, [Path.cwd()], settings)
    values = parameters.read(pipeline.parameters, given, os.environ)
    recorded = targets.recorded(wanted, name, settings.store)

    async def work(journal: "Journal", on_run: Callable[["Run"], None]) -> Any:
        return await pipeline.run(journal, values, target=recorded, on_run=on_run)

    _end(Session(settings, secrets=pipeline.secrets).run(work))


@click.command("resume")
@click.argument("run_", metavar="RUN")
@click.option(
    "-p",
    "pairs",
    metavar="K=V",
    multiple=True,
    help="A secret parameter again; better: set JOURNAL_SECRET_K.",
)
@click.option("--allow-changed", is_flag=True, help="Go on although the code is another one.")
@click.option(
    "--redo",
    metavar="PHASE",
    multiple=True,
    help="Run this phase again though it completed; translate[de] is one partition of it.",
)
@common
@pass_settings
def resume(
    settings: Settings,
    run_: str,
    pairs: tuple[str, ...],
    allow_changed: bool,
    redo: tuple[str, ...],
) -> None:
    """
    Go on where a run stopped; finished phases are not done again.

    What it runs is read out of the run's first event; a path in there is relative to the folder
    that holds the store. --redo may be given more than once; what was made from an older result
    runs again, too. Secret parameters were not recorded: they are read from the environment
    (JOURNAL_SECRET_API_KEY for api_key) or -p. Exits with 4 while another process runs it.
    """
    import anyio

    from projections.cli import parameters

    secrets = parameters.split_pairs(pairs)
    state = anyio.run(state_of, settings.store, run_)
    if state.status == "completed" and not (allow_changed or redo):
        output.write(f"{state.run_id}\n".encode())
        exits.note(f"Run {state.run_id} is completed: there is nothing to resume.", settings)
        return
    pipeline = _target_of(state, settings)

    async def work(journal: "Journal", on_run: Callable[["Run"], None]) -> Any:
        return await pipeline.resume(
            journal,
            state.run_id,
            allow_changed=allow_changed,
            redo=redo,
            secrets=secrets,
            on_run=on_run,
        )

    _end(Session(settings, before=state, redo=redo, secrets=pipeline.secrets).run(work))


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


def _end(code: int) -> None:
    if code:
        raise click.exceptions.Exit(code)


COMMANDS = {"run": run, "resume": resume}

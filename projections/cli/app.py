"""
The group ``journal``: which commands there are, and what an error becomes.

A command's module is imported when it is invoked and not before, so that ``journal --help`` pays
for click alone; the one-line helps therefore stand here too, and a test compares them. No
exception but a defect leaves: the rest ends as a message and an exit code.

Below: settings, exits, output. Above: nothing; ``projections.cli.main`` calls it. Next to read: the
command you want, one module each.
"""

import difflib
import sys
from functools import partial
from importlib import import_module
from typing import Any

import click

from projections.cli import exits, output
from projections.cli.settings import Settings, common

# Name -> the module that defines it under the same name, and its help in one line.
COMMANDS = {
    "run": ("run", "Run a pipeline; every transition becomes an event."),
    "resume": ("run", "Go on where a run stopped; finished phases are not done again."),
    "list": ("listing", "List the runs of the store, newest first."),
    "show": ("show", "Show the state of a run, now or at an earlier moment."),
    "events": ("events", "Print the events of a run; follow them as they come."),
    "artifacts": ("artifacts", "List what a run produced."),
    "cat": ("artifacts", "Print an artifact, checked against its hash."),
    "verify": ("verify", "Check logs, artifacts and indexes; name all that is wrong."),
    "repair": ("repair", "Set aside the torn tail that a crash left."),
    "salvage": ("salvage", "Make a new run from all that verifies of a damaged one."),
    "rebuild": ("rebuild", "Make the indexes anew from the logs, or compare them."),
    "head": ("head", "Print seq and hash of the last event: what to pin elsewhere."),
    "delete": ("delete", "Delete runs with all their files."),
}


class LazyGroup(click.Group):
    """A group that knows its commands by name until one of them is wanted."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order in which people meet them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of one command."""
        if cmd_name not in COMMANDS:
            return None
        module, _ = COMMANDS[cmd_name]
        found: click.Command = import_module(f"projections.cli.{module}").COMMANDS[cmd_name]
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which one may have been meant."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            close = difflib.get_close_matches(name, COMMANDS, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            ctx.fail(f"No such command {name!r}.{hint}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; whatever it raises becomes a message and an exit code."""
        try:
            with exits.warnings_told(ctx.ensure_object(Settings)):
                result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            output.close_quietly()
            ctx.exit(exits.SUCCESS)  # whoever read our output has seen enough
        except (KeyboardInterrupt, click.Abort):
            ctx.exit(exits.INTERRUPTED)
        except (click.ClickException, click.exceptions.Exit):
            raise
        except Exception as failure:
            code = exits.report(failure, ctx.ensure_object(Settings))
            if code is None:
                raise
            ctx.exit(code)
        return result


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="A run is named by its id, a unique prefix, the last eight characters (as `list` shows "
    "them), @latest or @latest-failed. RUN@412, RUN@-3 and RUN@2026-11-22T09:10:11Z are moments "
    "of it.",
)
@partial(common, envvar="JOURNAL_STORE")
def app() -> None:
    """Record pipeline runs event by event, and look at them at any moment."""

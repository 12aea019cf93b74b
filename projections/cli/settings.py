"""
What every command is told the same way: ``--store``, ``--json``, ``--version``.

All three may stand before the verb or after it; after it wins. Imports click alone, because
``journal --help`` comes by here.

Below: nothing. Above: app, every command.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

DEFAULT_STORE = "./.journal"

_F = TypeVar("_F", bound=Callable[..., Any])


@dataclass
class Settings:
    """Where to look and how to show it."""

    store: str = DEFAULT_STORE
    store_given: str | None = None
    """The store as ``--store`` named it: then the next command must name it too."""
    json: bool = False

    @property
    def for_people(self) -> bool:
        """Whether stdout is read by a person: a terminal, and nobody asked for JSON."""
        return not self.json and sys.stdout.isatty()


def _set_store(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    settings = ctx.ensure_object(Settings)
    if value is None:
        return
    if not value.strip():
        raise click.BadParameter("no folder is named.")
    settings.store = value
    if ctx.get_parameter_source("store") is click.core.ParameterSource.COMMANDLINE:
        settings.store_given = value


def _set_json(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    settings = ctx.ensure_object(Settings)
    settings.json = settings.json or value


def _show_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    from importlib.metadata import version

    click.echo(f"run-journal {version('run-journal')}")
    ctx.exit()


def common(command: _F, envvar: str | None = None) -> _F:
    """
    Add the three options to a command; what they say is in ``Settings``.

    Only the group reads ``JOURNAL_STORE`` (``envvar``): read again after the verb, it would win
    over a ``--store`` before it.
    """
    options = (
        click.option(
            "--store",
            metavar="DIR",
            envvar=envvar,
            callback=_set_store,
            expose_value=False,
            help=f"The store: a folder. [default: $JOURNAL_STORE, else {DEFAULT_STORE}]",
        ),
        click.option(
            "--json",
            is_flag=True,
            callback=_set_json,
            expose_value=False,
            help="JSON on stdout, and errors as JSON, on a terminal too.",
        ),
        click.option(
            "--version",
            is_flag=True,
            is_eager=True,
            callback=_show_version,
            expose_value=False,
            help="Say the version and end.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


pass_settings = click.make_pass_decorator(Settings, ensure=True)

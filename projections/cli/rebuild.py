"""
``journal rebuild``: the indexes anew from the logs, or compared with them.

Below: settings, meter, verify, output, exits, render, text, rebuild, store. Above: app.
"""

from typing import TYPE_CHECKING

import click

from projections.cli import exits, output
from projections.cli.settings import Settings, common, pass_settings
from projections.cli.text import amount, count

if TYPE_CHECKING:
    from projections.rebuild import RebuildReport


@click.command("rebuild")
@click.option("--check", is_flag=True, help="Compare only; exit 1 if they differ.")
@common
@pass_settings
def rebuild(settings: Settings, check: bool) -> None:
    """
    Make the indexes anew from the logs, or compare them.

    Built beside and swapped: readers go on meanwhile, and a kill leaves the old index whole.
    """
    import anyio

    report = anyio.run(_rebuild, settings.store, check)
    if settings.for_people:
        _show(report, settings)
    else:
        output.write_json(report)
    if report.findings:
        raise click.exceptions.Exit(exits.FAILED)


async def _rebuild(store: str, check: bool) -> "RebuildReport":
    from projections.cli.meter import Meter
    from projections.store import Projections

    async with Projections.open(store) as runs:
        with Meter("Comparing" if check else "Rebuilding") as meter:
            return await runs.rebuild(check=check, progress=meter.show)


def _show(report: "RebuildReport", settings: Settings) -> None:
    from projections.cli import render
    from projections.cli.verify import show_finding

    for finding in report.findings:
        show_finding(finding, settings)
    done = "Rebuilt from" if report.swapped else "Compared with"
    line = (
        f"{done} the logs of {count(report.runs, 'run')}: {count(report.events, 'event')}, "
        f"{count(report.artifacts, 'artifact')}."
    )
    if report.unreadable:
        line += f" {amount(report.unreadable)} of the runs cannot be read: journal verify."
    output.console().print(render.plain(line), soft_wrap=True)


COMMANDS = {"rebuild": rebuild}

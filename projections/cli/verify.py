"""
``journal verify``: all that is wrong, each with its place and what to do.

Below: settings, meter, output, exits, render, findings, store. Above: app.
"""

from typing import TYPE_CHECKING

import click

from projections.cli import exits, output
from projections.cli.settings import Settings, common, pass_settings

if TYPE_CHECKING:
    from projections.findings import Finding


@click.command("verify")
@click.argument("runs", metavar="[RUN]...", nargs=-1)
@common
@pass_settings
def verify(settings: Settings, runs: tuple[str, ...]) -> None:
    """
    Check logs, artifacts and indexes; name all that is wrong.

    All runs, or those that are named: every line and its hash, every artifact, and the indexes
    against a fresh fold of the logs. Changes nothing. Exits with 1 if anything is wrong; a torn
    tail, which `journal repair` sets aside, counts. A notice does not: somebody should know, but
    nothing is wrong with any run.
    """
    import anyio

    found = anyio.run(_verify, settings, runs)
    try:
        for finding in found:
            show_finding(finding, settings)
        output.flush()
    except BrokenPipeError:
        output.close_quietly()  # they are findings all the same
    wrong = sum(each.severity == "damage" for each in found)
    if wrong:
        exits.note(f"{wrong} things are wrong." if wrong > 1 else "1 thing is wrong.", settings)
        raise click.exceptions.Exit(exits.FAILED)


async def _verify(settings: Settings, names: tuple[str, ...]) -> list["Finding"]:
    from projections.cli.meter import Meter
    from projections.store import Projections

    async with Projections.open(settings.store) as runs:
        wanted = [await runs.resolve(name) for name in names] or None
        with Meter("Verifying") as meter:
            found = await runs.verify(wanted, progress=meter.show)
        if all(each.severity == "notice" for each in found):
            exits.note(meter.summary("Verified", "nothing is wrong"), settings)
    return found


def show_finding(finding: "Finding", settings: Settings) -> None:
    """One finding on stdout: a line of JSON, or a few lines for people."""
    if not settings.for_people:
        output.write_json(finding)
        return
    from projections.cli import render

    console = output.console()
    wrong = finding.severity == "damage"
    line = render.plain(finding.code.value if wrong else "notice", "bold red" if wrong else "bold")
    line.append_text(render.plain(f"  {finding.message}"))
    console.print(line, soft_wrap=True)
    place = [
        f"{word} {value}"
        for word, value in (
            ("run", finding.run_id),
            ("artifact", finding.artifact_id),
            ("line", finding.seq),
            ("byte", finding.offset),
            ("path", finding.path),
        )
        if value is not None
    ]
    console.print(
        render.plain(f"  place: {', '.join(place) or 'the store'}", "dim"), soft_wrap=True
    )
    action = exits.next_command(finding.next_action, settings)
    if action:
        console.print(render.plain(f"  next: {action}", "dim"), soft_wrap=True)


COMMANDS = {"verify": verify}

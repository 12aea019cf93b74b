"""
``journal artifacts`` and ``journal cat``: what a run produced, and the bytes themselves.

Bytes are checked against their hash before they count: small ones before the first is printed,
large ones before the command ends with 0 or the file gets its name.

Below: settings, meter, output, render, save, exits, text, store. Above: app.
"""

import codecs
from pathlib import Path
from typing import TYPE_CHECKING

import click

from projections.cli import output
from projections.cli.settings import Settings, common, pass_settings
from projections.cli.text import size, visible, where

if TYPE_CHECKING:
    from journal.artifacts.store import ArtifactMetadata
    from projections.store import Projections


@click.command("artifacts")
@click.argument("run", metavar="RUN")
@common
@pass_settings
def artifacts(settings: Settings, run: str) -> None:
    """
    List what a run produced.

    In the order in which it was stored. The first column is what `journal cat` takes.
    """
    import anyio

    found = anyio.run(_list, settings.store, run)
    if settings.for_people:
        _show(found)
        return
    for metadata in found:
        output.write_json(metadata)


async def _list(store: str, name: str) -> list["ArtifactMetadata"]:
    from projections.cli.meter import catching_up
    from projections.store import Projections

    async with Projections.open(store) as runs:
        with catching_up(runs):
            run_id = await runs.resolve(name)
            await runs.state(run_id)  # refuses a damaged log: half a list is not the whole
            return await runs.artifacts(run_id)


def _show(found: list["ArtifactMetadata"]) -> None:
    from projections.cli import exits, render

    if not found:
        exits.say("No artifacts.")
        return
    table = render.Sheet(
        [
            ("ARTIFACT", "word"),
            ("PHASE", "name"),
            ("FORMAT", "word"),
            ("SIZE", "number"),
            ("WHAT", "text"),
        ]
    )
    for each in found:
        table.add_row(
            each.artifact_id[-8:],
            "" if each.phase is None else where(each.phase, each.partition),
            each.format.value,
            size(each.size_bytes),
            _what(each),
        )
    console = output.console()
    console.print(table.fitted(console.width), soft_wrap=True)


def _what(each: "ArtifactMetadata") -> str:
    """The role, and what was said about it; the phase's own output needs no words."""
    if each.description is None or each.description.startswith("Returned by "):
        return each.role
    return f"{each.role}: {each.description}"


def _checked_path(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is not None:
        path = Path(value)
        if path.is_dir():
            raise click.BadParameter(f"{value!r} is a folder.")
        if not path.absolute().parent.is_dir():
            raise click.BadParameter(f"there is no folder {str(path.parent)!r}.")
    return value


@click.command("cat")
@click.argument("artifact_id", metavar="ARTIFACT_ID")
@click.option("-o", "path", metavar="FILE", callback=_checked_path, help="Write to FILE instead.")
@common
@pass_settings
def cat(settings: Settings, artifact_id: str, path: str | None) -> None:
    """
    Print an artifact, checked against its hash.

    An artifact is named by its id, a unique prefix, or the last eight characters (as `artifacts`
    shows them). FILE appears whole or not at all. Binary content is not written to a terminal.
    Exits with 1 when the bytes are not what was stored, with 3 when they are not there.
    """
    import anyio

    anyio.run(_cat, settings, artifact_id, path)


async def _cat(settings: Settings, typed: str, path: str | None) -> None:
    from projections.store import Projections

    async with Projections.open(settings.store) as runs:
        metadata = await runs.artifact(await runs.resolve_artifact(typed))
        if path is not None:
            await _save(runs, metadata, path, settings)
        elif output.stdout_is_terminal():
            await _print_text(runs, metadata)
        else:
            async for chunk in runs.open_artifact(metadata.artifact_id):
                output.write(chunk)
            output.flush()


async def _save(
    runs: "Projections", metadata: "ArtifactMetadata", path: str, settings: Settings
) -> None:
    from projections.cli import exits
    from projections.cli.save import saving

    with saving(path) as file:
        async for chunk in runs.open_artifact(metadata.artifact_id):
            file.write(chunk)
    exits.note(f"{size(metadata.size_bytes)} written to {path}.", settings)


async def _print_text(runs: "Projections", metadata: "ArtifactMetadata") -> None:
    """Text on a screen: what a terminal would obey is written out."""
    if metadata.format == "binary":
        raise click.UsageError(
            f"the artifact is binary ({metadata.media_type}): use -o FILE, or a pipe."
        )
    decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
    async for chunk in runs.open_artifact(metadata.artifact_id):
        output.write(visible(decoder.decode(chunk), keep="\n\t").encode("utf-8", "replace"))
    output.write(visible(decoder.decode(b"", final=True)).encode())
    output.flush()


COMMANDS = {"artifacts": artifacts, "cat": cat}

"""
The command ``journal``: how people look at a store.

Owns words, tables and exit codes; whatever it knows about runs it asks of ``Projections`` and
``Journal``. Data goes to stdout, everything said about it to stderr; a table for a terminal, JSON
Lines for a pipe. All commands with their options: docs/commands.md.

Below: store, journal. Above: nothing. Next to read: ``app.py``.
"""


def main() -> None:
    """Entry point of the command; ends the process with an exit code."""
    from journal import terminate
    from projections.cli import streams

    streams.make_fit()
    terminate.as_interrupt()
    from projections.cli.app import app

    app(prog_name="journal")

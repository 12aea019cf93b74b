"""
The command ``journal``: how people look at a store.

Owns words, tables and exit codes; whatever it knows about runs it asks of ``Projections`` and
``Journal``. Data goes to stdout, everything said about it to stderr; a table for a terminal, JSON
Lines for a pipe. All commands with their options: docs/commands.md.

Below: store, journal. Above: nothing. Next to read: ``app.py``.
"""

import sys
from io import TextIOWrapper


def main() -> None:
    """Entry point of the command; ends the process with an exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A terminal that cannot show a character gets its number instead of our traceback.
            stream.reconfigure(errors="backslashreplace")
    from projections.cli.app import app

    app(prog_name="journal")

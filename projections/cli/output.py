"""
Stdout and stderr: bytes for a pipe, a rich console for a person.

JSON goes out as UTF-8 whatever the locale says, and never through rich. rich honours NO_COLOR,
FORCE_COLOR and TERM=dumb; its markup is off, because text out of a log could hold some.

Below: text. Above: render, every command.
"""

import os
import sys
from typing import TYPE_CHECKING

from projections.cli.text import visible_in_json

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import Console


def write(data: bytes) -> None:
    """Write bytes to stdout as they are, buffered."""
    sys.stdout.buffer.write(data)


def flush() -> None:
    """Hand on what is buffered; raises ``BrokenPipeError`` when nobody reads any more."""
    sys.stdout.buffer.flush()


def write_line(line: bytes) -> None:
    """Write a line of JSON to stdout: as it is, but with nothing that a terminal would obey."""
    write(visible_in_json(line) if stdout_is_terminal() else line)


def write_json(model: "BaseModel") -> None:
    """Write a model to stdout as one line of JSON."""
    write_line(model.model_dump_json().encode() + b"\n")


def console() -> "Console":
    """The terminal behind stdout. Text for it is made visible before (``text.visible``)."""
    return _console(stderr=False)


def messages() -> "Console":
    """The terminal, or whatever else, behind stderr."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> "Console":
    from rich.console import Console

    return Console(
        stderr=stderr,
        markup=False,
        emoji=False,
        highlight=False,
        # rich still writes bold under NO_COLOR; who sets it wants no escape sequences at all.
        color_system=None if os.environ.get("NO_COLOR") else "auto",
    )


def can_redraw() -> bool:
    """Whether stderr is a screen on which a line can be written anew; FORCE_COLOR makes none."""
    return sys.stderr.isatty() and os.environ.get("TERM", "") not in {"", "dumb", "unknown"}


def stdout_is_terminal() -> bool:
    """Whether what is written to stdout appears on a screen."""
    return sys.stdout.isatty()


def close_quietly() -> None:
    """Nobody reads stdout: what is buffered, and what else is written, goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    if sys.stdout is None:  # closed by the caller before the command began
        sys.stdout = os.fdopen(nowhere, "w", encoding="utf-8")
        return
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)

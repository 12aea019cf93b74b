"""
The three standard streams, made fit: whatever the caller closed or filled, a command goes on.

A descriptor below 3 that is closed would be given to the next file that is opened, and a message
would be written into a log: so they are taken first. Stderr never fails, for what a run did must
not depend on whether its progress could be shown. Stdout fails as it should (a full disk ends with
5), unless it was closed from the beginning: then nobody wants what goes there.

Below: nothing. Above: projections.cli.main.
"""

import os
import sys
from io import BufferedReader, BufferedWriter, FileIO, TextIOWrapper
from typing import Any


class _Unfailing(FileIO):
    """A descriptor that takes whatever it is given; what it cannot hold goes nowhere."""

    def write(self, data: Any, /) -> int:
        size = memoryview(data).nbytes
        try:
            taken: int | None = super().write(data)
        except OSError:
            return size
        return size if taken is None else taken  # None: it would have to wait


def make_fit() -> None:
    """Once, at the start of the process, before any file is opened."""
    _take_low_descriptors()
    if sys.stdin is None:
        sys.stdin = TextIOWrapper(BufferedReader(FileIO(0, "r", closefd=False)), encoding="utf-8")
    if sys.stdout is None:
        out = BufferedWriter(FileIO(1, "w", closefd=False))
        sys.stdout = TextIOWrapper(out, encoding="utf-8")
    encoding = "utf-8" if sys.stderr is None else sys.stderr.encoding
    sys.stderr = TextIOWrapper(
        BufferedWriter(_Unfailing(2, "w", closefd=False)),
        encoding=encoding,
        errors="backslashreplace",
        line_buffering=True,
        write_through=True,
    )
    if isinstance(sys.stdout, TextIOWrapper):
        # A terminal that cannot show a character gets its number instead of our traceback.
        sys.stdout.reconfigure(errors="backslashreplace")


def _take_low_descriptors() -> None:
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != fd:
                os.dup2(nowhere, fd)
                os.close(nowhere)
            os.set_inheritable(fd, True)

"""The event logs that the contract suite runs over: a further backend adds its factory here."""

from collections.abc import Callable
from pathlib import Path

from journal.backends.filesystem import FilesystemLog
from journal.backends.memory import MemoryLog
from journal.log import EventLog

SUBJECTS: dict[str, Callable[[Path], EventLog]] = {
    "memory": lambda folder: MemoryLog(),
    "filesystem": FilesystemLog.open,
}
"""Name of a backend -> an empty log of it; the folder is the test's own."""

"""
Where this process runs: host, boot, user, library version.

The boot id tells a reader whether what it sees in a file may still be in memory only. Never
anything that decides about a lock.

Below: events, files. Above: backends, writer.
"""

import functools
import getpass
import os
import socket
import subprocess
import sys
from importlib import metadata

from journal.events.run import WriterInfo
from journal.files import Files, read_small


@functools.cache
def host_name() -> str:
    """This host's name, cut to what ``head`` has room for; printable ASCII, never empty."""
    name = "".join(c if (c.isascii() and c.isalnum()) or c in ".-_" else "-" for c in _node())
    return name[:40] or "localhost"


def _node() -> str:
    return socket.gethostname()


@functools.cache
def boot_id() -> str:
    """32 hex digits that change with every boot, or zeros where the system does not tell."""
    if sys.platform == "darwin":  # pragma: no cover - macOS only
        command = ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"]
        text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    else:
        found = read_small(Files(), "/proc/sys/kernel/random/boot_id", 256)
        text = (found or b"").decode("ascii", "replace")
    digits = text.strip().replace("-", "").lower()
    return digits if len(digits) == 32 else "0" * 32


@functools.cache
def library_version() -> str:
    """``run-journal <version>``, as installed; ``unknown`` from a bare checkout."""
    try:
        return f"run-journal {metadata.version('run-journal')}"
    except metadata.PackageNotFoundError:
        return "run-journal unknown"


def writer_info() -> WriterInfo:
    """This process, as it is recorded in the events that open a run."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container whose uid has no name
        user = f"uid {os.getuid()}"
    return WriterInfo(host=host_name(), pid=os.getpid(), user=user, library=library_version())

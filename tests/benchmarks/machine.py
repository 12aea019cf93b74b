"""The machine in one sentence, without a name or a path on it: what a reader needs to compare."""

import os
import platform
import sqlite3
from pathlib import Path


def describe(folder: Path) -> str:
    """CPUs, Python, file system of ``folder``, kernel, SQLite, and how busy it was."""
    system = f"{platform.system()} {platform.release().partition('.')[0]}"
    parts = [
        f"{os.cpu_count()} CPUs ({platform.machine()})",
        f"{platform.python_implementation()} {platform.python_version()}",
        f"{file_system(folder)} on {system}",
        f"SQLite {sqlite3.sqlite_version}",
        f"load before the start {os.getloadavg()[0]:.1f}",
    ]
    return ", ".join(parts) + "."


def file_system(folder: Path) -> str:
    """The type of the file system that holds ``folder``, where the system tells."""
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return "unknown file system"
    inside = [
        (place, kind)
        for _, place, kind, *_ in (line.split() for line in mounts)
        if folder.resolve().is_relative_to(place)
    ]
    return max(inside, key=lambda found: len(found[0]), default=("", "unknown file system"))[1]

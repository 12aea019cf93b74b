"""
What this machine allows: a drill that needs more is not run, and says so by name.

Whoever mounts does so in a mount namespace of his own, which goes with him: whatever way a drill
ends, no mount and no loop device stays behind.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from tests.rules.sources import ROOT

OWN_MOUNTS = ("unshare", "--mount", "--propagation", "private")
"""In front of a command: its mounts are nobody else's, and end with it."""


@cache
def lacks(need: str) -> str:
    """Why ``need``, a probe or a program, is not to be had here; empty if it is."""
    if sys.platform != "linux":
        return "needs Linux"
    if need in _PROBES:
        return _PROBES[need]()
    return "" if shutil.which(need) else f"{need} is not installed"


def _linux() -> str:
    return ""  # asked for before any other


def _strace() -> str:
    if shutil.which("strace") is None:
        return "strace is not installed"
    command = [sys.executable, "-m", "tests.real.straced"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    return "" if done.returncode == 0 else f"strace: {_last(done.stderr)}"


def _root() -> str:
    return "" if os.geteuid() == 0 else "needs root"


def _mounts() -> str:
    if _root() or shutil.which("unshare") is None:
        return _root() or "unshare is not installed"
    return _tries("mount -t tmpfs -o size=64k none")


def _loop() -> str:
    if _mounts() or shutil.which("mkfs.ext4") is None:
        return _mounts() or "mkfs.ext4 is not installed"
    return _tries("dd if=/dev/zero of=i bs=1M count=8 status=none; mkfs.ext4 -q i; mount -o loop i")


def _tries(commands: str) -> str:
    """Whether a mount works: ``commands``, and behind the last one the place."""
    with tempfile.TemporaryDirectory() as folder:
        script = f"set -e; cd {folder}; mkdir m; {commands} m; umount m"
        done = subprocess.run([*OWN_MOUNTS, "sh", "-c", script], capture_output=True, text=True)
    return "" if done.returncode == 0 else f"cannot mount: {_last(done.stderr)}"


def _last(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[-1]


_PROBES: dict[str, Callable[[], str]] = {
    "linux": _linux,
    "strace": _strace,
    "root": _root,
    "mounts": _mounts,
    "loop": _loop,
}


@contextmanager
def mounted(place: Path, *options: str) -> Iterator[Path]:
    """``mount OPTIONS PLACE`` for as long as the block lasts."""
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", *options, str(place)], check=True, capture_output=True)
    try:
        yield place
    finally:
        # Lazily where something still has a file open; the namespace takes away the rest.
        if subprocess.run(["umount", str(place)], capture_output=True).returncode:
            subprocess.run(["umount", "-l", str(place)], check=True, capture_output=True)

"""
A disk that loses its power: a loop device whose file system is shut down by ``FS_IOC_SHUTDOWN``.

In two ways. The hardest: the file system's own log is not flushed either, so that all that was not
synced is gone after the next mount. The other: that log is flushed, so that names and sizes are
there whose data is not. What a process then finds is what power loss leaves.
"""

import fcntl
import os
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.real.machine import mounted
from tests.support.logs import of_another_boot

_SHUTDOWN = 0x8004_587D  # _IOR('X', 125, __u32)
_LOG_FLUSHED, _NOT_EVEN_THE_LOG = 1, 2
_SIZE_MB = {"ext4": 96, "xfs": 320}


class Disk:
    """A file system in a file; mount it as often as you like."""

    def __init__(self, folder: Path, kind: str) -> None:
        self._image = folder / "image"
        self.place = folder / "disk"
        with self._image.open("wb") as image:
            image.truncate(_SIZE_MB[kind] * 1024 * 1024)
        subprocess.run([f"mkfs.{kind}", "-q", str(self._image)], check=True, capture_output=True)

    @contextmanager
    def mounted(self) -> Iterator[Path]:
        """Have it mounted for as long as the block lasts."""
        with mounted(self.place, "-o", "loop", str(self._image)) as place:
            yield place

    def lose_power(self, *, log_flushed: bool) -> None:
        """From now on nothing is written or read any more; what was not synced is gone."""
        how = _LOG_FLUSHED if log_flushed else _NOT_EVEN_THE_LOG
        fd = os.open(self.place, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(fd, _SHUTDOWN, struct.pack("I", how))
        finally:
            os.close(fd)


def boot(store: Path) -> None:
    """After power loss the system was started anew, and the heads are of a boot that is over."""
    for head in store.glob("runs/*/*/*/*/head"):
        of_another_boot(head)

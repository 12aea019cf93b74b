"""
A disk that loses its power: ext4 on a loop device, shut down by ``FS_IOC_SHUTDOWN``.

The hardest way of it: the file system's own log is not flushed either, so that all that was not
synced is really gone after the next mount. What a process then finds is what power loss leaves.
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
_NOT_EVEN_THE_LOG = 2


class Disk:
    """An ext4 of so many MB in a file; mount it as often as you like."""

    def __init__(self, folder: Path, size_mb: int = 96) -> None:
        self._image = folder / "image"
        self.place = folder / "disk"
        with self._image.open("wb") as image:
            image.truncate(size_mb * 1024 * 1024)
        subprocess.run(["mkfs.ext4", "-q", str(self._image)], check=True, capture_output=True)

    @contextmanager
    def mounted(self) -> Iterator[Path]:
        """Have it mounted for as long as the block lasts."""
        with mounted(self.place, "-o", "loop", str(self._image)) as place:
            yield place

    def lose_power(self) -> None:
        """From now on nothing is written or read any more; what was not synced is gone."""
        fd = os.open(self.place, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(fd, _SHUTDOWN, struct.pack("I", _NOT_EVEN_THE_LOG))
        finally:
            os.close(fd)


def boot(store: Path) -> None:
    """After power loss the system was started anew, and the heads are of a boot that is over."""
    for head in store.glob("runs/*/*/*/*/head"):
        of_another_boot(head)

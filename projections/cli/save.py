"""
A file that appears whole or not at all.

Below: nothing. Above: artifacts.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4


@contextmanager
def saving(path: str) -> Iterator[BinaryIO]:
    """
    A file to write to, which gets its name when the block ends without an exception.

    Written under another name in the same folder, synced, then renamed. Raises ``OSError``.
    """
    target = Path(path).absolute()
    temporary = target.parent / f".{target.name[:200]}.{uuid4().hex[:8]}.part"
    # Not 0600: this file is the user's, so the user's umask decides who reads it.
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with os.fdopen(fd, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise

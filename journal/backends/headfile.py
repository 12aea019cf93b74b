"""
The ``head`` file: what of a log was acknowledged, in one self-checked line of 256 bytes.

Overwritten in place after each sync and before its acknowledgement. Unsynced (a synced one costs
a third of the speed), so after a power loss it may lag, never lead; the page cache keeps it exact
as long as the system runs. Layout: docs/format.md.

Below: limits, files, host, log. Above: filesystem.
"""

import hashlib
import re
import time
from typing import Literal, NamedTuple

from journal.files import Files, read_small
from journal.host import boot_id, host_name
from journal.limits import HEAD_BYTES
from journal.log import Head

_LINE = re.compile(
    rb"run-journal head 1 ([0-9]{1,19}) ([0-9]{1,19}) ([0-9a-f]{64}) ([0-9]{1,10}) "
    rb"([A-Za-z0-9._-]{1,40}) ([0-9]{1,10}) ([0-9a-f]{32}) (open|closed) *"
)
_CHECK_CHARS = 16

FIRST_EPOCH = 1
"""The epoch of a run's creator."""

UNPUBLISHED = 0
"""The epoch of a run whose name may not be durable yet: its creator acknowledged nothing."""


class HeadFile(NamedTuple):
    """One reading of ``head``."""

    head: Head
    epoch: int
    host: str
    pid: int
    boot: str
    state: Literal["open", "closed"]

    @property
    def of_this_boot(self) -> bool:
        """
        Whether it was written since this system started, so that it cannot lag.

        The boot alone decides: two containers of one system have two host names, one page cache.
        """
        return self.boot == boot_id() and self.names_boot

    @property
    def names_boot(self) -> bool:
        """Whether the system that wrote it tells its boots apart."""
        return self.boot != "0" * 32


def encode_head(head: Head, epoch: int, pid: int, state: Literal["open", "closed"]) -> bytes:
    """The 256 bytes of a head, written by this process."""
    text = (
        f"run-journal head 1 {head.seq} {head.position} {head.hash} {epoch} "
        f"{host_name()} {pid} {boot_id()} {state} "
    )
    body = text.encode().ljust(HEAD_BYTES - _CHECK_CHARS - 1)
    return body + _check(body) + b"\n"


def decode_head(data: bytes) -> HeadFile | None:
    """The head in ``data``, or ``None`` when it is torn or no head."""
    body, check = data[: -_CHECK_CHARS - 1], data[-_CHECK_CHARS - 1 : -1]
    found = _LINE.fullmatch(body)
    if len(data) != HEAD_BYTES or data[-1:] != b"\n" or not found or check != _check(body):
        return None
    seq, position, digest, epoch, host, pid, boot, state = found.groups()
    return HeadFile(
        Head(int(seq), int(position), digest.decode()),
        int(epoch),
        host.decode(),
        int(pid),
        boot.decode(),
        "open" if state == b"open" else "closed",
    )


def read_head(files: Files, path: str) -> HeadFile | None:
    """
    Read a head that its writer may overwrite just now: a torn one is read again, a few times.

    ``None`` when it is missing or stays damaged.
    """
    for _ in range(5):
        data = read_small(files, path, HEAD_BYTES)
        if data is None:
            return None
        found = decode_head(data)
        if found is not None:
            return found
        time.sleep(0.001)  # the writer is between two bytes: it will not be for long
    return None


def _check(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest()[:_CHECK_CHARS].encode()

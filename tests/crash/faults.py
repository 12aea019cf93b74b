"""
Errors of the system at one operation of a life: once, or from there on for good.

A fault is named by a short text, ``<kind>[*]-<operation>[.<bytes>]``: ``eio-fdatasync3`` fails the
third ``fdatasync`` of the life, ``eio*-fdatasync3`` that and whatever comes behind it;
``nospc-write3``: the disk is full; ``short-write3.5``: the write takes five bytes;
``full-write3.5``: it takes five, and there is no space for the rest.
"""

import errno
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from tests.crash.medium import Fail

_NAME = re.compile(r"(eio|nospc|short|full)(\*?)-([a-z_]+[0-9]+)(?:\.([0-9]+))?")
NEEDS_SPACE = frozenset({"create", "write", "pwrite", "mkdir", "link", "fdatasync"})
NEVER_FAILS = frozenset({"unlock"})


class Fault:
    """One error that is going to happen at operation ``at``; ``struck`` once it has."""

    def __init__(self, kind: str, at: str, size: int = 0, *, for_good: bool = False) -> None:
        self.kind = kind
        self.at = at
        self.size = size
        self.for_good = for_good
        self.struck = False
        self._since: int | None = None  # how many operations ago it came

    def __str__(self) -> str:
        size = f".{self.size}" if self.kind in {"short", "full"} else ""
        return f"{self.kind}{'*' if self.for_good else ''}-{self.at}{size}"

    @classmethod
    def parse(cls, text: str) -> "Fault":
        """The fault of that name."""
        found = _NAME.fullmatch(text)
        if found is None:
            raise ValueError(f"no name of a fault: {text!r}")
        kind, star, at, size = found.groups()
        return cls(kind, at, int(size or 0), for_good=bool(star))

    def strike(self, operation: str, name: str) -> int | None:
        """Called before each operation, such as ``write3``; see ``disk.Watch``."""
        if self._since is None and operation != self.at:
            return None
        self._since = 0 if self._since is None else self._since + 1
        if not self._is_due(name):
            return None
        self.struck = True
        if self.kind in {"short", "full"} and self._since == 0:
            return self.size
        raise Fail(errno.EIO if self.kind == "eio" else errno.ENOSPC)

    def _is_due(self, name: str) -> bool:
        if self._since == 0:
            return True
        if self.kind == "eio":
            return self.for_good and name not in NEVER_FAILS
        lasts = self.for_good or (self.kind == "full" and self._since == 1)
        return lasts and self.kind != "short" and name in NEEDS_SPACE


def faults(
    operations: Sequence[tuple[str, int]], step: int, failing: str | None
) -> Iterator[Fault]:
    """
    Every error at every one of ``operations`` (name, and bytes to write), once and for good.

    Short writes are of every ``step``-th length, and of all but one byte. ``failing``: only at
    operations of that name.
    """
    seen: Counter[str] = Counter()
    for name, size in operations:
        seen[name] += 1
        at = f"{name}{seen[name]}"
        if failing not in {None, name} or name in NEVER_FAILS:
            continue
        kinds = ["eio", "nospc"] if name in NEEDS_SPACE else ["eio"]
        for kind in kinds:
            yield Fault(kind, at)
            yield Fault(kind, at, for_good=True)
        for length in sorted({*range(1, size, step), size - 1} - {0, -1}):
            yield Fault("short", at, length)
            yield Fault("full", at, length)
            yield Fault("full", at, length, for_good=True)

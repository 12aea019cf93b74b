"""
Errors of the system at one operation of a life: once, or from there on for good.

A fault is named by a short text, ``<kind>[*]<operation>[.<bytes>]``: ``eio17`` fails operation 17,
``eio*17`` that and all behind it; ``nospc17``: the disk is full; ``short17.5``: a write takes five
bytes; ``full17.5``: it takes five, and there is no space for the rest.
"""

import errno
import re
from typing import Any

from tests.crash.disk import Fail

_NAME = re.compile(r"(eio|nospc|short|full)(\*?)([0-9]+)(?:\.([0-9]+))?")
_NEEDS_SPACE = frozenset({"create", "write", "pwrite", "mkdir", "link", "fdatasync"})
_NEVER_FAILS = frozenset({"unlock"})


class Fault:
    """One error that is going to happen; ``struck`` once it has."""

    def __init__(self, kind: str, at: int, size: int = 0, *, for_good: bool = False) -> None:
        self.kind = kind
        self.at = at
        self.size = size
        self.for_good = for_good
        self.struck = False

    def __str__(self) -> str:
        size = f".{self.size}" if self.kind in {"short", "full"} else ""
        return f"{self.kind}{'*' if self.for_good else ''}{self.at}{size}"

    @classmethod
    def parse(cls, text: str) -> "Fault":
        """The fault of that name."""
        found = _NAME.fullmatch(text)
        if found is None:
            raise ValueError(f"no name of a fault: {text!r}")
        kind, star, at, size = found.groups()
        return cls(kind, int(at), int(size or 0), for_good=bool(star))

    def strike(self, operation: int, name: str, arguments: tuple[Any, ...]) -> int | None:
        """Called before each operation; see ``disk.Watch``."""
        if operation < self.at or (operation > self.at and not self._lasts(operation)):
            return None
        if self.kind == "eio":
            if name in _NEVER_FAILS:
                return None
            self.struck = True
            raise Fail(errno.EIO)
        if self.kind in {"short", "full"} and operation == self.at:
            if name not in {"write", "pwrite"}:
                return None
            self.struck = True
            return self.size
        if name not in _NEEDS_SPACE:
            return None
        self.struck = True
        raise Fail(errno.ENOSPC)

    def _lasts(self, operation: int) -> bool:
        if self.kind == "short":
            return False
        return self.for_good or (self.kind == "full" and operation == self.at + 1)

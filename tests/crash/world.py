"""
A world in which nothing but the disk decides: clock, random names, boot and process are fixed.

So a state can be named by a short text and made again from it, today and on another machine.
"""

import os
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any
from unittest.mock import patch

from journal import host
from journal.artifacts import transfer
from journal.errors import StorageError

NOON = 1_795_348_800.0  # 2026-11-22T12:00:00Z
PID = 4242


class _Time(ModuleType):
    """Stands for the module ``time``: each look at the clock takes a while, sleep takes none."""

    def __init__(self) -> None:
        super().__init__("time")
        self.passed_s = 0.0

    def time(self) -> float:
        return NOON + self.monotonic()

    def monotonic(self) -> float:
        self.passed_s += 0.02
        return self.passed_s

    def sleep(self, seconds: float) -> None:
        self.passed_s += seconds


class _Uuid(ModuleType):
    """Stands for the module ``uuid``: the next number."""

    def __init__(self) -> None:
        super().__init__("uuid")
        self.number = 0

    def uuid4(self) -> uuid.UUID:
        self.number += 1
        # The number in the middle of each part that is ever cut out for a name.
        return uuid.UUID(f"{self.number:08x}-0000-4000-8000-{self.number:012x}")


_time, _uuid = _Time(), _Uuid()
_boot = 1


def begin(life: int, boot: int) -> None:
    """A process begins: ``life`` keeps its random names apart from those of earlier ones."""
    global _boot
    _time.passed_s = 0.0
    _uuid.number = life << 20
    _boot = boot


def now() -> float:
    """The time, in seconds since 1970."""
    return _time.time()


def _boot_id() -> str:
    return f"{_boot:032x}"


async def _run_here(function: Callable[..., Any], *arguments: Any, **_: Any) -> Any:
    """Stands for ``anyio.to_thread.run_sync``: one thread, one order."""
    return function(*arguments)


def _unraisable(told: Any) -> None:
    """An iterator that nobody reads on is closed without a caller who could be told of an error."""
    if not isinstance(told.exc_value, StorageError):
        sys.__unraisablehook__(told)


@contextmanager
def simulated() -> Iterator[None]:
    """Everything of the write side that asks the system for more than files asks this world."""
    replaced = {
        id(time): _time,
        id(uuid): _uuid,
        id(host.boot_id): _boot_id,
        id(host.host_name): lambda: "simulated",
    }
    with ExitStack() as patches:
        patches.enter_context(patch.object(os, "getpid", lambda: PID))
        patches.enter_context(patch.object(sys, "unraisablehook", _unraisable))
        patches.enter_context(patch.object(transfer, "run_sync", _run_here))
        for name, module in sorted(sys.modules.items()):
            if name.startswith("journal.") and module is not None:
                for attribute, value in list(vars(module).items()):
                    if id(value) in replaced:
                        patches.enter_context(patch.object(module, attribute, replaced[id(value)]))
        yield


def held() -> tuple[float, int, int]:
    """Clock, names and boot as they are: to go on from after another process had its turn."""
    return _time.passed_s, _uuid.number, _boot


def restore(state: tuple[float, int, int]) -> None:
    """Go on from there."""
    global _boot
    _time.passed_s, _uuid.number, _boot = state

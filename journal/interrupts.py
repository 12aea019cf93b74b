"""
Ctrl-C and SIGTERM while a run is open: both end as a cancellation that the log tells.

SIGINT keeps its handler; it is only noted. SIGTERM, where nobody handles it, does what SIGINT
does: under asyncio the main task is cancelled, under trio ``KeyboardInterrupt`` is raised, so the
run's way out is walked and records ``run_cancelled``. Handlers are put back with the last run.

Below: terminate. Above: draft, guard, phase, run, journal.
"""

import asyncio
import inspect
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from journal.terminate import on_terminate

_Handler = Callable[[int, FrameType | None], Any]


class _Watch:
    def __init__(self) -> None:
        self.open_runs = 0
        self.seen: str | None = None
        self.previous: dict[int, Any] = {}
        self.held = 0
        self.waiting = False


_watch = _Watch()


class _Held:
    """``with held:`` the main thread is not interrupted inside; what came is delivered after."""

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            _watch.held += 1

    def __exit__(self, *exception: object) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        _watch.held -= 1
        if _watch.waiting and not _watch.held:
            _watch.waiting = False
            _interrupt(inspect.currentframe())


held = _Held()
"""Where an interrupt between two statements would leave a queue half changed, or get lost."""


def begin() -> bool:
    """
    A run opens: watch, if this is the main thread (only there may handlers be set).

    Gives whether it did: then ``end`` must follow, from whatever thread.
    """
    if threading.current_thread() is not threading.main_thread():
        return False
    _watch.open_runs += 1
    if _watch.open_runs == 1:
        _put_back()  # what a run left that was closed in another thread
        _watch.seen = None
        _set_handlers()
    return True


def _set_handlers() -> None:
    interrupt = signal.getsignal(signal.SIGINT)
    if callable(interrupt):
        _watch.previous[signal.SIGINT] = interrupt
        signal.signal(signal.SIGINT, _on_interrupt)
    terminate = signal.getsignal(signal.SIGTERM)
    if terminate in (signal.SIG_DFL, on_terminate) and (callable(interrupt) or _in_asyncio()):
        _watch.previous[signal.SIGTERM] = terminate
        signal.signal(signal.SIGTERM, _on_terminate)


def _in_asyncio() -> bool:
    """Where SIGINT is ignored, asyncio unwinds a KeyboardInterrupt all the same; trio cannot."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def end() -> None:
    """
    A watched run was left: with the last one, put the handlers back where they are still ours.

    In another thread nobody can; until the next run opens they pass on what they get.
    """
    _watch.open_runs -= 1
    if not _watch.open_runs and threading.current_thread() is threading.main_thread():
        _put_back()


def _put_back() -> None:
    for number, ours in ((signal.SIGINT, _on_interrupt), (signal.SIGTERM, _on_terminate)):
        if number in _watch.previous and signal.getsignal(number) is ours:
            signal.signal(number, _watch.previous[number])
    _watch.previous.clear()


def reason() -> str:
    """Why a cancellation came: the signal that was seen, or simply that somebody cancelled."""
    return _watch.seen or "cancelled"


def _on_interrupt(number: int, frame: FrameType | None) -> None:
    _watch.seen = "SIGINT"
    _interrupt(frame)


def _on_terminate(number: int, frame: FrameType | None) -> None:
    _watch.seen = "SIGTERM"
    _interrupt(frame)


def _interrupt(frame: FrameType | None) -> None:
    if _watch.held:
        _watch.waiting = True
    elif signal.SIGINT in _watch.previous:
        _watch.previous[signal.SIGINT](signal.SIGINT, frame)
    else:  # SIGINT is ignored, as in a script's background job: no handler of it to borrow
        raise KeyboardInterrupt

"""
SIGTERM does what Ctrl-C does: for the main function of a program, before it opens a run.

``interrupts`` does the same while a run is open, and tells the log which of the two came. Imports
nothing that costs time at a start.

Below: nothing. Above: interrupts; the command.
"""

import signal
import threading
from types import FrameType


def as_interrupt() -> None:
    """Where nobody handles SIGTERM, let it end what Ctrl-C would end. Main thread only."""
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, on_terminate)


def on_terminate(number: int, frame: FrameType | None) -> None:
    """The handler; a program that finds it installed may put its own in its place."""
    interrupt = signal.getsignal(signal.SIGINT)
    if callable(interrupt):
        interrupt(signal.SIGINT, frame)
    else:  # SIGINT is ignored, as in a script's background job: no handler of it to borrow
        raise KeyboardInterrupt

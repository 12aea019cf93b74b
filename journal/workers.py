"""
Threads that write and sync, so that the loop never waits for a disk and runs sync side by side.

A queue and plain threads, because a pool of futures costs three times the hand-over. A job never
raises: whoever hands one in sees to that.

Below: errors, limits. Above: writer, journal.
"""

import atexit
import os
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue

from journal.errors import StorageErrorCode, storage_error
from journal.limits import EMIT_DELAY_S, WORKERS_MAX

Job = Callable[[], None]

EXIT_WAIT_S = 2.0
"""How long the end of a program waits for what it emitted: a disk that hangs must not keep it."""


class Workers:
    """Threads of one open journal, and one more that collects emitted events first."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._guard = threading.Condition()
        self._free = 0  # threads that wait, less jobs that wait
        self._delayed: set[Job] = set()
        self._closed = False
        self._stopped = threading.Event()
        self._ticker: threading.Thread | None = None
        self._pid = os.getpid()
        # One from the beginning: where there is one, a job that is handed in is always done.
        try:
            self._start()
        except RuntimeError as failure:
            raise storage_error(
                StorageErrorCode.UNAVAILABLE, "no thread can be started now.", operation="open"
            ) from failure
        _open.add(self)

    def soon(self, job: Job) -> None:
        """Run ``job`` on the next free thread."""
        with self._guard:
            if self._closed:  # left over by a caller that is gone: it must still be done
                threading.Thread(target=job, name="run-journal-late", daemon=True).start()
                return
            # Counted here, not where the thread wakes up: else two jobs could wait for one thread.
            self._free -= 1
            if self._free < 0 and len(self._threads) < WORKERS_MAX:
                with suppress(RuntimeError):  # the system gives no more threads
                    self._start()
            self._jobs.put(job)

    def _start(self) -> None:
        name = f"run-journal-{len(self._threads)}"
        # Daemons: a program that forgot to close its journal still ends; its log recovers.
        thread = threading.Thread(target=self._work, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)
        self._free += 1

    def _work(self) -> None:
        while job := self._jobs.get():
            job()
            with self._guard:
                self._free += 1

    def delayed(self, job: Job) -> None:
        """Run ``job``, once, within ``EMIT_DELAY_S``, however often it is asked for until then."""
        with self._guard:
            self._delayed.add(job)
            if self._ticker is None and not self._closed:
                ticker = threading.Thread(target=self._tick, name="run-journal-ticker", daemon=True)
                try:
                    ticker.start()
                except RuntimeError:  # no thread for it: then without company
                    self._delayed.discard(job)
                    self.soon(job)
                    return
                self._ticker = ticker
            self._guard.notify()

    def _tick(self) -> None:
        while True:
            with self._guard:
                while not self._delayed and not self._closed:
                    self._guard.wait()
                if self._closed:
                    return
            self._stopped.wait(EMIT_DELAY_S)
            with self._guard:
                jobs, self._delayed = self._delayed, set()
            for job in jobs:
                job()

    def flush(self, until_s: float) -> None:
        """Do what is left to do, and wait for it until the monotonic clock says ``until_s``."""
        if self._pid != os.getpid():
            return  # the threads are the parent's
        with self._guard:
            jobs, self._delayed = self._delayed, set()
        for job in jobs:
            job()
        while self._free < len(self._threads) and time.monotonic() < until_s:
            time.sleep(0.002)

    def stop(self) -> None:
        """Let the threads end after what was handed in so far. Never blocks."""
        with self._guard:
            if self._closed:
                return
            self._closed = True
            self._stopped.set()
            self._guard.notify()
            for _ in self._threads:
                self._jobs.put(None)

    def close(self) -> None:
        """End the threads; blocks until what they do is done. Writers are closed before."""
        self.stop()
        for thread in self._threads:
            thread.join()
        _open.discard(self)


_open: "weakref.WeakSet[Workers]" = weakref.WeakSet()


@atexit.register
def _at_exit() -> None:
    """A program may end without closing its journal: what it emitted is written all the same."""
    until_s = time.monotonic() + EXIT_WAIT_S
    for workers in list(_open):
        workers.flush(until_s)

"""
Threads that write and sync, so that the loop never waits for a disk and runs sync side by side.

A queue and plain threads, because a pool of futures costs three times the hand-over. A job never
raises: whoever hands one in sees to that.

Below: limits. Above: writer, journal.
"""

import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

from journal.limits import EMIT_DELAY_S, WORKERS_MAX

Job = Callable[[], None]


class Workers:
    """Threads of one open journal, and one more that collects emitted events first."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._counting = threading.Lock()
        self._guard = threading.Condition()
        self._delayed: set[Job] = set()
        self._closed = False
        self._ticker: threading.Thread | None = None

    def soon(self, job: Job) -> None:
        """Run ``job`` on the next free thread."""
        # Read without the lock: a wrong guess starts a thread too many, or lets one job wait.
        if self._idle <= self._jobs.qsize() and len(self._threads) < WORKERS_MAX:
            self._start()
        self._jobs.put(job)

    def _start(self) -> None:
        with self._guard:
            if len(self._threads) >= WORKERS_MAX or self._closed:
                return
            name = f"run-journal-{len(self._threads)}"
            # Daemons: a program that forgot to close its journal still ends; its log recovers.
            thread = threading.Thread(target=self._work, name=name, daemon=True)
            self._threads.append(thread)
            self._count(+1)
            thread.start()

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            if job is None:
                return
            self._count(-1)
            try:
                job()
            finally:
                self._count(+1)

    def _count(self, change: int) -> None:
        with self._counting:
            self._idle += change

    def delayed(self, job: Job) -> None:
        """Run ``job``, once, within ``EMIT_DELAY_S``, however often it is asked for until then."""
        with self._guard:
            self._delayed.add(job)
            if self._ticker is None and not self._closed:
                self._ticker = threading.Thread(
                    target=self._tick, name="run-journal-ticker", daemon=True
                )
                self._ticker.start()
            self._guard.notify()

    def _tick(self) -> None:
        while True:
            with self._guard:
                while not self._delayed and not self._closed:
                    self._guard.wait()
                if self._closed:
                    return
            time.sleep(EMIT_DELAY_S)
            with self._guard:
                jobs, self._delayed = self._delayed, set()
            for job in jobs:
                job()

    def close(self) -> None:
        """End the threads; blocks until what they do is done. Writers are closed before."""
        with self._guard:
            self._closed = True
            self._guard.notify()
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()

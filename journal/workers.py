"""
Threads that write and sync, so that the loop never waits for a disk and runs sync side by side.

Below: limits. Above: writer, journal.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from journal.limits import EMIT_DELAY_S, WORKERS_MAX

Job = Callable[[], None]


class Workers:
    """A pool of threads for one open journal, and one that collects emitted events first."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(WORKERS_MAX, thread_name_prefix="run-journal")
        self._guard = threading.Condition()
        self._delayed: set[Job] = set()
        self._closed = False
        self._ticker: threading.Thread | None = None

    def soon(self, job: Job) -> None:
        """Run ``job`` on the next free thread."""
        self._pool.submit(job)

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
        self._pool.shutdown(wait=True)

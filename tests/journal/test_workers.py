"""Threads: no job waits behind another while a thread can be had, and none is ever lost."""

import threading
import time
from functools import partial

import pytest

from journal import StorageError
from journal.limits import WORKERS_MAX
from journal.workers import Workers


@pytest.fixture
def pool() -> Workers:
    return Workers()


def test_jobs_that_need_each_other_run_side_by_side(pool: Workers) -> None:
    """Whatever moment the second one comes at: while a thread wakes up for the first included."""
    for _ in range(300):
        second = threading.Event()
        first = threading.Event()

        def waits(first: threading.Event = first, second: threading.Event = second) -> None:
            if second.wait(120):
                first.set()

        pool.soon(waits)
        pool.soon(second.set)
        assert first.wait(120)
    pool.close()


def test_there_are_as_many_threads_as_jobs_at_once_and_no_more(pool: Workers) -> None:
    """Up to the bound; what comes then waits its turn, and is done."""
    gate = threading.Event()
    begun, done = threading.Semaphore(0), threading.Semaphore(0)
    names: set[str] = set()

    def job() -> None:
        names.add(threading.current_thread().name)
        begun.release()
        gate.wait(120)
        done.release()

    for _ in range(WORKERS_MAX * 3):
        pool.soon(job)
    for _ in range(WORKERS_MAX):
        assert begun.acquire(timeout=120)
    gate.set()
    for _ in range(WORKERS_MAX * 3):
        assert done.acquire(timeout=120)
    assert len(names) == WORKERS_MAX
    pool.close()


def test_a_delayed_job_runs_once_however_often_it_is_asked_for(pool: Workers) -> None:
    """Within its delay; asked for again later, it runs again."""
    count = threading.Semaphore(0)
    for _ in range(100):
        pool.delayed(count.release)
    assert count.acquire(timeout=120)
    assert not count.acquire(timeout=0.1)
    pool.delayed(count.release)
    assert count.acquire(timeout=120)
    pool.close()


def test_a_system_that_gives_no_more_threads_is_no_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    """Case 16: with one thread everything still gets done; with none, opening says so."""
    real = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        if thread.name.startswith("run-journal") and not thread.name.endswith("-0"):
            raise RuntimeError("can't start new thread")
        real(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    pool = Workers()
    done = threading.Semaphore(0)
    for _ in range(20):
        pool.soon(done.release)
        pool.delayed(done.release)
    for _ in range(40):
        assert done.acquire(timeout=120)
    pool.close()

    def never(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", never)
    with pytest.raises(StorageError) as raised:
        Workers()
    assert (raised.value.code, raised.value.info.retryable) == ("unavailable", True)


def test_closing_waits_for_what_was_handed_in(pool: Workers) -> None:
    """And a job that comes later, of a caller that was cancelled, is done all the same."""
    finished: list[int] = []

    def slow(number: int) -> None:
        time.sleep(0.002)
        finished.append(number)

    for number in range(30):
        pool.soon(partial(slow, number))
    pool.close()
    assert sorted(finished) == list(range(30))
    late = threading.Event()
    pool.soon(late.set)
    assert late.wait(120)


def test_nothing_of_a_closed_pool_is_left(pool: Workers) -> None:
    """Threads of a journal end with it, the ticker too."""
    ticked = threading.Event()
    pool.delayed(ticked.set)
    assert ticked.wait(120)
    pool.close()
    pool.delayed(ticked.set)
    ticker = pool._ticker
    assert ticker is not None
    ticker.join(120)
    assert not [thread for thread in [*pool._threads, ticker] if thread.is_alive()]

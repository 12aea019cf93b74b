"""
A scheduler that counts: a call is cancelled at its k-th checkpoint, for each k there is.

Stands between a coroutine and its event loop, where every suspension has to pass. So no checkpoint
is missed, however deep in a library it lies, and none is left to chance.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from typing import Any, TypeVar

import anyio
import pytest

T = TypeVar("T")

Cancel = Callable[[Any], BaseException | None]
"""Called with what is waited for, right before the wait; gives an exception to raise instead."""


class Counted:
    """Awaits ``call`` and calls ``at`` before its k-th suspension; ``count`` are all there were."""

    def __init__(self, call: Coroutine[Any, Any, T], k: int, at: Cancel, *, again: bool) -> None:
        self.count = 0
        self._call = call
        self._k = k
        self._at = at
        self._again = again

    def __await__(self) -> Generator[Any, Any, T]:
        found = self._call.__await__()
        step: Callable[[], Any] = lambda: next(found)  # noqa: E731 - what is done next
        while True:
            try:
                wanted = step()
                due = self.count == self._k or (self._again and self.count > self._k)
                self.count += 1
                failure = self._at(wanted) if due else None
                if failure is not None:
                    step = _throwing(found, failure)
                    continue
            except StopIteration as done:
                result: T = done.value
                return result
            try:
                given = yield wanted
            except BaseException as raised:  # noqa: BLE001 - passed on to whom it was meant for
                step = _throwing(found, raised)
            else:
                step = _sending(found, given)


def _throwing(found: Generator[Any, Any, T], failure: BaseException) -> Callable[[], Any]:
    return lambda: found.throw(failure)


def _sending(found: Generator[Any, Any, T], given: Any) -> Callable[[], Any]:
    return lambda: found.send(given)


class Outcome:
    """How one cancelled call went."""

    def __init__(self, checkpoints: int, k: int) -> None:
        self.checkpoints = checkpoints
        self.was_due = checkpoints > k


Way = Callable[[Callable[[], Coroutine[Any, Any, Any]], int], Awaitable[Outcome]]


async def by_scope(make: Callable[[], Coroutine[Any, Any, Any]], k: int) -> Outcome:
    """Structured: a scope around the call is cancelled, as by a timeout or a failing sibling."""
    with anyio.CancelScope() as scope:

        def cancel(_: Any) -> None:
            scope.cancel()

        call = Counted(make(), k, cancel, again=False)
        await call
    return Outcome(call.count, k)


async def _natively(
    make: Callable[[], Coroutine[Any, Any, Any]],
    k: int,
    at: Callable[["asyncio.Task[Any]", Any], BaseException | None],
    *,
    again: bool = False,
) -> Outcome:
    async def work() -> None:
        task = asyncio.current_task()
        assert task is not None
        counted.append(Counted(make(), k, lambda wanted: at(task, wanted), again=again))
        await counted[0]

    counted: list[Counted] = []
    task = asyncio.create_task(work())
    with anyio.fail_after(60):
        await asyncio.wait([task])
    if not task.cancelled() and (failure := task.exception()) is not None:
        raise failure
    return Outcome(counted[0].count, k)


async def natively(make: Callable[[], Coroutine[Any, Any, Any]], k: int) -> Outcome:
    """``Task.cancel``: asyncio's own timeouts and groups, and its first Ctrl-C."""

    def cancel(task: "asyncio.Task[Any]", _: Any) -> None:
        task.cancel()

    return await _natively(make, k, cancel)


async def impatiently(make: Callable[[], Coroutine[Any, Any, Any]], k: int) -> Outcome:
    """``Task.cancel`` at every checkpoint from there on: nothing can be waited for any more."""

    def cancel(task: "asyncio.Task[Any]", _: Any) -> None:
        task.cancel()

    return await _natively(make, k, cancel, again=True)


async def too_late(make: Callable[[], Coroutine[Any, Any, Any]], k: int) -> Outcome:
    """``Task.cancel`` when what is waited for has happened, and nobody has heard of it yet."""

    def cancel(task: "asyncio.Task[Any]", wanted: Any) -> None:
        if isinstance(wanted, asyncio.Future):
            wanted.add_done_callback(lambda _: task.cancel())
        else:
            task.cancel()

    return await _natively(make, k, cancel)


async def rudely(make: Callable[[], Coroutine[Any, Any, Any]], k: int) -> Outcome:
    """An exception out of the blue, which nobody had asked the loop for."""

    def stop(_: object, wanted: Any) -> BaseException:
        if isinstance(wanted, asyncio.Future):  # nobody is left to hear what comes of it
            wanted.add_done_callback(lambda found: found.cancelled() or found.exception())
        return Stop()

    try:
        return await _natively(make, k, stop)
    except Stop:
        return Outcome(k + 1, k)


class Stop(BaseException):
    """What a signal handler raises wherever the program happens to be."""


WAYS = [
    pytest.param("asyncio", by_scope, id="asyncio-scope"),
    pytest.param("trio", by_scope, id="trio-scope"),
    pytest.param("asyncio", natively, id="asyncio-native"),
    pytest.param("asyncio", impatiently, id="asyncio-native-again"),
    pytest.param("asyncio", too_late, id="asyncio-native-late"),
    pytest.param("asyncio", rudely, id="asyncio-interrupt"),
]
"""Backend and way of each cancellation there is."""


async def each_checkpoint(
    make: Callable[[int], Coroutine[Any, Any, Any]], way: Way, most: int = 500
) -> AsyncIterator[int]:
    """Cancel ``make(k)`` at its checkpoint k = 0, 1, 2 …, until it ends before its turn comes."""
    for k in range(most):

        def call(number: int = k) -> Coroutine[Any, Any, Any]:
            return make(number)

        outcome = await way(call, k)
        yield k
        if not outcome.was_due:
            return
    raise AssertionError(f"more than {most} checkpoints")

"""
Retry: which failures of a phase are tried again, how often, and how long in between.

stamina decides the waits and makes the attempts (and tells its own instrumentation); it is loaded
when a phase with a ``retry`` first runs. Each attempt is recorded by the phase itself.

Below: nothing. Above: scheduler, pipeline.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """
    ``Retry(attempts=3, on=TimeoutError)``: try a phase again when it raises ``TimeoutError``.

    ``on`` is an exception class, a tuple of them, or a function that is given the exception and
    says whether to try again. ``attempts`` counts the first one too, anew in every process that
    resumes the run. Waits double from ``wait_initial_s`` to ``wait_max_s``, each with up to
    ``wait_jitter_s`` on top by chance. Who waits keeps its place within the limits.
    """

    on: type[Exception] | tuple[type[Exception], ...] | Callable[[Exception], bool]
    attempts: int = 3
    wait_initial_s: float = 0.1
    wait_max_s: float = 5.0
    wait_jitter_s: float = 1.0

    def __post_init__(self) -> None:
        """Refuse bounds that mean nothing."""
        waits = (self.wait_initial_s, self.wait_max_s, self.wait_jitter_s)
        if self.attempts < 1 or min(waits) < 0:
            raise ValueError("a phase is tried at least once, and waits are not negative")

    def applies(self, failure: Exception) -> bool:
        """Whether ``failure`` is of the kind that is tried again."""
        if isinstance(self.on, type | tuple):
            return isinstance(failure, self.on)
        return self.on(failure)


class Tries:
    """
    The attempts of one phase in this process.

    ``failure`` is the last one of the phase's own work: what else comes out of an attempt, such as
    a log that cannot be written, is neither retried nor the phase's fault. ``will_retry`` is
    known before ``phase_failed`` is recorded.
    """

    def __init__(self, retry: Retry | None) -> None:
        self._retry = retry
        self._number = 1
        self.failure: Exception | None = None
        self.will_retry = False

    def note(self, failure: Exception) -> None:
        """The work raised ``failure``: decide what follows. A broken ``on`` takes its place."""
        self.failure = failure
        self.will_retry = False
        try:
            self.will_retry = self._follows(failure)
        except Exception as broken:
            self.failure = broken
            raise

    def _follows(self, failure: Exception) -> bool:
        retry = self._retry
        if retry is None or self._number >= retry.attempts:
            return False
        import stamina

        return stamina.is_active() and retry.applies(failure)

    async def run(self, once: Callable[[], Awaitable[T]]) -> T:
        """Await ``once()`` until it returns or nothing follows its failure, which is raised."""
        retry = self._retry
        if retry is None:
            return await once()
        import stamina

        async for attempt in stamina.retry_context(
            on=lambda failure: failure is self.failure and self.will_retry,
            attempts=retry.attempts,
            timeout=None,
            wait_initial=retry.wait_initial_s,
            wait_max=retry.wait_max_s,
            wait_jitter=retry.wait_jitter_s,
        ):
            self._number = attempt.num
            with attempt:
                return await once()
        raise AssertionError("the last attempt returns or raises")

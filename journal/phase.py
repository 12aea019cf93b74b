"""
Phase and Step: the context managers inside a run.

Entering records that it began, leaving records how it ended: normally, by an exception (which
goes on to the caller), or by a cancellation. Never decides an order of phases: ``pipeline.py``.

Below: errors, ids, events, lifecycle, recorder, interrupts, artifacts, receipt. Above: run.
"""

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

import anyio

from journal import interrupts
from journal.artifacts.codec import Payload
from journal.artifacts.store import ArtifactMetadata, ArtifactRole
from journal.errors import StorageError
from journal.events.base import ErrorInfo, Event, JsonObject, Level
from journal.events.phase import (
    PhaseCancelled,
    PhaseCompleted,
    PhaseFailed,
    PhaseInputs,
    PhaseProgress,
    PhaseStarted,
)
from journal.events.step import StepCancelled, StepCompleted, StepFailed, StepStarted, Usage
from journal.ids import parse_label
from journal.lifecycle import RUNNING, RunLifecycle, expected_numbers, invalidated_by
from journal.receipt import Appended, Receipt
from journal.recorder import Decision, Place, Recorder


def is_cancellation(failure: BaseException) -> bool:
    """Whether ``failure`` says "stop" rather than "it went wrong", also inside a group."""
    if isinstance(failure, BaseExceptionGroup):
        return all(is_cancellation(inner) for inner in failure.exceptions)
    return not isinstance(failure, Exception)


def error_of(failure: BaseException | None, clean: Callable[[str], str]) -> ErrorInfo | None:
    """
    What went wrong as a fact, ``None`` for what says "stop".

    Made before an end is decided: this calls the exception's own code, which may log to the run
    that is being left, and while an end is decided nobody else is let in.
    """
    if failure is None or is_cancellation(failure):
        return None
    return ErrorInfo.of(failure, clean=clean)


async def record_exit(
    recorder: Recorder,
    decide: Callable[[RunLifecycle], Sequence[Decision]],
    failure: BaseException | None,
) -> None:
    """
    Record how something ended, whatever is being cancelled around it.

    When the storage fails while ``failure`` is on its way out, that one goes on, with a note.
    """
    try:
        recorder.writer.check_here()  # before the scope: a forked child has no loop
        with anyio.CancelScope(shield=True):
            await recorder.decide(decide)
    except StorageError as error:
        if failure is None:
            raise
        failure.add_note(f"run-journal could not record this: {error}")


class Step:
    """One piece of work inside a phase; see ``Phase.step``."""

    def __init__(
        self, recorder: Recorder, place: Place, name: str, step_id: str, attempt: int
    ) -> None:
        self.name = name
        self.step_id = step_id
        self.attempt = attempt
        self.usage = Usage()
        self._recorder = recorder
        self._place = place
        self._began = 0.0
        self._used = False

    def use(self, usage: Usage) -> None:
        """Add to what the step has used up so far."""
        self._used = True
        self.usage = Usage(
            tokens_in=self.usage.tokens_in + usage.tokens_in,
            tokens_out=self.usage.tokens_out + usage.tokens_out,
            cost_usd=self.usage.cost_usd + usage.cost_usd,
            requests=self.usage.requests + usage.requests,
        )

    async def __aenter__(self) -> Self:
        event = StepStarted(
            step_id=self.step_id,
            name=self.name,
            attempt=self.attempt,
            partition=self._place.partition,
        )
        self._recorder.emit(event, phase=self._place.phase)
        self._began = time.monotonic()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        event = self._ended(failure)
        await record_exit(self._recorder, lambda _: [Decision(self._place.phase, event)], failure)

    def _ended(self, failure: BaseException | None) -> Event:
        common: dict[str, Any] = {
            "step_id": self.step_id,
            "name": self.name,
            "attempt": self.attempt,
            "partition": self._place.partition,
            "usage": self.usage if self._used else None,
        }
        if failure is None:
            return StepCompleted(duration_s=round(time.monotonic() - self._began, 6), **common)
        error = error_of(failure, self._recorder.clean)
        if error is None:
            return StepCancelled(reason=interrupts.reason(), **common)
        return StepFailed(error=error, **common)


class Phase:
    """
    One phase of a run while it works; made by ``Run.phase``.

    Attributes: ``name``, ``partition``, and, once entered, ``revision`` and ``attempt``.
    """

    def __init__(
        self,
        recorder: Recorder,
        name: str,
        partition: str | None,
        inputs: PhaseInputs | None,
        will_retry: Callable[[BaseException], bool],
    ) -> None:
        self.name = name
        self.partition = partition
        self.revision = 0
        self.attempt = 0
        self._recorder = recorder
        self._place = Place(name, partition)
        self._inputs = inputs
        self._will_retry = will_retry
        self._artifact_ids: list[str] = []
        self._summary: JsonObject = {}
        self._began = 0.0

    async def __aenter__(self) -> Self:
        """Record ``phase_started``; durable on return. Raises ``conflict`` if it may not start."""

        def decide(state: RunLifecycle) -> list[Decision]:
            found = state.phase(self.name, self.partition)
            self.revision, self.attempt = expected_numbers(found, PhaseStarted)
            event = PhaseStarted(
                revision=self.revision,
                attempt=self.attempt,
                partition=self.partition,
                inputs=self._inputs,
            )
            return [Decision(self.name, event)]

        try:
            await self._recorder.decide(decide)
        except BaseException as failure:
            if is_cancellation(failure):
                await self._cancel_start(failure)
            raise
        self._began = time.monotonic()
        return self

    async def _cancel_start(self, failure: BaseException) -> None:
        """Cancelled while it waited: it began all the same, and nobody is there to leave it."""
        ended = self._failed(failure)

        def decide(state: RunLifecycle) -> list[Decision]:
            found = state.phase(self.name, self.partition)
            mine = (RUNNING, self.revision, self.attempt)
            if (found.status, found.revision, found.attempt) != mine:
                return []  # it never got its turn
            return [Decision(self.name, ended)]

        await record_exit(self._recorder, decide, failure)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Record how the phase ended; durable on return."""
        duration_s = round(time.monotonic() - self._began, 6)
        ended = None if failure is None else self._failed(failure)

        def decide(state: RunLifecycle) -> list[Decision]:
            if ended is None:
                return self._completed(state, duration_s)
            if state.phase(self.name, self.partition).status != RUNNING:
                return []  # its run ended first, so that is how it ended
            return [Decision(self.name, ended)]

        await record_exit(self._recorder, decide, failure)

    def _completed(self, state: RunLifecycle, duration_s: float) -> list[Decision]:
        event = PhaseCompleted(
            revision=self.revision,
            duration_s=duration_s,
            partition=self.partition,
            artifact_ids=tuple(self._artifact_ids),
            summary=self._summary or None,
        )
        stale = invalidated_by(state, self.name, event)
        return [Decision(self.name, event), *(Decision(*found) for found in stale)]

    def _failed(self, failure: BaseException) -> Event:
        error = error_of(failure, self._recorder.clean)
        if error is None:
            return PhaseCancelled(
                revision=self.revision,
                attempt=self.attempt,
                reason=interrupts.reason(),
                partition=self.partition,
            )
        return PhaseFailed(
            revision=self.revision,
            attempt=self.attempt,
            error=error,
            will_retry=self._asked(failure),
            partition=self.partition,
        )

    def _asked(self, failure: BaseException) -> bool:
        """Whether there will be another try. A question that fails must not hide the failure."""
        try:
            return bool(self._will_retry(failure))
        except Exception as error:  # noqa: BLE001 - the caller's own code
            failure.add_note(f"run-journal: will_retry raised {type(error).__name__}")
            return False

    async def store(
        self,
        payload: Payload,
        *,
        role: str = ArtifactRole.PHASE_OUTPUT,
        description: str | None = None,
        format: str | None = None,  # noqa: A002 - the word of the vocabulary
        metadata: JsonObject | None = None,
    ) -> ArtifactMetadata:
        """
        Store a pydantic model, models (a sequence or an async one), text, bytes or a file.

        On return the bytes and the ``artifact_persisted`` event are durable, and the artifact
        belongs to this phase's outputs. Raises ``unsupported_format`` and ``validation_error``
        with nothing stored, and what the storage raises, after ``artifact_persist_failed``.
        """
        stored = await self._recorder.store(
            payload,
            self._place,
            role=role,
            description=description,
            format=format,
            metadata=metadata,
        )
        self._artifact_ids.append(stored.artifact_id)
        return stored

    def progress(self, done: float, total: float | None = None, unit: str | None = None) -> Receipt:
        """Tell how far the phase is; never waits. The receipt may be awaited, or left."""
        event = PhaseProgress(done=done, total=total, unit=unit, partition=self.partition)
        return self._recorder.emit(event, phase=self.name)

    def step(self, name: str, *, step_id: str | None = None, attempt: int = 1) -> Step:
        """``async with phase.step("call model") as step:`` records how that piece of work ends."""
        parse_label(name, "step name")
        return Step(self._recorder, self._place, name, step_id or self._recorder.new_id(), attempt)

    def summarize(self, **values: Any) -> None:
        """
        Add to the summary that ``phase_completed`` will hold; values are plain JSON.

        Raises ``validation_error`` at once for a value that would not come back from JSON.
        """
        summary = {**self._summary, **values}
        specimen = PhaseCompleted(revision=1, duration_s=0.0, summary=summary)
        self._recorder.check(specimen, self.name)
        self._summary = summary

    async def append(self, events: Event | Sequence[Event], **options: Any) -> Appended:
        """``Run.append`` with this phase on the line."""
        return await self._recorder.append(events, phase=self.name, **options)

    def emit(self, event: Event, **options: Any) -> Receipt:
        """``Run.emit`` with this phase on the line."""
        return self._recorder.emit(event, phase=self.name, **options)

    def log(self, level: Level, message: str, *, name: str | None = None, **data: Any) -> Receipt:
        """``Run.log`` with this phase on the line."""
        return self._recorder.log(level, message, self._place, name, data)

"""
What happens inside a phase: one call of a model, one query, one file.

Steps are counted by projections, not kept: a run may have millions.

Below: base. Above: registry.
"""

from typing import ClassVar

from journal.events.base import (
    Attempt,
    Count,
    ErrorInfo,
    Event,
    Level,
    Seconds,
    Value,
    where,
)


class Usage(Value, frozen=True, kw_only=True):
    """What a step used up. Costs are in US dollars; ``requests`` counts calls to a service."""

    tokens_in: Count = 0
    tokens_out: Count = 0
    cost_usd: Seconds = 0.0
    requests: Count = 0


class StepStarted(Event, frozen=True, kw_only=True):
    """A step began. ``step_id`` is unique inside the run."""

    event_level: ClassVar[Level] = "debug"
    step_id: str
    name: str
    attempt: Attempt = 1
    partition: str | None = None

    def sentence(self, phase: str | None) -> str:
        """Name the step and its phase."""
        return f"Step {self.name} of {where(phase, self.partition)} started."


class StepCompleted(Event, frozen=True, kw_only=True):
    """A step returned."""

    event_level: ClassVar[Level] = "debug"
    step_id: str
    name: str
    duration_s: Seconds
    attempt: Attempt = 1
    partition: str | None = None
    usage: Usage | None = None

    def sentence(self, phase: str | None) -> str:
        """Say how long it took."""
        return (
            f"Step {self.name} of {where(phase, self.partition)} completed "
            f"in {self.duration_s:.3f} s."
        )


class StepFailed(Event, frozen=True, kw_only=True):
    """A step raised."""

    event_level: ClassVar[Level] = "warning"
    step_id: str
    name: str
    error: ErrorInfo
    attempt: Attempt = 1
    partition: str | None = None
    usage: Usage | None = None

    def sentence(self, phase: str | None) -> str:
        """Name the error."""
        return (
            f"Step {self.name} of {where(phase, self.partition)} failed: "
            f"{self.error.type}: {self.error.message}"
        )


class StepCancelled(Event, frozen=True, kw_only=True):
    """A step was told to stop."""

    event_level: ClassVar[Level] = "warning"
    step_id: str
    name: str
    reason: str
    attempt: Attempt = 1
    partition: str | None = None
    usage: Usage | None = None

    def sentence(self, phase: str | None) -> str:
        """Say why."""
        return f"Step {self.name} of {where(phase, self.partition)} cancelled: {self.reason}."

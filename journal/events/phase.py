"""
What happens to a phase, per partition.

A *revision* counts results: a new one begins when a phase that completed runs again. An *attempt*
counts tries inside one revision. The phase's name stands on the line.

Below: base. Above: registry. Next to read: ``lifecycle.py``, the order in which these may happen.
"""

from typing import Annotated, ClassVar

from msgspec import Meta

from journal.events.base import (
    Attempt,
    ErrorInfo,
    Event,
    JsonObject,
    Level,
    Revision,
    Seconds,
    Value,
    where,
)

Amount = Annotated[int, Meta(ge=0)] | Annotated[float, Meta(ge=0)]


class PhaseRef(Value, frozen=True, kw_only=True):
    """One result of one phase: what another phase depended on, or why something changed."""

    phase: str
    revision: Revision
    partition: str | None = None


class PhaseInputs(Value, frozen=True, kw_only=True):
    """What a phase began with: the artifacts it was given, and the results they belong to."""

    artifact_ids: tuple[str, ...] = ()
    depends_on: tuple[PhaseRef, ...] = ()


class PhaseStarted(Event, frozen=True, kw_only=True):
    """A phase began to work."""

    revision: Revision
    attempt: Attempt
    partition: str | None = None
    inputs: PhaseInputs | None = None

    def sentence(self, phase: str | None) -> str:
        """Say which attempt, where it is not the first."""
        again = f", attempt {self.attempt}" if self.attempt > 1 else ""
        newer = f", revision {self.revision}" if self.revision > 1 else ""
        return f"Phase {where(phase, self.partition)} started{newer}{again}."


class PhaseProgress(Event, frozen=True, kw_only=True):
    """How far a phase is: ``done`` of ``total`` units. ``total`` is ``None`` while unknown."""

    done: Amount
    total: Amount | None = None
    unit: str | None = None
    partition: str | None = None

    def sentence(self, phase: str | None) -> str:
        """Say how much of how much."""
        total = f" of {self.total}" if self.total is not None else ""
        unit = f" {self.unit}" if self.unit else ""
        return f"Phase {where(phase, self.partition)}: {self.done}{total}{unit}."


class PhaseCompleted(Event, frozen=True, kw_only=True):
    """A phase returned; its outputs are already in the artifact store."""

    revision: Revision
    duration_s: Seconds
    partition: str | None = None
    artifact_ids: tuple[str, ...] = ()
    summary: JsonObject | None = None

    def sentence(self, phase: str | None) -> str:
        """Say how long it took."""
        return f"Phase {where(phase, self.partition)} completed in {self.duration_s:.3f} s."


class PhaseFailed(Event, frozen=True, kw_only=True):
    """A phase raised. ``will_retry``: another attempt follows without anyone's doing."""

    event_level: ClassVar[Level] = "error"
    revision: Revision
    attempt: Attempt
    error: ErrorInfo
    will_retry: bool = False
    partition: str | None = None

    def sentence(self, phase: str | None) -> str:
        """Name the error, and whether another attempt follows."""
        more = " Another attempt follows." if self.will_retry else ""
        cause = f"{self.error.type}: {self.error.message}"
        return f"Phase {where(phase, self.partition)} failed: {cause}{more}"


class PhaseCancelled(Event, frozen=True, kw_only=True):
    """A phase was told to stop before it was done."""

    event_level: ClassVar[Level] = "warning"
    revision: Revision
    attempt: Attempt
    reason: str
    partition: str | None = None

    def sentence(self, phase: str | None) -> str:
        """Say why."""
        return f"Phase {where(phase, self.partition)} cancelled: {self.reason}."


class PhaseBlocked(Event, frozen=True, kw_only=True):
    """A phase cannot run, because what it needs is ``missing``."""

    event_level: ClassVar[Level] = "warning"
    revision: Revision
    missing: tuple[str, ...]
    reason: str | None = None
    partition: str | None = None

    def sentence(self, phase: str | None) -> str:
        """Name what is missing."""
        return f"Phase {where(phase, self.partition)} blocked: {', '.join(self.missing)} missing."


class PhaseSkipped(Event, frozen=True, kw_only=True):
    """A phase need not run."""

    revision: Revision
    reason: str
    partition: str | None = None

    def sentence(self, phase: str | None) -> str:
        """Say why."""
        return f"Phase {where(phase, self.partition)} skipped: {self.reason}."


class PhaseInvalidated(Event, frozen=True, kw_only=True):
    """A result no longer holds, because what it was made from has a newer revision."""

    event_level: ClassVar[Level] = "warning"
    revision: Revision
    because: PhaseRef
    partition: str | None = None

    def sentence(self, phase: str | None) -> str:
        """Name the newer result."""
        cause = where(self.because.phase, self.because.partition)
        return (
            f"Phase {where(phase, self.partition)} invalidated: {cause} has "
            f"revision {self.because.revision}."
        )

"""
What happens to a run as a whole.

Below: base. Above: registry. The order in which these may happen: ``lifecycle.py``.
"""

from typing import ClassVar, Literal

from journal.events.base import (
    Count,
    ErrorInfo,
    Event,
    JsonObject,
    Level,
    Seq,
    Sha256,
    Value,
)


class CodeVersion(Value, frozen=True, kw_only=True):
    """Which code ran: the git commit and whether it was dirty, and the target's own digest."""

    git_commit: str | None = None
    git_dirty: bool | None = None
    source_sha256: Sha256 | None = None


class WriterInfo(Value, frozen=True, kw_only=True):
    """Who writes: enough to find the process, nothing that identifies more than the user name."""

    host: str
    pid: Count
    user: str
    library: str


class PlannedPhase(Value, frozen=True, kw_only=True):
    """One phase of the plan. ``partitions`` is ``None`` where it has none or they come late."""

    name: str
    after: tuple[str, ...] = ()
    partitions: tuple[str, ...] | None = None


class Parent(Value, frozen=True, kw_only=True):
    """Where a run comes from: a moment of another run, pinned by that line's hash."""

    relation: Literal["fork", "child"]
    run_id: str
    seq: Seq
    hash: Sha256


class Counts(Value, frozen=True, kw_only=True):
    """How many phases (per partition) ended how, and what else the run left behind."""

    phases_completed: Count = 0
    phases_failed: Count = 0
    phases_cancelled: Count = 0
    phases_blocked: Count = 0
    phases_skipped: Count = 0
    artifacts: Count = 0


class RunCreated(Event, frozen=True, kw_only=True):
    """A run exists: always line 1, and never again."""

    project: str
    format: Count
    writer: WriterInfo
    external_id: str | None = None
    parameters: JsonObject = {}
    plan: tuple[PlannedPhase, ...] | None = None
    target: str | None = None
    code: CodeVersion | None = None
    parent: Parent | None = None

    def sentence(self, phase: str | None) -> str:
        """Say which project it belongs to."""
        return f"Run of {self.project} created."


class WriterOpened(Event, frozen=True, kw_only=True):
    """A writer opened the run again: the first event of every later opening."""

    writer: WriterInfo
    epoch: Count
    format: Count
    code: CodeVersion | None = None
    plan: tuple[PlannedPhase, ...] | None = None

    def sentence(self, phase: str | None) -> str:
        """Say which process, and the how-many-eth opening it is."""
        return f"Opened by process {self.writer.pid} on {self.writer.host} (epoch {self.epoch})."


class RunStarted(Event, frozen=True, kw_only=True):
    """Work begins."""

    def sentence(self, phase: str | None) -> str:
        """Say so."""
        return "Run started."


class RunResumed(Event, frozen=True, kw_only=True):
    """Work goes on; what was still running when it stopped counts as interrupted."""

    def sentence(self, phase: str | None) -> str:
        """Say so."""
        return "Run resumed."


class RunCompleted(Event, frozen=True, kw_only=True):
    """All that was to be done is done."""

    counts: Counts = Counts()

    def sentence(self, phase: str | None) -> str:
        """Say what it left behind."""
        done, kept = self.counts.phases_completed, self.counts.artifacts
        return f"Run completed: {done} phases, {kept} artifacts."


class RunFailed(Event, frozen=True, kw_only=True):
    """The run ended with an error."""

    event_level: ClassVar[Level] = "error"
    error: ErrorInfo
    counts: Counts = Counts()

    def sentence(self, phase: str | None) -> str:
        """Name the error."""
        return f"Run failed: {self.error.type}: {self.error.message}"


class RunCancelled(Event, frozen=True, kw_only=True):
    """The run was told to stop: by its caller, by Ctrl-C or by the system."""

    event_level: ClassVar[Level] = "warning"
    reason: str
    counts: Counts = Counts()

    def sentence(self, phase: str | None) -> str:
        """Say why."""
        return f"Run cancelled: {self.reason}."

"""
What people see of a run: frozen models, every field described.

Made by ``RunStateProjection.present`` alone. Times are aware and in UTC, lengths of time in
seconds, sizes in bytes; ``None`` means "not so far" or "does not apply".

Below: nothing. Above: run_state. Next to read: ``run_state.py``, which fills them.
"""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

RunStatus = Literal["absent", "pending", "running", "completed", "failed", "cancelled"]
PhaseStatus = Literal[
    "pending",
    "running",
    "completed",
    "failed",
    "cancelled",
    "interrupted",
    "blocked",
    "skipped",
    "invalidated",
]


class _Model(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class Failure(_Model):
    """An error as it was recorded."""

    type: str = Field(description="class of the exception, with its module")
    message: str = Field(description="its text")
    code: str | None = Field(None, description="the code of a StorageError")
    details: dict[str, Any] | None = Field(None, description="what else was recorded of it")
    next_action: str | None = Field(None, description="a command or call to try next")
    traceback: str | None = Field(None, description="the traceback, its end if it was long")


class Progress(_Model):
    """How far a phase is."""

    done: int | float = Field(description="units done")
    total: int | float | None = Field(None, description="units in all, if that is known")
    unit: str | None = Field(None, description="what is counted")


class StepCounts(_Model):
    """Steps by what happened to them, over all attempts and revisions."""

    started: int = Field(0, description="steps that began")
    completed: int = Field(0, description="steps that returned")
    failed: int = Field(0, description="steps that raised")
    cancelled: int = Field(0, description="steps that were told to stop")


class UsageSum(_Model):
    """What steps used up, over all attempts and revisions."""

    tokens_in: int = Field(0, description="tokens sent to models")
    tokens_out: int = Field(0, description="tokens received from models")
    cost_usd: float = Field(0.0, description="cost in US dollars")
    requests: int = Field(0, description="calls to services")


class ResultRef(_Model):
    """One result of one phase."""

    phase: str = Field(description="name of the phase")
    revision: int = Field(description="which of its results, from 1")
    partition: str | None = Field(None, description="its partition")


class PartitionState(_Model):
    """A phase for one partition; a phase without partitions has one of these, unnamed."""

    partition: str | None = Field(None, description="label such as 'de'; None: no partitions")
    status: PhaseStatus = Field(description="how it stands")
    revision: int = Field(1, description="which result this is or will be, from 1")
    attempt: int = Field(0, description="which try inside the revision, from 1; 0: none yet")
    progress: Progress | None = Field(None, description="how far the attempt is")
    started_at: datetime | None = Field(None, description="when the last attempt began")
    ended_at: datetime | None = Field(None, description="when it ended; None if interrupted")
    duration_s: float | None = Field(None, description="how long the last attempt took")
    error: Failure | None = Field(None, description="what the last attempt failed with")
    will_retry: bool = Field(False, description="whether another attempt follows by itself")
    missing: list[str] = Field([], description="what a blocked phase needs")
    reason: str | None = Field(None, description="why it was cancelled, blocked or skipped")
    because: ResultRef | None = Field(None, description="the newer result that invalidated it")
    depends_on: list[ResultRef] = Field([], description="the results the last attempt began with")
    artifact_ids: list[str] = Field([], description="what the completed attempt produced")
    summary: dict[str, Any] | None = Field(None, description="what it said about itself at its end")
    steps: StepCounts = Field(StepCounts(), description="steps inside it")
    usage: UsageSum = Field(UsageSum(), description="what those used up")


class PhaseState(_Model):
    """A phase with all of its partitions."""

    name: str = Field(description="name of the phase")
    after: list[str] = Field([], description="phases that come before it, by the plan")
    planned: bool = Field(description="whether the plan names it")
    status: PhaseStatus = Field(description="running while any partition runs, else the worst")
    partitions: list[PartitionState] = Field(
        [], description="in the plan's order, then in order of appearance"
    )


class LogLines(_Model):
    """Ordinary log lines by level."""

    debug: int = Field(0, description="lines of level debug")
    info: int = Field(0, description="lines of level info")
    warning: int = Field(0, description="lines of level warning")
    error: int = Field(0, description="lines of level error")


class Totals(_Model):
    """What a run holds, counted."""

    events: int = Field(description="lines of the log")
    artifacts: int = Field(0, description="artifacts stored, deleted ones included")
    artifact_bytes: int = Field(0, description="their sizes added up")
    artifacts_failed: int = Field(0, description="artifacts that could not be stored")
    artifacts_deleted: int = Field(0, description="artifacts deleted again")
    steps: StepCounts = Field(StepCounts(), description="steps")
    usage: UsageSum = Field(UsageSum(), description="what the steps used up")
    log_lines: LogLines = Field(LogLines(), description="ordinary log lines")
    annotations: int = Field(0, description="notes of people")
    user_events: int = Field(0, description="events of the user's own (dotted) kinds")
    tails_set_aside: int = Field(0, description="torn tails that recovery set aside")


class PlannedPhaseState(_Model):
    """One phase of the plan."""

    name: str = Field(description="name of the phase")
    after: list[str] = Field([], description="phases that must be done before")
    partitions: list[str] | None = Field(None, description="labels, if they are known beforehand")


class CodeState(_Model):
    """Which code ran last."""

    git_commit: str | None = Field(None, description="commit of the working tree")
    git_dirty: bool | None = Field(None, description="whether it had changes")
    source_sha256: str | None = Field(None, description="digest of the target's own source")


class WriterState(_Model):
    """Who opened the run last."""

    host: str = Field(description="host name")
    pid: int = Field(description="process id")
    user: str = Field(description="user name")
    library: str = Field(description="library and version")


class ParentState(_Model):
    """Where the run comes from."""

    relation: Literal["fork", "child"] = Field(description="how it belongs to its parent")
    run_id: str = Field(description="the parent")
    seq: int = Field(description="the parent's event at which it began")
    hash: str = Field(description="that event's hash")


class RunState(_Model):
    """The state of a run after its event ``seq``: bounded by phases and partitions."""

    run_id: str = Field(description="the run")
    seq: int = Field(description="number of the last event that is in here")
    hash: str = Field(description="hash of that event's line: what pins this state")
    timestamp: datetime = Field(description="when that event was recorded")
    project: str | None = Field(description="project; None only if line 1 is not understood")
    status: RunStatus = Field(description="how the run stands")
    external_id: str | None = Field(None, description="id of the run elsewhere")
    parameters: dict[str, Any] = Field({}, description="what it was started with")
    target: str | None = Field(None, description="what was run, such as 'path.py:name'")
    code: CodeState | None = Field(None, description="which code ran last")
    plan: list[PlannedPhaseState] | None = Field(None, description="what was to be done")
    parent: ParentState | None = Field(None, description="where it comes from")
    created_at: datetime = Field(description="when it was created")
    started_at: datetime | None = Field(None, description="when its work began first")
    ended_at: datetime | None = Field(None, description="when it ended; None while it goes on")
    duration_s: float | None = Field(None, description="from started_at to ended_at, pauses too")
    error: Failure | None = Field(None, description="what the run failed with")
    reason: str | None = Field(None, description="why the run was cancelled")
    complete: bool = Field(description="False if events were seen that this version cannot fold")
    unknown: list[str] = Field([], description="their names, the first ten")
    phases: list[PhaseState] = Field([], description="in the plan's order, then of appearance")
    totals: Totals = Field(description="what is counted, not kept")
    writer: WriterState | None = Field(None, description="who opened the run last")
    epoch: int = Field(0, description="how often it was opened for writing")

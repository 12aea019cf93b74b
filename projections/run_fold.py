"""
A run while it is being folded: private structs, changed in place, and the names of their parts.

Encoded as JSON they can be stored and gone on with. People never see them: ``run_present.py``
makes the model of ``run_models.py`` out of them.

Below: fold. Above: run_present, run_state.
"""

from functools import lru_cache

import msgspec

from journal.events import phase, run, step
from journal.events.base import ErrorInfo, JsonObject
from journal.lifecycle import ABSENT, PENDING
from projections.fold import Key


class Used(msgspec.Struct, omit_defaults=True):
    """Usage, added up."""

    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float = 0.0
    requests: int = 0

    def add(self, usage: "step.Usage | Used") -> None:
        """Add one step's, or those of a whole phase."""
        self.tokens_in += usage.tokens_in
        self.tokens_out += usage.tokens_out
        self.cost_usd += usage.cost_usd
        self.requests += usage.requests


class PartitionFold(msgspec.Struct, omit_defaults=True):
    """One phase, per partition, while it is being folded."""

    status: str = PENDING
    revision: int = 1
    attempt: int = 0
    progress: phase.PhaseProgress | None = None
    started_at: str | None = None
    ended_at: str | None = None
    duration_s: float | None = None
    error: ErrorInfo | None = None
    will_retry: bool = False
    missing: tuple[str, ...] = ()
    reason: str | None = None
    because: phase.PhaseRef | None = None
    depends_on: tuple[phase.PhaseRef, ...] = ()
    artifact_ids: tuple[str, ...] = ()
    summary: JsonObject | None = None
    steps: dict[str, int] = {}
    usage: Used = msgspec.field(default_factory=Used)


class RunFold(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A run while it is being folded. Encoded as JSON, it can be stored and gone on with."""

    run_id: str
    seq: int = 0
    hash: str = ""
    timestamp: str = ""
    created_at: str = ""
    status: str = ABSENT
    created: run.RunCreated | None = None
    code: run.CodeVersion | None = None
    plan: tuple[run.PlannedPhase, ...] | None = None
    writer: run.WriterInfo | None = None
    epoch: int = 0
    started_at: str | None = None
    ended_at: str | None = None
    error: ErrorInfo | None = None
    reason: str | None = None
    unknown: tuple[str, ...] = ()
    phases: dict[str, dict[str, PartitionFold]] = {}  # partition "" stands for none
    outside: PartitionFold = msgspec.field(default_factory=PartitionFold)  # steps of no phase
    artifacts: int = 0
    artifact_bytes: int = 0
    artifacts_failed: int = 0
    artifacts_deleted: int = 0
    log_lines: dict[str, int] = {}
    annotations: int = 0
    user_events: int = 0
    tails_set_aside: int = 0


def escape(part: str) -> str:
    """A name as one part of a JSON pointer."""
    return part.replace("~", "~0").replace("/", "~1")


@lru_cache(maxsize=8192)
def phase_keys(name: str, label: str) -> tuple[Key, ...]:
    """The phase's own word, and the whole of one partition."""
    return (f"/phases/{escape(name)}/status", _inside(name, label))


@lru_cache(maxsize=8192)
def progress_keys(name: str, label: str) -> tuple[Key, ...]:
    """How far a partition is."""
    return (f"{_inside(name, label)}/progress",)


@lru_cache(maxsize=8192)
def step_keys(name: str, label: str) -> tuple[Key, ...]:
    """What is counted of steps, for the run and for a partition."""
    inside = _inside(name, label)
    return (*ALL_STEPS, f"{inside}/steps", f"{inside}/usage")


@lru_cache(maxsize=8192)
def new_phase_keys(name: str) -> tuple[Key, ...]:
    """A phase that was not there, or one with a partition more; what was counted there, too."""
    return (f"/phases/{escape(name)}", *ALL_STEPS)


ALL_STEPS: tuple[Key, ...] = ("/totals/steps", "/totals/usage")


def _inside(name: str, label: str) -> Key:
    return f"/phases/{escape(name)}/partitions/{escape(label)}"


def make(state: RunFold, name: str, label: str) -> PartitionFold:
    """A partition that was not there before."""
    found = state.phases.setdefault(name, {})[label] = PartitionFold()
    return found

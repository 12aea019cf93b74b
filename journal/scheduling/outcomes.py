"""
What phases come to, and what one that waits for them is given.

``Node`` and ``Unit`` are what others wait on; ``Given`` gathers the values, and beside them what
is recorded as inputs: results and their artifacts. Never decides what follows: ``scheduler.py``.

Below: events, scheduling.signature. Above: scheduler.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import anyio

from journal.events.base import where
from journal.events.phase import PhaseInputs, PhaseRef
from journal.scheduling.signature import Need


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    How one phase and partition ended in this pass. Done ones have a ``ref``.

    ``fresh``: it was run or skipped now, not in a process before.
    """

    status: Literal["done", "skipped", "missing"]
    value: object = None
    ref: PhaseRef | None = None
    artifact_id: str | None = None
    fresh: bool = False


class Unit:
    """One phase and partition, while others wait until it is ``settled``."""

    def __init__(self) -> None:
        self.settled = anyio.Event()
        self.outcome = Outcome("missing")


class Node:
    """
    One phase, while others wait until its partitions are ``known``.

    Then it has a unit for each, or one under ``None`` where it has no partitions; or it ended as
    a ``whole``, before there were any.
    """

    def __init__(self) -> None:
        self.known = anyio.Event()
        self.whole: Outcome | None = None
        self.units: dict[str | None, Unit] = {}

    @property
    def partitioned(self) -> bool:
        """Whether its units are partitions."""
        return None not in self.units

    def output(self) -> object:
        """What it handed on, by partition where it has them."""
        values = {label: unit.outcome.value for label, unit in self.units.items()}
        return values if self.whole is None and self.partitioned else values.get(None)


@dataclass(slots=True)
class Given:
    """What the phases before have come to, for one that waits for them."""

    values: dict[str, object] = field(default_factory=dict)
    refs: list[PhaseRef] = field(default_factory=list)
    artifact_ids: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    fresh: bool = False

    def add(self, need: Need, outcomes: Mapping[str | None, Outcome], *, many: bool) -> None:
        """Add what one of them came to; ``many``: as a dict of its partitions."""
        for label, outcome in outcomes.items():
            self.fresh |= outcome.fresh
            if outcome.status == "missing":
                self.missing.append(where(need.phase, label))
            elif outcome.ref is not None:
                self.refs.append(outcome.ref)
                if outcome.artifact_id is not None and need.argument is not None:
                    self.artifact_ids.append(outcome.artifact_id)
            elif not _admits_none(need, item=many):
                self.skipped.append(where(need.phase, label))
        if need.argument is not None:
            values = {label: outcome.value for label, outcome in outcomes.items()}
            self.values[need.argument] = values if many else next(iter(values.values()))

    @property
    def inputs(self) -> PhaseInputs:
        """What is recorded of it when the phase starts."""
        return PhaseInputs(artifact_ids=tuple(self.artifact_ids), depends_on=tuple(self.refs))

    @property
    def why_skipped(self) -> str:
        """Why a phase that needs what was skipped is skipped, too."""
        return f"needs {', '.join(self.skipped)}, which was skipped"


def _admits_none(need: Need, *, item: bool) -> bool:
    if need.argument is None or need.wanted is None:
        return True
    return need.wanted.optional if item else need.optional

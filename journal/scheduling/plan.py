"""
What is known of a pipeline before anything runs: its phases, and what its parameters decide.

Below: events, scheduling.retry, scheduling.signature. Above: scheduler, pipeline.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from journal.events.run import PlannedPhase
from journal.scheduling.retry import Retry
from journal.scheduling.signature import (
    Partitions,
    Signature,
    check_fit,
    check_labels,
    parse_labels,
    refused,
)

Skip = Callable[[Any], str | None]
"""A rule that is given the parameters and says why a phase need not run, or ``None``."""


@dataclass(frozen=True, slots=True)
class PhaseDefinition:
    """One phase as it was written down; ``sources`` are the arguments of its ``partitions``."""

    name: str
    function: Callable[..., Any]
    signature: Signature
    partitions: Partitions | None
    sources: tuple[str, ...]
    limit: int | None
    retry: Retry | None
    skip: Skip | None

    def early_labels(self, project: str, parameters: Any) -> tuple[str, ...] | None:
        """Its partitions, where they follow from the parameters alone."""
        if self.partitions is None or set(self.sources) - {"parameters"}:
            return None
        if callable(self.partitions):
            given = {"parameters": parameters} if self.sources else {}
            return parse_labels(project, self.name, self.partitions(**given))
        return parse_labels(project, self.name, self.partitions)


@dataclass(frozen=True, slots=True)
class Plan:
    """
    One pass to make: phases and parameters, the partitions and skips that follow from them.

    ``redo``: phase -> labels to run again though they completed, or none for all of it.
    """

    project: str
    phases: Mapping[str, PhaseDefinition]
    parameters: Any
    labels: Mapping[str, tuple[str, ...]]
    skips: Mapping[str, str]
    redo: Mapping[str, frozenset[str]] = field(default_factory=dict)
    limit: float = math.inf

    def redone(self, name: str, label: str | None) -> bool:
        """Whether this phase, or this partition of it, is to be run again."""
        return name in self.redo and (not self.redo[name] or label in self.redo[name])

    def recorded(self) -> tuple[PlannedPhase, ...]:
        """The plan as the run's first event holds it, in the order of definition."""
        return tuple(
            PlannedPhase(
                name=name,
                after=tuple(need.phase for need in phase.signature.needs),
                partitions=self.labels.get(name),
            )
            for name, phase in self.phases.items()
        )


def check_phases(project: str, phases: Mapping[str, PhaseDefinition]) -> None:
    """Refuse phases that do not fit each other; see ``check_fit`` and ``check_labels``."""
    signatures = {name: phase.signature for name, phase in phases.items()}
    check_fit(project, signatures)
    lists = {
        name: parse_labels(project, name, phase.partitions)
        for name, phase in phases.items()
        if phase.partitions is not None and not callable(phase.partitions)
    }
    check_labels(project, signatures, lists)


def make_plan(
    project: str,
    phases: Mapping[str, PhaseDefinition],
    parameters: Any,
    *,
    redo: Mapping[str, frozenset[str]],
    limit: float,
) -> Plan:
    """
    Ask the rules that need nothing but the parameters; what they raise goes to the caller.

    Raises ``validation_error`` for labels that are refused, given twice, or have no partner.
    """
    labels = {
        name: found
        for name, phase in phases.items()
        if (found := phase.early_labels(project, parameters)) is not None
    }
    check_labels(project, {name: phase.signature for name, phase in phases.items()}, labels)
    for name, wanted in redo.items():
        if name not in phases:
            raise refused(project, None, f"{name!r} is to be done again, but is no phase")
        if unknown := wanted.difference(labels.get(name, wanted)):
            raise refused(project, name, f"it has no partition {min(unknown)!r} to do again")
    skips = {
        name: reason
        for name, phase in phases.items()
        if phase.skip is not None and (reason := phase.skip(parameters)) is not None
    }
    return Plan(project, phases, parameters, labels, skips, redo, limit)

"""
The pictures and tables of ``docs/lifecycle.md``, drawn from the transition tables.

That a run's end or resumption interrupts its running phases stands in no table; it is found by
asking ``evolve``.
"""

from collections.abc import Mapping

from journal.events.base import Event
from journal.lifecycle import (
    ABSENT,
    INTERRUPTED,
    PENDING,
    PHASE_TRANSITIONS,
    RUN_TRANSITIONS,
    RUNNING,
    PhaseStatus,
    RunLifecycle,
    evolve,
)
from tests.unit.payloads import example_of

Table = Mapping[type[Event], tuple[frozenset[str], str | None]]
Edge = tuple[str, str, str]
"""From which state, by which event, to which state."""

_ORDER = [
    "absent",
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


def run_part() -> str:
    """Return the picture and the table of a run."""
    return _picture(edges_of(RUN_TRANSITIONS), ABSENT) + "\n" + _table("run", RUN_TRANSITIONS)


def phase_part() -> str:
    """Return the picture and the table of a phase."""
    stopped = [(RUNNING, event, INTERRUPTED) for event in interrupting()]
    picture = _picture(edges_of(PHASE_TRANSITIONS) + stopped, PENDING)
    rows = "".join(
        f"| `{event}` of its run | {RUNNING} | {INTERRUPTED} |\n" for event in interrupting()
    )
    return picture + "\n" + _table("phase", PHASE_TRANSITIONS) + rows


def edges_of(table: Table) -> list[Edge]:
    """Return every transition of a table, in the order of states, then of the table."""
    found = [
        (state, kind.event_name, after or state)
        for kind, (states, after) in table.items()
        for state in states
    ]
    events = [kind.event_name for kind in table]
    return sorted(found, key=lambda edge: (_ORDER.index(edge[0]), events.index(edge[1])))


def interrupting() -> list[str]:
    """Return the events of a run after which a phase that was running is interrupted."""
    before = RunLifecycle(status=RUNNING, phases={"p": {"": PhaseStatus(status=RUNNING)}})
    return [
        kind.event_name
        for kind in RUN_TRANSITIONS
        if evolve(before, None, example_of(kind)).phase("p").status == INTERRUPTED
    ]


def _picture(edges: list[Edge], start: str) -> str:
    """Draw one arrow per pair of states; several events share it."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for state, event, after in edges:
        arrows.setdefault((state, after), []).append(event)
    lines = ["```mermaid", "stateDiagram-v2"]
    if start != ABSENT:
        lines.append(f"    [*] --> {start}")
    for (state, after), events in arrows.items():
        source = "[*]" if state == ABSENT else state
        lines.append(f"    {source} --> {after} : {', '.join(events)}")
    return "\n".join([*lines, "```", ""])


def _table(what: str, table: Table) -> str:
    """One row per event: the states it may happen in, and the one it leads to."""
    rows = [
        f"| `{kind.event_name}` | {', '.join(sorted(states, key=_ORDER.index))} "
        f"| {after or 'as before'} |\n"
        for kind, (states, after) in table.items()
    ]
    return f"| event | while the {what} is | then it is |\n|---|---|---|\n" + "".join(rows)

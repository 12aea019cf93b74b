"""
Labels and names inside the built-in events: parsed like every other, wherever an event comes from.

A user's own event may call its fields what it likes; nothing of it becomes a path or a column.

Below: events.base, events.registry, events.run, ids. Above: recorder, journal.
"""

from collections.abc import Callable, Sequence
from functools import cache, partial

from journal.events.base import Event
from journal.events.registry import BUILT_IN
from journal.events.run import PlannedPhase
from journal.ids import parse_digest, parse_label, parse_name, parse_partition

_PARSERS: dict[str, Callable[[object], object]] = {
    "partition": parse_partition,
    "artifact_id": partial(parse_label, what="artifact id"),
    "step_id": partial(parse_label, what="step id"),
    "role": partial(parse_name, what="role"),
    "format": partial(parse_name, what="format"),
    "sha256": parse_digest,
}


@cache
def _parsed_fields(kind: type[Event]) -> tuple[tuple[str, Callable[[object], object]], ...]:
    if kind not in BUILT_IN:
        return ()
    fields = kind.__struct_fields__
    # The format of an opening event is the number of the line format.
    return tuple(
        (name, parse)
        for name, parse in _PARSERS.items()
        if name in fields and not (name == "format" and "writer" in fields)
    )


def checked_plan(plan: Sequence[PlannedPhase] | None) -> tuple[PlannedPhase, ...] | None:
    """A plan with all its names parsed; refuses it with ``validation_error``."""
    for planned in plan or ():
        parse_name(planned.name, "phase")
        for partition in planned.partitions or ():
            parse_partition(partition)
    return None if plan is None else tuple(plan)


def check_labels(event: Event) -> None:
    """Refuse with ``validation_error`` a built-in event that holds a malformed label or name."""
    for name, parse in _parsed_fields(type(event)):
        value = getattr(event, name)
        if value is not None:
            parse(value)

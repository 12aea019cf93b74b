"""Given, when, then for the lifecycle: states that stand as wanted, and what may follow them."""

import msgspec
import pytest

from journal.errors import StorageError
from journal.events.base import Event
from journal.events.registry import BUILT_IN
from journal.lifecycle import PhaseStatus, RunLifecycle, check, evolve, expected_numbers
from tests.unit import payloads

BY_NAME = {kind.event_name: kind for kind in BUILT_IN}


def running(**phases: PhaseStatus) -> RunLifecycle:
    """Return a running run whose phases (without partition) stand as given."""
    return RunLifecycle(
        status="running", phases={name: {"": status} for name, status in phases.items()}
    )


def event_of(kind: type[Event], found: PhaseStatus) -> Event:
    """Return an event of ``kind`` with the numbers that fit a phase that stands as ``found``."""
    revision, attempt = expected_numbers(found, kind)
    numbers = {"revision": revision, "attempt": attempt}
    fields = {name: numbers[name] for name in numbers if name in kind.__struct_fields__}
    return msgspec.structs.replace(payloads.example_of(kind), **fields)


def refused(state: RunLifecycle, phase: str | None, event: Event) -> StorageError:
    """Return the error with which ``event`` is refused."""
    with pytest.raises(StorageError) as caught:
        check(state, phase, event)
    assert "Nothing was written." in caught.value.info.message
    return caught.value


def told(*events: tuple[str | None, Event], state: RunLifecycle | None = None) -> RunLifecycle:
    """Return the state after these events, each of which must be legal."""
    state = state or RunLifecycle()
    for phase, event in events:
        check(state, phase, event)
        state = evolve(state, phase, event)
    return state

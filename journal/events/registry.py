"""
Which class an event's name stands for, and what to do with a name that nobody knows.

Classes register by being defined: the built-in vocabulary below, and every subclass of ``Event``
with a dotted name. A name out of a log never loads code. What is not known is kept byte for byte
as ``UnknownEvent``.

Below: base, errors, artifact, log, phase, run, step. Above: record.
"""

import re
from typing import Literal

from journal.errors import StorageErrorCode, storage_error
from journal.events import artifact, log, phase, run, step
from journal.events.base import Event

BUILT_IN: tuple[type[Event], ...] = (
    run.RunCreated,
    run.WriterOpened,
    run.RunStarted,
    run.RunResumed,
    run.RunCompleted,
    run.RunFailed,
    run.RunCancelled,
    phase.PhaseStarted,
    phase.PhaseProgress,
    phase.PhaseCompleted,
    phase.PhaseFailed,
    phase.PhaseCancelled,
    phase.PhaseBlocked,
    phase.PhaseSkipped,
    phase.PhaseInvalidated,
    step.StepStarted,
    step.StepCompleted,
    step.StepFailed,
    step.StepCancelled,
    artifact.ArtifactPersisted,
    artifact.ArtifactPersistFailed,
    artifact.ArtifactDeleted,
    log.LogEmitted,
    log.AnnotationAdded,
    log.LogRecovered,
    log.SnapshotRecorded,
)
"""The vocabulary of format 1, in the order of ``docs/events.md``."""

KEPT_FREE_JSON = frozenset(
    {
        run.RunCreated,
        run.RunFailed,
        phase.PhaseCompleted,
        phase.PhaseFailed,
        step.StepFailed,
        artifact.ArtifactPersisted,
        artifact.ArtifactPersistFailed,
        log.SnapshotRecorded,
    }
)
"""
Events with free JSON that a state may keep: replay checks its depth, too. A parser bears more than
whatever shows the state afterwards, and one such line would close the whole index.
"""

_DOTTED = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_NAME_CHARS_MAX = 128


class UnknownEvent(Event, frozen=True, kw_only=True):
    """
    An event that this program does not know, kept as it stands.

    ``raw`` holds the payload's bytes exactly; ``unknown`` says whether the name or only the
    payload's version is new. It can be shown, hashed and copied, never written.
    """

    name: str
    version: int
    raw: bytes
    unknown: Literal["name", "version"]

    def sentence(self, phase: str | None) -> str:
        """Say that it is unknown."""
        return f"Event {self.name} (version {self.version}) is not known to this program."

    @property
    def blocks(self) -> bool:
        """Whether a state without it is incomplete: a user's own (dotted) name never blocks."""
        return "." not in self.name or self.unknown == "version"


def is_user_name(name: str) -> bool:
    """Whether ``name`` is a well-formed name for an event of a user: dotted snake_case."""
    return len(name) <= _NAME_CHARS_MAX and _DOTTED.fullmatch(name) is not None


def check_recordable(event: Event) -> None:
    """Refuse with ``validation_error`` what has no name that may stand in a log."""
    kind = type(event)
    if kind in _BUILT_IN or _is_users_own(kind):
        return
    raise storage_error(
        StorageErrorCode.VALIDATION_ERROR,
        f"{kind.__name__} cannot be recorded: an event of your own derives from Event and has "
        "event_name: ClassVar[str], a dotted name such as 'acme.invoice_sent', and where it has an "
        f"event_version, that is a ClassVar[int] from 1 on; not {kind.event_name!r} and "
        f"{kind.event_version!r}. Nothing was written.",
        reason="event_name",
    )


def known_events() -> dict[str, type[Event]]:
    """All classes that can be decoded now, by name: the built-in ones and every subclass."""
    known = {kind.event_name: kind for kind in BUILT_IN}
    for kind in _subclasses(Event):
        name = kind.event_name
        if not _is_users_own(kind):
            continue  # a base class of somebody's events has no name of its own
        other = known.get(name)
        if other is not None and _place(other) != _place(kind):
            raise storage_error(
                StorageErrorCode.VALIDATION_ERROR,
                f"two classes claim the event {name!r}: {_place(other)} and {_place(kind)}. "
                "Rename one of them.",
                reason="event_name_twice",
            )
        known[name] = kind  # the same class defined again (a reload): the newest one
    return known


def _subclasses(kind: type[Event]) -> list[type[Event]]:
    found: list[type[Event]] = []
    for child in kind.__subclasses__():
        found.append(child)
        found.extend(_subclasses(child))
    return found


def _place(kind: type[Event]) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _is_users_own(kind: type[Event]) -> bool:
    """
    Whether it is named and numbered as it should be. (Without ``ClassVar`` both are fields.)

    A built-in event, refined, would move the lifecycle for some of the code and not for all.
    """
    name: object = kind.event_name
    version: object = kind.event_version
    return (
        isinstance(name, str)
        and is_user_name(name)
        and isinstance(version, int)
        and version >= 1
        and _BUILT_IN.isdisjoint(kind.__mro__)
    )


_BUILT_IN: frozenset[type] = frozenset(BUILT_IN)

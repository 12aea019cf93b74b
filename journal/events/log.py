"""
What is said about a run: log lines, notes, snapshots, and what recovery did.

None of these changes the lifecycle, except that ``log_recovered`` is written by opening alone.

Below: base. Above: registry.
"""

from typing import Any, ClassVar, Literal

from journal.events.base import (
    Count,
    Event,
    JsonObject,
    Level,
    Seq,
    Sha256,
)


class LogEmitted(Event, frozen=True, kw_only=True):
    """A line of an ordinary log. Its text is the line's ``message``, its level the line's."""

    logger: str | None = None
    name: str | None = None
    timestamp: str | None = None
    level: str | None = None
    data: JsonObject | None = None

    def sentence(self, phase: str | None) -> str:
        """Stand in for a text that was not given."""
        return self.name or "Log line."


class AnnotationAdded(Event, frozen=True, kw_only=True):
    """A person's note or decision, about the event ``about`` where it is given."""

    text: str
    about: Seq | None = None

    def sentence(self, phase: str | None) -> str:
        """Say what it is about."""
        return f"Note about event {self.about} added." if self.about else "Note added."


class LogRecovered(Event, frozen=True, kw_only=True):
    """A torn tail was found on opening: never acknowledged, set aside, cut from the log."""

    event_level: ClassVar[Level] = "warning"
    bytes_set_aside: Count
    sha256: Sha256
    kept_as: str

    def sentence(self, phase: str | None) -> str:
        """Say how much was set aside and where it is."""
        return f"Torn tail of {self.bytes_set_aside} bytes set aside as {self.kept_as}."


class SnapshotRecorded(Event, frozen=True, kw_only=True):
    """A whole document as its owner saved it: in full, or as an RFC 6902 patch to the last one."""

    event_level: ClassVar[Level] = "debug"
    document: Literal["run_state", "run_index"]
    sha256: Sha256
    full: JsonObject | None = None
    patch: tuple[dict[str, Any], ...] | None = None

    def sentence(self, phase: str | None) -> str:
        """Say which document, and how it is kept."""
        how = "in full" if self.patch is None else f"as {len(self.patch)} changes"
        return f"Snapshot of {self.document} recorded {how}."

"""
What happens to artifacts: stored first, told afterwards.

Below: base. Above: registry. The bytes themselves: ``artifacts/``.
"""

from typing import ClassVar

from journal.events.base import (
    Count,
    ErrorInfo,
    Event,
    JsonObject,
    Level,
    Sha256,
)


class ArtifactPersisted(Event, frozen=True, kw_only=True):
    """An artifact is in the store, on disk, under its digest. ``artifact_id`` names this act."""

    artifact_id: str
    role: str
    format: str
    media_type: str
    size_bytes: Count
    sha256: Sha256
    partition: str | None = None
    description: str | None = None
    metadata: JsonObject | None = None
    redacted: Count = 0

    def sentence(self, phase: str | None) -> str:
        """Say what, how large, and where it came from."""
        what = self.description or f"{self.role} as {self.format}"
        origin = f" by {phase}" if phase else ""
        without = f", {self.redacted} secrets taken out" if self.redacted else ""
        return f"Artifact stored{origin}: {what} ({self.size_bytes} bytes{without})."


class ArtifactPersistFailed(Event, frozen=True, kw_only=True):
    """An artifact could not be stored; nothing of it is in the store."""

    event_level: ClassVar[Level] = "error"
    artifact_id: str
    role: str
    format: str
    error: ErrorInfo
    partition: str | None = None
    description: str | None = None

    def sentence(self, phase: str | None) -> str:
        """Name the error."""
        return f"Artifact of role {self.role} not stored: {self.error.type}: {self.error.message}"


class ArtifactDeleted(Event, frozen=True, kw_only=True):
    """An artifact was taken out of the store; that it was there stays in the log."""

    event_level: ClassVar[Level] = "warning"
    artifact_id: str
    sha256: Sha256
    reason: str

    def sentence(self, phase: str | None) -> str:
        """Say why."""
        return f"Artifact {self.artifact_id} deleted: {self.reason}."

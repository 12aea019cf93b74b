"""
The index of artifacts: what runs produced, by run, role, phase, partition, id and digest.

The only projection that grows with its run, so its state is a heap of changes: whoever stores it
takes them out (``ArtifactFold.drain``) and goes on with an empty one. Folded in one go, it is the
index of the run. An artifact that was deleted leaves the index; the log keeps that it was there.

Below: fold, journal. Above: replay, sqlite.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from journal.artifacts.store import ArtifactFormat, ArtifactMetadata
from journal.events import artifact
from journal.events.base import Event, JsonObject
from journal.record import Record
from projections.fold import Key

_FORMATS = frozenset(each.value for each in ArtifactFormat)


class ArtifactRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One artifact; field by field what ``ArtifactMetadata`` shows, but for its place."""

    artifact_id: str
    run_id: str
    role: str
    format: str
    media_type: str
    size_bytes: int
    sha256: str
    phase: str | None = None
    partition: str | None = None
    description: str | None = None
    metadata: JsonObject | None = None
    redacted: int = 0
    created_at: str
    seq: int
    inherited_from: str | None = None


class ArtifactFold(msgspec.Struct, omit_defaults=True):
    """Artifacts that came, by id, and ids of those that went, since the fold began."""

    run_id: str
    came: dict[str, ArtifactRow] = {}
    went: dict[str, int] = {}

    def drain(self) -> tuple[list[ArtifactRow], list[str]]:
        """Take out what came and what went; the fold goes on from nothing."""
        changes = list(self.came.values()), list(self.went)
        self.came, self.went = {}, {}
        return changes


class ArtifactIndexProjection:
    """Folds a run's events into the list of its artifacts."""

    name = "artifact_index"
    version = 2  # 2: redacted
    handles: frozenset[type[Event]] | None = frozenset(
        {artifact.ArtifactPersisted, artifact.ArtifactDeleted}
    )

    def initial(self, run_id: str) -> ArtifactFold:
        """No artifacts."""
        return ArtifactFold(run_id=run_id)

    def apply(self, state: ArtifactFold, record: Record) -> Sequence[Key]:
        """Go one event on."""
        handler = _HANDLERS.get(type(record.data))
        return () if handler is None else handler(state, record, record.data)

    def present(self, state: ArtifactFold) -> list[ArtifactMetadata]:
        """The artifacts that came and did not go, in the order of their events."""
        return [metadata_of(msgspec.json.encode(row)) for row in state.came.values()]


def metadata_of(body: bytes) -> ArtifactMetadata:
    """A row as people see it, from its JSON. A format that this version lacks is ``binary``."""
    return ArtifactMetadata.model_validate_json(body)


def _persisted(
    state: ArtifactFold, record: Record, event: artifact.ArtifactPersisted
) -> Sequence[Key]:
    state.went.pop(event.artifact_id, None)
    state.came.pop(event.artifact_id, None)  # the id used again: the last one stands, in its place
    state.came[event.artifact_id] = ArtifactRow(
        artifact_id=event.artifact_id,
        run_id=state.run_id,
        role=event.role,
        format=event.format if event.format in _FORMATS else ArtifactFormat.BINARY.value,
        media_type=event.media_type,
        size_bytes=event.size_bytes,
        sha256=event.sha256,
        phase=record.phase,
        partition=event.partition,
        description=event.description,
        metadata=event.metadata,
        redacted=event.redacted,
        created_at=record.timestamp,
        seq=record.seq,
        inherited_from=None if record.run_id == state.run_id else record.run_id,
    )
    return (f"/{event.artifact_id}",)


def _deleted(state: ArtifactFold, record: Record, event: artifact.ArtifactDeleted) -> Sequence[Key]:
    state.came.pop(event.artifact_id, None)
    state.went[event.artifact_id] = record.seq
    return (f"/{event.artifact_id}",)


_HANDLERS: dict[type[Event], Callable[[ArtifactFold, Record, Any], Sequence[Key]]] = {
    artifact.ArtifactPersisted: _persisted,
    artifact.ArtifactDeleted: _deleted,
}

"""
The async face of one writer: append, emit, log, store. What Run and Phase are made of.

Never blocks the loop: encoding is done at the call, writing by the writer's worker.

Below: errors, ids, events, draft, secrets, writer, artifacts, intake, lifecycle, receipt. Above:
phase, run.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple, get_args

import anyio
import anyio.lowlevel

from journal.artifacts.codec import Payload
from journal.artifacts.store import ArtifactFormat, ArtifactMetadata, ArtifactStore
from journal.artifacts.transfer import Encoded, store_payload
from journal.draft import Draft, freeze
from journal.errors import StorageError, StorageErrorCode, storage_error
from journal.events.artifact import ArtifactPersisted, ArtifactPersistFailed
from journal.events.base import ErrorInfo, Event, JsonObject, Level, well_formed
from journal.events.log import LogEmitted, LogRecovered
from journal.events.run import RunCreated, WriterOpened
from journal.events.values import check_labels
from journal.ids import RunId, new_artifact_id, parse_label, parse_name
from journal.intake import QueueFull
from journal.lifecycle import PHASE_TRANSITIONS, RUN_TRANSITIONS, RunLifecycle
from journal.receipt import Appended, Receipt
from journal.secrets import DEFAULT_GUARD, SecretsGuard
from journal.writer import Writer

_SPECIMEN = Encoded(
    sha256="0" * 64,
    size_bytes=2**63 - 1,
    location="",
    format=ArtifactFormat.BINARY,
    media_type="x" * 100,
)


_OPENINGS = frozenset({RunCreated, WriterOpened, LogRecovered})


class Place(NamedTuple):
    """Where in a run something happens."""

    phase: str | None = None
    partition: str | None = None


class Decision(NamedTuple):
    """An event that is to be recorded, and the phase it belongs to."""

    phase: str | None
    event: Event


class Recorder:
    """Writes events and artifacts of one run. Methods are for the loop; ``emit`` for any thread."""

    def __init__(
        self,
        writer: Writer,
        artifacts: ArtifactStore,
        leave: Callable[[Writer], Awaitable[None]],
        new_id: Callable[[], str] = new_artifact_id,
        guard: SecretsGuard = DEFAULT_GUARD,
    ) -> None:
        self.writer = writer
        self._artifacts = artifacts
        self._leave = leave
        self.new_id = new_id
        self._guard = guard

    async def close(self) -> None:
        """Write what is queued and give the lease back; raises a failure that nobody has seen."""
        await self._leave(self.writer)

    async def open(self, events: Sequence[Event]) -> Appended:
        """Append what tells an opening; only who opens a run may say so."""
        return await self._submit([self._freeze(event, None) for event in events])

    async def append(
        self,
        events: Event | Sequence[Event],
        *,
        phase: str | None = None,
        message: str | None = None,
        level: Level | None = None,
        actor: str | None = None,
        key: str | None = None,
        expected_seq: int | None = None,
    ) -> Appended:
        """Freeze and append; see ``Run.append``."""
        listed = [events] if isinstance(events, Event) else list(events)
        for event in listed:
            if type(event) in _OPENINGS:
                raise storage_error(
                    StorageErrorCode.VALIDATION_ERROR,
                    f"{event.event_name} is told by opening a run, never appended. Nothing was "
                    "written.",
                    run_id=self.writer.run_id,
                    reason="opening",
                    next_action="journal.run(...), journal.resume(...) or journal.open_run(...)",
                )
        drafts = [
            self._freeze(event, phase, message, level, actor, key if number == 0 else None)
            for number, event in enumerate(listed)
        ]
        return await self._submit(drafts, key=key, expected_seq=expected_seq)

    async def decide(self, decide: Callable[[RunLifecycle], Sequence[Decision]]) -> Appended:
        """Append what ``decide`` says for the state as it stands when nobody else changes it."""

        def drafts(state: RunLifecycle) -> list[Draft]:
            return [self._freeze(event, phase) for phase, event in decide(state)]

        return await self._submit(drafts)

    async def _submit(
        self,
        drafts: Sequence[Draft] | Callable[[RunLifecycle], Sequence[Draft]],
        **options: Any,
    ) -> Appended:
        self.writer.check_here()
        await anyio.lowlevel.checkpoint_if_cancelled()  # cancelled before: nothing is written
        while True:
            try:
                receipt = self.writer.submit(drafts, **options)
            except QueueFull as full:
                with suppress(StorageError):  # raised anew at the next try, where it is final
                    await full.last
            else:
                return await receipt

    def _freeze(
        self,
        event: Event,
        phase: str | None,
        message: str | None = None,
        level: Level | None = None,
        actor: str | None = None,
        key: str | None = None,
    ) -> Draft:
        if phase is not None:
            parse_name(phase, "phase")
        check_labels(event)
        if actor is not None:
            parse_label(actor, "actor")
        return freeze(
            self.writer.run_id,
            event,
            phase=phase,
            message=message,
            level=level,
            actor=actor,
            key=key,
            guard=self._guard,
        )

    def clean(self, text: str) -> str:
        """``text`` without what looks like a secret."""
        return self._guard.cleaner().text(text)

    def check(self, event: Event, phase: str | None) -> None:
        """Raise what ``append`` would raise for an event that cannot be encoded; writes nothing."""
        self._freeze(event, phase)

    def emit(
        self,
        event: Event,
        *,
        phase: str | None = None,
        message: str | None = None,
        level: Level | None = None,
        actor: str | None = None,
    ) -> Receipt:
        """Freeze and queue; see ``Run.emit``."""
        if type(event) in RUN_TRANSITIONS or type(event) in PHASE_TRANSITIONS:
            raise storage_error(
                StorageErrorCode.VALIDATION_ERROR,
                f"{event.event_name} changes the lifecycle: it must be appended, not emitted. "
                "Nothing was written.",
                run_id=self.writer.run_id,
                reason="not_neutral",
                next_action="await run.append(...)",
            )
        draft = self._freeze(event, phase, message, level, actor)
        try:
            return self.writer.submit([draft], patient=True)
        except QueueFull as full:
            full.last.hurry()
            raise storage_error(
                StorageErrorCode.LIMIT_EXCEEDED,
                f"run {self.writer.run_id}: the queue is full. Nothing was written.",
                run_id=self.writer.run_id,
                reason="queue_full",
                retryable=True,
                next_action="await a receipt now and then",
            ) from None

    def log(
        self, level: Level, message: str, place: Place, name: str | None, data: JsonObject
    ) -> Receipt:
        """Emit a line of an ordinary log."""
        if level not in get_args(Level):
            raise storage_error(
                StorageErrorCode.VALIDATION_ERROR,
                f"{ascii(level)[:40]} is no level; wanted: {', '.join(get_args(Level))}. Nothing "
                "was written.",
                run_id=self.writer.run_id,
                reason="level",
            )
        event = LogEmitted(name=name, level=level, data=data or None)
        return self.emit(event, phase=place.phase, message=well_formed(message), level=level)

    async def store(
        self,
        payload: Payload,
        place: Place,
        *,
        role: str,
        description: str | None,
        format: str | None,  # noqa: A002 - the word of the vocabulary
        metadata: JsonObject | None,
    ) -> ArtifactMetadata:
        """Store a payload, then tell it: on return both are durable."""
        artifact_id = self.new_id()
        run_id = self.writer.run_id

        def persisted(stored: Encoded) -> ArtifactPersisted:
            return ArtifactPersisted(
                artifact_id=artifact_id,
                role=parse_name(role, "role"),
                format=stored.format.value,
                media_type=stored.media_type,
                size_bytes=stored.size_bytes,
                sha256=stored.sha256,
                partition=place.partition,
                description=description,
                metadata=metadata,
                redacted=stored.redacted,
            )

        # What cannot be told is refused before it is stored: no bytes without an event.
        self.writer.check_open()
        self.writer.check_here()
        self.check(persisted(_SPECIMEN), place.phase)
        try:
            stored = await store_payload(
                self._artifacts, run_id, payload, format, guard=self._guard
            )
        except StorageError as failure:
            failed = ArtifactPersistFailed(
                artifact_id=artifact_id,
                role=role,
                format=format or "unknown",
                error=ErrorInfo.of(failure, with_traceback=False, clean=self.clean),
                partition=place.partition,
                description=description,
            )
            with anyio.CancelScope(shield=True), suppress(StorageError):
                await self.append(failed, phase=place.phase)
            raise
        event = persisted(stored)
        appended = await self.append(event, phase=place.phase)
        return describe(
            event,
            run_id=run_id,
            phase=place.phase,
            timestamp=appended.timestamp,
            seq=appended.first_seq,
            location=self._artifacts.location(run_id, stored.sha256),
        )


def describe(
    event: ArtifactPersisted,
    *,
    run_id: RunId,
    phase: str | None,
    timestamp: str,
    seq: int,
    location: str | None,
    inherited_from: str | None = None,
) -> ArtifactMetadata:
    """What people get to see of a stored artifact, from the event that told it."""
    return ArtifactMetadata(
        artifact_id=event.artifact_id,
        run_id=run_id,
        role=event.role,
        format=ArtifactFormat(event.format),
        media_type=event.media_type,
        size_bytes=event.size_bytes,
        sha256=event.sha256,
        phase=phase,
        partition=event.partition,
        description=event.description,
        metadata=event.metadata,
        redacted=event.redacted,
        created_at=datetime.fromisoformat(timestamp),
        seq=seq,
        inherited_from=inherited_from,
        location=location,
    )

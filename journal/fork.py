"""
A new run that begins where another one stood: forks, and what is salvaged of a damaged run.

The other run is read and never touched: not its log, not its lock, not its artifacts. The new one
appears whole or not at all, with its past and the artifacts of that past in its own folder; then
``journal resume`` goes on with it as with any run that stopped. What goes into its first line:
docs/guides/repairing.md; how its past is read: ``past.py``.

Below: errors, ids, limits, secrets, events, record, chain, draft, host, lifecycle, log, past,
artifacts. Above: salvage, forking.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from journal.artifacts.store import ArtifactStore, Content
from journal.chain import Chain, encode_batch, genesis
from journal.draft import Clock, Stamp, freeze
from journal.errors import StorageError, StorageErrorCode, storage_error
from journal.events.artifact import ArtifactDeleted, ArtifactPersisted
from journal.events.run import Parent, RunCreated
from journal.host import writer_info
from journal.ids import RunId
from journal.lifecycle import RunLifecycle, evolve
from journal.limits import FORMAT
from journal.log import Ancestor, EventLog, Head, Past
from journal.past import ancestry, past_records, pinned_lines
from journal.record import Record
from journal.secrets import AS_RECORDED

# What the other run's own content may be; anything else is a failure of the new run's store.
_THEIRS = frozenset({StorageErrorCode.NOT_FOUND, StorageErrorCode.CORRUPT})


class LostArtifact(BaseModel):
    """An artifact that the past tells of and that is not there as it was stored."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    artifact_id: str = Field(description="the artifact")
    phase: str | None = Field(None, description="the phase that stored it")
    partition: str | None = Field(None, description="the partition of that phase")
    sha256: str = Field(description="the digest it was stored with")
    code: StorageErrorCode = Field(strict=False, description="not_found: gone; corrupt: altered")
    message: str = Field(description="one sentence: where and what")


class Forked(BaseModel):
    """A run that goes on from a moment of another one."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    run_id: str = Field(description="the new run")
    parent: str = Field(description="the run it goes on from, which was not touched")
    seq: int = Field(description="the last event of the parent that it has")
    hash: str = Field(description="the hash of that event's line")
    ancestors: int = Field(description="runs in its past: the parent, the parent's, and so on")
    artifacts: int = Field(description="artifacts of the past that it has")
    lost: list[LostArtifact] = Field([], description="those that it would have, were they whole")


class Store(msgspec.Struct, frozen=True):
    """Where runs are: their logs and their artifacts."""

    log: EventLog
    artifacts: ArtifactStore


class Prefix:
    """
    The beginning of a run's log, folded as far as going on from it needs.

    ``holder`` is the run in whose folder the lines and their artifacts are: the run itself, or a
    fork of it that keeps them.
    """

    def __init__(self, run_id: RunId, holder: RunId | None = None) -> None:
        self.run_id = run_id
        self.holder = holder or run_id
        self.head = Head(0, 0, "")
        self.state = RunLifecycle()
        self.ancestors: tuple[Parent, ...] = ()
        self.artifacts: dict[str, tuple[Record, ArtifactPersisted]] = {}

    def begin(self, log: EventLog, first: Record, *, strict: bool = False) -> None:
        """Fold the past of the run whose first line this is."""
        self.ancestors = tuple(ancestry(log, self.run_id, first))
        for record in past_records(log, self.run_id, first, strict=strict):
            self.apply(record)

    def apply(self, record: Record) -> None:
        """Go one event on."""
        event = record.data
        self.state = evolve(self.state, record.phase, event)
        if isinstance(event, ArtifactPersisted):
            self.artifacts[event.artifact_id] = record, event
        elif isinstance(event, ArtifactDeleted):
            self.artifacts.pop(event.artifact_id, None)


def read_prefix(log: EventLog, run_id: RunId, seq: int | None = None) -> Prefix:
    """
    The first ``seq`` lines of a run (all of them if left out), folded and checked.

    Raises ``not_found`` for an unknown run or a seq past its end, and what reading it raises.
    """
    end = log.head(run_id).head
    last = end.seq if seq is None else seq
    if not 1 <= last <= end.seq:
        raise storage_error(
            StorageErrorCode.NOT_FOUND,
            f"run {run_id} has no such point: event {last} of {end.seq}.",
            operation="fork",
            run_id=run_id,
            reason="no_such_point",
            next_action=f"journal events {run_id}",
        )
    found, chain = Prefix(run_id), Chain(run_id)
    for line in log.read(run_id, 0, end.position):
        record = chain.follow(line)
        if record.seq == 1:
            found.begin(log, record)
        found.apply(record)
        if record.seq == last:
            break
    found.head = Head(chain.seq, chain.position, chain.hash)
    return found


def fork(
    store: Store,
    source: Store,
    run_id: RunId,
    new_id: RunId,
    *,
    at: int | None = None,
    parameters: Mapping[str, Any] | None = None,
    now: Callable[[], float] = time.time,
) -> Forked:
    """
    Make run ``new_id`` in ``store``, which goes on from event ``at`` of a run of ``source``.

    Durable on return. Raises what ``read_prefix`` raises, ``corrupt`` and ``not_found`` for an
    artifact that is not as it was stored, and what making a run raises: then there is none.
    """
    prefix = read_prefix(source.log, run_id, at)
    return go_on(store, source, prefix, new_id, parameters=parameters, now=now, spare=False)


def go_on(
    store: Store,
    source: Store,
    prefix: Prefix,
    new_id: RunId,
    *,
    parameters: Mapping[str, Any] | None = None,
    now: Callable[[], float] = time.time,
    spare: bool,
) -> Forked:
    """Make the run that begins with ``prefix``; ``spare``: artifacts that are lost are told."""
    pin = Parent(relation="fork", run_id=prefix.run_id, seq=prefix.head.seq, hash=prefix.head.hash)
    bringing = _Bringing(store.artifacts, source, prefix, new_id, spare=spare)
    past = Past(tuple(_ancestors(store, source, prefix, pin)), bringing.bring)
    lines = _first_batch(new_id, _created(prefix.state, pin, parameters), now)
    lease = store.log.create(new_id, lines, past)
    store.log.release(lease)
    return Forked(
        run_id=new_id,
        parent=prefix.run_id,
        seq=pin.seq,
        hash=pin.hash,
        ancestors=len(past.ancestors),
        artifacts=len(prefix.artifacts) - len(bringing.lost),
        lost=bringing.lost,
    )


def _created(state: RunLifecycle, pin: Parent, parameters: Mapping[str, Any] | None) -> RunCreated:
    """Line 1 of the new run: what the parent was made with, as it stood at that moment."""
    before = state.created
    if before is None:
        raise storage_error(
            StorageErrorCode.VALIDATION_ERROR,
            f"run {pin.run_id} does not begin with run_created: there is nothing to go on from. "
            "Nothing was changed.",
            operation="fork",
            run_id=pin.run_id,
            reason="no_run_created",
            next_action=f"journal verify {pin.run_id}",
        )
    return RunCreated(
        project=before.project,
        format=FORMAT,
        writer=writer_info(),
        parameters=before.parameters if parameters is None else dict(parameters),
        plan=state.plan,
        target=before.target,
        code=state.code,
        parent=pin,
    )


def _first_batch(run_id: RunId, created: RunCreated, now: Callable[[], float]) -> list[bytes]:
    stamp = Stamp(freeze(run_id, created, guard=AS_RECORDED), 1, *Clock(now).read())
    lines, _ = encode_batch(genesis(run_id), [stamp])
    return lines


def _ancestors(store: Store, source: Store, prefix: Prefix, pin: Parent) -> Iterator[Ancestor]:
    shared = prefix.holder if store.log is source.log else None
    for each in prefix.ancestors:
        ancestor = RunId(each.run_id)
        read: Callable[[], Iterable[bytes]] = partial(source.log.read_past, prefix.holder, ancestor)
        yield Ancestor(ancestor, partial(_checked, each, read), shared)
    own = partial(lines_of, source.log, prefix)
    yield Ancestor(prefix.run_id, partial(_checked, pin, own))


def lines_of(log: EventLog, prefix: Prefix) -> Iterator[bytes]:
    """The lines of a prefix, without those of its ancestors."""
    if prefix.holder == prefix.run_id:
        return log.read(prefix.run_id, 0, prefix.head.position)
    return islice(log.read_past(prefix.holder, prefix.run_id), prefix.head.seq)


def _checked(pin: Parent, read: Callable[[], Iterable[bytes]]) -> Iterator[bytes]:
    return pinned_lines(pin, read())


class _Bringing:
    """The artifacts of a past on their way to a new run."""

    def __init__(
        self,
        artifacts: ArtifactStore,
        source: Store,
        prefix: Prefix,
        new_id: RunId,
        *,
        spare: bool,
    ) -> None:
        self._artifacts = artifacts
        self._source = source
        self._prefix = prefix
        self._new_id = new_id
        self._spare = spare
        self.lost: list[LostArtifact] = []

    def bring(self, folder: str | None) -> None:
        """Each content once, however many artifacts are made of it."""
        self.lost = []
        done: dict[tuple[str, int], StorageError | None] = {}
        for record, event in self._prefix.artifacts.values():
            content = event.sha256, event.size_bytes
            if content not in done:
                done[content] = self._adopt(event, folder)
            failure = done[content]
            if failure is not None:
                self.lost.append(_lost(record, event, failure))

    def _adopt(self, event: ArtifactPersisted, folder: str | None) -> StorageError | None:
        content = Content(
            store=self._source.artifacts,
            run_id=self._prefix.holder,
            sha256=event.sha256,
            size_bytes=event.size_bytes,
        )
        try:
            self._artifacts.adopt(self._new_id, content, folder=folder)
        except StorageError as failure:
            if self._spare and failure.code in _THEIRS:
                return failure
            raise
        return None


def _lost(record: Record, event: ArtifactPersisted, failure: StorageError) -> LostArtifact:
    return LostArtifact(
        artifact_id=event.artifact_id,
        phase=record.phase,
        partition=event.partition,
        sha256=event.sha256,
        code=failure.code,
        message=failure.info.message,
    )

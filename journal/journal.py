"""
Journal: one open store, its runs and their artifacts. Where writing begins.

    async with Journal.open(".journal") as journal:
        async with journal.run(project="nightly") as run:
            ...

Below: everything of the write side but the pipeline. Above: pipeline, testing. Reading is the
business of the package ``projections``.
"""

import os
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, TypeVar, overload

import anyio
import anyio.to_thread
from pydantic import BaseModel

from journal import interrupts
from journal.artifacts.filesystem import FilesystemArtifacts
from journal.artifacts.store import ArtifactMetadata, ArtifactStore
from journal.artifacts.transfer import load_payload
from journal.backends.filesystem import FilesystemLog
from journal.backends.network import warn_of_network
from journal.draft import freeze
from journal.errors import StorageBatchError, StorageError, StorageErrorCode, storage_error
from journal.events.base import Event
from journal.events.log import LogRecovered
from journal.events.run import (
    CodeVersion,
    Parent,
    PlannedPhase,
    RunCreated,
    RunResumed,
    RunStarted,
    WriterOpened,
)
from journal.events.values import checked_plan
from journal.forking import Forking, checked_parent
from journal.handover import Leaving, take, take_when_free
from journal.host import writer_info
from journal.ids import RunId, new_run_id, parse_label, parse_name, parse_run_id
from journal.limits import FORMAT
from journal.log import EventLog
from journal.parameters import recorded_parameters
from journal.receipt import Bridge
from journal.recorder import Recorder
from journal.run import Run
from journal.samecode import check_same_code
from journal.secrets import DEFAULT_GUARD, SecretsGuard, check_guard
from journal.workers import Workers
from journal.writer import Writer

M = TypeVar("M", bound=BaseModel)


class Journal(Forking):
    """An open store. Make it with ``Journal.open``; use it on the loop that opened it."""

    def __init__(
        self,
        log: EventLog,
        artifacts: ArtifactStore,
        *,
        now: Callable[[], float] = time.time,
        new_id: Callable[[], str] = new_run_id,
        secrets: SecretsGuard = DEFAULT_GUARD,
    ) -> None:
        self.log = log
        self.artifacts = artifacts
        self._now = now
        self._new_id = new_id
        self._guard = check_guard(secrets)
        self._workers = Workers()
        self._leavers = Workers()  # who leaves waits for what those above write
        self._pid = os.getpid()
        self._bridge = Bridge()
        self._writers: dict[Writer, bool] = {}  # with whether it watches for interrupts
        self._closed = False

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        path: str | os.PathLike[str],
        *,
        create: bool = True,
        secrets: SecretsGuard = DEFAULT_GUARD,
    ) -> AsyncIterator["Journal"]:
        """
        Open the store at ``path``; with ``create``, make it where nothing is yet.

        ``secrets`` says what is taken out of events and artifacts before they are hashed.
        Raises ``not_found`` without ``create``, ``validation_error`` for a folder that holds
        something else, ``unsupported_format`` for a store of a newer version. Warns
        (``NetworkFileSystemWarning``) of a network or FUSE file system.
        """
        check_guard(secrets)
        log = await anyio.to_thread.run_sync(partial(FilesystemLog.open, path, create=create))
        await anyio.to_thread.run_sync(warn_of_network, log.files, log.root)
        journal = cls(log, FilesystemArtifacts(log.root, log.files), secrets=secrets)
        try:
            yield journal
        finally:
            await journal.close()

    async def close(self) -> None:
        """
        Close what is still open, without an event that ends it: it can be resumed.

        Raises a failure that nobody has seen; ``StorageBatchError`` where several runs have one.
        """
        self._closed = True
        if self._pid != os.getpid():
            return  # all of it is the parent's
        failures: list[StorageError] = []
        # All of it begins before the first wait, which a native cancellation may break off.
        leaving = [self._leaving(writer) for writer in self._writers]
        for threads in (self._leavers, self._workers):
            threads.stop()
        with anyio.CancelScope(shield=True):
            for each in leaving:
                try:
                    await each
                except StorageError as failure:
                    failures.append(failure)  # the others are closed all the same
            for threads in (self._leavers, self._workers):
                await anyio.to_thread.run_sync(threads.close)
        if len(failures) > 1:
            raise StorageBatchError(failures[0].info, failures)
        if failures:
            raise failures[0]

    def run(
        self,
        *,
        project: str,
        parameters: BaseModel | Mapping[str, Any] | None = None,
        external_id: str | None = None,
        plan: Sequence[PlannedPhase] | None = None,
        target: str | None = None,
        code: CodeVersion | None = None,
        parent: Parent | None = None,
    ) -> Run:
        """
        A new run: ``async with journal.run(project="nightly") as run:``.

        Entering it makes it durable, as ``run_created`` and ``run_started``. ``parameters`` are
        plain JSON or a pydantic model, secret ones recorded by name alone; ``target`` is what
        ``journal resume`` runs again. Raises ``validation_error`` for what is refused.
        """
        run_id = parse_run_id(self._new_id())
        created = RunCreated(
            project=parse_name(project, "project"),
            format=FORMAT,
            writer=writer_info(),
            external_id=None if external_id is None else parse_label(external_id, "external id"),
            parameters=recorded_parameters(parameters, self._guard),
            plan=checked_plan(plan),
            target=target,
            code=code,
            parent=checked_parent(parent),
        )
        drafts = [freeze(run_id, each, guard=self._guard) for each in (created, RunStarted())]
        make = partial(Writer.create, self.log, run_id, drafts, **self._services())

        async def opener() -> Recorder:
            self._check_open()
            return self._recorder(await take(make, self._leavers))

        return Run(run_id, opener, self.artifacts.location)

    def resume(
        self,
        run_id: str,
        *,
        wait_s: float = 0.0,
        code: CodeVersion | None = None,
        plan: Sequence[PlannedPhase] | None = None,
        allow_changed: bool = False,
        force: bool = False,
    ) -> Run:
        """
        Go on with a run that stopped: ``async with journal.resume(run_id) as run:``.

        Entering recovers the log, and records ``writer_opened`` (with ``code`` and ``plan``, if
        given), ``log_recovered`` where a torn tail was set aside, and ``run_resumed``. Raises
        ``locked`` after ``wait_s`` seconds while another writer holds it, ``not_found``,
        ``corrupt``; ``conflict`` when ``code`` differs from what ran before, unless
        ``allow_changed``. ``force`` takes the run, after ``wait_s`` seconds, from a writer that is
        stopped for good (a dead one keeps nobody out): should it wake, it is refused.
        """
        checked = checked_plan(plan)

        def decide(writer: Writer) -> list[Event]:
            if not allow_changed:
                check_same_code(writer.run_id, writer.state.code, code)
            return [self._opened(writer, code, checked), *_told(writer), RunResumed()]

        return self._reopened(run_id, wait_s, decide, ends=True, force=force)

    def open_run(self, run_id: str, *, wait_s: float = 0.0, force: bool = False) -> Run:
        """
        Open a run for notes and repairs: its status stays as it is, entering and leaving.

        Entering recovers the log and records ``writer_opened``; raises what ``resume`` raises, and
        takes ``force`` as it does.
        """

        def decide(writer: Writer) -> list[Event]:
            return [self._opened(writer, None, None), *_told(writer)]

        return self._reopened(run_id, wait_s, decide, ends=False, force=force)

    def _reopened(
        self,
        run_id: str,
        wait_s: float,
        decide: Callable[[Writer], list[Event]],
        *,
        ends: bool,
        force: bool,
    ) -> Run:
        parsed = parse_run_id(run_id)

        def make(last: bool) -> Writer:
            by_force = force and last
            writer = Writer.open(self.log, parsed, 0.0, force=by_force, **self._services())
            # Under the lease, so what lies there half stored is garbage of a writer that died.
            with suppress(StorageError):
                self.artifacts.sweep(parsed)
            return writer

        async def opener() -> Recorder:
            self._check_open()
            recorder = self._recorder(await take_when_free(make, self._leavers, wait_s))
            # Shielded: cancelled half-way, nobody would give the lease back.
            with anyio.CancelScope(shield=True):
                try:
                    await recorder.open(decide(recorder.writer))
                except BaseException:
                    with suppress(StorageError):  # what failed is on its way already
                        await recorder.close()
                    raise
            return recorder

        return Run(parsed, opener, self.artifacts.location, ends=ends)

    def _opened(
        self, writer: Writer, code: CodeVersion | None, plan: tuple[PlannedPhase, ...] | None
    ) -> WriterOpened:
        return WriterOpened(
            writer=writer_info(),
            epoch=writer.lease.epoch,
            format=FORMAT,
            code=code,
            plan=None if plan == writer.state.plan else plan,
        )

    def _recorder(self, writer: Writer) -> Recorder:
        self._writers[writer] = interrupts.begin()
        return Recorder(writer, self.artifacts, self._leaving, self._new_id, self._guard)

    def _leaving(self, writer: Writer) -> Leaving:
        return Leaving(writer, self._leavers, self._bridge, partial(self._forget, writer))

    def _check_open(self) -> None:
        if self._pid != os.getpid():
            raise storage_error(
                StorageErrorCode.CLOSED,
                "this journal was opened before its process was forked. Nothing was written.",
                operation="open",
                reason="forked",
                next_action="async with Journal.open(...) as journal:",
            )
        self._bridge.check_here("Nothing was written")
        super()._check_open()

    def _forget(self, writer: Writer) -> None:
        """A writer is closed, by whichever of several ways."""
        if self._writers.pop(writer, False):
            interrupts.end()

    def _services(self) -> dict[str, Any]:
        return {"workers": self._workers, "bridge": self._bridge, "now": self._now}

    async def delete(self, run_id: str) -> None:
        """
        Delete a run with all its files; durable on return. The feed keeps that it was there.

        Raises ``not_found``, and ``locked`` while a writer holds it.
        """
        self._check_open()
        await anyio.to_thread.run_sync(self._delete, parse_run_id(run_id))

    def _delete(self, run_id: RunId) -> None:
        self.log.delete(run_id)
        # Where they do not lie in the run's folder.
        for digest in list(self.artifacts.digests(run_id)):
            self.artifacts.remove(run_id, digest)

    @overload
    async def load(self, metadata: ArtifactMetadata) -> str | bytes: ...
    @overload
    async def load(self, metadata: ArtifactMetadata, model: type[M]) -> M | list[M]: ...
    async def load(
        self, metadata: ArtifactMetadata, model: type[M] | None = None
    ) -> M | list[M] | str | bytes:
        """
        Read an artifact back: a model (json), a list of models (jsonl), text or bytes.

        Size and hash are checked before anything is returned. Raises ``not_found``, ``corrupt``,
        ``serialization_error`` (no JSON), ``validation_error`` (not of ``model``).
        """
        if model is None:
            return await load_payload(self.artifacts, metadata)
        return await load_payload(self.artifacts, metadata, model)


def _told(writer: Writer) -> list[Event]:
    return [
        LogRecovered(bytes_set_aside=tail.size_bytes, sha256=tail.sha256, kept_as=tail.kept_as)
        for tail in writer.lease.recovered
    ]

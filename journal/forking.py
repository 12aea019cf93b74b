"""
The part of ``Journal`` that makes runs out of other runs.

Below: errors, ids, events, fork, parameters, salvage, secrets, log, artifacts. Above: journal.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import anyio.to_thread
from pydantic import BaseModel

from journal.artifacts.store import ArtifactStore
from journal.errors import StorageErrorCode, storage_error
from journal.events.run import Parent
from journal.fork import Forked, Store, fork
from journal.ids import RunId, parse_run_id
from journal.log import EventLog
from journal.parameters import recorded_parameters
from journal.salvage import Salvaged, salvage
from journal.secrets import SecretsGuard


def checked_parent(parent: Parent | None) -> Parent | None:
    """The parent of a run that is made without a past: refuses one that says it is a fork."""
    if parent is not None and parent.relation == "fork":
        raise storage_error(
            StorageErrorCode.VALIDATION_ERROR,
            "a fork carries its past, which only forking gives it. Nothing was written.",
            operation="create",
            reason="fork_without_past",
            next_action="await journal.fork(run_id, at=seq)",
        )
    return parent


class Forking:
    """Forks and salvage; ``Journal`` is one of these."""

    log: EventLog
    artifacts: ArtifactStore
    _now: Callable[[], float]
    _new_id: Callable[[], str]
    _closed: bool
    _guard: SecretsGuard

    async def fork(
        self,
        run_id: str,
        *,
        at: int | None = None,
        parameters: BaseModel | Mapping[str, Any] | None = None,
        source: "Forking | None" = None,
    ) -> Forked:
        """
        Make a new run that goes on from event ``at`` of another one; by default from its last.

        It begins with that past's state, its artifacts and, unless ``parameters`` are given, its
        parameters; ``resume`` it to go on. What was finished by then is not done again, what was
        running counts as interrupted. The other run is not touched, and may be live. ``source``
        is the journal that holds it, where that is another one. Durable on return. Raises
        ``not_found`` for an unknown run or event, ``corrupt`` and other codes for a past or an
        artifact that is not as it was written: then there is no new run.
        """
        self._check_open()
        work = partial(
            fork,
            Store(self.log, self.artifacts),
            self._store_of(source),
            parse_run_id(run_id),
            self._fresh(),
            at=at,
            parameters=None if parameters is None else recorded_parameters(parameters, self._guard),
            now=self._now,
        )
        return await anyio.to_thread.run_sync(work)

    async def salvage(self, run_id: str, *, source: "Forking | None" = None) -> Salvaged:
        """
        Make a new run from all that verifies of a damaged one, up to its first broken line.

        The damaged run is not touched. What of its artifacts is missing or altered is told, and
        keeps nothing back. ``source`` is the journal that holds it, where that is another one: a
        disk that can only be read, say. Durable on return. Raises ``conflict`` for a run that is
        not damaged, ``locked`` for one that is being written, ``corrupt`` where nothing verifies,
        ``not_found`` where its log is gone.
        """
        self._check_open()
        work = partial(
            salvage,
            Store(self.log, self.artifacts),
            self._store_of(source),
            parse_run_id(run_id),
            self._fresh(),
            now=self._now,
        )
        return await anyio.to_thread.run_sync(work)

    def _store_of(self, source: "Forking | None") -> Store:
        there = source or self
        return Store(there.log, there.artifacts)

    def _fresh(self) -> RunId:
        return parse_run_id(self._new_id())

    def _check_open(self) -> None:
        if self._closed:
            raise storage_error(
                StorageErrorCode.CLOSED,
                "this journal was closed. Nothing was written.",
                operation="open",
                reason="journal_closed",
                next_action="async with Journal.open(...) as journal:",
            )

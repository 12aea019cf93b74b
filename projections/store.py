"""
Projections: the one object people open to read.

    async with Projections.open(".journal") as runs:
        failed = await runs.list(status="failed", limit=20)
        state = await runs.state(failed[0].run_id)

Everything is caught up with the logs before it is answered. Opening makes no store: of one that is
not there every list is empty. Nothing here ever writes a log or an artifact. Every error is a
``StorageError``; besides those named at each method, reading may raise ``io_error``,
``permission_denied``, ``unavailable``, and ``unsupported_format`` for what is newer than this.

Below: everything of the read side but the command. Above: cli.
"""

import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection
from contextlib import aclosing, asynccontextmanager, closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from journal.artifacts.filesystem import FilesystemArtifacts
from journal.artifacts.store import ArtifactMetadata, ArtifactStore
from journal.backends.filesystem import FilesystemLog
from journal.errors import StorageError, StorageErrorCode
from journal.follow import follow
from journal.ids import RunId, parse_digest, parse_run_id
from journal.log import EventLog, Head
from journal.record import Record
from projections import questions, reading, resolve
from projections.findings import Finding
from projections.inspect import check_index, check_store
from projections.rebuild import RebuildReport, rebuild
from projections.run_index import RunIndexRecord
from projections.run_state import RunState
from projections.sqlite import Index
from projections.sqlitefile import Connection
from projections.threads import Progress, in_thread, stoppable, stream
from projections.timetravel.at import Point

if TYPE_CHECKING:
    from journal.journal import Journal

T = TypeVar("T")
# Under other names, because inside the class ``list`` is the method.
Runs = list[RunIndexRecord]
Artifacts = list[ArtifactMetadata]
Findings = list[Finding]
Line = tuple[bytes, Record]
Sources = tuple[EventLog, ArtifactStore]

_BYTES_PER_HOP = 1024 * 1024


class Projections:
    """A store, open to read. Make it with ``Projections.open``; several may read at once."""

    def __init__(self, find: Callable[[], Sources], root: str | None) -> None:
        self._find = find
        self._found: Sources | None = None
        self.progress: Progress | None = None  # called, on a worker thread, while it catches up
        self._index = Index(None if root is None else str(Path(root, "index.sqlite").absolute()))

    @classmethod
    @asynccontextmanager
    async def open(cls, path: str | os.PathLike[str]) -> AsyncIterator["Projections"]:
        """
        Open the store at ``path`` to read. Where there is none, lists are empty until there is.

        Makes at most the store's ``index.sqlite``; where even that is not allowed, the index is
        kept in memory.
        """
        root = os.fspath(path)

        def find() -> Sources:
            log = FilesystemLog.open(root, create=False)
            return log, FilesystemArtifacts(log.root, log.files)

        with closing(cls(find, root)) as opened:
            yield opened

    @classmethod
    @asynccontextmanager
    async def of(cls, journal: "Journal") -> AsyncIterator["Projections"]:
        """Read what ``journal`` writes, also where it keeps its logs in memory."""
        root = getattr(journal.log, "root", None)
        with closing(cls(lambda: (journal.log, journal.artifacts), root)) as opened:
            yield opened

    def close(self) -> None:
        """Close the index; leaving the context does so."""
        self._index.close()

    # -- runs --------------------------------------------------------------------------------

    async def list(
        self,
        *,
        status: str | None = None,
        project: str | None = None,
        since: datetime | None = None,
        limit: int | None = None,
    ) -> Runs:
        """
        Runs, newest first by creation; each filter that is given must hold.

        ``since`` is aware and means creation. A run that cannot be read is among them with status
        ``unreadable`` and its error. Raises ``validation_error`` for a question without sense.
        """
        reading.check_question(status, since, limit)
        return await self._ask(
            lambda db, log: reading.list_runs(db, log, status, project, since, limit, self._step()),
            nothing=[],
        )

    async def state(self, run_id: str, *, at: Point | None = None) -> RunState:
        """
        The state of a run: now, after event ``at``, ``-at`` events before the last, or at a time.

        A time means the last event stamped at or before it. Raises ``not_found`` for an unknown
        run or a point past its end or before its first event, ``validation_error`` for a time
        without a zone, ``corrupt`` (or the code of a malformed line) for a log that is damaged
        before that point, or that lost lines which were read before.
        """
        run = parse_run_id(run_id)
        return await self._ask(lambda db, log: reading.state(db, log, run, at, self._step()))

    async def head(self, run_id: str) -> Head:
        """Seq, position in bytes and hash of a run's last event. Raises ``not_found``."""
        run = parse_run_id(run_id)
        return (await self._in_thread(lambda: self._sources()[0].head(run))).head

    async def writer_gone(self, run_id: str) -> bool:
        """Whether nobody writes the run now: of a run that did not end, its writer died or left."""
        run = parse_run_id(run_id)
        return await self._in_thread(lambda: reading.writer_gone(self._sources()[0], run))

    async def resolve(self, text: str) -> RunId:
        """
        The run that a person means: an id, a unique beginning of one, its last eight characters,
        ``@latest`` or ``@latest-failed``.

        Raises ``not_found``, and ``conflict`` with reason ``ambiguous``.
        """
        whole = resolve.whole_id(text)
        if whole is not None:
            await self._in_thread(lambda: resolve.check_there(self._sources()[0], whole))
            return whole

        def find(db: Connection, log: EventLog) -> RunId:
            return reading.caught_up(db, log, lambda: resolve.find(db, text), progress=self._step())

        return await self._ask(find)

    # -- events ------------------------------------------------------------------------------

    async def follow(self, run_id: str, *, after: int = 0) -> AsyncGenerator[Record, None]:
        """
        Events with seq above ``after``, and new ones as they become durable, until the run rests.

        A run rests when its writer closed it or died. Raises what ``state`` raises.
        """
        async with aclosing(self.lines(run_id, after=after)) as found:
            async for _, record in found:
                yield record

    async def records(
        self, run_id: str, *, after: int = 0, until: int | None = None
    ) -> AsyncGenerator[Record, None]:
        """Events with seq above ``after`` up to ``until``, or up to the last one there is now."""
        last = (await self.head(run_id)).seq if until is None else until
        async with aclosing(self.lines(run_id, after=after, until=last)) as found:
            async for _, record in found:
                yield record

    async def lines(
        self, run_id: str, *, after: int = 0, until: int | None = None
    ) -> AsyncGenerator[Line, None]:
        """
        The same with the bytes of each line; without ``until`` it goes on as ``follow`` does.

        Every line is checked along the chain, from the first one on.
        """
        run = parse_run_id(run_id)
        log, _ = await self._in_thread(self._sources)
        if until is None:
            found = follow(log, run, after)
        else:
            found = stream(
                lambda: reading.lines(log, run, after, until),
                lambda line: len(line[0]),
                _BYTES_PER_HOP,
            )
        async with aclosing(found) as each:
            async for line in each:
                yield line

    # -- artifacts ---------------------------------------------------------------------------

    async def artifacts(
        self,
        run_id: str,
        *,
        role: str | None = None,
        phase: str | None = None,
        partition: str | None = None,
    ) -> Artifacts:
        """Artifacts of a run in the order of their events; each filter that is given must hold."""
        run = parse_run_id(run_id)
        return await self._artifacts(
            lambda db: questions.artifacts(db, run, role, phase, partition), run
        )

    async def artifact(self, artifact_id: str) -> ArtifactMetadata:
        """
        One artifact by its id; if several runs tell of it, as forks do, the newest run's.

        Raises ``not_found``.
        """
        found = await self._artifacts(lambda db: questions.artifacts_by_id(db, artifact_id))
        if not found:
            raise resolve.unknown_artifact(artifact_id)
        return found[-1]

    async def resolve_artifact(self, text: str) -> str:
        """The id of the artifact that a person means, as ``resolve`` finds runs; no ``@`` names."""

        def find(db: Connection, log: EventLog) -> str:
            return reading.caught_up(
                db, log, lambda: resolve.find_artifact(db, text), progress=self._step()
            )

        return await self._ask(find)

    async def artifact_by_digest(self, sha256: str) -> Artifacts:
        """All artifacts with this content, of any run."""
        digest = parse_digest(sha256)
        return await self._artifacts(lambda db: questions.artifacts_by_digest(db, digest))

    async def open_artifact(self, artifact_id: str) -> AsyncGenerator[bytes, None]:
        """
        The bytes of an artifact in chunks.

        The size is checked before the first chunk, the hash before the last one: small content
        is whole before a byte of it is seen, damaged content is never seen to its end. Raises
        ``not_found``, ``corrupt``.
        """
        found = await self.artifact(artifact_id)
        _, store = await self._in_thread(self._sources)
        chunks = stream(
            lambda: store.read(found.run_id, found.sha256, found.size_bytes), len, _BYTES_PER_HOP
        )
        async with aclosing(chunks) as each:
            async for chunk in each:
                yield chunk

    # -- care --------------------------------------------------------------------------------

    async def verify(
        self, run_ids: Collection[str] | None = None, *, progress: Progress | None = None
    ) -> Findings:
        """
        All that is wrong with these runs or with all: logs, artifacts, and rows of the index.

        Empty if nothing is. ``progress`` is called on a worker thread.
        """
        wanted = None if run_ids is None else [parse_run_id(each) for each in run_ids]
        step = stoppable(progress)
        return await self._in_thread(
            lambda: check_store(*self._sources(), self._index, wanted, step)
        )

    async def rebuild(
        self, *, check: bool = False, progress: Progress | None = None
    ) -> RebuildReport:
        """
        Make the indexes anew from the logs; with ``check``, only say where they differ.

        Raises ``locked`` while another process does the same, and whatever keeps the file from
        being written.
        """
        step = stoppable(progress)
        work = check_index if check else rebuild
        return await self._in_thread(lambda: work(self._index, self._sources()[0], progress=step))

    # -- threads -----------------------------------------------------------------------------

    def _step(self) -> Progress:
        return stoppable(self.progress)

    async def _artifacts(
        self, find: Callable[[Connection], Artifacts], only: RunId | None = None
    ) -> Artifacts:
        def work(db: Connection, log: EventLog) -> Artifacts:
            return reading.artifacts(db, log, self._sources()[1], find, only, self._step())

        return await self._ask(work, nothing=[])

    async def _ask(
        self, work: Callable[[Connection, EventLog], T], *, nothing: T | None = None
    ) -> T:
        """Run ``work`` on a thread; where no store is, give ``nothing`` or say so."""

        def ask() -> T:
            try:
                log, _ = self._sources()
            except StorageError as failure:
                if nothing is None or failure.code is not StorageErrorCode.NOT_FOUND:
                    raise
                return nothing
            return self._index.use(lambda db: work(db, log))

        return await self._in_thread(ask)

    def _sources(self) -> Sources:
        """Logs and artifacts; the store may have been made since the last look."""
        if self._found is None:
            self._found = self._find()
        return self._found

    @staticmethod
    async def _in_thread(work: Callable[[], T]) -> T:
        return await in_thread(work)

"""
What a process does while a fault hits it: the read side, a whole API, and a command.

The index is derived: whatever happens to it, an answer is right or refused, and the next reader
has rows that equal a fresh fold.
"""

import hashlib
import json
import warnings
from contextlib import redirect_stderr, redirect_stdout
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import anyio

from journal.artifacts.filesystem import FilesystemArtifacts
from journal.backends.filesystem import FilesystemLog
from journal.events.artifact import ArtifactPersisted
from journal.events.base import Event
from journal.events.log import AnnotationAdded
from journal.ids import RunId, parse_run_id
from journal.journal import Journal
from projections import questions, sqlitefile
from projections.catchup import HiddenRunsWarning, catch_up
from projections.cli.app import app
from projections.findings import Finding
from projections.inspect import check_index, check_store
from projections.rebuild import rebuild
from projections.run_index import UNREADABLE
from projections.sqlite import Index
from projections.sqlitefile import Connection
from tests.real.oracle import check_artifacts, check_writing, must
from tests.real.scenarios import RUN, Recovering, Story, acknowledged, logs
from tests.real.straced import Life, Tell
from tests.support.logs import crash
from tests.support.writers import OPENING

RUNS = [RunId(f"019aab5e-7c3b-7000-8000-00000000000{number}") for number in (1, 2)]

HIDDEN = "runs may be missing, and a warning says so"


def be_impatient() -> None:
    """In this process a lock that a fault keeps is waited for shortly: there are thousands."""
    defaults = Index.__init__.__kwdefaults__
    if defaults is None or "busy_s" not in defaults:
        raise LookupError("an index waits in another way now")
    defaults["busy_s"] = sqlitefile.BUSY_S = 0.2


def _nothing(*_: int) -> None:
    """Nobody watches."""


def check_projections(store: Path, *, anew: bool = False) -> None:
    """The index as it lies there tells no lie; caught up (or ``anew``), it equals a fresh fold."""
    log = FilesystemLog.open(store)
    artifacts = FilesystemArtifacts(log.root)
    index = Index(str(store / "index.sqlite"))
    try:
        _must_be_clean(check_store(log, artifacts, index, None, _nothing), "as it lies there")
        index.use(lambda db: catch_up(db, log))
        must(index.in_memory_because is None, f"no index file: {index.in_memory_because}")
        if not anew:
            _must_be_clean(check_store(log, artifacts, index, None, _nothing), "caught up")
        else:
            rebuild(index, log)
            _must_be_clean(check_index(index, log, progress=_nothing).findings, "rebuilt")
    finally:
        index.close()


def _must_be_clean(found: list[Finding], when: str) -> None:
    """Notices are what a fault may leave: an orphan, a kept tail, a feed that is begun anew."""
    damage = [each.message for each in found if each.severity == "damage"]
    must(not damage, f"verify, {when}: {damage}")


class Indexing:
    """A store of two runs; the index knows the beginning of one, whose writer is gone."""

    threads = False

    def __init__(self) -> None:
        self.digest = hashlib.sha256(b"content").hexdigest()
        stored = ArtifactPersisted(
            artifact_id="a1",
            role="report",
            format="txt",
            media_type="text/plain",
            size_bytes=7,
            sha256=self.digest,
        )
        more: list[Event] = [stored, AnnotationAdded(text="a note")]
        self.stories = [Story(OPENING, logs(5), more, run_id=run_id) for run_id in RUNS]
        self.answer = json.dumps([[run_id, 9] for run_id in sorted(RUNS)])

    def prepare(self, store: Path) -> None:
        log = FilesystemLog.open(store)
        leases = []
        for run_id, story in zip(RUNS, self.stories, strict=True):
            leases.append(lease := log.create(run_id, story.batches[0]))
            log.append(lease, story.batches[1])
            if run_id == RUNS[0]:
                index = Index(str(store / "index.sqlite"))
                index.use(lambda db: catch_up(db, log))
                index.close()
        for lease, story in zip(leases, self.stories, strict=True):
            (Path(log.folder(lease.run_id)) / "artifacts" / self.digest).write_bytes(b"content")
            log.append(lease, story.batches[2])
        crash(leases[0])
        log.release(leases[1])

    def ask(self, index: Index, log: FilesystemLog) -> str:
        """
        What each run has come to; a run that cannot be read just now says so.

        Where a part of the store could not be looked at, a warning says that runs may be missing.
        """

        def work(db: Connection) -> str:
            catch_up(db, log)
            return self._answer(db)

        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            answer = index.use(work)
        hidden = any(issubclass(each.category, HiddenRunsWarning) for each in told)
        return HIDDEN if hidden else f"answer {answer}"

    def _answer(self, db: Connection) -> str:
        found = questions.runs(db)
        return json.dumps(sorted([r.run_id, 9 if r.status == UNREADABLE else r.seq] for r in found))

    def check(self, store: Path, life: Life) -> None:
        for line in life.told:
            wanted = (f"answer {self.answer}", "rebuilt", HIDDEN)
            must(line in wanted, f"a wrong answer: {line}")
        check_projections(store, anew=isinstance(self, Rebuilding))
        log = FilesystemLog.open(store)
        for run_id, story in zip(RUNS, self.stories, strict=True):
            must(list(log.read(run_id)) == story.lines, "an index changed a log")


class Rebuilding(Indexing):
    """Case 66: the index is made anew beside the old one and put in its place."""

    def live(self, store: Path, tell: Tell) -> None:
        log = FilesystemLog.open(store, create=False)
        index = Index(str(store / "index.sqlite"))
        try:
            rebuild(index, log)
            tell("rebuilt")
            tell(self.ask(index, log))
        finally:
            index.close()


class CatchingUp(Indexing):
    """Cases 63 and 64: the index is brought to what the logs say, and asked."""

    def live(self, store: Path, tell: Tell) -> None:
        log = FilesystemLog.open(store, create=False)
        index = Index(str(store / "index.sqlite"))
        try:
            tell(self.ask(index, log))
        finally:
            index.close()


class MakingIndex(CatchingUp):
    """Cases 58 and 64: there is no index yet; it is made, filled and asked."""

    def prepare(self, store: Path) -> None:
        super().prepare(store)
        for path in store.glob("index*"):
            path.unlink()


class Repairing(Recovering):
    """Cases 2 and 3: ``journal repair``, the real command in a process of its own."""

    threads = True

    def live(self, store: Path, tell: Tell) -> None:
        with TextIOWrapper(BytesIO()) as said, redirect_stdout(said), redirect_stderr(said):
            try:
                app(["repair", "--store", str(store), "--json", RUN], prog_name="journal")
            except SystemExit as end:
                tell(f"exit {end.code}")

    def check(self, store: Path, life: Life) -> None:
        # A close that fails leaves its lock, so that the process meets itself: exit 4.
        exits: tuple[list[str], ...] = ([], ["exit 0"], ["exit 4"], ["exit 5"])
        must(life.told in exits, f"it told {life.told}")
        log = FilesystemLog.open(store)
        folder = Path(log.folder(RUN))
        whole = (folder / "events.jsonl").read_bytes()
        if self.torn not in whole:
            must((folder / self.kept_as).read_bytes() == self.torn, "the tail is not kept")
        records = check_writing(store, RUN, None, 4)
        if life.told == ["exit 0"]:
            told = [record.event for record in records]
            must("log_recovered" in told, f"repaired, and no event tells it: {told}")


class Journaling:
    """Cases 1, 12, 68 and 71: what people call, with its threads: run, phase, artifact, resume."""

    threads = True

    def prepare(self, store: Path) -> None:
        """Nothing is there."""

    def live(self, store: Path, tell: Tell) -> None:
        anyio.run(self._live, store, tell)

    async def _live(self, store: Path, tell: Tell) -> None:
        async with Journal.open(store) as journal:
            async with journal.run(project="real") as run:
                tell(f"run {run.id}")
                tell(f"ack {run.seq}")
                async with run.phase("one") as phase:
                    tell(f"ack {run.seq}")
                    stored = await phase.store(b"content " * 500)
                    tell(f"stored {stored.sha256}")
                    tell(f"ack {stored.seq}")
                    receipt = phase.log("info", "a line")
                    appended = await run.append([AnnotationAdded(text="note")] * 3)
                    tell(f"ack {appended.last_seq}")
                    tell(f"ack {(await receipt).last_seq}")
            tell(f"ack {run.seq}")
            async with journal.resume(run.id) as again:
                tell(f"ack {again.seq}")
                await again.annotate("once more")
                tell(f"ack {again.seq}")

    def check(self, store: Path, life: Life) -> None:
        told: dict[str, Any] = dict(line.split(" ", 1) for line in life.told)
        if "run" not in told:
            log = FilesystemLog.open(store)
            found = list(log.runs())
            must(len(found) <= 1, "runs out of nowhere")
        else:
            found = [parse_run_id(told["run"])]
        for run_id in found:
            records = check_writing(store, run_id, None, acknowledged(life))
            must(check_artifacts(store, records) >= ("stored" in told), "an artifact is untold")
            must(records[0].event == "run_created", "it begins with something else")
        check_projections(store)

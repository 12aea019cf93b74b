"""
A store to be damaged, and every damage that makes a finding, by the finding's reason.

What is done here is done to files, as a disk, a person or another program would.
"""

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio

from journal import Journal
from journal.backends.filesystem import FilesystemLog
from journal.checkpoint import decode_memory, encode_memory
from journal.ids import RunId, new_run_id
from journal.lifecycle import RunLifecycle
from tests.forks.damage import flip, starts
from tests.projections.forged import CREATED, forge
from tests.support.logs import crash

CREATE: tuple[str, Any, dict[str, Any]] = ("run_created", CREATED, {})
START: tuple[str, Any, dict[str, Any]] = ("run_started", {}, {})


class Case:
    """A store with a run that stopped half way and a fork of it; the index is made."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.log = FilesystemLog.open(root, create=False)
        self.run_id, self.fork_id = sorted(self.log.runs())

    def folder(self, run_id: str) -> Path:
        return Path(self.log.folder(RunId(run_id)))

    @property
    def events(self) -> Path:
        return self.folder(self.run_id) / "events.jsonl"

    def cut(self, size: int) -> None:
        self.events.write_bytes(self.events.read_bytes()[:size])

    def flip_line(self, line: int) -> None:
        flip(self.events, starts(self.events.read_bytes())[line - 1] + 30)

    @property
    def artifact(self) -> Path:
        (found,) = (self.folder(self.run_id) / "artifacts").iterdir()
        return found

    def sql(self, statement: str) -> None:
        db = sqlite3.connect(self.root / "index.sqlite")
        with db:
            db.execute(statement)
        db.close()

    def crash(self) -> None:
        """Leave the run as a killed writer does."""
        crash(self.log.acquire(RunId(self.run_id)))


def torn_tail(case: Case) -> None:
    case.crash()
    with case.events.open("ab") as log:
        log.write(b'{"seq":')


def damaged(case: Case) -> None:
    case.crash()
    with case.events.open("ab") as log:  # more than a crash tears
        log.write(b"x" * (9 * 1024 * 1024))


def watermark(case: Case) -> None:
    case.cut(starts(case.events.read_bytes())[-2])


def log_lost_lines(case: Case) -> None:
    for name in ("head", "checkpoint"):
        (case.folder(case.run_id) / name).unlink()
    watermark(case)


def past(case: Case) -> None:
    flip(case.folder(case.fork_id) / f"ancestors/{case.run_id}.jsonl", 200)


def folder_name(case: Case) -> None:
    other = case.folder(new_run_id())
    other.parent.mkdir(parents=True, exist_ok=True)
    case.folder(case.fork_id).rename(other)


def run_gone(case: Case) -> None:
    shutil.rmtree(case.folder(case.fork_id))


def log_gone(case: Case) -> None:
    case.events.unlink()


def half_deleted(case: Case) -> None:
    folder = case.folder(case.fork_id)
    folder.rename(folder.parent / f".deleted-{case.fork_id}-00000000")


def no_folder(case: Case) -> None:
    (case.root / "runs" / "1999").write_text("a file")


def checkpoint(case: Case) -> None:
    path = case.folder(case.run_id) / "checkpoint"
    memory = decode_memory(path.read_bytes())
    assert memory is not None
    memory.state = RunLifecycle(status="running")
    path.write_bytes(encode_memory(memory))


def head_damaged(case: Case) -> None:
    flip(case.folder(case.run_id) / "head", 40)


def head_missing(case: Case) -> None:
    (case.folder(case.run_id) / "head").unlink()


def repaired(case: Case) -> Path:
    """A run with a tail set aside and told; gives that tail."""
    torn_tail(case)

    async def repair() -> None:
        async with Journal.open(case.root) as journal, journal.open_run(case.run_id):
            pass

    anyio.run(repair)
    (kept,) = (case.folder(case.run_id) / "torn").iterdir()
    return kept


def tail_damaged(case: Case) -> None:
    repaired(case).write_bytes(b"other bytes")


def tail_gone(case: Case) -> None:
    repaired(case).unlink()


def tail_untold(case: Case) -> None:
    torn = case.folder(case.run_id) / "torn"
    torn.mkdir()
    name = "3-2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"  # of "x"
    (torn / name).write_bytes(b"x")


def feed_damaged(case: Case) -> None:
    flip(case.root / "feed", 3)


def feed_missing(case: Case) -> None:
    (case.root / "feed").unlink()


def orphan(case: Case) -> None:
    (case.folder(case.run_id) / "artifacts" / ("ab" * 32)).write_bytes(b"x")


def artifact_hash(case: Case) -> None:
    flip(case.artifact, 0)


def artifact_size(case: Case) -> None:
    case.artifact.write_bytes(b"short")


def artifact_not_found(case: Case) -> None:
    case.artifact.unlink()


def artifact_not_a_folder(case: Case) -> None:
    artifacts = case.folder(case.run_id) / "artifacts"
    shutil.rmtree(artifacts)
    artifacts.write_text("a file")


def index_row(case: Case) -> None:
    case.sql("UPDATE runs SET status = 'failed'")


def index_behind(case: Case) -> None:
    for table in ("runs", "cursors", "states", "artifacts", "watch"):
        case.sql(f"DELETE FROM {table} WHERE run_id = '{case.run_id}'")


def index_file(case: Case) -> None:
    (case.root / "index.sqlite").write_bytes(b"garbage" * 1000)


def index_version(case: Case) -> None:
    case.sql("PRAGMA user_version = 1000000")


def line(event: str, data: Any, **changed: Any) -> Callable[[Case], None]:
    """A log of another program, whose third line is this."""
    return lambda case: _ignore(forge(case.root, CREATE, START, (event, data, changed)))


def _ignore(made: object) -> None:
    """What was made is found by verify."""


def raw(third: bytes) -> Callable[[Case], None]:
    """The same, its third line any bytes."""
    return lambda case: _ignore(forge(case.root, CREATE, START, third))


def no_run_created(case: Case) -> None:
    forge(case.root, ("log_emitted", {"level": "info"}, {}))


NOTE = {"text": "a"}
# Reason -> the damages that make it.
DAMAGES: dict[str, list[Callable[[Case], None]]] = {
    "torn_tail": [torn_tail],
    "damaged": [damaged],
    "watermark": [watermark],
    "log_lost_lines": [log_lost_lines],
    "past": [past],
    "folder_name": [folder_name],
    "log_gone": [run_gone, log_gone],
    "deleted": [half_deleted],
    "no_folder": [no_folder],
    "checkpoint": [checkpoint],
    "head_damaged": [head_damaged],
    "head_missing": [head_missing],
    "tail_damaged": [tail_damaged],
    "tail_gone": [tail_gone],
    "tail_untold": [tail_untold],
    "feed_damaged": [feed_damaged],
    "feed_missing": [feed_missing],
    "orphan": [orphan],
    "artifact_hash": [artifact_hash],
    "artifact_size": [artifact_size],
    "artifact_not_found": [artifact_not_found],
    "artifact_not_a_folder": [artifact_not_a_folder],
    "index_row": [index_row],
    "index_behind": [index_behind],
    "index_file": [index_file],
    "index_version": [index_version],
    "hash": [lambda case: case.flip_line(4)],
    "limit_exceeded": [
        lambda case: _ignore(case.events.write_bytes(case.events.read_bytes() + b"x" * 17 * 2**20))
    ],
    "seq": [line("annotation_added", NOTE, seq=4)],
    "run_id": [line("annotation_added", NOTE, run_id=str(new_run_id()))],
    "batch": [line("annotation_added", NOTE, batch=[2, 2])],
    "format": [line("writer_opened", {"writer": CREATED["writer"], "epoch": 2, "format": 9})],
    "rule": [raw(b'{"seq":3,"seq":3'), raw(b"not json")],
    "shape": [line("annotation_added", {"text": 7}), raw(b"")],
    "timestamp": [line("annotation_added", NOTE, timestamp="yesterday")],
    "no_run_created": [no_run_created],
    "timestamp_order": [line("annotation_added", NOTE, timestamp="2026-11-22T09:10:01.000000Z")],
    "transition": [line("run_started", {}), line("run_created", CREATED)],
    "key_order": [line("annotation_added", NOTE, actor="ann")],  # behind batch
}

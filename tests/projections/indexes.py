"""Indexes in tests: what stands in them, and event logs that act up in the middle of a visit."""

import sqlite3
from pathlib import Path
from typing import Any

from journal.backends.filesystem import FilesystemLog
from journal.backends.memory import MemoryLog
from journal.log import EventLog
from projections import questions
from projections.catchup import catch_up
from projections.sqlite import Index
from projections.sqlitefile import Connection
from tests.projections.helpers import Writer


def dump(index: Index) -> dict[str, list[Any]]:
    """Every row that people could be shown, or that folds go on from."""

    def read(db: Connection) -> dict[str, list[Any]]:
        return {
            table: sorted(db.execute(f"SELECT * FROM {table}").fetchall(), key=repr)
            for table in ("runs", "cursors", "states", "artifacts")
        }

    return index.use(read)


def visit(index: Index, log: Any) -> None:
    index.use(lambda db: catch_up(db, log))


def fresh(log: EventLog) -> dict[str, list[Any]]:
    index = Index(None)
    visit(index, log)
    return dump(index)


def statuses(index: Index) -> dict[str, str]:
    return index.use(lambda db: {each.run_id: each.status for each in questions.runs(db)})


def look(index: Index, log: Any) -> list[str]:
    """What people see: catch up, then ask, in one piece of work."""

    def work(db: Connection) -> list[str]:
        catch_up(db, log)
        found = questions.runs(db)
        parts = [part for each in found for part in questions.artifacts(db, each.run_id)]
        return [each.model_dump_json() for each in (*found, *parts)]

    return index.use(work)


def execute(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as db:
        db.execute(statement)
    db.close()


class Between:
    """An event log in which something happens right after a chosen question was answered."""

    def __init__(self, log: EventLog, after: str, act: Any) -> None:
        self._log = log
        self._after = after
        self._act = act

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._log, name)
        if name != self._after:
            return method

        def call(*args: Any, **kwargs: Any) -> Any:
            answer = method(*args, **kwargs)
            act, self._act = self._act, lambda: None
            act()
            return answer

        return call


def kill(log: EventLog, writer: Writer) -> None:
    """Let go of the lock the way a killed process does: nothing is marked, the feed is silent."""
    lease = writer.lease
    assert lease is not None
    if isinstance(log, FilesystemLog):
        from journal.backends import lease as leases

        leases.close(log.files, lease)  # type: ignore[arg-type]
    else:
        assert isinstance(log, MemoryLog)
        log._runs[writer.run_id].holder = None

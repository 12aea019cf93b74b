"""A store with one finished run of everything, to be damaged and verified."""

import sqlite3
from pathlib import Path
from typing import Any

from journal.backends.filesystem import FilesystemLog
from projections.findings import Finding
from projections.store import Projections


class Store:
    """A store with one finished run of everything, and what verify says about it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.run_id = ""
        self.artifact_id = ""
        self.sha256 = ""

    @property
    def log(self) -> FilesystemLog:
        return FilesystemLog.open(self.root, create=False)

    @property
    def folder(self) -> Path:
        return Path(self.log.folder(self.run_id))  # type: ignore[arg-type]

    @property
    def events(self) -> Path:
        return self.folder / "events.jsonl"

    async def verify(self) -> list[Finding]:
        async with Projections.open(self.root) as runs:
            return await runs.verify()

    def sql(self, statement: str, *values: Any) -> None:
        db = sqlite3.connect(self.root / "index.sqlite")
        with db:
            assert db.execute(statement, values).rowcount > 0
        db.close()

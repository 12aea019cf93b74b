"""Logs of another program: the chain holds, whatever stands in the lines."""

import hashlib
import json
from pathlib import Path
from typing import Any

from journal.backends.filesystem import FilesystemLog
from journal.chain import genesis
from journal.ids import RunId, new_run_id

WRITER = {"host": "host", "pid": 7, "user": "ann", "library": "another 1"}
CREATED = {"project": "nightly", "format": 1, "writer": WRITER}


def body(run_id: str, seq: int, event: str, data: Any, changed: dict[str, Any]) -> bytes:
    """One line without its hash, as the format wants it but for what is ``changed``."""
    fields = {
        "seq": seq,
        "timestamp": f"2026-11-22T09:10:{seq:02}.000000Z",
        "level": "info",
        "event": event,
        "run_id": run_id,
        "phase": None,
        "message": "m",
        "data": data,
        "batch": [seq, 1],
    }
    return json.dumps(fields | changed, separators=(",", ":")).encode()[:-1]


def chained(run_id: str, bodies: list[bytes]) -> list[bytes]:
    """Whole lines, their hashes right."""
    link, lines = genesis(run_id), []
    for each in bodies:
        link = hashlib.sha256(link.encode() + each).hexdigest()
        lines.append(each + b',"hash":"%b"}\n' % link.encode())
    return lines


def forge(root: Path, *events: tuple[str, Any, dict[str, Any]] | bytes) -> RunId:
    """A run in the store at ``root`` whose log was written by hand; gives its id."""
    log, run_id = FilesystemLog.open(root), new_run_id()
    bodies = [
        each if isinstance(each, bytes) else body(run_id, seq, *each)
        for seq, each in enumerate(events, 1)
    ]
    log.release(log.create(run_id, chained(run_id, bodies)))
    return run_id

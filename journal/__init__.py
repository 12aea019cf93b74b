"""
The write side: what happened in a run, one typed event at a time.

This is the front door. It owns the public names and nothing else. Each name is loaded on first
use, so `import journal` costs no more than this file and a command pays only for what it touches.
Nothing here, or anywhere below, imports `projections`.

Next: journal/journal.py (open a store), journal/events/ (what can be said), docs/format.md (the
bytes).
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from journal.artifacts.store import ArtifactFormat, ArtifactMetadata, ArtifactRole
    from journal.errors import (
        StorageBatchError,
        StorageError,
        StorageErrorCode,
        StorageErrorDetails,
        StorageErrorInfo,
    )
    from journal.events.base import Event
    from journal.events.registry import UnknownEvent
    from journal.events.step import Usage
    from journal.ids import new_run_id, parse_run_id
    from journal.journal import Journal
    from journal.phase import Phase
    from journal.pipeline import Pipeline
    from journal.receipt import Receipt
    from journal.record import Record
    from journal.run import Run
    from journal.scheduling.retry import Retry
    from journal.secrets import SecretsGuard

    __version__: str

__all__ = [
    "ArtifactFormat",
    "ArtifactMetadata",
    "ArtifactRole",
    "Event",
    "Journal",
    "Phase",
    "Pipeline",
    "Receipt",
    "Record",
    "Retry",
    "Run",
    "SecretsGuard",
    "StorageBatchError",
    "StorageError",
    "StorageErrorCode",
    "StorageErrorDetails",
    "StorageErrorInfo",
    "UnknownEvent",
    "Usage",
    "new_run_id",
    "parse_run_id",
]

# Public name -> the module that owns it. The block above says the same to type checkers;
# tests/rules/test_front_doors.py holds the two together.
_HOMES = {
    "ArtifactFormat": "journal.artifacts.store",
    "ArtifactMetadata": "journal.artifacts.store",
    "ArtifactRole": "journal.artifacts.store",
    "Event": "journal.events.base",
    "Journal": "journal.journal",
    "Phase": "journal.phase",
    "Pipeline": "journal.pipeline",
    "Receipt": "journal.receipt",
    "Record": "journal.record",
    "Retry": "journal.scheduling.retry",
    "Run": "journal.run",
    "SecretsGuard": "journal.secrets",
    "StorageBatchError": "journal.errors",
    "StorageError": "journal.errors",
    "StorageErrorCode": "journal.errors",
    "StorageErrorDetails": "journal.errors",
    "StorageErrorInfo": "journal.errors",
    "UnknownEvent": "journal.events.registry",
    "Usage": "journal.events.step",
    "new_run_id": "journal.ids",
    "parse_run_id": "journal.ids",
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        value: object = import_module("importlib.metadata").version("run-journal")
    elif name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value  # the next lookup does not come here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})

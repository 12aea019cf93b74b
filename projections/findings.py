"""
One thing that is wrong, where, and what to run next: what ``verify`` reports.

Every finding ends in a command that exists (a test parses each). What a person has to do besides,
with a disk or a backup, stands in the message.

Below: journal, artifact_index. Above: beside, verify, inspect, rebuild.
"""

import shlex
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from journal.errors import StorageError, StorageErrorCode
from projections.artifact_index import ArtifactRow

INDEX_BEHIND = "index_behind"
"""The reason where the index lacks something and nothing in it says that it is still to be read."""

_ADVICE = {
    StorageErrorCode.IO_ERROR: "Look at the system's log and the disk, then verify again.",
    StorageErrorCode.UNAVAILABLE: "Verify again in a moment.",
    StorageErrorCode.PERMISSION_DENIED: "Verify again as the owner of the store.",
    StorageErrorCode.UNSUPPORTED_FORMAT: "Use a newer version of run-journal.",
    StorageErrorCode.LOCKED: "Verify again in a moment.",
}
# Code -> what to run where it says nothing about the bytes themselves.
_ELSE = {
    StorageErrorCode.IO_ERROR: "journal verify",
    StorageErrorCode.UNAVAILABLE: "journal verify",
    StorageErrorCode.PERMISSION_DENIED: "journal verify",
    StorageErrorCode.LOCKED: "journal verify",
    StorageErrorCode.UNSUPPORTED_FORMAT: "journal --version",
}


class Finding(BaseModel):
    """Something that is not as it was written, told or folded."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    severity: Literal["damage", "notice"] = Field(
        "damage", description="notice: nothing is wrong with any run, but somebody should know"
    )
    code: StorageErrorCode = Field(strict=False, description="what kind of failure")
    run_id: str | None = Field(None, description="the run concerned; None: the store")
    artifact_id: str | None = Field(None, description="the artifact concerned")
    seq: int | None = Field(None, description="the log line concerned, from 1")
    offset: int | None = Field(None, description="where that line starts in the log, in bytes")
    path: str | None = Field(None, description="the file or folder concerned")
    reason: str = Field(description="the finer cause, as a snake_case word")
    message: str = Field(description="one sentence: where and what")
    next_action: str = Field(description="the command to run next")


def finding_of(failure: StorageError, run_id: str | None, seq: int | None = None) -> Finding:
    """An error of one run, or of the store, as a finding; the others are looked at all the same."""
    details = failure.info.details
    run = details.run_id or run_id
    return Finding(
        code=failure.code,
        run_id=run,
        seq=details.seq or seq,
        offset=details.offset,
        path=details.path,
        reason=details.reason or failure.code.value,
        message=_with_advice(failure),
        next_action=_next(failure, run),
    )


def _next(failure: StorageError, run_id: str | None) -> str:
    """What to run; where the error sends people to ``verify``, they are here already."""
    reason = failure.info.details.reason
    known = failure.info.details.next_action or ""
    if reason == "log_lost_lines" and "journal rebuild" in known:
        return "journal rebuild"  # the log itself is whole: what was read before is gone
    if reason == "deleted":
        return f"journal delete --yes {run_id}"
    if failure.code in _ELSE:
        command = _ELSE[failure.code]
        return f"{command} {run_id}" if run_id and command == "journal verify" else command
    if run_id is None:
        return "journal list"
    if failure.code is StorageErrorCode.NOT_FOUND:
        return f"journal verify {run_id}"
    return f"journal salvage {run_id}"


def _with_advice(failure: StorageError) -> str:
    advice = _ADVICE.get(failure.code)
    if failure.info.details.reason == "log_gone":
        advice = "Restore events.jsonl from a backup."
    if failure.info.details.reason == "log_lost_lines":
        advice = "Restore the log from a backup, or accept it as it is."
    return f"{failure.info.message} {advice}" if advice else failure.info.message


def artifact_finding(failure: StorageError, row: ArtifactRow) -> Finding:
    """Content that is gone or altered; the phase that stored it can store it again."""
    details = failure.info.details
    action = f"journal artifacts {row.run_id}"
    if failure.code in _ELSE:
        action = f"journal verify {row.run_id}"
    elif row.phase is not None:
        place = row.phase if row.partition is None else f"{row.phase}[{row.partition}]"
        action = f"journal resume {row.run_id} --redo {shlex.quote(place)}"
    return Finding(
        code=failure.code,
        run_id=row.run_id,
        artifact_id=row.artifact_id,
        seq=None if row.inherited_from else row.seq,
        path=details.path,
        reason=f"artifact_{details.reason or failure.code.value}",
        message=_with_advice(failure),
        next_action=action,
    )


def index_finding(
    run_id: str, what: str, seq: int | None = None, reason: str = "index_row"
) -> Finding:
    """A row that does not say what the log says."""
    return Finding(
        code=StorageErrorCode.CORRUPT,
        run_id=run_id,
        seq=seq,
        reason=reason,
        message=f"run {run_id}: {what} in the index is not what the log folds to.",
        next_action="journal rebuild",
    )

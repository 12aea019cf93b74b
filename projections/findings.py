"""
One thing that is wrong, and where: what ``verify`` and ``rebuild --check`` report.

Below: journal.errors. Above: verify, rebuild.
"""

from pydantic import BaseModel, ConfigDict, Field

from journal.errors import StorageError, StorageErrorCode

# Code -> what to do instead of verifying; the others say that stored bytes are damaged or gone.
_INSTEAD = {
    StorageErrorCode.IO_ERROR: "look at the system's log and the disk, then verify again",
    StorageErrorCode.UNAVAILABLE: "verify again in a moment",
    StorageErrorCode.PERMISSION_DENIED: "verify again as the owner of the store",
    StorageErrorCode.UNSUPPORTED_FORMAT: "use a newer version of run-journal",
}


class Finding(BaseModel):
    """Something that is not as it was written, told or folded."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    code: StorageErrorCode = Field(strict=False, description="what kind of failure")
    run_id: str | None = Field(None, description="the run concerned; None: the store")
    artifact_id: str | None = Field(None, description="the artifact concerned")
    seq: int | None = Field(None, description="the log line concerned, from 1")
    offset: int | None = Field(None, description="where that line starts in the log, in bytes")
    path: str | None = Field(None, description="the file or folder concerned")
    reason: str | None = Field(None, description="the finer cause, as a snake_case word")
    message: str = Field(description="one sentence: where and what")
    next_action: str | None = Field(None, description="a command to try next")


def finding_of(
    failure: StorageError,
    run_id: str | None,
    artifact_id: str | None = None,
    seq: int | None = None,
) -> Finding:
    """An error of one run as a finding; the others are looked at all the same."""
    details = failure.info.details
    return Finding(
        code=failure.code,
        run_id=details.run_id or run_id,
        artifact_id=details.artifact_id or artifact_id,
        seq=details.seq or seq,
        offset=details.offset,
        path=details.path,
        reason=details.reason,
        message=failure.info.message,
        next_action=_next(failure),
    )


def _next(failure: StorageError) -> str | None:
    """What to do; where the error sends people to ``verify``, they are here already."""
    action = failure.info.details.next_action
    if action is None or not action.startswith("journal verify"):
        return action
    return _INSTEAD.get(failure.code, "restore the run from a backup")


INDEX_BEHIND = "index_behind"
"""The reason where the index lacks something and nothing in it says that it is still to be read."""


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

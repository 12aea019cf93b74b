"""
Whether a run may go on with the code that is there now.

Compares what two sides say about their code, as far as both say it; never looks at the code:
that is ``codeversion.py``.

Below: errors, ids, events. Above: journal.
"""

from journal.errors import StorageErrorCode, storage_error
from journal.events.run import CodeVersion
from journal.ids import RunId


def check_same_code(run_id: RunId, before: CodeVersion | None, now: CodeVersion | None) -> None:
    """
    Raise ``conflict`` (reason ``code_changed``) where the code is another one than ``before``.

    The digest of the target's own source decides where both have one; else the commit does. A
    side that says nothing is no reason to stop.
    """
    if before is None or now is None or not _differ(before, now):
        return
    raise storage_error(
        StorageErrorCode.CONFLICT,
        f"run {run_id}: the code has changed since the run was written. It was {_said(before)}; "
        f"it is {_said(now)}. Nothing was written.",
        operation="resume",
        run_id=run_id,
        reason="code_changed",
        next_action=f"journal resume {run_id} --allow-changed",
    )


def _differ(before: CodeVersion, now: CodeVersion) -> bool:
    if before.source_sha256 and now.source_sha256:
        return before.source_sha256 != now.source_sha256
    return (before.git_commit, before.git_dirty) != (now.git_commit, now.git_dirty)


def _said(code: CodeVersion) -> str:
    """A version as people compare it: ``commit 1a2b3c4d5e6f with changes, source 0f9e8d7c6b5a``."""
    parts = []
    if code.git_commit:
        parts.append(f"commit {code.git_commit[:12]}{' with changes' if code.git_dirty else ''}")
    if code.source_sha256:
        parts.append(f"source {code.source_sha256[:12]}")
    return ", ".join(parts) or "unknown"

"""
From what a person types to a run or an artifact: an id, its beginning or its end, ``@latest``.

The first digits of an id are a clock, so lists show the last eight; both ways must find it.

Below: questions, sqlitefile. Above: store.
"""

import re
from collections.abc import Sequence
from contextlib import suppress

from journal.errors import StorageError, StorageErrorCode, storage_error
from journal.ids import RunId, parse_run_id
from journal.log import EventLog
from projections import questions
from projections.sqlitefile import Connection

_NEWEST = {"@latest": None, "@latest-failed": "failed"}
_NONE = {
    "@latest": "there is no run in this store.",
    "@latest-failed": "no run has failed; one that was killed or stopped is found by @latest.",
}
_PART = re.compile(r"[0-9a-f-]{1,36}")
_SHOWN = 4


def whole_id(text: str) -> RunId | None:
    """``text`` as a run id, if it is a whole one."""
    with suppress(StorageError):
        return parse_run_id(text.lower())
    return None


def check_there(log: EventLog, run_id: RunId) -> None:
    """Raise ``not_found`` unless the run is in the store; a damaged one is."""
    try:
        log.head(run_id)
    except StorageError as failure:
        if failure.code is StorageErrorCode.NOT_FOUND:
            raise


def find(db: Connection, text: str) -> RunId:
    """
    The one run that ``text`` means, in an index that has caught up.

    Raises ``not_found``, and ``conflict`` (reason ``ambiguous``) if several begin like this.
    """
    if text in _NEWEST:
        newest = questions.runs(db, status=_NEWEST[text], limit=1)
        found = [RunId(each.run_id) for each in newest]
    else:
        part = text.lower()
        found = questions.named_like(db, part, _SHOWN + 1) if _PART.fullmatch(part) else []
    if not found:
        raise unknown(text)
    if len(found) > 1:
        raise _ambiguous(text, found, "runs")
    return found[0]


def find_artifact(db: Connection, text: str) -> str:
    """The id of the one artifact that ``text`` means. Raises what ``find`` raises."""
    if questions.artifacts_by_id(db, text):
        return text
    part = text.lower()
    found = questions.artifacts_named_like(db, part, _SHOWN + 1) if _PART.fullmatch(part) else []
    if not found:
        raise unknown_artifact(text)
    if len(found) > 1:
        raise _ambiguous(text, found, "artifacts")
    return found[0]


def _ambiguous(text: str, found: Sequence[str], what: str) -> StorageError:
    some = ", ".join(found[:_SHOWN]) + (", …" if len(found) > _SHOWN else "")
    return storage_error(
        StorageErrorCode.CONFLICT,
        f"{text!r} may be one of several {what}: {some}.",
        operation="resolve",
        reason="ambiguous",
        next_action="name more of the id, or its last eight characters",
    )


def unknown(text: str) -> StorageError:
    """There is no such run; of those that are called by what they are: there is none."""
    return storage_error(
        StorageErrorCode.NOT_FOUND,
        _NONE.get(text) or f"no run is called {text[:80]!r}.",
        operation="resolve",
        reason="no_such_run",
        next_action="journal list",
    )


def unknown_artifact(text: str) -> StorageError:
    """There is no such artifact."""
    return storage_error(
        StorageErrorCode.NOT_FOUND,
        f"no run tells of an artifact {text[:80]!r}.",
        operation="artifact",
        artifact_id=text,
        reason="no_such_artifact",
        next_action="journal artifacts RUN",
    )

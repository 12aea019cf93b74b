"""One exception, with a body that crosses any boundary and gives nothing away (case 84)."""

import copy
import errno
import json
import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from journal.draft import freeze
from journal.errors import (
    RETRYABLE,
    StorageBatchError,
    StorageError,
    StorageErrorCode,
    StorageErrorDetails,
    StorageErrorInfo,
    code_of,
    from_system,
    storage_error,
)
from journal.events.base import ErrorInfo
from journal.events.log import LogEmitted
from journal.events.run import RunFailed
from journal.limits import ERROR_TEXT_CHARS_MAX, TRACEBACK_CHARS_MAX
from tests.unit.lines import RUN

CODES = {
    "not_found",
    "io_error",
    "serialization_error",
    "validation_error",
    "conflict",
    "unsupported_format",
    "corrupt",
    "locked",
    "closed",
    "no_space",
    "permission_denied",
    "unavailable",
    "limit_exceeded",
}

FULL = storage_error(
    StorageErrorCode.CORRUPT,
    "run r line 2 (byte 90): hash does not match. Nothing was changed.",
    operation="read",
    run_id="r",
    artifact_id="a",
    seq=2,
    offset=90,
    backend="memory",
    path=Path("/x/events.jsonl"),
    uri="memory:r",
    reason="hash",
    next_action="journal verify r",
)
every_code = pytest.mark.parametrize("code", list(StorageErrorCode))


def test_the_codes_are_pinned() -> None:
    """They cross process and version borders: a code that is renamed breaks whoever matches it."""
    assert {code.value for code in StorageErrorCode} == CODES


def same(one: StorageError, other: StorageError) -> bool:
    """Say whether two errors carry the same."""
    return (type(one), one.info, str(one)) == (type(other), other.info, str(other))


@every_code
def test_an_error_pickles_and_copies(code: StorageErrorCode) -> None:
    """Case 84: a worker process hands it to its parent."""
    error = storage_error(code, "It happened.", run_id=RUN, seq=3)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert same(pickle.loads(pickle.dumps(error, protocol)), error)  # noqa: S301 - our own
    assert same(copy.deepcopy(error), error)


def test_a_batch_error_pickles_with_all_its_errors() -> None:
    """Case 84: a rebuild that met three bad runs reports three."""
    batch = StorageBatchError(FULL.info, [FULL, storage_error(StorageErrorCode.LOCKED, "Held.")])
    again = pickle.loads(pickle.dumps(batch))  # noqa: S301 - our own
    assert same(again, batch)
    assert [str(error) for error in again.errors] == [str(error) for error in batch.errors]
    assert isinstance(again, StorageError)


@every_code
def test_an_error_renders_as_json_and_comes_back(code: StorageErrorCode) -> None:
    """Case 84: the command prints it in a pipe, a service sends it on."""
    info = storage_error(code, "It happened.", path=Path("/x"), next_action="try this").info
    text = info.model_dump_json()
    assert json.loads(text)["code"] == code.value
    assert StorageErrorInfo.model_validate_json(text) == info
    assert StorageErrorInfo.model_validate(json.loads(text)) == info


def test_an_error_says_code_place_and_next_command() -> None:
    """What a person sees first must be enough to act on."""
    assert str(FULL) == (
        "corrupt: run r line 2 (byte 90): hash does not match. Nothing was changed. "
        "Next: journal verify r"
    )
    assert FULL.info.details.path == "/x/events.jsonl"
    assert FULL.code is StorageErrorCode.CORRUPT


def test_what_is_retryable_follows_from_the_code_unless_said_otherwise() -> None:
    """A caller that retries everything hides damage; one that retries nothing wakes people up."""
    retryable = {code for code in StorageErrorCode if storage_error(code, "x").info.retryable}
    assert retryable == RETRYABLE == {StorageErrorCode.LOCKED, StorageErrorCode.UNAVAILABLE}
    assert storage_error(StorageErrorCode.IO_ERROR, "x", retryable=True).info.retryable


def test_the_body_is_frozen_and_takes_no_other_field() -> None:
    """A detail that is misspelled would be lost exactly when somebody needs it."""
    with pytest.raises(ValidationError, match="frozen"):
        FULL.info.message = "x"  # type: ignore[misc]
    with pytest.raises(ValidationError, match="extra"):
        storage_error(StorageErrorCode.CLOSED, "x", sequence=1)
    fields = {**StorageErrorInfo.model_fields, **StorageErrorDetails.model_fields}
    assert [name for name, field in fields.items() if not field.description] == []


@given(st.text(), st.text())
def test_any_text_fits_into_an_error(message: str, path: str) -> None:
    """Case 84: file names are bytes that need not be UTF-8; the error path may not fail (82)."""
    error = storage_error(StorageErrorCode.IO_ERROR, message, path=path + "\udcff")
    assert same(pickle.loads(pickle.dumps(error)), error)  # noqa: S301 - our own
    assert error.info.model_dump_json().encode("utf-8")


def test_a_long_text_is_cut_and_says_by_how_much() -> None:
    """A message of a megabyte would drown the log that it is written to."""
    error = storage_error(StorageErrorCode.IO_ERROR, "x" * (ERROR_TEXT_CHARS_MAX + 7), path="y")
    assert error.info.message.endswith("… (7 more characters)")
    assert len(error.info.message) < ERROR_TEXT_CHARS_MAX + 40


# ------------------------------------------------------------------------------- the system

EXPECTED = {
    "ENOENT": "not_found",
    "EACCES": "permission_denied",
    "EPERM": "permission_denied",
    "EROFS": "permission_denied",
    "ENOSPC": "no_space",
    "EDQUOT": "no_space",
    "EFBIG": "no_space",
    "EMFILE": "unavailable",
    "ENFILE": "unavailable",
    "ENOMEM": "unavailable",
    "EAGAIN": "unavailable",
    "ETIMEDOUT": "unavailable",
}


@pytest.mark.parametrize("number", sorted(errno.errorcode))
def test_every_errno_has_its_code(number: int) -> None:
    """Case 16: what is not known is io_error, never a crash and never a guess."""
    names = {name for name in EXPECTED if getattr(errno, name) == number}
    expected = {EXPECTED[name] for name in names} or {"io_error"}
    assert {code_of(OSError(number, "x")).value} == expected


def test_an_error_of_the_system_keeps_its_words_and_its_place() -> None:
    """The cause is what a system administrator searches for."""
    failure = OSError(errno.ENOSPC, "No space left on device", "/data/events.jsonl")
    error = from_system(failure, "run r: 3 lines were not written", run_id="r")
    assert str(error) == (
        "no_space: run r: 3 lines were not written: No space left on device (ENOSPC)."
    )
    assert (error.info.details.path, error.info.retryable) == ("/data/events.jsonl", False)
    given_path = from_system(failure, "x", path="/other")
    assert given_path.info.details.path == "/other"


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (MemoryError(), "unavailable"),
        (OSError("no number"), "io_error"),
        (OSError(), "io_error"),
        (OSError(99999, "unheard of"), "io_error"),
        (FileNotFoundError(errno.ENOENT, "x", b"/bytes\xff"), "not_found"),
        (TimeoutError(errno.ETIMEDOUT, "x"), "unavailable"),
        (BlockingIOError(errno.EWOULDBLOCK, "x"), "unavailable"),
        (OSError(errno.EIO, "x", 7), "io_error"),
    ],
)
def test_odd_errors_of_the_system_are_wrapped_too(
    failure: OSError | MemoryError, code: str
) -> None:
    """Case 16: an exception without a number, or with a name in bytes, is one all the same."""
    error = from_system(failure, "It failed")
    assert (error.code, error.info.retryable) == (code, code == "unavailable")
    assert same(pickle.loads(pickle.dumps(error)), error)  # noqa: S301 - our own


# ------------------------------------------------------------------------------- leaks


@pytest.mark.parametrize(
    "fields",
    [
        {"data": {"x": ("hunter2",)}},
        {"data": {"x": "hunter2\ud800"}},
        {"data": {"hunter2": 2**64}},
        {"name": ["hunter2"]},
        {"name": "hunter2" * 200_000},
    ],
)
def test_no_payload_leaks_into_a_refusal(fields: dict[str, Any]) -> None:
    """Case 84: an error is logged and shown where the payload must not be."""
    with pytest.raises(StorageError) as caught:
        freeze(RUN, LogEmitted(**fields))
    error = caught.value
    assert "hunter2" not in f"{error!r} {error} {error.info.model_dump_json()}"
    assert b"hunter2" not in pickle.dumps(error)


def test_a_failure_as_a_fact_keeps_what_a_storage_error_knows() -> None:
    """``phase_failed`` must still tell the code, the place and what to do."""
    fact = ErrorInfo.of(FULL)
    assert (fact.type, fact.code) == ("journal.errors.StorageError", "corrupt")
    assert fact.next_action == "journal verify r"
    assert fact.details is not None
    assert (fact.details["seq"], fact.details["path"]) == (2, "/x/events.jsonl")
    freeze(RUN, RunFailed(error=fact))


class Unspeakable(Exception):
    """An exception whose text cannot be had."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


class Strange(Exception):
    """An exception with attributes that look like ours and are not."""

    @property
    def info(self) -> object:
        raise RuntimeError("no info")


class Foreign(Exception):
    """An exception whose details are no JSON."""

    def __init__(self) -> None:
        self.info = SimpleNamespace(
            code=object(), details=SimpleNamespace(model_dump=lambda **_: {"x": {1, 2}})
        )


@pytest.mark.parametrize(
    "failure",
    [Unspeakable(), Strange(), Foreign(), ValueError("\ud800"), ValueError("x" * 10**6)],
)
def test_any_exception_becomes_a_fact(failure: Exception) -> None:
    """A failure that cannot be recorded would be two failures."""
    fact = ErrorInfo.of(failure)
    freeze(RUN, RunFailed(error=fact))


def test_a_long_traceback_keeps_its_end() -> None:
    """The end names the cause."""

    def deep(levels: int) -> None:
        if levels:
            deep(levels - 1)
        raise ValueError(f"level {levels} " + "x" * 1000)

    with pytest.raises(ValueError, match="level 0") as caught:
        deep(0)
    chained = caught.value
    chained.add_note("y" * TRACEBACK_CHARS_MAX + " the end")
    fact = ErrorInfo.of(chained)
    assert fact.traceback is not None
    assert fact.traceback.endswith(" the end\n")
    assert len(fact.traceback) <= TRACEBACK_CHARS_MAX
    assert ErrorInfo.of(chained, with_traceback=False).traceback is None

"""
Exit codes, and how an error is told: one table and one form.

Never ends the process itself. Errors go to stderr: code, message, place, cause, next command; as
one JSON object under ``--json``.

Below: settings, text, journal.errors. Above: app, every command.
"""

import re
import shlex
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from projections.cli.settings import Settings
from projections.cli.text import visible, visible_in_json

if TYPE_CHECKING:
    from journal.errors import StorageError

SUCCESS = 0
FAILED = 1
"""The thing asked for failed, or there are findings."""
USAGE = 2
NOT_FOUND = 3
"""Not there, or the name stands for more than one."""
LOCKED = 4
STORAGE = 5
"""The storage cannot be reached, is full or denies the access."""
INTERRUPTED = 130

# By name, not by StorageErrorCode: `journal --help` does not pay for pydantic. A test holds the
# table against the enumeration.
EXIT_OF_CODE = {
    "not_found": NOT_FOUND,
    "io_error": STORAGE,
    "serialization_error": FAILED,
    "validation_error": FAILED,
    "conflict": FAILED,
    "unsupported_format": FAILED,
    "corrupt": FAILED,
    "locked": LOCKED,
    "closed": STORAGE,
    "no_space": STORAGE,
    "permission_denied": STORAGE,
    "unavailable": STORAGE,
    "limit_exceeded": FAILED,
}
EXIT_OF_REASON = {("conflict", "ambiguous"): NOT_FOUND}
"""Where the finer cause of an error decides."""

_COMMAND = re.compile(r"\bjournal [a-z]+\b")


def exit_of(error: "StorageError") -> int:
    """The exit code that an error of the storage stands for."""
    code = error.code.value
    return EXIT_OF_REASON.get((code, error.info.details.reason or ""), EXIT_OF_CODE[code])


def report(failure: Exception, settings: Settings) -> int | None:
    """
    Tell an error of the storage or the system on stderr and give its exit code.

    Several that came together are told one by one; the first decides. ``None`` for any other
    exception: that is a defect of the program, and its traceback is wanted.
    """
    told: dict[str, StorageError] = {}
    for each in _leaves(failure):
        error = _as_storage_error(each)
        if error is None:
            return None
        told.setdefault(str(error), error)
    for error in told.values():
        tell(error, settings)
    return exit_of(next(iter(told.values())))


def _leaves(failure: Exception) -> Iterator[Exception]:
    if isinstance(failure, ExceptionGroup):
        for each in failure.exceptions:
            yield from _leaves(each)
    else:
        yield failure


def _as_storage_error(failure: Exception) -> "StorageError | None":
    from journal.errors import StorageError, from_system

    if isinstance(failure, OSError | MemoryError):
        error = from_system(failure, "the system refused")
        error.__cause__ = failure
        return error
    return failure if isinstance(failure, StorageError) else None


def tell(error: "StorageError", settings: Settings) -> None:
    """Write an error to stderr, for people or as JSON."""
    if settings.json:
        info = error.info
        details = info.details.model_dump(mode="json")
        details["next_action"] = next_command(info.details.next_action, settings)
        tell_json(info.code.value, info.message, info.retryable, _cause(error), **details)
        return
    say(f"journal: {error.code.value}: {error.info.message}")
    for label, text in _lines(error, settings):
        say(f"  {label}: {text}")


def tell_json(
    code: str,
    message: str,
    retryable: bool = False,
    cause: str | None = None,
    **details: Any,
) -> None:
    """Write an error to stderr as one JSON object."""
    import json

    body = {"code": code, "message": message, "retryable": retryable, "details": details}
    line = json.dumps({"error": body | {"cause": cause}}).encode()
    say(visible_in_json(line).decode())


def _lines(error: "StorageError", settings: Settings) -> Iterator[tuple[str, str]]:
    details = error.info.details
    place = [
        f"{word} {value}"
        for word, value in (
            ("run", details.run_id),
            ("artifact", details.artifact_id),
            ("line", details.seq),
            ("byte", details.offset),
            ("path", details.path),
            ("uri", details.uri),
        )
        if value is not None
    ]
    if place:
        yield "place", ", ".join(place)
    cause = _cause(error)
    if cause:
        yield "cause", cause
    action = next_command(details.next_action, settings)
    if action:
        yield "next", action


def _cause(error: BaseException) -> str | None:
    cause = error.__cause__
    return None if cause is None else f"{type(cause).__name__}: {cause}"


def next_command(action: str | None, settings: Settings) -> str | None:
    """The next command as it can be typed: with the store, where that was named by hand."""
    if action is None or settings.store_given is None:
        return action
    store = shlex.quote(settings.store_given)
    return _COMMAND.sub(lambda found: f"{found[0]} --store {store}", action)


@contextmanager
def warnings_told(settings: Settings) -> Iterator[None]:
    """
    Warnings of ours become one line on stderr, or one JSON object; others stay as they are.

    So does what the read side logs as a warning: that a damaged index was replaced, say.
    """
    import logging  # late: `journal --help` does not come by here

    usual = warnings.showwarning
    ours = logging.getLogger("projections")
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: _warn(record.getMessage(), settings)  # type: ignore[method-assign]

    def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        if not category.__module__.startswith(("journal.", "projections.")):
            usual(message, category, *place, **more)
        else:
            _warn(str(message), settings)

    warnings.showwarning = show
    ours.addHandler(handler)
    try:
        yield
    finally:
        ours.removeHandler(handler)
        warnings.showwarning = usual


def _warn(message: str, settings: Settings) -> None:
    if settings.json:
        import json

        say(json.dumps({"warning": {"message": message}}))
    else:
        say(f"journal: warning: {message}")


def note(text: str, settings: Settings) -> None:
    """Say something that is no error; under ``--json`` stderr is kept for JSON."""
    if not settings.json:
        say(text)


def say(text: str) -> None:
    """
    Write one message to stderr; what a terminal would obey is written out.

    A message that cannot be written, to a full disk or to nobody, is no reason to stop.
    """
    with suppress(OSError):
        sys.stderr.write(visible(text, keep="\n\t") + "\n")
        sys.stderr.flush()

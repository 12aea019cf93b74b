"""
Old payloads are lifted here, between the log and every fold; stored bytes never change.

An upcaster is a pure function from the payload of one version to that of the next. Chains of
them are walked one version at a time, so each is written once and never touched again.

    @upcaster("acme.invoice_sent", 1)
    def _split_name(data: JsonObject) -> JsonObject: ...

Below: base, errors. Above: registry.
"""

from collections.abc import Callable

from journal.errors import StorageErrorCode, storage_error
from journal.events.base import JsonObject

Upcaster = Callable[[JsonObject], JsonObject]

_UPCASTERS: dict[tuple[str, int], Upcaster] = {}


def upcaster(event_name: str, version: int) -> Callable[[Upcaster], Upcaster]:
    """Register a function that lifts ``event_name`` from ``version`` to ``version + 1``."""

    def register(function: Upcaster) -> Upcaster:
        _UPCASTERS[event_name, version] = function
        return function

    return register


def can_lift(event_name: str, version: int, wanted: int) -> bool:
    """Whether every step from ``version`` to ``wanted`` is registered."""
    return version <= wanted and all(
        (event_name, step) in _UPCASTERS for step in range(version, wanted)
    )


def lift(event_name: str, version: int, wanted: int, data: JsonObject) -> JsonObject:
    """
    Carry ``data`` from ``version`` to ``wanted``.

    Raises ``validation_error`` when an upcaster fails: its bug must not pass for damage, nor crash.
    """
    for step in range(version, wanted):
        try:
            data = _UPCASTERS[event_name, step](data)
        except Exception as failure:  # foreign code: whatever it raises is a StorageError here
            raise storage_error(
                StorageErrorCode.VALIDATION_ERROR,
                f"the upcaster of {event_name} from version {step} failed: "
                f"{type(failure).__name__}. Nothing was changed.",
                reason="upcaster_failed",
            ) from failure
    return data

"""
Times as the log writes them (text that sorts) and as people get them (aware datetimes).

Below: journal.errors. Above: everything here.
"""

from datetime import UTC, datetime

from journal.errors import StorageErrorCode, storage_error


def time_of(text: str | None) -> datetime | None:
    """A timestamp of a line as an aware datetime."""
    return datetime.fromisoformat(text) if text else None


def seconds_between(start: str | None, end: str | None) -> float | None:
    """Seconds from one timestamp to the other, if both are there."""
    if not start or not end:
        return None
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def stamp_of(moment: datetime) -> str:
    """A moment in the form of the log; ``validation_error`` if nobody can tell which it is."""
    if moment.tzinfo is None:
        raise storage_error(
            StorageErrorCode.VALIDATION_ERROR,
            f"{moment.isoformat()} has no zone, so it is no moment.",
            reason="naive_time",
            next_action="add one, such as datetime(..., tzinfo=UTC)",
        )
    try:
        return moment.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"
    except OverflowError as failure:  # in UTC it lies before the year 1 or after 9999
        raise storage_error(
            StorageErrorCode.VALIDATION_ERROR,
            f"{moment.isoformat()} is outside of the years 1 to 9999 in UTC.",
            reason="bad_time",
            next_action="give a moment of these years",
        ) from failure

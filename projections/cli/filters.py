"""
Which events of a run are wanted: by place, type, phase or text.

Pure: looks at decoded records, never at files. What it lets pass is printed as it stands in the
log.

Below: points; journal.record. Above: events.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase

import msgspec

from journal.events.registry import BUILT_IN, UnknownEvent
from journal.record import Record
from projections.cli.points import Point


@dataclass(frozen=True)
class Filter:
    """What to let pass; an empty part lets everything pass."""

    first: Point | None = None
    last: Point | None = None
    types: tuple[str, ...] = ()
    phases: tuple[str, ...] = ()
    pattern: re.Pattern[str] | None = None

    def at(self, head_seq: int) -> "Filter":
        """The same, with points that count from the end (``-3``) counted from ``head_seq``."""
        return Filter(
            _from_end(self.first, head_seq),
            _from_end(self.last, head_seq),
            self.types,
            self.phases,
            self.pattern,
        )

    @property
    def after(self) -> int:
        """The seq behind which it begins, as far as that is known without reading."""
        return self.first - 1 if isinstance(self.first, int) else 0

    def ends_before(self, record: Record) -> bool:
        """Whether neither this record nor any later one can pass."""
        return self.last is not None and not _up_to(record, self.last)

    def passes(self, record: Record) -> bool:
        """Whether this record is wanted."""
        if self.first is not None and not _from(record, self.first):
            return False
        if self.last is not None and not _up_to(record, self.last):
            return False
        if self.phases and record.phase not in self.phases:
            return False
        if self.types and not any(fnmatchcase(record.event, each) for each in self.types):
            return False
        return self.pattern is None or self._found_in(record, self.pattern)

    def _found_in(self, record: Record, pattern: re.Pattern[str]) -> bool:
        if pattern.search(record.message):
            return True
        data = record.data
        body = data.raw if isinstance(data, UnknownEvent) else msgspec.json.encode(data)
        return pattern.search(body.decode()) is not None


def _from_end(point: Point | None, head_seq: int) -> Point | None:
    if isinstance(point, int) and point <= 0:
        return max(head_seq + point, 1)
    return point


def _from(record: Record, point: Point) -> bool:
    if isinstance(point, datetime):
        return record.timestamp >= _stamp(point)
    return record.seq >= point


def _up_to(record: Record, point: Point) -> bool:
    if isinstance(point, datetime):
        return record.timestamp <= _stamp(point)
    return record.seq <= point


def _stamp(point: datetime) -> str:
    """In the form of the log, which sorts as text."""
    return point.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"


def unknown_types(types: tuple[str, ...]) -> list[str]:
    """Those that no built-in event has; a dotted name is a user's own, a ``*`` a pattern."""
    known = {kind.event_name for kind in BUILT_IN}
    return [each for each in types if each not in known and "." not in each and "*" not in each]

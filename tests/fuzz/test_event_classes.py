"""Classes that somebody declares badly: refused when recorded, and no reason to close a log."""

from typing import Any, ClassVar

import pytest

from journal.draft import freeze
from journal.errors import StorageError, StorageErrorCode
from journal.events.base import Event
from journal.events.registry import UnknownEvent
from tests.fuzz.targets.lines import walk
from tests.unit.lines import RUN, body_of, chained, log_of


class _NameIsAField(Event, frozen=True):
    event_name: str = "fuzz.name_is_a_field"  # type: ignore[misc]


class _NameIsANumber(Event, frozen=True):
    event_name: ClassVar[Any] = 7


class _VersionIsAField(Event, frozen=True):
    event_name: ClassVar[str] = "fuzz.version_is_a_field"
    event_version: int = 2  # type: ignore[misc]


class _VersionIsAText(Event, frozen=True):
    event_name: ClassVar[str] = "fuzz.version_is_a_text"
    event_version: ClassVar[Any] = "2"


class _VersionIsZero(Event, frozen=True):
    event_name: ClassVar[str] = "fuzz.version_is_zero"
    event_version: ClassVar[int] = 0


class _LevelIsNone(Event, frozen=True):
    event_name: ClassVar[str] = "fuzz.level_is_none"
    event_level: ClassVar[Any] = "loud"


BAD: list[type[Event]] = [
    _NameIsAField,
    _NameIsANumber,
    _VersionIsAField,
    _VersionIsAText,
    _VersionIsZero,
    _LevelIsNone,
]


@pytest.mark.parametrize("kind", BAD, ids=lambda kind: kind.__name__)
def test_an_event_of_a_class_badly_declared_is_refused(kind: type[Event]) -> None:
    """Case 37: with a word on how it should be declared, and before a byte is written."""
    with pytest.raises(StorageError) as refused:
        freeze(RUN, kind())
    assert refused.value.code is StorageErrorCode.VALIDATION_ERROR


@pytest.mark.parametrize("kind", BAD, ids=lambda kind: kind.__name__)
def test_a_class_badly_declared_closes_no_log(kind: type[Event]) -> None:
    """Case 36: one bad class in a program made every log of it unreadable."""
    assert walk(log_of(3), strict=True).error is None
    told: object = kind.event_name
    name = told if isinstance(told, str) else "fuzz.name_is_a_field"
    if kind is _LevelIsNone:
        return  # its name and payload are sound; only a line of ours needs the level
    for version in (1, 2, 3):
        line = chained(body_of(event=name).replace(b',"batch"', b',"v":%d,"batch"' % version))
        (record,) = walk([line], strict=True).records
        assert isinstance(record.data, UnknownEvent)

"""From bytes back to events: known, old, new and unknown ones."""

from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec
import pytest

from journal.chain import Chain
from journal.errors import StorageError, StorageErrorCode
from journal.events.base import Event, JsonObject
from journal.events.log import LogEmitted
from journal.events.registry import UnknownEvent
from journal.events.upcast import can_lift, upcaster
from journal.record import Record, decode
from tests.unit.lines import RUN, body_of, chained


def read(event: str, data: bytes, v: int | None = None) -> Record:
    """Return the record of a line with this event and payload."""
    body = body_of(data=data, event=event)
    if v is not None:
        body = body.replace(b',"batch"', b',"v":%d,"batch"' % v)
    return Chain(RUN, strict=True).follow(chained(body))


def test_a_record_has_the_line_in_typed_fields() -> None:
    """Everything that stands on the line can be asked for, and nothing else."""
    body = body_of(data=b'{"name":"n"}').replace(
        b',"batch"', b',"actor":"ann","key":"k","clock":"2026-11-22T11:59:00.000000Z","batch"'
    )
    line = chained(body)
    record = decode(line)
    assert msgspec.structs.asdict(record) == {
        "seq": 1,
        "timestamp": "2026-11-22T12:00:00.000000Z",
        "level": "info",
        "run_id": RUN,
        "phase": None,
        "message": "Log line.",
        "data": LogEmitted(name="n"),
        "batch": (1, 1),
        "hash": line[-67:-3].decode(),
        "v": 1,
        "actor": "ann",
        "key": "k",
        "clock": "2026-11-22T11:59:00.000000Z",
    }
    assert record.event == "log_emitted"
    assert record.time == datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_decoding_alone_checks_no_hash() -> None:
    """The chain does; a tool that shows one line of a damaged log must be able to."""
    assert decode(chained(body_of()).replace(b'"hash":"', b'"hash":"0')).seq == 1


def test_a_key_may_stand_anywhere() -> None:
    """Readers are lenient about order, so that another writer's line can at least be shown."""
    line = b'{"hash":"x","batch":[1,1],"data":{},"message":"m","phase":null,"run_id":"r",'
    line += b'"event":"run_started","level":"info","timestamp":"t","seq":1}\n'
    assert decode(line).event == "run_started"


# ------------------------------------------------------------------------------- versions


class AddressChanged(Event, frozen=True, kw_only=True):
    """Someone moved. Version 1 had ``name``; 2 split it; 3 added ``country``."""

    event_name: ClassVar[str] = "unit.address_changed"
    event_version: ClassVar[int] = 3
    first: str
    last: str
    country: str


@upcaster("unit.address_changed", 1)
def _split_the_name(data: JsonObject) -> JsonObject:
    first, _, last = data["name"].partition(" ")
    return {"first": first, "last": last}


@upcaster("unit.address_changed", 2)
def _add_the_country(data: JsonObject) -> JsonObject:
    return {**data, "country": "GB"}


@pytest.mark.parametrize(
    ("v", "data"),
    [
        (None, b'{"name":"Ann Lee"}'),
        (1, b'{"name":"Ann Lee"}'),
        (2, b'{"first":"Ann","last":"Lee"}'),
        (3, b'{"first":"Ann","last":"Lee","country":"GB"}'),
    ],
)
def test_an_old_payload_is_lifted_version_by_version(v: int | None, data: bytes) -> None:
    """Stored bytes never change; folds see the newest shape only."""
    record = read("unit.address_changed", data, v)
    assert record.data == AddressChanged(first="Ann", last="Lee", country="GB")
    assert record.v == (v or 1)


def test_a_newer_version_is_kept_and_blocks() -> None:
    """Case 36: a reader that does not know a ``v`` shows the event and admits the gap."""
    record = read("unit.address_changed", b'{"who":7}', 4)
    assert record.data == UnknownEvent(
        name="unit.address_changed", version=4, raw=b'{"who":7}', unknown="version"
    )


class Renamed(Event, frozen=True, kw_only=True):
    """An event whose older versions nobody lifts."""

    event_name: ClassVar[str] = "unit.renamed"
    event_version: ClassVar[int] = 3
    name: str


@upcaster("unit.renamed", 2)
def _from_two(data: JsonObject) -> JsonObject:
    return data


def test_an_old_version_without_an_upcaster_is_kept_not_guessed() -> None:
    """Its payload may even fit the new type and mean something else."""
    record = read("unit.renamed", b'{"name":"x"}', 1)
    assert isinstance(record.data, UnknownEvent)
    assert (record.data.unknown, record.data.raw) == ("version", b'{"name":"x"}')
    assert not can_lift("unit.renamed", 1, 3)
    assert can_lift("unit.renamed", 2, 3)
    assert read("unit.renamed", b'{"name":"x"}', 2).data == Renamed(name="x")


class Broken(Event, frozen=True, kw_only=True):
    """An event with upcasters that fail, each in its way."""

    event_name: ClassVar[str] = "unit.broken"
    event_version: ClassVar[int] = 2
    name: str


@upcaster("unit.broken", 1)
def _fail(data: JsonObject) -> Any:
    returned = {"none": None, "wrong": {"name": 1}}
    return returned[data["how"]]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'{"how":"hunter2"}', "the upcaster of unit.broken from version 1 failed: KeyError"),
        (b'{"how":"none"}', "has a wrong shape"),
        (b'{"how":"wrong"}', "has a wrong shape"),
        (b"[1]", "data is no object"),
    ],
)
def test_an_upcaster_that_fails_is_told_with_the_line(data: bytes, says: str) -> None:
    """It is a bug in code, not damage of the log; and it must not stop other runs."""
    with pytest.raises(StorageError, match=says) as caught:
        read("unit.broken", data)
    error = caught.value
    assert error.code is StorageErrorCode.VALIDATION_ERROR
    assert (error.info.details.run_id, error.info.details.seq) == (RUN, 1)
    assert "hunter2" not in repr(error)


def test_a_class_that_is_defined_later_is_found() -> None:
    """Events may live in a plugin that is imported after the first log was read."""
    line = chained(body_of(data=b'{"n":1}', event="unit.late"))
    assert isinstance(decode(line).data, UnknownEvent)

    class Late(Event, frozen=True, kw_only=True):
        event_name: ClassVar[str] = "unit.late"
        n: int

    assert decode(line).data == Late(n=1)

"""
Old payloads of any shape, and upcasters that do not expect them: ``StorageError`` or an event.

Byte 0 says which upcasters meet the payload: some are sound, some raise, some give back nonsense.
"""

from typing import Any, ClassVar

from journal.chain import Chain
from journal.errors import StorageError
from journal.events.base import Event, JsonObject
from journal.events.registry import UnknownEvent
from journal.events.upcast import upcaster
from tests.fuzz.targets.lines import said, walk
from tests.unit.lines import RUN, body_of, chained


class _Lifted(Event, frozen=True):
    """An event whose payload changed twice."""

    event_name: ClassVar[str] = "fuzz.lifted"
    event_version: ClassVar[int] = 3
    total: int
    names: tuple[str, ...] = ()


def _endless() -> JsonObject:
    data: JsonObject = {"total": 1}
    data["names"] = data
    return data


def _deep() -> Any:
    data: list[Any] = []
    for _ in range(5_000):
        data = [data]
    return {"total": 1, "names": data}


_NONSENSE: tuple[Any, ...] = (
    None,
    [],
    {1: 2},
    {"total": 2**70},
    {"total": float("nan")},
    {"total": 1, "names": {1, 2}},
    {"total": 1, "names": ["\ud800"]},
    {"total": 1, "names": object()},
    {"total": True, b"names": []},
    {"total": 1, "names": "ab"},
    {"total": 1, "more": 2},
)


@upcaster("fuzz.lifted", 1)
def _add_up(data: JsonObject) -> JsonObject:
    return {"total": sum(data["values"]), "how": data.get("how", 0), "names": [*data["names"]]}


@upcaster("fuzz.lifted", 2)
def _or_do_worse(data: JsonObject) -> Any:
    how = data.pop("how", 0)
    if not isinstance(how, int):
        raise RuntimeError(how)
    if how == 100:
        return _endless()
    if how == 101:
        return _deep()
    if how == 102:
        raise RecursionError
    if how == 103:
        raise MemoryError
    return _NONSENSE[how % len(_NONSENSE)] if how > 0 else data


def lifted(data: bytes) -> None:
    """Read one line of an older version, strictly and leniently."""
    version = 1 + (data[:1] or b"\0")[0] % 4
    body = body_of(data=data[1:].replace(b"\n", b" "), event="fuzz.lifted")
    if version > 1:
        body = body.replace(b',"batch"', b',"v":%d,"batch"' % version)
    line = chained(body)
    lenient = walk([line], strict=False)
    assert said(walk([line], strict=False, at_once=True)) == said(lenient)
    try:
        record = Chain(RUN, strict=True).follow(line)
    except StorageError:
        return
    assert [record] == lenient.records
    assert isinstance(record.data, UnknownEvent if version > 3 else _Lifted)

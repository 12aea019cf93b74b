"""
One line of a log, decoded.

Owns the shape of a line and the way back from bytes to a typed event. Never checks a hash: that
is ``chain.py``, beside which a line is also made. Layout byte by byte: docs/format.md.

Below: errors, jsonrules, events. Above: draft, chain. Next to read: ``draft.py``, the way there.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

from journal.errors import StorageErrorCode
from journal.events.base import Event, Level
from journal.events.registry import UnknownEvent, known_events
from journal.events.upcast import can_lift, lift
from journal.jsonrules import RuleBroken


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """
    One line, decoded. ``data`` is the typed event; the rest says when, where and in which order.

    ``timestamp`` and ``clock`` are RFC 3339 in UTC with six digits. ``batch`` is the seq of the
    first line that was synced together with this one, and how many there were.
    """

    seq: int
    timestamp: str
    level: Level
    run_id: str
    phase: str | None
    message: str
    data: Event
    batch: tuple[int, int]
    hash: str
    v: Annotated[int, Meta(ge=1)] = 1
    actor: str | None = None
    key: str | None = None
    clock: str | None = None

    @property
    def event(self) -> str:
        """The event's name, as it stands on the line."""
        data = self.data
        return data.name if isinstance(data, UnknownEvent) else data.event_name

    @property
    def time(self) -> datetime:
        """``timestamp`` as an aware datetime."""
        return datetime.fromisoformat(self.timestamp)


class _AnyRecord(Record, frozen=True, kw_only=True):
    """A line whatever its event: what unknown names and older versions are decoded with."""

    event_: str = msgspec.field(name="event")
    data: Any


class _RawData(msgspec.Struct):
    data: msgspec.Raw


def decode(line: bytes) -> Record:
    """
    Decode one line, newline and hash included; the hash is not checked here (``Chain`` does).

    An older payload is lifted; an unknown name or version gives ``UnknownEvent``. Raises
    ``RuleBroken`` or ``msgspec.DecodeError`` for a line that has another shape.
    """
    record: Record
    try:
        record = _Decoders.current().typed.decode(line)
        if record.v == record.data.event_version:
            return record
    except msgspec.ValidationError:
        plain = _Decoders.current().plain.decode(line)
        kind = _Decoders.current().known.get(plain.event_)
        if kind is not None and kind.event_version == plain.v:
            raise
    return _decode_carefully(line)


def typed_decoder() -> Callable[[bytes], Record]:
    """
    The first step of ``decode`` alone, for who reads many lines.

    Knows the classes that are defined by now, checks no version, and fails for what is unknown:
    whatever is not plainly right is for ``decode``.
    """
    return _Decoders.current().typed.decode


def _decode_carefully(line: bytes) -> Record:
    decoders = _Decoders.current()
    plain = decoders.plain.decode(line)
    name, version = plain.event_, plain.v
    kind = decoders.known.get(name)
    data: Event
    if kind is not None and can_lift(name, version, kind.event_version):
        if not isinstance(plain.data, dict):
            raise RuleBroken(StorageErrorCode.VALIDATION_ERROR, "data is no object")
        data = msgspec.convert(lift(name, version, kind.event_version, plain.data), kind)
    else:
        raw = bytes(msgspec.json.decode(line, type=_RawData).data)
        data = UnknownEvent(
            name=name, version=version, raw=raw, unknown="name" if kind is None else "version"
        )
    fields = {field: getattr(plain, field) for field in Record.__struct_fields__}
    return Record(**{**fields, "data": data})


def _is_decodable(kind: type[Event]) -> bool:
    """Left out if not, and refused when recorded: one bad class must not close every log."""
    try:
        msgspec.json.Decoder(kind)
    except Exception:  # noqa: BLE001 - annotations are foreign code: whatever comes out of them
        return False
    return True


class _Decoders:
    """Decoders for all classes that are defined by now; made anew when one more is."""

    _made: ClassVar["_Decoders | None"] = None

    def __init__(self) -> None:
        self.generation = Event.classes_defined
        self.known = {name: kind for name, kind in known_events().items() if _is_decodable(kind)}
        shapes: Any = None
        for name, kind in self.known.items():
            shape = msgspec.defstruct(
                f"{kind.__name__}Record",
                [("data", kind)],
                bases=(Record,),
                frozen=True,
                kw_only=True,
                gc=False,
                tag_field="event",
                tag=name,
            )
            shapes = shape if shapes is None else shapes | shape
        self.typed: msgspec.json.Decoder[Record] = msgspec.json.Decoder(shapes)
        self.plain: msgspec.json.Decoder[_AnyRecord] = msgspec.json.Decoder(_AnyRecord)

    @classmethod
    def current(cls) -> "_Decoders":
        made = cls._made
        if made is None or made.generation != Event.classes_defined:
            made = cls._made = cls()
        return made

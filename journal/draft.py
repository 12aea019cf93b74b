"""
An event on its way into a log: frozen to bytes, checked, then given its place.

``freeze`` makes the middle part of a line (level to key) and proves that it comes back equal;
``Stamp`` adds the place: seq, timestamp, clock. Hashing and batches are ``chain.py``. Never
decides whether an event is legal (``lifecycle.py``) and never writes.

Below: errors, limits, interrupts, jsonrules, secrets, events. Above: chain, writer. Next to read:
``chain.py``.
"""

import hashlib
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from journal.errors import StorageError, StorageErrorCode, storage_error
from journal.events.base import Event, Level, clip
from journal.events.registry import BUILT_IN, check_recordable
from journal.interrupts import held
from journal.jsonrules import RuleBroken, check_depth, check_integers, has_long_number
from journal.limits import KEY_BYTES_MAX, LINE_BYTES_MAX, MESSAGE_CHARS_MAX
from journal.secrets import DEFAULT_GUARD, SecretsGuard

# The years 1 to 9999, to the last microsecond that a float can tell apart from the next year.
_SECONDS_MIN, _SECONDS_MAX = -62_135_596_800.0, 253_402_300_799.9999

# Room for seq, timestamp, clock, batch and hash around the middle part of a line.
_FRAME_BYTES_MAX = 300


class _Middle(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The part of a line that its writer knows before the line has a place."""

    level: Level
    event: str
    run_id: str
    phase: str | None
    message: str
    data: Event
    v: Annotated[int, Meta(ge=1)] = 1
    actor: str | None = None
    key: str | None = None


_encode = msgspec.json.Encoder().encode
_BUILT_IN: frozenset[type] = frozenset(BUILT_IN)


class Draft(msgspec.Struct, frozen=True, gc=False):
    """An event on its way into a log: its bytes are final, its place is not."""

    event: Event
    phase: str | None
    middle: bytes
    key: str | None

    @property
    def line_bytes_max(self) -> int:
        """An upper bound for the length of the finished line."""
        return len(self.middle) + _FRAME_BYTES_MAX


def freeze(
    run_id: str,
    event: Event,
    *,
    phase: str | None = None,
    message: str | None = None,
    level: Level | None = None,
    actor: str | None = None,
    key: str | None = None,
    guard: SecretsGuard = DEFAULT_GUARD,
) -> Draft:
    """
    Encode an event and prove that it comes back equal; later changes of its parts do not matter.

    What ``guard`` finds is taken out first: of the payload, the message and the actor. Raises
    ``validation_error`` for a value that JSON would change (NaN, tuples and dates in free JSON,
    lone surrogates, cycles, integers past 64 bit, nesting past 64), for an event without a proper
    name, for a message past its bound, and for a secret where a name should be;
    ``limit_exceeded`` for a line past 1 MiB.
    """
    check_recordable(event)
    kind = type(event)
    text = _sentence(event, phase) if message is None else message
    if len(text) > MESSAGE_CHARS_MAX:
        raise _refused(kind, f"its message has over {MESSAGE_CHARS_MAX} characters")
    if key is not None and not 0 < len(key.encode("utf-8", "replace")) <= KEY_BYTES_MAX:
        raise _refused(kind, f"its key is empty or over {KEY_BYTES_MAX} bytes")
    middle = _Middle(
        level=level or kind.event_level,
        event=kind.event_name,
        run_id=run_id,
        phase=phase,
        message=text,
        data=event,
        v=kind.event_version,
        actor=actor,
        key=key,
    )
    decoder = _middle_decoder(kind)
    try:
        encoded = _encode(middle)
        back = decoder.decode(encoded)
        check_depth(encoded)
        if has_long_number(encoded):
            check_integers(encoded, msgspec.json.decode(encoded))
    except RuleBroken as failure:
        raise _refused(kind, str(failure)) from failure
    except (msgspec.MsgspecError, UnicodeError, RecursionError, TypeError, ValueError) as failure:
        raise _refused(kind, f"it cannot be encoded ({type(failure).__name__})") from failure
    if back.data != event or back.message != text or back.actor != actor or back.key != key:
        raise _refused(kind, "a value would not come back from JSON as it was given")
    # Ready-made JSON (msgspec.Raw) may spell a name with escapes; our own encoder never does.
    if guard.suspects(encoded) or (kind not in _BUILT_IN and b"\\" in encoded):
        encoded, back = _without_secrets(guard, encoded, back, told=message is None)
    if len(encoded) + _FRAME_BYTES_MAX > LINE_BYTES_MAX:
        raise storage_error(
            StorageErrorCode.LIMIT_EXCEEDED,
            f"event {kind.event_name} would make a line of over {LINE_BYTES_MAX} bytes. Nothing "
            "was written.",
            run_id=run_id,
            next_action="store the long part with phase.store() and name its artifact id",
        )
    # The decoded copy, not the caller's: a dict inside that one may change under our state.
    return Draft(back.data, phase, encoded[1:-1], key)


# Where a value is a name by which something is found again, a redacted one would be another name.
_FOUND_BY = (
    "project",
    "external_id",
    "target",
    "plan",
    "partition",
    "artifact_id",
    "artifact_ids",
    "step_id",
    "role",
    "format",
    "media_type",
    "kept_as",
)


def _without_secrets(
    guard: SecretsGuard, encoded: bytes, whole: _Middle, *, told: bool
) -> tuple[bytes, _Middle]:
    """
    A line's middle with its secrets taken out, and what it says now; as it was where it has none.

    ``told``: the event made its own sentence, so it makes a new one of what is left. Refuses
    with ``validation_error`` a key or name that is a secret, and an event whose types do not
    admit what stands in a secret's place.
    """
    kind = type(whole.data)
    cleaner = guard.cleaner()
    plain = msgspec.json.decode(encoded)
    for field in ("key", "phase"):
        if cleaner.text(plain.get(field) or "") != (plain.get(field) or ""):
            raise _refused(kind, f"its {field} looks like a secret")
    plain["data"] = cleaner.value(plain["data"])
    if whole.actor is not None:
        plain["actor"] = cleaner.text(whole.actor)
    plain["message"] = cleaner.text(cleaner.mask(whole.message))
    if not cleaner.count:
        return encoded, whole
    decoder = _middle_decoder(kind)
    try:
        back = decoder.decode(_encode(plain))
        if told:
            plain["message"] = cleaner.text(_sentence(back.data, whole.phase))
        plain["message"] = clip(plain["message"], MESSAGE_CHARS_MAX)
        cleaned = _encode(plain)
        back = decoder.decode(cleaned)
    except (msgspec.MsgspecError, UnicodeError, TypeError, ValueError) as failure:
        why = "it holds a secret, and its types do not admit what stands in a secret's place"
        raise _refused(kind, why) from failure
    if kind in _BUILT_IN:
        for field in _FOUND_BY:
            if getattr(back.data, field, None) != getattr(whole.data, field, None):
                raise _refused(kind, f"its {field} looks like a secret")
    return cleaned, back


def _sentence(event: Event, phase: str | None) -> str:
    try:
        text = event.sentence(phase)
        return text if len(text) <= MESSAGE_CHARS_MAX else text[: MESSAGE_CHARS_MAX - 1] + "…"
    except Exception as failure:  # values of a wrong type get here before they are checked
        why = f"its sentence() failed ({type(failure).__name__})"
        raise _refused(type(event), why) from failure


def _refused(kind: type[Event], why: str) -> StorageError:
    return storage_error(
        StorageErrorCode.VALIDATION_ERROR,
        f"event {kind.event_name} is refused: {why}. Nothing was written.",
        reason="not_representable",
        next_action="mend the value, then append again",
    )


_MIDDLE_DECODERS: dict[type[Event], msgspec.json.Decoder[Any]] = {}


def _middle_decoder(kind: type[Event]) -> msgspec.json.Decoder[Any]:
    decoder = _MIDDLE_DECODERS.get(kind)
    if decoder is None:
        # A struct per event class, so that the payload is checked against its own type.
        shape = msgspec.defstruct(
            f"{kind.__name__}Middle", [("data", kind)], bases=(_Middle,), kw_only=True
        )
        try:
            # Held: this calls back into Python, and drops whatever is raised there: a Ctrl-C too.
            with held:
                decoder = msgspec.json.Decoder(shape)
        except Exception as failure:  # annotations of a user's class: NameError, TypeError, …
            raise _refused(kind, f"its fields have no usable types ({failure})") from failure
        _MIDDLE_DECODERS[kind] = decoder
    return decoder


class Stamp(msgspec.Struct, frozen=True, gc=False):
    """A draft's place: its seq, its timestamp, and the clock's reading where that differs."""

    draft: Draft
    seq: int
    timestamp: str
    clock: str | None


def body_digest(middles: Iterable[bytes]) -> str:
    """What an idempotency key stands for: a digest of the middles of one append."""
    digest = hashlib.sha256()
    for middle in middles:
        digest.update(b"%d:" % len(middle) + middle)
    return digest.hexdigest()[:32]


class Clock:
    """
    Timestamps that never go backwards: ``max(clock, the one before)``.

    ``now`` gives the time in seconds since 1970 (UTC); tests hand in their own.
    """

    def __init__(self, now: Callable[[], float], last: str = "") -> None:
        self._now = now
        self.last = last

    def read(self) -> tuple[str, str | None]:
        """The timestamp to write, and the clock's own reading where it lies behind it."""
        reading = timestamp_of(self._now())
        if reading >= self.last:
            self.last = reading
            return reading, None
        return self.last, reading


def timestamp_of(seconds: float) -> str:
    """
    RFC 3339 in UTC with six digits, always 27 characters: the form in which text sorts.

    A clock that leaves the years 1 to 9999 is held at their edge: it must not stop a run.
    """
    micros = round(min(max(seconds, _SECONDS_MIN), _SECONDS_MAX) * 1_000_000)
    whole, part = divmod(micros, 1_000_000)
    return f"{_second(whole)}.{part:06d}Z"


@lru_cache(maxsize=16)
def _second(seconds: int) -> str:
    """A whole second as text: most events share theirs with the one before."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19]

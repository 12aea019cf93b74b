"""
What an event is: a frozen payload, a name in the past tense, one human sentence.

An event says *what* happened. When, where and in which order stand on the line (``record.py``),
so no event holds a clock, a run id, a phase or a seq. Never decides whether an event is legal:
that is ``lifecycle.py``.

Below: errors, limits. Above: the vocabulary beside this file, then ``registry.py``.
"""

import re
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

from journal.errors import StorageError
from journal.limits import MESSAGE_CHARS_MAX, TRACEBACK_CHARS_MAX

Level = Literal["debug", "info", "warning", "error"]
JsonObject = dict[str, Any]
"""Free JSON: only what JSON itself holds (no tuples, dates, NaN); checked when it is recorded."""

Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Seq = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Revision = Annotated[int, Meta(ge=1, le=2**31)]
Attempt = Annotated[int, Meta(ge=1, le=2**31)]
Seconds = Annotated[float, Meta(ge=0)]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", max_length=64)]  # $ alone lets a newline by

_OURS = str(Path(__file__).parents[1])
_WORD = re.compile(r"(?<!^)(?=[A-Z])")


class Value(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """A part of a payload. Fields that hold their default are not written."""


class Event(Value, frozen=True, kw_only=True):
    """
    Base of all events; subclass it for your own.

    A subclass of yours gives itself a dotted name, and a version above 1 once its fields change:

        class InvoiceSent(Event, frozen=True):
            \"\"\"An invoice left the house.\"\"\"

            event_name: ClassVar[str] = "acme.invoice_sent"
            number: str

    Built-in names never hold a dot; they follow from the class (``PhaseStarted`` is
    ``phase_started``). Fields that hold their default are left out of the line, so a default
    never changes without a new ``event_version``.
    """

    event_name: ClassVar[str] = ""
    event_version: ClassVar[int] = 1
    event_level: ClassVar[Level] = "info"
    classes_defined: ClassVar[int] = 0  # moves when a class is defined: decoders know to look again

    def __init_subclass__(cls, **options: Any) -> None:
        """Name the event after its class, unless the class names itself."""
        super().__init_subclass__(**options)
        Event.classes_defined += 1
        if "event_name" not in cls.__dict__:
            cls.event_name = _WORD.sub("_", cls.__name__).lower()

    def sentence(self, phase: str | None) -> str:
        """One human sentence for the line's ``message``; ``phase`` is where it happened."""
        words = self.event_name.replace("_", " ").replace(".", ": ")
        return f"{words} in {phase}." if phase else f"{words}."


def where(phase: str | None, partition: str | None) -> str:
    """``translate [de]``: how sentences name a phase and its partition."""
    name = phase or "the run"
    return f"{name} [{partition}]" if partition is not None else name


class ErrorInfo(Value, frozen=True, kw_only=True):
    """
    A failure as a fact: type, message and, where there is one, the traceback.

    Produced with ``ErrorInfo.of(exception)``. Texts past their bound are cut: the message at its
    end, the traceback at its beginning, each with the number of characters left out.
    """

    type: str
    message: str
    code: str | None = None
    details: JsonObject | None = None
    next_action: str | None = None
    traceback: str | None = None

    @classmethod
    def of(
        cls,
        failure: BaseException,
        *,
        with_traceback: bool = True,
        clean: Callable[[str], str] = str,
    ) -> "ErrorInfo":
        """
        Describe ``failure``; a ``StorageError`` keeps its code, details and next action.

        ``clean`` takes secrets out of a text: before it is cut, for half a secret is not found.
        """
        text = clean(_traceback_of(failure)) if with_traceback else ""
        plain: JsonObject = {}
        code: str | None = None
        if isinstance(failure, StorageError):
            plain = failure.info.details.model_dump(exclude_none=True)
            code = failure.code.value
        next_action = plain.pop("next_action", None)
        return cls(
            type=f"{type(failure).__module__}.{type(failure).__qualname__}".removeprefix(
                "builtins."
            ),
            message=clip(clean(_text_of(failure)), MESSAGE_CHARS_MAX),
            code=code,
            details=plain or None,
            next_action=next_action,
            traceback=_clip_front(well_formed(text), TRACEBACK_CHARS_MAX) or None,
        )


def _traceback_of(failure: BaseException) -> str:
    """As Python prints it, from the caller's own code on: our frames above it tell nothing."""
    inner = failure.__traceback__
    while inner is not None and inner.tb_frame.f_code.co_filename.startswith(_OURS):
        inner = inner.tb_next
    own = failure.__traceback__ if inner is None else inner  # ours alone: then it is about us
    return "".join(traceback.format_exception(type(failure), failure, own))


def _text_of(failure: BaseException) -> str:
    try:
        return well_formed(str(failure))
    except Exception as broken:  # noqa: BLE001 - a broken __str__ must not hide the failure
        return f"<no text: {type(broken).__name__} in __str__>"


def well_formed(text: str) -> str:
    """``text`` with lone surrogates written out, so that it can be encoded as UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def clip(text: str, chars_max: int) -> str:
    """``text``, cut at its end to ``chars_max`` with the number of characters left out."""
    if len(text) <= chars_max:
        return text
    kept = chars_max - 40
    return f"{text[:kept]}… ({len(text) - kept} more characters)"


def _clip_front(text: str, chars_max: int) -> str:
    if len(text) <= chars_max:
        return text
    kept = chars_max - 40
    return f"({len(text) - kept} more characters) …{text[-kept:]}"

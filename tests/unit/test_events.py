"""The vocabulary, and what people add to it."""

import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journal.chain import Chain
from journal.draft import freeze
from journal.errors import StorageError, StorageErrorCode
from journal.events.base import Event, Level, Value, clip
from journal.events.phase import PhaseStarted
from journal.events.registry import BUILT_IN, UnknownEvent, is_user_name, known_events
from journal.events.run import RunCreated
from journal.limits import MESSAGE_CHARS_MAX
from tests.unit import payloads
from tests.unit.lines import RUN, body_of, chained, log_of, refusal

VOCABULARY = """
run_created writer_opened run_started run_resumed run_completed run_failed run_cancelled
phase_started phase_progress phase_completed phase_failed phase_cancelled phase_blocked
phase_skipped phase_invalidated
step_started step_completed step_failed step_cancelled
artifact_persisted artifact_persist_failed artifact_deleted
log_emitted annotation_added log_recovered snapshot_recorded
""".split()

# On the line, so never in a payload: two places could tell two stories. (log_emitted keeps the
# time and level that the other logging system gave.)
ON_THE_LINE = {"seq", "phase", "event", "message", "batch", "clock", "actor", "key"}

each_event = pytest.mark.parametrize("kind", BUILT_IN, ids=lambda kind: kind.event_name)


def test_the_vocabulary_is_pinned() -> None:
    """A name that is in a log can never mean anything else."""
    assert [kind.event_name for kind in BUILT_IN] == VOCABULARY


@each_event
def test_an_event_is_a_fact_of_the_past(kind: type[Event]) -> None:
    """Its name follows from its class, ends in a past tense and holds no dot."""
    words = kind.event_name.split("_")
    assert "".join(word.title() for word in words) == kind.__name__
    assert words[-1].endswith("ed") or words[-1] == "progress"
    assert not is_user_name(kind.event_name)
    assert kind.event_level in get_args(Level)


@each_event
def test_an_event_is_frozen_and_takes_no_position(kind: type[Event]) -> None:
    """What happened does not change, and a call must say which field is which."""
    config = kind.__struct_config__
    assert (config.frozen, config.omit_defaults, config.forbid_unknown_fields) == (True,) * 3
    event = payloads.example_of(kind)
    with pytest.raises(AttributeError):
        event.event_level = "debug"  # type: ignore[misc]
    with pytest.raises(TypeError):
        kind(*("x" for _ in range(len(kind.__struct_fields__) + 1)))


@each_event
def test_a_payload_never_repeats_the_line(kind: type[Event]) -> None:
    """Where, when and in which order stand on the line, once."""
    assert ON_THE_LINE.isdisjoint(kind.__struct_fields__)
    if kind.event_name != "log_emitted":
        assert {"timestamp", "level"}.isdisjoint(kind.__struct_fields__)


@each_event
@settings(max_examples=30)
@given(data=st.data(), phase=st.none() | payloads.texts)
def test_an_event_says_one_short_sentence(
    kind: type[Event], data: st.DataObject, phase: str | None
) -> None:
    """The sentence is what people read; whatever the payload, it fits on the line."""
    event = data.draw(payloads.events(kind))
    sentence = event.sentence(phase)
    assert sentence.strip()
    assert len(freeze(RUN, event, phase=phase).middle) > len(clip(sentence, MESSAGE_CHARS_MAX))


@each_event
def test_a_field_that_may_be_absent_has_a_default(kind: type[Event]) -> None:
    """Old lines are read by new code: what they do not hold must have a meaning."""
    plain = payloads.example_of(kind)
    assert msgspec.json.decode(msgspec.json.encode(plain), type=kind) == plain
    assert set(msgspec.to_builtins(plain)) <= {
        f.name for f in msgspec.structs.fields(kind) if f.required
    }


def test_events_are_equal_by_value() -> None:
    """Two programs that record the same fact have recorded the same."""
    assert PhaseStarted(revision=1, attempt=1) == PhaseStarted(revision=1, attempt=1)
    assert PhaseStarted(revision=1, attempt=1) != PhaseStarted(revision=1, attempt=2)


def test_a_default_of_one_event_is_not_shared_with_the_next() -> None:
    """A dict that two runs share would carry parameters from one to the other."""
    fields: dict[str, Any] = msgspec.to_builtins(payloads.example_of(RunCreated))
    first, second = (msgspec.convert(fields, RunCreated) for _ in range(2))
    first.parameters["x"] = 1
    assert second.parameters == {}


# ------------------------------------------------------------------------------- one's own


class Line(Value, frozen=True, kw_only=True):
    """One line of an invoice."""

    text: str
    cents: int = 0


class InvoiceSent(Event, frozen=True, kw_only=True):
    """An invoice left the house."""

    event_name: ClassVar[str] = "unit.invoice_sent"
    event_level: ClassVar[Level] = "warning"
    number: str
    lines: tuple[Line, ...] = ()


class Plain(Event):  # type: ignore[misc]
    """The shortest form: frozen without saying so, which type checkers want said."""

    event_name: ClassVar[str] = "unit.plain"
    number: int


def test_a_subclass_with_a_dotted_name_is_an_event() -> None:
    """No registration: to define it is enough."""
    event = InvoiceSent(number="7", lines=(Line(text="tea", cents=300),))
    middle = freeze(RUN, event, phase="bill").middle
    assert b'"level":"warning","event":"unit.invoice_sent"' in middle
    assert b'"message":"unit: invoice sent in bill."' in middle
    assert b'"data":{"number":"7","lines":[{"text":"tea","cents":300}]}' in middle
    assert known_events()["unit.invoice_sent"] is InvoiceSent


def test_a_subclass_is_frozen_without_saying_so() -> None:
    """An event that could be changed after it was recorded would lie."""
    with pytest.raises(AttributeError):
        Plain(number=1).number = 2
    assert freeze(RUN, Plain(number=1)).event == Plain(number=1)


def test_a_base_class_of_ones_own_needs_no_name() -> None:
    """It is never recorded itself."""

    class AcmeEvent(Event, frozen=True, kw_only=True):
        tenant: str

    class OrderPlaced(AcmeEvent, frozen=True, kw_only=True):
        event_name: ClassVar[str] = "unit.order_placed"

    assert freeze(RUN, OrderPlaced(tenant="t")).event == OrderPlaced(tenant="t")
    assert AcmeEvent not in known_events().values()


class Booked(Event, frozen=True, kw_only=True):
    """Types that JSON does not have, which their fields bring back."""

    event_name: ClassVar[str] = "unit.booked"
    at: datetime
    seats: frozenset[int] = frozenset()
    price: Decimal | None = None


def test_typed_fields_bring_back_what_json_does_not_have() -> None:
    """A date in a field of type date is no text that looks like one."""
    event = Booked(at=datetime(2026, 11, 22, tzinfo=UTC), seats=frozenset({1}), price=Decimal(9))
    assert freeze(RUN, event).event == event


class OneOfTwo(Event, frozen=True, kw_only=True):
    """An event whose field no decoder can tell apart."""

    event_name: ClassVar[str] = "unit.one_of_two"
    part: Line | Booked


def test_a_class_that_cannot_be_decoded_closes_no_log() -> None:
    """One bad plugin must not make every run unreadable; its own events are refused and shown."""
    with pytest.raises(StorageError, match="no usable types") as caught:
        freeze(RUN, OneOfTwo(part=Line(text="x")))
    assert caught.value.code is StorageErrorCode.VALIDATION_ERROR
    line = chained(body_of(data=b'{"part":{"text":"x"}}', event="unit.one_of_two"))
    assert isinstance(Chain(RUN).follow(line).data, UnknownEvent)
    assert refusal(log_of(2)) is None


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("acme.sent", True),
        ("acme.billing.invoice_sent", True),
        ("a.b2", True),
        ("sent", False),
        ("", False),
        (".sent", False),
        ("acme.", False),
        ("acme..sent", False),
        ("Acme.sent", False),
        ("acme.Sent", False),
        ("acme.sent-now", False),
        ("acme.séance", False),
        ("1acme.sent", False),
        ("acme.sent\n", False),
        ("acme." + "x" * 124, False),
    ],
)
def test_the_name_of_ones_own_event_is_dotted_snake_case(name: str, good: bool) -> None:
    """Case 76: names travel into tables, URLs and terminals."""
    assert is_user_name(name) is good


TWINS = """
from journal.chain import Chain, encode_batch, genesis
from journal.draft import Stamp, freeze
from journal.events.base import Event
from journal.errors import StorageError
from journal.ids import new_run_id

def define(module):
    return type(Event)("Sent", (Event,), {"event_name": "acme.sent", "__module__": module})

define("shop.a")
newest = define("shop.a")  # a module that was loaded again: the newest one counts
run = new_run_id()
(line,), _ = encode_batch(genesis(run), [
    Stamp(freeze(run, newest()), 1, "2026-11-22T12:00:00.000000Z", None)])
print(type(Chain(run).follow(line).data) is newest)
define("shop.b")
try:
    Chain(run).follow(line)
except StorageError as error:
    print(error)
"""


def test_two_classes_with_one_name_are_refused_by_name() -> None:
    """Which of them reads an old log would depend on the order of imports."""
    said = subprocess.run(
        [sys.executable, "-c", TWINS], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert said[0] == "True"
    assert said[1].startswith("validation_error: run ")
    assert "two classes claim the event 'acme.sent': shop.a.Sent and shop.b.Sent" in said[1]


def test_an_unknown_event_can_be_shown_but_never_written() -> None:
    """Whoever does not know a fact cannot vouch for it."""
    event = UnknownEvent(name="acme.x", version=3, raw=b"{}", unknown="name")
    assert event.sentence(None) == "Event acme.x (version 3) is not known to this program."
    with pytest.raises(StorageError) as caught:
        freeze(RUN, event)
    assert caught.value.code is StorageErrorCode.VALIDATION_ERROR


@pytest.mark.parametrize(
    ("name", "unknown", "blocks"),
    [
        ("acme.sent", "name", False),
        ("sent", "name", True),
        ("sent", "version", True),
        ("acme.sent", "version", True),
    ],
)
def test_only_a_users_unknown_name_never_blocks(name: str, unknown: Any, blocks: bool) -> None:
    """What another team records cannot stop ours; what our own newer version records can."""
    assert UnknownEvent(name=name, version=1, raw=b"{}", unknown=unknown).blocks is blocks

"""
What a projection is: a name, a version, the events it reads, and a pure fold.

    initial ──apply──▶ state ──apply──▶ state … ──present──▶ what people see

``apply`` changes a private struct in place (a frozen model per event would be twenty times
slower) and says which keys it touched; ``present`` makes the frozen model. No I/O, no clock: the
same lines give the same state, on any machine, at any time. Never checks a hash: that is
``replay.py``.

Below: journal. Above: run_state, run_index, artifact_index. Next to read: ``run_state.py``.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from journal.events.base import Event
from journal.record import Record

S = TypeVar("S")
M_co = TypeVar("M_co", covariant=True)
_M = TypeVar("_M")

Key = str
"""
A JSON pointer into what ``present`` gives, with the parts of a list named instead of numbered:
``/phases/translate/partitions/de/status``. A number would mean another phase once a plan changes.
"""


class Projection(Protocol[S, M_co]):
    """
    A fold of one run's events.

    ``version`` rises with every change that makes an old stored state wrong: readers then fold
    anew. ``handles`` names the event classes that ``apply`` wants; ``None`` means all.
    """

    @property
    def name(self) -> str:
        """What its states are stored under."""
        ...

    @property
    def version(self) -> int:
        """Which meaning its states have."""
        ...

    @property
    def handles(self) -> frozenset[type[Event]] | None:
        """The classes of events that change it."""
        ...

    def initial(self, run_id: str) -> S:
        """The state before the first event: a ``msgspec.Struct`` that JSON can carry."""
        ...

    def apply(self, state: S, record: Record) -> Sequence[Key]:
        """
        Change ``state`` by one event and say which keys of the presented model that may change.

        Total: an event that makes no sense here is taken as it is, for it has happened. What
        every event moves (seq, hash, time, number of events) is not among the keys.
        """
        ...

    def present(self, state: S) -> M_co:
        """The model that people see; ``state`` may go on afterwards."""
        ...


def fold(
    projection: Projection[S, _M], records: Iterable[Record], state: S | None = None
) -> S | None:
    """
    Fold ``records`` onto ``state`` (from the beginning if it is left out) and give the state.

    ``None`` only if there was neither a state nor a record.
    """
    handles, apply = projection.handles, projection.apply
    for record in records:
        if state is None:
            state = projection.initial(record.run_id)
        if handles is None or type(record.data) in handles:
            apply(state, record)
    return state


Applier = Callable[[Record], None]


def fan_out(folds: Iterable[tuple[Projection[Any, Any], Any]]) -> Applier:
    """One function that hands a record to several (projection, state) pairs that want it."""
    pairs = [(each.handles, each.apply, state) for each, state in folds]
    wanted: dict[type[Event], tuple[tuple[Callable[[Any, Record], Any], Any], ...]] = {}

    def apply(record: Record) -> None:
        kind = type(record.data)
        takers = wanted.get(kind)
        if takers is None:
            takers = wanted[kind] = tuple(
                (take, state)
                for handles, take, state in pairs
                if handles is None or kind in handles
            )
        for take, state in takers:
            take(state, record)

    return apply

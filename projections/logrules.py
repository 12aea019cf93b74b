"""
What a log must keep though its chain holds: the rules of the library's own writers.

A chain proves that bytes are those that somebody wrote, not that it was this library. Somebody
else's writer, or a defect of ours, shows here: keys in another order, times that go back, a first
line that makes no run, transitions that no lifecycle allows. Each rule names the first line that
breaks it and counts the others.

Also keeps what a checkpoint is held against: the write side's own fold, as far as the walk got.

Below: journal. Above: replay, verify.
"""

from collections import deque
from collections.abc import Iterable, Iterator

import msgspec

from journal.chain import Chain
from journal.checkpoint import Memory
from journal.errors import StorageError
from journal.events.log import LogRecovered
from journal.events.registry import UnknownEvent
from journal.events.run import RunCreated
from journal.ids import parse_run_id
from journal.lifecycle import RunLifecycle, check, evolve
from journal.record import Record

FIRST_KEYS = ("seq", "timestamp", "level", "event", "run_id", "phase", "message", "data")
OPTIONAL_KEYS = ("v", "actor", "key", "clock")
LAST_KEYS = ("batch", "hash")


class _Owned(msgspec.Struct):
    run_id: str


_keys_of = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Breach(msgspec.Struct):
    """A rule that a log breaks: at which line first, where that begins in bytes, how often."""

    reason: str
    seq: int
    offset: int
    what: str
    count: int = 1


class LogRules:
    """The walk of one log under the rules; ``breaches`` by reason."""

    def __init__(self, checkpoint: Memory | None = None) -> None:
        self.breaches: dict[str, Breach] = {}
        self.told: set[str] = set()
        self.checkpoint_holds: bool | None = None
        self.checkpoint = checkpoint
        self._state = RunLifecycle()
        self._timestamp = ""
        self._keys: dict[str, tuple[int, str]] = {}
        self._places: deque[tuple[int, int]] = deque()  # of lines that no record was made of yet
        self._lawful = True

    def lines(self, lines: Iterable[bytes], seq: int, position: int) -> Iterator[bytes]:
        """Look at lines as they pass; the first one has number ``seq`` and starts there."""
        self._places.clear()
        for line in lines:
            self._places.append((position, len(line)))
            if not in_order(line):
                self._breach("key_order", seq, position, "its keys stand in another order")
            seq += 1
            position += len(line)
            yield line

    def past(self, record: Record) -> None:
        """One event of the past of a fork; its own run's rules are for that run to keep."""
        self._state = evolve(self._state, record.phase, record.data)

    def record(self, record: Record) -> None:
        """One event of the log itself."""
        position, size = self._places.popleft()
        event = record.data
        if record.timestamp < self._timestamp:
            what = f"its time, {record.timestamp}, is before that of the line above"
            self._breach("timestamp_order", record.seq, position, what)
        self._timestamp = record.timestamp
        if record.seq == 1 and not _creates(record):
            what = f"it is {record.event}, and line 1 is always run_created"
            self._breach("no_run_created", 1, position, what)
            self._lawful = False
        elif record.seq > 1 and self._lawful:
            self._check(record, position)
        self._state = evolve(self._state, record.phase, event)
        if record.key is not None:
            self._keys[record.key] = record.seq, record.timestamp
        if isinstance(event, LogRecovered):
            self.told.add(event.kept_as)
        if self.checkpoint is not None and record.seq == self.checkpoint.seq:
            self.checkpoint_holds = self._holds(record, position + size, self.checkpoint)

    def _check(self, record: Record, position: int) -> None:
        if self._state.unknown:
            self._lawful = False  # from an event on that nobody can fold, nobody can judge
            return
        try:
            check(self._state, record.phase, record.data)
        except StorageError as failure:
            what = failure.info.message.removesuffix(" Nothing was written.").rstrip(".")
            self._breach("transition", record.seq, position, what)

    def _holds(self, record: Record, position: int, known: Memory) -> bool:
        return (
            (known.hash, known.position) == (record.hash, position)
            and known.timestamp == record.timestamp
            and known.state == self._state
            and all(
                self._keys.get(key) == (each.first_seq, each.timestamp)
                for key, each in known.keys.items()
            )
        )

    def _breach(self, reason: str, seq: int, offset: int, what: str) -> None:
        found = self.breaches.get(reason)
        if found is None:
            self.breaches[reason] = Breach(reason, seq, offset, what)
        else:
            found.count += 1


def in_order(line: bytes) -> bool:
    """Whether the keys of a line stand in the order of the format; what is no object passes."""
    try:
        keys = tuple(_keys_of(line))
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return True  # the chain says more
    between = [key for key in keys[len(FIRST_KEYS) : -len(LAST_KEYS)] if key in OPTIONAL_KEYS]
    return (
        keys[: len(FIRST_KEYS)] == FIRST_KEYS
        and keys[-len(LAST_KEYS) :] == LAST_KEYS
        and between == sorted(between, key=OPTIONAL_KEYS.index)
    )


def _creates(record: Record) -> bool:
    event = record.data
    if isinstance(event, UnknownEvent):  # of a newer version
        return event.name == RunCreated.event_name
    return isinstance(event, RunCreated)


def owner_of(line: bytes) -> str | None:
    """The run whose line 1 this is, whole; ``None`` if it is no run's."""
    try:
        run_id = parse_run_id(msgspec.json.decode(line, type=_Owned).run_id)
        Chain(run_id).follow(line)
    except (msgspec.DecodeError, UnicodeError, RecursionError, StorageError):
        return None
    return run_id

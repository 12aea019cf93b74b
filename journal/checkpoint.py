"""
The write side's memory of a run: its lifecycle and its idempotency keys, and how to get them back.

A checkpoint spares reading a long log from its beginning. It is derived: missing, damaged or
foreign ones are ignored, and one is believed only if the log's own line has the hash it names.

Below: errors, limits, record, chain, log, lifecycle, draft, past. Above: writer.
"""

import hashlib
import itertools

import msgspec

from journal.chain import Chain, hash_of, middle_of
from journal.draft import body_digest
from journal.errors import StorageError
from journal.lifecycle import RunLifecycle, evolve
from journal.limits import KEYS_REMEMBERED
from journal.log import EventLog, Lease
from journal.past import past_records
from journal.record import Record


class KeyEntry(msgspec.Struct, frozen=True, array_like=True):
    """What an idempotency key stands for: where its append is, and a digest of its body."""

    first_seq: int
    last_seq: int
    timestamp: str
    digest: str


class Memory(msgspec.Struct, kw_only=True):
    """What a writer knows of its run at one seq."""

    seq: int = 0
    position: int = 0
    hash: str = ""
    timestamp: str = ""
    state: RunLifecycle = RunLifecycle()
    keys: dict[str, KeyEntry] = {}


class _Checkpoint(msgspec.Struct):
    """``version`` counts the meanings of this file: another one's fold may have been another."""

    version: int
    memory: Memory


_decode = msgspec.json.Decoder(_Checkpoint).decode
_DIGEST_CHARS = 64
_VERSION = 2
_TIMESTAMP_CHARS = 27


def encode_memory(memory: Memory) -> bytes:
    """A checkpoint: one line of JSON, and the SHA-256 of that line as a second one."""
    body = msgspec.json.encode(_Checkpoint(_VERSION, memory)) + b"\n"
    return body + hashlib.sha256(body).hexdigest().encode() + b"\n"


def decode_memory(data: bytes | None) -> Memory | None:
    """The memory in a checkpoint, or ``None`` when it is missing or not intact."""
    if data is None or len(data) < _DIGEST_CHARS + 2:
        return None
    body, digest = data[: -_DIGEST_CHARS - 1], data[-_DIGEST_CHARS - 1 : -1]
    if hashlib.sha256(body).hexdigest().encode() != digest:
        return None
    try:
        found = _decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):  # of another version
        return None
    # Events that an older library did not know, this one may: it reads them itself.
    believed = found.version == _VERSION and not found.memory.state.unknown
    return found.memory if believed else None


def remember(log: EventLog, lease: Lease) -> tuple[Memory, int]:
    """
    Bring back what is known of a run up to its head: from the checkpoint on, each line checked.

    Gives also the checkpoint's seq, 0 without one. Blocks. Raises ``corrupt`` and the codes of a
    malformed line.
    """
    memory = _believed(log, lease) or Memory()
    began = memory.seq
    chain = Chain(lease.run_id, memory.seq, memory.position, memory.hash or None)
    reader = _Reader(memory)
    for line in log.read(lease.run_id, memory.position, lease.head.position):
        record = chain.follow(line)
        if record.seq == 1:
            # A fork goes on from its past's state. Its keys are its own: what they stood for is in
            # another run's log, and a fork may do the same work with another result.
            for each in past_records(log, lease.run_id, record):
                memory.state = evolve(memory.state, each.phase, each.data)
        reader.apply(record, line)
    reader.finish()
    memory.seq, memory.position, memory.hash = chain.seq, chain.position, chain.hash
    memory.timestamp = chain.timestamp or memory.timestamp
    return memory, began


def _believed(log: EventLog, lease: Lease) -> Memory | None:
    try:
        memory = decode_memory(log.get_checkpoint(lease.run_id))
    except StorageError:  # derived: whatever is wrong with it, the log says more
        return None
    if memory is None or not 0 < memory.position <= lease.head.position:
        return None
    line = next(log.read(lease.run_id, 0, memory.position, reverse=True), b"")
    begin = b'{"seq":%d,"timestamp":"' % memory.seq
    if hash_of(line) != memory.hash or not line.startswith(begin):
        return None
    # The line says it: believed from here, a forged one would stand in every later line.
    memory.timestamp = line[len(begin) : len(begin) + _TIMESTAMP_CHARS].decode("ascii", "replace")
    return memory


class _Reader:
    """
    Folds records, and puts together which lines belong to a key.

    An append with a key reaches to the next line with a key, or to the end of its batch.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._key: str | None = None
        self._first = 0
        self._last = 0
        self._timestamp = ""
        self._middles: list[bytes] = []

    def apply(self, record: Record, line: bytes) -> None:
        self._memory.state = evolve(self._memory.state, record.phase, record.data)
        if record.key is not None or record.batch[0] == record.seq:
            self.finish()
        if record.key is not None:
            self._key, self._first, self._timestamp = record.key, record.seq, record.timestamp
        if self._key is not None:
            self._last = record.seq
            self._middles.append(middle_of(line))

    def finish(self) -> None:
        if self._key is not None:
            digest = body_digest(self._middles)
            entry = KeyEntry(self._first, self._last, self._timestamp, digest)
            self._memory.keys[self._key] = entry
            forget_old(self._memory.keys)
        self._key, self._middles = None, []


def forget_old(keys: dict[str, KeyEntry]) -> list[str]:
    """Keep the newest keys only: a bound on memory. Gives those that are no longer recognised."""
    surplus = max(0, len(keys) - KEYS_REMEMBERED)
    old = list(itertools.islice(keys, surplus))
    for key in old:
        del keys[key]
    return old

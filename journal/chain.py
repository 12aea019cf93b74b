"""
The hash chain: lines are made here and checked here, no I/O.

A line ends in the SHA-256 of all that stands before it, continued from the line above. The hash
covers bytes, not meaning: nothing here re-serialises. Layout byte by byte: docs/format.md.

A writer calls ``encode_batch``; a reader walks ``Chain``. Both know the suffix of 76 bytes.

Below: errors, limits, jsonrules, record, draft, events. Above: log, recovery, writer. Next to read:
``events/phase.py`` and ``lifecycle.py``.
"""

import re
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256

import msgspec

from journal.draft import Stamp
from journal.errors import StorageError, StorageErrorCode, storage_error
from journal.events.base import Event
from journal.events.registry import KEPT_FREE_JSON
from journal.events.run import RunCreated, RunStarted, WriterOpened
from journal.jsonrules import RuleBroken, check_depth, check_strictly, may_be_deep
from journal.limits import FORMAT, LINE_BYTES_MAX_READ
from journal.record import Record, decode, typed_decoder

SUFFIX_BYTES = 76
"""Length of ``,"hash":"<64 hex>"}`` and the newline: the part of a line that is not hashed."""

OPENINGS = frozenset({RunCreated, WriterOpened})
"""Events that declare the format of what follows."""

_HASH_KEY = b',"hash":"'
_END = b'"}\n'
_TIMESTAMP = re.compile(
    r"(?!0000)[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
    r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z"
)
_fromisoformat = datetime.fromisoformat
_UNKNOWN_BATCH = (0, 0)
_PLACE = re.compile(rb'\{"seq":[0-9]+,"timestamp":"[^"]*",')
_TAIL = re.compile(rb'(?:,"clock":"[^"]*")?,"batch":\[[0-9]+,[0-9]+\]\Z')


class _Opening(msgspec.Struct):
    """The one part of an opening line that every format keeps in its place."""

    class Data(msgspec.Struct):
        format: int

    data: Data


def genesis(run_id: str, number: int = FORMAT) -> str:
    """The hash that line 1 continues from: 64 hex characters, from format and run id alone."""
    return sha256(f"run-journal/{number} {run_id}".encode()).hexdigest()


def encode_batch(previous_hash: str, stamps: list[Stamp]) -> tuple[list[bytes], str]:
    """
    Lay out stamped drafts as the lines of one batch, chained on from ``previous_hash``.

    Gives the lines, newline included, and the hash of the last. Pure.
    """
    first, count = stamps[0].seq, len(stamps)
    batch = b',"batch":[%d,%d]' % (first, count)
    link = previous_hash.encode()
    lines = []
    for stamp in stamps:
        clock = b"" if stamp.clock is None else b',"clock":"%b"' % stamp.clock.encode()
        body = b'{"seq":%d,"timestamp":"%b",%b%b%b' % (
            stamp.seq,
            stamp.timestamp.encode(),
            stamp.draft.middle,
            clock,
            batch,
        )
        link = sha256(link + body).hexdigest().encode()
        lines.append(body + _HASH_KEY + link + _END)
    return lines, link.decode()


def hash_of(line: bytes) -> str:
    """The hash that stands at the end of a line, unchecked."""
    return line[-SUFFIX_BYTES:][len(_HASH_KEY) : -len(_END)].decode("ascii", "replace")


def middle_of(line: bytes) -> bytes:
    """The part of a line that ``freeze`` made: what two writings of one event have in common."""
    body = line[:-SUFFIX_BYTES]
    place, tail = _PLACE.match(body), _TAIL.search(body)
    return body[place.end() if place else 0 : tail.start() if tail else len(body)]


class Chain:
    """
    A walk along a log: each line is checked against the one above, then decoded.

    ``seq``, ``position`` (bytes of log so far) and ``hash`` say where the walk stands. With
    ``strict`` also duplicate keys and numbers are checked (verify, recovery: 15% slower).
    """

    __slots__ = ("_above", "_decode_typed", "position", "run_id", "strict")

    def __init__(
        self,
        run_id: str,
        seq: int = 0,
        position: int = 0,
        hash: str | None = None,  # noqa: A002 - the word of the format
        *,
        strict: bool = False,
    ) -> None:
        self.run_id = run_id
        self.position = position
        self.strict = strict
        self._decode_typed: Callable[[bytes], Record] | None = None
        # What stands above the first line to come. A walk that begins inside the log knows nothing
        # of the batch there.
        self._above = Record(
            seq=seq,
            timestamp="",
            level="debug",
            run_id=run_id,
            phase=None,
            message="",
            data=RunStarted(),
            batch=_UNKNOWN_BATCH if seq else (1, 0),
            hash=genesis(run_id) if hash is None else hash,
        )

    @property
    def seq(self) -> int:
        """Number of the line that the walk stands behind; 0 before the first."""
        return self._above.seq

    @property
    def hash(self) -> str:
        """Hash of that line, or what line 1 continues from."""
        return self._above.hash

    @property
    def timestamp(self) -> str:
        """Timestamp of that line; empty where the walk has not met it."""
        return self._above.timestamp

    @property
    def batch(self) -> tuple[int, int]:
        """First seq and size of that line's batch; ``(0, 0)`` where the walk does not know it."""
        return self._above.batch

    @property
    def between_batches(self) -> bool:
        """Whether the walk stands at the end of a whole batch (or where it was told to begin)."""
        batch = self._above.batch
        return batch == _UNKNOWN_BATCH or sum(batch) == self._above.seq + 1

    def follow(self, line: bytes) -> Record:
        """
        Check ``line`` as the next one and decode it; then the walk stands behind it.

        Raises ``corrupt`` when hash, seq, run or batch do not continue the line above; when they
        do and the line is malformed all the same (another writer's bug), ``serialization_error``,
        ``validation_error`` or ``limit_exceeded``; ``unsupported_format`` from the first line of
        another format on. After an error the walk has not moved.
        """
        # In one piece, because replay runs it for every event: each call in here costs it 3%.
        above, size = self._above, len(line)
        if size > LINE_BYTES_MAX_READ:
            raise self._error(StorageErrorCode.LIMIT_EXCEEDED, "is longer than a reader takes")
        link = sha256(above.hash.encode() + line[:-SUFFIX_BYTES]).hexdigest()
        if line[-SUFFIX_BYTES:] != _HASH_KEY + link.encode() + _END:
            if above.seq == 0:
                self._refuse_other_format(line)
            raise self._error(StorageErrorCode.CORRUPT, "hash does not match", "hash")
        record = None if self.strict else self._decode_plainly(line)
        if record is None:
            record = self._decode(line)
        if type(record.data) in OPENINGS:
            self._check_format(record.data)
        # Nearly every line goes on in its batch, or begins one behind it.
        seq, (first, count), (first_above, count_above) = record.seq, record.batch, above.batch
        in_order = seq == above.seq + 1 and record.run_id == self.run_id
        if seq < first_above + count_above:
            in_order = in_order and first == first_above and count == count_above
        else:
            in_order = in_order and seq == first_above + count_above == first and count > 0
        if not in_order:
            self._check_place(record)
        self.position += size
        self._above = record
        return record

    def go_on(self, record: Record, size_bytes: int) -> None:
        """Stand behind ``record``, that many bytes on: for who has checked all up to it."""
        self.position += size_bytes
        self._above = record

    def _decode_plainly(self, line: bytes) -> Record | None:
        """A known event in its own version, its time well-formed; ``None``: look closer."""
        try:
            if self._decode_typed is None:
                self._decode_typed = typed_decoder()
            record = self._decode_typed(line)
            stamp = record.timestamp
            _fromisoformat(stamp)
        except (ValueError, RecursionError, StorageError):
            return None
        # A time that Python reads, laid out like ours: half the price of the pattern. (Some
        # versions of Python know an hour 24.)
        if (
            stamp[4:20:3] == "--T::."
            and stamp[26:] == "Z"
            and stamp[11:13] != "24"
            and record.clock is None
            and record.v == record.data.event_version
            and not (type(record.data) in KEPT_FREE_JSON and may_be_deep(line))
        ):
            return record
        return None

    def _decode(self, line: bytes) -> Record:
        if len(line) == SUFFIX_BYTES:
            raise self._error(StorageErrorCode.VALIDATION_ERROR, "is empty", "shape")
        try:
            if self.strict:
                check_strictly(line[:-1])
            try:
                record = decode(line)
            except (msgspec.DecodeError, UnicodeError, RecursionError):
                check_strictly(line[:-1])  # says more exactly what is wrong, where it can
                raise
            if type(record.data) in KEPT_FREE_JSON:
                check_depth(line[:-1])
        except RuleBroken as failure:
            raise self._error(failure.code, f"is malformed ({failure})", "rule") from failure
        except StorageError as failure:  # an upcaster's, which does not know the place
            why = failure.info.message.removesuffix(" Nothing was changed.").rstrip(".")
            raise self._error(
                failure.code, f"cannot be read: {why}", failure.info.details.reason
            ) from failure
        except msgspec.ValidationError as failure:
            raise self._error(
                StorageErrorCode.VALIDATION_ERROR, "has a wrong shape", "shape"
            ) from failure
        except (msgspec.DecodeError, UnicodeError, RecursionError) as failure:
            raise self._error(
                StorageErrorCode.SERIALIZATION_ERROR, "is not JSON in UTF-8", "json"
            ) from failure
        if not _is_timestamp(record.timestamp) or not (
            record.clock is None or _is_timestamp(record.clock)
        ):
            raise self._error(
                StorageErrorCode.VALIDATION_ERROR, "has a malformed timestamp", "timestamp"
            )
        return record

    def _refuse_other_format(self, line: bytes) -> None:
        """A whole line 1 whose chain begins with another format's number is not damage."""
        try:
            found = msgspec.json.decode(line, type=_Opening).data.format
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return
        above = genesis(self.run_id, found).encode()
        link = sha256(above + line[:-SUFFIX_BYTES]).hexdigest().encode()
        if found != FORMAT and line[-SUFFIX_BYTES:] == _HASH_KEY + link + _END:
            raise self._other_format(found)

    def _check_format(self, opening: Event) -> None:
        if isinstance(opening, RunCreated | WriterOpened) and opening.format != FORMAT:
            raise self._other_format(opening.format)

    def _other_format(self, found: int) -> StorageError:
        return self._error(
            StorageErrorCode.UNSUPPORTED_FORMAT,
            f"opens format {found}; this version reads format {FORMAT}",
            "format",
            "upgrade run-journal",
        )

    def _check_place(self, record: Record) -> None:
        if record.seq != self.seq + 1:
            raise self._error(
                StorageErrorCode.CORRUPT, f"says seq {record.seq}; the order is broken", "seq"
            )
        if record.run_id != self.run_id:
            raise self._error(StorageErrorCode.CORRUPT, "belongs to another run", "run_id")
        first, count = record.batch
        unknown = self._above.batch == _UNKNOWN_BATCH
        if not unknown and self.between_batches and first != record.seq:
            raise self._error(StorageErrorCode.CORRUPT, "does not begin a batch", "batch")
        if not self.between_batches and record.batch != self._above.batch:
            raise self._error(StorageErrorCode.CORRUPT, "breaks the batch above", "batch")
        if not first <= record.seq < first + count:
            raise self._error(StorageErrorCode.CORRUPT, "stands outside its batch", "batch")

    def _error(
        self,
        code: StorageErrorCode,
        what: str,
        reason: str | None = None,
        next_action: str | None = None,
    ) -> StorageError:
        return storage_error(
            code,
            f"run {self.run_id} line {self.seq + 1} (byte {self.position}): {what}. Nothing was "
            "changed.",
            operation="read",
            run_id=self.run_id,
            seq=self.seq + 1,
            offset=self.position,
            reason=reason,
            next_action=next_action or f"journal verify {self.run_id}",
        )


def _is_timestamp(text: str) -> bool:
    if not _TIMESTAMP.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True

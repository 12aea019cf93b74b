"""
The hash chain: lines are made here and checked here, no I/O.

A line ends in the SHA-256 of all that stands before it, continued from the line above. The hash
covers bytes, not meaning: nothing here re-serialises. Layout byte by byte: docs/format.md.

A writer calls ``encode_batch``; a reader walks ``Chain``. Both know the suffix of 76 bytes.

Below: errors, limits, jsonrules, record, draft. Above: log, recovery, writer.
"""

import hashlib
import re
from datetime import datetime

import msgspec

from journal.draft import Stamp
from journal.errors import StorageError, StorageErrorCode, storage_error
from journal.events.run import RunCreated, WriterOpened
from journal.jsonrules import RuleBroken, check_strictly
from journal.limits import FORMAT, LINE_BYTES_MAX_READ
from journal.record import Record, decode

SUFFIX_BYTES = 76
"""Length of ``,"hash":"<64 hex>"}`` and the newline: the part of a line that is not hashed."""

_HASH_KEY = b',"hash":"'
_END = b'"}\n'
_TIMESTAMP = re.compile(
    r"(?!0000)[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
    r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z"
)
_PLACE = re.compile(rb'\{"seq":[0-9]+,"timestamp":"[^"]*",')
_TAIL = re.compile(rb'(?:,"clock":"[^"]*")?,"batch":\[[0-9]+,[0-9]+\]\Z')


class _Opening(msgspec.Struct):
    """The one part of an opening line that every format keeps in its place."""

    class Data(msgspec.Struct):
        format: int

    data: Data


def genesis(run_id: str, number: int = FORMAT) -> str:
    """The hash that line 1 continues from: 64 hex characters, from format and run id alone."""
    return hashlib.sha256(f"run-journal/{number} {run_id}".encode()).hexdigest()


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
        link = hashlib.sha256(link + body).hexdigest().encode()
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
    ``strict`` also duplicate keys, depth and numbers are checked (verify, recovery: 15% slower).
    """

    __slots__ = ("_batch", "hash", "position", "run_id", "seq", "strict", "timestamp")

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
        self.seq = seq
        self.position = position
        self.hash = genesis(run_id) if hash is None else hash
        self.strict = strict
        self.timestamp = ""
        # None: the walk began somewhere inside the log, so nothing is known of the batch there.
        self._batch: tuple[int, int] | None = None if seq else (1, 0)

    @property
    def between_batches(self) -> bool:
        """Whether the walk stands at the end of a whole batch (or where it was told to begin)."""
        return self._batch is None or sum(self._batch) == self.seq + 1

    def follow(self, line: bytes) -> Record:
        """
        Check ``line`` as the next one and decode it; then the walk stands behind it.

        Raises ``corrupt`` when hash, seq, run or batch do not continue the line above; when they
        do and the line is malformed all the same (another writer's bug), ``serialization_error``,
        ``validation_error`` or ``limit_exceeded``; ``unsupported_format`` from the first line of
        another format on. After an error the walk has not moved.
        """
        if len(line) > LINE_BYTES_MAX_READ:
            raise self._error(StorageErrorCode.LIMIT_EXCEEDED, "is longer than a reader takes")
        link = _link(self.hash, line)
        if not _ends_in(line, link):
            if self.seq == 0:
                self._refuse_other_format(line)
            raise self._error(StorageErrorCode.CORRUPT, "hash does not match", "hash")
        record = self._decode(line)
        if isinstance(record.data, RunCreated | WriterOpened) and record.data.format != FORMAT:
            raise self._other_format(record.data.format)
        self._check_place(record)
        self.seq += 1
        self.position += len(line)
        self.hash = link
        self.timestamp = record.timestamp
        self._batch = record.batch
        return record

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
        if found != FORMAT and _ends_in(line, _link(genesis(self.run_id, found), line)):
            raise self._other_format(found)

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
        if self._batch is not None and self.between_batches and first != record.seq:
            raise self._error(StorageErrorCode.CORRUPT, "does not begin a batch", "batch")
        if not self.between_batches and record.batch != self._batch:
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


def _link(above: str, line: bytes) -> str:
    return hashlib.sha256(above.encode() + line[:-SUFFIX_BYTES]).hexdigest()


def _ends_in(line: bytes, link: str) -> bool:
    return line[-SUFFIX_BYTES:] == _HASH_KEY + link.encode() + _END


def _is_timestamp(text: str) -> bool:
    if not _TIMESTAMP.fullmatch(text):
        return False
    if text[8:10] <= "28":  # only the last days of a month take a calendar: this runs per line
        return True
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True

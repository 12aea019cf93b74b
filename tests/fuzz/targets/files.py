"""
The small files beside a log, with any content: head, feed, checkpoint, store.json; and index rows.

Where a file carries a check of itself, every other input gets one that fits, so that what stands
behind the check is reached too.
"""

import hashlib

from pydantic import ValidationError

from journal.backends.feed import Feed
from journal.backends.headfile import HeadFile, decode_head
from journal.backends.storefile import StoreFile, check_store
from journal.checkpoint import decode_memory, encode_memory
from journal.errors import StorageError
from journal.files import Files, FileStatus
from journal.limits import HEAD_BYTES
from journal.log import Change, Changes
from projections.artifact_index import metadata_of
from tests.unit.lines import RUN


class Content(Files):
    """One file, held in memory, at whatever path."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def open_read(self, path: str) -> int:
        return 3

    def close(self, fd: int) -> None:
        """Nothing was opened."""

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        return self.data[offset : offset + size]

    def status(self, fd: int) -> FileStatus:
        return FileStatus(len(self.data), (0, 0))

    def is_folder(self, path: str) -> bool:
        return False


def head(data: bytes) -> None:
    """A head is read as it was written, or it is none."""
    _check_head(decode_head(data))
    body = data[: HEAD_BYTES - 17].ljust(HEAD_BYTES - 17)
    whole = body + hashlib.sha256(body).hexdigest()[:16].encode() + b"\n"
    found = decode_head(whole)
    _check_head(found)
    if found is not None:
        damaged = bytearray(whole)
        damaged[len(data) * 7 % HEAD_BYTES] ^= 1 << len(data) % 8
        assert decode_head(bytes(damaged)) is None, "a flipped bit is not seen"


def _check_head(found: HeadFile | None) -> None:
    if found is None:
        return
    assert found.head.seq >= 0
    assert found.head.position >= 0
    assert len(found.head.hash) == 64
    assert found.state in {"open", "closed"}
    assert found.of_this_boot in {True, False}


_FIRST = b'{"feed":"run-journal/1","generation":"' + b"0" * 32 + b'"}\n'
_TOLD = b'\n{"what":"opened","run_id":"%b","at":"2026-11-22T12:00:00.000000Z"}\n' % RUN.encode()


def feed(data: bytes) -> None:
    """Any bytes between two lines spoil neither; read in two steps they tell the same."""
    cut = data.find(b"\n") + 1
    cursor = data[:cut].decode("utf-8", "replace").rstrip("\n")
    feed_of(data).changes(cursor)
    feed_of(_FIRST + data).changes(cursor)
    begin = f"{'0' * 32}:{len(_FIRST)}"
    content = _FIRST + data + _TOLD
    whole = feed_of(content).changes(begin)
    seen = whole.everything or whole.changes[-1:] == (Change("opened", RUN),)
    assert seen, "a torn line swallowed the next"
    assert whole.cursor == f"{'0' * 32}:{len(content)}"
    half = feed_of(content[: len(_FIRST) + len(data) // 2]).changes(begin)
    rest = feed_of(content).changes(half.cursor)
    if not (whole.everything or half.everything or rest.everything):
        assert (*half.changes, *rest.changes) == whole.changes, "in two steps, another thing"
    assert not whole.everything or half.everything or rest.everything, "what is odd is told once"
    assert isinstance(feed_of(content).changes(f"{'0' * 32}:{cursor}"), Changes)


def feed_of(data: bytes) -> Feed:
    """A feed with this content."""
    return Feed(Content(data), "/feed")


def checkpoint(data: bytes) -> None:
    """A checkpoint is believed whole or not at all; what is believed can be written again."""
    decode_memory(data)
    body = data.replace(b"\n", b" ") + b"\n"
    found = decode_memory(body + hashlib.sha256(body).hexdigest().encode() + b"\n")
    if found is not None:
        assert decode_memory(encode_memory(found)) == found


def store_json(data: bytes) -> None:
    """Whatever lies there, it is a store of ours or refused."""
    try:
        found = check_store(Content(data), "/store")
    except StorageError as failure:
        failure.info.model_dump_json()
        str(failure).encode()
    else:
        assert isinstance(found, StoreFile)
        assert found.format == "run-journal/1"


def artifact(data: bytes) -> None:
    """A row of the index is an artifact or damage (which the index answers with a rebuild)."""
    try:
        found = metadata_of(data)
    except ValidationError:
        return
    told = found.model_dump_json()
    assert metadata_of(told.encode()).model_dump_json() == told
    assert found.created_at.utcoffset() is not None

"""
The feed: which runs were opened, closed and deleted, so that a reader visits only what moved.

One write per line, each between two newlines, so that a torn line spoils no other; blank lines
mean nothing. Derived: without it readers scan all runs. The first line names its generation; a
cursor of another generation, or behind the end, asks for that scan. Layout: docs/format.md.

Below: errors, ids, files, log, draft, limits. Above: filesystem.
"""

import contextlib
import errno
import re
import uuid
from collections.abc import Iterator

import msgspec

from journal.draft import timestamp_of
from journal.errors import StorageError
from journal.files import Files
from journal.ids import RunId, parse_run_id
from journal.limits import FEED_BYTES_MAX, READ_BYTES
from journal.log import Change, Changes

FIRST = re.compile(rb'\{"feed":"run-journal/1","generation":"([0-9a-f]{32})"\}\n')
_OFFSET_DIGITS_MAX = 19  # a cursor comes out of an index, which may be damaged

# Nothing there, or something that is no file: either way nobody can have told anything.
_NO_FEED = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EINVAL, errno.EISDIR, errno.ELOOP})


class _Line(msgspec.Struct):
    what: str
    run_id: str
    at: str


class Feed:
    """The feed file of one store; any number of processes append to it. Raises ``OSError``."""

    def __init__(self, files: Files, path: str) -> None:
        self._files = files
        self._path = path
        self._looked_at = False

    def make(self) -> None:
        """Make the feed if there is none; when several processes do, one of them wins."""
        if self._files.status_of(self._path) is not None:
            return
        temporary = f"{self._path}.{uuid.uuid4().hex}"
        fd = self._files.create(temporary)
        try:
            line = b'{"feed":"run-journal/1","generation":"%b"}\n' % uuid.uuid4().hex.encode()
            self._files.write_all(fd, line)
            self._files.fdatasync(fd)
        finally:
            self._files.close(fd)
        with contextlib.suppress(FileExistsError):
            self._files.link(temporary, self._path)
        self._files.unlink(temporary)
        self._files.fsync_dir(self._path.rpartition("/")[0])

    def _mend(self) -> None:
        """
        Put a new feed in the place of one that no reader can use; the old one is kept beside it.

        Loses nothing: a new generation has readers scan all runs, and whoever tells something
        has made it true on disk before.
        """
        try:
            fd = self._files.open_read(self._path)
        except FileNotFoundError:
            return  # made when there is something to tell
        except OSError as failure:
            if failure.errno not in _NO_FEED:
                raise
        else:
            try:
                if FIRST.match(self._files.pread(fd, 128, 0)):
                    return
            finally:
                self._files.close(fd)
        self.begin_anew()

    def begin_anew(self) -> str | None:
        """A feed of a new generation; gives where the old one is kept, if there was one."""
        kept: str | None = f"{self._path}.damaged-{uuid.uuid4().hex}"
        try:
            self._files.rename(self._path, str(kept))
        except FileNotFoundError:
            kept = None
        self.make()
        return kept

    def tell(self, what: str, run_id: RunId, now_s: float, *, durable: bool) -> None:
        """Append one line; ``durable``: it survives power loss on return."""
        line = msgspec.json.encode(_Line(what, run_id, timestamp_of(now_s)))
        if not self._looked_at:
            self._mend()
            self._looked_at = True
        try:
            fd = self._files.open_append(self._path)
        except FileNotFoundError:
            self.make()
            fd = self._files.open_append(self._path)
        try:
            self._files.write_all(fd, b"\n" + line + b"\n")
            if durable:
                self._files.fdatasync(fd)
        finally:
            self._files.close(fd)

    def changes(self, cursor: str | None) -> Changes:
        """What was told since ``cursor``."""
        try:
            fd = self._files.open_read(self._path)
        except OSError as failure:
            if failure.errno not in _NO_FEED:
                raise
            return Changes((), "", everything=True)
        try:
            first = FIRST.match(self._files.pread(fd, 128, 0))
            size = self._files.status(fd).size
            if first is None:
                return Changes((), "", everything=True)
            generation = first[1].decode()
            start = _offset(cursor, generation)
            if start is None or start > size:
                return Changes((), f"{generation}:{self._end(fd, size)}", everything=True)
            # Who is far behind gets a part: in what he skipped may stand that a run was deleted.
            stop = min(size, start + FEED_BYTES_MAX)
            data = self._read(fd, start, stop)
            whole = data.rfind(b"\n") + 1
            if whole == 0 and stop < size:  # one line as long as that: none of ours
                return Changes((), f"{generation}:{self._end(fd, size)}", everything=True)
        finally:
            self._files.close(fd)
        found = [_parse(line) for line in data[:whole].split(b"\n") if line]
        # Torn, or damaged since: nobody knows of which run it told, so all are looked at, once.
        return Changes(
            tuple(filter(None, found)), f"{generation}:{start + whole}", everything=None in found
        )

    def announced(self) -> list[RunId]:
        """Runs that were opened and not deleted since; all of the feed is read, line by line."""
        try:
            fd = self._files.open_read(self._path)
        except OSError as failure:
            if failure.errno not in _NO_FEED:
                raise
            return []
        last: dict[RunId, str] = {}
        try:
            held = b""
            for data in self._blocks(fd, 0, self._files.status(fd).size):
                *lines, held = (held + data).split(b"\n")
                for change in filter(None, map(_parse, filter(None, lines))):
                    last[change.run_id] = change.what
        finally:
            self._files.close(fd)
        return [run_id for run_id, what in last.items() if what != "deleted"]

    def _read(self, fd: int, start: int, stop: int) -> bytes:
        return b"".join(self._blocks(fd, start, stop))

    def _blocks(self, fd: int, start: int, stop: int) -> Iterator[bytes]:
        while start < stop and (
            block := self._files.pread(fd, min(READ_BYTES, stop - start), start)
        ):
            yield block
            start += len(block)

    def _end(self, fd: int, size: int) -> int:
        """Behind the last whole line: half a line may still be on its way."""
        tail = self._read(fd, max(0, size - 4096), size)
        return size - len(tail) + tail.rfind(b"\n") + 1


def _offset(cursor: str | None, generation: str) -> int | None:
    made_for, _, offset = (cursor or "").partition(":")
    plain = offset.isdecimal() and len(offset) <= _OFFSET_DIGITS_MAX
    return int(offset) if made_for == generation and plain else None


def _parse(line: bytes) -> Change | None:
    """One line of the feed, or ``None`` for one that is torn, damaged or foreign."""
    try:
        found = msgspec.json.decode(line, type=_Line)
        run_id = parse_run_id(found.run_id)
    except (msgspec.DecodeError, UnicodeError, RecursionError, StorageError):
        return None
    if found.what == "opened":
        return Change("opened", run_id)
    if found.what == "closed":
        return Change("closed", run_id)
    return Change("deleted", run_id) if found.what == "deleted" else None

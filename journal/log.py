"""
The port to wherever logs are kept: an append-only sequence of lines per run, and its duties.

A backend stores bytes and gives them back. It knows lines, batches and hashes (through
``chain.py``), never the meaning of an event. Everything here blocks and is called on worker
threads, never on an event loop; each method may be called from any thread, one at a time per
lease.

**Position** is a number of bytes of log: where a line starts, counted from the log's beginning as
if it were one uncompressed file, whatever way a backend cuts and packs it.

**Durable** means: survives the loss of power.

Errors are ``StorageError`` only. Besides those named at each method: ``io_error``,
``permission_denied``, ``no_space`` and ``unavailable`` as the system gives cause.

Below: errors, ids. Above: recovery, backends, writer. Next to read: ``backends/memory.py``, the
model; then ``backends/filesystem.py``.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Literal, Protocol

import msgspec

from journal.errors import StorageError
from journal.ids import RunId


class Head(msgspec.Struct, frozen=True, gc=False):
    """Up to where a log is acknowledged: seq and hash of that line, and the position behind it."""

    seq: int
    position: int
    hash: str


class HeadInfo(msgspec.Struct, frozen=True, kw_only=True):
    """
    What is known of a run from outside: its head, and who writes or wrote it.

    ``state`` is what the writer left: ``open`` or ``closed``. ``live``: a writer holds the run
    now. ``open`` and not ``live`` means that the writer is gone without closing.
    """

    head: Head
    epoch: int
    host: str
    pid: int
    state: Literal["open", "closed"]
    live: bool


class Extent(msgspec.Struct, frozen=True):
    """How long a log is as it lies there, whole or damaged, and whether a writer holds its run."""

    size_bytes: int
    live: bool


class TornTail(msgspec.Struct, frozen=True):
    """A tail that was never acknowledged: how long, its digest, and what it was kept as."""

    size_bytes: int
    sha256: str
    kept_as: str


class Lease(msgspec.Struct, kw_only=True):
    """
    The right to append to one run, held by one writer until released.

    ``epoch`` is 1 for the creator and rises with every opening; ``head`` moves with every append.
    ``recovered`` names torn tails that were set aside and are not yet told by a ``log_recovered``
    event: the first append must tell them.
    """

    run_id: RunId
    epoch: int
    head: Head
    recovered: tuple[TornTail, ...] = ()


class Oddity(msgspec.Struct, frozen=True):
    """
    Something beside a log that is not as the library leaves it; no reason to refuse the run.

    ``reason``: ``head_missing``, ``head_damaged``, ``tail_untold``, ``tail_damaged``,
    ``tail_gone``, ``feed_missing``, ``feed_damaged``. ``seq``: the line that a tail stood behind.
    """

    reason: str
    what: str
    path: str
    seq: int | None = None


class Ancestor(msgspec.Struct, frozen=True):
    """
    One run of a fork's past: the first lines of its log, which the fork keeps for itself.

    ``lines`` gives them, anew at each call, and raises what it finds wrong with them: what was
    read to its end was checked. ``kept_by`` is a run that keeps exactly these lines already.
    """

    run_id: RunId
    lines: Callable[[], Iterable[bytes]]
    kept_by: RunId | None = None


class Past(msgspec.Struct, frozen=True):
    """
    What a fork begins with: its ancestors, and their artifacts.

    ``bring`` puts the artifacts where the new run's lie. It is called before the run has its name,
    with the folder in which the run is being built, or ``None`` where a run has none.
    """

    ancestors: tuple[Ancestor, ...]
    bring: Callable[[str | None], None]


class Change(msgspec.Struct, frozen=True):
    """One line of the feed. ``opened``: watch this run; ``closed``: it rests; ``deleted``: gone."""

    what: Literal["opened", "closed", "deleted"]
    run_id: RunId


class Changes(msgspec.Struct, frozen=True):
    """
    What happened to the set of runs since a cursor.

    ``everything`` asks for a full scan: the cursor is missing or of another feed. ``cursor`` is
    opaque; keep it together with what was read because of these changes, in one transaction.
    """

    changes: tuple[Change, ...]
    cursor: str
    everything: bool


class EventLog(Protocol):
    """A place for logs. One writer per run, fenced by its epoch; any number of readers."""

    backend: str
    """Its name in errors: ``filesystem``, ``memory``."""

    def create(self, run_id: RunId, lines: Sequence[bytes], past: Past | None = None) -> Lease:
        """
        Make a run whose log begins with ``lines`` (one batch), and take its lease.

        On return the run exists durably, its ``past`` with it, its lines are acknowledged, the
        feed says ``opened``; before, no reader sees any of it. Raises ``conflict`` if the run
        exists, and what reading the past and bringing its artifacts raises: then nothing is made.
        """
        ...

    def acquire(self, run_id: RunId, wait_s: float = 0.0, *, force: bool = False) -> Lease:
        """
        Take the lease of a run that exists, recovering its log first.

        A torn tail is set aside (``lease.recovered``) and cut; on return the log is whole and
        durable, the epoch is one higher, the feed says ``opened``. Raises ``locked`` after
        ``wait_s`` seconds, ``not_found``, ``unsupported_format``, and ``corrupt`` (or the code of
        a malformed line) for damage, which is left exactly as it is.

        ``force`` takes the lease from a holder that is stopped for good but not dead, after
        ``wait_s`` seconds: should it wake, its next append raises ``conflict``, and nothing that it
        still writes gets into the log. Everything that it had acknowledged is there.
        """
        ...

    def append(self, lease: Lease, lines: Sequence[bytes]) -> Head:
        """
        Add one batch behind ``lease.head``; durable and acknowledged on return, in ``lease.head``.

        All or nothing after a crash. Raises ``no_space`` when the disk is full: then the batch
        was cut off again and the lease can go on. After any other error the lease is broken:
        every later call raises ``closed`` until the run is acquired anew. Raises ``conflict``
        when the log was changed by another writer (a forced takeover).
        """
        ...

    def release(self, lease: Lease) -> None:
        """
        Give the lease back: marks the run closed, durably, and tells the feed ``closed``.

        Never raises for a broken lease: then only the lock is let go, and the next ``acquire``
        recovers. Calling it twice does nothing.
        """
        ...

    def head(self, run_id: RunId) -> HeadInfo:
        """
        Up to where readers may see. Nothing that is shown is ever taken back.

        Raises ``not_found``; ``corrupt`` when the log is shorter than what was acknowledged.
        """
        ...

    def extent(self, run_id: RunId) -> Extent:
        """
        What there is of a log, for who looks at a damaged one; nothing of it is read.

        ``read`` up to its end gives every line that can be read. Raises ``not_found``.
        """
        ...

    def torn_bytes(self, run_id: RunId) -> int:
        """
        Bytes of a torn tail, which the next ``acquire`` will set aside; 0 while a writer is live.

        Changes nothing. Raises ``not_found``, and ``corrupt`` (or the code of a malformed line)
        for a tail that no crash explains.
        """
        ...

    def read(
        self, run_id: RunId, start: int = 0, stop: int | None = None, *, reverse: bool = False
    ) -> Iterator[bytes]:
        """
        Lines from position ``start`` up to ``stop`` (by default what ``head`` shows), as bytes.

        Each line ends in its newline; hashes are not checked here. ``reverse`` gives them last
        one first. Both positions must be the beginning of a line. May run while the run grows:
        it then gives a prefix. Bounded memory: a line over the readers' cap is given cut off and
        is the last one, so that ``Chain`` refuses it. Raises ``not_found``, and ``corrupt`` for
        a log that ends before ``stop``.
        """
        ...

    def read_past(self, run_id: RunId, ancestor: RunId) -> Iterator[bytes]:
        """
        The lines that a fork keeps of one of its ancestors, all of them; hashes are not checked.

        They never change. Raises ``not_found`` where the run keeps none of that ancestor.
        """
        ...

    def runs(self, failures: list[StorageError] | None = None) -> Iterator[RunId]:
        """
        All runs, in no particular order. A run whose creation did not finish is not there.

        Where a part of the store cannot be looked at, that is raised; with ``failures`` it is
        added there, and what else there is is given all the same.
        """
        ...

    def changes(self, cursor: str | None) -> Changes:
        """What the feed says since ``cursor``; ``None`` means never read."""
        ...

    def oddities(self, run_id: RunId | None = None, told: Collection[str] = ()) -> Sequence[Oddity]:
        """
        What is odd about a run, or about the store itself. Changes nothing.

        ``told`` are the tails that the run's ``log_recovered`` events name. Raises ``not_found``.
        """
        ...

    def announced(self) -> Sequence[RunId]:
        """Runs that the feed says were opened and not deleted: each of them must be there."""
        ...

    def mend(self) -> str | None:
        """
        Begin the feed anew, so that every reader looks at all runs once more.

        For a feed that is damaged, or that announces runs whose loss is accepted. Gives where the
        old one is kept, if there was one.
        """
        ...

    def get_checkpoint(self, run_id: RunId) -> bytes | None:
        """The bytes of the last checkpoint, unchecked, or ``None`` if there is none."""
        ...

    def put_checkpoint(self, lease: Lease, body: bytes) -> None:
        """Replace the checkpoint. Derived: need not be durable, must never be half."""
        ...

    def delete(self, run_id: RunId) -> None:
        """
        Delete a run and all its files; the feed says ``deleted``. Durable on return.

        Raises ``locked`` while a writer holds it, ``not_found``.
        """
        ...

"""
What must hold after any fault, said once.

Acknowledged is part of recovered, recovered is part of submitted, in order; opening twice gives
the same; the next writer goes on. Raises ``Violation``, also under ``python -O``.
"""

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path

from journal.artifacts.filesystem import FilesystemArtifacts
from journal.backends.filesystem import FilesystemLog
from journal.chain import encode_batch
from journal.draft import Clock, Stamp, freeze
from journal.events.artifact import ArtifactPersisted
from journal.events.base import Event
from journal.events.log import LogEmitted, LogRecovered
from journal.ids import RunId
from journal.log import EventLog, Lease
from journal.record import Record
from tests.support.logs import crash, read


class Violation(Exception):
    """The journal broke its promise."""


def must(holds: object, what: str) -> None:
    """Raise ``Violation`` unless it holds."""
    if not holds:
        raise Violation(what)


def check_writing(
    store: Path, run_id: RunId, submitted: Sequence[bytes] | None, acknowledged: int
) -> list[Record]:
    """
    Open a run as the next process would, twice, and write to it; its records before that.

    ``submitted`` are all lines that were ever handed over (``None``: not known beforehand);
    ``acknowledged`` is how many of them were. No records: the run does not exist.
    """
    log = FilesystemLog.open(store)
    if run_id not in list(log.runs()):
        must(acknowledged == 0, f"a run is gone, and {acknowledged} lines were acknowledged")
        return []
    shown = list(log.read(run_id))
    must(len(shown) >= acknowledged, f"{len(shown)} lines shown, {acknowledged} acknowledged")
    lease = log.acquire(run_id)
    recovered = list(log.read(run_id))
    must(recovered[: len(shown)] == shown, "what was shown before recovery is gone")
    if submitted is not None:
        must(recovered == list(submitted[: len(recovered)]), "recovered what nobody submitted")
    records = read(log, run_id)
    _check_tails(store, log, lease, records)
    crash(lease)
    again = log.acquire(run_id)
    must((again.head, again.recovered) == (lease.head, lease.recovered), "opened twice: not alike")
    must(list(log.read(run_id)) == recovered, "the second opening shows other lines")
    _go_on(log, again, records)
    log.release(again)
    must(not log.head(run_id).live, "still locked after its release")
    return records


def _go_on(log: EventLog, lease: Lease, records: list[Record]) -> None:
    """What was recovered is a log like any other: it can be written, what was lost told first."""
    clock, stamps = Clock(time.time, records[-1].timestamp), []
    told: list[Event] = [
        LogRecovered(bytes_set_aside=tail.size_bytes, sha256=tail.sha256, kept_as=tail.kept_as)
        for tail in lease.recovered
    ]
    for seq, event in enumerate([*told, LogEmitted(name="went on")], len(records) + 1):
        stamps.append(Stamp(freeze(lease.run_id, event), seq, *clock.read()))
    batch, _ = encode_batch(records[-1].hash, stamps)
    log.append(lease, batch)
    after = list(log.read(lease.run_id))[len(records) :]
    must(after == batch, "a new batch is not read back")


def _check_tails(store: Path, log: FilesystemLog, lease: Lease, records: list[Record]) -> None:
    """What was cut is kept whole, and told: by an event, or to the next writer."""
    told = {r.data.kept_as for r in records if isinstance(r.data, LogRecovered)}
    told |= {tail.kept_as for tail in lease.recovered}
    folder = Path(log.folder(lease.run_id))
    for path in (folder / "torn").glob("*"):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if path.name.endswith(f"-{digest}"):
            must(f"torn/{path.name}" in told, f"the tail {path.name} was kept and is told nowhere")
    for kept_as in told:
        must((folder / kept_as).exists(), f"the tail {kept_as} is told and not kept")


def check_artifacts(store: Path, records: Sequence[Record]) -> int:
    """Every artifact that an event names is there, whole; gives how many there are."""
    artifacts = FilesystemArtifacts(str(store))
    count = 0
    for record in records:
        if isinstance(record.data, ArtifactPersisted):
            artifacts.check(RunId(record.run_id), record.data.sha256, record.data.size_bytes)
            count += 1
    return count

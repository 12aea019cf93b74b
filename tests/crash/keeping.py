"""
Lives that do more with a run than append: artifacts, checkpoints, takeovers by force, deletions.
"""

import hashlib

from journal.artifacts.filesystem import FilesystemArtifacts
from journal.backends.filesystem import FilesystemLog
from journal.checkpoint import encode_memory, remember
from journal.errors import StorageError
from journal.events.artifact import ArtifactPersisted
from journal.ids import RunId
from journal.log import Lease
from tests.crash.life import RUNS, Life, events_of
from tests.crash.oracle import ROOT, Artifact, RunTruth
from tests.support.logs import Lines


class KeepingLife(Life):
    """A life whose steps are also ``store``, ``checkpoint``, ``seize``, ``wake``, ``delete``."""

    def store(self, number: int, size: int) -> None:
        """Publish an artifact, then append the event that names it."""
        lease = self._leases.get(RUNS[number])
        if lease is None:
            return
        data = hashlib.shake_128(f"{number} {size} {lease.head.seq}".encode()).digest(size)
        stored = self._call(self._publish, RUNS[number], data)
        if stored is None:
            return
        event = ArtifactPersisted(
            artifact_id=f"a{lease.head.seq}",
            role="report",
            format="binary",
            media_type="application/octet-stream",
            size_bytes=size,
            sha256=stored,
        )
        known = self._run(RUNS[number])
        if not known.pending:
            # The line's end is behind what is acknowledged now: whoever finds it, finds the bytes.
            named = Artifact(len(known.acknowledged) + 1, stored, size)
            self._know(known._replace(artifacts=(*known.artifacts, named)))
            if not self._append(lease, [event]) and not self._run(RUNS[number]).pending:
                self._know(self._run(RUNS[number])._replace(artifacts=known.artifacts))

    def _publish(self, run_id: RunId, data: bytes) -> str:
        sink = FilesystemArtifacts(ROOT, self.disk).begin(run_id)
        half = len(data) // 2
        sink.write(data[:half])
        sink.write(data[half:])
        return sink.commit().sha256

    def checkpoint(self, number: int) -> None:
        """Put a checkpoint of what the log says by now."""
        lease = self._leases.get(RUNS[number])
        if lease is None or self._run(RUNS[number]).pending:
            return
        self._know(self._run(RUNS[number])._replace(checkpoints=True))
        self._call(self._put_checkpoint, lease)

    def _put_checkpoint(self, lease: Lease) -> None:
        assert self._log is not None
        self._log.put_checkpoint(lease, encode_memory(remember(self._log, lease)[0]))

    def seize(self, number: int) -> None:
        """Another process takes the run by force; its holder was stopped, and knows nothing."""
        run_id = RUNS[number]
        known, old = self._run(run_id), self._leases.get(run_id)
        if self._log is None or old is None or known.pending:
            return
        lease = self._call(_seized, self._log, run_id)
        if lease is not None:
            self._stopped[run_id] = old
            self._leases[run_id] = lease
            self._took(known, lease)

    def wake(self, number: int) -> None:
        """The holder that was stopped goes on with an append: it must not be acknowledged."""
        old = self._stopped.pop(RUNS[number], None)
        if old is None or self._log is None:
            return
        lines = Lines(RUNS[number])
        lines.seq, lines.link = old.head.seq, old.head.hash
        try:
            self._log.append(old, lines.of(events_of(old.head.seq, [30])))
        except StorageError:
            return
        self.said.append("a writer that was taken over acknowledges")

    def delete(self, number: int) -> None:
        """Delete the run."""
        known = self._run(RUNS[number])
        if self._log is None or known.exists == "no":
            return
        self._know(known._replace(exists="going"))
        if self._call(_deleted, self._log, RUNS[number]) is not None:
            self._know(RunTruth(RUNS[number]))


def _seized(log: FilesystemLog, run_id: RunId) -> Lease:
    return log.acquire(run_id, force=True)


def _deleted(log: FilesystemLog, run_id: RunId) -> bool:
    log.delete(run_id)
    return True

"""
Artifacts in memory: the model that every other store is held against.

Short enough to be right at sight. Nothing survives the process; "durable" means that the
dictionary holds it. Bytes are checked on reading all the same, so that the rules are one.

Below: limits, ids, artifacts.store. Above: transfer, journal, testing.
"""

import hashlib
import threading
from collections.abc import Iterator

from journal.artifacts.store import ArtifactSink, Content, Place, StoredBytes, verified
from journal.ids import RunId, parse_digest, parse_run_id
from journal.limits import ARTIFACT_BYTES_MAX, READ_BYTES


class MemoryArtifacts:
    """An ``ArtifactStore`` in a dictionary."""

    backend = "memory"

    def __init__(self, *, bytes_max: int = ARTIFACT_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._runs: dict[RunId, dict[str, bytes]] = {}
        self._guard = threading.Lock()

    def begin(self, run_id: RunId) -> ArtifactSink:
        """Start an artifact; see ``ArtifactStore.begin``."""
        return _MemorySink(self, parse_run_id(run_id), self._bytes_max)

    def put(self, run_id: RunId, sha256: str, content: bytes) -> bool:
        """Keep content under a digest; gives whether damaged content of that name gave way."""
        with self._guard:
            kept = self._runs.setdefault(run_id, {})
            damaged = kept.get(sha256, content) != content
            kept[sha256] = content
            return damaged

    def read(self, run_id: RunId, sha256: str, size_bytes: int) -> Iterator[bytes]:
        """The content in chunks; see ``ArtifactStore.read``."""
        place, content = self._get("read", run_id, sha256)
        if len(content) != size_bytes:
            raise place.another_size(len(content), size_bytes)
        starts = range(0, len(content), READ_BYTES)
        yield from verified((content[at : at + READ_BYTES] for at in starts), size_bytes, place)

    def read_all(self, run_id: RunId, sha256: str, size_bytes: int) -> bytes:
        """The content, checked; see ``ArtifactStore.read_all``."""
        return b"".join(self.read(run_id, sha256, size_bytes))

    def check(self, run_id: RunId, sha256: str, size_bytes: int) -> None:
        """Hash the content; see ``ArtifactStore.check``."""
        for _ in self.read(run_id, sha256, size_bytes):
            pass

    def adopt(self, run_id: RunId, content: Content, *, folder: str | None = None) -> None:
        """Take content over; see ``ArtifactStore.adopt``."""
        self.put(run_id, content.sha256, b"".join(content.read()))

    def digests(self, run_id: RunId) -> Iterator[str]:
        """All digests of a run."""
        with self._guard:
            return iter(sorted(self._runs.get(run_id, {})))

    def remove(self, run_id: RunId, sha256: str) -> None:
        """Take content away; see ``ArtifactStore.remove``."""
        self._get("remove", run_id, sha256)
        with self._guard:
            self._runs[run_id].pop(sha256, None)

    def sweep(self, run_id: RunId) -> int:
        """Nothing is ever left here."""
        return 0

    def location(self, run_id: RunId, sha256: str) -> str:
        """A URI that says where to look in a test's error message."""
        return f"memory:/runs/{run_id}/artifacts/{parse_digest(sha256)}"

    def _get(self, operation: str, run_id: RunId, sha256: str) -> tuple[Place, bytes]:
        place = Place(
            operation=operation,
            backend=self.backend,
            run_id=run_id,
            sha256=parse_digest(sha256),
            uri=self.location(run_id, sha256),
        )
        with self._guard:
            content = self._runs.get(run_id, {}).get(sha256)
        if content is None:
            raise place.not_found()
        return place, content


class _MemorySink:
    def __init__(self, store: MemoryArtifacts, run_id: RunId, bytes_max: int) -> None:
        self._store = store
        self._run_id = run_id
        self._bytes_max = bytes_max
        self._content = bytearray()
        self._open = True

    def write(self, data: bytes) -> None:
        self._check_open("write")
        if len(self._content) + len(data) > self._bytes_max:
            self.abort()
            raise self._place("write").too_large(self._bytes_max)
        self._content += data

    def commit(self) -> StoredBytes:
        self._check_open("commit")
        self._open = False
        content = bytes(self._content)
        digest = hashlib.sha256(content).hexdigest()
        return StoredBytes(
            sha256=digest,
            size_bytes=len(content),
            location=self._store.location(self._run_id, digest),
            replaced=self._store.put(self._run_id, digest, content),
        )

    def abort(self) -> None:
        self._open = False
        self._content.clear()

    def _check_open(self, operation: str) -> None:
        if not self._open:
            raise self._place(operation).closed()

    def _place(self, operation: str) -> Place:
        return Place(operation=operation, backend=self._store.backend, run_id=self._run_id)

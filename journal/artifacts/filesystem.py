"""
Artifacts as files inside the run's own folder, named by their digest.

    <store>/runs/<yyyy>/<mm>/<dd>/<run_id>/artifacts/<sha256>

Content is written under a temporary name in the same folder, synced, renamed to its digest, and
the folder is synced: at no moment does half an artifact have an artifact's name. A kill leaves a
temporary file, which nobody reads and ``sweep`` takes away. No name but a run id and a digest,
both parsed, becomes a path.

Below: errors, limits, ids, files, artifacts.store. Above: transfer, journal.
"""

import hashlib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal

from journal.artifacts.store import ArtifactSink, Content, Place, StoredBytes, verified
from journal.errors import StorageError, StorageErrorCode, code_of
from journal.files import Files, make_folders
from journal.ids import RunId, parse_digest, parse_run_id, run_id_folder
from journal.limits import ARTIFACT_BYTES_MAX, READ_BYTES

_TEMPORARY = ".tmp"


class FilesystemArtifacts:
    """
    An ``ArtifactStore`` in the folder of a store; ``root`` is that folder, as an absolute path.

    ``bytes_max`` is the largest artifact that it takes.
    """

    backend = "filesystem"

    def __init__(
        self, root: str, files: Files | None = None, *, bytes_max: int = ARTIFACT_BYTES_MAX
    ) -> None:
        self.root = root
        self.files = files or Files()
        self._bytes_max = bytes_max
        self._durable: set[str] = set()

    def begin(self, run_id: RunId) -> ArtifactSink:
        """Start an artifact; see ``ArtifactStore.begin``."""
        folder = self._folder(run_id)
        place = self._place("begin", run_id, folder)
        with _mapped(place):
            # A run's folder is made with the run: where it is missing, there is no run, and no
            # folder of that name may appear.
            make_folders(self.files, folder.rpartition("/")[0], "artifacts", self._durable)
            self._refuse_link(place, folder)
            temporary = f"{folder}/.{uuid.uuid4().hex}{_TEMPORARY}"
            fd = self.files.create(temporary)
        return _FileSink(self.files, run_id, temporary, fd, self._bytes_max)

    def read(self, run_id: RunId, sha256: str, size_bytes: int) -> Iterator[bytes]:
        """The content in chunks; see ``ArtifactStore.read``."""
        path = self.location(run_id, sha256)
        place = self._place("read", run_id, path, sha256)
        with _mapped(place):
            self._refuse_link(place, path.rpartition("/")[0])
            fd = self.files.open_read(path)
            try:
                found = self.files.status(fd).size
                if found != size_bytes:
                    raise place.another_size(found, size_bytes)
                yield from verified(_chunks(self.files, fd, size_bytes), size_bytes, place)
            finally:
                self.files.close(fd)

    def read_all(self, run_id: RunId, sha256: str, size_bytes: int) -> bytes:
        """The content, checked; see ``ArtifactStore.read_all``."""
        place = self._place("read", run_id, self.location(run_id, sha256), sha256)
        with _mapped(place):  # what is read piece by piece may not fit into memory as a whole
            return b"".join(self.read(run_id, sha256, size_bytes))

    def check(self, run_id: RunId, sha256: str, size_bytes: int) -> None:
        """Read and hash the content; see ``ArtifactStore.check``."""
        for _ in self.read(run_id, sha256, size_bytes):
            pass

    def adopt(self, run_id: RunId, content: Content, *, folder: str | None = None) -> None:
        """Take content over; see ``ArtifactStore.adopt``. A file here is never written again."""
        for _ in content.read():
            pass
        inside = f"{folder}/artifacts" if folder else self._folder(run_id)
        path = f"{inside}/{parse_digest(content.sha256)}"
        place = self._place("adopt", run_id, path, content.sha256)
        with _mapped(place):
            if not self._shared(content, path):
                temporary = f"{inside}/.{uuid.uuid4().hex}{_TEMPORARY}"
                fd = self.files.create(temporary)
                sink = _FileSink(self.files, run_id, temporary, fd, self._bytes_max)
                for chunk in content.read():
                    sink.write(chunk)
                sink.commit()
            elif folder is None:
                self.files.fsync_dir(inside)

    def _shared(self, content: Content, path: str) -> bool:
        """Give the other run's file a second name. Where that cannot be, it can be copied."""
        if not isinstance(content.store, FilesystemArtifacts):
            return False
        with suppress(OSError):
            self.files.link(content.store.location(content.run_id, content.sha256), path)
            fd = self.files.open_read(path)
            try:
                self.files.fdatasync(fd)  # somebody may have copied it there, not yet to the disk
            finally:
                self.files.close(fd)
            return True
        return False

    def digests(self, run_id: RunId) -> Iterator[str]:
        """All digests of a run; see ``ArtifactStore.digests``."""
        for name in self._names("digests", run_id):
            with suppress(StorageError):
                yield parse_digest(name)

    def remove(self, run_id: RunId, sha256: str) -> None:
        """Take content away; see ``ArtifactStore.remove``."""
        path = self.location(run_id, sha256)
        folder = path.rpartition("/")[0]
        place = self._place("remove", run_id, path, sha256)
        with _mapped(place):
            self._refuse_link(place, folder)
            self.files.unlink(path)
            self.files.fsync_dir(folder)

    def sweep(self, run_id: RunId) -> int:
        """Drop the temporary files of killed processes; see ``ArtifactStore.sweep``."""
        folder = self._folder(run_id)
        left = [
            name
            for name in self._names("sweep", run_id)
            if name.startswith(".") and name.endswith(_TEMPORARY)
        ]
        with _mapped(self._place("sweep", run_id, folder)):
            for name in left:
                self.files.unlink(f"{folder}/{name}")
        return len(left)

    def location(self, run_id: RunId, sha256: str) -> str:
        """The path of the content."""
        return f"{self._folder(run_id)}/{parse_digest(sha256)}"

    def _folder(self, run_id: RunId) -> str:
        return f"{self.root}/runs/{run_id_folder(parse_run_id(run_id))}/artifacts"

    def _names(self, operation: str, run_id: RunId) -> list[str]:
        folder = self._folder(run_id)
        place = self._place(operation, run_id, folder)
        with _mapped(place):
            if self.files.status_of(folder) is None:
                return []
            self._refuse_link(place, folder)
            return self.files.listdir(folder)

    def _refuse_link(self, place: Place, folder: str) -> None:
        # A folder that is a link would have us read and write wherever it points.
        if not self.files.is_folder(folder) and self.files.status_of(folder) is not None:
            what = "the artifacts folder is no folder"
            raise place.error(StorageErrorCode.IO_ERROR, what, reason="not_a_folder")

    def _place(self, operation: str, run_id: RunId, path: str, sha256: str | None = None) -> Place:
        return Place(
            operation=operation, backend=self.backend, run_id=run_id, path=path, sha256=sha256
        )


class _FileSink:
    """A temporary file on its way to its digest's name."""

    def __init__(
        self, files: Files, run_id: RunId, temporary: str, fd: int, bytes_max: int
    ) -> None:
        self._files = files
        self._run_id = run_id
        self._temporary = temporary
        self._folder = temporary.rpartition("/")[0]
        self._fd: int | None = fd
        self._bytes_max = bytes_max
        self._digest = hashlib.sha256()
        self._size = 0
        self._open = True

    def write(self, data: bytes) -> None:
        with self._or_abort("write", self._temporary) as (fd, place):
            if self._size + len(data) > self._bytes_max:
                raise place.too_large(self._bytes_max)
            self._files.write_all(fd, data)
            # The bytes that were handed to the disk are the bytes that are hashed, whatever
            # happens meanwhile to the file or buffer that they came from.
            self._digest.update(data)
            self._size += len(data)

    def commit(self) -> StoredBytes:
        sha256 = self._digest.hexdigest()
        path = f"{self._folder}/{sha256}"
        with self._or_abort("commit", path, sha256) as (fd, _):
            self._files.fdatasync(fd)
            self._fd = None
            self._files.close(fd)
            standing = self._standing(path, sha256)
            if standing == "intact":
                with suppress(OSError):  # the artifact is there; what stays is garbage for sweep
                    self._files.unlink(self._temporary)
            else:
                self._files.rename(self._temporary, path)
            # Also where it stood before: the process that put it there may have died before
            # its name was durable.
            self._files.fsync_dir(self._folder)
            self._open = False
        return StoredBytes(
            sha256=sha256,
            size_bytes=self._size,
            location=path,
            replaced=standing == "damaged",
        )

    def abort(self) -> None:
        if not self._open:
            return
        self._open = False
        # The cause is being raised elsewhere; a temporary file that stays is swept later.
        if self._fd is not None:
            with suppress(OSError):
                self._files.close(self._fd)
        with suppress(OSError):
            self._files.unlink(self._temporary)

    @contextmanager
    def _or_abort(
        self, operation: str, path: str, sha256: str | None = None
    ) -> Iterator[tuple[int, Place]]:
        place = Place(
            operation=operation,
            backend=FilesystemArtifacts.backend,
            run_id=self._run_id,
            path=path,
            sha256=sha256,
        )
        if not self._open or self._fd is None:
            raise place.closed()
        try:
            with _mapped(place):
                yield self._fd, place
        except BaseException:
            self.abort()
            raise

    def _standing(self, path: str, sha256: str) -> Literal["absent", "intact", "damaged"]:
        """What lies under the digest's name already. What cannot be read counts as damaged."""
        try:
            fd = self._files.open_read(path)
            try:
                if self._files.status(fd).size != self._size:
                    return "damaged"
                digest = hashlib.sha256()
                for chunk in _chunks(self._files, fd, self._size):
                    digest.update(chunk)
                # Whole in memory is not yet whole on disk: somebody may have copied it here.
                self._files.fdatasync(fd)
            finally:
                self._files.close(fd)
        except FileNotFoundError:
            return "absent"
        except OSError as failure:
            if code_of(failure) is StorageErrorCode.UNAVAILABLE:
                raise  # short of descriptors or memory: that says nothing about the file
            return "damaged"
        return "intact" if digest.hexdigest() == sha256 else "damaged"


def _chunks(files: Files, fd: int, size_bytes: int) -> Iterator[bytes]:
    """The first ``size_bytes`` of a file, or what there is of them."""
    position = 0
    while position < size_bytes:
        chunk = files.pread(fd, min(READ_BYTES, size_bytes - position), position)
        if not chunk:
            return
        position += len(chunk)
        yield chunk


@contextmanager
def _mapped(place: Place) -> Iterator[None]:
    """No error of the system leaves this file."""
    try:
        yield
    except (OSError, MemoryError) as failure:
        raise place.system(failure) from failure

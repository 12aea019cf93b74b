"""The artifact stores that the contract suite runs over, each with hands that reach behind it."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from journal.artifacts.filesystem import FilesystemArtifacts
from journal.artifacts.memory import MemoryArtifacts
from journal.artifacts.store import ArtifactStore
from journal.ids import RunId, new_run_id, run_id_folder
from journal.limits import READ_BYTES

BYTES_MAX = 4 * READ_BYTES


class Subject(Protocol):
    """A store with a run in it, and hands that reach behind the store's back."""

    store: ArtifactStore

    def new_run(self) -> RunId: ...

    def damage(self, run_id: RunId, sha256: str, content: bytes) -> None: ...


class MemorySubject:
    def __init__(self, folder: Path) -> None:
        self.store: ArtifactStore = MemoryArtifacts(bytes_max=BYTES_MAX)

    def new_run(self) -> RunId:
        return new_run_id()

    def damage(self, run_id: RunId, sha256: str, content: bytes) -> None:
        assert isinstance(self.store, MemoryArtifacts)
        self.store.put(run_id, sha256, content)


class FilesystemSubject:
    def __init__(self, folder: Path) -> None:
        self.store: ArtifactStore = FilesystemArtifacts(str(folder), bytes_max=BYTES_MAX)
        self._folder = folder

    def new_run(self) -> RunId:
        run_id = new_run_id()
        (self._folder / "runs" / run_id_folder(run_id) / "artifacts").mkdir(parents=True)
        return run_id

    def damage(self, run_id: RunId, sha256: str, content: bytes) -> None:
        path = Path(self.store.location(run_id, sha256))
        assert path.is_file()
        path.write_bytes(content)


SUBJECTS: dict[str, Callable[[Path], Subject]] = {
    "memory": MemorySubject,
    "filesystem": FilesystemSubject,
}

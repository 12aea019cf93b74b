"""
Every operation of publishing and reading an artifact fails once, or is the process's last.

The oracle: content is whole under its digest or not there; what was acknowledged is there; nothing
but StorageError escapes; a later attempt succeeds.
"""

import errno
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from journal.artifacts.filesystem import FilesystemArtifacts
from journal.errors import StorageError, StorageErrorCode
from journal.ids import RunId, new_run_id, run_id_folder
from tests.artifacts.faults import failing

CONTENT = (b"first chunk ", b"second chunk")
SIZE = sum(map(len, CONTENT))
SHA256 = hashlib.sha256(b"".join(CONTENT)).hexdigest()

PUBLISH = """
import sys
from journal.artifacts.filesystem import FilesystemArtifacts
from tests.artifacts.faults import dying

root, run_id, at = sys.argv[1:]
store = FilesystemArtifacts(root, dying(int(at)))
sink = store.begin(run_id)
sink.write(b"first chunk ")
sink.write(b"second chunk")
print(sink.commit().sha256, flush=True)
"""

LARGE = """
import resource, sys
from journal.artifacts.filesystem import FilesystemArtifacts
from journal.errors import StorageError

root, run_id = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
sink = FilesystemArtifacts(root).begin(run_id)
try:
    for _ in range(4):
        sink.write(bytes(30_000))
except StorageError as failure:
    print(failure.info.model_dump_json())
"""


@pytest.fixture
def run_id(tmp_path: Path) -> RunId:
    made = new_run_id()
    (tmp_path / "runs" / run_id_folder(made)).mkdir(parents=True)
    return made


def folder_of(tmp_path: Path, run_id: RunId) -> Path:
    return tmp_path / "runs" / run_id_folder(run_id) / "artifacts"


def publish(store: FilesystemArtifacts, run_id: RunId) -> str:
    sink = store.begin(run_id)
    for chunk in CONTENT:
        sink.write(chunk)
    return sink.commit().sha256


def attempt(action: Callable[[], object]) -> StorageError | None:
    try:
        action()
    except StorageError as failure:
        return failure
    return None


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def run(program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("there_before", [False, True])
def test_a_kill_before_any_operation_leaves_garbage_at_most_case_71(
    tmp_path: Path, run_id: RunId, there_before: bool
) -> None:
    """SIGKILL at every operation: half an artifact never has an artifact's name."""
    store, folder = FilesystemArtifacts(str(tmp_path)), folder_of(tmp_path, run_id)
    if there_before:
        publish(store, run_id)
    at, ended = 0, None
    while ended is None or ended.returncode == -signal.SIGKILL:
        at += 1
        ended = run(PUBLISH, str(tmp_path), run_id, str(at))
        for digest in store.digests(run_id):
            store.check(run_id, digest, SIZE)
        assert store.sweep(run_id) <= 1
        assert not folder.exists() or leftovers(folder) == []
        if not there_before and ended.returncode == -signal.SIGKILL:
            for digest in store.digests(run_id):
                store.remove(run_id, digest)
    assert ended.returncode == 0, ended.stderr
    assert at > 10
    assert list(store.digests(run_id)) == [ended.stdout.strip()]


def test_a_kill_before_the_rename_publishes_nothing_case_71(tmp_path: Path, run_id: RunId) -> None:
    """What was not renamed was never an artifact, however much of it was written."""
    probe = failing(0, 0)
    publish(FilesystemArtifacts(str(tmp_path), probe), run_id)
    store = FilesystemArtifacts(str(tmp_path))
    (digest,) = store.digests(run_id)
    store.remove(run_id, digest)
    # The folder stands now, so making it is one operation less than in the probe.
    at = probe.done.index("rename") + 1 - probe.done.count("mkdir")
    assert run(PUBLISH, str(tmp_path), run_id, str(at)).returncode == -signal.SIGKILL
    assert list(store.digests(run_id)) == []
    assert len(leftovers(folder_of(tmp_path, run_id))) == 1
    assert store.sweep(run_id) == 1
    assert store.sweep(run_id) == 0


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.EIO, StorageErrorCode.IO_ERROR),
        (errno.ENOSPC, StorageErrorCode.NO_SPACE),
        (errno.EDQUOT, StorageErrorCode.NO_SPACE),
        (errno.EROFS, StorageErrorCode.PERMISSION_DENIED),
        (errno.EACCES, StorageErrorCode.PERMISSION_DENIED),
        (errno.ENOMEM, StorageErrorCode.UNAVAILABLE),
        (errno.ENOTDIR, StorageErrorCode.IO_ERROR),
    ],
)
@pytest.mark.parametrize("there_before", [False, True])
@pytest.mark.parametrize("stays", [False, True])
def test_a_failure_at_any_operation_is_reported_and_undone_cases_12_13_16(
    tmp_path: Path,
    run_id: RunId,
    number: int,
    code: StorageErrorCode,
    there_before: bool,
    stays: bool,
) -> None:
    """The fault moves from operation to operation until it no longer meets one."""
    sound, folder = FilesystemArtifacts(str(tmp_path)), folder_of(tmp_path, run_id)
    if there_before:
        publish(sound, run_id)
    at, files = 0, failing(1, number)
    while at <= len(files.done):
        at += 1
        files = failing(at, number, stays=stays)
        failure = attempt(partial(publish, FilesystemArtifacts(str(tmp_path), files), run_id))
        if failure is not None:
            details = failure.info.details
            assert (failure.code, details.run_id) == (code, run_id)
            assert details.path
            assert details.next_action
        else:
            assert list(sound.digests(run_id)) == [SHA256]
        for digest in sound.digests(run_id):
            sound.check(run_id, digest, SIZE)
        if folder.exists() and not stays and files.done[at - 1 : at] != ["unlink"]:
            assert leftovers(folder) == []
        sound.sweep(run_id)
    assert at > 10
    assert publish(sound, run_id) == SHA256


@pytest.mark.parametrize("where", ["write", "fdatasync", "rename", "fsync_dir"])
def test_a_full_disk_leaves_no_temporary_file_case_13(
    tmp_path: Path, run_id: RunId, where: str
) -> None:
    """Half a file that stayed would keep the disk full."""
    probe = failing(0, 0)
    publish(FilesystemArtifacts(str(tmp_path), probe), run_id)
    sound = FilesystemArtifacts(str(tmp_path))
    sound.remove(run_id, SHA256)
    # The folder stands now, so making it is one operation less than in the probe.
    last = len(probe.done) - probe.done[::-1].index(where)
    files = failing(last - 1, errno.ENOSPC)
    failure = attempt(partial(publish, FilesystemArtifacts(str(tmp_path), files), run_id))
    assert files.done[last - 2] == where
    assert failure is not None
    assert failure.code is StorageErrorCode.NO_SPACE
    assert failure.info.details.next_action == "free some space, then store it again"
    assert leftovers(folder_of(tmp_path, run_id)) == []


def test_a_file_past_the_systems_limit_is_no_space_case_14(tmp_path: Path, run_id: RunId) -> None:
    """EFBIG from the kernel itself: the partial file is removed, the error says what to do."""
    ended = run(LARGE, str(tmp_path), run_id)
    assert '"code":"no_space"' in ended.stdout, ended.stderr
    assert "EFBIG" in ended.stdout
    assert list(folder_of(tmp_path, run_id).iterdir()) == []


def test_a_failed_sync_is_never_acknowledged_nor_retried_case_10(
    tmp_path: Path, run_id: RunId
) -> None:
    """The sync after a failed one returns OK while the disk still holds the old bytes."""
    probe = failing(0, 0)
    publish(FilesystemArtifacts(str(tmp_path / "probe"), probe), _run_in(tmp_path / "probe"))
    files = failing(probe.done.index("fdatasync") + 1, errno.EIO)
    sink = FilesystemArtifacts(str(tmp_path), files).begin(run_id)
    for chunk in CONTENT:
        sink.write(chunk)
    with pytest.raises(StorageError) as raised:
        sink.commit()
    assert raised.value.code is StorageErrorCode.IO_ERROR
    assert files.done.count("fdatasync") == 1
    assert list(folder_of(tmp_path, run_id).iterdir()) == []
    with pytest.raises(StorageError) as raised:
        sink.commit()
    assert raised.value.code is StorageErrorCode.CLOSED


def _run_in(root: Path) -> RunId:
    run_id = new_run_id()
    (root / "runs" / run_id_folder(run_id)).mkdir(parents=True)
    return run_id


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.EMFILE])
def test_a_failure_at_any_operation_of_reading_is_reported_case_12(
    tmp_path: Path, run_id: RunId, number: int
) -> None:
    """What cannot be read is an error with a place, never fewer bytes."""
    sound = FilesystemArtifacts(str(tmp_path))
    digest = publish(sound, run_id)
    at, files, failure = 0, failing(1, number), None
    while at <= len(files.done):
        at += 1
        files = failing(at, number)
        broken = FilesystemArtifacts(str(tmp_path), files)
        failure = attempt(partial(broken.check, run_id, digest, SIZE))
        if failure is not None:
            assert failure.info.details.path == sound.location(run_id, digest)
            assert errno.errorcode[number] in failure.info.message
    assert failure is None
    assert at > 4


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts descriptors through /proc")
def test_no_failure_leaves_a_descriptor_open(tmp_path: Path, run_id: RunId) -> None:
    """A store that leaks one per failure stops a long run at a thousand."""
    expected = len(os.listdir("/proc/self/fd"))
    for at in range(1, 30):
        files = failing(at, errno.EIO)
        broken = FilesystemArtifacts(str(tmp_path), files)
        if attempt(partial(publish, broken, run_id)) is None:
            attempt(partial(broken.check, run_id, SHA256, SIZE))
        if files.done[at - 1 : at] == ["close"]:
            expected += 1  # the test itself kept the seam from closing this one
    assert len(os.listdir("/proc/self/fd")) == expected

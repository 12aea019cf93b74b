"""A store where locks and syncs cannot be relied on: not refused, but told."""

import json
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from journal import Journal
from journal.backends import network
from journal.backends.network import NetworkFileSystemWarning, file_system
from journal.files import Files

LOCAL = ["ext4", "xfs", "btrfs", "tmpfs", "overlay", "fuseblk", "zfs"]
NETWORK = ["nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "fuse", "fuse.sshfs", "fuse.glusterfs"]


def mounted(tmp_path: Path, kind: str, place: Path, *, more: str = "") -> Path:
    """Write a list of mounts: a local root, and a file system of that kind at ``place``."""
    where = str(place).replace("\\", "\\134").replace(" ", "\\040")
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
        f"77 22 0:61 / {where} rw,relatime shared:2 master:9 - {kind} host:/export rw\n{more}",
        encoding="utf-8",
    )
    return mounts


@pytest.mark.parametrize("kind", NETWORK)
async def test_a_store_on_a_network_file_system_is_warned_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Case 49: other hosts may write it at the same time; it opens all the same."""
    place = tmp_path / "a b"
    monkeypatch.setattr(network, "MOUNTS", str(mounted(tmp_path, kind, place)))
    with pytest.warns(NetworkFileSystemWarning, match=f"of type {kind}: .*local disk"):
        async with Journal.open(place / "deeper/store") as journal, journal.run(project="p"):
            pass
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        async with Journal.open(tmp_path / "a bc/store"):
            pass


@pytest.mark.parametrize("kind", LOCAL)
async def test_a_store_on_a_disk_is_not_warned_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Case 49: a warning that everybody sees is one that nobody reads."""
    monkeypatch.setattr(network, "MOUNTS", str(mounted(tmp_path, kind, tmp_path)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        async with Journal.open(tmp_path / "store"):
            pass


def test_the_mount_that_is_seen_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Case 49: the innermost one, the later of two in one place, and the way behind a link."""
    place = tmp_path / "outer"
    (place / "inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to(place)
    over = f"78 77 8:2 / {place}/inner rw - xfs /dev/sdb1 rw\n"
    over += f"79 22 8:3 / {place}/inner rw - btrfs /dev/sdc1 rw\nno mount at all\n"
    monkeypatch.setattr(network, "MOUNTS", str(mounted(tmp_path, "nfs", place, more=over)))
    assert file_system(Files(), str(place / "store")) == "nfs"
    assert file_system(Files(), str(tmp_path / "link/store")) == "nfs"
    assert file_system(Files(), str(place / "inner/store")) == "btrfs"
    assert file_system(Files(), str(tmp_path / "elsewhere")) == "ext4"
    monkeypatch.setattr(network, "MOUNTS", str(tmp_path / "none"))
    assert file_system(Files(), str(place)) is None


@pytest.mark.skipif(sys.platform != "linux", reason="asks the list of mounts of Linux")
@pytest.mark.parametrize("place", ["/", "/proc", "here"])
def test_the_system_says_the_same(tmp_path: Path, place: str) -> None:
    """Case 49: a second opinion about the mounts of this very machine."""
    path = str(tmp_path) if place == "here" else place
    told = subprocess.run(["df", "--output=fstype", path], capture_output=True, text=True)
    if told.returncode:
        pytest.skip("no df of GNU here")
    assert file_system(Files(), path) == told.stdout.split()[-1]


COMMAND = """
import sys
from journal.backends import network
network.MOUNTS = sys.argv.pop(1)
from projections.cli import main
main()
"""
TARGET = """
from journal import Pipeline
pipeline = Pipeline("one")

@pipeline.phase()
async def only() -> str:
    return "text"
"""


@pytest.mark.parametrize("asked", [[], ["--json"]])
def test_the_command_says_it_in_one_line(tmp_path: Path, asked: list[str]) -> None:
    """Case 49: on stderr, once, and as JSON where stderr is kept for JSON."""
    (tmp_path / "pipe.py").write_text(TARGET, encoding="utf-8")
    mounts = mounted(tmp_path, "nfs4", tmp_path)
    ran = subprocess.run(
        [sys.executable, "-c", COMMAND, mounts, "run", "pipe.py", *asked],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    (line,) = [line for line in ran.stderr.splitlines() if "nfs4" in line]
    said = json.loads(line)["warning"]["message"] if asked else line
    assert ("journal: warning: " in line) is not bool(asked)
    assert f"the store at {tmp_path / '.journal'} lies on" in said
    assert "network.py" not in ran.stderr

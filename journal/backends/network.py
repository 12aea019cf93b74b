"""
Whether a store lies on a file system that other hosts, or another program, keep for us.

There a lock may hold on this host alone, and a sync may say yes to bytes that no disk has. Nothing
is refused for it: the store may be worth having all the same, and only its owner knows. Asks the
system's list of mounts; where there is none (macOS), nothing is known and nothing is said.

Below: files. Above: journal.
"""

import re
import warnings
from pathlib import Path

from journal.files import Files, read_small

MOUNTS = "/proc/self/mountinfo"
_MOUNTS_BYTES_MAX = 4 * 1024 * 1024  # thousands of mounts, as hosts of containers have them
# "fuseblk" is not among them: a block device of this host, only its format is read elsewhere.
_NETWORK = re.compile(
    "nfs4?|cifs|smb3|smbfs|ncpfs|9p|virtiofs|vboxsf|prl_fs|afs|coda|ceph|glusterfs|lustre|beegfs"
    "|gpfs|pvfs2|orangefs|davfs|fuse|fuse[.].*"
)
_OCTAL = re.compile(rb"\\([0-7]{3})")


class NetworkFileSystemWarning(UserWarning):
    """A store was opened for writing where neither locks nor syncs can be relied on."""


def warn_of_network(files: Files, root: str) -> None:
    """
    Warn if the store at ``root`` lies on a network or FUSE file system.

    Python shows a warning of the same words once per process, so once per store.
    """
    kind = file_system(files, root)
    if kind is not None and _NETWORK.fullmatch(kind):
        warnings.warn(
            f"the store at {root} lies on a file system of type {kind}: other hosts may write it "
            "at the same time, and what was acknowledged may not survive a power loss. Next: keep "
            "the store on a local disk",
            NetworkFileSystemWarning,
            stacklevel=1,  # nobody's line is to blame; told from one place, it is told once
        )


def file_system(files: Files, path: str) -> str | None:
    """The type of the file system that holds ``path``, or ``None`` where nobody says."""
    try:
        mounts = read_small(files, MOUNTS, _MOUNTS_BYTES_MAX)
    except OSError:
        return None
    return _type_in(mounts or b"", Path(path).resolve())


def _type_in(mounts: bytes, path: Path) -> str | None:
    """The innermost mount that holds ``path``; of several in one place the last one is seen."""
    found: tuple[int, str | None] = (0, None)
    for line in mounts.split(b"\n"):
        words, _, rest = line.partition(b" - ")
        fields = words.split(b" ")
        if len(fields) < 5 or not rest:
            continue
        place = Path(
            _OCTAL.sub(lambda code: bytes([int(code[1], 8)]), fields[4]).decode(
                "utf-8", "surrogateescape"
            )
        )
        if path.is_relative_to(place) and len(place.parts) >= found[0]:
            found = len(place.parts), rest.split(b" ", 1)[0].decode("ascii", "replace")
    return found[1]

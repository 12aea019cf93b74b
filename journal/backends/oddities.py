"""
What lies beside a log and is not as the library leaves it: ``head``, kept tails, the feed.

The log itself is not looked at here. All of this is derived or evidence, so none of it is a reason
to refuse a run; but nothing that is wrong is passed over in silence.

Below: limits, ids, files, log, feed, headfile, refusals. Above: filesystem.
"""

import hashlib
import re
from collections.abc import Callable, Collection, Iterator, Sequence

from journal.backends.feed import FIRST, Feed
from journal.backends.headfile import read_head
from journal.backends.refusals import place
from journal.files import Files, read_small
from journal.ids import RunId
from journal.limits import TORN_TAIL_BYTES_MAX
from journal.log import Oddity

_TAIL = re.compile(r"([0-9]{1,19})-([0-9a-f]{64})")


class Beside:
    """The part of ``FilesystemLog`` that looks at what lies beside the logs."""

    root: str
    files: Files
    folder: Callable[[RunId], str]
    _feed: Feed
    _check_present: Callable[[RunId, str], None]

    def oddities(self, run_id: RunId | None = None, told: Collection[str] = ()) -> Sequence[Oddity]:
        """What is odd about a run or the store; see ``EventLog.oddities``."""
        if run_id is None:
            with place("oddities", path=self.root):
                return list(of_store(self.files, self.root))
        folder = self.folder(run_id)
        with place("oddities", run_id, folder):
            self._check_present(run_id, folder)
            return list(of_run(self.files, folder, told))

    def announced(self) -> Sequence[RunId]:
        """Runs that the feed says are there; see ``EventLog.announced``."""
        with place("announced", path=f"{self.root}/feed"):
            return self._feed.announced()

    def mend(self) -> str | None:
        """Begin the feed anew; see ``EventLog.mend``."""
        with place("mend", path=f"{self.root}/feed"):
            return self._feed.begin_anew()


def of_run(files: Files, folder: str, told: Collection[str]) -> Iterator[Oddity]:
    """Oddities of one run; ``told`` are the tails that its events tell. Raises ``OSError``."""
    if files.status_of(f"{folder}/head") is None:
        yield Oddity("head_missing", "its head is missing", f"{folder}/head")
    elif read_head(files, f"{folder}/head") is None:
        yield Oddity("head_damaged", "its head is damaged", f"{folder}/head")
    kept = files.listdir(f"{folder}/torn") if files.is_folder(f"{folder}/torn") else []
    for name in kept:
        path = f"{folder}/torn/{name}"
        if not _is_whole(files, path, name):
            yield Oddity("tail_damaged", f"the kept tail {name} is not what was kept", path)
        elif f"torn/{name}" not in told:
            seq = int(name.partition("-")[0])
            yield Oddity("tail_untold", f"the kept tail {name} is told by no event", path, seq)
    for name in sorted({each.removeprefix("torn/") for each in told}.difference(kept)):
        yield Oddity("tail_gone", f"the kept tail {name} is gone", f"{folder}/torn/{name}")


def _is_whole(files: Files, path: str, name: str) -> bool:
    parts = _TAIL.fullmatch(name)
    data = read_small(files, path, TORN_TAIL_BYTES_MAX) if parts else None
    return parts is not None and data is not None and hashlib.sha256(data).hexdigest() == parts[2]


def of_store(files: Files, root: str) -> Iterator[Oddity]:
    """Oddities of the store as a whole. Raises ``OSError``."""
    path = f"{root}/feed"
    if files.status_of(path) is None:
        yield Oddity("feed_missing", "the feed is missing", path)
        return
    try:
        fd = files.open_read(path)
    except OSError as failure:
        yield Oddity("feed_damaged", f"the feed cannot be read ({failure.strerror})", path)
        return
    try:
        if not FIRST.match(files.pread(fd, 128, 0)):
            yield Oddity("feed_damaged", "the feed's first line is damaged", path)
    finally:
        files.close(fd)

"""
Seeded bugs: the library as it is, with one thing made wrong, for as long as a campaign runs.

A mutant replaces a piece of one function's source and compiles that function anew in its own
module; the tree is never edited. A piece that is no longer there is an error: the mutant has to
follow the code.
"""

import inspect
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any, NamedTuple
from unittest.mock import patch

from journal import recovery
from journal.artifacts import filesystem as artifacts
from journal.backends import feed, lease, runfolder, storefile
from journal.backends.filesystem import FilesystemLog
from journal.chain import Chain
from journal.files import Files
from journal.recorder import Recorder


class Change(NamedTuple):
    """``old`` becomes ``new`` in the source of the function ``name`` of ``owner``."""

    owner: Any
    name: str
    old: str
    new: str


class Mutant(NamedTuple):
    """One bug, and the scripts whose lives show it: whole, with errors, or with bits flipped."""

    why: str
    changes: tuple[Change, ...]
    crashes: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    flips: tuple[str, ...] = ()
    failing: str | None = None
    """Which operations fail; without it, all of them."""


def changed(changes: Sequence[Change]) -> Any:
    """One function with all changes made that are for it."""
    owner, name = changes[0].owner, changes[0].name
    function = inspect.getattr_static(owner, name)
    plain = getattr(function, "__func__", function)
    source = textwrap.dedent(inspect.getsource(plain))
    for change in changes:
        if source.count(change.old) != 1:
            raise LookupError(f"{change.old!r} stands {source.count(change.old)} times in {plain}")
        source = source.replace(change.old, change.new)
    space: dict[str, Any] = {}
    code = compile(source, f"<mutant of {name}>", "exec")
    exec(code, plain.__globals__, space)  # noqa: S102 - the library's own source
    made = space[name]
    return type(function)(made) if isinstance(function, classmethod | staticmethod) else made


@contextmanager
def planted(mutant: Mutant) -> Iterator[None]:
    """The library with that bug, by whatever name a module knows the function."""
    places: dict[tuple[int, str], list[Change]] = {}
    for change in mutant.changes:
        places.setdefault((id(change.owner), change.name), []).append(change)
    with ExitStack() as stack:
        for changes in places.values():
            owner, name = changes[0].owner, changes[0].name
            made, sound = changed(changes), inspect.getattr_static(owner, name)
            for place, known_as in _places(owner, name, sound):
                stack.enter_context(patch.object(place, known_as, made))
        yield


def _places(owner: Any, name: str, sound: Any) -> list[tuple[Any, str]]:
    if not isinstance(owner, ModuleType):
        return [(owner, name)]
    return [
        (module, known_as)
        for module_name, module in list(sys.modules.items())
        if module_name.startswith("journal.")
        for known_as, value in list(vars(module).items())
        if value is sound
    ]


def _without(owner: Any, name: str, old: str) -> Change:
    """The function without that piece; a statement that must stay one becomes ``pass``."""
    return Change(owner, name, old, "pass")


MUTANTS: dict[str, Mutant] = {
    "acknowledged_before_sync": Mutant(
        "an append is acknowledged though its lines are in memory only",
        (_without(lease, "append", "files.fdatasync(lease.log_fd)"),),
        crashes=("append",),
    ),
    "retried_sync": Mutant(
        "a sync that failed is tried again: it succeeds, and the bytes are lost",
        (
            Change(
                lease,
                "append",
                "        files.fdatasync(lease.log_fd)\n",
                "        try:\n"
                "            files.fdatasync(lease.log_fd)\n"
                "        except OSError:\n"
                "            files.fdatasync(lease.log_fd)\n",
            ),
        ),
        faults=("append",),
        failing="fdatasync",
    ),
    "goes_on_after_an_error": Mutant(
        "a lease is not broken by an error: nobody knows what it goes on behind",
        (_without(lease, "append", 'lease.broken = f"{code_of(failure)}"'),),
        faults=("append",),
        failing="status",
    ),
    "short_write_ignored": Mutant(
        "a write that took a part is taken for whole",
        (
            Change(
                Files,
                "write_all",
                "self._all(lambda rest, _: self.write(fd, rest), data)",
                "self.write(fd, data)",
            ),
        ),
        faults=("append",),
        failing="write",
    ),
    "no_folder_sync_after_create": Mutant(
        "a run is acknowledged though its name is in memory only",
        (_without(FilesystemLog, "_publish", 'self.files.fsync_dir(folder.rpartition("/")[0])'),),
        crashes=("append",),
    ),
    "first_batch_unsynced": Mutant(
        "a run gets its name before its first lines are on disk",
        (_without(runfolder, "_build", "files.fdatasync(log_fd)"),),
        crashes=("append",),
    ),
    "watermark_never_written": Mutant(
        "nothing says what was acknowledged, so damage looks like a torn tail",
        (
            _without(lease, "tell_head", "files.pwrite_all(lease.head_fd, data, 0)"),
            Change(lease, "tell_head", "lease.head_bytes = data", 'lease.head_bytes = b""'),
        ),
        flips=("append",),
    ),
    "watermark_ignored_by_readers": Mutant(
        "readers are shown whole batches that are in memory only",
        (
            Change(
                FilesystemLog,
                "head",
                "if found is not None and found.of_this_boot:",
                "if found is not None and found.of_this_boot and False:",
            ),
        ),
        crashes=("append",),
    ),
    "no_rewrite_on_reopen": Mutant(
        "what a dead writer left in memory is synced as it is, and never was dirty again",
        (
            Change(
                runfolder,
                "recover",
                "files.pwrite_all(fd, files.pread(fd, size, position), position)",
                "files.pread(fd, size, position)",
            ),
        ),
        faults=("append",),
        failing="fdatasync",
    ),
    "no_sync_on_reopen": Mutant(
        "a log is trusted before what a dead writer left of it is on disk",
        (_without(runfolder, "recover", "files.fdatasync(fd)"),),
        crashes=("append",),
    ),
    "head_unsynced_on_reopen": Mutant(
        "the disk still says closed when the next batch is torn",
        (_without(runfolder, "reopen", "files.fdatasync(head_fd)"),),
        crashes=("reopen",),
    ),
    "name_unsynced_on_reopen": Mutant(
        "a run whose maker died is written on before its name is on disk",
        (_without(FilesystemLog, "acquire", 'self.files.fsync_dir(folder.rpartition("/")[0])'),),
        crashes=("append",),
    ),
    "tail_cut_before_kept": Mutant(
        "a crash between the cut and the copy loses the torn tail without a word",
        (
            Change(
                runfolder,
                "recover",
                "            keep_aside(files, folder, read, tail)\n"
                "            files.truncate(fd, tail.head.position)\n",
                "            files.truncate(fd, tail.head.position)\n"
                "            keep_aside(files, folder, read, tail)\n",
            ),
        ),
        crashes=("append",),
    ),
    "tail_kept_unsynced": Mutant(
        "the copy of a torn tail is in memory only when the tail is cut",
        (_without(recovery, "keep_aside", "files.fdatasync(fd)"),),
        crashes=("append",),
    ),
    "tail_not_told": Mutant(
        "a torn tail is cut, and nobody is told",
        (Change(runfolder, "reopen", "untold(files, folder, tail.head.seq)", "()"),),
        crashes=("append",),
    ),
    "lenient_hash": Mutant(
        "a hash in capitals, or under another key, is as good as the right one",
        (
            Change(
                Chain,
                "follow",
                "if line[-SUFFIX_BYTES:] != _HASH_KEY",
                "if line[-SUFFIX_BYTES:].lower() != _HASH_KEY",
            ),
        ),
        flips=("append",),
    ),
    "feed_unsynced": Mutant(
        "a run is acknowledged before the feed tells of it on disk",
        (
            Change(
                FilesystemLog,
                "create",
                'self._feed.tell("opened", run_id, self._now(), durable=True)',
                'self._feed.tell("opened", run_id, self._now(), durable=False)',
            ),
        ),
        crashes=("append",),
    ),
    "feed_name_unsynced": Mutant(
        "the feed's content is on disk and its name is not, when the store is acknowledged",
        (
            _without(feed.Feed, "make", 'self._files.fsync_dir(self._path.rpartition("/")[0])'),
            Change(storefile, "make_store", "durable=True)", "durable=False)"),
            _without(storefile, "make_store", "files.fsync_dir(path)"),
        ),
        crashes=("append",),
    ),
    "artifact_told_before_stored": Mutant(
        "the event that names an artifact is written before the artifact",
        (
            Change(
                Recorder,
                "store",
                "stored = await store_payload(\n",
                "from hashlib import sha256; "
                "early = _SPECIMEN.__class__(sha256=sha256(payload).hexdigest(), "
                "size_bytes=len(payload), location='', replaced=False, "
                "format=_SPECIMEN.format, media_type='application/octet-stream'); "
                "appended = await self.append(persisted(early), phase=place.phase); "
                "stored = await store_payload(\n",
            ),
            _without(Recorder, "store", "appended = await self.append(event, phase=place.phase)"),
        ),
        crashes=("writer",),
    ),
    "artifact_unsynced": Mutant(
        "an artifact gets its name, and an event that names it, before its bytes are on disk",
        (_without(artifacts._FileSink, "commit", "self._files.fdatasync(fd)"),),
        crashes=("artifact",),
    ),
    "artifact_name_unsynced": Mutant(
        "an event names an artifact whose own name is in memory only",
        (_without(artifacts._FileSink, "commit", "self._files.fsync_dir(self._folder)"),),
        crashes=("artifact",),
    ),
}

"""
Seeded bugs: the library as it is, with one thing made wrong, for as long as a campaign runs.

A mutant replaces a piece of one function's source and compiles that function anew in its own
module; the tree is never edited. The function is looked for by its name and that piece, wherever it
stands; a piece that is nowhere is an error: the mutant has to follow the code.
"""

import inspect
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from types import ModuleType
from typing import Any, NamedTuple
from unittest.mock import patch


class Change(NamedTuple):
    """``old`` becomes ``new`` in the one function, called ``name``, that holds it."""

    name: str
    old: str
    new: str


class Function(NamedTuple):
    """A function or method of the library, where it stands, and its source."""

    owner: Any
    name: str
    source: str


class Mutant(NamedTuple):
    """One bug, and the scripts whose lives show it: whole, with errors, or with bits flipped."""

    why: str
    changes: tuple[Change, ...]
    crashes: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    flips: tuple[str, ...] = ()
    failing: str | None = None
    """Which operations fail; without it, all of them."""


@cache
def _functions() -> list[Function]:
    """All of the write side, so that a bug finds its place after the place has moved."""
    found = []
    for module_name, module in sorted(sys.modules.items()):
        if not module_name.startswith("journal."):
            continue
        for name, value in vars(module).items():
            owners: list[tuple[Any, str, Any]] = [(module, name, value)]
            if inspect.isclass(value):
                owners = [(value, inner, each) for inner, each in vars(value).items()]
            for owner, inner, each in owners:
                plain = getattr(each, "__func__", each)
                if (
                    inspect.isfunction(plain)
                    and plain.__module__ == module_name
                    and not hasattr(plain, "__wrapped__")
                ):
                    found.append(Function(owner, inner, _source(plain)))
    return found


def _source(function: Any) -> str:
    try:
        return textwrap.dedent(inspect.getsource(function))
    except OSError:  # made by a class decorator
        return ""


def place_of(change: Change) -> Function:
    """The function that a change is for."""
    found = [
        each
        for each in _functions()
        if each.name.lstrip("_") == change.name.lstrip("_") and each.source.count(change.old) == 1
    ]
    if len(found) != 1:
        raise LookupError(f"{change.old!r} stands in {len(found)} functions {change.name}")
    return found[0]


def _changed(function: Function, changes: Sequence[Change]) -> Any:
    sound = inspect.getattr_static(function.owner, function.name)
    plain = getattr(sound, "__func__", sound)
    source = function.source
    for change in changes:
        source = source.replace(change.old, change.new)
    space: dict[str, Any] = {}
    code = compile(source, f"<mutant of {function.name}>", "exec")
    exec(code, plain.__globals__, space)  # noqa: S102 - the library's own source
    made = space[function.name]
    return type(sound)(made) if isinstance(sound, classmethod | staticmethod) else made


@contextmanager
def planted(mutant: Mutant) -> Iterator[None]:
    """The library with that bug, by whatever name a module knows the function."""
    places: dict[tuple[int, str], tuple[Function, list[Change]]] = {}
    for change in mutant.changes:
        function = place_of(change)
        key = id(function.owner), function.name
        places.setdefault(key, (function, []))[1].append(change)
    with ExitStack() as stack:
        for function, changes in places.values():
            made = _changed(function, changes)
            for owner, name in _known_as(function):
                stack.enter_context(patch.object(owner, name, made))
        yield


def _known_as(function: Function) -> list[tuple[Any, str]]:
    if not isinstance(function.owner, ModuleType):
        return [(function.owner, function.name)]
    sound = getattr(function.owner, function.name)
    return [
        (module, name)
        for module_name, module in list(sys.modules.items())
        if module_name.startswith("journal.")
        for name, value in list(vars(module).items())
        if value is sound
    ]


def _without(name: str, old: str) -> Change:
    """The function ``name`` without that statement."""
    return Change(name, old, "pass")


MUTANTS: dict[str, Mutant] = {
    "acknowledged_before_sync": Mutant(
        "an append is acknowledged though its lines are in memory only",
        (_without("append", "files.fdatasync(lease.log_fd)"),),
        crashes=("append",),
    ),
    "retried_sync": Mutant(
        "a sync that failed is tried again: it succeeds, and the bytes are lost",
        (
            Change(
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
        (_without("append", 'lease.broken = f"{code_of(failure)}"'),),
        faults=("append",),
        failing="status",
    ),
    "short_write_ignored": Mutant(
        "a write that took a part is taken for whole",
        (
            Change(
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
        (_without("_publish", 'self.files.fsync_dir(folder.rpartition("/")[0])'),),
        crashes=("append",),
    ),
    "first_batch_unsynced": Mutant(
        "a run gets its name before its first lines are on disk",
        (_without("_build", "files.fdatasync(log_fd)"),),
        crashes=("append",),
    ),
    "watermark_never_written": Mutant(
        "nothing says what was acknowledged, so damage looks like a torn tail",
        (
            _without("tell_head", "files.pwrite_all(lease.head_fd, data, 0)"),
            Change("tell_head", "lease.head_bytes = data", 'lease.head_bytes = b""'),
        ),
        flips=("append",),
    ),
    "watermark_ignored_by_readers": Mutant(
        "readers are shown whole batches that are in memory only",
        (
            Change(
                "shown",
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
        (_without("recover", "files.fdatasync(fd)"),),
        crashes=("append",),
    ),
    "head_unsynced_on_reopen": Mutant(
        "the disk still says closed when the next batch is torn",
        (_without("reopen", "files.fdatasync(head_fd)"),),
        crashes=("reopen",),
    ),
    "name_unsynced_on_reopen": Mutant(
        "a run whose maker died is written on before its name is on disk",
        (_without("acquire", 'self.files.fsync_dir(folder.rpartition("/")[0])'),),
        crashes=("append",),
    ),
    "files_unsynced_after_force": Mutant(
        "who took a run by force died, and the next writer writes to files without durable names",
        (
            Change(
                "finish",
                "    files.fsync_dir(folder)\n    files.truncate(lock_fd, 0)\n",
                "    files.truncate(lock_fd, 0)\n",
            ),
        ),
        crashes=("force",),
    ),
    "tail_cut_before_kept": Mutant(
        "a crash between the cut and the copy loses the torn tail without a word",
        (
            Change(
                "recover",
                "        keep_aside(files, folder, read, tail)\n"
                "        files.truncate(fd, tail.head.position)\n",
                "        files.truncate(fd, tail.head.position)\n"
                "        keep_aside(files, folder, read, tail)\n",
            ),
        ),
        crashes=("append",),
    ),
    "tail_kept_unsynced": Mutant(
        "the copy of a torn tail is in memory only when the tail is cut",
        (_without("keep_aside", "files.fdatasync(fd)"),),
        crashes=("append",),
    ),
    "tail_not_told": Mutant(
        "a torn tail is cut, and nobody is told",
        (Change("reopen", "untold(files, folder, tail.head.seq)", "()"),),
        crashes=("append",),
    ),
    "lenient_hash": Mutant(
        "a hash in capitals, or under another key, is as good as the right one",
        (
            Change(
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
            _without("make", 'self._files.fsync_dir(self._path.rpartition("/")[0])'),
            Change("make_store", "durable=True)", "durable=False)"),
            _without("make_store", "files.fsync_dir(path)"),
        ),
        crashes=("append",),
    ),
    "artifact_told_before_stored": Mutant(
        "the event that names an artifact is written before the artifact",
        (
            Change(
                "store",
                "stored = await store_payload(\n",
                "from hashlib import sha256; "
                "early = _SPECIMEN.__class__(sha256=sha256(payload).hexdigest(), "
                "size_bytes=len(payload), location='', replaced=False, "
                "format=_SPECIMEN.format, media_type='application/octet-stream'); "
                "appended = await self.append(persisted(early), phase=place.phase); "
                "stored = await store_payload(\n",
            ),
            _without("store", "appended = await self.append(event, phase=place.phase)"),
        ),
        crashes=("writer",),
    ),
    "artifact_unsynced": Mutant(
        "an artifact gets its name, and an event that names it, before its bytes are on disk",
        (_without("commit", "self._files.fdatasync(fd)"),),
        crashes=("artifact",),
    ),
    "artifact_name_unsynced": Mutant(
        "an event names an artifact whose own name is in memory only",
        (_without("commit", "self._files.fsync_dir(self._folder)"),),
        crashes=("artifact",),
    ),
}

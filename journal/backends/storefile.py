"""
``store.json``: what makes a folder a store. A folder without it is none, whatever it holds.

Below: errors, files, feed. Above: filesystem.
"""

import os
import uuid
from contextlib import suppress

import msgspec

from journal.errors import StorageErrorCode, storage_error
from journal.files import Files, read_small, replace_file

FORMAT = "run-journal/1"
_BYTES_MAX = 65_536


class StoreFile(msgspec.Struct):
    """The content of ``store.json``."""

    format: str
    store_id: str


def _check_path(path: str) -> None:
    """Refuse with ``validation_error`` what no system takes as the name of a folder."""
    with suppress(UnicodeEncodeError):  # a lone surrogate that stands for no byte
        if b"\0" not in os.fsencode(path):
            return
    raise storage_error(
        StorageErrorCode.VALIDATION_ERROR,
        f"{path!a} cannot be the path of a store. Nothing was changed.",
        operation="open",
        reason="bad_path",
        next_action="name a folder without a NUL character",
    )


def make_store(files: Files, path: str) -> None:
    """
    Make a store at ``path`` where there is nothing, or an empty folder. Raises ``OSError``.

    On return its names are durable, whoever made it: its maker may have died before the sync.
    """
    _check_path(path)
    if files.status_of(f"{path}/store.json") is not None:
        files.fsync_dir(path)
        _sync_name(files, path)
        return
    if files.is_folder(f"{path}/runs"):
        return  # a store that lost its store.json: ``check_store`` says so, nothing is made anew
    if files.is_folder(path):
        # What another process that makes the store just now has put there is no obstacle.
        strangers = [
            name
            for name in files.listdir(path)
            if name != "feed" and not name.startswith((".store-", "feed.", "store.json", "runs"))
        ]
        if strangers:
            raise storage_error(
                StorageErrorCode.VALIDATION_ERROR,
                f"{path} holds files but no store.json: it is no store. Nothing was changed.",
                operation="open",
                path=path,
                reason="no_store",
                next_action="name an empty or new folder",
            )
        _sync_name(files, path)
    else:
        _make_folder(files, path)
    from journal.backends.feed import Feed

    Feed(files, f"{path}/feed").make()
    body = msgspec.json.encode(StoreFile(FORMAT, str(uuid.uuid4()))) + b"\n"
    # Last: where store.json is, everything else is. Two makers write two ids; the last one stays,
    # and nothing refers to it yet.
    temporary = f"{path}/.store-{uuid.uuid4().hex}"
    replace_file(files, f"{path}/store.json", body, temporary=temporary, durable=True)


def _make_folder(files: Files, path: str) -> None:
    parent = path.rpartition("/")[0] or "/"
    if files.is_folder(parent):
        _sync_name(files, parent)
    else:
        _make_folder(files, parent)
    try:
        files.mkdir(path)
    except FileExistsError:
        if not files.is_folder(path):
            raise
    files.fsync_dir(parent)


def _sync_name(files: Files, path: str) -> None:
    """Make the name of a folder durable that another process may have made just now."""
    # Who may not read the folder above cannot sync it; nor could whoever made this one.
    with suppress(PermissionError):
        files.fsync_dir(path.rpartition("/")[0] or "/")


def check_store(files: Files, path: str) -> StoreFile:
    """Read ``store.json``; see ``FilesystemLog.open`` for what is refused."""
    _check_path(path)
    data = read_small(files, f"{path}/store.json", _BYTES_MAX)
    if data is None and files.status_of(f"{path}/store.json") is not None:
        data = b""  # far too long: it says no more than an empty one
    if data is None and files.is_folder(f"{path}/runs"):
        raise storage_error(
            StorageErrorCode.CORRUPT,
            f"the store at {path} has runs, but its store.json is gone. Nothing was changed.",
            operation="open",
            path=f"{path}/store.json",
            reason="store_json_gone",
            next_action=f'write {{"format":"{FORMAT}","store_id":"<a uuid>"}} into it',
        )
    if data is None:
        raise storage_error(
            StorageErrorCode.NOT_FOUND,
            f"there is no store at {path}.",
            operation="open",
            path=path,
            reason="no_store",
            next_action="journal run TARGET, or name another with --store",
        )
    try:
        found = msgspec.json.decode(data, type=StoreFile)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as failure:
        raise storage_error(
            StorageErrorCode.SERIALIZATION_ERROR,
            f"{path}/store.json cannot be read. Nothing was changed.",
            operation="open",
            path=f"{path}/store.json",
            reason="store_json",
            next_action=f'write {{"format":"{FORMAT}","store_id":"<a uuid>"}} into it',
        ) from failure
    if found.format != FORMAT:
        raise storage_error(
            StorageErrorCode.UNSUPPORTED_FORMAT,
            f"the store at {path} is of format {found.format[:80]!r}; this version knows {FORMAT}.",
            operation="open",
            path=f"{path}/store.json",
            reason="store_format",
            next_action="use a newer version of run-journal",
        )
    return found

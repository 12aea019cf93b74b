"""
A store that somebody prepared: links, hard links, other names. Nothing outside of it is touched.

Each file and folder of a whole store is laid elsewhere in turn, with a link in its place; then
everything is done that can be done with a store.
"""

import os
import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import anyio
import pytest

from journal import Journal, StorageError, StorageErrorCode
from journal.ids import parse_run_id
from projections import Projections

Act = Callable[[Path, list[str]], Awaitable[object]]


async def _made(store: Path) -> list[str]:
    """Make a store with all that can lie in one; return the ids of its runs."""
    ids: list[str] = []
    live = store.with_name("live")
    async with Journal.open(live) as journal:
        for number in range(2):
            async with journal.run(project="p") as run:
                async with run.phase("a") as phase:
                    await phase.store(f"text {number}")
                ids.append(run.id)
                if number:  # as a crash leaves it: in the middle, and half a line behind it
                    shutil.copytree(live, store)
    with next(store.glob(f"runs/*/*/*/{ids[1]}/events.jsonl")).open("ab") as file:
        file.write(b'{"seq":99,"torn')
    async with Journal.open(store) as journal:
        async with journal.open_run(ids[1]):
            pass
        ids.append((await journal.fork(ids[0])).run_id)
    async with Projections.open(store) as runs:
        await runs.list()
    shutil.rmtree(live)
    return ids


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A store that is only copied, and the ids in it."""
    store = tmp_path_factory.mktemp("whole") / "store"
    return store, anyio.run(_made, store)


async def _resume(store: Path, ids: list[str]) -> None:
    async with Journal.open(store) as journal:
        for run_id in ids:
            with suppress(StorageError):
                async with journal.resume(run_id) as run:
                    await run.store("more text")


async def _open_run(store: Path, ids: list[str]) -> None:
    async with Journal.open(store) as journal:
        for run_id in ids:
            with suppress(StorageError):
                async with journal.open_run(run_id) as run:
                    await run.annotate("a note")


async def _fork(store: Path, ids: list[str]) -> None:
    async with Journal.open(store) as journal:
        for run_id in ids:
            with suppress(StorageError):
                await journal.fork(run_id)


async def _new(store: Path, ids: list[str]) -> None:
    async with Journal.open(store) as journal, journal.run(project="p") as run:
        await run.store("new text")


async def _delete(store: Path, ids: list[str]) -> None:
    async with Journal.open(store) as journal:
        for run_id in ids:
            with suppress(StorageError):
                await journal.delete(run_id)


async def _read(store: Path, ids: list[str]) -> None:
    async with Projections.open(store) as runs:
        await runs.list()
        for run_id in ids:
            with suppress(StorageError):
                await runs.state(parse_run_id(run_id))
        await runs.verify()


async def _rebuild(store: Path, ids: list[str]) -> None:
    async with Projections.open(store) as runs:
        await runs.rebuild()


ACTS: dict[str, Act] = {
    "resume": _resume,
    "note": _open_run,
    "fork": _fork,
    "new run": _new,
    "delete": _delete,
    "read": _read,
    "rebuild": _rebuild,
}


def _places(store: Path, run_id: str) -> list[str]:
    """Everything in the store, but of its runs only the one in which there is most."""
    found = sorted(path.relative_to(store).as_posix() for path in store.rglob("*"))
    return [name for name in found if name.count("/") < 4 or run_id in name]


def _snapshot(place: Path) -> dict[str, tuple[int, bytes]]:
    """Return what lies below a folder: modes and bytes."""
    found = {}
    for path in sorted([place, *place.rglob("*")]):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        found[str(path.relative_to(place))] = (status.st_mode, content)
    return found


@pytest.mark.filterwarnings("ignore::projections.catchup.HiddenRunsWarning")
@pytest.mark.parametrize("act", ACTS)
def test_nothing_behind_a_link_is_changed(
    tmp_path: Path, whole: tuple[Path, list[str]], act: str
) -> None:
    """Security, links: who may write into a store must not write with our rights elsewhere."""
    source, ids = whole
    changed = []
    for number, name in enumerate(_places(source, ids[1])):
        store, outside = tmp_path / f"s{number}", tmp_path / f"o{number}"
        shutil.copytree(source, store)
        outside.mkdir()
        (store / name).rename(outside / "moved")
        (store / name).symlink_to(outside / "moved")
        before = _snapshot(outside)
        with suppress(StorageError):
            anyio.run(ACTS[act], store, ids)
        after = _snapshot(outside)
        changed += [(name, path) for path in before | after if before.get(path) != after.get(path)]
        shutil.rmtree(store)
    assert changed == []


@pytest.mark.filterwarnings("ignore::projections.catchup.HiddenRunsWarning")
@pytest.mark.parametrize("act", ["resume", "new run", "rebuild"])
def test_a_link_to_nowhere_makes_nothing_there(
    tmp_path: Path, whole: tuple[Path, list[str]], act: str
) -> None:
    """Security, links: a file that is made at the end of one is a file in somebody's home."""
    source, ids = whole
    for number, name in enumerate(_places(source, ids[1])):
        store, outside = tmp_path / f"s{number}", tmp_path / f"o{number}"
        shutil.copytree(source, store)
        outside.mkdir()
        shutil.rmtree(store / name) if (store / name).is_dir() else (store / name).unlink()
        (store / name).symlink_to(outside / "made")
        with suppress(StorageError):
            anyio.run(ACTS[act], store, ids)
        assert list(outside.iterdir()) == [], name
        shutil.rmtree(store)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_everything_in_a_store_is_its_owners_alone(tmp_path: Path, umask: int) -> None:
    """Security, modes: logs, artifacts, indexes, locks, torn tails: folders 0700, files 0600."""
    before = os.umask(umask)
    try:
        anyio.run(_made, tmp_path / "store")
        kept = _open_index(tmp_path / "store")
        modes = {path: path.lstat().st_mode & 0o7777 for path in (tmp_path / "store").rglob("*")}
    finally:
        os.umask(before)
    for connection in kept:
        connection.close()
    assert {modes[path] for path in modes if path.is_dir()} == {0o700}
    assert {modes[path] for path in modes if path.is_file()} == {0o600}
    names = {path.name for path in modes}
    assert {"store.json", "feed", "index.sqlite", "index.lock", "index.sqlite-wal"} <= names
    assert {"events.jsonl", "head", "lock", "checkpoint", "torn", "ancestors", "artifacts"} <= names
    assert (tmp_path / "store").stat().st_mode & 0o7777 == 0o700


def _open_index(store: Path) -> list[sqlite3.Connection]:
    """Hold the index open, so that its -wal and -shm lie beside it."""
    db = sqlite3.connect(store / "index.sqlite", isolation_level=None)
    db.execute("SELECT count(*) FROM runs").fetchall()
    anyio.run(_new, store, [])
    anyio.run(_read, store, [])
    return [db]


NAMES = [
    "../../../../etc/passwd", "/etc/passwd", "..", ".", "", "a/b", "a\\b", "CON", "a\0b",
    "019aab5e-7c3b-7000-8000-00000000000\n", "019AAB5E-7C3B-7000-8000-000000000001",
    "019aab5e7c3b70008000000000000001", "019aab5e-7c3b-4000-8000-000000000001", "x" * 5000,
    "\u0660" * 36, "019aab5e-7c3b-7000-8000-000000000001/../x", "0" * 64, "%2e%2e",
]  # fmt: skip


@pytest.mark.anyio
@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:24])
async def test_what_is_no_run_id_becomes_no_path(tmp_path: Path, name: str) -> None:
    """Security, names: an id alone gives a path, so it is parsed once, where it comes in."""
    async with Journal.open(tmp_path / "store") as journal:
        before = _snapshot(tmp_path)
        for call in (journal.resume, journal.open_run):
            with pytest.raises(StorageError) as caught:
                call(name)
            assert caught.value.code is StorageErrorCode.VALIDATION_ERROR
        for act in (journal.delete, journal.fork, journal.salvage):
            with pytest.raises(StorageError) as caught:
                await act(name)
            assert caught.value.code is StorageErrorCode.VALIDATION_ERROR
        assert _snapshot(tmp_path) == before


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["../a", "a/b", "A", "", "a" * 65, "..", "a\n", "\u202ea", "é"])
async def test_what_is_no_name_is_recorded_nowhere(tmp_path: Path, name: str) -> None:
    """Security, names: those of projects, phases, roles go into paths, columns and terminals."""
    async with Journal.open(tmp_path / "store") as journal:
        with pytest.raises(StorageError):
            journal.run(project=name)
        async with journal.run(project="p") as run:
            with pytest.raises(StorageError):
                run.phase(name)
            with pytest.raises(StorageError):
                await run.store("text", role=name)
            with pytest.raises(StorageError):
                run.log("info", "x", phase=name)
            with pytest.raises(StorageError):
                run.phase("a", partition=f"\x1b{name}")


FEEDS = [
    b'{"event":"opened","run_id":"../../../etc"}\n',
    b'{"event":"deleted","run_id":"../../../etc"}\n',
    b"\xff\xfe\n" * 100,
    b"{" * 100_000 + b"\n",
    b'{"what":"opened","run":"' + b"../" * 1000 + b'"}\n',
    b"\n" * 100_000,
]


@pytest.mark.anyio
@pytest.mark.parametrize("tail", FEEDS, ids=range(len(FEEDS)))
async def test_a_feed_that_lies_leads_nowhere(
    tmp_path: Path, whole: tuple[Path, list[str]], tail: bytes
) -> None:
    """Security, names: the feed is a list of ids out of a file; each is parsed as any other."""
    shutil.copytree(whole[0], tmp_path / "store")
    with (tmp_path / "store/feed").open("ab") as file:
        file.write(tail)
    async with Projections.open(tmp_path / "store") as runs:
        assert {record.run_id for record in await runs.list()} == set(whole[1])


@pytest.mark.anyio
async def test_a_hard_link_is_not_written_through(
    tmp_path: Path, whole: tuple[Path, list[str]]
) -> None:
    """Security, links: a second name of a file is the same file; artifacts are never rewritten."""
    store = tmp_path / "store"
    shutil.copytree(whole[0], store)
    artifact = next(store.glob(f"runs/*/*/*/{whole[1][0]}/artifacts/*"))
    os.link(artifact, tmp_path / "other")
    before = (tmp_path / "other").read_bytes()
    artifact.write_bytes(b"text x")  # damaged, through either name
    async with Journal.open(store) as journal, journal.resume(whole[1][0]) as run:
        stored = await run.store(before.decode())
        assert await journal.load(stored) == before.decode()
    assert (tmp_path / "other").read_bytes() == b"text x"

"""
Places that refuse: a read-only mount, immutable files, somebody else's store, odd umasks.

Each refusal is ``permission_denied`` and changes nothing; what can be read is read.
"""

import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import anyio

from journal.artifacts.filesystem import FilesystemArtifacts
from journal.backends.filesystem import FilesystemLog
from journal.errors import StorageError
from journal.journal import Journal
from projections.store import Projections
from tests.real.looking import RUNS, CatchingUp, check_projections
from tests.real.machine import mounted
from tests.real.oracle import check_writing, must
from tests.real.scenarios import RUN, Creating, Story, logs
from tests.real.terms import Terms
from tests.support.logs import Lines, snapshot
from tests.support.writers import OPENING
from tests.torture.tally import Tally

NOBODY = 65_534
DENIED = "permission_denied"


class NotHere(Exception):
    """This machine does not allow it."""


def place_rounds(terms: Terms) -> Tally:
    """Every kind of place."""
    tally = Tally()
    for work in (_read_only, _immutable, _somebody_elses, _odd_umasks):
        name = work.__name__.strip("_")
        with tempfile.TemporaryDirectory(prefix="real-") as folder:
            os.chmod(folder, 0o755)
            try:
                tally.faults += work(Path(folder))
            except NotHere as reason:
                tally.not_run.append(f"{terms.name} {name}: {reason}")
            except Exception as failure:  # noqa: BLE001 - whatever it is, the promise is broken
                tally.violations.append(terms.violation(name, failure))
    return tally


def code_of(work: Callable[[], object]) -> str:
    """The code of the ``StorageError`` that ``work`` raises."""
    try:
        work()
    except StorageError as failure:
        return failure.code.value
    return "nothing was raised"


def _read_only(folder: Path) -> int:
    """Cases 16 and 65: a read-only mount is read in full, and refuses every writer."""
    CatchingUp().prepare(folder / "store")
    before = snapshot(folder / "store")
    with mounted(folder / "place", "--bind", str(folder / "store")) as place:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(place)], check=True)
        anyio.run(_read, place)
        log = FilesystemLog.open(place)
        artifacts = FilesystemArtifacts(log.root)
        refusals = {
            "acquire": lambda: log.acquire(RUN),
            "create": lambda: log.create(Lines().run_id, Lines().of(OPENING)),
            "delete": lambda: log.delete(RUN),
            "begin": lambda: artifacts.begin(RUN),
            "resume": lambda: anyio.run(_resume, place),
            "rebuild": lambda: anyio.run(_rebuild, place),
        }
        for name, work in refusals.items():
            must(code_of(work) == DENIED, f"{name}: {code_of(work)}")
    must(snapshot(folder / "store") == before, "a read-only store was changed")
    check_projections(folder / "store")
    return len(refusals)


async def _read(store: Path) -> None:
    async with Projections.open(store) as runs:
        found = sorted((run.run_id, run.seq) for run in await runs.list())
        must(found == [(run_id, 9) for run_id in RUNS], f"listed {found}")
        must((await runs.state(RUN)).seq == 9, "another state")
        must(len(await runs.artifacts(RUN)) == 1, "the artifact is not listed")


async def _resume(store: Path) -> None:
    async with Journal.open(store) as journal, journal.resume(RUN):
        pass


async def _rebuild(store: Path) -> None:
    async with Projections.open(store) as runs:
        await runs.rebuild()


def _immutable(folder: Path) -> int:
    """Cases 12 and 16: one file after the other takes no change; afterwards all goes on."""
    met = 0
    for name in ("events.jsonl", "head", ".", "../../../../../feed", "artifacts"):
        store = folder / f"store-{met}"
        story = Story(OPENING, logs(3))
        log = FilesystemLog.open(store)
        lease = log.create(RUN, story.batches[0])
        log.append(lease, story.batches[1])
        log.release(lease)
        target = (Path(log.folder(RUN)) / name).resolve()
        done = subprocess.run(["chattr", "+i", str(target)], capture_output=True, text=True)
        if done.returncode:
            raise NotHere(f"chattr: {done.stderr.strip()}")
        try:
            if name == "artifacts":
                code = code_of(lambda: FilesystemArtifacts(log.root).begin(RUN))  # noqa: B023
            elif name == ".":
                code = code_of(lambda: log.delete(RUN))  # noqa: B023
            else:
                code = code_of(lambda: log.acquire(RUN))  # noqa: B023
        finally:
            subprocess.run(["chattr", "-i", str(target)], check=True)
        must(code == DENIED, f"{name} is immutable: {code}")
        records = check_writing(store, RUN, story.lines, len(story.lines))
        must(len(records) == len(story.lines), "something was written")
        met += 1
    return met


def _as_nobody(work: Callable[[], str], umask: int = 0o022) -> str:
    """What ``work`` says in a process of another user."""
    out, into = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            os.umask(umask)
            said = work()
        except BaseException as failure:  # noqa: BLE001 - said, and judged by who asked
            said = f"escaped: {failure!r}"
        os.write(into, said.encode()[:4000])
        os._exit(0)
    os.close(into)
    with os.fdopen(out) as end:
        said = end.read()
    os.waitpid(pid, 0)
    return said


def _check_reachable(folder: Path) -> None:
    """Below a private folder another user is refused before he gets to anything of ours."""
    if os.getuid() == 0 and _as_nobody(lambda: str(os.access(folder, os.R_OK))) != "True":
        raise NotHere(f"another user cannot reach {folder}")


def _somebody_elses(folder: Path) -> int:
    """Case 81: another user may neither read nor write what is not his; nothing changes."""
    _check_reachable(folder)
    story = Story(OPENING, logs(3))
    store = folder / "store"
    log = FilesystemLog.open(store)
    lease = log.create(RUN, story.batches[0])
    log.append(lease, story.batches[1])
    log.release(lease)
    before = snapshot(store)
    _must_be_private(store)

    def write() -> str:
        return code_of(lambda: FilesystemLog.open(store).acquire(RUN))

    def read() -> str:
        return code_of(lambda: anyio.run(_list, store))

    met = 0
    for said in (_as_nobody(write), _as_nobody(read)):
        must(said == DENIED, f"another user: {said}")
        met += 1
    # Everything is his now but one file: he gets as far as that.
    run = Path(log.folder(RUN))
    for path in (folder, store, *store.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    for name in ("events.jsonl", "head", "lock"):
        os.chown(run / name, 0, 0)
        said = _as_nobody(write)
        must(said == DENIED, f"{name} is somebody else's: {said}")
        os.chown(run / name, NOBODY, NOBODY)
        met += 1
    must({**snapshot(store)} == before, "something was changed")
    check_writing(store, RUN, story.lines, len(story.lines))
    return met


async def _list(store: Path) -> None:
    async with Projections.open(store) as runs:
        await runs.list()


def _odd_umasks(folder: Path) -> int:
    """Case 81: no umask makes anything that others can read; a senseless one is refused."""
    _check_reachable(folder)
    met, creating = 0, Creating()
    for umask in (0o000, 0o007, 0o077, 0o177, 0o277, 0o377, 0o777):
        home = folder / f"{umask:o}"
        home.mkdir()
        os.chown(home, NOBODY, NOBODY)
        told: list[str] = []

        def life(home: Path = home, told: list[str] = told) -> str:
            code = code_of(lambda: creating.live(home / "store", told.append))
            return code if told == [] or code != "nothing was raised" else f"fine {told[-1]}"

        said = _as_nobody(life, umask)
        _must_be_private(home / "store")
        if umask & 0o700:
            must(said == DENIED, f"umask {umask:o}: {said}")
        else:
            must(said == "fine ack 8", f"umask {umask:o}: {said}")
            anyio.run(_list, home / "store")
            _must_be_private(home / "store")
        met += 1
    return met


def _must_be_private(store: Path) -> None:
    for path in (store, *store.rglob("*")):
        if path.exists():
            must(not path.stat().st_mode & 0o077, f"others may enter {path.name}")

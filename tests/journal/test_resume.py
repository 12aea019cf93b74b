"""Going on with a run: after its end, after a kill, after damage; and opening one only to look."""

import signal
import subprocess
from pathlib import Path

import pytest

from journal import Journal, Run, StorageError, new_run_id
from journal.backends.lease import FileLease
from journal.events.log import LogRecovered
from journal.events.run import CodeVersion, PlannedPhase, WriterOpened
from journal.files import Files
from tests.journal.helpers import at_rest, events, journal_on, last, note, records
from tests.support.disks import GatedFiles
from tests.support.logs import crash
from tests.support.processes import other

WORKER = """
import sys, anyio
from journal import Journal

async def main():
    async with Journal.open(sys.argv[1]) as journal:
        async with journal.run(project="nightly", parameters={"n": 1}) as run:
            async with run.phase("ingest") as phase:
                await phase.store("text")
            async with run.phase("translate", partition="de") as phase:
                print(run.id, flush=True)
                await anyio.sleep(60)

anyio.run(main)
"""


async def fail(run: Run) -> None:
    """Enter a run, and fail inside of a phase."""
    async with run, run.phase("ingest"):
        raise ValueError("bad")


async def test_a_completed_run_is_resumed_and_completes_again(journal: Journal) -> None:
    """Its past stays; a phase that completed begins its next revision."""
    async with journal.run(project="nightly") as run, run.phase("ingest"):
        pass
    async with journal.resume(run.id) as again:
        assert (again.id, again.epoch, again.state.status) == (run.id, 2, "running")
        async with again.phase("ingest") as phase:
            assert (phase.revision, phase.attempt) == (2, 1)
    assert events(journal, run.id)[4:7] == ["run_completed", "writer_opened", "run_resumed"]
    assert events(journal, run.id)[-1] == "run_completed"
    opened = last(journal, run.id, "writer_opened").data
    assert isinstance(opened, WriterOpened)
    assert (opened.epoch, opened.format) == (2, 1)


async def test_a_failed_run_tries_again(journal: Journal) -> None:
    """The next attempt of the same revision."""
    run = journal.run(project="nightly")
    with pytest.raises(ValueError, match="bad"):
        await fail(run)
    async with journal.resume(run.id) as again, again.phase("ingest") as phase:
        assert (phase.revision, phase.attempt) == (1, 2)
    assert events(journal, run.id)[-1] == "run_completed"


async def test_a_killed_run_goes_on_with_what_it_had(store: Path) -> None:
    """What was running is interrupted; what completed stays completed, with its artifacts."""
    with other(WORKER, store) as process:
        run_id = process.line()
        process.signal(signal.SIGKILL)
        process.ended()
    async with Journal.open(store) as journal:
        assert not at_rest(journal, run_id)
        async with journal.resume(run_id) as run:
            assert run.parameters == {"n": 1}
            assert run.state.phase("ingest").status == "completed"
            assert run.state.phase("translate", "de").status == "interrupted"
            (artifact_id,) = run.state.phase("ingest").artifact_ids
            found = await run.find_artifacts([artifact_id])
            assert await journal.load(found[artifact_id]) == "text"
            async with run.phase("translate", partition="de") as phase:
                assert (phase.revision, phase.attempt) == (1, 2)
        assert events(journal, run_id)[-1] == "run_completed"
        assert at_rest(journal, run_id)


async def test_a_torn_tail_is_told_by_who_resumes(journal: Journal, store: Path) -> None:
    """In the first batch of the opening, with what was kept and where."""
    run = await journal.run(project="nightly").__aenter__()
    crash(run._writing.writer.lease)
    log = next(store.glob("runs/*/*/*/*/events.jsonl"))
    with log.open("ab") as torn:
        torn.write(b'{"seq":3,"timest')
    async with journal.resume(run.id):
        pass
    assert events(journal, run.id)[2:] == [
        "writer_opened",
        "log_recovered",
        "run_resumed",
        "run_completed",
    ]
    assert len({record.batch for record in records(journal, run.id)[2:5]}) == 1
    told = last(journal, run.id, "log_recovered").data
    assert isinstance(told, LogRecovered)
    assert told.bytes_set_aside == 16
    assert (log.parent / told.kept_as).read_bytes() == b'{"seq":3,"timest'
    with pytest.raises(StorageError) as raised:
        await run.append(note())
    assert raised.value.code in {"closed", "conflict", "io_error"}


async def test_opening_a_run_for_notes_leaves_its_status(journal: Journal) -> None:
    """Completed stays completed, failed stays failed, also when the block fails."""
    async with journal.run(project="nightly") as run:
        pass
    async with journal.open_run(run.id) as opened:
        await opened.annotate("looks fine", about=2, actor="Ada")
        assert opened.state.status == "completed"
        with pytest.raises(StorageError) as raised:
            await opened.phase("ingest").__aenter__()
        assert raised.value.code == "conflict"

    async def open_and_fail() -> None:
        async with journal.open_run(run.id):
            raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        await open_and_fail()
    assert events(journal, run.id)[2:] == [
        "run_completed",
        "writer_opened",
        "annotation_added",
        "writer_opened",
    ]
    assert at_rest(journal, run.id)


async def test_a_run_is_resumed_by_one_at_a_time(journal: Journal, store: Path) -> None:
    """Case 40: also between two journals of one process; who waits long enough gets it."""
    async with journal.run(project="nightly") as run:
        for opened in (journal.resume(run.id), journal.open_run(run.id)):
            with pytest.raises(StorageError) as raised:
                await opened.__aenter__()
            assert raised.value.code == "locked"
        async with Journal.open(store) as second:
            with pytest.raises(StorageError) as raised:
                await second.resume(run.id, wait_s=0.05).__aenter__()
            assert raised.value.code == "locked"
    async with Journal.open(store) as second, second.resume(run.id, wait_s=30) as again:
        assert again.epoch == 2


@pytest.mark.parametrize("run_id", ["", "..", "x" * 36, "0" * 36, "@latest"])
async def test_a_bad_id_is_refused_before_anything_is_touched(
    journal: Journal, run_id: str
) -> None:
    """Case 76: an id becomes a path, so it is parsed first."""
    for use in (journal.resume, journal.open_run):
        with pytest.raises(StorageError) as raised:
            use(run_id)
        assert raised.value.code == "validation_error"
    with pytest.raises(StorageError) as raised:
        await journal.delete(run_id)
    assert raised.value.code == "validation_error"


async def test_a_run_that_is_not_there_is_not_found(journal: Journal) -> None:
    """And not made."""
    for use in (journal.resume, journal.open_run):
        with pytest.raises(StorageError) as raised:
            await use(new_run_id()).__aenter__()
        assert raised.value.code == "not_found"
    assert list(journal.log.runs()) == []


@pytest.mark.parametrize(
    ("before", "now", "same"),
    [
        (CodeVersion(source_sha256="a" * 64), CodeVersion(source_sha256="a" * 64), True),
        (CodeVersion(source_sha256="a" * 64), CodeVersion(source_sha256="b" * 64), False),
        (CodeVersion(git_commit="c" * 40), CodeVersion(git_commit="d" * 40), False),
        (None, CodeVersion(git_commit="d" * 40), True),
        (CodeVersion(git_commit="c" * 40), None, True),
    ],
)
async def test_other_code_is_refused_unless_it_is_allowed(
    journal: Journal, before: CodeVersion | None, now: CodeVersion | None, same: bool
) -> None:
    """Half of a run by one program and half by another is a decision of a person."""
    async with journal.run(project="nightly", code=before) as run:
        pass
    if not same:
        with pytest.raises(StorageError) as raised:
            await journal.resume(run.id, code=now).__aenter__()
        assert (raised.value.code, raised.value.info.details.reason) == ("conflict", "code_changed")
        assert events(journal, run.id)[-1] == "run_completed"
        assert at_rest(journal, run.id)
    async with journal.resume(run.id, code=now, allow_changed=not same) as again:
        assert again.state.code == (now or before)
    async with journal.resume(run.id, code=now):  # what was allowed once is the code by now
        pass


async def test_a_new_plan_is_recorded_and_the_same_one_is_not_repeated(journal: Journal) -> None:
    """The plan that holds is the last one that was told."""
    old, new = [PlannedPhase(name="ingest")], [PlannedPhase(name="ingest"), PlannedPhase(name="qa")]
    async with journal.run(project="nightly", plan=old) as run:
        pass
    for plan, told in ((old, None), (new, tuple(new)), (None, None)):
        async with journal.resume(run.id, plan=plan) as again:
            assert again.state.plan == tuple(plan or new)
        opened = last(journal, run.id, "writer_opened").data
        assert isinstance(opened, WriterOpened)
        assert opened.plan == told


async def test_an_opening_that_finds_no_space_gives_the_lease_back(store: Path) -> None:
    """Case 19: refused, nothing changed, and free for the next try."""

    class Full(Files):
        full = False

        def write(self, fd: int, data: bytes | memoryview) -> int:
            if self.full and b"writer_opened" in bytes(data):
                import errno

                raise OSError(errno.ENOSPC, "full")
            return super().write(fd, data)

    files = Full()
    async with journal_on(store, files) as journal:
        async with journal.run(project="nightly") as run:
            pass
        files.full = True
        with pytest.raises(StorageError) as raised:
            await journal.resume(run.id).__aenter__()
        assert raised.value.code == "no_space"
        assert events(journal, run.id)[-1] == "run_completed"
        files.full = False
        async with journal.resume(run.id) as again:
            assert again.seq == 5


async def test_runs_of_two_journals_on_one_store_do_not_meet(store: Path) -> None:
    """Each run has its own log and lock; both journals see all of them."""
    async with Journal.open(store) as one, Journal.open(store) as two:
        async with one.run(project="nightly") as first, two.run(project="nightly") as second:
            for _ in range(5):
                await first.append(note())
                await second.append(note())
            assert sorted(one.log.runs()) == sorted(two.log.runs()) == sorted([first.id, second.id])
            assert events(two, first.id) == events(one, second.id)
            with pytest.raises(StorageError) as raised:
                await two.delete(first.id)
            assert raised.value.code == "locked"
        await two.delete(first.id)
        with pytest.raises(StorageError) as raised:
            await one.resume(first.id).__aenter__()
        assert raised.value.code == "not_found"


class SlowFor(GatedFiles):
    """Slow for one descriptor only."""

    fd = -1

    def fdatasync(self, fd: int) -> None:
        if fd == self.fd:
            super().fdatasync(fd)
        else:
            Files.fdatasync(self, fd)


async def test_runs_sync_side_by_side(store: Path) -> None:
    """A slow disk holds up its own run only."""
    files = SlowFor()
    async with (
        journal_on(store, files) as journal,
        journal.run(project="nightly") as slow,
        journal.run(project="nightly") as quick,
    ):
        lease = slow._writing.writer.lease
        assert isinstance(lease, FileLease)
        files.fd = lease.log_fd
        files.gate.clear()
        receipt = slow.emit(note())
        receipt.hurry()
        for _ in range(5):
            await quick.append(note())
        assert not receipt.durable
        files.gate.set()
        await receipt


def test_a_program_that_forgets_to_close_still_ends(tmp_path: Path) -> None:
    """Its threads are daemons; its log is recovered by whoever comes next."""
    program = SLOPPY.replace("STORE", str(tmp_path / "store"))
    with other(program, errors=subprocess.DEVNULL) as process:
        run_id = process.line()
        assert process.ended() == 0
    assert run_id


SLOPPY = """
import anyio
from journal import Journal

async def main():
    journal = await Journal.open("STORE").__aenter__()
    run = await journal.run(project="nightly").__aenter__()
    run.log("info", "bye")
    print(run.id, flush=True)

anyio.run(main)
"""

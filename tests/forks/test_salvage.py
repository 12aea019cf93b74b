"""What is damaged is never touched: whatever of it verifies becomes a new run."""

import errno
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from journal import Journal
from journal.backends.filesystem import FilesystemLog
from journal.backends.headfile import decode_head, encode_head
from journal.errors import StorageError, StorageErrorCode
from journal.events.base import Event
from journal.ids import RunId, new_run_id
from journal.log import HeadInfo, Lease
from journal.salvage import Salvaged
from projections import Projections
from tests.forks.damage import flip, folder_of, starts, trace
from tests.forks.story import half_way, inherited, leave
from tests.support.disks import UnsyncedFiles
from tests.support.logs import Lines, code_of, crash

pytestmark = pytest.mark.anyio


class Damaged:
    """A run on disk, to be damaged and salvaged."""

    def __init__(self, journal: Journal, run_id: RunId, root: Path) -> None:
        self.journal = journal
        self.run_id = run_id
        self.root = root
        self.folder = folder_of(journal, run_id)
        self.events = self.folder / "events.jsonl"
        self.whole = self.events.read_bytes()
        self.starts = starts(self.whole)

    async def salvage(self) -> Salvaged:
        """Salvage it and look that nothing about it changed."""
        before = trace(self.folder)
        try:
            return await self.journal.salvage(self.run_id)
        finally:
            assert trace(self.folder) == before

    async def refused(self) -> StorageError:
        """Salvage it in vain; no new run may appear."""
        with pytest.raises(StorageError) as raised:
            await self.salvage()
        assert list(self.journal.log.runs()) == [self.run_id]
        return raised.value


@pytest.fixture
async def damaged(tmp_path: Path, anyio_backend: str) -> AsyncIterator[Damaged]:
    """A run that stopped half way; the test damages it."""
    async with Journal.open(tmp_path / "store") as journal:
        yield Damaged(journal, await half_way(journal), tmp_path / "store")


async def test_a_flipped_bit_leaves_all_that_stands_before_it(damaged: Damaged) -> None:
    """Case 21: the new run has every whole batch before the flip, and no line behind it."""
    async with Projections.open(damaged.root) as runs:
        then = [await runs.state(damaged.run_id, at=seq) for seq in range(1, len(damaged.starts))]
    for line in range(2, len(damaged.starts) - 1):  # lines 1 and 2 are one batch
        damaged.events.write_bytes(damaged.whole)
        flip(damaged.events, damaged.starts[line] + 30)
        made = await damaged.salvage()
        assert (made.damaged, made.parent, made.code) == (damaged.run_id,) * 2 + ("corrupt",)
        assert made.seq <= line < len(damaged.starts) - 1
        assert made.left_from_line == made.seq + 1
        assert made.left_from_byte == damaged.starts[made.seq]
        assert made.left_bytes == len(damaged.whole) - damaged.starts[made.seq]
        assert f"line {line + 1} (byte {damaged.starts[line]})" in made.because
        async with Projections.open(damaged.root) as runs:
            state = await runs.state(made.run_id)
            assert inherited(state) == inherited(then[made.seq - 1])
            assert await runs.verify([made.run_id]) == []


async def test_what_was_salvaged_goes_on(damaged: Damaged) -> None:
    """That is what it is for: the finished phase stays finished, the rest is done again."""
    flip(damaged.events, damaged.starts[-2] + 30)
    made = await damaged.salvage()
    async with damaged.journal.resume(made.run_id) as run:
        assert run.state.phase("ingest").status == "completed"
        async with run.phase("translate"):
            pass
    async with Projections.open(damaged.root) as runs:
        assert (await runs.state(made.run_id)).status == "completed"
        listed = {each.run_id: each.status for each in await runs.list()}
        assert listed == {made.run_id: "completed", damaged.run_id: "unreadable"}


async def test_a_log_cut_below_its_watermark_is_salvaged(damaged: Damaged) -> None:
    """Case 25: acknowledged lines are gone, so the run is damaged though all that is left holds."""
    damaged.events.write_bytes(damaged.whole[: damaged.starts[-2]])
    made = await damaged.salvage()
    assert made.left_bytes == 0
    assert made.seq == len(damaged.starts) - 2
    assert "were acknowledged" in made.because


async def test_a_head_that_lies_leaves_the_whole_log(damaged: Damaged) -> None:
    """Case 22: where only the watermark is wrong, nothing of the log is left behind."""
    head = damaged.folder / "head"
    found = decode_head(head.read_bytes())
    assert found is not None
    lying = type(found.head)(found.head.seq, found.head.position, "0" * 64)
    head.write_bytes(encode_head(lying, found.epoch, found.pid, found.state))
    made = await damaged.salvage()
    assert (made.seq, made.left_bytes) == (len(damaged.starts) - 1, 0)


async def test_line_1_damaged_leaves_nothing(damaged: Damaged) -> None:
    """Case 23: there is nothing that verifies, so there is nothing to begin a run with."""
    flip(damaged.events, 20)
    refusal = await damaged.refused()
    assert refusal.code is StorageErrorCode.CORRUPT
    assert refusal.info.details.reason == "nothing_to_salvage"


async def test_a_log_that_is_gone_leaves_nothing(damaged: Damaged) -> None:
    """Case 20: a folder without its log is no run to begin from, and is not made one."""
    damaged.events.unlink()
    refusal = await damaged.refused()
    assert refusal.code is StorageErrorCode.NOT_FOUND
    assert refusal.info.details.reason == "log_gone"


async def test_a_torn_tail_is_for_repair(damaged: Damaged) -> None:
    """Case 3: what a crash tears is no damage, and the run itself can go on."""
    run = damaged.journal.open_run(damaged.run_id)
    await run.__aenter__()
    crash(run._writing.writer.lease)
    with damaged.events.open("ab") as log:
        log.write(b'{"seq":')
    refusal = await damaged.refused()
    assert refusal.code is StorageErrorCode.CONFLICT
    assert refusal.info.details.next_action == f"journal repair {damaged.run_id}"


async def test_a_live_run_is_left_alone(journal: Journal) -> None:
    """Case 48: what a writer is at work on is on its way, not damaged."""
    async with journal.run(project="nightly") as run:
        with pytest.raises(StorageError) as raised:
            await journal.salvage(run.id)
        assert raised.value.code is StorageErrorCode.LOCKED
    assert list(journal.log.runs()) == [run.id]


@pytest.mark.parametrize("left", [False, True])
async def test_a_run_that_is_resumed_meanwhile_is_left_alone(
    damaged: Damaged, monkeypatch: pytest.MonkeyPatch, left: bool
) -> None:
    """Case 48: a torn tail was walked into, then set aside: no damage, and no new run."""
    run_id, log = damaged.run_id, damaged.journal.log
    crash(log.acquire(run_id))
    with damaged.events.open("ab") as events:
        events.write(b'{"seq":')
    head = log.head
    held: list[Lease] = []

    def resumed_before(asked: RunId) -> HeadInfo:
        monkeypatch.setattr(log, "head", head)
        lease, lines = log.acquire(run_id), Lines(run_id)
        lines.seq, lines.link = lease.head.seq, lease.head.hash
        log.append(lease, lines.batch())
        if left:
            log.release(lease)
        held.append(lease)
        return head(asked)

    monkeypatch.setattr(log, "head", resumed_before)
    with pytest.raises(StorageError) as raised:
        await damaged.journal.salvage(run_id)
    assert raised.value.code is StorageErrorCode.LOCKED
    assert list(log.runs()) == [run_id]
    log.release(held[0])


async def test_a_run_that_is_not_damaged_is_not_salvaged(journal: Journal) -> None:
    """What the library can go on with is gone on with: salvage is for what it refuses."""
    run_id = await half_way(journal)
    with pytest.raises(StorageError) as raised:
        await journal.salvage(run_id)
    assert raised.value.code is StorageErrorCode.CONFLICT
    assert raised.value.info.details.next_action == f"journal resume {run_id}"


async def test_a_run_that_is_not_there_is_not_salvaged(journal: Journal) -> None:
    """Absent is ``not_found``, as everywhere."""
    with pytest.raises(StorageError) as raised:
        await journal.salvage(new_run_id())
    assert raised.value.code is StorageErrorCode.NOT_FOUND


async def test_artifacts_that_are_lost_are_told_and_keep_nothing_back(damaged: Damaged) -> None:
    """Cases 69 and 70: of a damaged disk, whatever is whole is saved."""
    (stored,) = (damaged.folder / "artifacts").iterdir()
    stored.write_bytes(b"other words")
    (damaged.folder / "artifacts" / ("ab" * 32)).write_bytes(b"untold")
    flip(damaged.events, damaged.starts[-2] + 30)
    made = await damaged.salvage()
    (lost,) = made.lost
    assert (lost.code, lost.phase, lost.sha256) == ("corrupt", "ingest", stored.name)
    assert made.artifacts == 0
    assert made.untold == ["ab" * 32]
    kept = folder_of(damaged.journal, made.run_id) / "artifacts"
    assert list(kept.iterdir()) == []


async def test_unknown_events_are_carried_along(tmp_path: Path) -> None:
    """Case 36: what this version does not know is kept as it is, in the past as in a log."""

    class InvoiceSent(Event, frozen=True, kw_only=True):
        """Known while it is written."""

        event_name = "acme.invoice_sent_of_salvage"
        number: int

    async with Journal.open(tmp_path / "store") as journal:
        run = journal.run(project="nightly")
        await run.__aenter__()
        await run.append(InvoiceSent(number=7))
        await run.annotate("a")
        await run.annotate("b")
        await leave(run)
        damaged = Damaged(journal, run.id, tmp_path / "store")
        flip(damaged.events, damaged.starts[-2] + 30)
        made = await damaged.salvage()
        async with Projections.open(damaged.root) as runs:
            assert (await runs.state(made.run_id)).totals.user_events == 1


async def test_a_fork_whose_own_log_is_damaged_keeps_its_past(damaged: Damaged) -> None:
    """Its past is whole and in its folder, so what is salvaged of it has both."""
    forked = await damaged.journal.fork(damaged.run_id)
    async with damaged.journal.resume(forked.run_id) as run:
        await run.annotate("a")
    own = Damaged(damaged.journal, RunId(forked.run_id), damaged.root)
    flip(own.events, own.starts[-2] + 30)
    made = await own.salvage()
    assert (made.parent, made.ancestors) == (forked.run_id, 2)
    async with Projections.open(damaged.root) as runs:
        assert await runs.verify([made.run_id]) == []
        assert (await runs.state(made.run_id)).totals.artifacts == 1


async def test_a_fork_whose_past_is_damaged_keeps_what_stands_before(damaged: Damaged) -> None:
    """Nothing can be folded onto a past that is not whole: the new run goes on from inside it."""
    forked = await damaged.journal.fork(damaged.run_id)
    await damaged.journal.delete(damaged.run_id)
    own = Damaged(damaged.journal, RunId(forked.run_id), damaged.root)
    past = own.folder / f"ancestors/{damaged.run_id}.jsonl"
    flip(past, damaged.starts[-2] + 30)
    made = await own.salvage()
    assert (made.damaged, made.parent) == (forked.run_id, damaged.run_id)
    assert 1 < made.seq < forked.seq
    assert (made.left_from_line, made.left_from_byte) == (1, 0)
    assert made.left_bytes == len(own.whole)
    async with Projections.open(damaged.root) as runs:
        assert await runs.verify([made.run_id]) == []
        assert (await runs.state(made.run_id)).totals.artifacts == 1


async def test_a_disk_that_can_only_be_read_is_salvaged_elsewhere(
    damaged: Damaged, tmp_path: Path
) -> None:
    """Whoever has a failing disk mounts it read-only and saves what is there to another one."""
    flip(damaged.events, damaged.starts[-2] + 30)
    async with Journal.open(tmp_path / "elsewhere") as other:
        before = trace(damaged.root)
        made = await other.salvage(damaged.run_id, source=damaged.journal)
        assert trace(damaged.root) == before
        async with Projections.open(tmp_path / "elsewhere") as runs:
            assert [each.run_id for each in await runs.list()] == [made.run_id]
            assert await runs.verify() == []
    assert code_of(damaged.journal.log.head, RunId(made.run_id)) == "not_found"


class BadSector(UnsyncedFiles):
    """A disk that does not give what lies behind a place in a file of that size."""

    def __init__(self, behind: int, size: int) -> None:
        self._behind, self._size = behind, size

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        """Fail for whatever reaches there."""
        if offset + size > self._behind and self.status(fd).size == self._size:
            raise OSError(errno.EIO, "Input/output error")
        return super().pread(fd, size, offset)


async def test_what_a_failing_disk_still_gives_is_salvaged(tmp_path: Path) -> None:
    """Case 12: all that can be read before the bad sector; nothing behind it is read again."""
    async with Journal.open(tmp_path / "store") as journal:
        run = journal.run(project="nightly")
        await run.__aenter__()
        for number in range(40):
            await run.annotate(f"{number} " + "x" * 10_000)
        await leave(run)
        damaged = Damaged(journal, run.id, tmp_path / "store")
        size = len(damaged.whole)
        bad = FilesystemLog.open(damaged.root, create=False, files=BadSector(size // 2, size))
        source = Journal(bad, journal.artifacts)
        before = trace(damaged.folder)
        made = await journal.salvage(run.id, source=source)
        assert trace(damaged.folder) == before
        assert made.code is StorageErrorCode.IO_ERROR
        assert 10 < made.seq < 22  # what is read at once lies wholly before it
        async with Projections.open(damaged.root) as runs:
            assert (await runs.state(made.run_id)).totals.annotations == made.seq - 2

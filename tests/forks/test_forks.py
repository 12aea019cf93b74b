"""A fork begins with another run's past, whole, and goes on with it as its own."""

from pathlib import Path

import pytest

from journal import Journal
from journal.errors import StorageError, StorageErrorCode
from journal.events.run import Parent
from journal.ids import RunId, new_run_id, parse_run_id
from journal.testing import records
from projections import Projections
from tests.forks.damage import folder_of, trace
from tests.forks.story import PLAN, half_way, inherited, leave, work
from tests.journal.helpers import note
from tests.pipeline.helpers import Parameters, Row, Seen, Trouble, with_trouble

pytestmark = pytest.mark.anyio


async def test_a_fork_begins_as_its_parent_stood(journal: Journal) -> None:
    """At its own line 1 the state is the parent's of that moment, but for name, time and status."""
    run_id = await half_way(journal)
    last = journal.log.head(run_id).head.seq
    async with Projections.of(journal) as runs:
        for seq in range(1, last + 1):
            forked = await journal.fork(run_id, at=seq)
            before, after = await runs.state(run_id, at=seq), await runs.state(forked.run_id)
            assert inherited(after) == inherited(before)
            assert await runs.state(forked.run_id, at=1) == after
            assert after.parent is not None
            assert (after.status, after.seq, after.parent.seq) == ("pending", 1, seq)
            assert parse_run_id(after.run_id) == forked.run_id


async def test_finished_phases_are_not_done_again(journal: Journal) -> None:
    """What the parent had done by then is handed back out of the fork's own folder."""
    calls: list[str] = []
    pipeline = with_trouble(Trouble("report"), calls)
    seen = Seen()
    with pytest.raises(ConnectionError):
        await pipeline.run(journal, Parameters(), on_run=seen)
    calls.clear()
    forked = await journal.fork(seen.run_id)
    await journal.delete(seen.run_id)
    result = await pipeline.resume(journal, forked.run_id)
    assert calls == ["report"]
    assert result.outputs["ingest"] == [Row(number=number) for number in range(3)]
    assert result.outputs["report"] == "de=103 fr=103"
    async with Projections.of(journal) as runs:
        state = await runs.state(forked.run_id)
        assert (state.status, state.totals.artifacts) == ("completed", 6)
        assert {each.run_id for each in await runs.artifacts(forked.run_id)} == {forked.run_id}
        assert await runs.verify() == []


async def test_what_was_running_is_interrupted_and_tried_again(journal: Journal) -> None:
    """Nobody will ever end it: the fork's first attempt at it is the next one."""
    run_id = await half_way(journal)
    forked = await journal.fork(run_id)
    async with journal.resume(forked.run_id) as run:
        assert run.state.phase("translate").status == "interrupted"
        assert run.state.phase("ingest").status == "completed"
        async with run.phase("translate") as phase:
            assert (phase.revision, phase.attempt) == (1, 2)


async def test_the_state_is_the_same_from_a_checkpoint_and_without(journal: Journal) -> None:
    """The past is folded once: a checkpoint of a fork holds it, and who has none reads it again."""
    forked = await journal.fork(await half_way(journal))
    async with journal.resume(forked.run_id) as run:
        await run.annotate("more")
    async with journal.open_run(forked.run_id) as again:
        known = again.state
    lease = journal.log.acquire(RunId(forked.run_id))
    journal.log.put_checkpoint(lease, b"")
    journal.log.release(lease)
    async with journal.open_run(forked.run_id) as anew:
        assert anew.state == known


async def test_a_fork_may_have_other_parameters(journal: Journal) -> None:
    """What is run live may differ; the past says what it was made with."""
    run_id = await half_way(journal)
    forked = await journal.fork(run_id, parameters={"date": "2027-01-01"})
    async with Projections.of(journal) as runs:
        state = await runs.state(forked.run_id)
    assert state.parameters == {"date": "2027-01-01"}
    assert (state.project, state.external_id) == ("nightly", None)
    assert [each.name for each in state.plan or []] == [each.name for each in PLAN]


async def test_the_parent_is_not_touched(tmp_path: Path) -> None:
    """The past is never changed: not a byte, not a time, also while somebody writes it."""
    entered = Journal.open(tmp_path / "store")
    async with entered as journal, journal.run(project="nightly") as run:
        await work(run)
        folder = folder_of(journal, run.id)
        before = trace(folder)
        forked = await journal.fork(run.id, at=3)
        assert trace(folder) == before
        assert forked.seq == 3


async def test_a_fork_of_a_fork_has_all_of_its_past(journal: Journal) -> None:
    """Each generation's lines are in its folder: deleting the older ones takes nothing from it."""
    generations = [await half_way(journal)]
    for number in range(3):
        forked = await journal.fork(generations[-1])
        run = journal.resume(forked.run_id)
        await run.__aenter__()
        await run.store(f"of generation {number}")
        await leave(run)
        generations.append(RunId(forked.run_id))
    async with Projections.of(journal) as runs:
        states = [await runs.state(each) for each in generations]
        assert [each.totals.artifacts for each in states] == [1, 2, 3, 4]
        assert (await journal.fork(generations[-1])).ancestors == 4
        for old in generations[:-1]:
            await journal.delete(old)
        told = await runs.artifacts(generations[-1])
        assert [each.inherited_from for each in told] == [*generations[:-1], None]
        assert await runs.state(generations[-1]) == states[-1]
        assert await runs.verify() == []
        assert (await runs.rebuild(check=True)).findings == []


async def test_what_never_changes_is_shared_on_disk(tmp_path: Path) -> None:
    """A hundred forks of one run cost a hundred names, not a hundred copies."""
    async with Journal.open(tmp_path / "store") as journal:
        first = await half_way(journal)
        second = await journal.fork(first)
        third = await journal.fork(second.run_id)
        kept = [
            folder_of(journal, each.run_id) / f"ancestors/{first}.jsonl" for each in (second, third)
        ]
        assert kept[0].stat().st_ino == kept[1].stat().st_ino
        assert kept[0].stat().st_ino != (folder_of(journal, first) / "events.jsonl").stat().st_ino
        (stored,) = (folder_of(journal, first) / "artifacts").iterdir()
        (shared,) = (folder_of(journal, third.run_id) / "artifacts").iterdir()
        assert stored.stat().st_ino == shared.stat().st_ino


async def test_keys_of_the_past_are_free_again(journal: Journal) -> None:
    """A key answers with a seq of its own run, and a fork may do the same work differently."""
    async with journal.run(project="nightly") as run:
        await run.append(note("once"), key="k")
        forked = await journal.fork(run.id)
    async with journal.resume(forked.run_id) as again:
        appended = await again.append(note("otherwise"), key="k")
        assert appended.first_seq == again.seq
        with pytest.raises(StorageError) as raised:
            await again.append(note("a third way"), key="k")
        assert raised.value.code is StorageErrorCode.CONFLICT


@pytest.mark.parametrize("seq", [0, -1, 10_000])
async def test_a_moment_that_was_not_is_refused(journal: Journal, seq: int) -> None:
    """Past the end there is nothing to go on from, and no run is made."""
    run_id = await half_way(journal)
    with pytest.raises(StorageError) as raised:
        await journal.fork(run_id, at=seq)
    assert raised.value.code is StorageErrorCode.NOT_FOUND
    assert list(journal.log.runs()) == [run_id]


async def test_an_artifact_that_is_gone_makes_no_fork(journal: Journal) -> None:
    """Case 69: a fork promises that what was finished is there; without it, it is none."""
    run_id = await half_way(journal)
    (digest,) = journal.artifacts.digests(run_id)
    journal.artifacts.remove(run_id, digest)
    with pytest.raises(StorageError) as raised:
        await journal.fork(run_id)
    assert raised.value.code is StorageErrorCode.NOT_FOUND
    assert list(journal.log.runs()) == [run_id]
    assert (await journal.fork(run_id, at=3)).artifacts == 0


async def test_nothing_is_before_a_fork_began(journal: Journal) -> None:
    """Its past has its own moments, in the parent: a time before line 1 is none of the fork's."""
    run_id = await half_way(journal)
    before = records(journal, run_id)[0].time
    forked = await journal.fork(run_id)
    async with Projections.of(journal) as runs:
        with pytest.raises(StorageError) as raised:
            await runs.state(forked.run_id, at=before)
    assert raised.value.info.details.reason == "no_such_point"


async def test_a_closed_journal_makes_no_fork(journal: Journal) -> None:
    """The same refusal as for any run: nothing is made behind a closed door."""
    run_id = await half_way(journal)
    await journal.close()
    for make in (journal.fork, journal.salvage):
        with pytest.raises(StorageError) as raised:
            await make(run_id)
        assert raised.value.code is StorageErrorCode.CLOSED


async def test_a_run_without_a_past_is_no_fork(journal: Journal) -> None:
    """A log that says it goes on from somewhere, and cannot say from what, would be damage."""
    parent = Parent(relation="fork", run_id=new_run_id(), seq=1, hash="0" * 64)
    with pytest.raises(StorageError) as raised:
        journal.run(project="nightly", parent=parent)
    assert raised.value.code is StorageErrorCode.VALIDATION_ERROR
    assert list(journal.log.runs()) == []

"""Whatever a run did: forked at any event it begins as it stood, on both sides of the house."""

from hypothesis import given, settings
from hypothesis import strategies as st

from journal.artifacts.memory import MemoryArtifacts
from journal.backends.memory import MemoryLog
from journal.checkpoint import remember
from journal.fork import Store, go_on, read_prefix
from journal.ids import RunId, new_run_id
from journal.lifecycle import INTERRUPTED, RUNNING, RunLifecycle
from projections.replay import RUN_INDEX, RUN_STATE, RunFolds, fold_log
from projections.run_state import RunState
from projections.timetravel.at import fold_to
from projections.verify import verify
from tests.forks.story import inherited
from tests.projections.helpers import Told, Writer, legal_runs

SPARED = {"artifact_not_found"}
"""The events of these runs tell artifacts that nobody stored: forking spares them."""


def state_at(log: MemoryLog, run_id: RunId, seq: int | None = None) -> RunState:
    return RUN_STATE.present(fold_to(log, run_id, log.head(run_id).head, seq))


def forked(store: Store, run_id: RunId, seq: int) -> RunId:
    new_id = new_run_id()
    go_on(store, store, read_prefix(store.log, run_id, seq), new_id, spare=True)
    return new_id


def write_side(log: MemoryLog, run_id: RunId) -> RunLifecycle:
    """What a writer would decide by, read from line 1."""
    lease = log.acquire(run_id)
    try:
        return remember(log, lease)[0].state
    finally:
        log.release(lease)


@given(legal_runs(), st.data())
@settings(max_examples=60)
def test_a_fork_of_any_run_at_any_event_begins_as_it_stood(
    told: list[Told], data: st.DataObject
) -> None:
    """State, index and the writer's own fold agree on the past; and so does a fork of the fork."""
    log = MemoryLog()
    store = Store(log, MemoryArtifacts())
    writer = Writer(log)
    for each in told:
        writer.write(each)
    run_id = writer.close().run_id
    seq = data.draw(st.integers(1, len(told)))
    before = state_at(log, run_id, seq)
    child = forked(store, run_id, seq)
    grandchild = forked(store, child, 1)
    for new_id in (child, grandchild):
        after = state_at(log, new_id)
        assert inherited(after) == inherited(before)
        head = log.head(new_id).head
        folds = RunFolds.fresh(new_id)
        folds.read(log, head)
        assert folds.run_state == fold_log(RUN_STATE, log, new_id, head)
        record = RUN_INDEX.present(folds.run_index)
        assert (record.status, record.artifacts) == ("pending", before.totals.artifacts)
        assert {f.reason for f in verify(log, store.artifacts, None, [new_id])} <= SPARED
        _same_on_the_write_side(write_side(log, new_id), after)


def _same_on_the_write_side(known: RunLifecycle, shown: RunState) -> None:
    standing = {
        (phase.name, each.partition): (each.status, each.revision, each.attempt)
        for phase in shown.phases
        for each in phase.partitions
    }
    for key, found in known.each_phase():
        assert found.status != RUNNING
        assert standing[key] == (found.status, found.revision, found.attempt)
    assert INTERRUPTED not in {status for status, _, _ in standing.values()} or any(
        found.status == INTERRUPTED for _, found in known.each_phase()
    )

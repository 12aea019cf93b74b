"""A fork begins with another run's past, whole, and goes on with it as its own."""

import pytest

from journal import Journal
from journal.ids import parse_run_id
from projections import Projections
from tests.forks.story import half_way, inherited


@pytest.mark.anyio
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

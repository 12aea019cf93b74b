"""What is refused is refused where it is said, and what is expected is what was given out."""

import pytest

from journal import Journal, StorageError, StorageErrorCode
from tests.journal.helpers import events, note


async def test_a_summary_that_cannot_be_told_fails_its_phase_at_the_call(journal: Journal) -> None:
    """Refused only at the end, it would leave the phase running and say nothing of where."""
    run = journal.run(project="demo")
    with pytest.raises(StorageError) as refused:
        async with run, run.phase("load") as phase:
            phase.summarize(kinds={1, 2})
    assert refused.value.code == StorageErrorCode.VALIDATION_ERROR
    assert events(journal, run.id)[-2:] == ["phase_failed", "run_failed"]


async def test_the_expected_seq_is_the_one_that_was_given_out(journal: Journal) -> None:
    """What was emitted and is not durable yet counts already: an append comes behind it."""
    async with journal.run(project="demo") as run:
        run.emit(note("on its way"))
        assert run.durable_seq <= run.seq == 3
        place = await run.append(note("behind it"), expected_seq=run.seq)
        assert place.first_seq == run.durable_seq == 4

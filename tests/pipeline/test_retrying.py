"""Which failures are tried again, and that the log says so before it happens."""

from collections.abc import Callable

import anyio
import pytest
import stamina

from journal import Journal, Phase, Pipeline, Retry, Run, StorageError, StorageErrorCode
from journal.errors import storage_error
from journal.events.phase import PhaseFailed, PhaseStarted
from tests.pipeline.helpers import Seen, events, story

On = type[Exception] | tuple[type[Exception], ...] | Callable[[Exception], bool]


def at_once(on: On, attempts: int = 3) -> Retry:
    """A retry without a wait: no clock decides a test."""
    return Retry(on=on, attempts=attempts, wait_initial_s=0, wait_max_s=0, wait_jitter_s=0)


def flaky(pipeline: Pipeline, retry: Retry, failures: list[Exception]) -> None:
    """A phase that raises each of ``failures``, one per attempt, and then returns."""

    @pipeline.phase(retry=retry)
    async def call(phase: Phase) -> str:
        if failures:
            raise failures.pop(0)
        return f"attempt {phase.attempt}"


async def test_a_failure_of_the_named_kind_is_tried_again(journal: Journal) -> None:
    """Each attempt is a fact: what failed, and that another one follows."""
    pipeline = Pipeline("flaky")
    flaky(pipeline, at_once(TimeoutError, attempts=3), [TimeoutError(), TimeoutError()])
    result = await pipeline.run(journal)
    assert result.outputs["call"] == "attempt 3"
    failed = events(journal, result.run_id, PhaseFailed)
    assert [(each.attempt, each.will_retry) for each in failed] == [(1, True), (2, True)]
    started = events(journal, result.run_id, PhaseStarted)
    assert [(each.revision, each.attempt) for each in started] == [(1, 1), (1, 2), (1, 3)]


async def test_the_last_attempt_says_that_none_follows(journal: Journal) -> None:
    """A reader of the log must not wait for an attempt that never comes."""
    pipeline, seen = Pipeline("flaky"), Seen()
    flaky(pipeline, at_once(OSError, attempts=2), [OSError("1"), OSError("2")])
    with pytest.raises(OSError, match="2"):
        await pipeline.run(journal, on_run=seen)
    failed = events(journal, seen.run_id, PhaseFailed)
    assert [each.will_retry for each in failed] == [True, False]


@pytest.mark.parametrize(
    "on", [TimeoutError, (TimeoutError, OSError), lambda failure: "again" in str(failure)]
)
async def test_a_failure_of_another_kind_is_not_tried_again(journal: Journal, on: On) -> None:
    """A mistake in the code does not get better by waiting."""
    pipeline, seen = Pipeline("flaky"), Seen()
    flaky(pipeline, at_once(on), [ValueError("no")])
    with pytest.raises(ValueError, match="no"):
        await pipeline.run(journal, on_run=seen)
    (failed,) = events(journal, seen.run_id, PhaseFailed)
    assert not failed.will_retry


async def test_where_retries_are_switched_off_the_log_promises_none(journal: Journal) -> None:
    """stamina can be switched off for a whole process; what is recorded follows that."""
    pipeline, seen = Pipeline("flaky"), Seen()
    flaky(pipeline, at_once(OSError), [OSError("off")])
    stamina.set_active(False)
    try:
        with pytest.raises(OSError, match="off"):
            await pipeline.run(journal, on_run=seen)
    finally:
        stamina.set_active(True)
    (failed,) = events(journal, seen.run_id, PhaseFailed)
    assert not failed.will_retry


async def test_a_retry_rule_that_breaks_is_the_failure(journal: Journal) -> None:
    """The phase must end in the log, whatever its rule does."""

    def broken(failure: Exception) -> bool:
        raise LookupError("the rule") from failure

    pipeline, seen = Pipeline("flaky"), Seen()
    flaky(pipeline, at_once(broken), [OSError("the phase")])
    with pytest.raises(LookupError, match="the rule"):
        await pipeline.run(journal, on_run=seen)
    assert story(journal, seen.run_id)[-2:] == ["failed call r1", "run_failed"]


@pytest.mark.parametrize("bad", [{"attempts": 0}, {"wait_max_s": -1.0}])
def test_bounds_of_a_retry_that_mean_nothing_are_refused(bad: dict[str, float]) -> None:
    """Zero attempts would record nothing and return nothing."""
    with pytest.raises(ValueError, match="at least once"):
        Retry(on=OSError, **bad)  # type: ignore[arg-type]


async def test_a_log_that_cannot_be_written_stops_everything(journal: Journal) -> None:
    """Work that cannot be recorded would be done twice; no retry rule may swallow that."""
    pipeline = Pipeline("stops")
    calls: list[str] = []
    writing: list[Run] = []

    @pipeline.phase(retry=at_once(Exception))
    async def breaks() -> None:
        calls.append("breaks")
        await writing[0].close()

    @pipeline.phase()
    async def waits() -> None:
        await anyio.sleep_forever()

    with pytest.raises(StorageError) as caught:
        await pipeline.run(journal, on_run=writing.append)
    assert caught.value.code is StorageErrorCode.CLOSED
    assert calls == ["breaks"]


async def test_a_storage_error_of_the_phase_itself_is_its_own(journal: Journal) -> None:
    """A phase may use storage of its own: that one failing is a failure like any other."""
    pipeline = Pipeline("own")
    failures: list[Exception] = [storage_error(StorageErrorCode.UNAVAILABLE, "elsewhere.")]
    flaky(pipeline, at_once(StorageError), failures)
    assert (await pipeline.run(journal)).outputs["call"] == "attempt 2"

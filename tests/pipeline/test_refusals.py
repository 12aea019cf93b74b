"""A pipeline or parameters that are refused leave no run behind."""

from typing import Any

import pytest

from journal import Journal, Pipeline, StorageError, StorageErrorCode
from tests.pipeline.helpers import Parameters, Row, Total, three_phases


async def source() -> list[Row]:
    return []


async def test_nothing_is_recorded_of_a_pipeline_that_is_refused(journal: Journal) -> None:
    """A run that could never work would stand in every list."""
    with pytest.raises(StorageError, match="it has no phases"):
        await Pipeline("empty").run(journal)
    lonely = Pipeline("lonely", parameters=Parameters)
    lonely.phase(after=["nobody"])(source)
    with pytest.raises(StorageError, match="which is no phase"):
        await lonely.run(journal, Parameters())
    assert list(journal.log.runs()) == []


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({"rows": "many"}, "no Parameters: field rows"),
        ({"row": 1}, "no Parameters"),
        ({"languages": ["x\n"]}, "partition 'x\\n' is refused"),
        (Total(total=1), "its parameters are Parameters"),
    ],
)
async def test_parameters_that_are_refused_make_no_run(
    journal: Journal, parameters: Any, why: str
) -> None:
    """They are checked before the run exists, as those of a resume are."""
    with pytest.raises(StorageError) as caught:
        await three_phases([]).run(journal, parameters)
    assert why in caught.value.info.message
    assert caught.value.code is StorageErrorCode.VALIDATION_ERROR
    assert list(journal.log.runs()) == []


async def test_a_pipeline_without_a_model_takes_no_parameters(journal: Journal) -> None:
    """They would be recorded and never read."""
    pipeline = Pipeline("bare")
    pipeline.phase()(source)
    with pytest.raises(StorageError, match="it takes no parameters"):
        await pipeline.run(journal, {"rows": 1})

"""What people see of an artifact: strict, frozen, every field described."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from journal.artifacts.store import ArtifactFormat, ArtifactMetadata, ArtifactRole
from journal.ids import new_artifact_id, new_run_id

FACTS: dict[str, Any] = {
    "artifact_id": new_artifact_id(),
    "run_id": new_run_id(),
    "role": "acme.invoice",
    "format": ArtifactFormat.JSON,
    "media_type": "application/json",
    "size_bytes": 3,
    "sha256": "ab" * 32,
    "created_at": datetime(2026, 11, 22, 9, 10, 11, 123456, tzinfo=UTC),
    "metadata": {"rows": 3, "tags": ["a"]},
}


def test_metadata_survives_json_and_does_not_change() -> None:
    """It crosses processes, and a row that could be edited would be no longer what the log says."""
    made = ArtifactMetadata(**FACTS)
    assert ArtifactMetadata.model_validate_json(made.model_dump_json()) == made
    with pytest.raises(ValidationError, match="frozen"):
        made.size_bytes = 4  # type: ignore[misc]


def test_every_field_is_described() -> None:
    """The schema is the documentation of what `journal artifacts` prints."""
    assert all(field.description for field in ArtifactMetadata.model_fields.values())


@pytest.mark.parametrize(
    "wrong",
    [
        {"sha256": "AB" * 32},
        {"sha256": "ab"},
        {"size_bytes": -1},
        {"size_bytes": "3"},
        {"created_at": datetime(2026, 11, 22)},  # noqa: DTZ001 - what is refused here
        {"created_at": datetime(2026, 11, 22, tzinfo=timezone(timedelta(hours=1)))},
        {"format": "parquet"},
        {"seq": 0},
        {"metadata": {"when": datetime(2026, 11, 22, tzinfo=UTC)}},
        {"colour": "red"},
    ],
    ids=str,
)
def test_what_no_log_could_say_is_refused(wrong: dict[str, Any]) -> None:
    """A naive time or a digest in other letters would compare as different, silently."""
    with pytest.raises(ValidationError):
        ArtifactMetadata(**{**FACTS, **wrong})


def test_a_format_may_come_as_the_text_that_a_log_holds() -> None:
    """The artifact index builds rows from events, which hold words."""
    assert ArtifactMetadata(**{**FACTS, "format": "csv"}).format is ArtifactFormat.CSV
    assert ArtifactMetadata(**{**FACTS, "role": ArtifactRole.LOG}).role == "log"

"""Artifacts that cannot be handed back: nothing is run again unasked; the error says how to ask."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import BaseModel

from journal import Journal, Phase, Pipeline, StorageError, StorageErrorCode
from journal.artifacts.memory import MemoryArtifacts
from journal.events.artifact import ArtifactPersisted
from journal.ids import parse_run_id
from tests.pipeline.helpers import Row, Seen, Total, counted, events, story


def counting(calls: list[str], kind: type[BaseModel] = Total) -> Pipeline:
    """Two phases; the first returns a ``Total``, or whatever ``kind`` says later."""
    pipeline = Pipeline("counting")

    async def count(phase: Phase) -> Total:
        calls.append("count")
        return Total(total=7)

    count.__annotations__["return"] = kind
    pipeline.phase()(count)

    async def show(count: Total) -> str:
        calls.append("show")
        if len(calls) == 2:
            raise ConnectionError
        return str(count.total)

    show.__annotations__["count"] = kind
    pipeline.phase(after=["count"])(show)
    return pipeline


async def stopped(journal: Journal, calls: list[str]) -> tuple[str, ArtifactPersisted]:
    """A run whose first phase completed and whose second failed; the first one's artifact."""
    seen = Seen()
    with pytest.raises(ConnectionError):
        await counting(calls).run(journal, on_run=seen)
    (stored,) = events(journal, seen.run_id, ArtifactPersisted)
    return seen.run_id, stored


async def test_a_missing_artifact_is_told_and_nothing_is_run_again(journal: Journal) -> None:
    """The phase may have cost an hour or a thousand dollars: somebody decides that."""
    calls: list[str] = []
    run_id, stored = await stopped(journal, calls)
    journal.artifacts.remove(parse_run_id(run_id), stored.sha256)
    with pytest.raises(StorageError) as caught:
        await counting(calls).resume(journal, run_id)
    assert caught.value.code is StorageErrorCode.NOT_FOUND
    assert "redo" in str(caught.value.info.details.next_action)
    assert calls == ["count", "show"]
    told = story(journal, run_id)
    assert told[-2:] == ["blocked show r1", "run_failed"]
    assert counted(told, "invalidated") == 0


async def test_redo_makes_a_missing_artifact_anew(journal: Journal) -> None:
    """The way that the error names must work."""
    calls: list[str] = []
    run_id, stored = await stopped(journal, calls)
    journal.artifacts.remove(parse_run_id(run_id), stored.sha256)
    result = await counting(calls).resume(journal, run_id, redo=["count"])
    assert result.outputs == {"count": Total(total=7), "show": "7"}
    assert counted(story(journal, run_id), "completed count r2") == 1


async def test_a_damaged_artifact_is_told_and_not_used(journal: Journal) -> None:
    """One flipped bit in a result must not become part of the next one."""
    calls: list[str] = []
    run_id, stored = await stopped(journal, calls)
    damage(journal, run_id, stored.sha256, lambda data: data.replace(b"7", b"8"))
    with pytest.raises(StorageError) as caught:
        await counting(calls).resume(journal, run_id)
    assert caught.value.code is StorageErrorCode.CORRUPT
    assert f"journal verify {run_id}" in str(caught.value.info.details.next_action)
    assert calls == ["count", "show"]


async def test_an_artifact_of_another_type_than_annotated_now_is_refused(journal: Journal) -> None:
    """Code may change with --allow-changed; what it reads is validated all the same."""
    calls: list[str] = []
    run_id, _ = await stopped(journal, calls)
    with pytest.raises(StorageError) as caught:
        await counting(calls, Row).resume(journal, run_id)
    assert caught.value.code is StorageErrorCode.VALIDATION_ERROR
    with pytest.raises(StorageError, match="is json, not jsonl"):
        await counting(calls, list[Row]).resume(journal, run_id)  # type: ignore[arg-type]
    assert calls == ["count", "show"]


async def test_what_the_user_marks_alike_is_still_not_what_was_returned(journal: Journal) -> None:
    """The return value is stored last: a phase that plays with the mark fools only itself."""
    pipeline = Pipeline("marks")

    @pipeline.phase()
    async def mark(phase: Phase) -> Total:
        await phase.store(Total(total=0), metadata={"returned": True})
        return Total(total=1)

    run_id = (await pipeline.run(journal)).run_id
    assert (await pipeline.resume(journal, run_id)).outputs["mark"] == Total(total=1)


async def test_none_is_handed_back_as_none(journal: Journal) -> None:
    """A phase that may return nothing and did is completed, not damaged."""
    pipeline = Pipeline("none")

    @pipeline.phase()
    async def perhaps(phase: Phase) -> Total | None:
        await phase.store("an artifact of another kind")
        return None

    run_id = (await pipeline.run(journal)).run_id
    assert (await pipeline.resume(journal, run_id)).outputs == {"perhaps": None}


def damage(journal: Journal, run_id: str, sha256: str, change: Callable[[bytes], bytes]) -> None:
    """Change stored bytes behind the store's back, on a disk or in memory."""
    parsed = parse_run_id(run_id)
    if isinstance(journal.artifacts, MemoryArtifacts):
        kept = journal.artifacts._runs[parsed]
        kept[sha256] = change(kept[sha256])
    else:
        path = Path(journal.artifacts.location(parsed, sha256))
        path.chmod(0o600)
        path.write_bytes(change(path.read_bytes()))

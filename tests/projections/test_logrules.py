"""The rules that verify adds to a chain never accuse this library's own writers."""

import json
from pathlib import Path

import anyio
import pytest
from hypothesis import given, settings

from journal import Journal
from journal.artifacts.memory import MemoryArtifacts
from journal.backends.memory import MemoryLog
from journal.checkpoint import decode_memory
from journal.events.log import AnnotationAdded, LogEmitted
from journal.ids import parse_run_id
from journal.limits import CHECKPOINT_EVENTS
from projections.logrules import in_order
from projections.verify import verify
from tests.forks.story import leave
from tests.projections.helpers import Told, Writer, legal_runs


@given(legal_runs())
@settings(max_examples=60)
def test_no_legal_run_breaks_a_rule(told: list[Told]) -> None:
    """A verify that cries wolf is not run again."""
    log = MemoryLog()
    writer = Writer(log)
    for each in told:
        writer.write(each)
    writer.close()
    assert verify(log, MemoryArtifacts(), None) == [] or _only_missing_contents(log)


def _only_missing_contents(log: MemoryLog) -> bool:
    """The events of these runs tell artifacts that nobody stored."""
    found = verify(log, MemoryArtifacts(), None)
    return {each.reason for each in found} == {"artifact_not_found"}


@pytest.mark.anyio
async def test_a_checkpoint_in_the_middle_of_a_log_agrees_with_it(tmp_path: Path) -> None:
    """Written while keys, emitted events and phases are under way, and left by a crash."""
    async with Journal.open(tmp_path / "store") as journal:
        run = journal.run(project="nightly")
        await run.__aenter__()
        async with run.phase("ingest") as phase:
            for number in range(40):
                await run.append(AnnotationAdded(text="a"), key=f"k{number}")
                receipts = [phase.log("info", "m", n=n) for n in range(CHECKPOINT_EVENTS // 40)]
                await receipts[-1]
            await run.append([LogEmitted(level="info"), AnnotationAdded(text="b")], key="two")
        run_id = parse_run_id(run.id)
        # A crash: neither the checkpoint of a close nor its head.
        body = journal.log.get_checkpoint(run_id)
        await leave(run)
        memory = decode_memory(body)
        assert memory is not None
        assert 0 < memory.seq < run.seq
        assert memory.keys
        lease = journal.log.acquire(run_id)
        journal.log.put_checkpoint(lease, body or b"")
        journal.log.release(lease)
        found = await anyio.to_thread.run_sync(verify, journal.log, journal.artifacts, None)
        assert found == []


FIRST = "seq timestamp level event run_id phase message data"


@pytest.mark.parametrize(
    ("keys", "right"),
    [
        (f"{FIRST} batch hash", True),
        (f"{FIRST} v actor key clock batch hash", True),
        (f"{FIRST} v new actor newer batch hash", True),
        (f"{FIRST} key actor batch hash", False),
        (f"{FIRST} hash batch", False),
        (f"{FIRST} batch actor hash", False),
        ("timestamp seq level event run_id phase message data batch hash", False),
        ("seq", False),
    ],
)
def test_keys_stand_in_the_order_of_the_format(keys: str, right: bool) -> None:
    """Unknown keys may stand between data and batch, and the four that may be left out."""
    assert in_order(json.dumps(dict.fromkeys(keys.split())).encode()) is right


def test_what_is_no_object_has_no_order() -> None:
    """The chain says more exactly what is wrong with it."""
    assert in_order(b"rubbish")

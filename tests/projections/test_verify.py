"""Verify names what is wrong in logs and artifacts, where, and what to do; it stops at nothing."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journal.artifacts.memory import MemoryArtifacts
from journal.backends import lease as leases
from journal.backends.filesystem import FilesystemLog
from journal.backends.memory import MemoryLog
from journal.chain import Chain
from journal.errors import StorageErrorCode
from journal.events import artifact, run
from projections.store import Projections
from projections.verify import verify
from tests.projections.helpers import ERROR, Writer, created, stored
from tests.projections.verified import Store

pytestmark = pytest.mark.anyio
CORRUPT, NOT_FOUND = StorageErrorCode.CORRUPT, StorageErrorCode.NOT_FOUND


async def test_nothing_is_found_where_nothing_is_wrong(store: Store) -> None:
    """A verify that cries wolf is not run again."""
    assert await store.verify() == []


async def test_a_broken_line_is_named_with_its_place(store: Store) -> None:
    """Line and byte, the first one of the log; what lies behind it is not guessed at."""
    lines = store.events.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b"2026", b"2025", 1)
    lines[4] = b"rubbish\n"
    store.events.write_bytes(b"".join(lines))
    (found,) = await store.verify()
    assert (found.code, found.run_id, found.seq) == (CORRUPT, store.run_id, 3)
    assert found.offset == len(lines[0]) + len(lines[1])
    assert found.next_action


async def test_one_bad_run_hides_no_other(store: Store) -> None:
    """Findings of the next run come as if the first had been whole."""
    log = store.log
    other = Writer(log).write(created()).close()
    for path in (store.events, Path(log.folder(other.run_id)) / "events.jsonl"):
        path.write_bytes(path.read_bytes().replace(b'"nightly"', b'"nightlo"', 1))
    found = await store.verify()
    assert {(each.run_id, each.seq) for each in found} == {(store.run_id, 1), (other.run_id, 1)}


async def test_lines_cut_off_at_a_line_boundary_are_missed(store: Store) -> None:
    """Case 25: the chain cannot tell; the watermark does."""
    lines = store.events.read_bytes().splitlines(keepends=True)
    store.events.write_bytes(b"".join(lines[:-1]))
    found = await store.verify()
    assert [(each.code, each.run_id) for each in found] == [(CORRUPT, store.run_id)]
    assert found[0].seq == len(lines)


async def test_a_torn_tail_is_a_finding(store: Store) -> None:
    """Case 3: nothing acknowledged is lost, but a person should know, and know the command."""
    log = store.log
    writer = Writer(log).write(created())
    leases.close(log.files, writer.lease)  # type: ignore[arg-type]
    path = Path(log.folder(writer.run_id)) / "events.jsonl"
    size = path.stat().st_size
    path.write_bytes(path.read_bytes() + b'{"seq":2,"timest')
    (found,) = await store.verify()
    assert (found.run_id, found.reason, found.offset) == (writer.run_id, "torn_tail", size)
    assert found.next_action == f"journal repair {writer.run_id}"


async def test_bytes_behind_a_closed_log_are_damage(store: Store) -> None:
    """Case 7: no crash writes behind a close."""
    store.events.write_bytes(store.events.read_bytes() + bytes(100))
    (found,) = await store.verify()
    assert (found.code, found.run_id) == (CORRUPT, store.run_id)


async def test_a_live_writer_is_no_finding(store: Store) -> None:
    """Its half-written batch is on its way, not torn."""
    log = store.log
    writer = Writer(log).write(created())
    path = Path(log.folder(writer.run_id)) / "events.jsonl"
    path.write_bytes(path.read_bytes() + b'{"seq":2,"timest')
    assert await store.verify() == []
    writer.lease = None


async def test_a_folder_under_another_name_is_refused(store: Store) -> None:
    """Case 80: the name is part of the first hash, so a renamed or swapped folder shows at once."""
    other = Writer(store.log).write(created()).close()
    target = Path(store.log.folder(other.run_id))
    for path in target.iterdir():
        if path.name in ("events.jsonl", "head"):
            path.write_bytes((store.folder / path.name).read_bytes())
    found = [each for each in await store.verify() if each.run_id == other.run_id]
    assert (found[0].code, found[0].seq) == (CORRUPT, 1)


async def test_a_missing_artifact_is_named(store: Store) -> None:
    """Case 69: the event is there, the bytes are not: each artifact that is made of them."""
    (store.folder / "artifacts" / store.sha256).unlink()
    found = await store.verify()
    assert [each.code for each in found] == [NOT_FOUND] * 2
    assert (found[0].artifact_id, found[0].run_id) == (store.artifact_id, store.run_id)
    assert found[0].seq is not None


async def test_an_altered_artifact_is_named(store: Store) -> None:
    """Case 70: one byte, the same length."""
    (store.folder / "artifacts" / store.sha256).write_bytes(b"hellO")
    found = await store.verify()
    assert {each.code for each in found} == {CORRUPT}
    assert store.artifact_id in {each.artifact_id for each in found}


async def test_a_deleted_artifact_is_not_missed(tmp_path: Path) -> None:
    """That it was deleted is in the log."""
    log, artifacts = MemoryLog(), MemoryArtifacts()
    gone = artifact.ArtifactDeleted(artifact_id="a1", sha256="ab" * 32, reason="old")
    Writer(log).write(created(), stored("a1"), gone)
    assert verify(log, artifacts, None) == []


async def test_only_the_runs_that_are_asked_for(store: Store) -> None:
    """A person who asks about one run does not wait for all."""
    store.events.write_bytes(b"")
    steps: list[tuple[int, int, int]] = []
    async with Projections.open(store.root) as runs:
        good = next(each.run_id for each in await runs.list() if each.project == "good")
        assert await runs.verify([good], progress=lambda *step: steps.append(step)) == []
        assert steps[-1][:2] == (1, 1)
        assert [each.run_id for each in await runs.verify([store.run_id])] == [store.run_id]


def finished_log() -> tuple[str, bytes]:
    log = MemoryLog()
    writer = Writer(log).write(created(), run.RunStarted()).write(run.RunFailed(error=ERROR))
    return writer.run_id, b"".join(log.read(writer.run_id))


@given(data=st.data())
def test_any_flipped_bit_of_a_finished_log_is_found_and_its_line_named(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Case 21: 100% of them; the walk names the line that holds the bit, or the one it merged."""
    log = FilesystemLog.open(tmp_path_factory.mktemp("bits"))
    writer = Writer(log).write(created(), run.RunStarted()).write(run.RunFailed(error=ERROR))
    writer.close()
    path = Path(log.folder(writer.run_id)) / "events.jsonl"
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    line = content[:place].count(b"\n") + 1
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    (found,) = verify(log, None, None)
    assert (found.code, found.run_id, found.seq) == (CORRUPT, writer.run_id, line)


def edit_of(pattern: bytes, text: bytes) -> Callable[[bytes], bytes]:
    return lambda line: re.sub(pattern, lambda _: text, line, count=1)


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (edit_of(rb'"data":\{', b'"data":{"project":"x",'), StorageErrorCode.SERIALIZATION_ERROR),
        (
            edit_of(rb'"parameters":\{\}', b'"parameters":{"a":' + b"[" * 70 + b"]" * 70 + b"}"),
            StorageErrorCode.VALIDATION_ERROR,
        ),
        (
            edit_of(rb'"parameters":\{\}', b'"parameters":{"a":99999999999999999999}'),
            StorageErrorCode.VALIDATION_ERROR,
        ),
    ],
)
def test_what_replay_takes_verify_may_refuse(
    edit: Callable[[bytes], bytes], code: StorageErrorCode
) -> None:
    """Cases 29, 31 and 32: the chain holds, the line is malformed all the same."""
    from journal.chain import encode_batch, genesis
    from journal.draft import Draft, Stamp, freeze

    source = Writer(MemoryLog())
    draft = freeze(source.run_id, created(parameters={"a": 1}))
    middle = edit(draft.middle.replace(b'"parameters":{"a":1}', b'"parameters":{}'))
    stamp = Stamp(Draft(draft.event, None, middle, None), 1, "2026-11-22T09:10:11.000000Z", None)
    lines, _ = encode_batch(genesis(source.run_id), [stamp])
    source.log.create(source.run_id, lines)
    (found,) = verify(source.log, None, None)
    assert (found.code, found.seq) == (code, 1)


def test_a_chain_is_what_verify_walks() -> None:
    """The log of these tests is whole before it is damaged."""
    run_id, content = finished_log()
    chain = Chain(run_id, strict=True)
    assert [chain.follow(line).seq for line in content.splitlines(keepends=True)] == [1, 2, 3]

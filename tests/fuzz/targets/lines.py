"""
Lines whose chain holds, whatever stands in them: cases 28 to 36 by the million.

The input is bodies, one per line; the target gives them hashes that fit, as another writer's bug
would. Then every way of reading must say the same, and nothing but ``StorageError`` may come out:
walks strict and lenient, by block and line by line, the fold of the write side and those of the
read side.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from journal.blocks import follow_many
from journal.chain import SUFFIX_BYTES, Chain, genesis
from journal.errors import StorageError
from journal.events.registry import UnknownEvent
from journal.jsonrules import check_depth, check_integers
from journal.lifecycle import RunLifecycle, evolve
from journal.record import Record
from projections.artifact_index import ArtifactIndexProjection
from projections.replay import RUN_INDEX, RUN_STATE
from tests.fuzz.slow import parse_slowly
from tests.unit.lines import RUN, chained

_ARTIFACTS = ArtifactIndexProjection()


class Walk(NamedTuple):
    """What a walk gave, what stopped it, and where it stood then."""

    records: list[Record]
    error: StorageError | None
    place: tuple[int, int, str, str]


def one(data: bytes) -> None:
    """One line that a run begins with."""
    check([chained(data.partition(b"\n")[0])])


def many(data: bytes) -> None:
    """A log of several lines."""
    check(chained_up(data.split(b"\n")))


def chained_up(bodies: Iterable[bytes], above: str = "") -> list[bytes]:
    """Lines of these bodies, each with the hash that continues the line above."""
    lines: list[bytes] = []
    link = above or genesis(RUN)
    for body in bodies:
        lines.append(chained(body, link))
        link = lines[-1][-SUFFIX_BYTES + 9 : -3].decode()
    return lines


def check(lines: Sequence[bytes]) -> None:
    """Read the same lines in every way there is, and compare."""
    strict, lenient = walk(lines, strict=True), walk(lines, strict=False)
    at_once = walk(lines, strict=False, at_once=True)
    assert said(at_once) == said(lenient), "blocks and lines disagree"
    if len(lines) > 1:
        assert said(walk(lines, strict=True, at_once=True)) == said(strict)
    taken, passed = len(strict.records), len(lenient.records)
    assert taken <= passed, "strict takes what lenient refuses"
    assert strict.records == lenient.records[:taken], "strict and lenient read another thing"
    for line, record in zip(lines, strict.records, strict=False):
        check_whole(line, record)
    check_folds(lenient.records)


def walk(lines: Iterable[bytes], *, strict: bool, at_once: bool = False) -> Walk:
    """Walk from the beginning to the first refusal; a refused line must not move the walk."""
    chain, records = Chain(RUN, strict=strict), list[Record]()
    error: StorageError | None = None
    try:
        if at_once:
            records.extend(follow_many(chain, iter(lines)))
        else:
            for line in lines:
                records.append(chain.follow(line))
    except StorageError as failure:
        error = failure
        str(failure).encode()
        failure.info.model_dump_json()
    assert chain.seq == len(records), "a refused line moved the walk"
    return Walk(records, error, (chain.seq, chain.position, chain.hash, chain.timestamp))


def said(found: Walk) -> tuple[object, ...]:
    """A walk in a form that compares by value."""
    return found.records, found.error and found.error.info, found.place


def check_whole(line: bytes, record: Record) -> None:
    """What the strict walk took holds every rule, also by the slow way and by another parser."""
    text = line[:-1]
    check_depth(text)
    parsed = parse_slowly(text)
    check_integers(text, parsed)
    assert isinstance(parsed, dict)
    assert parsed["seq"] == record.seq
    assert parsed["event"] == record.event
    assert parsed["hash"] == record.hash
    assert parsed.get("v", 1) == record.v
    assert record.time.utcoffset() is not None
    assert len(record.timestamp) == len("2026-11-22T12:00:00.000000Z")


def check_folds(records: Sequence[Record]) -> None:
    """Readers show whatever a chain holds; only a writer may refuse to go on from it."""
    lifecycle: RunLifecycle | None = RunLifecycle()
    state, index = RUN_STATE.initial(RUN), RUN_INDEX.initial(RUN)
    artifacts = _ARTIFACTS.initial(RUN)
    for record in records:
        if not isinstance(record.data, UnknownEvent):
            msgspec.json.encode(record.data)
            record.data.sentence(record.phase).encode()
        try:
            lifecycle = lifecycle and evolve(lifecycle, record.phase, record.data)
        except StorageError:
            lifecycle = None
        RUN_STATE.apply(state, record)
        RUN_INDEX.apply(index, record)
        _ARTIFACTS.apply(artifacts, record)
    if records:
        RUN_STATE.present(state).model_dump_json()
        RUN_INDEX.present(index).model_dump_json()
        for each in _ARTIFACTS.present(artifacts):
            each.model_dump_json()


def naively_whole(lines: Iterable[bytes], above: str) -> bool:
    """Whether hashes go from line to line, looked at with nothing but hashlib."""
    for line in lines:
        link = hashlib.sha256(above.encode() + line[:-76]).hexdigest()
        if line[-76:] != b',"hash":"' + link.encode() + b'"}\n':
            return False
        above = link
    return True

"""
Cases 28 to 34 and 36 in a real run folder: lines of somebody else's writer, whose chain holds.

In the acknowledged part and in the tail; whoever reads or opens the run gets the code that says
what is wrong, and nothing is cut: no crash makes such a line.
"""

import tracemalloc
from pathlib import Path

import pytest

from journal.chain import genesis
from journal.events.log import LogEmitted
from journal.events.registry import UnknownEvent
from journal.limits import LINE_BYTES_MAX_READ
from journal.workers import Workers
from journal.writer import Writer
from projections.verify import verify
from tests.support.disks import UnsyncedFiles
from tests.support.logs import Lines, StoredRun, code_of, snapshot
from tests.support.writers import OPENING, SilentBridge, append
from tests.unit.lines import RUN, body_of, chained
from tests.unit.test_malformed_lines import NOT_JSON, WRONG_SHAPE

# The same bodies as line 3, where they say a seq and a batch of their own.
BODIES = {
    what: body.replace(b'"seq":1', b'"seq":3').replace(b'"batch":[1,1]', b'"batch":[3,1]')
    for what, body in (NOT_JSON | WRONG_SHAPE).items()
}
CODES = dict.fromkeys(NOT_JSON, "serialization_error") | dict.fromkeys(
    WRONG_SHAPE, "validation_error"
)


@pytest.fixture
def run(tmp_path: Path) -> StoredRun:
    """A run of two lines, whose writer is alive."""
    run = StoredRun(tmp_path / "store", UnsyncedFiles())
    run.lines = Lines(RUN)
    run.run_id = RUN
    run.lease = run.log.create(RUN, run.lines.of(OPENING))
    return run


@pytest.mark.parametrize("what", BODIES)
def test_a_malformed_line_in_the_tail_is_refused_and_not_cut(run: StoredRun, what: str) -> None:
    """Cases 28 to 32 and 34: found behind the watermark by the next writer; torn it is not."""
    run.crash(chained(BODIES[what], run.lines.link))
    before = snapshot(run.folder)
    assert code_of(run.log.acquire, RUN) == CODES[what]
    assert code_of(run.log.torn_bytes, RUN) == CODES[what]
    assert snapshot(run.folder) == before


@pytest.mark.parametrize("what", BODIES)
def test_a_malformed_line_that_was_acknowledged_is_refused(run: StoredRun, what: str) -> None:
    """Cases 28 to 32 and 34: verify refuses it, and so does the writer that would go on from it."""
    assert run.lease is not None
    run.log.append(run.lease, [chained(BODIES[what], run.lines.link)])
    run.close()
    before = run.events.read_bytes()
    assert code_of(run.read) == CODES[what]
    assert code_of(run.log.acquire, RUN) == CODES[what]
    assert (CODES[what], 3) in [(each.code, each.seq) for each in verify(run.log, None, None)]
    assert run.events.read_bytes() == before


@pytest.mark.parametrize("where", ["tail", "acknowledged"])
def test_a_line_over_the_cap_is_refused_in_bounded_memory(run: StoredRun, where: str) -> None:
    """Case 33 and Security, bounds: it is never held as a whole, however long it is."""
    assert run.lease is not None
    text = b"x" * (4 * LINE_BYTES_MAX_READ)
    line = chained(body_of(3, b'{"data":{"x":"%b"}}' % text, b"[3,1]"), run.lines.link)
    if where == "tail":
        run.crash(line)
    else:
        run.log.append(run.lease, [line])
        run.close()
    del text, line
    before = run.events.stat().st_size
    tracemalloc.start()
    try:
        if where == "acknowledged":
            assert code_of(run.read) == "limit_exceeded"
        assert code_of(run.log.acquire, RUN) == "limit_exceeded"
        assert tracemalloc.get_traced_memory()[1] < 4 * LINE_BYTES_MAX_READ
    finally:
        tracemalloc.stop()
    assert run.events.stat().st_size == before


def test_line_separators_in_a_text_are_text(run: StoredRun) -> None:
    """Case 35: a log is cut at newlines and nowhere else."""
    assert run.lease is not None
    text = "\u2028 \u2029 \x85 \x1c \x1d \x1e \v \f \r"
    run.log.append(run.lease, run.lines.of([LogEmitted(data={"text": text})]))
    run.close()
    event = run.read()[-1].data
    assert isinstance(event, LogEmitted)
    assert event.data == {"text": text}
    assert run.recover().head.seq == 3


def test_an_unknown_event_is_kept_and_shown(run: StoredRun) -> None:
    """Case 36: a dotted name is some user's own; the writer goes on, the bytes stay."""
    assert run.lease is not None
    body = body_of(3, b'{"number":"42"}', b"[3,1]", "acme.invoice_sent")
    run.log.append(run.lease, [chained(body, run.lines.link)])
    run.close()
    event = run.read()[-1].data
    assert isinstance(event, UnknownEvent)
    assert (event.name, event.raw) == ("acme.invoice_sent", b'{"number":"42"}')
    workers = Workers()
    writer = Writer.open(run.log, RUN, 0.0, workers=workers, bridge=SilentBridge())
    assert append(writer, LogEmitted()).first_seq == 4
    writer.close()
    workers.close()


def test_an_event_that_only_a_newer_version_knows_stops_the_writer(run: StoredRun) -> None:
    """Case 36: readers show it; a state that cannot be folded is nothing to go on from."""
    assert run.lease is not None
    run.log.append(run.lease, [chained(body_of(3, b"{}", b"[3,1]", "phase_split"), run.lines.link)])
    run.close()
    assert len(run.read()) == 3
    workers = Workers()
    writer = Writer.open(run.log, RUN, 0.0, workers=workers, bridge=SilentBridge())
    assert code_of(append, writer, LogEmitted()) == "unsupported_format"
    writer.close()
    workers.close()
    assert len(run.read()) == 3


@pytest.mark.parametrize("where", ["line 1", "a later opening"])
def test_a_newer_format_is_refused_as_such(tmp_path: Path, where: str) -> None:
    """Case 36: not damage, so nothing is set aside and the message says to upgrade."""
    run = StoredRun(tmp_path / "store", UnsyncedFiles())
    lines = Lines()
    batch = lines.of(OPENING)
    if where == "line 1":
        first = batch[0][:-76].replace(b'"format":1', b'"format":2')
        batch = [chained(first.replace(b"[1,2]", b"[1,1]"), genesis(lines.run_id, 2))]
    run.lease = run.log.create(lines.run_id, batch)
    run.run_id = lines.run_id
    if where == "a later opening":
        body = body_of(
            3,
            b'{"writer":{"host":"h","pid":1,"user":"u","library":"l"},"epoch":2,"format":2}',
            b"[3,1]",
            "writer_opened",
        ).replace(RUN.encode(), lines.run_id.encode())
        run.log.append(run.lease, [chained(body, lines.link)])
    run.crash()
    before = run.events.read_bytes()
    assert code_of(run.read) == "unsupported_format"
    assert code_of(run.log.acquire, run.run_id) == "unsupported_format"
    assert run.events.read_bytes() == before

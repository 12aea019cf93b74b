"""
Stored bytes that are not what was written: refused, whoever reads them, and left as they are.

What a reader does is ``head`` and ``read`` with the chain; what a writer does is to open the run.
"""

import itertools
import shutil
from pathlib import Path

import pytest

from journal.backends.filesystem import FilesystemLog
from journal.chain import Chain
from journal.errors import StorageError
from journal.events.run import RunStarted
from journal.ids import new_run_id
from journal.workers import Workers
from journal.writer import Writer
from tests.support.disks import UnsyncedFiles
from tests.support.logs import Lines, StoredRun, code_of, copied, of_another_boot, read
from tests.support.writers import SilentBridge
from tests.unit.lines import chained


@pytest.fixture
def run(tmp_path: Path) -> StoredRun:
    return StoredRun(tmp_path / "store", UnsyncedFiles())


def open_writer(run: StoredRun) -> None:
    """Open the run as a writer does, and leave it again."""
    workers = Workers()
    try:
        Writer.open(run.log, run.run_id, 0.0, workers=workers, bridge=SilentBridge()).abandon()
    finally:
        workers.close()


def test_every_flipped_bit_of_a_finished_log_is_refused(run: StoredRun) -> None:
    """
    Case 21: each bit of 30 lines. (The lines above a flip are read as before, so the walk begins
    at the line that holds it.)
    """
    run.write(1)
    assert run.lease is not None
    for count in (*[1] * 14, 5, 10):
        run.log.append(run.lease, run.lines.of([RunStarted()] * count))
    run.close()
    size = run.events.stat().st_size
    ends, chain = [0], Chain(run.run_id)
    walks = []
    for line in run.log.read(run.run_id):
        walks.append((chain.seq, chain.position, chain.hash))
        chain.follow(line)
        ends.append(chain.position)
    assert (len(ends), run.log.head(run.run_id).head.seq) == (31, 30)
    survived = []
    with run.events.open("r+b", buffering=0) as log:
        whole = log.read()
        for number, (start, stop) in enumerate(itertools.pairwise(ends)):
            following = ends[min(number + 2, 30)]
            for bit in range(start * 8, stop * 8):
                log.seek(bit // 8)
                log.write(bytes([whole[bit // 8] ^ 1 << bit % 8]))
                walk = Chain(run.run_id, *walks[number])
                try:
                    for line in run.log.read(run.run_id, start, following):
                        walk.follow(line)
                except StorageError as failure:
                    if failure.code != "corrupt" or failure.info.details.seq != number + 1:
                        survived.append((bit, str(failure)))
                else:
                    survived.append((bit, "read as whole"))
                log.seek(bit // 8)
                log.write(whole[bit // 8 : bit // 8 + 1])
    assert survived == []
    assert run.events.stat().st_size == size
    assert len(run.read()) == 30


def test_a_damaged_byte_of_an_unfinished_log_is_refused_up_to_the_watermark(run: StoredRun) -> None:
    """Case 22: by readers and by the next writer, and what is damaged stays as it is."""
    run.write(2, 1, 3)
    run.crash()
    whole = run.events.read_bytes()
    for place in range(0, len(whole), 5):
        damaged = whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :]
        run.events.write_bytes(damaged)
        assert code_of(run.read) == "corrupt"
        assert code_of(open_writer, run) == "corrupt"
        assert run.events.read_bytes() == damaged
        assert run.torn() == []


def test_damage_past_the_watermark_is_set_aside_and_told(run: StoredRun) -> None:
    """Case 22: what nobody acknowledged may be lost, but never in silence."""
    run.write(2)
    tail = b"".join(run.lines.batch(2))
    run.crash()
    whole = run.events.read_bytes()
    for place in range(0, len(tail), 7):
        torn = tail[:place] + bytes([tail[place] ^ 1 << place % 8]) + tail[place + 1 :]
        run.events.write_bytes(whole + torn)
        found = run.recover().recovered
        assert torn in [(run.folder / tail.kept_as).read_bytes() for tail in found]
        assert run.events.read_bytes() == whole
        run.crash()


def test_a_damaged_last_line_is_seen_by_the_next_writer(run: StoredRun) -> None:
    """Case 22: a writer that went on from it would make every later line worthless."""
    run.write(1, 2).close()
    whole = run.events.read_bytes()
    run.events.write_bytes(whole[:-200] + bytes([whole[-200] ^ 4]) + whole[-199:])
    assert code_of(run.log.acquire, run.run_id) == "corrupt"


def test_damage_to_line_1_is_refused(run: StoredRun) -> None:
    """Case 23: with its head and without."""
    run.write(1, 1, 1).close()
    whole = run.events.read_bytes()
    for place in range(0, 280, 3):
        run.events.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert code_of(run.read) == "corrupt"
    (run.folder / "head").unlink()
    assert code_of(run.log.head, run.run_id) == "corrupt"
    assert code_of(run.log.acquire, run.run_id) == "corrupt"


def moved(lines: list[bytes], what: str) -> list[bytes]:
    """The lines in another order, or not all of them."""
    if what == "duplicated":
        return [*lines[:5], lines[4], *lines[5:]]
    if what == "last one twice":
        return [*lines, lines[-1]]
    if what == "removed":
        return [*lines[:4], *lines[5:]]
    if what == "first one removed":
        return lines[1:]
    if what == "last one removed":
        return lines[:-1]
    if what == "swapped":
        return [*lines[:4], lines[5], lines[4], *lines[6:]]
    return lines[::-1]


ORDERS = [
    "duplicated",
    "last one twice",
    "removed",
    "first one removed",
    "last one removed",
    "swapped",
    "turned round",
]


@pytest.mark.parametrize("what", ORDERS)
@pytest.mark.parametrize("boot", ["this boot", "another boot"])
def test_lines_in_another_order_are_refused(run: StoredRun, what: str, boot: str) -> None:
    """Case 24: each line stands in one place only."""
    run.write(2, 3, 1, 4).close()
    if boot == "another boot":
        of_another_boot(run.folder / "head")
    lines = run.events.read_bytes().splitlines(keepends=True)
    run.events.write_bytes(b"".join(moved(lines, what)))
    refusals = {code_of(run.read), code_of(open_writer, run)}
    # A line behind a closed log's end is not shown; whoever goes on, or looks for it, is told.
    assert refusals <= {"corrupt"} or (what == "last one twice" and "corrupt" in refusals)
    if what == "last one twice":
        assert code_of(run.log.torn_bytes, run.run_id) == "corrupt"


@pytest.mark.parametrize("seq", [b"0", b"1", b"4", b"5", b"-3", b"30", b"18446744073709551615"])
def test_a_line_that_says_another_seq_is_refused(run: StoredRun, seq: bytes) -> None:
    """Case 24: a gap, a repeat, 0 or less, though the hashes hold: somebody else's writer."""
    run.write(2)
    assert run.lease is not None
    (line,) = run.lines.batch()
    body = line[:-76].replace(b'"seq":3', b'"seq":%b' % seq)
    run.log.append(run.lease, [chained(body, run.lease.head.hash)])
    run.close()
    assert code_of(run.read) == "corrupt"
    assert code_of(open_writer, run) == "corrupt"


def test_a_log_cut_between_two_lines_is_refused(run: StoredRun) -> None:
    """Case 25: the watermark knows that there was more; after another boot as well."""
    run.write(1, 2, 2, 1).close()
    lines = run.events.read_bytes().splitlines(keepends=True)
    for boot in ("this", "another"):
        if boot == "another":
            of_another_boot(run.folder / "head")
        for count in range(len(lines)):
            run.events.write_bytes(b"".join(lines[:count]))
            assert code_of(run.log.head, run.run_id) == "corrupt"
            assert code_of(run.log.acquire, run.run_id) == "corrupt"


def test_without_a_head_a_cut_between_batches_is_not_seen(run: StoredRun) -> None:
    """Case 25: nothing inside a log says where it ends; that is why ``journal head`` can pin it."""
    run.write(1, 2, 2).close()
    lines = run.events.read_bytes().splitlines(keepends=True)
    (run.folder / "head").unlink()
    run.events.write_bytes(b"".join(lines[:3]))
    assert len(run.read()) == 3
    run.events.write_bytes(b"".join(lines[:2]))
    assert len(run.read()) == 1  # inside a batch it is: all or nothing


def test_a_line_of_another_run_is_refused(run: StoredRun, tmp_path: Path) -> None:
    """Case 26: the chain begins with the run's id, so no line of another run continues it."""
    run.write(1, 1, 1).close()
    other = StoredRun(tmp_path / "other", UnsyncedFiles()).write(1, 1, 1).close()
    ours, theirs = (there.events.read_bytes().splitlines(keepends=True) for there in (run, other))
    for number in range(3):
        run.events.write_bytes(b"".join([*ours[:number], theirs[number], *ours[number + 1 :]]))
        assert code_of(run.read) == "corrupt"
        assert code_of(open_writer, run) == "corrupt"


@pytest.mark.parametrize("with_head", [True, False])
def test_a_log_of_another_run_is_refused(run: StoredRun, tmp_path: Path, with_head: bool) -> None:
    """Case 26: the whole file in the place of ours, with its head or without."""
    run.write(1, 1, 1).close()
    other = StoredRun(tmp_path / "other", UnsyncedFiles()).write(1, 1, 1).close()
    shutil.copy(other.events, run.events)
    if with_head:
        shutil.copy(other.folder / "head", run.folder / "head")
    assert code_of(run.read) == "corrupt"
    assert code_of(open_writer, run) == "corrupt"


def test_a_stale_block_is_refused(run: StoredRun) -> None:
    """Case 27: old, valid content of the same log in the place of newer."""
    for _ in range(10):
        run.write(3)
    run.close()
    whole = run.events.read_bytes()
    for block in range(512, len(whole) - 512, 512):
        stale = whole[:block] + whole[block - 512 : block] + whole[block + 512 :]
        run.events.write_bytes(stale)
        assert code_of(run.read) == "corrupt"


def test_a_folder_under_another_id_is_refused(run: StoredRun) -> None:
    """Case 80: the folder's name is the id that the chain must begin with."""
    run.write(1, 2).close()
    other = new_run_id()
    there = Path(run.log.folder(other))
    there.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(run.folder, there)
    run.run_id = other
    assert code_of(run.read) == "corrupt"
    assert code_of(run.log.acquire, other) == "corrupt"
    assert code_of(open_writer, run) == "corrupt"


def test_a_folder_moved_to_another_store_is_fine(run: StoredRun, tmp_path: Path) -> None:
    """Case 80: a run is one folder, and an id alone gives its place in any store."""
    run.write(1, 2).close()
    log = FilesystemLog.open(tmp_path / "elsewhere")
    there = Path(log.folder(run.run_id))
    there.parent.mkdir(parents=True)
    run.folder.rename(there)
    assert len(read(log, run.run_id)) == 3
    assert log.acquire(run.run_id).epoch == 2


@pytest.mark.parametrize("first", ["events.jsonl", "head"])
def test_a_live_folder_copied_recovers_or_refuses(
    run: StoredRun, tmp_path: Path, first: str
) -> None:
    """Case 79: a copy takes one file after the other, and the writer goes on in between."""
    run.write(1, 2)
    copied(tmp_path / "store", tmp_path / "copy")
    run.write(3)
    there = Path(FilesystemLog.open(tmp_path / "copy").folder(run.run_id))
    later = "head" if first == "events.jsonl" else "events.jsonl"
    shutil.copy(run.folder / later, there / later)
    run.log = FilesystemLog.open(tmp_path / "copy")
    if first == "events.jsonl":  # the head is ahead of the log: half a run, and it says so
        assert code_of(run.log.head, run.run_id) == "corrupt"
        assert code_of(run.log.acquire, run.run_id) == "corrupt"
    else:
        assert len(run.read()) == 3
        assert run.log.acquire(run.run_id).head.seq == 6


def test_a_log_that_is_gone_is_never_made_anew(run: StoredRun) -> None:
    """Case 20: its folder knows that there was one, and the error says so."""
    run.write(1).close()
    run.events.unlink()
    for call in (run.log.head, run.log.acquire, run.log.delete, run.log.torn_bytes):
        with pytest.raises(StorageError, match="its log is gone") as raised:
            call(run.run_id)
        assert raised.value.code == "not_found"
        assert raised.value.info.details.reason == "log_gone"
    assert not run.events.exists()
    assert list(run.log.runs()) == [run.run_id]
    again = Lines(run.run_id)
    assert code_of(run.log.create, run.run_id, again.batch()) == "conflict"

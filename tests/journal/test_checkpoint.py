"""Checkpoints: opening a long run costs its tail, and a wrong one costs nothing but time."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from journal.backends.filesystem import FilesystemLog
from journal.checkpoint import Memory, decode_memory, encode_memory
from journal.events.log import AnnotationAdded
from journal.events.run import RunCompleted
from journal.files import Files
from journal.ids import RunId, new_run_id
from journal.limits import CHECKPOINT_EVENTS, KEYS_REMEMBERED
from journal.workers import Workers
from journal.writer import Writer
from tests.support.disks import CountingFiles, UnsyncedFiles
from tests.support.logs import crash, read
from tests.support.writers import OPENING, SilentBridge, append, drafts, settled

NOTE = AnnotationAdded(text="x" * 60)


class Bench:
    """A store, and writers on it, without a loop."""

    def __init__(self, root: Path, files: Files | None = None) -> None:
        self.log = FilesystemLog.open(root, files=files or UnsyncedFiles())
        self.workers = Workers()

    def create(self) -> Writer:
        run_id = new_run_id()
        return Writer.create(
            self.log, run_id, drafts(run_id, OPENING), workers=self.workers, bridge=SilentBridge()
        )

    def open(self, run_id: RunId) -> Writer:
        return Writer.open(self.log, run_id, 0.0, workers=self.workers, bridge=SilentBridge())

    def checkpoint(self, run_id: RunId) -> Path:
        return Path(self.log.folder(run_id)) / "checkpoint"


def fill(writer: Writer, count: int) -> None:
    """Append so many events."""
    words = drafts(writer.run_id, [NOTE])
    while count > 0:
        settled(writer.submit(words * min(count, 2000)))
        count -= 2000


def kill(writer: Writer) -> None:
    """The process is gone."""
    crash(writer.lease)


@pytest.mark.parametrize("left", ["closed", "killed"])
def test_opening_a_long_run_reads_only_its_tail(tmp_path: Path, left: str) -> None:
    """Case 78: 20,000 events and more, of which one batch and one checkpoint are read."""
    bench = Bench(tmp_path / "store", files := CountingFiles())
    writer = bench.create()
    append(writer, NOTE, key="k")
    fill(writer, 24_000)
    writer.close() if left == "closed" else kill(writer)
    size = (Path(bench.log.folder(writer.run_id)) / "events.jsonl").stat().st_size
    files.bytes_read = 0
    again = bench.open(writer.run_id)
    assert (again.seq, again.state) == (24_003, writer.state)
    assert size > 8 * 1024**2
    limit = 2 * 1024**2 if left == "closed" else size * CHECKPOINT_EVENTS / 24_000 + 3 * 1024**2
    assert files.bytes_read < limit
    assert append(again, NOTE, key="k").first_seq == 3
    again.close()


def test_openings_that_all_end_in_a_kill_stay_cheap(tmp_path: Path) -> None:
    """Case 78: none of them writes a checkpoint's worth of events, all of them together do."""
    bench = Bench(tmp_path / "store", files := CountingFiles())
    writer = bench.create()
    run_id = writer.run_id
    for _ in range(6):
        fill(writer, CHECKPOINT_EVENTS // 2)
        kill(writer)
        files.bytes_read = 0
        writer = bench.open(run_id)
    size = (Path(bench.log.folder(run_id)) / "events.jsonl").stat().st_size
    assert files.bytes_read < size * 0.8
    assert writer.seq == 2 + 6 * (CHECKPOINT_EVENTS // 2)
    writer.close()


def signed(text: bytes) -> bytes:
    """A checkpoint whose digest holds."""
    return text + hashlib.sha256(text).hexdigest().encode() + b"\n"


def of_an_older_version(body: bytes) -> bytes:
    """The same content, from before its meaning changed."""
    return signed(body[: body.index(b"\n") + 1].replace(b'{"version":2', b'{"version":1'))


NOT_INTACT: dict[str, Callable[[bytes], bytes | None]] = {
    "missing": lambda _: None,
    "empty": lambda _: b"",
    "cut": lambda body: body[:-30],
    "flipped": lambda body: body[:50] + bytes([body[50] ^ 1]) + body[51:],
    "zeros": lambda body: b"\0" * len(body),
    "not of this version": lambda _: signed(b'{"seq":"three"}\n'),
    "of an older version": of_an_older_version,
    "nested too deep": lambda _: signed(b'{"x":' + b"[" * 30_000 + b"]" * 30_000 + b"}\n"),
}


def damaged(body: bytes, how: str) -> bytes | None:
    """A checkpoint that must not be believed."""
    if how in NOT_INTACT:
        return NOT_INTACT[how](body)
    memory = decode_memory(body)
    assert memory is not None
    if how == "of another seq":
        memory.seq += 1
    elif how == "past the end":
        memory.position += 10_000
    elif how == "inside a line":
        memory.position -= 10
    elif how == "nowhere":
        memory.position = 0
    elif how == "with events that were unknown":
        memory.state = msgspec.structs.replace(memory.state, unknown=("run_teleported",))
    else:
        memory.hash = "0" * 64
    memory.keys = {}
    return encode_memory(memory)


@pytest.mark.parametrize(
    "how",
    [
        *NOT_INTACT,
        "with events that were unknown",
        "of another seq",
        "past the end",
        "inside a line",
        "nowhere",
        "of another hash",
    ],
)
def test_a_checkpoint_that_does_not_fit_the_log_is_ignored(tmp_path: Path, how: str) -> None:
    """It is derived: the log's own lines say the same, and decide."""
    bench = Bench(tmp_path / "store")
    writer = bench.create()
    place = append(writer, NOTE, NOTE, key="k")
    append(writer, RunCompleted())
    writer.close()
    path = bench.checkpoint(writer.run_id)
    body = damaged(path.read_bytes(), how)
    path.unlink() if body is None else path.write_bytes(body)
    again = bench.open(writer.run_id)
    assert (again.seq, again.state.status) == (5, "completed")
    assert append(again, NOTE, NOTE, key="k") == place
    again.close()
    assert path.exists()


def test_the_time_of_a_checkpoint_is_that_of_the_log(tmp_path: Path) -> None:
    """Case 56: a forged time there would stand in every line that is written behind it."""
    bench = Bench(tmp_path / "store")
    writer = bench.create()
    writer.close()
    path = bench.checkpoint(writer.run_id)
    memory = decode_memory(path.read_bytes())
    assert memory is not None
    told, memory.timestamp = memory.timestamp, "9999-12-31T23:59:59.999999Z"
    path.write_bytes(encode_memory(memory))
    again = bench.open(writer.run_id)
    append(again, NOTE)
    again.close()
    times = [record.timestamp for record in read(bench.log, writer.run_id)]
    assert times[1] == told
    assert times == sorted(times)
    assert times[-1] < "9999"


def test_a_checkpoint_of_another_run_is_ignored(tmp_path: Path) -> None:
    """Copied into the folder, it is intact and of no use."""
    bench = Bench(tmp_path / "store")
    one, two = bench.create(), bench.create()
    append(one, NOTE, key="k")
    append(two, NOTE, RunCompleted())
    one.close()
    two.close()
    shutil.copy(bench.checkpoint(one.run_id), bench.checkpoint(two.run_id))
    again = bench.open(two.run_id)
    assert (again.seq, again.state.status) == (4, "completed")
    assert append(again, NOTE, key="k").first_seq == 5
    again.close()


def test_a_stale_checkpoint_is_read_on_from(tmp_path: Path) -> None:
    """What came after it is in the log, keys and lifecycle included."""
    bench = Bench(tmp_path / "store")
    writer = bench.create()
    append(writer, NOTE, key="old")
    writer.close()
    stale = bench.checkpoint(writer.run_id).read_bytes()
    writer = bench.open(writer.run_id)
    place = append(writer, NOTE, NOTE, key="new")
    append(writer, RunCompleted())
    writer.close()
    bench.checkpoint(writer.run_id).write_bytes(stale)
    again = bench.open(writer.run_id)
    assert (again.seq, again.state.status) == (6, "completed")
    assert append(again, NOTE, NOTE, key="new") == place
    assert append(again, NOTE, key="old").first_seq == 3
    again.close()


def test_a_checkpoint_says_what_a_full_reading_says(tmp_path: Path) -> None:
    """Two ways to one state: through the checkpoint, and from line 1."""
    bench = Bench(tmp_path / "store")
    writer = bench.create()
    for number in range(40):
        append(writer, *[NOTE] * (number % 4 + 1), key=None if number % 3 else f"k{number}")
    writer.close()
    through = bench.open(writer.run_id)
    kill(through)
    bench.checkpoint(writer.run_id).unlink()
    plain = bench.open(writer.run_id)
    assert msgspec.structs.asdict(through._durable) == msgspec.structs.asdict(plain._durable)
    plain.close()


def test_the_newest_keys_are_remembered(tmp_path: Path) -> None:
    """A bound on memory: of more keys than that, the oldest are forgotten, while open and after."""
    bench = Bench(tmp_path / "store")
    writer = bench.create()
    receipts = [
        writer.submit(drafts(writer.run_id, [NOTE], f"k{number}"), key=f"k{number}")
        for number in range(KEYS_REMEMBERED + 5)
    ]
    settled(receipts[-1])
    assert append(writer, NOTE, key="k5").first_seq == 3 + 5
    forgotten = append(writer, NOTE, key="k0")
    assert forgotten.first_seq == KEYS_REMEMBERED + 8
    assert len(writer._intake._keys) == KEYS_REMEMBERED
    writer.close()
    again = bench.open(writer.run_id)
    assert append(again, NOTE, key="k0") == forgotten
    assert append(again, NOTE, key=f"k{KEYS_REMEMBERED}").first_seq == KEYS_REMEMBERED + 3
    assert again.seq == forgotten.last_seq
    again.close()
    assert len(read(bench.log, writer.run_id)) == again.seq


def test_a_checkpoint_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    """Case 13: the events are durable without it."""

    class NoRename(UnsyncedFiles):
        def rename(self, source: str, target: str) -> None:
            if target.endswith("checkpoint"):
                raise OSError(28, "No space left on device")
            super().rename(source, target)

    bench = Bench(tmp_path / "store", NoRename())
    writer = bench.create()
    fill(writer, CHECKPOINT_EVENTS + 10)
    writer.close()
    assert not bench.checkpoint(writer.run_id).exists()
    assert bench.open(writer.run_id).seq == CHECKPOINT_EVENTS + 12


def test_an_empty_memory_comes_back_equal() -> None:
    """Encoded and decoded; anything shorter than its own digest is none."""
    assert decode_memory(encode_memory(Memory())) == Memory()
    assert decode_memory(None) is None
    assert decode_memory(b"\n" * 65) is None

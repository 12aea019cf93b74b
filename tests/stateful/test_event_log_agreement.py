"""
One random program, two event logs: the filesystem must do what memory, the model, does.

Writers append, collide, reopen, die in the middle of a batch and delete; after every step both
logs hold the same bytes, say the same of themselves, and refuse with the same codes.
"""

import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from journal.backends.filesystem import FilesystemLog
from journal.errors import StorageError
from journal.events.base import Event
from journal.events.log import AnnotationAdded, LogRecovered
from journal.events.run import RunCompleted, RunResumed
from journal.ids import RunId, new_run_id
from journal.log import Change
from journal.receipt import Appended
from journal.workers import Workers
from journal.writer import Writer
from tests.support.logs import NOON, code_of, crash, read
from tests.support.writers import OPENING, ModelLog, SilentBridge, drafts, settled

KEYS = st.sampled_from([None, None, "a", "b", "c"])
BODIES = st.lists(st.sampled_from(["", "one", "two", "ü" * 300]), min_size=1, max_size=4)


class Twins(RuleBasedStateMachine):
    """Two stores, driven by one program."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="run-journal-"))
        self.files = FilesystemLog.open(self.folder / "store")
        self.model = ModelLog()
        self.workers = Workers()
        self.now = NOON
        self.writers: dict[RunId, tuple[Writer, Writer]] = {}
        self.closed: set[RunId] = set()
        self.intruded = False
        self.crashed: dict[RunId, bytes] = {}  # with the tail that recovery will find
        self.acknowledged: dict[RunId, list[bytes]] = {}
        self.cursors = (self.files.changes(None).cursor, self.model.changes(None).cursor)

    def teardown(self) -> None:
        for run_id in self.opened:
            for writer in self.writers[run_id]:
                writer.close()
        self.workers.close()
        shutil.rmtree(self.folder)

    @property
    def opened(self) -> list[RunId]:
        return [run_id for run_id in self.writers if run_id not in self.closed]

    def _pick(self, data: st.DataObject, among: Sequence[RunId]) -> RunId:
        return data.draw(st.sampled_from(sorted(among)))

    def _create(self, run_id: RunId) -> tuple[Writer, Writer]:
        one, two = (
            Writer.create(
                log,
                run_id,
                drafts(run_id, OPENING),
                workers=self.workers,
                bridge=SilentBridge(),
                now=lambda: self.now,
            )
            for log in (self.files, self.model)
        )
        return one, two

    def _open(self, run_id: RunId) -> tuple[Writer, Writer]:
        one, two = (
            Writer.open(
                log,
                run_id,
                0.0,
                workers=self.workers,
                bridge=SilentBridge(),
                now=lambda: self.now,
            )
            for log in (self.files, self.model)
        )
        return one, two

    def _both(
        self, run_id: RunId, events: Sequence[Event], key: str | None, expected_seq: int | None
    ) -> Appended | str:
        """Append to both; what came of it, which must be the same."""
        outcomes: list[Appended | str] = []
        for writer in self.writers[run_id]:
            try:
                receipt = writer.submit(
                    drafts(run_id, events, key), key=key, expected_seq=expected_seq
                )
                outcomes.append(settled(receipt))
            except StorageError as failure:
                outcomes.append(failure.code.value)
        assert outcomes[0] == outcomes[1]
        self.acknowledged[run_id] = list(self.files.read(run_id))
        return outcomes[0]

    @rule()
    def create(self) -> None:
        if len(self.writers) < 3:
            run_id = new_run_id()
            self.writers[run_id] = self._create(run_id)
            self.acknowledged[run_id] = list(self.files.read(run_id))

    @precondition(lambda self: self.opened)
    @rule(
        data=st.data(),
        bodies=BODIES,
        key=KEYS,
        off_by=st.sampled_from([None, None, 0, 1, -1]),
    )
    def append(
        self, data: st.DataObject, bodies: list[str], key: str | None, off_by: int | None
    ) -> None:
        run_id = self._pick(data, self.opened)
        expected = None if off_by is None else self.writers[run_id][0].seq + off_by
        self._both(run_id, [AnnotationAdded(text=text) for text in bodies], key, expected)

    @precondition(lambda self: self.opened)
    @rule(data=st.data(), event=st.sampled_from([RunCompleted(), RunResumed()]))
    def move(self, data: st.DataObject, event: Event) -> None:
        """Legal or not: the same answer from both, and nothing written where it is not."""
        self._both(self._pick(data, self.opened), [event], None, None)

    @precondition(lambda self: self.opened and not self.intruded)
    @rule(data=st.data())
    def intrude(self, data: st.DataObject) -> None:
        """A second writer and a deletion are refused while there is one; once, for it waits."""
        self.intruded = True
        run_id = self._pick(data, self.opened)
        for log in (self.files, self.model):
            for attempt in (log.acquire, log.delete):
                assert code_of(attempt, run_id) == "locked"

    @precondition(lambda self: self.opened)
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        run_id = self._pick(data, self.opened)
        for writer in self.writers[run_id]:
            writer.close()
        self.closed.add(run_id)

    @precondition(lambda self: self.closed)
    @rule(data=st.data())
    def reopen(self, data: st.DataObject) -> None:
        self._reopen(self._pick(data, sorted(self.closed)))

    def _reopen(self, run_id: RunId) -> None:
        one, two = self.writers[run_id] = self._open(run_id)
        self.closed.discard(run_id)
        torn = self.crashed.pop(run_id, b"")
        assert (one.seq, one.state, one.lease.epoch) == (two.seq, two.state, two.lease.epoch)
        assert msgspec.structs.asdict(one._durable) == msgspec.structs.asdict(two._durable)
        told = [
            LogRecovered(bytes_set_aside=tail.size_bytes, sha256=tail.sha256, kept_as=tail.kept_as)
            for tail in one.lease.recovered
        ]
        assert [event.bytes_set_aside for event in told] == ([len(torn)] if torn else [])
        if told:
            self._both(run_id, told, None, None)
            kept = Path(self.files.folder(run_id), told[0].kept_as)
            assert kept.read_bytes() == torn

    @precondition(lambda self: self.opened)
    @rule(
        data=st.data(),
        bodies=BODIES,
        key=KEYS,
        fill=st.sampled_from([b"", b"", b"\0", b'"}\n']),
        reopen=st.booleans(),
    )
    def die(
        self, data: st.DataObject, bodies: list[str], key: str | None, fill: bytes, reopen: bool
    ) -> None:
        """The writer dies while its next batch is on the way: any part of it may have landed."""
        run_id = self._pick(data, self.opened)
        one, two = self.writers[run_id]
        before = two.lease.head
        events = [AnnotationAdded(text=text) for text in bodies]
        with suppress(StorageError):  # a key of another body: then nothing is on its way
            settled(two.submit(drafts(run_id, events, key), key=key))
        # The model tells the batch's bytes.
        batch = b"".join(self.model.read(run_id, before.position))
        cut = data.draw(st.integers(0, len(batch)))
        torn = batch[:cut] + (fill * len(batch))[: len(batch) - cut]
        crash(one.lease)
        self.model.crash(run_id)
        with Path(self.files.folder(run_id), "events.jsonl").open("ab") as log:
            log.write(torn)
        if torn != batch:
            self.model.forget(run_id, before)
        self.closed.add(run_id)
        self.crashed[run_id] = b"" if torn == batch else torn
        if reopen:
            self._reopen(run_id)

    @precondition(lambda self: self.closed - set(self.crashed))
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        run_id = self._pick(data, sorted(self.closed - set(self.crashed)))
        for log in (self.files, self.model):
            log.delete(run_id)
        self.closed.discard(run_id)
        del self.writers[run_id], self.acknowledged[run_id]

    @precondition(lambda self: self.writers)
    @rule(data=st.data(), reverse=st.booleans())
    def read_a_part(self, data: st.DataObject, reverse: bool) -> None:
        run_id = self._pick(data, sorted(self.writers))
        ends = [0]
        for line in self.model.read(run_id):
            ends.append(ends[-1] + len(line))
        start = data.draw(st.sampled_from(ends))
        stop = data.draw(st.sampled_from([end for end in ends if end >= start]))
        one, two = (
            list(log.read(run_id, start, stop, reverse=reverse)) for log in (self.files, self.model)
        )
        if run_id not in self.crashed:
            assert one == two

    @invariant()
    def both_hold_the_same(self) -> None:
        assert sorted(self.files.runs()) == sorted(self.model.runs())
        for run_id, acknowledged in self.acknowledged.items():
            found, wanted = list(self.files.read(run_id)), list(self.model.read(run_id))
            if run_id in self.crashed:  # not recovered yet: readers see what was acknowledged
                assert found == acknowledged
                assert wanted[: len(found)] == found
                continue
            assert found == wanted
            assert found[: len(acknowledged)] == acknowledged
            assert len(read(self.files, run_id)) == len(found)
            one, two = self.files.head(run_id), self.model.head(run_id)
            assert (one.head, one.epoch) == (two.head, two.epoch)
            assert (one.live, one.state) == (two.live, two.state)

    @invariant()
    def both_feeds_tell_the_same(self) -> None:
        one, two = self.files.changes(self.cursors[0]), self.model.changes(self.cursors[1])
        assert one.changes == two.changes
        assert not one.everything
        assert all(isinstance(change, Change) for change in one.changes)
        self.cursors = (one.cursor, two.cursor)


TestTwins = Twins.TestCase
TestTwins.settings = settings(
    settings.get_profile("default"), max_examples=25, stateful_step_count=30
)

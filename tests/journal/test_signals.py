"""Ctrl-C and SIGTERM in real processes, on both loops; and what they may never leave behind."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import pytest

from journal import Journal, StorageError, draft, interrupts
from journal.backends.filesystem import FilesystemLog
from journal.events.phase import PhaseCancelled
from journal.events.run import CodeVersion, RunCancelled
from journal.ids import RunId, parse_run_id
from tests.journal.helpers import events, note, records
from tests.support.logs import code_of, read
from tests.support.processes import other

SLEEPER = """
import sys, anyio
from journal import Journal

async def main():
    async with Journal.open(sys.argv[1]) as journal:
        async with journal.run(project="nightly") as run:
            async with run.phase("ingest") as phase:
                print(run.id, flush=True)
                await anyio.sleep(60)

anyio.run(main, backend=sys.argv[2])
"""

BUSY = """
import sys, anyio
from journal import Journal

async def main():
    async with Journal.open(sys.argv[1]) as journal:
        async with journal.run(project="nightly") as run:
            print(run.id, flush=True)
            for number in range(10**9):
                receipt = run.log("info", f"{number}")
                if number % 500 == 499:
                    await receipt

anyio.run(main, backend=sys.argv[2])
"""

BACKENDS = ["asyncio", "trio"]
SIGNALS = [signal.SIGINT, signal.SIGTERM]


@pytest.fixture(autouse=True, scope="module")
def _not_in_the_background() -> Iterator[None]:
    """A job in the background of a script is started with SIGINT ignored, and passes that on."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def check_cancelled(store: Path, run_id: RunId, reason: str) -> None:
    """The log is whole, and tells what ended the run."""
    log = FilesystemLog.open(store)
    found = read(log, run_id)
    event = found[-1].data
    assert isinstance(event, RunCancelled)
    assert event.reason == reason
    info = log.head(run_id)
    assert (info.state, info.live) == ("closed", False)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_as_a_cancellation_with_its_name(
    tmp_path: Path, backend: str, number: signal.Signals
) -> None:
    """The way out is walked, phase and run say why, and the process does not look successful."""
    with other(SLEEPER, tmp_path / "store", backend, errors=subprocess.DEVNULL) as process:
        run_id = parse_run_id(process.line())
        process.signal(number)
        assert process.ended() != 0
    check_cancelled(tmp_path / "store", run_id, number.name)
    phase = read(FilesystemLog.open(tmp_path / "store"), run_id)[-2].data
    assert isinstance(phase, PhaseCancelled)
    assert phase.reason == number.name


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_at_any_moment_of_a_busy_run_leaves_it_whole(
    tmp_path: Path, backend: str, number: signal.Signals
) -> None:
    """A KeyboardInterrupt may come between any two statements of what emits."""
    for moment_s in (0.0, 0.04):
        with other(BUSY, tmp_path / "store", backend, errors=subprocess.DEVNULL) as process:
            run_id = parse_run_id(process.line())
            time.sleep(moment_s)
            process.signal(number)
            assert process.ended() != 0
        check_cancelled(tmp_path / "store", run_id, number.name)


async def test_handlers_are_put_back(journal: Journal) -> None:
    """With the last run: nested ones share the watch."""
    before = [signal.getsignal(number) for number in SIGNALS]
    async with journal.run(project="nightly"):
        async with journal.run(project="nightly"):
            pass
        assert signal.getsignal(signal.SIGINT) is not before[0]
    assert [signal.getsignal(number) for number in SIGNALS] == before


async def test_handlers_are_put_back_whichever_way_a_run_is_left(store: Path) -> None:
    """Closed without an end, refused when it was opened, or closed with its journal."""
    before = [signal.getsignal(number) for number in SIGNALS]
    async with Journal.open(store) as journal:
        run = await journal.run(project="nightly").__aenter__()
        await run.close()
        await run.close()
        assert [signal.getsignal(number) for number in SIGNALS] == before
        await journal.run(project="nightly").__aenter__()
        async with journal.run(project="nightly", code=CodeVersion(git_commit="a")) as other_code:
            pass
        with pytest.raises(StorageError):
            await journal.resume(other_code.id, code=CodeVersion(git_commit="b")).__aenter__()
    assert [signal.getsignal(number) for number in SIGNALS] == before


async def test_a_handler_of_the_users_own_stays(journal: Journal) -> None:
    """Who handles SIGTERM has plans for it; who replaces ours meanwhile keeps the new one."""

    def mine(*_: object) -> None:
        """Do nothing."""

    before = signal.signal(signal.SIGTERM, mine)
    try:
        async with journal.run(project="nightly"):
            assert signal.getsignal(signal.SIGTERM) is mine
        assert signal.getsignal(signal.SIGTERM) is mine
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        async with journal.run(project="nightly"):
            signal.signal(signal.SIGTERM, mine)
        assert signal.getsignal(signal.SIGTERM) is mine
    finally:
        signal.signal(signal.SIGTERM, before)


class Interrupter:
    """Sends a signal right before the ``line``-th line that runs inside a call."""

    def __init__(self, line: int, number: signal.Signals = signal.SIGINT) -> None:
        self.left = line
        self.number = number

    @property
    def sent(self) -> bool:
        return self.left <= 0

    def __call__(self, frame: FrameType, what: str, _: object) -> "Interrupter":
        name = frame.f_code.co_filename
        if what == "line" and ("/journal/" in name or name.endswith("/typing.py")):
            self.left -= 1
            if self.left == 0:
                signal.raise_signal(self.number)
        return self

    def raised(self, call: Callable[[], object]) -> bool:
        """Whether ``call`` was interrupted."""
        sys.settrace(self)
        try:
            call()
        except KeyboardInterrupt:
            return True
        finally:
            sys.settrace(None)
        return False


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_an_interrupt_at_any_line_of_an_emit_arrives_and_leaves_the_queue_whole(
    journal: Journal, anyio_backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Ctrl-C under trio is a KeyboardInterrupt wherever the main task happens to be.

    It is sent at the k-th line that runs inside an emit, for every k there is; where the event's
    class is seen for the first time, its decoder is made by C code, which drops what is raised in
    what it calls. What was begun is then done or not done: seqs have no gap, and nobody waits for
    a writer that thinks it is busy.
    """
    known: dict[object, object] = {}
    monkeypatch.setattr(draft, "_MIDDLE_DECODERS", known)
    async with journal.run(project="nightly") as run:
        for line in range(1, 10_000):
            known.clear()
            interrupter = Interrupter(line)
            raised = interrupter.raised(lambda: run.emit(note()))
            assert raised == interrupter.sent, f"lost at line {line}"
            if not raised:
                break
        await run.append(note("still at work"))
    assert line > 100
    found = records(journal, run.id)
    assert [record.seq for record in found] == list(range(1, len(found) + 1))
    assert events(journal, run.id)[-2:] == ["annotation_added", "run_completed"]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_an_event_out_of_a_signal_handler_never_waits_for_itself(
    journal: Journal, anyio_backend: str
) -> None:
    """
    A handler that logs, or a finalizer, may run in the middle of another event of its thread.

    It is told there that it cannot be told; everywhere else its event lands like any other.
    """
    codes: set[str] = set()

    def tell(*_: object) -> None:
        codes.add(code_of(lambda: run.emit(note("out of the handler"))))

    before = signal.signal(signal.SIGUSR1, tell)
    try:
        async with journal.run(project="nightly") as run:
            for line in range(1, 10_000):
                interrupter = Interrupter(line, signal.SIGUSR1)
                assert not interrupter.raised(lambda: run.emit(note()).hurry())
                if not interrupter.sent:
                    break
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert codes == {"unavailable", "nothing was raised"}
    told = [getattr(record.data, "text", "") for record in records(journal, run.id)]
    assert told.count("note") == line
    assert 20 < told.count("out of the handler") < line


def test_an_interrupt_that_was_held_is_delivered_after(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is put off, never lost; and only the main thread puts anything off."""
    seen: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: seen.append(number))
    try:
        interrupts.begin()
        with interrupts.held:
            with interrupts.held:
                signal.raise_signal(signal.SIGINT)
            assert seen == []
        assert seen == [signal.SIGINT]
        assert interrupts.reason() == "SIGINT"
        entered = threading.Event()
        leave = threading.Event()

        def elsewhere() -> None:
            with interrupts.held:
                entered.set()
                leave.wait(120)

        thread = threading.Thread(target=elsewhere)
        thread.start()
        entered.wait(120)
        signal.raise_signal(signal.SIGINT)
        assert len(seen) == 2
        leave.set()
        thread.join()
    finally:
        interrupts.end()
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("failure", "end"),
    [
        (KeyboardInterrupt(), "cancelled"),
        (SystemExit(1), "cancelled"),
        (BaseExceptionGroup("both", [KeyboardInterrupt(), SystemExit()]), "cancelled"),
        (BaseExceptionGroup("mixed", [KeyboardInterrupt(), ValueError("bad")]), "failed"),
        (ExceptionGroup("all", [ValueError("bad")]), "failed"),
    ],
)
async def test_what_says_stop_cancels_and_what_went_wrong_fails(
    journal: Journal, failure: BaseException, end: str
) -> None:
    """Also in a group, as task groups raise it; one real failure among them makes it a failure."""
    run = journal.run(project="nightly")

    async def work() -> None:
        async with run, run.phase("ingest"):
            raise failure

    try:
        await work()
    except BaseException as raised:  # noqa: BLE001 - exactly that one must come out
        assert raised is failure  # noqa: PT017
    assert events(journal, run.id)[2:] == ["phase_started", f"phase_{end}", f"run_{end}"]

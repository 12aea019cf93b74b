"""
Cases 28 to 37: what is kept under ``tests/corpus/``, tried again; and that the targets can fail.
"""

from pathlib import Path

import msgspec
import msgspec.inspect
import pytest

from journal import jsonrules
from journal.chain import Chain
from journal.errors import StorageError, StorageErrorCode
from journal.events.log import LogEmitted
from journal.events.registry import BUILT_IN, KEPT_FREE_JSON
from journal.record import Record
from projections.cli.app import COMMANDS
from tests.fuzz import corpus
from tests.fuzz.targets import TARGETS, command
from tests.fuzz.targets.lines import chained_up, check, walk
from tests.unit.lines import body_of

ALL = [(name, path) for name in TARGETS for path in corpus.files(name)]


@pytest.mark.parametrize(("target", "path"), ALL, ids=lambda each: getattr(each, "name", each))
def test_what_is_kept_breaks_nothing_any_more(target: str, path: Path) -> None:
    """Cases 28 to 36, 76 and 84: seeds, and every input that once broke something."""
    TARGETS[target].run(path.read_bytes())


def test_every_target_has_seeds_and_every_folder_a_target() -> None:
    """A target without a seed is fed noise; a folder without a target is fed to nobody."""
    folders = {path.name for path in corpus.FOLDER.iterdir()}
    assert folders == set(TARGETS)
    assert all(corpus.files(name) for name in TARGETS)


def test_every_command_is_tried() -> None:
    """Security, bounds: a command that is added is typed at as the others are."""
    typed = {
        word
        for data in corpus.seeds("command")
        for word in data.decode("utf-8", "replace").split("\n")
    }
    assert command.commands() <= typed
    assert set(COMMANDS) >= command.commands()


def test_a_lenient_reader_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Case 29: strict walks that forget a rule do not pass."""
    monkeypatch.setattr("journal.chain.check_strictly", lambda text: None)
    with pytest.raises(AssertionError, match="a key stands twice"):
        TARGETS["line"].run((corpus.FOLDER / "line/29-a-duplicate-key").read_bytes())


def test_a_rule_without_a_bound_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Case 31: nor do rules that look at the text only where it is not canonical."""
    monkeypatch.setattr(jsonrules, "_walk_integers", lambda value: None)
    with pytest.raises(AssertionError, match="64 bit"):
        TARGETS["line"].run((corpus.FOLDER / "line/31-an-integer-past-64-bit").read_bytes())


def test_a_block_that_sees_less_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Case 24: the quick look at many lines agrees with the slow one at each."""
    monkeypatch.setattr("journal.blocks._in_order", lambda chain, records: True)
    bodies = [body_of(n, batch=b"[%d,1]" % n) for n in (*range(1, 12), 20, *range(13, 30))]
    with pytest.raises(AssertionError):
        check(chained_up(bodies))


def test_a_decoder_that_raises_something_else_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Case 84: whatever is not a StorageError comes out of the target as it is."""
    follow = Chain.follow

    def raising(chain: Chain, line: bytes) -> Record:
        try:
            return follow(chain, line)
        except StorageError as failure:
            raise KeyError("seq") from failure

    monkeypatch.setattr(Chain, "follow", raising)
    with pytest.raises(KeyError):
        TARGETS["line"].run(b"nonsense")


def test_a_classifier_that_drops_what_was_acknowledged_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Case 22: the oracle of recovery holds for every tail, or the target fails."""
    monkeypatch.setattr("tests.fuzz.targets.tails.classify", _forgetful)
    with pytest.raises(AssertionError, match="acknowledged line is lost"):
        TARGETS["tail"].run(b"\3\0garbage")


def _forgetful(chain: Chain, read: object, size: int, acknowledged: int, *, closed: bool) -> object:
    from journal.log import Head
    from journal.recovery import Tail

    return Tail(Head(0, 0, chain.hash), size)


def test_what_a_state_may_keep_is_never_too_deep() -> None:
    """Case 32: one line of another writer, nested 300 deep, ended `journal show` in a traceback."""
    deep = b"[" * 300 + b"]" * 300
    for more in (b"", b',"clock":"2026-11-22T11:59:59.000000Z"'):
        body = body_of(data=b'{"revision":1,"duration_s":1,"summary":{"x":%b}}' % deep)
        body = body.replace(b"log_emitted", b"phase_completed").replace(
            b',"batch"', more + b',"batch"'
        )
        for strict in (False, True):
            error = walk(chained_up([body]), strict=strict).error
            assert error is not None
            assert error.code is StorageErrorCode.VALIDATION_ERROR
        before = [body_of(n, batch=b"[%d,1]" % n) for n in range(1, 12)]
        behind = body.replace(b'"seq":1', b'"seq":12').replace(b'"batch":[1,1]', b'"batch":[12,1]')
        check(chained_up([*before, behind]))
        assert len(walk(chained_up([*before, behind]), strict=False, at_once=True).records) == 11


def test_every_event_with_free_json_is_looked_at() -> None:
    """Case 32: but for log lines, the most frequent ones; no state keeps what they hold."""
    free = {kind for kind in BUILT_IN if "AnyType" in repr(msgspec.inspect.type_info(kind))}
    assert free == KEPT_FREE_JSON | {LogEmitted}

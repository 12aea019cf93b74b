"""
Cases 28 to 37, 39, 76 and 84: some thousands of inputs each time; ``make fuzz`` tries a million.

The inputs are the same each time: hypothesis is derandomized here, and mutators have a seed.
"""

import json
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from journal.chain import Chain
from journal.errors import StorageError, StorageErrorCode
from journal.limits import LINE_BYTES_MAX_READ, LINES_READ_BYTES
from journal.recovery import classify
from tests.fuzz import campaign, corpus
from tests.fuzz.mutate import Mutator
from tests.fuzz.targets import TARGETS
from tests.fuzz.targets.tails import LOG
from tests.unit.lines import RUN, body_of
from tests.unit.payloads import json_values

INPUTS = {"line": 5_000, "log": 500, "tail": 2_000, "upcaster": 1_000, "store": 100, "command": 100}
INPUTS |= dict.fromkeys(("head", "feed", "checkpoint", "store_json", "artifact", "word"), 1_500)

thorough = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.mark.parametrize("target", TARGETS)
def test_mutated_seeds_break_nothing(target: str) -> None:
    """Cases 28 to 36, 76 and 84: one portion of the campaign, each time the same."""
    mutator = Mutator(Random(f"tests {target}"), corpus.seeds(target))
    for _ in range(INPUTS[target]):
        data = mutator.next()
        try:
            TARGETS[target].run(data)
        except Exception as failure:
            failure.add_note(f"{target}: {data!r}")
            raise


@pytest.mark.parametrize("target", [name for name in TARGETS if name not in {"store", "command"}])
@thorough
@given(data=st.binary(max_size=200) | st.text().map(lambda text: text.encode("utf-8", "replace")))
def test_any_bytes_break_nothing(target: str, data: bytes) -> None:
    """Case 28: also what looks like nothing that anybody ever wrote."""
    TARGETS[target].run(data)


@thorough
@given(json_values, st.sampled_from(["log_emitted", "phase_completed", "acme.sent", "run_dreamt"]))
def test_any_json_in_the_place_of_a_payload_breaks_nothing(value: object, event: str) -> None:
    """Case 34: whatever somebody else's writer may think a payload is."""
    data = json.dumps(value).encode()
    TARGETS["line"].run(body_of(data=data, event=event))
    TARGETS["line"].run(body_of(data=b'{"data":%b}' % data, event=event))


@thorough
@given(st.lists(st.sampled_from(corpus.seeds("log")[0].split(b"\n")), max_size=12))
def test_lines_in_any_order_break_nothing(bodies: list[bytes]) -> None:
    """Case 24: chained anew, so that only numbers and batches say what is wrong."""
    TARGETS["log"].run(b"\n".join(bodies))


@pytest.mark.parametrize("filling", [b"\0", b"\n", b"x\n", b'"}\n'], ids=ascii)
@pytest.mark.parametrize("closed", [True, False])
def test_a_log_that_claims_ten_terabytes_is_refused_in_bounded_work(
    filling: bytes, closed: bool
) -> None:
    """Case 39: a sparse file says any size; what is read of it is one line, or one batch."""
    sound = b"".join(LOG)
    taken = 0

    def read(size: int, offset: int) -> bytes:
        nonlocal taken
        taken += size
        begin = sound[offset : offset + size]
        return (begin + filling * size)[:size]

    with pytest.raises(StorageError) as refused:
        classify(Chain(RUN, strict=True), read, 10 * 1024**4, len(sound), closed=closed)
    assert refused.value.code in {StorageErrorCode.CORRUPT, StorageErrorCode.LIMIT_EXCEEDED}
    assert taken <= LINE_BYTES_MAX_READ + 2 * LINES_READ_BYTES


def test_a_campaign_tries_what_it_says() -> None:
    """Figures in the documentation come from this line of JSON."""
    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.fuzz",
            "--inputs",
            "600",
            "--target",
            "head",
            "--target",
            "word",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(ran.stdout)
    assert told["targets"] == ["head", "word"]
    assert 600 <= told["inputs"] <= 700
    assert told["violations"] == []


def test_a_portion_is_the_same_each_time_and_keeps_what_it_finds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A violation in a campaign of yesterday is seen again today."""
    tried: list[bytes] = []
    kept: list[bytes] = []

    def keep(target: str, data: bytes) -> Path:
        kept.append(data)
        return corpus.FOLDER

    def broken(data: bytes) -> None:
        tried.append(data)
        if len(data) > 40:
            raise KeyError("seq")

    monkeypatch.setitem(TARGETS, "head", TARGETS["head"]._replace(run=broken))
    monkeypatch.setattr(corpus, "keep", keep)
    portion = campaign.Portion("head", "1.0", 50)
    outcome = campaign.work(portion)
    assert outcome.inputs == 50
    assert len(outcome.violations) == len(kept) == 1
    assert "KeyError" in next(iter(outcome.violations.values()))
    first, tried[:] = list(tried), []
    campaign.work(portion)
    assert tried == first


def test_without_atheris_the_guided_campaign_says_so() -> None:
    """It is optional, so that its absence must not look like a campaign without findings."""
    program = """
import sys

sys.modules["atheris"] = None
from tests.fuzz import guided

sys.exit(guided.all_of(["head"], 1))
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.returncode == 1
    assert "atheris is not installed" in ran.stderr

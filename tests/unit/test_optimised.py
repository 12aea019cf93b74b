"""Case 83: ``python -O`` takes out asserts and nothing that anyone relies on."""

import ast
import subprocess
import sys

from tests.rules.sources import modules

PROGRAM = """
import sys
from journal.chain import Chain, encode_batch, genesis
from journal.draft import Stamp, freeze
from journal.errors import StorageError
from journal.events.log import LogEmitted
from journal.events.run import RunCompleted, RunStarted
from journal.ids import new_run_id, parse_name, parse_run_id
from journal.lifecycle import RunLifecycle, check

run = new_run_id()
stamp = Stamp(freeze(run, RunStarted()), 1, "2026-11-22T12:00:00.000000Z", None)
(line,), _ = encode_batch(genesis(run), [stamp])
(second,), _ = encode_batch(genesis(run), [Stamp(stamp.draft, 2, stamp.timestamp, None)])

def refused(function, *arguments):
    try:
        function(*arguments)
    except StorageError as error:
        print(error.code)
    else:
        print("taken:", function.__name__, arguments)

print(sys.flags.optimize)
refused(parse_run_id, "..")
refused(parse_name, "CON")
refused(freeze, run, LogEmitted(data={"x": float("nan")}))
refused(freeze, run, LogEmitted(data={"x": 2**64}))
refused(check, RunLifecycle(status="completed"), None, RunCompleted())
refused(Chain(run).follow, line.replace(b"2026", b"2027"))
refused(Chain(run).follow, second)
refused(Chain(run).follow, line[:-1])
"""


def test_every_refusal_stands_under_optimisation() -> None:
    """Case 83: someone's production runs with -O, and so must every check of ours."""
    said = subprocess.run(
        [sys.executable, "-O", "-c", PROGRAM], capture_output=True, text=True, check=True
    ).stdout.split()
    assert said == [
        "1",
        *["validation_error"] * 4,
        "conflict",
        *["corrupt"] * 3,
    ]


def test_no_check_is_an_assert() -> None:
    """Case 83: what -O takes out of these folders is nothing at all."""
    found = [
        module.at(node, "is gone under python -O")
        for module in modules("journal", "projections")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Assert) or (isinstance(node, ast.Name) and node.id == "__debug__")
    ]
    assert found == []

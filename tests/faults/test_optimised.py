"""Case 83: ``python -O`` takes no check out of a store either."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
from pathlib import Path
from journal.backends.filesystem import FilesystemLog
from journal.errors import StorageError
from journal.ids import new_run_id
from tests.support.logs import StoredRun

def say(call, *arguments):
    try:
        print(call(*arguments))
    except StorageError as failure:
        print(failure.code.value)

print(sys.flags.optimize)
run = StoredRun(Path(sys.argv[1])).write(2, 1)
say(run.log.acquire, run.run_id)
say(run.log.create, run.run_id, run.lines.batch())
run.close()
say(run.log.append, run.lease, run.lines.batch())
content = run.events.read_bytes()
run.events.write_bytes(content[:-100] + b"~" + content[-99:])
say(run.read)
say(run.log.acquire, run.run_id)
run.events.write_bytes(content[:-1])
say(run.log.head, run.run_id)
say(run.log.acquire, new_run_id())
"""


def test_a_store_is_guarded_without_asserts(tmp_path: Path) -> None:
    """Case 83: someone's production runs with -O, and so must every refusal."""
    said = subprocess.run(
        [sys.executable, "-O", "-c", PROGRAM, str(tmp_path / "store")],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert said == [
        "1",
        "locked",
        "conflict",
        "closed",
        "corrupt",
        "corrupt",
        "corrupt",
        "not_found",
    ]

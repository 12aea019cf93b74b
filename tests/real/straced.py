"""
One life of a process under strace: traced whole, or with one system call that fails or kills.

The process is forked from this one, which has all modules loaded, so that a life costs
milliseconds; it waits until strace is attached and only then begins. What it tells goes through a
socket, line by line, so that a kill loses nothing that it said, and no fault that hits a write hits
the telling.
"""

import ctypes
import errno
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from journal.errors import StorageError

Tell = Callable[[str], None]

_BOUND_S = 60.0
_PR_SET_PTRACER = 0x59616D61
_CALL = re.compile(r"^(?:(\d+) +)?(\w+)\(")


class Call(NamedTuple):
    """One kind of system call that touches the store, and its number among all of its kind."""

    name: str
    number: int


class Life(NamedTuple):
    """What became of a process: what it told, how it ended, and what strace saw of it."""

    told: list[str]
    killed: bool
    refused: str
    escaped: str
    trace: str

    @property
    def finished(self) -> bool:
        """Whether it came to its end without an error."""
        return not (self.killed or self.refused or self.escaped)


def live(work: Callable[[Tell], None], folder: Path, options: Sequence[str]) -> Life:
    """Have a child do ``work`` under ``strace options``; ``folder`` takes the trace."""
    trace = folder / "trace"
    here, there = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        here.close()
        _be(work, there)
    there.close()
    tracer = None
    try:
        here.recv(1)  # it does nothing of its own any more: from here on calls are counted
        tracer = _attach(pid, trace, options)
        here.send(b"1")
        told = _hear(here)
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        raise
    finally:
        here.close()
        _, status = os.waitpid(pid, 0)
        if tracer is not None:
            _end(tracer)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    last = [line for line in told if line.startswith(("refused ", "escaped "))]
    words = dict(line.split(" ", 1) for line in last)
    return Life(
        told=[line for line in told if line not in last],
        killed=killed,
        refused=words.get("refused", ""),
        escaped=words.get("escaped", "" if status == 0 or killed else f"ended with {status}"),
        trace=trace.read_text(errors="replace") if trace.exists() else "",
    )


def _be(work: Callable[[Tell], None], there: socket.socket) -> None:
    """The child: never returns."""
    code = 3
    try:
        _allow_tracing()
        there.sendall(b"1")
        there.recv(1)

        def tell(line: str) -> None:
            there.sendall(f"{line}\n".encode())

        code = 0
        try:
            work(tell)
        except StorageError as failure:
            tell(f"refused {failure.code.value} {failure.info.details.reason or '-'}")
        except BaseException:  # noqa: BLE001 - that anything else escapes is what is looked for
            last = traceback.format_exc().strip().replace("\n", " | ")
            tell(f"escaped {last[-1500:]}")
    finally:
        os._exit(code)


def _allow_tracing() -> None:
    """Where only a parent may trace, its child says that a sibling may, too."""
    ctypes.CDLL(None).prctl(_PR_SET_PTRACER, ctypes.c_ulong(-1), 0, 0, 0)


def _attach(pid: int, trace: Path, options: Sequence[str]) -> "subprocess.Popen[bytes]":
    command = ["strace", "-y", "-s", "0", "-o", str(trace), *options, "-p", str(pid)]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    assert tracer.stderr is not None
    said = b""
    while b"attached" not in said:
        block = os.read(tracer.stderr.fileno(), 4096)
        if not block:
            _end(tracer)
            raise OSError(f"strace could not attach: {said.decode(errors='replace').strip()}")
        said += block
    return tracer


def _end(tracer: "subprocess.Popen[bytes]") -> None:
    try:
        tracer.wait(10)
    except subprocess.TimeoutExpired:
        tracer.kill()
        tracer.wait()
    assert tracer.stderr is not None
    tracer.stderr.close()


def _hear(here: socket.socket) -> list[str]:
    """All whole lines up to the end of the process, bounded in time."""
    here.settimeout(_BOUND_S)
    data = b""
    while True:
        block = here.recv(65536)
        if not block:
            return [line.decode() for line in data.split(b"\n")[:-1]]
        data += block


def calls(trace: str, within: Path) -> list[Call]:
    """Every call of a whole trace that touches something below ``within``, in order."""
    counts: Counter[tuple[str, str]] = Counter()
    found: dict[Call, None] = {}
    for line in trace.splitlines():
        match = _CALL.match(line)
        if match is None:
            continue
        thread, name = match[1] or "", match[2]
        counts[thread, name] += 1  # strace counts for each thread alone
        if str(within) in line:
            found[Call(name, counts[thread, name])] = None
    return list(found)


def main() -> int:
    """Whether all this works here; why not is said on stderr."""
    with tempfile.TemporaryDirectory() as folder:
        options = ["-e", "trace=getppid", "-e", "inject=getppid:error=EIO"]
        life = live(lambda tell: tell(f"parent {os.getppid()}"), Path(folder), options)
    if life.told == [f"parent {-errno.EIO}"]:
        return 0
    sys.stderr.write(f"a fault that was injected did not come: {life}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())

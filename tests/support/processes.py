"""Other processes: started, spoken with over pipes, and always ended."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class Other:
    """Another Python process; what it prints is read line by line."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    @property
    def pid(self) -> int:
        return self.process.pid

    def line(self) -> str:
        """The next line that it prints; an empty one when it has ended."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def tell(self, text: str = "") -> None:
        """Send it a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def ended(self) -> int:
        """Wait for its end, bounded; its exit code, negative for a signal."""
        return self.process.wait(120)

    def rest(self) -> str:
        """What it prints until its end."""
        assert self.process.stdout is not None
        return self.process.stdout.read()


@contextmanager
def other(program: str, *arguments: object, errors: int | None = None) -> Iterator[Other]:
    """Run ``program`` in another process, which does not outlive the block."""
    with subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
    ) as process:
        try:
            yield Other(process)
        finally:
            process.kill()
